#include "edge/remote/answer.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <memory>
#include <skerry/circuit.hpp>
#include <skerry/observable.hpp>
#include <span>
#include <variant>

#include "base/number_text.hpp"
#include "package/package.hpp"

namespace skerry::edge::remote {
namespace {

/// Single precision over many gates, and means over trajectories.
constexpr double kSlack = 1e-3;
/// What an approximate method may have lost before its norm is no norm any more.
constexpr double kMostLost = 0.5;

bool measures(const Circuit& circuit) {
  for (const Block& block : circuit.blocks()) {
    for (std::size_t i = 0; i < block.size(); ++i)
      if (block[i].op == Op::measure) return true;
  }
  return false;
}

std::uint64_t times(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) ? std::numeric_limits<std::uint64_t>::max() : out;
}

std::uint64_t plus(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t out = 0;
  return __builtin_add_overflow(a, b, &out) ? std::numeric_limits<std::uint64_t>::max() : out;
}

std::uint64_t two_to(std::size_t n) noexcept {
  return n < 64 ? std::uint64_t{1} << n : std::numeric_limits<std::uint64_t>::max();
}

std::string told(std::uint64_t asked, const std::string& what, std::uint64_t came) {
  return std::to_string(asked) + " " + what + " were asked for and " + std::to_string(came) + " came";
}

template <class T>
double norm_of(const Tensor& state) {
  double sum = 0.0;
  for (const std::complex<T> amplitude : state.view().as<std::complex<T>>())
    sum += std::norm(std::complex<double>(amplitude));
  return sum;
}

bool has_shape(const Tensor& tensor, std::uint64_t size) {
  return tensor.shape().rank() == 1 && static_cast<std::uint64_t>(tensor.shape()[0]) == size;
}

std::string wrong_counts(const wire::CircuitAnswer& answer, const Asked& asked) {
  std::uint64_t sum = 0;
  for (const auto& [outcome, count] : answer.counts) {
    if (asked.shots != 0 && outcome.size() != asked.bits)
      return "outcomes have " + std::to_string(asked.bits) + " bits and one of " + std::to_string(outcome.size()) +
             " came";
    sum = plus(sum, count);
  }
  if (sum != asked.shots) return told(asked.shots, "shots", sum);
  return {};
}

std::string wrong_memory(const wire::CircuitAnswer& answer, const Asked& asked) {
  if (asked.memory != answer.memory.has_value())
    return asked.memory ? "each shot was asked for and none came" : "shots one by one came unasked";
  if (!asked.memory) return {};
  const std::uint64_t words = (std::uint64_t{asked.bits} + 63) / 64;
  const Tensor& memory = *answer.memory;
  const auto& shape = memory.shape();
  if (memory.dtype() != DType::u64 || shape.rank() != 2 || static_cast<std::uint64_t>(shape[0]) != asked.shots ||
      static_cast<std::uint64_t>(shape[1]) != words)
    return "the shots one by one are [" + std::to_string(asked.shots) + "," + std::to_string(words) + "] words and " +
           memory.shape().text() + " came";
  return {};
}

std::string wrong_expectations(const wire::CircuitAnswer& answer, const Asked& asked) {
  if (answer.expectations.size() != asked.largest.size())
    return told(asked.largest.size(), "expectation values", answer.expectations.size());
  for (std::size_t i = 0; i < asked.largest.size(); ++i) {
    const double value = answer.expectations[i], most = asked.largest[i];
    if (!(std::abs(value) <= most * (1.0 + kSlack) + 1e-12))
      return "expectation value " + std::to_string(i) + " lies within " + base::number_text(most) + " of 0 and " +
             base::number_text(value) + " came";
  }
  if (answer.standard_errors.empty()) return {};
  if (answer.standard_errors.size() != asked.largest.size())
    return told(asked.largest.size(), "standard errors", answer.standard_errors.size());
  const bool fine = std::ranges::all_of(answer.standard_errors, [](double e) { return std::isfinite(e) && e >= 0.0; });
  return fine ? "" : "a standard error is no number from 0";
}

std::string wrong_norm(const char* of, double norm, double lost) {
  if (std::abs(norm - 1.0) <= kSlack + std::clamp(lost, 0.0, kMostLost)) return {};
  return std::string("the ") + of + " sum to " + base::number_text(norm) + ", not to 1";
}

std::string wrong_state(const wire::CircuitAnswer& answer, const Asked& asked) {
  if (asked.state != answer.state.has_value())
    return asked.state ? "the state was asked for and did not come" : "a state came unasked";
  if (!asked.state) return {};
  const Tensor& state = *answer.state;
  if (!has_shape(state, two_to(asked.wires)))
    return "the state of " + std::to_string(asked.wires) + " qubits has " + std::to_string(two_to(asked.wires)) +
           " amplitudes and " + state.shape().text() + " came";
  const double norm = state.dtype() == DType::c64 ? norm_of<float>(state) : norm_of<double>(state);
  return wrong_norm("squares of the state", norm, answer.discarded_weight);
}

std::string wrong_probabilities(const wire::CircuitAnswer& answer, const Asked& asked) {
  if (asked.probability_wires.has_value() != answer.probabilities.has_value())
    return asked.probability_wires ? "probabilities were asked for and did not come" : "probabilities came unasked";
  if (!asked.probability_wires) return {};
  const Tensor& found = *answer.probabilities;
  const std::uint64_t size = two_to(*asked.probability_wires);
  if (found.dtype() != DType::f64 || !has_shape(found, size))
    return std::to_string(size) + " probabilities were asked for and " + found.shape().text() + " came";
  double sum = 0.0;
  for (const double value : found.view().as<double>()) {
    if (!(value >= -kSlack)) return "a probability is " + base::number_text(value);
    sum += value;
  }
  return wrong_norm("probabilities", sum, answer.discarded_weight);
}

std::string wrong_tensors(const wire::CircuitAnswer& answer, const Asked& asked) {
  const std::size_t due = asked.tensors ? asked.tensors->size() : 0;
  if (answer.tensors.size() != due) return told(due, "tensors", answer.tensors.size());
  for (std::size_t i = 0; i < due; ++i) {
    const auto& [name, type] = (*asked.tensors)[i];
    const auto& [came, tensor] = answer.tensors[i];
    if (came != name) return "output '" + came.substr(0, 128) + "' came where '" + name + "' is due";
    if (type.dtype != tensor.dtype() || !type.takes(tensor.shape()))
      return "output '" + name + "' is " + TensorType::of(tensor.dtype(), tensor.shape()).text() + " where " +
             type.text() + " is due";
  }
  return {};
}

std::uint64_t tensors_bytes(const Asked& asked) noexcept {
  constexpr std::uint64_t kUnknown = std::uint64_t{1} << 30;  // where the shape hangs on values
  std::uint64_t sum = 0;
  for (const auto& [name, type] : *asked.tensors) {
    const auto shape = type.static_shape();
    sum = plus(sum, shape ? plus(4096, tensor_bytes(type.dtype, *shape)) : kUnknown);
  }
  return sum;
}

}  // namespace

std::uint64_t Asked::most_bytes() const noexcept {
  constexpr std::uint64_t kAround = std::uint64_t{1} << 20;  // names, the report, output variables
  if (tensors) return plus(kAround, tensors_bytes(*this));
  constexpr std::uint64_t kNumber = 64, kOutcome = 32;  // in JSON: an expectation and its error; a count
  std::uint64_t each = plus(4096, times(kNumber, largest.size()));
  each = plus(each, times(std::min(shots, two_to(bits)), std::uint64_t{bits} + kOutcome));
  if (state) each = plus(each, times(16, two_to(wires)));
  if (probability_wires) each = plus(each, times(8, two_to(*probability_wires)));
  if (memory) each = plus(each, times(shots, 8 * ((std::uint64_t{bits} + 63) / 64)));
  return plus(kAround, times(each, rows));
}

Asked asked_of(const wire::CircuitRequest& request) {
  const auto bytes = std::make_shared<const std::string>(request.program);
  const auto loaded = package::read(std::as_bytes(std::span(*bytes)), bytes);
  const auto* circuit = std::get_if<Circuit>(&loaded.contents.program);
  if (circuit == nullptr) throw Error(ErrorCode::corrupt, "it holds a model where a circuit is due", "program");
  Asked asked{.rows = std::max<std::size_t>(1, request.parameter_sets.size()),
              .wires = circuit->num_wires(),
              .bits = measures(*circuit) ? circuit->num_bits() : circuit->num_wires(),
              .shots = request.shots,
              .largest = {},
              .state = request.state,
              .memory = request.memory,
              .probability_wires = std::nullopt,
              .tensors = std::nullopt};
  for (const std::string& text : request.observables) {
    const Observable observable = Observable::parse(text, circuit->num_wires());
    double sum = 0.0;
    for (const PauliTerm& term : observable.terms()) sum += std::abs(term.coefficient);
    asked.largest.push_back(sum);
  }
  if (request.probabilities)
    asked.probability_wires =
        request.probability_wires.empty() ? circuit->num_wires() : request.probability_wires.size();
  return asked;
}

std::string misfit(const wire::CircuitReply& reply, const Asked& asked) {
  if (reply.results.size() != asked.rows) return told(asked.rows, "answers", reply.results.size());
  for (const wire::CircuitAnswer& answer : reply.results) {
    for (const auto wrong :
         {wrong_counts, wrong_memory, wrong_expectations, wrong_state, wrong_probabilities, wrong_tensors}) {
      std::string what = wrong(answer, asked);
      if (!what.empty()) return what;
    }
  }
  return {};
}

}  // namespace skerry::edge::remote
