; unit: w float32, dw float32; computed in float32

define internal void @unit_pass0.range(i64 %range.begin, i64 %range.end, ptr %range.host, ptr noalias %w.at, ptr noalias %dw.at, ptr noalias %range.sums) #0 {
range.entry:
  %range.some = icmp ult i64 %range.begin, %range.end
  br i1 %range.some, label %range.block, label %range.done
range.block:
  %block.begin = phi i64 [ %range.begin, %range.entry ], [ %block.end, %range.stored ]
  %block.number = lshr i64 %block.begin, 12
  %block.next = add nuw i64 %block.number, 1
  %block.limit = shl i64 %block.next, 12
  %block.is.cut = icmp ult i64 %range.end, %block.limit
  %block.end = select i1 %block.is.cut, i64 %range.end, i64 %block.limit
  br label %range.loop
range.loop:
  %range.i = phi i64 [ %block.begin, %range.block ], [ %range.next, %range.loop ]
  %range.sum0 = phi double [ 0.0, %range.block ], [ %range.sum0.next, %range.loop ]
  %dw.element = getelementptr float, ptr %dw.at, i64 %range.i
  %dw = load float, ptr %dw.element, align 4
  %range.summand0.wide0 = fpext float %dw to double
  %range.summand0.wide1 = fpext float %dw to double
  %range.summand0 = fmul double %range.summand0.wide0, %range.summand0.wide1
  %range.sum0.next = fadd reassoc double %range.sum0, %range.summand0
  %range.next = add nuw i64 %range.i, 1
  %range.more = icmp ult i64 %range.next, %block.end
  br i1 %range.more, label %range.loop, label %range.stored
range.stored:
  %block.place = mul nuw i64 %block.number, 1
  %block.sum0 = add nuw i64 %block.place, 0
  %block.sum0.at = getelementptr double, ptr %range.sums, i64 %block.sum0
  store double %range.sum0.next, ptr %block.sum0.at
  %block.more = icmp ult i64 %block.end, %range.end
  br i1 %block.more, label %range.block, label %range.done
range.done:
  ret void
}

define void @unit_pass0(ptr %job) #0 {
entry:
  %table = load ptr, ptr %job
  %row.first.from = getelementptr i64, ptr %job, i64 1
  %row.first = load i64, ptr %row.first.from
  %begin.first.from = getelementptr i64, ptr %job, i64 2
  %begin.first = load i64, ptr %begin.first.from
  %row.last.from = getelementptr i64, ptr %job, i64 3
  %row.last = load i64, ptr %row.last.from
  %end.last.from = getelementptr i64, ptr %job, i64 4
  %end.last = load i64, ptr %end.last.from
  br label %loop
loop:
  %row = phi i64 [ %row.first, %entry ], [ %row.next, %loop ]
  %begin = phi i64 [ %begin.first, %entry ], [ 0, %loop ]
  %place = mul nuw i64 %row, 5
  %length.from = getelementptr i64, ptr %table, i64 %place
  %length = load i64, ptr %length.from
  %host.from = getelementptr i64, ptr %length.from, i64 1
  %host = load ptr, ptr %host.from
  %w.at.from = getelementptr i64, ptr %length.from, i64 2
  %w.at = load ptr, ptr %w.at.from
  %dw.at.from = getelementptr i64, ptr %length.from, i64 3
  %dw.at = load ptr, ptr %dw.at.from
  %range.sums.from = getelementptr i64, ptr %length.from, i64 4
  %range.sums = load ptr, ptr %range.sums.from
  %is.last = icmp eq i64 %row, %row.last
  %end = select i1 %is.last, i64 %end.last, i64 %length
  call void @unit_pass0.range(i64 %begin, i64 %end, ptr %host, ptr %w.at, ptr %dw.at, ptr %range.sums)
  %row.next = add nuw i64 %row, 1
  br i1 %is.last, label %done, label %loop
done:
  ret void
}

define internal void @unit.range(i64 %range.begin, i64 %range.end, ptr %range.host, ptr noalias %w.at, ptr noalias %dw.at, ptr noalias %range.sums) #0 {
range.entry:
  %learning_rate.from = getelementptr double, ptr %range.host, i64 0
  %learning_rate.host = load double, ptr %learning_rate.from
  %learning_rate = fptrunc double %learning_rate.host to float
  %sqrt_1.from = getelementptr double, ptr %range.host, i64 1  ; sqrt(dot(dw, dw))
  %sqrt_1.host = load double, ptr %sqrt_1.from
  %sqrt_1 = fptrunc double %sqrt_1.host to float
  %range.some = icmp ult i64 %range.begin, %range.end
  br i1 %range.some, label %range.loop, label %range.done
range.loop:
  %range.i = phi i64 [ %range.begin, %range.entry ], [ %range.next, %range.loop ]
  %w.element = getelementptr float, ptr %w.at, i64 %range.i
  %w = load float, ptr %w.element, align 4
  %dw.element = getelementptr float, ptr %dw.at, i64 %range.i
  %dw = load float, ptr %dw.element, align 4
  %mul_1 = fmul float %learning_rate, %dw
  %div_1 = fdiv float %mul_1, %sqrt_1
  %w_new = fsub float %w, %div_1
  %w.out = getelementptr float, ptr %w.at, i64 %range.i
  store float %w_new, ptr %w.out, align 4
  %range.next = add nuw i64 %range.i, 1
  %range.more = icmp ult i64 %range.next, %range.end
  br i1 %range.more, label %range.loop, label %range.done
range.done:
  ret void
}

define void @unit(ptr %job) #0 {
entry:
  %table = load ptr, ptr %job
  %row.first.from = getelementptr i64, ptr %job, i64 1
  %row.first = load i64, ptr %row.first.from
  %begin.first.from = getelementptr i64, ptr %job, i64 2
  %begin.first = load i64, ptr %begin.first.from
  %row.last.from = getelementptr i64, ptr %job, i64 3
  %row.last = load i64, ptr %row.last.from
  %end.last.from = getelementptr i64, ptr %job, i64 4
  %end.last = load i64, ptr %end.last.from
  br label %loop
loop:
  %row = phi i64 [ %row.first, %entry ], [ %row.next, %loop ]
  %begin = phi i64 [ %begin.first, %entry ], [ 0, %loop ]
  %place = mul nuw i64 %row, 5
  %length.from = getelementptr i64, ptr %table, i64 %place
  %length = load i64, ptr %length.from
  %host.from = getelementptr i64, ptr %length.from, i64 1
  %host = load ptr, ptr %host.from
  %w.at.from = getelementptr i64, ptr %length.from, i64 2
  %w.at = load ptr, ptr %w.at.from
  %dw.at.from = getelementptr i64, ptr %length.from, i64 3
  %dw.at = load ptr, ptr %dw.at.from
  %range.sums.from = getelementptr i64, ptr %length.from, i64 4
  %range.sums = load ptr, ptr %range.sums.from
  %is.last = icmp eq i64 %row, %row.last
  %end = select i1 %is.last, i64 %end.last, i64 %length
  call void @unit.range(i64 %begin, i64 %end, ptr %host, ptr %w.at, ptr %dw.at, ptr %range.sums)
  %row.next = add nuw i64 %row, 1
  br i1 %is.last, label %done, label %loop
done:
  ret void
}

define void @unit_sums0(ptr %job) #0 {
entry:
  %count.from = getelementptr i64, ptr %job, i64 0
  %count = load i64, ptr %count.from
  %rows.from = getelementptr i64, ptr %job, i64 1
  %rows = load ptr, ptr %rows.from
  %known.from = getelementptr i64, ptr %job, i64 2
  %known = load ptr, ptr %known.from
  %sizes.from = getelementptr i64, ptr %job, i64 3
  %sizes = load ptr, ptr %sizes.from
  %starts.from = getelementptr i64, ptr %job, i64 4
  %starts = load ptr, ptr %starts.from
  %counts.from = getelementptr i64, ptr %job, i64 5
  %counts = load ptr, ptr %counts.from
  %partial.from = getelementptr i64, ptr %job, i64 6
  %partial = load ptr, ptr %partial.from
  %sums.from = getelementptr i64, ptr %job, i64 7
  %sums = load ptr, ptr %sums.from
  %totals.from = getelementptr i64, ptr %job, i64 8
  %totals = load ptr, ptr %totals.from
  %shares.from = getelementptr i64, ptr %job, i64 9
  %shares = load ptr, ptr %shares.from
  %numbers.from = getelementptr i64, ptr %job, i64 10
  %numbers = load ptr, ptr %numbers.from
  %scalars.from = getelementptr i64, ptr %job, i64 11
  %scalars = load ptr, ptr %scalars.from
  %any = icmp sgt i64 %count, 0
  br i1 %any, label %tensor.loop, label %done
tensor.loop:
  %tensor = phi i64 [ 0, %entry ], [ %tensor.next, %tensor.end ]
  %starts.at = getelementptr i64, ptr %starts, i64 %tensor
  %first = load i64, ptr %starts.at
  %counts.at = getelementptr i64, ptr %counts, i64 %tensor
  %blocks = load i64, ptr %counts.at
  %some = icmp sgt i64 %blocks, 0
  br i1 %some, label %block, label %added
block:
  %number = phi i64 [ 0, %tensor.loop ], [ %number.next, %block ]
  %sum0 = phi double [ 0.0, %tensor.loop ], [ %sum0.next, %block ]
  %row = add i64 %first, %number
  %row.from = mul i64 %row, 1
  %at0 = add i64 %row.from, 0
  %part0.at = getelementptr double, ptr %partial, i64 %at0
  %part0 = load double, ptr %part0.at
  %sum0.next = fadd double %sum0, %part0
  %number.next = add i64 %number, 1
  %more = icmp slt i64 %number.next, %blocks
  br i1 %more, label %block, label %added
added:
  %sum0.all = phi double [ 0.0, %tensor.loop ], [ %sum0.next, %block ]
  %to = mul i64 %tensor, 1
  %to0 = add i64 %to, 0
  %to0.at = getelementptr double, ptr %sums, i64 %to0
  store double %sum0.all, ptr %to0.at
  br label %tensor.end
tensor.end:
  %tensor.next = add nuw i64 %tensor, 1
  %tensor.more = icmp slt i64 %tensor.next, %count
  br i1 %tensor.more, label %tensor.loop, label %done
done:
  ret void
}

define void @unit_learn0(ptr %job) #0 {
entry:
  %count.from = getelementptr i64, ptr %job, i64 0
  %count = load i64, ptr %count.from
  %rows.from = getelementptr i64, ptr %job, i64 1
  %rows = load ptr, ptr %rows.from
  %known.from = getelementptr i64, ptr %job, i64 2
  %known = load ptr, ptr %known.from
  %sizes.from = getelementptr i64, ptr %job, i64 3
  %sizes = load ptr, ptr %sizes.from
  %starts.from = getelementptr i64, ptr %job, i64 4
  %starts = load ptr, ptr %starts.from
  %counts.from = getelementptr i64, ptr %job, i64 5
  %counts = load ptr, ptr %counts.from
  %partial.from = getelementptr i64, ptr %job, i64 6
  %partial = load ptr, ptr %partial.from
  %sums.from = getelementptr i64, ptr %job, i64 7
  %sums = load ptr, ptr %sums.from
  %totals.from = getelementptr i64, ptr %job, i64 8
  %totals = load ptr, ptr %totals.from
  %shares.from = getelementptr i64, ptr %job, i64 9
  %shares = load ptr, ptr %shares.from
  %numbers.from = getelementptr i64, ptr %job, i64 10
  %numbers = load ptr, ptr %numbers.from
  %scalars.from = getelementptr i64, ptr %job, i64 11
  %scalars = load ptr, ptr %scalars.from
  %any = icmp sgt i64 %count, 0
  br i1 %any, label %tensor.loop, label %done
tensor.loop:
  %tensor = phi i64 [ 0, %entry ], [ %tensor.next, %tensor.end ]
  %rows.at = getelementptr i64, ptr %rows, i64 %tensor
  %known.row = load i64, ptr %rows.at
  %known.place = mul i64 %known.row, 1
  %range.host = getelementptr double, ptr %known, i64 %known.place
  %sums.row = mul i64 %tensor, 1
  br label %tensor.end
tensor.end:
  %tensor.next = add nuw i64 %tensor, 1
  %tensor.more = icmp slt i64 %tensor.next, %count
  br i1 %tensor.more, label %tensor.loop, label %done
done:
  ret void
}

define void @unit_learn1(ptr %job) #0 {
entry:
  %count.from = getelementptr i64, ptr %job, i64 0
  %count = load i64, ptr %count.from
  %rows.from = getelementptr i64, ptr %job, i64 1
  %rows = load ptr, ptr %rows.from
  %known.from = getelementptr i64, ptr %job, i64 2
  %known = load ptr, ptr %known.from
  %sizes.from = getelementptr i64, ptr %job, i64 3
  %sizes = load ptr, ptr %sizes.from
  %starts.from = getelementptr i64, ptr %job, i64 4
  %starts = load ptr, ptr %starts.from
  %counts.from = getelementptr i64, ptr %job, i64 5
  %counts = load ptr, ptr %counts.from
  %partial.from = getelementptr i64, ptr %job, i64 6
  %partial = load ptr, ptr %partial.from
  %sums.from = getelementptr i64, ptr %job, i64 7
  %sums = load ptr, ptr %sums.from
  %totals.from = getelementptr i64, ptr %job, i64 8
  %totals = load ptr, ptr %totals.from
  %shares.from = getelementptr i64, ptr %job, i64 9
  %shares = load ptr, ptr %shares.from
  %numbers.from = getelementptr i64, ptr %job, i64 10
  %numbers = load ptr, ptr %numbers.from
  %scalars.from = getelementptr i64, ptr %job, i64 11
  %scalars = load ptr, ptr %scalars.from
  %any = icmp sgt i64 %count, 0
  br i1 %any, label %tensor.loop, label %done
tensor.loop:
  %tensor = phi i64 [ 0, %entry ], [ %tensor.next, %tensor.end ]
  %rows.at = getelementptr i64, ptr %rows, i64 %tensor
  %known.row = load i64, ptr %rows.at
  %known.place = mul i64 %known.row, 1
  %range.host = getelementptr double, ptr %known, i64 %known.place
  %sums.row = mul i64 %tensor, 1
  %value.learning_rate.from = getelementptr double, ptr %range.host, i64 0
  %value.learning_rate = load double, ptr %value.learning_rate.from
  %value.dot_1.place = add i64 %sums.row, 0
  %value.dot_1.at = getelementptr double, ptr %sums, i64 %value.dot_1.place
  %value.dot_1 = load double, ptr %value.dot_1.at
  %value.sqrt_1 = call double @llvm.sqrt.f64(double %value.dot_1)
  %numbers.to0.row = mul i64 %tensor, 2
  %numbers.to0.place = add i64 %numbers.to0.row, 0
  %numbers.to0.at = getelementptr double, ptr %numbers, i64 %numbers.to0.place
  store double %value.learning_rate, ptr %numbers.to0.at
  %numbers.to1.row = mul i64 %tensor, 2
  %numbers.to1.place = add i64 %numbers.to1.row, 1
  %numbers.to1.at = getelementptr double, ptr %numbers, i64 %numbers.to1.place
  store double %value.sqrt_1, ptr %numbers.to1.at
  br label %tensor.end
tensor.end:
  %tensor.next = add nuw i64 %tensor, 1
  %tensor.more = icmp slt i64 %tensor.next, %count
  br i1 %tensor.more, label %tensor.loop, label %done
done:
  ret void
}

declare float @llvm.fabs.f32(float)
declare float @llvm.sqrt.f32(float)
declare double @llvm.fabs.f64(double)
declare double @llvm.sqrt.f64(double)
attributes #0 = { nounwind }
attributes #1 = { nobuiltin nounwind willreturn memory(none) }
