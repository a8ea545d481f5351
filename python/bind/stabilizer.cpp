#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "arrays.hpp"
#include "bind.hpp"
#include "described.hpp"
#include "options.hpp"
#include "steering.hpp"

namespace skerry::python {
namespace {

using Circuits = StabilizerCircuit;
using Sampler = StabilizerSampler;

Circuits load_circuit(const std::filesystem::path& path) {
  const nb::gil_scoped_release release;
  return load_stabilizer(path);
}

Circuits read_circuit(const nb::bytes& text, const std::string& name) {
  const nb::gil_scoped_release release;
  return loads_stabilizer({text.c_str(), text.size()}, {}, name);
}

/// Runs native work that obeys the limits and Ctrl-C.
template <class Work>
auto steered(const Limits& given, Work work) {
  Steering steering{nb::none()};
  Limits limits = given;
  limits.control = steering.control();
  std::optional<decltype(work(limits))> result;
  steering.run(true, [&] { result.emplace(work(limits)); });
  return *std::move(result);
}

Sampler make_sampler(const Circuits& circuit, bool of_detectors) {
  return steered({}, [&](const Limits& limits) {
    return of_detectors ? Sampler::of_detectors(circuit, limits) : Sampler::of_measurements(circuit, limits);
  });
}

nb::object sample(const Sampler& sampler, std::uint64_t shots, std::uint64_t seed, int threads,
                  std::optional<double> max_memory_mb) {
  const StabilizerSamples samples = steered(limits_from(threads, max_memory_mb, std::nullopt),
                                            [&](const Limits& limits) { return sampler.sample(shots, seed, limits); });
  return array_from(samples.rows, true);
}

StabilizerCounts count(const Sampler& sampler, std::uint64_t shots, std::uint64_t seed, int threads) {
  return steered(limits_from(threads, std::nullopt, std::nullopt),
                 [&](const Limits& limits) { return sampler.count(shots, seed, limits); });
}

}  // namespace

void bind_stabilizer(nb::module_& m) {
  nb::class_<Circuits>(m, "StabilizerCircuit", R"(A stabilizer circuit with noise, detectors and observables.

>>> from skerry.stabilizer import loads
>>> circuit = loads("X_ERROR(0.1) 0\nM 0\nDETECTOR rec[-1]\n")
>>> circuit
<StabilizerCircuit: 1 qubits, 1 measurements, 1 detectors, 0 observables>
)")
      .def_prop_ro("num_qubits", &Circuits::num_qubits)
      .def_prop_ro("num_measurements", &Circuits::num_measurements)
      .def_prop_ro("num_detectors", &Circuits::num_detectors)
      .def_prop_ro("num_observables", &Circuits::num_observables)
      .def("__repr__", [](const Circuits& circuit) {
        return "<StabilizerCircuit: " + std::to_string(circuit.num_qubits()) + " qubits, " +
               std::to_string(circuit.num_measurements()) + " measurements, " +
               std::to_string(circuit.num_detectors()) + " detectors, " + std::to_string(circuit.num_observables()) +
               " observables>";
      });
  nb::class_<StabilizerCounts>(m, "StabilizerCounts", "How often each detector (record) and observable was 1.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("shots", &StabilizerCounts::shots)
      .def_ro("shots_with_events", &StabilizerCounts::shots_with_events)
      .def_ro("bits", &StabilizerCounts::bits)
      .def_ro("observables", &StabilizerCounts::observables);
  nb::class_<Sampler>(m, "StabilizerSampler", "The table of a circuit's errors; skerry.stabilizer.Sampler makes one.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_prop_ro("bits", &Sampler::bits)
      .def_prop_ro("observables", &Sampler::observables)
      .def_prop_ro("table_bytes", &Sampler::table_bytes)
      .def("sample", sample, nb::arg("shots"), nb::arg("seed"), nb::arg("threads"), nb::arg("max_memory_mb").none(),
           nb::sig("def sample(self, shots: int, seed: int, threads: int, max_memory_mb: float | None) -> "
                   "numpy.typing.NDArray[numpy.uint64]"))
      .def("count", count, nb::arg("shots"), nb::arg("seed"), nb::arg("threads"));
  m.def("load_stabilizer", load_circuit, nb::arg("path"),
        nb::sig("def load_stabilizer(path: str | os.PathLike[str]) -> StabilizerCircuit"));
  m.def("loads_stabilizer", read_circuit, nb::arg("data"), nb::arg("name"));
  m.def("make_stabilizer_sampler", make_sampler, nb::arg("circuit"), nb::arg("of_detectors"));
}

}  // namespace skerry::python
