#include <nanobind/ndarray.h>
#include <nanobind/stl/complex.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <skerry/photonic.hpp>
#include <skerry/photonic_gates.hpp>

#include "bind.hpp"
#include "described.hpp"

namespace skerry::python {
namespace {

using photonic::FockCotangents;
using photonic::FockGradients;
using photonic::FockInputs;
using photonic::FockOutputs;
using photonic::FockSimulator;
using photonic::Gate;
using photonic::Param;

using Numbers = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
using Kets = nb::ndarray<const std::complex<double>, nb::c_contig, nb::device::cpu>;

template <class T>
nb::object owned(std::vector<T> values, std::vector<std::size_t> shape) {
  auto* kept = new std::vector<T>(std::move(values));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::ndarray<nb::numpy, T>(kept->data(), shape.size(), shape.data(), owner).cast();
}

std::span<const double> numbers(const std::optional<Numbers>& array) {
  return array ? std::span<const double>(array->data(), array->size()) : std::span<const double>();
}

/// A number, or weight(i) as the tuple (i, scale, offset).
Param param_from(nb::handle object) {
  double number = 0;
  if (nb::try_cast<double>(object, number)) return number;
  std::tuple<std::int32_t, double, double> symbolic;
  if (!nb::try_cast(object, symbolic))
    throw Error(ErrorCode::invalid_argument, "a gate parameter that is no number", "photonic circuit",
                "pass a number or (weight, scale, offset)");
  Param param;
  std::tie(param.weight, param.scale, param.value) = symbolic;
  if (param.weight < 0)
    throw Error(ErrorCode::out_of_range, "weight " + std::to_string(param.weight), "photonic circuit",
                "weights count from 0");
  return param;
}

Gate gate_from(std::string_view name) {
  std::string known;
  for (int i = 0; i <= static_cast<int>(Gate::amplifier); ++i) {
    const std::string_view candidate = photonic::gate_name(static_cast<Gate>(i));
    if (candidate == name) return static_cast<Gate>(i);
    known += (known.empty() ? "" : ", ") + std::string(candidate);
  }
  throw Error(ErrorCode::invalid_argument, "no photonic gate is called '" + std::string(name) + "'", "photonic circuit",
              "take one of " + known);
}

void append(photonic::Circuit& circuit, std::string_view name, const std::vector<nb::object>& params,
            const std::vector<std::uint32_t>& modes) {
  photonic::Instruction instruction{gate_from(name), {}, {}};
  if (modes.size() != gate_modes(instruction.gate) || params.size() > gate_parameters(instruction.gate) ||
      params.empty())
    throw Error(ErrorCode::invalid_argument,
                std::string(name) + " with " + std::to_string(params.size()) + " parameters on " +
                    std::to_string(modes.size()) + " modes",
                "photonic circuit",
                "pass " + std::to_string(gate_parameters(instruction.gate)) + " and " +
                    std::to_string(gate_modes(instruction.gate)));
  for (std::size_t i = 0; i < params.size(); ++i) instruction.params[i] = param_from(params[i]);
  for (std::size_t i = 0; i < modes.size(); ++i) instruction.modes[i] = modes[i];
  circuit.append(instruction);
}

/// Arrays of one call's outputs, made for the names that were asked for.
class Results {
 public:
  Results(const FockSimulator& simulator, std::size_t batch, const std::vector<std::string>& names) {
    const std::size_t modes = simulator.modes();
    values_.reserve(names.size());
    for (const std::string& name : names) {
      if (name == "kets") {
        kets_.resize(batch * simulator.amplitudes());
        outputs.kets = kets_;
        shape_ = {batch, simulator.amplitudes()};
        continue;
      }
      const bool is_norm = name == "norm";
      values_.push_back({name, std::vector<double>(is_norm ? batch : batch * modes)});
      field(name) = values_.back().second;
    }
    moments_shape_ = {batch, modes};
  }

  nb::dict dict() {
    nb::dict result;
    for (auto& [name, values] : values_) {
      const auto shape = name == "norm" ? std::vector<std::size_t>{moments_shape_[0]} : moments_shape_;
      result[name.c_str()] = owned(std::move(values), shape);
    }
    if (!shape_.empty()) result["kets"] = owned(std::move(kets_), shape_);
    return result;
  }

  FockOutputs outputs;

 private:
  std::span<double>& field(std::string_view name) {
    if (name == "norm") return outputs.norm;
    if (name == "x") return outputs.x;
    if (name == "p") return outputs.p;
    if (name == "n") return outputs.n;
    if (name == "n2") return outputs.n2;
    if (name == "a2_re") return outputs.a2_re;
    if (name == "a2_im") return outputs.a2_im;
    throw Error(ErrorCode::invalid_argument, "no output is called '" + std::string(name) + "'", "Fock simulator",
                "take norm, x, p, n, n2, a2_re, a2_im or kets");
  }

  std::vector<std::pair<std::string, std::vector<double>>> values_;
  std::vector<std::complex<double>> kets_;
  std::vector<std::size_t> moments_shape_, shape_;
};

/// A batch's initial states as arrays: alphas_re and alphas_im, or kets.
struct Inputs {
  std::optional<Numbers> re, im;
  std::optional<Kets> kets;
  std::size_t batch = 0;

  Inputs(const FockSimulator& simulator, std::optional<Numbers> alphas_re, std::optional<Numbers> alphas_im,
         std::optional<Kets> given)
      : re(std::move(alphas_re)), im(std::move(alphas_im)), kets(std::move(given)) {
    const std::size_t count = kets ? kets->size() : re ? re->size() : 0;
    const std::size_t each = kets ? simulator.amplitudes() : simulator.modes();
    if (count % each != 0)
      throw Error(ErrorCode::invalid_argument, std::to_string(count) + " numbers in samples of " + std::to_string(each),
                  "Fock simulator", "pass alphas of [batch, modes] or kets of [batch, amplitudes]");
    batch = count / each;
  }
  FockInputs view() const {
    FockInputs inputs{numbers(re), numbers(im), {}};
    if (kets) inputs.kets = std::span(kets->data(), kets->size());
    return inputs;
  }
};

nb::dict forward(FockSimulator& simulator, const Inputs& inputs, const std::vector<std::string>& names, bool record) {
  Results results(simulator, inputs.batch, names);
  {
    const nb::gil_scoped_release release;
    record ? simulator.record(inputs.batch, inputs.view(), results.outputs)
           : simulator.forward(inputs.batch, inputs.view(), results.outputs);
  }
  return results.dict();
}

struct Cotangents {
  std::optional<Numbers> norm, x, p, n, n2;
  std::optional<Kets> kets;
  FockCotangents view() const {
    FockCotangents c{numbers(norm), numbers(x), numbers(p), numbers(n), numbers(n2), {}};
    if (kets) c.kets = std::span(kets->data(), kets->size());
    return c;
  }
};

Cotangents cotangents_from(const nb::dict& given) {
  Cotangents c;
  for (const auto& [key, value] : given) {
    const auto name = nb::cast<std::string>(key);
    if (name == "kets") {
      c.kets = nb::cast<Kets>(value);
      continue;
    }
    std::optional<Numbers>* field = name == "norm" ? &c.norm
                                    : name == "x"  ? &c.x
                                    : name == "p"  ? &c.p
                                    : name == "n"  ? &c.n
                                    : name == "n2" ? &c.n2
                                                   : nullptr;
    if (field == nullptr)
      throw Error(ErrorCode::invalid_argument, "no cotangent is called '" + name + "'", "Fock simulator",
                  "take norm, x, p, n, n2 or kets");
    *field = nb::cast<Numbers>(value);
  }
  return c;
}

nb::tuple gradients_of(FockSimulator& simulator, std::size_t batch, bool of_kets, const auto& call) {
  std::vector<double> weights(simulator.weights()), re(of_kets ? 0 : batch * simulator.modes()), im(re.size());
  std::vector<std::complex<double>> kets(of_kets ? batch * simulator.amplitudes() : 0);
  {
    const nb::gil_scoped_release release;
    call(FockGradients{weights, re, im, kets});
  }
  const std::size_t count = weights.size();
  nb::object by_weights = owned(std::move(weights), {count});
  if (of_kets) return nb::make_tuple(by_weights, owned(std::move(kets), {batch, simulator.amplitudes()}));
  const std::vector<std::size_t> shape{batch, simulator.modes()};
  return nb::make_tuple(by_weights, owned(std::move(re), shape), owned(std::move(im), shape));
}

nb::tuple backward(FockSimulator& simulator, std::size_t batch, const nb::dict& cotangents, bool of_kets) {
  const Cotangents given = cotangents_from(cotangents);
  return gradients_of(simulator, batch, of_kets,
                      [&](const FockGradients& out) { simulator.backward(batch, given.view(), out); });
}

nb::tuple gradient(FockSimulator& simulator, const Inputs& inputs, const nb::dict& cotangents,
                   const std::vector<std::string>& names) {
  const Cotangents given = cotangents_from(cotangents);
  Results results(simulator, inputs.batch, names);
  const nb::tuple gradients =
      gradients_of(simulator, inputs.batch, inputs.kets.has_value(), [&](const FockGradients& out) {
        simulator.gradient(inputs.batch, inputs.view(), results.outputs, given.view(), out);
      });
  return nb::make_tuple(results.dict(), gradients);
}

#define SKERRY_FOCK_INPUTS                                         \
  "alphas_re: numpy.typing.NDArray[numpy.float64] | None = None, " \
  "alphas_im: numpy.typing.NDArray[numpy.float64] | None = None, " \
  "outputs: collections.abc.Sequence[str] = ('x', 'p'), "          \
  "kets: numpy.typing.NDArray[numpy.complex128] | None = None"
#define SKERRY_FOCK_COTANGENTS "cotangents: dict[str, numpy.typing.NDArray[Any]]"
#define SKERRY_FOCK_GRADIENTS "tuple[numpy.typing.NDArray[Any], ...]"

}  // namespace

void bind_photonic(nb::module_& m) {
  nb::class_<photonic::Circuit>(m, "PhotonicCircuit", R"(Gates on photonic modes, with numbered trainable weights.

>>> from skerry import PhotonicCircuit
>>> circuit = PhotonicCircuit(2)
>>> circuit.append("squeezing", [0.4], [0]).append("beam_splitter", [0.7, 0.1], [0, 1])
<PhotonicCircuit of 2 gates on 2 modes>
)")
      .def(nb::init<std::uint32_t, std::uint32_t>(), nb::arg("modes"), nb::arg("weights") = 0)
      .def_prop_ro("modes", &photonic::Circuit::modes)
      .def_prop_ro("weights", &photonic::Circuit::weights)
      .def("__len__", [](const photonic::Circuit& c) { return c.instructions().size(); })
      .def(
          "append",
          [](photonic::Circuit& self, std::string_view gate, const std::vector<nb::object>& params,
             const std::vector<std::uint32_t>& modes) -> photonic::Circuit& {
            append(self, gate, params, modes);
            return self;
          },
          nb::arg("gate"), nb::arg("params"), nb::arg("modes"), nb::rv_policy::reference,
          "Adds a gate; a parameter is a number or (weight, scale, offset).")
      .def("interferometer", &photonic::Circuit::interferometer, nb::arg("first"), nb::rv_policy::reference,
           "Beam splitters and rotations that read weights[first ...].")
      .def("layer", &photonic::Circuit::layer, nb::arg("first"), nb::rv_policy::reference,
           "A layer of a continuous-variable neural network that reads weights[first ...].")
      .def_static("layer_weights", &photonic::Circuit::layer_weights, nb::arg("modes"))
      .def_static(
          "from_circuit", &photonic::gates_of, nb::arg("circuit"),
          "The gates of a Circuit over modes on the vacuum, parameter k as weight k; measurements at its end are "
          "left out. Errors: Unsupported for what is no gate, and angles that are not scale * parameter + number.")
      .def("__repr__", [](const photonic::Circuit& c) {
        return "<PhotonicCircuit of " + std::to_string(c.instructions().size()) + " gates on " +
               std::to_string(c.modes()) + " modes>";
      });

  nb::class_<FockSimulator>(m, "FockSimulator", R"(A photonic circuit on batches of coherent states, with gradients.

>>> import numpy
>>> from skerry import FockSimulator, PhotonicCircuit
>>> squeezed = FockSimulator(PhotonicCircuit(1).append("squeezing", [0.3], [0]), [16])
>>> out = squeezed.forward(numpy.zeros((1, 1)), numpy.zeros((1, 1)), outputs=["n", "norm"])
>>> f"{out['n'][0, 0]:.6f} {numpy.sinh(0.3) ** 2:.6f}"
'0.092733 0.092733'
)")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(
          "__init__",
          [](FockSimulator* self, const photonic::Circuit& circuit, const std::vector<std::uint32_t>& cutoffs,
             std::string_view precision) {
            if (precision != "single" && precision != "double")
              throw Error(ErrorCode::invalid_argument, "precision '" + std::string(precision) + "'", "Fock simulator",
                          "take single or double");
            new (self) FockSimulator(circuit, cutoffs,
                                     precision == "single" ? Precision::single_precision : Precision::double_precision);
          },
          nb::arg("circuit"), nb::arg("cutoffs"), nb::arg("precision") = "double")
      .def_prop_ro("modes", &FockSimulator::modes)
      .def_prop_ro("weights", &FockSimulator::weights)
      .def_prop_ro("amplitudes", &FockSimulator::amplitudes)
      .def("workspace_bytes", &FockSimulator::workspace_bytes, nb::arg("with_gradient"))
      .def(
          "set_weights",
          [](FockSimulator& self, const Numbers& weights) {
            self.set_weights(std::span(weights.data(), weights.size()));
          },
          nb::arg("weights"), "Builds the matrices, unless these weights are the present ones.")
      .def(
          "forward",
          [](FockSimulator& self, std::optional<Numbers> re, std::optional<Numbers> im,
             const std::vector<std::string>& outputs, std::optional<Kets> kets) {
            return forward(self, Inputs(self, std::move(re), std::move(im), std::move(kets)), outputs, false);
          },
          nb::arg("alphas_re") = nb::none(), nb::arg("alphas_im") = nb::none(),
          nb::arg("outputs") = std::vector<std::string>{"x", "p"}, nb::arg("kets") = nb::none(),
          nb::sig("def forward(self, " SKERRY_FOCK_INPUTS ") -> dict[str, numpy.typing.NDArray[Any]]"),
          R"(Outputs by name for coherent states of [batch, modes], or for kets of [batch, amplitudes].

Names: norm, x, p, n, n2, a2_re, a2_im, kets. Expectations are of the cut ket, not divided by its norm.)")
      .def(
          "record",
          [](FockSimulator& self, std::optional<Numbers> re, std::optional<Numbers> im,
             const std::vector<std::string>& outputs, std::optional<Kets> kets) {
            return forward(self, Inputs(self, std::move(re), std::move(im), std::move(kets)), outputs, true);
          },
          nb::arg("alphas_re") = nb::none(), nb::arg("alphas_im") = nb::none(),
          nb::arg("outputs") = std::vector<std::string>{"x", "p"}, nb::arg("kets") = nb::none(),
          nb::sig("def record(self, " SKERRY_FOCK_INPUTS ") -> dict[str, numpy.typing.NDArray[Any]]"),
          "forward() that keeps all kets for backward().")
      .def("backward", backward, nb::arg("batch"), nb::arg("cotangents"), nb::arg("of_kets") = false,
           nb::sig("def backward(self, batch: int, " SKERRY_FOCK_COTANGENTS
                   ", of_kets: bool = False) -> " SKERRY_FOCK_GRADIENTS),
           R"(Gradients after the last record(): (by weights, by Re alpha, by Im alpha), or (by weights, by kets).

cotangents: dL/d(output) by name (norm, x, p, n, n2, kets), a ket's as dL/dRe + i dL/dIm.)")
      .def(
          "gradient",
          [](FockSimulator& self, const nb::dict& cotangents, std::optional<Numbers> re, std::optional<Numbers> im,
             const std::vector<std::string>& outputs, std::optional<Kets> kets) {
            return gradient(self, Inputs(self, std::move(re), std::move(im), std::move(kets)), cotangents, outputs);
          },
          nb::arg("cotangents"), nb::arg("alphas_re") = nb::none(), nb::arg("alphas_im") = nb::none(),
          nb::arg("outputs") = std::vector<std::string>(), nb::arg("kets") = nb::none(),
          nb::sig("def gradient(self, " SKERRY_FOCK_COTANGENTS ", " SKERRY_FOCK_INPUTS
                  ") -> tuple[dict[str, numpy.typing.NDArray[Any]], " SKERRY_FOCK_GRADIENTS "]"),
          "(outputs, gradients as of backward()) in one pass with less memory.");
}

}  // namespace skerry::python
