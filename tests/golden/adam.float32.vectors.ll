; adam: w float32, dw float32, m float32, v float32; computed in float32

define internal i64 @adam.vectors(i64 %range.begin, i64 %range.end, ptr %range.host, ptr noalias %w.at, ptr noalias %dw.at, ptr noalias %m.at, ptr noalias %v.at) #2 {
range.entry:
  %range.length = sub i64 %range.end, %range.begin
  %range.whole = and i64 %range.length, -16
  %range.stop = add i64 %range.begin, %range.whole
  %range.many = icmp sge i64 %range.whole, 128
  br i1 %range.many, label %range.ready, label %range.done
range.ready:
  %learning_rate.from = getelementptr double, ptr %range.host, i64 0
  %learning_rate.host = load double, ptr %learning_rate.from
  %learning_rate = fptrunc double %learning_rate.host to float
  %learning_rate.lane = insertelement <16 x float> poison, float %learning_rate, i64 0
  %learning_rate.all = shufflevector <16 x float> %learning_rate.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %beta1.from = getelementptr double, ptr %range.host, i64 1
  %beta1.host = load double, ptr %beta1.from
  %beta1 = fptrunc double %beta1.host to float
  %beta1.lane = insertelement <16 x float> poison, float %beta1, i64 0
  %beta1.all = shufflevector <16 x float> %beta1.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %sub_1.from = getelementptr double, ptr %range.host, i64 2  ; (1 - beta1)
  %sub_1.host = load double, ptr %sub_1.from
  %sub_1 = fptrunc double %sub_1.host to float
  %sub_1.lane = insertelement <16 x float> poison, float %sub_1, i64 0
  %sub_1.all = shufflevector <16 x float> %sub_1.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %sub_2.from = getelementptr double, ptr %range.host, i64 3  ; (1 - (beta1 ** t))
  %sub_2.host = load double, ptr %sub_2.from
  %sub_2 = fptrunc double %sub_2.host to float
  %sub_2.lane = insertelement <16 x float> poison, float %sub_2, i64 0
  %sub_2.all = shufflevector <16 x float> %sub_2.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %beta2.from = getelementptr double, ptr %range.host, i64 4
  %beta2.host = load double, ptr %beta2.from
  %beta2 = fptrunc double %beta2.host to float
  %beta2.lane = insertelement <16 x float> poison, float %beta2, i64 0
  %beta2.all = shufflevector <16 x float> %beta2.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %sub_3.from = getelementptr double, ptr %range.host, i64 5  ; (1 - beta2)
  %sub_3.host = load double, ptr %sub_3.from
  %sub_3 = fptrunc double %sub_3.host to float
  %sub_3.lane = insertelement <16 x float> poison, float %sub_3, i64 0
  %sub_3.all = shufflevector <16 x float> %sub_3.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %sub_4.from = getelementptr double, ptr %range.host, i64 6  ; (1 - (beta2 ** t))
  %sub_4.host = load double, ptr %sub_4.from
  %sub_4 = fptrunc double %sub_4.host to float
  %sub_4.lane = insertelement <16 x float> poison, float %sub_4, i64 0
  %sub_4.all = shufflevector <16 x float> %sub_4.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %eps.from = getelementptr double, ptr %range.host, i64 7
  %eps.host = load double, ptr %eps.from
  %eps = fptrunc double %eps.host to float
  %eps.lane = insertelement <16 x float> poison, float %eps, i64 0
  %eps.all = shufflevector <16 x float> %eps.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %mt.is.large = fcmp oge float %sub_2, 5.960464477539063e-08
  %mt.is.small = fcmp ole float %sub_2, 16777216.0
  %mt.fits = and i1 %mt.is.large, %mt.is.small
  %mt.inverse = fdiv float 1.0, %sub_2
  %mt.inverse.bits = bitcast float %mt.inverse to i32
  %mt.upper.bits = sub i32 %mt.inverse.bits, 1
  %mt.upper = bitcast i32 %mt.upper.bits to float
  %mt.minus = fneg float %sub_2
  %mt.missing = call float @llvm.fma.f32(float %mt.upper, float %mt.minus, float 1.0)
  %mt.lower = fmul float %mt.missing, %mt.inverse
  %mt.inverse.lane = insertelement <16 x float> poison, float %mt.inverse, i64 0
  %mt.inverse.all = shufflevector <16 x float> %mt.inverse.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %mt.upper.lane = insertelement <16 x float> poison, float %mt.upper, i64 0
  %mt.upper.all = shufflevector <16 x float> %mt.upper.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %mt.lower.lane = insertelement <16 x float> poison, float %mt.lower, i64 0
  %mt.lower.all = shufflevector <16 x float> %mt.lower.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %vt.is.large = fcmp oge float %sub_4, 5.960464477539063e-08
  %vt.is.small = fcmp ole float %sub_4, 16777216.0
  %vt.fits = and i1 %vt.is.large, %vt.is.small
  %vt.inverse = fdiv float 1.0, %sub_4
  %vt.inverse.bits = bitcast float %vt.inverse to i32
  %vt.upper.bits = sub i32 %vt.inverse.bits, 1
  %vt.upper = bitcast i32 %vt.upper.bits to float
  %vt.minus = fneg float %sub_4
  %vt.missing = call float @llvm.fma.f32(float %vt.upper, float %vt.minus, float 1.0)
  %vt.lower = fmul float %vt.missing, %vt.inverse
  %vt.inverse.lane = insertelement <16 x float> poison, float %vt.inverse, i64 0
  %vt.inverse.all = shufflevector <16 x float> %vt.inverse.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %vt.upper.lane = insertelement <16 x float> poison, float %vt.upper, i64 0
  %vt.upper.all = shufflevector <16 x float> %vt.upper.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %vt.lower.lane = insertelement <16 x float> poison, float %vt.lower, i64 0
  %vt.lower.all = shufflevector <16 x float> %vt.lower.lane, <16 x float> poison, <16 x i32> zeroinitializer
  %range.fits.1 = and i1 %mt.fits, %vt.fits
  br i1 %range.fits.1, label %range.loop, label %range.done
range.loop:
  %range.i = phi i64 [ %range.begin, %range.ready ], [ %range.next, %range.stored ]
  %w.element = getelementptr float, ptr %w.at, i64 %range.i
  %w = load <16 x float>, ptr %w.element, align 4
  %w.ahead = getelementptr float, ptr %w.element, i64 512
  call void @llvm.prefetch.p0(ptr %w.ahead, i32 0, i32 3, i32 1)
  %dw.element = getelementptr float, ptr %dw.at, i64 %range.i
  %dw = load <16 x float>, ptr %dw.element, align 4
  %dw.ahead = getelementptr float, ptr %dw.element, i64 512
  call void @llvm.prefetch.p0(ptr %dw.ahead, i32 0, i32 3, i32 1)
  %m.element = getelementptr float, ptr %m.at, i64 %range.i
  %m = load <16 x float>, ptr %m.element, align 4
  %m.ahead = getelementptr float, ptr %m.element, i64 512
  call void @llvm.prefetch.p0(ptr %m.ahead, i32 0, i32 3, i32 1)
  %v.element = getelementptr float, ptr %v.at, i64 %range.i
  %v = load <16 x float>, ptr %v.element, align 4
  %v.ahead = getelementptr float, ptr %v.element, i64 512
  call void @llvm.prefetch.p0(ptr %v.ahead, i32 0, i32 3, i32 1)
  %mul_1 = fmul <16 x float> %beta1.all, %m
  %mul_2 = fmul <16 x float> %sub_1.all, %dw
  %m_new = fadd <16 x float> %mul_1, %mul_2
  %mul_4 = fmul <16 x float> %beta2.all, %v
  %mul_5 = fmul <16 x float> %dw, %dw
  %mul_6 = fmul <16 x float> %sub_3.all, %mul_5
  %v_new = fadd <16 x float> %mul_4, %mul_6
  %mt.bits = bitcast <16 x float> %m_new to <16 x i32>
  %mt.shifted = add <16 x i32> %mt.bits, splat (i32 805306368)
  %vt.bits = bitcast <16 x float> %v_new to <16 x i32>
  %vt.shifted = add <16 x i32> %vt.bits, splat (i32 805306368)
  %quotients.1.shifted.1 = and <16 x i32> %mt.shifted, %vt.shifted
  %quotients.1.top = and <16 x i32> %quotients.1.shifted.1, splat (i32 1073741824)
  %quotients.1.is.far = icmp eq <16 x i32> %quotients.1.top, splat (i32 0)
  %quotients.1.any.far = call i1 @llvm.vector.reduce.or.v16i1(<16 x i1> %quotients.1.is.far)
  br i1 %quotients.1.any.far, label %quotients.1.look, label %quotients.1.multiply, !prof !0
quotients.1.look:
  %mt.top = and <16 x i32> %mt.shifted, splat (i32 1073741824)
  %mt.is.far = icmp eq <16 x i32> %mt.top, splat (i32 0)
  %mt.is.some = fcmp une <16 x float> %m_new, splat (float 0.0)
  %mt.is.odd = and <16 x i1> %mt.is.far, %mt.is.some
  %vt.top = and <16 x i32> %vt.shifted, splat (i32 1073741824)
  %vt.is.far = icmp eq <16 x i32> %vt.top, splat (i32 0)
  %vt.is.some = fcmp une <16 x float> %v_new, splat (float 0.0)
  %vt.is.odd = and <16 x i1> %vt.is.far, %vt.is.some
  %quotients.1.is.odd.1 = or <16 x i1> %mt.is.odd, %vt.is.odd
  %quotients.1.any.odd = call i1 @llvm.vector.reduce.or.v16i1(<16 x i1> %quotients.1.is.odd.1)
  br i1 %quotients.1.any.odd, label %quotients.1.divide, label %quotients.1.multiply
quotients.1.divide:
  %mt.divided = fdiv <16 x float> %m_new, %sub_2.all
  %vt.divided = fdiv <16 x float> %v_new, %sub_4.all
  br label %quotients.1.join
quotients.1.multiply:
  %mt.little = fmul <16 x float> %mt.lower.all, %m_new
  %mt.near = call <16 x float> @llvm.fma.v16f32(<16 x float> %mt.upper.all, <16 x float> %m_new, <16 x float> %mt.little)
  %mt.x.minus = fneg <16 x float> %m_new
  %mt.rest = call <16 x float> @llvm.fma.v16f32(<16 x float> %mt.near, <16 x float> %sub_2.all, <16 x float> %mt.x.minus)
  %mt.rest.minus = fneg <16 x float> %mt.rest
  %mt.product = call <16 x float> @llvm.fma.v16f32(<16 x float> %mt.inverse.all, <16 x float> %mt.rest.minus, <16 x float> %mt.near)
  %vt.little = fmul <16 x float> %vt.lower.all, %v_new
  %vt.near = call <16 x float> @llvm.fma.v16f32(<16 x float> %vt.upper.all, <16 x float> %v_new, <16 x float> %vt.little)
  %vt.x.minus = fneg <16 x float> %v_new
  %vt.rest = call <16 x float> @llvm.fma.v16f32(<16 x float> %vt.near, <16 x float> %sub_4.all, <16 x float> %vt.x.minus)
  %vt.rest.minus = fneg <16 x float> %vt.rest
  %vt.product = call <16 x float> @llvm.fma.v16f32(<16 x float> %vt.inverse.all, <16 x float> %vt.rest.minus, <16 x float> %vt.near)
  br label %quotients.1.join
quotients.1.join:
  %mt = phi <16 x float> [ %mt.product, %quotients.1.multiply ], [ %mt.divided, %quotients.1.divide ]
  %vt = phi <16 x float> [ %vt.product, %quotients.1.multiply ], [ %vt.divided, %quotients.1.divide ]
  %mul_3 = fmul <16 x float> %learning_rate.all, %mt
  %sqrt_1 = call <16 x float> @llvm.sqrt.v16f32(<16 x float> %vt)
  %add_1 = fadd <16 x float> %sqrt_1, %eps.all
  %div_1 = fdiv <16 x float> %mul_3, %add_1
  %w_new = fsub <16 x float> %w, %div_1
  %w.out = getelementptr float, ptr %w.at, i64 %range.i
  store <16 x float> %w_new, ptr %w.out, align 4
  %m.out = getelementptr float, ptr %m.at, i64 %range.i
  store <16 x float> %m_new, ptr %m.out, align 4
  %v.out = getelementptr float, ptr %v.at, i64 %range.i
  store <16 x float> %v_new, ptr %v.out, align 4
  br label %range.stored
range.stored:
  %range.next = add nuw i64 %range.i, 16
  %range.more = icmp ult i64 %range.next, %range.stop
  br i1 %range.more, label %range.loop, label %range.done
range.done:
  %range.reached = phi i64 [ %range.begin, %range.entry ], [ %range.begin, %range.ready ], [ %range.stop, %range.stored ]
  ret i64 %range.reached
}

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
  %w.element = getelementptr float, ptr %w.at, i64 %range.i
  %w = load float, ptr %w.element, align 4
  %dw.element = getelementptr float, ptr %dw.at, i64 %range.i
  %dw = load float, ptr %dw.element, align 4
  %m.element = getelementptr float, ptr %m.at, i64 %range.i
  %m = load float, ptr %m.element, align 4
  %v.element = getelementptr float, ptr %v.at, i64 %range.i
  %v = load float, ptr %v.element, align 4
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
  %w.out = getelementptr float, ptr %w.at, i64 %range.i
  store float %w_new, ptr %w.out, align 4
  %m.out = getelementptr float, ptr %m.at, i64 %range.i
  store float %m_new, ptr %m.out, align 4
  %v.out = getelementptr float, ptr %v.at, i64 %range.i
  store float %v_new, ptr %v.out, align 4
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
  %rest = call i64 @adam.vectors(i64 %begin, i64 %end, ptr %host, ptr %w.at, ptr %dw.at, ptr %m.at, ptr %v.at)
  call void @adam.range(i64 %rest, i64 %end, ptr %host, ptr %w.at, ptr %dw.at, ptr %m.at, ptr %v.at)
  %row.next = add nuw i64 %row, 1
  br i1 %is.last, label %done, label %loop
done:
  ret void
}

declare float @llvm.fabs.f32(float)
declare float @llvm.sqrt.f32(float)
attributes #0 = { nounwind }
attributes #1 = { nobuiltin nounwind willreturn memory(none) }
declare <16 x float> @llvm.fabs.v16f32(<16 x float>)
declare <16 x float> @llvm.sqrt.v16f32(<16 x float>)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
declare float @llvm.fma.f32(float, float, float)
declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
declare i1 @llvm.vector.reduce.or.v16i1(<16 x i1>)
!0 = !{!"branch_weights", i32 1, i32 1000}
attributes #2 = { noinline nounwind }
