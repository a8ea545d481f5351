#include <nanobind/ndarray.h>
#include <nanobind/stl/complex.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <skerry/gaussian.hpp>

#include "bind.hpp"

namespace skerry::python {
namespace {

using photonic::GaussianState;
using Numbers = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
using Complexes = nb::ndarray<const std::complex<double>, nb::c_contig, nb::device::cpu>;

template <class T>
nb::object owned(std::vector<T> values, std::vector<std::size_t> shape) {
  auto* kept = new std::vector<T>(std::move(values));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::ndarray<nb::numpy, T>(kept->data(), shape.size(), shape.data(), owner).cast();
}

template <class Array>
auto view(const Array& array) {
  return std::span(array.data(), array.size());
}

template <class Array>
std::size_t rows(const Array& matrix) {
  if (matrix.ndim() != 2 || matrix.shape(0) != matrix.shape(1))
    throw Error(ErrorCode::type_mismatch, "a matrix that is not square", "hafnian", "pass n x n numbers");
  return matrix.shape(0);
}

template <class Array>
auto hafnian(const Array& matrix, const std::optional<Array>& loops) {
  const std::size_t n = rows(matrix);
  const nb::gil_scoped_release release;
  return photonic::hafnian(n, view(matrix), loops ? view(*loops) : decltype(view(matrix))());
}

}  // namespace

#define SKERRY_ARRAY "numpy.typing.NDArray[numpy.float64]"

void bind_gaussian(nb::module_& m) {
  m.def("hafnian_real", &hafnian<Numbers>, nb::arg("matrix"), nb::arg("loops") = nb::none());
  m.def("hafnian_complex", &hafnian<Complexes>, nb::arg("matrix"), nb::arg("loops") = nb::none());
  m.def(
      "torontonian",
      [](const Complexes& matrix) {
        const std::size_t n = rows(matrix);
        if (n % 2 != 0)
          throw Error(ErrorCode::type_mismatch, std::to_string(n) + " rows", "torontonian", "pass two for each mode");
        return photonic::torontonian(n / 2, view(matrix));
      },
      nb::arg("matrix"));

  nb::class_<GaussianState>(m, "GaussianState", R"(Means and covariances of modes over x1 ... xN, p1 ... pN; hbar = 2.

>>> from skerry import PhotonicCircuit
>>> from skerry.cv import GaussianState
>>> pair = GaussianState(2).run(PhotonicCircuit(2).append("two_mode_squeezing", [0.5, 0.0], [0, 1]))
>>> f"{pair.fock_probability([1, 1]):.6f} {pair.fock_probability([1, 0]):.6f}"
'0.167948 0.000000'
)")
      .def(nb::init<std::uint32_t>(), nb::arg("modes"))
      .def_static(
          "from_moments",
          [](const Numbers& mean, const Numbers& covariance) {
            const auto m = view(mean), v = view(covariance);
            return GaussianState({m.begin(), m.end()}, {v.begin(), v.end()});
          },
          nb::arg("mean"), nb::arg("covariance"), "A state by its mean and covariance.")
      .def("__getstate__",
           [](const GaussianState& s) {
             return std::pair(std::vector<double>(s.mean().begin(), s.mean().end()),
                              std::vector<double>(s.covariance().begin(), s.covariance().end()));
           })
      .def("__setstate__",
           [](GaussianState& self, std::pair<std::vector<double>, std::vector<double>> moments) {
             GaussianState loaded(std::move(moments.first), std::move(moments.second));
             new (&self) GaussianState(std::move(loaded));
           })
      .def_prop_ro("modes", &GaussianState::modes)
      .def_prop_ro(
          "mean",
          [](const GaussianState& s) {
            return owned<double>({s.mean().begin(), s.mean().end()}, {s.mean().size()});
          },
          nb::sig("def mean(self) -> " SKERRY_ARRAY))
      .def_prop_ro(
          "covariance",
          [](const GaussianState& s) {
            return owned<double>({s.covariance().begin(), s.covariance().end()}, {s.mean().size(), s.mean().size()});
          },
          nb::sig("def covariance(self) -> " SKERRY_ARRAY))
      .def(
          "run",
          [](GaussianState& self, const photonic::Circuit& circuit,
             const std::vector<double>& weights) -> GaussianState& { return self.run(circuit, weights); },
          nb::arg("circuit"), nb::arg("weights") = std::vector<double>(), nb::rv_policy::reference,
          "Applies a circuit's gates; gives the state itself.")
      .def(
          "reduced",
          [](const GaussianState& self, const std::vector<std::uint32_t>& modes) { return self.reduced(modes); },
          nb::arg("modes"), "The state of some modes alone.")
      .def("mean_photons", &GaussianState::mean_photons, nb::arg("mode"), "<n> of a mode.")
      .def("wigner", &GaussianState::wigner, nb::arg("mode"), nb::arg("x"), nb::arg("p"),
           "Wigner function of one mode; its integral is 1.")
      .def(
          "fock_probability",
          [](const GaussianState& self, const std::vector<std::uint32_t>& photons) {
            return self.fock_probability(photons);
          },
          nb::arg("photons"), "Probability of these photon numbers.")
      .def(
          "threshold_probability",
          [](const GaussianState& self, const std::vector<bool>& clicks) {
            return self.threshold_probability(std::vector<std::uint8_t>(clicks.begin(), clicks.end()));
          },
          nb::arg("clicks"), "Probability that exactly these modes click.")
      .def(
          "sample_photons",
          [](const GaussianState& self, std::uint64_t shots, std::uint32_t cutoff, std::uint64_t seed) {
            return owned(self.sample_photons(shots, cutoff, seed), {shots, self.modes()});
          },
          nb::arg("shots"), nb::arg("cutoff") = 16, nb::arg("seed") = 0,
          nb::sig("def sample_photons(self, shots: int, cutoff: int = 16, seed: int = 0) -> "
                  "numpy.typing.NDArray[numpy.uint32]"),
          "Photon numbers of [shots, modes]: Gaussian boson sampling.")
      .def(
          "sample_clicks",
          [](const GaussianState& self, std::uint64_t shots, std::uint64_t seed) {
            return owned(self.sample_clicks(shots, seed), {shots, self.modes()});
          },
          nb::arg("shots"), nb::arg("seed") = 0,
          nb::sig("def sample_clicks(self, shots: int, seed: int = 0) -> numpy.typing.NDArray[numpy.uint8]"),
          "Clicks of threshold detectors of [shots, modes].")
      .def(
          "sample_heterodyne",
          [](const GaussianState& self, std::uint64_t shots, std::uint64_t seed) {
            return owned(self.sample_heterodyne(shots, seed), {shots, 2 * std::size_t{self.modes()}});
          },
          nb::arg("shots"), nb::arg("seed") = 0,
          nb::sig("def sample_heterodyne(self, shots: int, seed: int = 0) -> " SKERRY_ARRAY),
          "x and p of every mode at once, of [shots, 2 modes].")
      .def("measure_homodyne", &GaussianState::measure_homodyne, nb::arg("mode"), nb::arg("angle"), nb::arg("uniform"),
           "Measures x cos(angle) + p sin(angle) with that random number; the other modes are conditioned on it.")
      .def("condition_homodyne", &GaussianState::condition_homodyne, nb::arg("mode"), nb::arg("angle"),
           nb::arg("outcome"), "Post-selects an outcome.")
      .def("__repr__",
           [](const GaussianState& s) { return "<GaussianState of " + std::to_string(s.modes()) + " modes>"; });
}

}  // namespace skerry::python
