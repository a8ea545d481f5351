; Teleportation: the corrections are decided by measurements; opaque pointers.
@label = internal constant [6 x i8] c"count\00"

define i64 @main() #0 {
  call void @__quantum__qis__ry__body(double 0x3FF199999999999A, ptr null)
  call void @__quantum__qis__h__body(ptr inttoptr (i64 1 to ptr))
  call void @__quantum__qis__cx__body(ptr inttoptr (i64 1 to ptr), ptr inttoptr (i64 2 to ptr))
  call void @__quantum__qis__cx__body(ptr null, ptr inttoptr (i64 1 to ptr))
  call void @__quantum__qis__h__body(ptr null)
  call void @__quantum__qis__mresetz__body(ptr null, ptr null)
  call void @__quantum__qis__mresetz__body(ptr inttoptr (i64 1 to ptr), ptr inttoptr (i64 1 to ptr))
  %1 = call i1 @__quantum__rt__read_result(ptr inttoptr (i64 1 to ptr))
  br i1 %1, label %2, label %3

2:                                                ; preds = %0
  call void @__quantum__qis__x__body(ptr inttoptr (i64 2 to ptr))
  br label %3

3:                                                ; preds = %2, %0
  %4 = phi i64 [ 0, %0 ], [ 1, %2 ]
  %5 = call i1 @__quantum__rt__read_result(ptr null)
  br i1 %5, label %6, label %8

6:                                                ; preds = %3
  call void @__quantum__qis__z__body(ptr inttoptr (i64 2 to ptr))
  %7 = add nsw i64 %4, 1
  br label %8

8:                                                ; preds = %6, %3
  %9 = phi i64 [ %7, %6 ], [ %4, %3 ]
  call void @__quantum__qis__mz__body(ptr inttoptr (i64 2 to ptr), ptr inttoptr (i64 2 to ptr))
  call void @__quantum__rt__int_record_output(i64 %9, ptr @label)
  ret i64 0
}

attributes #0 = { "entry_point" "qir_profiles"="adaptive_profile" "required_num_qubits"="3" "required_num_results"="3" }
