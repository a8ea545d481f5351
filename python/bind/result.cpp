#include "result.hpp"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <complex>

#include "archive.hpp"
#include "arrays.hpp"
#include "counts.hpp"

namespace skerry::python {

template <class Archive>
void fields(Archive& archive, RunReport& r) {
  archive(r.method, r.predicted_bytes, r.peak_bytes, r.predicted_seconds, r.seconds, r.threads);
}

/// Of a pickle.
template <class Archive>
void fields(Archive& archive, RunResult& self) {
  std::uint32_t version = 1;
  archive(version);
  if (version != 1) throw Error(ErrorCode::version_too_new, "a pickle of another version of Skerry", "<pickle>");
  Result& r = self.result;
  archive(r.counts, r.memory, r.expectations, r.standard_errors, r.probabilities, r.amplitudes);
  archive(r.state, r.density, r.outputs, r.discarded_weight, r.error_bound, r.bond_dimension, r.tensors, r.report);
  const std::size_t words = (std::size_t{r.counts.bits()} + 63) / 64;
  if (Archive::is_loading && (words == 0 ? !r.memory.empty() : r.memory.size() % words != 0))
    fail_pickle("the memory is no whole number of shots");
}

namespace {

nb::object counts(RunResult& self) {
  if (!self.counts.is_valid()) self.counts = counts_dict(self.result.counts);
  return self.counts;
}

nb::list memory(const RunResult& self) {
  const std::uint32_t bits = self.result.counts.bits();
  const std::size_t words = (bits + 63) / 64;
  nb::list shots;
  for (std::size_t begin = 0; words != 0 && begin < self.result.memory.size(); begin += words) {
    std::string text(bits, '0');
    for (std::uint32_t bit = 0; bit < bits; ++bit) {
      if ((self.result.memory[begin + bit / 64] >> (bit % 64) & 1) != 0) text[bits - 1 - bit] = '1';
    }
    shots.append(nb::str(text.data(), text.size()));
  }
  return shots;
}

nb::object samples(const RunResult& self) {
  const std::int64_t words = (self.result.counts.bits() + 63) / 64;
  auto owner = std::make_shared<const std::vector<std::uint64_t>>(self.result.memory);
  const auto shots = words == 0 ? 0 : static_cast<std::int64_t>(owner->size()) / words;
  const TensorView view(DType::u64, Shape({shots, words}), reinterpret_cast<const std::byte*>(owner->data()));
  return array_from(Tensor(view, std::move(owner)));
}

nb::dict outputs(const RunResult& self) {
  nb::dict dict;
  for (const auto& [name, tensor] : self.result.tensors) dict[nb::str(name.c_str())] = array_from(tensor);
  return dict;
}

nb::object density(const RunResult& self) {
  return self.result.density ? array_from(*self.result.density) : nb::none();
}

nb::object amplitudes(const RunResult& self) {
  Tensor out(DType::c128, {static_cast<std::int64_t>(self.result.amplitudes.size())});
  std::ranges::copy(self.result.amplitudes, out.mutable_view().as<std::complex<double>>().begin());
  return array_from(out);
}

nb::object probabilities(const RunResult& self) {
  return self.result.probabilities ? array_from(*self.result.probabilities) : nb::none();
}

std::string text(const RunResult& self) {
  const RunReport& report = self.result.report;
  return "<RunResult: method " + report.method + ", " + std::to_string(report.seconds) + " s, " +
         std::to_string(report.peak_bytes) + " bytes>";
}

template <auto member>
auto from_report() {
  return [](const RunResult& self) { return self.result.report.*member; };
}

}  // namespace

void bind_result(nb::module_& m) {
  nb::class_<RunResult> c(m, "RunResult", R"(What a run gave and what it took, beside what had been predicted.

>>> import skerry
>>> result = skerry.run(skerry.Circuit(3).x(1), shots=10)
>>> result.counts
{'010': 10}
>>> result.method
'statevector'
)");
  bind_pickle(c);
  c.def_prop_ro("counts", counts, nb::sig("def counts(self) -> dict[str, int]"),
                "Bit string -> how often; highest bit leftmost. Empty without shots.")
      .def_prop_ro("memory", memory, nb::sig("def memory(self) -> list[str]"),
                   "Each shot's bit string in order, if memory=True asked for it.")
      .def_prop_ro("samples", samples, nb::sig("def samples(self) -> numpy.typing.NDArray[numpy.uint64]"),
                   "The same as numbers, [shots, ceil(bits / 64)], bit 0 least significant; read-only.")
      .def_prop_ro(
          "expectations", [](const RunResult& self) { return self.result.expectations; }, "One number per observable.")
      .def_prop_ro(
          "standard_errors", [](const RunResult& self) { return self.result.standard_errors; },
          "Of the expectations, where they are means over trajectories; else empty.")
      .def_prop_ro("amplitudes", amplitudes, nb::sig("def amplitudes(self) -> numpy.typing.NDArray[numpy.complex128]"),
                   "complex128, one for each basis state that was asked for; read-only.")
      .def_prop_ro("density", density, nb::sig("def density(self) -> numpy.typing.NDArray[numpy.complex128] | None"),
                   "complex128 [2^k, 2^k], if asked for; read-only.")
      .def_prop_ro("probabilities", probabilities,
                   nb::sig("def probabilities(self) -> numpy.typing.NDArray[numpy.float64] | None"),
                   "float64 [2^k], if asked for; read-only.")
      .def_prop_ro(
          "state", [](const RunResult& self) { return self.result.state; }, "The State, if asked for.")
      .def_prop_ro(
          "variables", [](const RunResult& self) { return self.result.outputs; },
          "Output variables of the program's last shot.")
      .def_prop_ro(
          "error_bound", [](const RunResult& self) { return self.result.error_bound; },
          "Bound on the distance of the state vector from the exact one; 0 where nothing was cut off.")
      .def_prop_ro(
          "discarded_weight", [](const RunResult& self) { return self.result.discarded_weight; },
          "Squared norm that an approximate method, or a cutoff of photon numbers, lost in all.")
      .def_prop_ro(
          "bond_dimension", [](const RunResult& self) { return self.result.bond_dimension; },
          "Widest bond of a matrix product state; 0 for another method.")
      .def_prop_ro(
          "outputs", outputs, nb::sig("def outputs(self) -> dict[str, numpy.typing.NDArray[typing.Any]]"),
          "Outputs of a model by name, in its order; of a circuit over optical modes its means, variances and samples. "
          "Read-only views.")
      .def_prop_ro("method", from_report<&RunReport::method>())
      .def_prop_ro("seconds", from_report<&RunReport::seconds>())
      .def_prop_ro("predicted_seconds", from_report<&RunReport::predicted_seconds>())
      .def_prop_ro("peak_bytes", from_report<&RunReport::peak_bytes>(), "Most that was charged to the run at once.")
      .def_prop_ro("predicted_bytes", from_report<&RunReport::predicted_bytes>())
      .def_prop_ro("threads", from_report<&RunReport::threads>())
      .def(
          "_repr_svg_",
          [](RunResult& self) -> nb::object {
            if (self.result.counts.size() == 0) return nb::none();
            return nb::module_::import_("skerry.viz").attr("histogram_svg")(counts(self));
          },
          nb::sig("def _repr_svg_(self) -> str | None"), "A histogram of the counts, for notebooks.")
      .def("__repr__", text);
}

}  // namespace skerry::python
