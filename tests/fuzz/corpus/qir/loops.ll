; A loop of three rounds that is written out, a function, and a loop that a measurement ends.
define void @rotate(i64 %round, ptr %qubit) {
entry:
  %angle = sitofp i64 %round to double
  %half = fmul double %angle, 5.000000e-01
  call void @__quantum__qis__rx__body(double %half, ptr %qubit)
  ret void
}

define i64 @program() #0 {
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %round ]
  %more = icmp slt i64 %i, 3
  br i1 %more, label %round, label %try
round:
  call void @rotate(i64 %i, ptr null)
  %next = add i64 %i, 1
  br label %head
try:
  %tries = phi i64 [ 0, %head ], [ %again, %try ]
  call void @__quantum__qis__h__body(ptr inttoptr (i64 1 to ptr))
  call void @__quantum__qis__mresetz__body(ptr inttoptr (i64 1 to ptr), ptr null)
  %one = call i1 @__quantum__rt__read_result(ptr null)
  %again = add i64 %tries, 1
  %few = icmp ult i64 %again, 10
  %go = and i1 %one, %few
  br i1 %go, label %try, label %done
done:
  switch i64 %again, label %many [
    i64 1, label %first
    i64 2, label %second
  ]
first:
  br label %end
second:
  call void @__quantum__qis__x__body(ptr inttoptr (i64 2 to ptr))
  br label %end
many:
  call void @__quantum__qis__h__body(ptr inttoptr (i64 2 to ptr))
  br label %end
end:
  %kind = phi double [ 1.0, %first ], [ 2.0, %second ], [ 3.0, %many ]
  %chosen = select i1 %one, i64 %again, i64 7
  call void @__quantum__qis__mz__body(ptr inttoptr (i64 2 to ptr), ptr inttoptr (i64 1 to ptr))
  call void @__quantum__rt__int_record_output(i64 %again, ptr null)
  call void @__quantum__rt__int_record_output(i64 %chosen, ptr null)
  call void @__quantum__rt__double_record_output(double %kind, ptr null)
  call void @__quantum__rt__bool_record_output(i1 %one, ptr null)
  ret i64 0
}
attributes #0 = { "entry_point" }
