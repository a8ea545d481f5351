#include <nanobind/stl/pair.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <functional>
#include <memory>
#include <skerry/gradient.hpp>

#include "arrays.hpp"
#include "options.hpp"
#include "steering.hpp"

namespace skerry::python {
namespace {

using Reals = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;

std::span<const double> span_of(const Reals& array) {
  return {array.data(), array.size()};
}

/// A writable numpy array that owns the numbers.
nb::object owned(std::vector<double> numbers, std::initializer_list<std::size_t> shape) {
  auto* const owner = new std::vector<double>(std::move(numbers));
  const nb::capsule keeper(owner, [](void* p) noexcept { delete static_cast<std::vector<double>*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, double>(owner->data(), shape.size(), std::data(shape), keeper));
}

/// A program and the settings its questions are answered with.
class Gradients {
 public:
  Gradients(const Circuit& circuit, const std::vector<Observable>& observables, std::string_view precision)
      : program_(circuit, observables, precision_from_name(precision)) {
    double gates = 1.0;
    for (const Block& block : circuit.blocks()) gates += static_cast<double>(block.size());
    for (const Observable& observable : observables) gates += static_cast<double>(observable.terms().size());
    walk_ = std::ldexp(gates, static_cast<int>(circuit.num_wires()));
  }

  /// Rows of `parameters`, of any shape whose last axis is the parameters.
  std::size_t rows(const Reals& parameters) const {
    const std::size_t width = program_.num_parameters();
    return width == 0 ? 1 : parameters.size() / width;
  }

  bool matches(const Circuit& circuit) const { return program_.circuit() == circuit; }

  nb::object values(const Reals& parameters, int threads) const {
    std::vector<double> found;
    ask(static_cast<double>(rows(parameters)), threads,
        [&](const Limits& l) { found = program_.values(span_of(parameters), l); });
    return owned(std::move(found), {rows(parameters), program_.num_observables()});
  }

  std::pair<nb::object, nb::object> value_and_grad(const Reals& parameters, std::string_view method,
                                                   int threads) const {
    const GradientMethod how = gradient_method(method);
    const auto walks = static_cast<double>(how == GradientMethod::adjoint ? 4 : 2 * program_.num_parameters());
    ValuesAndGradients found;
    ask(static_cast<double>(rows(parameters)) * walks, threads,
        [&](const Limits& l) { found = program_.value_and_grad(span_of(parameters), how, l); });
    const std::size_t count = rows(parameters), outputs = program_.num_observables();
    return {owned(std::move(found.values), {count, outputs}),
            owned(std::move(found.derivatives), {count, outputs, program_.num_parameters()})};
  }

  std::pair<nb::object, nb::object> vector_jacobian(const Reals& parameters, const Reals& weights, int threads) const {
    ValuesAndGradients found;
    ask(4.0 * static_cast<double>(rows(parameters)), threads,
        [&](const Limits& l) { found = program_.vector_jacobian(span_of(parameters), span_of(weights), l); });
    const std::size_t count = rows(parameters);
    return {owned(std::move(found.values), {count, program_.num_observables()}),
            owned(std::move(found.derivatives), {count, program_.num_parameters()})};
  }

  nb::object hessian_vector(const Reals& parameters, const Reals& direction, int threads) const {
    std::vector<double> found;
    ask(8.0 * static_cast<double>(program_.num_parameters()), threads,
        [&](const Limits& l) { found = program_.hessian_vector(span_of(parameters), span_of(direction), l); });
    return owned(std::move(found), {program_.num_observables(), program_.num_parameters()});
  }

  nb::object fisher_information(const Reals& parameters, int threads) const {
    std::vector<double> found;
    ask(2.0 * static_cast<double>(program_.num_parameters()), threads,
        [&](const Limits& l) { found = program_.fisher_information(span_of(parameters), l); });
    return owned(std::move(found), {program_.num_parameters(), program_.num_parameters()});
  }

  nb::object probabilities(const Reals& parameters, const std::vector<std::uint32_t>& qubits, int threads) const {
    std::vector<double> found;
    ask(static_cast<double>(rows(parameters)), threads,
        [&](const Limits& l) { found = program_.probabilities(span_of(parameters), qubits, l); });
    const std::size_t each = found.size() / rows(parameters);
    return owned(std::move(found), {rows(parameters), each});
  }

 private:
  /// Below this many amplitude updates the work takes milliseconds and is done in place.
  static constexpr double kSmallWork = 1 << 22;

  void ask(double walks, int threads, const std::function<void(const Limits&)>& question) const {
    Steering steering{nb::object(nb::none())};
    Limits limits;
    limits.threads = threads;
    limits.control = steering.control();
    steering.run(walk_ * walks > kSmallWork, [&] { question(limits); });
  }

  GradientProgram program_;
  double walk_ = 0.0;  ///< amplitude updates of one walk
};

}  // namespace

void bind_gradient(nb::module_& m) {
  nb::class_<Gradients>(m, "GradientProgram", "A circuit and observables prepared for values and derivatives.")
      .def(nb::init<const Circuit&, const std::vector<Observable>&, std::string_view>(), nb::arg("circuit"),
           nb::arg("observables"), nb::arg("precision"))
      .def("matches", &Gradients::matches, nb::arg("circuit"), "True for a circuit equal to the prepared one.")
      .def("values", &Gradients::values, nb::arg("parameters"), nb::arg("threads"),
           nb::sig("def values(self, parameters: numpy.typing.NDArray[numpy.float64], threads: int) -> "
                   "numpy.typing.NDArray[numpy.float64]"))
      .def("value_and_grad", &Gradients::value_and_grad, nb::arg("parameters"), nb::arg("method"), nb::arg("threads"),
           nb::sig("def value_and_grad(self, parameters: numpy.typing.NDArray[numpy.float64], method: str, threads: "
                   "int) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]"))
      .def("vector_jacobian", &Gradients::vector_jacobian, nb::arg("parameters"), nb::arg("weights"),
           nb::arg("threads"),
           nb::sig("def vector_jacobian(self, parameters: numpy.typing.NDArray[numpy.float64], weights: "
                   "numpy.typing.NDArray[numpy.float64], threads: int) -> "
                   "tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]"))
      .def("hessian_vector", &Gradients::hessian_vector, nb::arg("parameters"), nb::arg("direction"),
           nb::arg("threads"),
           nb::sig("def hessian_vector(self, parameters: numpy.typing.NDArray[numpy.float64], direction: "
                   "numpy.typing.NDArray[numpy.float64], threads: int) -> numpy.typing.NDArray[numpy.float64]"))
      .def("fisher_information", &Gradients::fisher_information, nb::arg("parameters"), nb::arg("threads"),
           nb::sig("def fisher_information(self, parameters: numpy.typing.NDArray[numpy.float64], threads: int) -> "
                   "numpy.typing.NDArray[numpy.float64]"))
      .def("probabilities", &Gradients::probabilities, nb::arg("parameters"), nb::arg("qubits"), nb::arg("threads"),
           nb::sig("def probabilities(self, parameters: numpy.typing.NDArray[numpy.float64], qubits: "
                   "collections.abc.Sequence[int], threads: int) -> numpy.typing.NDArray[numpy.float64]"));
}

}  // namespace skerry::python
