define i64 @main() #0 {
entry:
  %a = call ptr @__quantum__rt__qubit_allocate()
  call void @__quantum__qis__h__body(ptr %a)
  call void @__quantum__qis__mz__body(ptr %a, ptr null)
  %one = call i1 @__quantum__rt__read_result(ptr null)
  br i1 %one, label %flip, label %end
flip:
  %b = call ptr @__quantum__rt__qubit_allocate(ptr null)
  call void @__quantum__qis__cx__body(ptr %a, ptr %b)
  call void @__quantum__rt__qubit_release(ptr %b)
  br label %end
end:
  call void @__quantum__rt__qubit_release(ptr %a)
  ret i64 0
}
attributes #0 = { "entry_point" "required_num_results"="1" "dynamic_qubit_management"="true" }
