@label = internal constant [8 x i8] c"results\00"
@order = internal constant [3 x i64] [i64 2, i64 0, i64 1]
@fixed = internal constant [2 x ptr] [ptr inttoptr (i64 1 to ptr), ptr null]

define i64 @main() #0 {
entry:
  %qubits = alloca [3 x ptr], align 8
  %results = alloca ptr, i64 3, align 8
  %failed = alloca i1, align 1
  call void @__quantum__rt__initialize(ptr null)
  store i1 false, ptr %failed, align 1
  call void @__quantum__rt__qubit_array_allocate(i64 3, ptr %qubits, ptr %failed)
  %bad = load i1, ptr %failed, align 1
  br i1 %bad, label %stop, label %go
go:
  call void @__quantum__rt__result_array_allocate(i64 3, ptr %results, ptr null)
  %first.at = getelementptr inbounds [3 x ptr], ptr %qubits, i64 0, i64 2
  %first = load ptr, ptr %first.at, align 8
  call void @__quantum__qis__h__body(ptr %first)
  br label %again
again:
  %i = phi i64 [ 0, %go ], [ %next, %again ]
  %turn.at = getelementptr inbounds [3 x i64], ptr @order, i64 0, i64 %i
  %turn = load i64, ptr %turn.at, align 8
  %q.at = getelementptr inbounds ptr, ptr %qubits, i64 %turn
  %q = load ptr, ptr %q.at, align 8
  %r.at = getelementptr ptr, ptr %results, i64 %turn
  %r = load ptr, ptr %r.at, align 8
  %phase = uitofp i64 %turn to double
  call void @__quantum__qis__rz__body(double %phase, ptr %q)
  call void @__quantum__qis__mz__body(ptr %q, ptr %r)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, 3
  br i1 %more, label %again, label %end
end:
  %last = load ptr, ptr getelementptr inbounds ([2 x ptr], ptr @fixed, i64 0, i64 1), align 8
  %other = load ptr, ptr @fixed, align 8
  %same = load ptr, ptr getelementptr inbounds (i8, ptr @fixed, i64 8), align 8
  call void @__quantum__qis__cnot__body(ptr %last, ptr %other)
  call void @__quantum__qis__x__body(ptr %same)
  call void @__quantum__rt__result_array_record_output(i64 3, ptr %results, ptr @label)
  call void @__quantum__rt__result_array_release(i64 3, ptr %results)
  call void @__quantum__rt__qubit_array_release(i64 3, ptr %qubits)
  ret i64 0
stop:
  ret i64 1
}

attributes #0 = { "entry_point" "qir_profiles"="adaptive_profile" "required_num_qubits"="2" "required_num_results"="0" }
