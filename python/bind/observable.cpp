#include <nanobind/operators.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bind.hpp"

namespace skerry::python {
namespace {

using Terms = std::vector<std::tuple<std::string, std::vector<std::uint32_t>, double>>;

Observable from_sparse_list(const Terms& terms, std::uint32_t num_qubits) {
  return Observable::from_sparse_list(terms, num_qubits);
}

}  // namespace

void bind_observable(nb::module_& m) {
  nb::class_<Observable>(m, "Observable", R"(A sum of Pauli strings with real weights, on a fixed number of qubits.

>>> from skerry import Observable
>>> Observable.parse("0.5*Z0 Z1 - 1.2*X2", num_qubits=3)
<Observable on 3 qubits: 0.5*Z0 Z1 - 1.2*X2>
)")
      .def_static("from_sparse_list", from_sparse_list, nb::arg("terms"), nb::arg("num_qubits"),
                  R"(Terms as (letters, qubits, weight); letters are I, X, Y, Z, one for each qubit listed.

>>> from skerry import Observable
>>> len(Observable.from_sparse_list([("ZZ", [0, 1], 0.5), ("X", [2], 1.0)], num_qubits=3))
2
)")
      .def_static("parse", &Observable::parse, nb::arg("text"), nb::arg("num_qubits"),
                  R"(Reads `0.5*Z0 Z1 - 1.2*X2 + 3`; a weight without letters multiplies the identity.)")
      .def_prop_ro("num_qubits", &Observable::num_wires)
      .def_prop_ro("text", &Observable::text, "What parse() reads.")
      .def("__len__", [](const Observable& observable) { return observable.terms().size(); })
      .def(nb::self == nb::self, nb::sig("def __eq__(self, arg: object, /) -> bool"))
      .def("__repr__",
           [](const Observable& observable) {
             return "<Observable on " + std::to_string(observable.num_wires()) + " qubits: " + observable.text() + ">";
           })
      .def("__getstate__",
           [](const Observable& observable) { return std::make_tuple(observable.text(), observable.num_wires()); })
      .def("__setstate__", [](Observable& self, const std::tuple<std::string, std::uint32_t>& state) {
        new (&self) Observable(Observable::parse(std::get<0>(state), std::get<1>(state)));
      });
}

}  // namespace skerry::python
