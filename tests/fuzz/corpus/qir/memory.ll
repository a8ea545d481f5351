define i64 @main() #0 {
entry:
  %rounds = alloca i64, align 8
  %going = alloca i1, align 1
  %index = alloca i64, align 8
  store i64 0, ptr %rounds, align 8
  store i1 true, ptr %going, align 1
  store i64 0, ptr %index, align 8
  br label %head
head:
  %on = load i1, ptr %going, align 1
  br i1 %on, label %body, label %out
body:
  call void @__quantum__qis__h__body(ptr null)
  call void @__quantum__qis__mz__body(ptr null, ptr null)
  %one = call i1 @__quantum__rt__read_result(ptr null)
  %before = load i64, ptr %rounds, align 8
  %after = add i64 %before, 1
  store i64 %after, ptr %rounds, align 8
  br i1 %one, label %stop, label %head
stop:
  store i1 false, ptr %going, align 1
  br label %head
out:
  %i = load i64, ptr %index, align 8
  %q = inttoptr i64 %i to ptr
  call void @__quantum__qis__x__body(ptr %q)
  %total = load i64, ptr %rounds, align 8
  call void @__quantum__rt__int_record_output(i64 %total, ptr null)
  ret i64 0
}

attributes #0 = { "entry_point" "qir_profiles"="adaptive_profile" "required_num_qubits"="1" "required_num_results"="1" }
