#include <nanobind/ndarray.h>
#include <nanobind/stl/complex.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <skerry/fock_state.hpp>

#include "bind.hpp"

namespace skerry::python {
namespace {

using photonic::FockState;
using Cutoffs = std::vector<std::uint32_t>;
using Complexes = nb::ndarray<const std::complex<double>, nb::c_contig, nb::device::cpu>;

template <class T>
nb::object owned(std::vector<T> values, std::vector<std::size_t> shape) {
  auto* kept = new std::vector<T>(std::move(values));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::ndarray<nb::numpy, T>(kept->data(), shape.size(), shape.data(), owner).cast();
}

std::vector<std::complex<double>> values(const Complexes& array) {
  return {array.data(), array.data() + array.size()};
}

nb::object data(const FockState& state) {
  std::vector<std::size_t> shape(state.cutoffs().begin(), state.cutoffs().end());
  if (!state.is_pure()) shape.insert(shape.end(), state.cutoffs().begin(), state.cutoffs().end());
  return owned<std::complex<double>>({state.data().begin(), state.data().end()}, shape);
}

}  // namespace

#define SKERRY_REALS "numpy.typing.NDArray[numpy.float64]"
#define SKERRY_COMPLEXES "numpy.typing.NDArray[numpy.complex128]"

void bind_fock_state(nb::module_& m) {
  nb::class_<FockState>(m, "FockState",
                        R"(A state of light in Fock space, pure or mixed, to run circuits on and measure.

>>> from skerry import PhotonicCircuit
>>> from skerry.cv import FockState
>>> pair = FockState.fock([4, 4], [1, 1]).run(PhotonicCircuit(2).append("beam_splitter", [0.25 * 3.141592653589793], [0, 1]))
>>> f"{pair.probabilities()[1, 1]:.3f} {pair.probabilities()[2, 0]:.3f}"
'0.000 0.500'
)")
      .def_static(
          "vacuum", [](const Cutoffs& cutoffs) { return FockState::vacuum(cutoffs); }, nb::arg("cutoffs"),
          "No photon in any mode.")
      .def_static(
          "from_ket", [](const Cutoffs& c, const Complexes& ket) { return FockState::from_ket(c, values(ket)); },
          nb::arg("cutoffs"), nb::arg("ket"), "A pure state.")
      .def_static(
          "from_density",
          [](const Cutoffs& c, const Complexes& matrix) { return FockState::from_density(c, values(matrix)); },
          nb::arg("cutoffs"), nb::arg("matrix"), "A mixed state.")
      .def_static(
          "fock", [](const Cutoffs& c, const Cutoffs& photons) { return FockState::fock(c, photons); },
          nb::arg("cutoffs"), nb::arg("photons"), "That many photons in each mode.")
      .def_static(
          "coherent",
          [](const Cutoffs& c, const std::vector<std::complex<double>>& alphas) {
            return FockState::coherent(c, alphas);
          },
          nb::arg("cutoffs"), nb::arg("alphas"), "Coherent states, cut.")
      .def_static("cat", &FockState::cat, nb::arg("cutoff"), nb::arg("alpha"), nb::arg("phase") = 0.0,
                  "|alpha> + exp(i phase) |-alpha>, normalised.")
      .def_static("gkp", &FockState::gkp, nb::arg("cutoff"), nb::arg("epsilon"),
                  "|0> of the square GKP code, damped by exp(-epsilon n).")
      .def_static("thermal", &FockState::thermal, nb::arg("cutoff"), nb::arg("mean_photons"), "A thermal mode.")
      .def_prop_ro("modes", &FockState::modes)
      .def_prop_ro("is_pure", &FockState::is_pure)
      .def_prop_ro("data", data, nb::sig("def data(self) -> " SKERRY_COMPLEXES),
                   "The ket of one axis a mode, or the density matrix of two.")
      .def(
          "run",
          [](FockState& self, const photonic::Circuit& circuit, const std::vector<double>& weights) -> FockState& {
            const nb::gil_scoped_release release;
            return self.run(circuit, weights);
          },
          nb::arg("circuit"), nb::arg("weights") = std::vector<double>(), nb::rv_policy::reference,
          "Applies a circuit; a channel makes the state mixed. Gives the state itself.")
      .def("mixed", &FockState::mixed, "The same state as a density matrix.")
      .def("trace", &FockState::trace, "Less than 1 by what truncation lost.")
      .def("purity", &FockState::purity, "Trace of the squared density matrix.")
      .def(
          "reduced",
          [](const FockState& self, std::uint32_t mode) {
            std::vector<std::complex<double>> matrix = self.reduced(mode);
            return owned(std::move(matrix), {self.cutoffs()[mode], self.cutoffs()[mode]});
          },
          nb::arg("mode"), nb::sig("def reduced(self, mode: int) -> " SKERRY_COMPLEXES), "Density matrix of one mode.")
      .def(
          "probabilities",
          [](const FockState& self) {
            return owned(self.probabilities(), {self.cutoffs().begin(), self.cutoffs().end()});
          },
          nb::sig("def probabilities(self) -> " SKERRY_REALS), "Of every photon pattern, one axis a mode.")
      .def("mean_photons", &FockState::mean_photons, nb::arg("mode"), "<n> of a mode.")
      .def("quadrature", &FockState::quadrature, nb::arg("mode"), nb::arg("angle") = 0.0,
           "Mean and variance of x cos(angle) + p sin(angle).")
      .def("fidelity", &FockState::fidelity, nb::arg("other"), "Overlap with another state, one of the two pure.")
      .def(
          "wigner",
          [](const FockState& self, std::uint32_t mode, const std::vector<double>& x, const std::vector<double>& p) {
            return owned(self.wigner(mode, x, p), {x.size(), p.size()});
          },
          nb::arg("mode"), nb::arg("x"), nb::arg("p"),
          nb::sig("def wigner(self, mode: int, x: collections.abc.Sequence[float], p: collections.abc.Sequence[float]) "
                  "-> " SKERRY_REALS),
          "Wigner function on a grid, [x, p].")
      .def(
          "homodyne_density",
          [](const FockState& self, std::uint32_t mode, double angle, const std::vector<double>& x) {
            return owned(self.homodyne_density(mode, angle, x), {x.size()});
          },
          nb::arg("mode"), nb::arg("angle"), nb::arg("x"),
          nb::sig("def homodyne_density(self, mode: int, angle: float, x: collections.abc.Sequence[float]) "
                  "-> " SKERRY_REALS),
          "Density of x cos(angle) + p sin(angle).")
      .def(
          "sample_photons",
          [](const FockState& self, std::uint64_t shots, std::uint64_t seed) {
            return owned(self.sample_photons(shots, seed), {shots, self.modes()});
          },
          nb::arg("shots"), nb::arg("seed") = 0,
          nb::sig("def sample_photons(self, shots: int, seed: int = 0) -> numpy.typing.NDArray[numpy.uint32]"),
          "Photon numbers of [shots, modes].")
      .def(
          "sample_homodyne",
          [](const FockState& self, const std::vector<double>& angles, std::uint64_t shots, std::uint64_t seed) {
            return owned(self.sample_homodyne(angles, shots, seed), {shots, self.modes()});
          },
          nb::arg("angles"), nb::arg("shots"), nb::arg("seed") = 0,
          nb::sig("def sample_homodyne(self, angles: collections.abc.Sequence[float], shots: int, seed: int = 0) "
                  "-> " SKERRY_REALS),
          "Quadratures of all modes, of [shots, modes].")
      .def("measure_homodyne", &FockState::measure_homodyne, nb::arg("mode"), nb::arg("angle"), nb::arg("uniform"),
           "The outcome for that random number; the state is conditioned on it, the mode left in the vacuum.")
      .def("measure_heterodyne", &FockState::measure_heterodyne, nb::arg("mode"), nb::arg("uniform1"),
           nb::arg("uniform2"), "alpha for those random numbers; the mode is left in the vacuum.")
      .def("measure_photons", &FockState::measure_photons, nb::arg("mode"), nb::arg("uniform"),
           "The photon number for that random number.")
      .def("measure_click", &FockState::measure_click, nb::arg("mode"), nb::arg("uniform"),
           "Whether a threshold detector clicks.")
      .def("select_homodyne", &FockState::select_homodyne, nb::arg("mode"), nb::arg("angle"), nb::arg("outcome"),
           "Post-selects a quadrature; gives its probability density.")
      .def("select_photons", &FockState::select_photons, nb::arg("mode"), nb::arg("photons"),
           "Post-selects a photon number; gives its probability.")
      .def("__repr__", [](const FockState& s) {
        return std::string(s.is_pure() ? "<pure" : "<mixed") + " FockState of " + std::to_string(s.modes()) + " modes>";
      });
}

}  // namespace skerry::python
