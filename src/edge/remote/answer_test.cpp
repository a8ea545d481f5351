#include "edge/remote/answer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <functional>
#include <limits>
#include <skerry/skerry.hpp>

#include "edge/remote/cloud.hpp"

namespace skerry::edge::remote {
namespace {

Tensor state_of(std::vector<std::complex<double>> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return Tensor::from<std::complex<double>>(values, {size});
}

/// Everything that can be asked of two qubits at once, and a right answer.
RunOptions everything() {
  RunOptions options;
  options.shots = 10;
  options.observables = {Observable::parse("Z0 - 0.5*X1", 2), Observable::parse("3", 2)};
  options.want_state = options.want_memory = options.want_probabilities = true;
  options.probability_wires = {1};
  return options;
}

wire::CircuitAnswer right() {
  wire::CircuitAnswer answer;
  answer.counts = {{"00", 4}, {"11", 6}};
  answer.memory = Tensor::from<std::uint64_t>(std::vector<std::uint64_t>{0, 3, 3, 3, 0, 0, 3, 3, 0, 3}, {10, 1});
  answer.expectations = {-1.5, 3.0};
  answer.probabilities = Tensor::from<double>(std::vector<double>{0.5, 0.5}, {2});
  answer.state = state_of({std::sqrt(0.5), 0, 0, std::sqrt(0.5)});
  return answer;
}

Circuit entangled() {
  Circuit circuit(2);
  circuit.h(0).cx(0, 1);
  return circuit;
}

TEST(Answer, ThatIsNotOneOfThisQuestionIsNamedForWhatIsWrong) {
  const Asked asked = asked_of(request_of(entangled(), everything(), "t"));
  EXPECT_EQ(misfit({.id = {}, .results = {right()}}, asked), "");
  using Change = std::function<void(wire::CircuitAnswer&)>;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::pair<Change, std::string>> cases{
      {[](auto& a) { a.counts.clear(); }, "10 shots were asked for and 0 came"},
      {[](auto& a) { a.counts.pop_back(); }, "10 shots were asked for and 4 came"},
      {[](auto& a) { a.counts[0].second = ~std::uint64_t{0}; }, "10 shots"},
      {[](auto& a) { a.counts[0].first = "000"; }, "2 bits and one of 3"},
      {[](auto& a) { a.memory.reset(); }, "each shot"},
      {[](auto& a) {
         a.memory = Tensor::from<std::uint64_t>(std::vector<std::uint64_t>(9), {9, 1});
       },
       "[9,1]"},
      {[](auto& a) {
         a.memory = Tensor::from<double>(std::vector<double>(10), {10, 1});
       },
       "one by one"},
      {[](auto& a) { a.expectations.clear(); }, "2 expectation values were asked for and 0 came"},
      {[](auto& a) { a.expectations.push_back(0.0); }, "2 expectation values were asked for and 3 came"},
      {[](auto& a) { a.expectations[0] = 1.6; }, "expectation value 0"},
      {[nan](auto& a) { a.expectations[1] = nan; }, "expectation value 1"},
      {[](auto& a) { a.standard_errors = {0.1}; }, "2 standard errors"},
      {[](auto& a) {
         a.standard_errors = {0.1, -0.1};
       },
       "standard error"},
      {[](auto& a) { a.state.reset(); }, "the state was asked for"},
      {[](auto& a) {
         a.state = state_of({1, 0});
       },
       "4 amplitudes and [2] came"},
      {[](auto& a) {
         a.state = state_of({1, 0, 0});
       },
       "4 amplitudes and [3] came"},
      {[](auto& a) {
         a.state = state_of({0, 0, 0, 0});
       },
       "not to 1"},
      {[](auto& a) {
         a.discarded_weight = 1.0, a.state = state_of({0, 0, 0, 0});
       },
       "not to 1"},
      {[nan](auto& a) {
         a.state = state_of({nan, 0, 0, 0});
       },
       "not to 1"},
      {[](auto& a) { a.probabilities.reset(); }, "probabilities were asked for"},
      {[](auto& a) { a.probabilities = Tensor::from<double>(std::vector<double>(4, 0.25), {4}); }, "2 probabilities"},
      {[](auto& a) {
         a.probabilities = Tensor::from<double>(std::vector<double>{2, -1}, {2});
       },
       "a probability is"},
      {[](auto& a) {
         a.probabilities = Tensor::from<double>(std::vector<double>{0.2, 0.2}, {2});
       },
       "not to 1"},
  };
  for (const auto& [change, expected] : cases) {
    wire::CircuitAnswer wrong = right();
    change(wrong);
    const std::string found = misfit({.id = {}, .results = {std::move(wrong)}}, asked);
    EXPECT_NE(found.find(expected), std::string::npos) << expected << ": " << found;
  }
  EXPECT_NE(misfit({.id = {}, .results = {}}, asked), "");
  EXPECT_NE(misfit({.id = {}, .results = {right(), right()}}, asked), "");
  Asked plain = asked_of(request_of(entangled(), {}, "t"));
  EXPECT_EQ(misfit({.id = {}, .results = {{}}}, plain), "");
  EXPECT_NE(misfit({.id = {}, .results = {right()}}, plain), "") << "nothing of it was asked for";
}

TEST(Answer, HasTheBitsThatTheCircuitMeasures) {
  Circuit measuring(3, 2);
  measuring.h(0).measure(0, 1);
  RunOptions options;
  options.shots = 5;
  EXPECT_EQ(asked_of(request_of(measuring, options, "t")).bits, 2U);
  EXPECT_EQ(asked_of(request_of(entangled(), options, "t")).bits, 2U);
  Circuit idle(3, 2);
  idle.h(0);
  EXPECT_EQ(asked_of(request_of(idle, options, "t")).bits, 3U) << "nothing is measured: all wires are";
  for (const Circuit& circuit : {measuring, entangled(), idle, Circuit(0)})
    EXPECT_EQ(run(circuit, options).counts.bits(), asked_of(request_of(circuit, options, "t")).bits);
}

TEST(Answer, HasRoomForWhatWasAskedForAndNoMore) {
  constexpr std::uint64_t kMega = std::uint64_t{1} << 20;
  RunOptions options;
  options.want_state = true;
  EXPECT_LT(asked_of(request_of(entangled(), options, "t")).most_bytes(), 2 * kMega);
  EXPECT_GE(asked_of(request_of(Circuit(24), options, "t")).most_bytes(), 256 * kMega);
  EXPECT_LT(asked_of(request_of(Circuit(24), options, "t")).most_bytes(), 258 * kMega);
  EXPECT_EQ(asked_of(request_of(Circuit(70), options, "t")).most_bytes(), ~std::uint64_t{0});
  options.want_state = false;
  options.shots = 1'000'000;
  EXPECT_LT(asked_of(request_of(entangled(), options, "t")).most_bytes(), 2 * kMega) << "there are four outcomes";
  EXPECT_GE(asked_of(request_of(Circuit(40), options, "t")).most_bytes(), 40'000'000U);
}

}  // namespace
}  // namespace skerry::edge::remote
