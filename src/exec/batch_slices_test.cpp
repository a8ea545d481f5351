#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <numeric>

#include "exec/executor.hpp"

namespace skerry::exec {
namespace {

// 16 MB: what one step reads and writes of it does not stay near.
constexpr std::int64_t kSide = 2048;
const TensorType kSquare = TensorType::of(DType::f32, {kSide, kSide});

std::shared_ptr<const planning::GraphPlan> plan_of(const Graph& graph, const TensorType& input) {
  return std::make_shared<const planning::GraphPlan>(planning::plan_graph(graph, std::array{input}, {}));
}

Tensor ramp(const Shape& shape) {
  Tensor out(DType::f32, shape);
  const auto values = out.mutable_view().as<float>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 1009) - 500.0F;
  return out;
}

// relu(x * row), and its sums along each row.
Graph scaled_rows(const Tensor& row, bool symbolic) {
  Graph graph;
  const TensorType type{DType::f32, std::vector<Dim>{symbolic ? Dim(std::string("N")) : Dim(kSide), Dim(kSide)}};
  const ValueId scaled = graph.add("Mul", {graph.add_input("x", type), graph.add_constant("row", row)}, "scaled");
  const ValueId y = graph.add("Relu", {scaled}, "y");
  const std::array<std::int64_t, 1> last = {1};
  const ValueId axes = graph.add_constant("axes", Tensor::from<std::int64_t>(last, {1}));
  graph.mark_output(y);
  graph.mark_output(graph.add("ReduceSum", {y, axes}, "sums"));
  return graph;
}

TEST(BatchSlices, EveryRowOfALargeBatchIsComputedAndMemoryIsThatOfAPart) {
  const Tensor row = ramp({kSide}), x = ramp({kSide, kSide});
  for (const bool symbolic : {false, true}) {
    const auto plan = plan_of(scaled_rows(row, symbolic), kSquare);
    ASSERT_GT(plan->slices, 1);
    EXPECT_NE(plan->report.explain().find(" slices"), std::string::npos);
    EXPECT_EQ(plan->report.memory.outputs, 4U * kSide * (kSide + 1));
    EXPECT_LE(plan->arena_bytes, 4U * kSide * kSide / static_cast<std::uint64_t>(plan->slices));
    GraphExecutor executor(plan, {});
    const std::array views = {x.view()};
    double told = 0.0;
    RunControl control;
    control.progress = Progress([&told](double fraction, std::string_view) {
      EXPECT_GE(fraction, told);
      told = fraction;
    });
    const auto outputs = executor.run(views, control);
    EXPECT_DOUBLE_EQ(told, 1.0);
    EXPECT_EQ(outputs[0].shape(), (Shape{kSide, kSide}));
    EXPECT_EQ(outputs[1].shape(), (Shape{kSide, 1}));
    const auto in = x.as<float>(), factor = row.as<float>(), out = outputs[0].as<float>();
    for (std::size_t i = 0; i < kSide; ++i) {
      double sum = 0.0;
      for (std::size_t k = 0; k < kSide; ++k) {
        const float expected = std::max(0.0F, in[i * kSide + k] * factor[k]);
        ASSERT_EQ(out[i * kSide + k], expected) << i << ' ' << k;
        sum += static_cast<double>(expected);
      }
      ASSERT_NEAR(static_cast<double>(outputs[1].as<float>()[i]), sum, 1e-5 * sum + 1e-3);
    }
    std::vector<double> seconds(plan->steps.size(), -1.0);
    executor.time_steps(views, {}, seconds);
    EXPECT_TRUE(std::ranges::all_of(seconds, [](double s) { return s >= 0.0; }));
    const Tensor wrong = ramp({kSide / 2, kSide});
    EXPECT_THROW(executor.run(std::array{wrong.view()}, RunControl()), Error);
  }
}

TEST(BatchSlices, ABatchWhoseStepsFitTheCacheIsLeftWhole) {
  const Tensor row = ramp({kSide});
  EXPECT_EQ(plan_of(scaled_rows(row, true), TensorType::of(DType::f32, {64, kSide}))->slices, 1);
}

// Each mixes rows, or knows how many there are.
TEST(BatchSlices, WhatMixesRowsIsLeftWhole) {
  using Build = std::function<ValueId(Graph&, ValueId)>;
  const auto integers = [](std::int64_t value) {
    return Tensor::from<std::int64_t>(std::array<std::int64_t, 1>{value}, {1});
  };
  const Build cases[] = {
      [](Graph& g, ValueId x) {
        const ValueId y = g.add("Softmax", {x}, "columns");
        g.edit_node(g.value(y).producer).set("axis", std::int64_t{0});
        return y;
      },
      [](Graph& g, ValueId x) {
        const ValueId y = g.add("Transpose", {x}, "turned");
        g.edit_node(g.value(y).producer).set("perm", std::vector<std::int64_t>{1, 0});
        return y;
      },
      [](Graph& g, ValueId x) {
        return g.add("Add", {x, g.add_constant("all", ramp({kSide, kSide}))}, "added");
      },
      [](Graph& g, ValueId x) {
        return g.add("Mul", {x, g.add("ReduceMean", {x}, "mean")}, "by_mean");
      },
      [](Graph& g, ValueId x) {
        return g.add("MatMul", {x, x}, "square");
      },
      [&](Graph& g, ValueId x) {
        return g.add("CumSum", {x, g.add_constant("axis", integers(0))}, "cumulated");
      },
      [&](Graph& g, ValueId x) {
        const ValueId rows =
            g.add("Gather", {g.add("Shape", {x}, "shape"), g.add_constant("zero", integers(0))}, "rows");
        const ValueId count = g.add("Cast", {rows}, "count");
        g.edit_node(g.value(count).producer).set("to", std::int64_t{1});
        return g.add("Div", {x, count}, "share");
      },
  };
  for (const Build& build : cases) {
    Graph graph;
    const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{Dim(std::string("N")), Dim(kSide)}});
    const ValueId y = build(graph, graph.add("Relu", {x}, "positive"));
    graph.mark_output(y);
    EXPECT_EQ(plan_of(graph, kSquare)->slices, 1) << graph.value(y).name;
  }
}

}  // namespace
}  // namespace skerry::exec
