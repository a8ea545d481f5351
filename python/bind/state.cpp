#include <nanobind/stl/complex.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <skerry/fidelity.hpp>

#include "archive.hpp"
#include "arrays.hpp"
#include "counts.hpp"

namespace skerry::python {

nb::dict counts_dict(const Counts& counts) {
  nb::dict dict;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::string outcome = counts.text(i);
    dict[nb::str(outcome.data(), outcome.size())] = counts.times(i);
  }
  return dict;
}

namespace {

nb::dict sample(const State& state, std::uint64_t shots, std::uint64_t seed) {
  Counts counts;
  {
    const nb::gil_scoped_release release;
    counts = state.sample(shots, seed);
  }
  return counts_dict(counts);
}

nb::object draw(const State& state, std::uint64_t shots, std::uint64_t seed) {
  Tensor result;
  {
    const nb::gil_scoped_release release;
    result = state.draw(shots, seed);
  }
  return array_from(result, true);
}

nb::object reduced(const State& state, const std::vector<std::uint32_t>& qubits) {
  Tensor result;
  {
    const nb::gil_scoped_release release;
    result = density_matrix(state, qubits);
  }
  return array_from(result, true);
}

nb::object probabilities(const State& state, const std::vector<std::uint32_t>& qubits) {
  Tensor result;
  {
    const nb::gil_scoped_release release;
    result = state.probabilities(qubits);
  }
  return array_from(result, true);
}

// copy=False refuses what cannot be viewed, as numpy's protocol asks.
nb::object as_array(const State& state, const nb::object& dtype, const nb::object& copy) {
  nb::object view = array_from(state.amplitudes());
  const bool same = dtype.is_none() || nb::cast<bool>(view.attr("dtype").equal(dtype));
  if (same && !(copy.is_none() || !nb::cast<bool>(copy))) return view.attr("copy")();
  if (same) return view;
  if (!copy.is_none() && !nb::cast<bool>(copy)) {
    throw nb::value_error("a state cannot be viewed under another dtype without a copy");
  }
  return view.attr("astype")(dtype);
}

nb::bytes packed(const State& state) {
  Saver saver;
  Tensor amplitudes = state.amplitudes();
  saver(amplitudes);
  return saver.bytes();
}

void unpack(State& self, const nb::bytes& bytes) {
  Loader loader(bytes);
  Tensor amplitudes;
  loader(amplitudes);
  loader.finish();
  State loaded(std::move(amplitudes));
  new (&self) State(std::move(loaded));
}

}  // namespace

void bind_state(nb::module_& m) {
  nb::class_<State>(m, "State", R"(Amplitudes of 2^n basis states, complex64 or complex128; qubit 0 least significant.

The amplitudes stay where the simulator left them: numpy.asarray(state) is a read-only view that keeps them alive.

>>> import numpy, skerry
>>> state = skerry.Simulator().run(skerry.Circuit(1).h(0))
>>> numpy.asarray(state).round(3)
array([0.707+0.j, 0.707+0.j])
>>> round(state.expectation(skerry.Observable.parse("X0", 1)), 6)
1.0
)")
      .def_prop_ro("num_qubits", &State::num_wires)
      .def_prop_ro(
          "precision",
          [](const State& state) { return state.precision() == Precision::single_precision ? "single" : "double"; })
      .def("amplitude", &State::amplitude, nb::arg("basis_state"), "Amplitude of one basis state. Errors: OutOfRange.")
      .def("probabilities", probabilities, nb::arg("qubits") = nb::tuple(),
           nb::sig("def probabilities(self, qubits: collections.abc.Sequence[int] = ()) -> "
                   "numpy.typing.NDArray[numpy.float64]"),
           "Probability of each outcome of these qubits, qubits[0] least significant; all of them if none is listed.")
      .def("expectation", &State::expectation, nb::arg("observable"), nb::call_guard<nb::gil_scoped_release>(),
           "<psi|O|psi>. Errors: InvalidArgument when the number of qubits differs.")
      .def("fidelity", &fidelity, nb::arg("other"), nb::call_guard<nb::gil_scoped_release>(),
           "|<self|other>|^2; the precisions may differ. Errors: InvalidArgument when the numbers of qubits do.")
      .def("density_matrix", reduced, nb::arg("qubits"),
           nb::sig("def density_matrix(self, qubits: collections.abc.Sequence[int]) -> "
                   "numpy.typing.NDArray[numpy.complex128]"),
           R"(Reduced density matrix of these qubits, up to 12, qubits[0] least significant.

>>> import skerry
>>> bell = skerry.Simulator().run(skerry.Circuit(2).h(0).cx(0, 1))
>>> bell.density_matrix([0]).real.round(3) + 0.0
array([[0.5, 0. ],
       [0. , 0.5]])
)")
      .def("sample", sample, nb::arg("shots"), nb::kw_only(), nb::arg("seed") = 0,
           nb::sig("def sample(self, shots: int, *, seed: int = 0) -> dict[str, int]"),
           "Counts of measuring all qubits; the same for any number of threads.")
      .def("draw", draw, nb::arg("shots"), nb::kw_only(), nb::arg("seed") = 0,
           nb::sig("def draw(self, shots: int, *, seed: int = 0) -> numpy.typing.NDArray[numpy.uint64]"),
           "The basis state that each shot of sample() finds: a million take some hundredths of a second.")
      .def("__array__", as_array, nb::arg("dtype") = nb::none(), nb::kw_only(), nb::arg("copy") = nb::none(),
           nb::sig("def __array__(self, dtype: typing.Any = None, *, copy: bool | None = None) -> "
                   "numpy.typing.NDArray[typing.Any]"))
      .def(
          "__dlpack__",
          [](const State& state, const nb::kwargs& keywords) {
            return array_from(state.amplitudes()).attr("__dlpack__")(**keywords);
          },
          nb::sig("def __dlpack__(self, **kwargs: typing.Any) -> typing.Any"))
      .def(
          "__dlpack_device__", [](const State&) { return nb::make_tuple(1, 0); },  // DLPack's number of the host
          nb::sig("def __dlpack_device__(self) -> tuple[int, int]"))
      .def(
          "_repr_html_", [](nb::handle self) { return nb::module_::import_("skerry.viz").attr("state_html")(self); },
          nb::sig("def _repr_html_(self) -> str"), "Its largest amplitudes, for notebooks.")
      .def("__getstate__", packed)
      .def("__setstate__", unpack)
      .def("__len__", [](const State& state) { return state.amplitudes().shape().elements(); })
      .def("__repr__", [](const State& state) {
        return "<State of " + std::to_string(state.num_wires()) + " qubits, " +
               std::string(dtype_name(state.amplitudes().dtype())) + ">";
      });
}

}  // namespace skerry::python
