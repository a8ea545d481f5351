#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <skerry/error.hpp>
#include <skerry/hybrid.hpp>

#include "exec/executor.hpp"
#include "plan/memory_layout.hpp"

namespace skerry::exec {
namespace {

TensorType vector_type(std::int64_t length) {
  return TensorType::of(DType::f32, {length});
}

std::shared_ptr<const planning::GraphPlan> plan_of(const Graph& graph, std::span<const TensorType> inputs,
                                                   const Limits& limits = {}) {
  return std::make_shared<const planning::GraphPlan>(planning::plan_graph(graph, inputs, limits));
}

std::vector<float> run_once(const Graph& graph, const std::vector<float>& x) {
  const std::array types = {vector_type(static_cast<std::int64_t>(x.size()))};
  GraphExecutor executor(plan_of(graph, types), {});
  const Tensor input = Tensor::from<float>(x, {static_cast<std::int64_t>(x.size())});
  const std::array views = {input.view()};
  const auto outputs = executor.run(views, {});
  return {outputs[0].as<float>().begin(), outputs[0].as<float>().end()};
}

// Random element-wise programs, evaluated once by the executor over a shared arena and once value by value: what
// in-place work, views and offsets get wrong shows here.
struct RandomProgram {
  Graph graph;
  std::vector<std::vector<double>> values;  ///< by ValueId
};

RandomProgram random_program(std::mt19937& random, const std::vector<float>& x, std::size_t nodes) {
  RandomProgram program;
  const auto length = static_cast<std::int64_t>(x.size());
  program.graph.add_input("x", vector_type(length));
  program.values.emplace_back(x.begin(), x.end());
  const auto pick = [&] { return static_cast<ValueId>(random() % program.values.size()); };
  for (std::size_t i = 0; i < nodes; ++i) {
    const ValueId a = pick(), b = pick();
    const auto &va = program.values[a], &vb = program.values[b];
    std::vector<double> out(x.size());
    const std::size_t kind = random() % 5;
    constexpr std::array kOps = {"Add", "Sub", "Relu", "Neg", "Identity"};
    for (std::size_t k = 0; k < out.size(); ++k) {
      const std::array results = {va[k] + vb[k], va[k] - vb[k], std::max(va[k], 0.0), -va[k], va[k]};
      out[k] = results[kind];
    }
    const std::string name = "v" + std::to_string(i);
    if (kind < 2) {
      program.graph.add(kOps[kind], {a, b}, name);
    } else {
      program.graph.add(kOps[kind], {a}, name);
    }
    program.values.push_back(std::move(out));
  }
  return program;
}

TEST(RunGraph, EqualsValueByValueEvaluationWhateverIsSharedOrInPlace) {
  std::mt19937 random(5);
  const std::vector<float> x = {0.5F, -1.0F, 2.0F, -0.25F, 3.0F};
  for (int round = 0; round < 300; ++round) {
    RandomProgram program = random_program(random, x, 12);
    std::vector<ValueId> outputs;
    for (int i = 0; i < 3; ++i) outputs.push_back(static_cast<ValueId>(random() % program.values.size()));
    program.graph.set_outputs(outputs);
    const std::array types = {vector_type(5)};
    GraphExecutor executor(plan_of(program.graph, types), {});
    const Tensor input = Tensor::from<float>(x, {5});
    const std::array views = {input.view()};
    for (int again = 0; again < 2; ++again) {
      const auto results = executor.run(views, {});
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        for (std::size_t k = 0; k < x.size(); ++k) {
          ASSERT_FLOAT_EQ(results[i].as<float>()[k], static_cast<float>(program.values[outputs[i]][k]))
              << "round " << round;
        }
      }
    }
    EXPECT_TRUE(std::ranges::equal(input.as<float>(), x)) << "an input was written";
  }
}

TEST(LayOutMemory, LetsAChainWorkInPlaceInItsOutput) {
  Graph graph;
  ValueId value = graph.add_input("x", vector_type(1000));
  for (int i = 0; i < 10; ++i) value = graph.add("Relu", {value}, "v" + std::to_string(i));
  graph.mark_output(value);
  const std::array types = {vector_type(1000)};
  const auto plan = plan_of(graph, types);
  EXPECT_EQ(plan->arena_bytes, 0U);
  EXPECT_EQ(plan->report.memory.outputs, 4000U);
}

// r = -x, y = conv(x) + r, z = conv(y), plus r when it is read again; images with channels last.
Graph residual_graph(bool again, std::span<const float> weights) {
  Graph graph;
  const ValueId x = graph.add_input("x", TensorType::of(DType::f32, {1, 5, 6, 16}));
  const ValueId r = graph.add("Neg", {x}, "r");
  const ValueId w = graph.add_constant("w", Tensor::from<float>(weights, {16, 16, 1, 1}));
  const ValueId y = graph.add("Conv", {x, w, kNoValue, r}, "y");
  const ValueId z = graph.add("Conv", {y, w, kNoValue, again ? r : kNoValue}, "z");
  for (const NodeId id : {NodeId{1}, NodeId{2}}) graph.edit_node(id).set("channels_last", std::int64_t{1});
  graph.mark_output(z);
  return graph;
}

// [pixels, 16] times the transpose of [16, 16], plus what is there.
void add_convolved(std::span<const double> x, std::span<const float> weights, std::span<double> y) {
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (std::size_t c = 0; c < 16; ++c) y[i] += static_cast<double>(weights[i % 16 * 16 + c]) * x[i / 16 * 16 + c];
  }
}

TEST(LayOutMemory, LetsAConvolutionEndWhereItsResidualStoodUnlessThatIsReadAgain) {
  std::vector<float> weights(256), floats(480);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.01F * static_cast<float>(i % 13) - 0.05F;
  for (std::size_t i = 0; i < floats.size(); ++i) floats[i] = 0.1F * static_cast<float>(i % 17) - 0.8F;
  const std::vector<double> x(floats.begin(), floats.end());
  const Tensor input = Tensor::from<float>(floats, {1, 5, 6, 16});
  const std::array types = {TensorType::of(DType::f32, {1, 5, 6, 16})};
  const std::array views = {input.view()};
  for (const bool again : {false, true}) {
    std::vector<double> r(x.size()), z(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) r[i] = -x[i];
    std::vector<double> y = r;
    add_convolved(x, weights, y);
    if (again) z = r;
    add_convolved(y, weights, z);
    const auto plan = plan_of(residual_graph(again, weights), types);
    const auto outputs = GraphExecutor(plan, {}).run(views, {});
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(outputs[0].as<float>()[i], z[i], 1e-4) << again << ' ' << i;
    // y stands where r stood; read again, r stands where the output comes.
    EXPECT_EQ(plan->arena_bytes, 1920U);
  }
}

TEST(RunGraph, WritesIntoTheCallersBuffer) {
  Graph graph;
  graph.mark_output(graph.add("Neg", {graph.add_input("x", vector_type(3))}, "y"));
  const std::array types = {vector_type(3)};
  GraphExecutor executor(plan_of(graph, types), {});
  const std::array<float, 3> x = {1, 2, 3};
  std::array<float, 3> y{};
  const std::array inputs = {TensorView(DType::f32, {3}, std::as_bytes(std::span(x)).data())};
  const std::array outputs = {MutableTensorView(DType::f32, {3}, std::as_writable_bytes(std::span(y)).data())};
  executor.run(inputs, outputs, {});
  EXPECT_EQ(y, (std::array<float, 3>{-1, -2, -3}));
  const std::array wrong = {MutableTensorView(DType::f32, {2}, std::as_writable_bytes(std::span(y)).data())};
  EXPECT_THROW(executor.run(inputs, wrong, {}), Error);
}

TEST(PlanGraph, RefusesInputsTheModelDoesNotTake) {
  Graph graph;
  graph.mark_output(graph.add("Neg", {graph.add_input("x", {DType::f32, std::vector<Dim>{std::string("N"), 3}})}, "y"));
  for (const TensorType& wrong :
       {TensorType::of(DType::f32, {2, 4}), TensorType::of(DType::f64, {2, 3}), TensorType::of(DType::f32, {3})}) {
    const std::array types = {wrong};
    EXPECT_THROW(planning::plan_graph(graph, types, {}), Error) << wrong.text();
  }
  const std::array right = {TensorType::of(DType::f32, {7, 3})};
  EXPECT_NO_THROW(planning::plan_graph(graph, right, {}));
}

TEST(PlanGraph, RefusesAModelThatNeedsMoreThanTheLimit) {
  Graph graph;
  graph.mark_output(graph.add("Neg", {graph.add_input("x", vector_type(1'000'000))}, "y"));
  const std::array types = {vector_type(1'000'000)};
  Limits limits;
  limits.max_memory_bytes = 3'999'999;
  try {
    planning::plan_graph(graph, types, limits);
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::budget_exceeded);
  }
  limits.max_memory_bytes = 4'000'064;
  EXPECT_NO_THROW(planning::plan_graph(graph, types, limits));
}

TEST(RunGraph, RunsACircuitNodeRowByRow) {
  Circuit circuit(2);
  const auto a = circuit.parameter("a"), b = circuit.parameter("b");
  circuit.rx(a, 0).rx(b, 1).cx(0, 1);
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{std::string("N"), 2}});
  graph.mark_output(add_circuit(graph, circuit, x, {Observable::parse("Z0", 2), Observable::parse("Z1", 2)}, "z"));
  const std::array types = {TensorType::of(DType::f32, {3, 2})};
  const auto plan = plan_of(graph, types);
  EXPECT_GT(plan->report.memory.state, 0U);
  GraphExecutor executor(plan, {});
  const std::array<float, 6> angles = {0.1F, 0.2F, 1.0F, -0.5F, 2.0F, 3.0F};
  const Tensor input = Tensor::from<float>(angles, {3, 2});
  const std::array views = {input.view()};
  const auto z = executor.run(views, {});
  ASSERT_EQ(z[0].shape(), Shape({3, 2}));
  for (std::size_t row = 0; row < 3; ++row) {
    EXPECT_NEAR(z[0].as<float>()[2 * row], std::cos(angles[2 * row]), 1e-6);
    EXPECT_NEAR(z[0].as<float>()[2 * row + 1], std::cos(angles[2 * row]) * std::cos(angles[2 * row + 1]), 1e-6);
  }
}

TEST(RunGraph, OfAnEmptyBatchGivesAnEmptyResult) {
  Graph graph;
  graph.mark_output(graph.add("Relu", {graph.add_input("x", vector_type(0))}, "y"));
  EXPECT_TRUE(run_once(graph, {}).empty());
}

TEST(RunGraph, ReadsWeightsThatStandAtAnyByteOfAFile) {
  constexpr std::size_t kCount = 3;
  const std::array<float, kCount> weights = {1, -2, 0.5};
  const auto file = std::make_shared<std::array<std::byte, 1 + sizeof weights>>();
  std::memcpy(file->data() + 1, weights.data(), sizeof weights);
  Graph graph;
  const ValueId x = graph.add_input("x", vector_type(kCount));
  const ValueId w = graph.add_constant("w", Tensor({DType::f32, {kCount}, file->data() + 1}, file));
  graph.mark_output(graph.add("Mul", {x, w}, "y"));
  EXPECT_EQ(run_once(graph, {2, 3, 4}), (std::vector<float>{2, -6, 2}));

  const std::array types = {vector_type(kCount)};
  const auto plan = plan_of(graph, types);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(plan->graph.value(w).constant->view().data()) % alignof(float), 0u);
}

TEST(RunGraph, RefusesABufferThatKernelsCannotRead) {
  Graph graph;
  graph.mark_output(graph.add("Neg", {graph.add_input("x", vector_type(2))}, "y"));
  const std::array types = {vector_type(2)};
  GraphExecutor executor(plan_of(graph, types), {});
  alignas(float) std::array<std::byte, 12> bytes{};
  const std::array views = {TensorView(DType::f32, {2}, bytes.data() + 1)};
  try {
    executor.run(views, {});
    FAIL() << "a misaligned buffer was read";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
    EXPECT_EQ(e.where(), "'x'");
  }
}

}  // namespace
}  // namespace skerry::exec
