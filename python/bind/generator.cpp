#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <array>
#include <skerry/generator.hpp>

#include "base/trace.hpp"
#include "bind.hpp"
#include "described.hpp"

namespace skerry::python {
namespace {

using photonic::Encoding;
using photonic::Generator;
using photonic::Strategy;

using Numbers = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;

nb::object owned(std::vector<double> values, std::vector<std::size_t> shape) {
  auto* kept = new std::vector<double>(std::move(values));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<double>*>(p); });
  return nb::ndarray<nb::numpy, double>(kept->data(), shape.size(), shape.data(), owner).cast();
}

template <class E, std::size_t N>
E named(std::string_view name, const std::array<std::string_view, N>& names, const char* what) {
  std::string known;
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<E>(i);
    known += (i == 0 ? "" : ", ") + std::string(names[i]);
  }
  throw Error(ErrorCode::invalid_argument, "no " + std::string(what) + " is called '" + std::string(name) + "'",
              "photonic generator", "take one of " + known);
}

constexpr std::array<std::string_view, 3> kEncodings{"coherent_state", "direct_displacement", "classical_neural"};
constexpr std::array<std::string_view, 3> kStrategies{"sequential", "cpu_batch", "threading"};

std::span<const double> view(const Numbers& array) {
  return {array.data(), array.size()};
}

std::size_t batch_of(const Generator& generator, const Numbers& z) {
  const std::size_t latent = generator.options().latent;
  if (z.ndim() != 2 || z.shape(1) != latent)
    throw Error(ErrorCode::type_mismatch, "latents that are not of [batch, " + std::to_string(latent) + "]",
                "photonic generator", "reshape them");
  return z.shape(0);
}

nb::tuple generate(Generator& self, const Numbers& z, std::string_view strategy, int threads) {
  const std::size_t batch = batch_of(self, z);
  const auto way = named<Strategy>(strategy, kStrategies, "strategy");
  std::vector<double> x(batch * self.options().modes);
  double leak = 0;
  {
    const nb::gil_scoped_release release;
    leak = self.generate(batch, view(z), x, way, threads);
  }
  return nb::make_tuple(owned(std::move(x), {batch, self.options().modes}), leak);
}

nb::tuple gradient(Generator& self, const Numbers& z, const Numbers& cotangent, std::string_view strategy,
                   int threads) {
  const std::size_t batch = batch_of(self, z);
  const auto way = named<Strategy>(strategy, kStrategies, "strategy");
  std::vector<double> x(batch * self.options().modes), by_parameters(self.parameters().size()),
      by_z(batch * self.options().latent);
  {
    const nb::gil_scoped_release release;
    self.gradient(batch, view(z), view(cotangent), x, by_parameters, by_z, way, threads);
  }
  const std::size_t count = by_parameters.size();
  return nb::make_tuple(owned(std::move(x), {batch, self.options().modes}), owned(std::move(by_parameters), {count}),
                        owned(std::move(by_z), {batch, self.options().latent}));
}

nb::tuple encode(const Generator& self, const Numbers& z) {
  const std::size_t batch = batch_of(self, z), modes = self.options().modes;
  std::vector<double> re(batch * modes), im(batch * modes);
  self.encode(batch, view(z), re, im);
  return nb::make_tuple(owned(std::move(re), {batch, modes}), owned(std::move(im), {batch, modes}));
}

}  // namespace

#define SKERRY_ARRAY "numpy.typing.NDArray[numpy.float64]"

void bind_generator(nb::module_& m) {
  nb::class_<Generator>(m, "PhotonicGenerator", R"(The native part of skerry.cv.QuantumSFGenerator.)")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(
          "__init__",
          [](Generator* self, std::uint32_t modes, std::uint32_t latent, std::uint32_t layers, std::uint32_t cutoff,
             std::string_view encoding, double scale, std::uint32_t hidden, double amplitude, bool is_double) {
            photonic::GeneratorOptions options;
            options.modes = modes;
            options.latent = latent;
            options.layers = layers;
            options.cutoff = cutoff;
            options.encoding = named<Encoding>(encoding, kEncodings, "encoding");
            options.scale = scale;
            options.hidden = hidden;
            options.amplitude = amplitude;
            options.precision = is_double ? Precision::double_precision : Precision::single_precision;
            new (self) Generator(options);
          },
          nb::arg("modes"), nb::arg("latent"), nb::arg("layers"), nb::arg("cutoff"), nb::arg("encoding"),
          nb::arg("scale"), nb::arg("hidden"), nb::arg("amplitude"), nb::arg("is_double"))
      .def_prop_ro("layer_parameters", &Generator::layer_parameters, "How many parameters the photonic layers have.")
      .def_prop_ro(
          "parameters",
          [](const Generator& self) {
            const auto all = self.parameters();
            return owned({all.begin(), all.end()}, {all.size()});
          },
          nb::sig("def parameters(self) -> " SKERRY_ARRAY), "A copy: the layers', then W1, b1, W2, b2.")
      .def(
          "set_parameters", [](Generator& self, const Numbers& values) { self.set_parameters(view(values)); },
          nb::arg("values"))
      .def("encode", encode, nb::arg("z"),
           nb::sig("def encode(self, z: " SKERRY_ARRAY ") -> tuple[" SKERRY_ARRAY ", " SKERRY_ARRAY "]"),
           "Re and Im of the coherent amplitudes.")
      .def("generate", generate, nb::arg("z"), nb::arg("strategy"), nb::arg("threads"),
           nb::sig("def generate(self, z: " SKERRY_ARRAY ", strategy: str, threads: int) -> tuple[" SKERRY_ARRAY
                   ", float]"),
           "Position means of [batch, modes], and the greatest truncation leak.")
      .def("gradient", gradient, nb::arg("z"), nb::arg("cotangent"), nb::arg("strategy"), nb::arg("threads"),
           nb::sig("def gradient(self, z: " SKERRY_ARRAY ", cotangent: " SKERRY_ARRAY
                   ", strategy: str, threads: int) -> tuple[" SKERRY_ARRAY ", " SKERRY_ARRAY ", " SKERRY_ARRAY "]"),
           "Position means, gradient by parameters, gradient by z.");
  m.def(
      "set_trace_file", [](const std::string& path) { base::set_trace_file(path); }, nb::arg("path"),
      "Sends this process's trace to a file of Chrome's JSON; an empty path ends it.");
}

}  // namespace skerry::python
