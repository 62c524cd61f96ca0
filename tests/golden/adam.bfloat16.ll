; adam: w bfloat16, dw bfloat16, m bfloat16, v bfloat16; computed in float32

define internal void @adam.range(i64 %range.begin, i64 %range.end, ptr %range.host, ptr noalias %w.at, ptr noalias %dw.at, ptr noalias %m.at, ptr noalias %v.at) #0 {
range.entry:
  %learning_rate.from = getelementptr double, ptr %range.host, i64 0
  %learning_rate.host = load double, ptr %learning_rate.from
  %learning_rate = fptrunc double %learning_rate.host to float
  %beta1.from = getelementptr double, ptr %range.host, i64 1
  %beta1.host = load double, ptr %beta1.from
  %beta1 = fptrunc double %beta1.host to float
  %sub_1.from = getelementptr double, ptr %range.host, i64 2  ; (1 - beta1)
  %sub_1.host = load double, ptr %sub_1.from
  %sub_1 = fptrunc double %sub_1.host to float
  %sub_2.from = getelementptr double, ptr %range.host, i64 3  ; (1 - (beta1 ** t))
  %sub_2.host = load double, ptr %sub_2.from
  %sub_2 = fptrunc double %sub_2.host to float
  %beta2.from = getelementptr double, ptr %range.host, i64 4
  %beta2.host = load double, ptr %beta2.from
  %beta2 = fptrunc double %beta2.host to float
  %sub_3.from = getelementptr double, ptr %range.host, i64 5  ; (1 - beta2)
  %sub_3.host = load double, ptr %sub_3.from
  %sub_3 = fptrunc double %sub_3.host to float
  %sub_4.from = getelementptr double, ptr %range.host, i64 6  ; (1 - (beta2 ** t))
  %sub_4.host = load double, ptr %sub_4.from
  %sub_4 = fptrunc double %sub_4.host to float
  %eps.from = getelementptr double, ptr %range.host, i64 7
  %eps.host = load double, ptr %eps.from
  %eps = fptrunc double %eps.host to float
  %range.some = icmp ult i64 %range.begin, %range.end
  br i1 %range.some, label %range.loop, label %range.done
range.loop:
  %range.i = phi i64 [ %range.begin, %range.entry ], [ %range.next, %range.loop ]
  %w.element = getelementptr i16, ptr %w.at, i64 %range.i
  %w.stored = load i16, ptr %w.element, align 2
  %w.wide = zext i16 %w.stored to i32
  %w.bits = shl i32 %w.wide, 16
  %w = bitcast i32 %w.bits to float
  %dw.element = getelementptr i16, ptr %dw.at, i64 %range.i
  %dw.stored = load i16, ptr %dw.element, align 2
  %dw.wide = zext i16 %dw.stored to i32
  %dw.bits = shl i32 %dw.wide, 16
  %dw = bitcast i32 %dw.bits to float
  %m.element = getelementptr i16, ptr %m.at, i64 %range.i
  %m.stored = load i16, ptr %m.element, align 2
  %m.wide = zext i16 %m.stored to i32
  %m.bits = shl i32 %m.wide, 16
  %m = bitcast i32 %m.bits to float
  %v.element = getelementptr i16, ptr %v.at, i64 %range.i
  %v.stored = load i16, ptr %v.element, align 2
  %v.wide = zext i16 %v.stored to i32
  %v.bits = shl i32 %v.wide, 16
  %v = bitcast i32 %v.bits to float
  %mul_1 = fmul float %beta1, %m
  %mul_2 = fmul float %sub_1, %dw
  %m_new = fadd float %mul_1, %mul_2
  %mt = fdiv float %m_new, %sub_2
  %mul_3 = fmul float %learning_rate, %mt
  %mul_4 = fmul float %beta2, %v
  %mul_5 = fmul float %dw, %dw
  %mul_6 = fmul float %sub_3, %mul_5
  %v_new = fadd float %mul_4, %mul_6
  %vt = fdiv float %v_new, %sub_4
  %sqrt_1 = call float @llvm.sqrt.f32(float %vt)
  %add_1 = fadd float %sqrt_1, %eps
  %div_1 = fdiv float %mul_3, %add_1
  %w_new = fsub float %w, %div_1
  %w.out = getelementptr i16, ptr %w.at, i64 %range.i
  %w.pattern = bitcast float %w_new to i32
  %w.upper = lshr i32 %w.pattern, 16
  %w.last = and i32 %w.upper, 1
  %w.half = add i32 %w.last, 32767
  %w.nearest = add i32 %w.pattern, %w.half
  %w.quiet = or i32 %w.pattern, 4194304
  %w.isnan = fcmp uno float %w_new, 0.0
  %w.chosen = select i1 %w.isnan, i32 %w.quiet, i32 %w.nearest
  %w.moved = lshr i32 %w.chosen, 16
  %w.rounded = trunc i32 %w.moved to i16
  store i16 %w.rounded, ptr %w.out, align 2
  %m.out = getelementptr i16, ptr %m.at, i64 %range.i
  %m.pattern = bitcast float %m_new to i32
  %m.upper = lshr i32 %m.pattern, 16
  %m.last = and i32 %m.upper, 1
  %m.half = add i32 %m.last, 32767
  %m.nearest = add i32 %m.pattern, %m.half
  %m.quiet = or i32 %m.pattern, 4194304
  %m.isnan = fcmp uno float %m_new, 0.0
  %m.chosen = select i1 %m.isnan, i32 %m.quiet, i32 %m.nearest
  %m.moved = lshr i32 %m.chosen, 16
  %m.rounded = trunc i32 %m.moved to i16
  store i16 %m.rounded, ptr %m.out, align 2
  %v.out = getelementptr i16, ptr %v.at, i64 %range.i
  %v.pattern = bitcast float %v_new to i32
  %v.upper = lshr i32 %v.pattern, 16
  %v.last = and i32 %v.upper, 1
  %v.half = add i32 %v.last, 32767
  %v.nearest = add i32 %v.pattern, %v.half
  %v.quiet = or i32 %v.pattern, 4194304
  %v.isnan = fcmp uno float %v_new, 0.0
  %v.chosen = select i1 %v.isnan, i32 %v.quiet, i32 %v.nearest
  %v.moved = lshr i32 %v.chosen, 16
  %v.rounded = trunc i32 %v.moved to i16
  store i16 %v.rounded, ptr %v.out, align 2
  %range.next = add nuw i64 %range.i, 1
  %range.more = icmp ult i64 %range.next, %range.end
  br i1 %range.more, label %range.loop, label %range.done
range.done:
  ret void
}

define void @adam(ptr %job) #0 {
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
  %place = mul nuw i64 %row, 6
  %length.from = getelementptr i64, ptr %table, i64 %place
  %length = load i64, ptr %length.from
  %host.from = getelementptr i64, ptr %length.from, i64 1
  %host = load ptr, ptr %host.from
  %w.at.from = getelementptr i64, ptr %length.from, i64 2
  %w.at = load ptr, ptr %w.at.from
  %dw.at.from = getelementptr i64, ptr %length.from, i64 3
  %dw.at = load ptr, ptr %dw.at.from
  %m.at.from = getelementptr i64, ptr %length.from, i64 4
  %m.at = load ptr, ptr %m.at.from
  %v.at.from = getelementptr i64, ptr %length.from, i64 5
  %v.at = load ptr, ptr %v.at.from
  %is.last = icmp eq i64 %row, %row.last
  %end = select i1 %is.last, i64 %end.last, i64 %length
  call void @adam.range(i64 %begin, i64 %end, ptr %host, ptr %w.at, ptr %dw.at, ptr %m.at, ptr %v.at)
  %row.next = add nuw i64 %row, 1
  br i1 %is.last, label %done, label %loop
done:
  ret void
}

declare float @llvm.fabs.f32(float)
declare float @llvm.sqrt.f32(float)
attributes #0 = { nounwind }
attributes #1 = { nobuiltin nounwind willreturn memory(none) }
