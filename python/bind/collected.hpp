/// \file
/// Classes that hold Python's objects, as the garbage collector has to know them: a callback that refers to what holds
/// it would otherwise never be freed.
#pragma once

#include "bind.hpp"

namespace skerry::python {

namespace detail {

template <class T>
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;  // collected before it was constructed
  int result = 0;
  nb::inst_ptr<T>(self)->held([&](nb::object& object) {
    if (result == 0 && object.is_valid()) result = visit(object.ptr(), arg);
  });
  return result;
}

template <class T>
int clear(PyObject* self) {
  if (nb::inst_ready(self)) nb::inst_ptr<T>(self)->held([](nb::object& object) { object.reset(); });
  return 0;
}

}  // namespace detail

/// Slots for nb::class_<T>. T::held(visit) calls visit(nb::object&) for each of Python's objects that only this one
/// holds; each may be reset afterwards.
template <class T>
nb::type_slots collected() {
  static const PyType_Slot kSlots[] = {{Py_tp_traverse, reinterpret_cast<void*>(&detail::traverse<T>)},
                                       {Py_tp_clear, reinterpret_cast<void*>(&detail::clear<T>)},
                                       {0, nullptr}};
  return nb::type_slots(kSlots);
}

}  // namespace skerry::python
