#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <skerry/edge.hpp>
#include <skerry/skerry.hpp>

#include "base/thrown_by.hpp"
#include "edge/min_cut.hpp"

namespace skerry::edge {
namespace {

// Every way to cut, one after the other.
std::uint64_t least_of_all_cuts(std::size_t vertices,
                                const std::vector<std::tuple<std::size_t, std::size_t, std::uint64_t>>& edges) {
  std::uint64_t least = MinCut::kEndless;
  for (std::size_t side = 0; side < std::size_t{1} << vertices; ++side) {
    if ((side & 1) == 0 || (side >> (vertices - 1)) != 0) continue;
    std::uint64_t sum = 0;
    for (const auto& [from, to, capacity] : edges)
      sum += ((side >> from) & 1) != 0 && ((side >> to) & 1) == 0 ? capacity : 0;
    least = std::min(least, sum);
  }
  return least;
}

TEST(MinCut, IsTheLeastOfAllCuts) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const std::size_t vertices = 3 + random() % 7;
    std::vector<std::tuple<std::size_t, std::size_t, std::uint64_t>> edges;
    for (std::size_t i = 0; i < 3 * vertices; ++i)
      edges.emplace_back(random() % vertices, random() % vertices, random() % 20);
    MinCut flow(vertices);
    for (const auto& [from, to, capacity] : edges) flow.add(from, to, capacity);
    const std::vector<bool> side = flow.nearest_to_sink(0, vertices - 1);
    EXPECT_TRUE(side[0]);
    EXPECT_FALSE(side[vertices - 1]);
    std::uint64_t sum = 0;
    for (const auto& [from, to, capacity] : edges) sum += side[from] && !side[to] ? capacity : 0;
    EXPECT_EQ(sum, least_of_all_cuts(vertices, edges));
  }
}

NamedTensors run_halves(const GraphCut& cut, const NamedTensors& inputs) {
  const auto given = [&](const Graph& half, const NamedTensors& more) {
    NamedTensors out;
    for (const ValueId id : half.inputs()) {
      for (const NamedTensors* from : {&inputs, &more}) {
        for (const auto& [name, tensor] : *from) {
          if (name == half.value(id).name) out.emplace_back(name, tensor);
        }
      }
    }
    return out;
  };
  const NamedTensors middle = skerry::run(cut.head, given(cut.head, {})).tensors;
  const NamedTensors last = skerry::run(cut.tail, given(cut.tail, middle)).tensors;
  NamedTensors out;
  for (const std::string& wanted : cut.outputs) {
    for (const NamedTensors* from : {&middle, &last}) {
      for (const auto& [name, tensor] : *from) {
        if (name == wanted) out.emplace_back(name, tensor);
      }
    }
  }
  return out;
}

void expect_equal(const NamedTensors& a, const NamedTensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = a[i].second.as<float>(), y = b[i].second.as<float>();
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t k = 0; k < x.size(); ++k) EXPECT_NEAR(x[k], y[k], 1e-5) << a[i].first << ' ' << k;
  }
}

TEST(GraphCut, HalvesOfAModelGiveWhatTheWholeGives) {
  const auto graph = std::get<Graph>(load(std::string(SKERRY_TEST_DATA) + "/models/digits_cnn.onnx"));
  const Shape shape{2, 1, 8, 8};
  Tensor x(DType::f32, shape);
  auto values = x.mutable_view().as<float>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 17.0F;
  const TensorType type = TensorType::of(DType::f32, shape);
  const NamedTensors inputs{{graph.value(graph.inputs()[0]).name, x}};
  const GraphCut free = cut_graph(graph, std::span(&type, 1));
  EXPECT_FALSE(free.crossing.empty());
  expect_equal(run_halves(free, inputs), skerry::run(graph, inputs).tensors);
  // Less memory: fewer nodes here, more bytes across, the same answer.
  const double less = static_cast<double>(free.head_plan.peak_bytes) * 0.6 / 1e6;
  const GraphCut tight = cut_graph(graph, std::span(&type, 1), {.max_memory_mb = less});
  EXPECT_LT(tight.head.nodes().size(), free.head.nodes().size());
  EXPECT_GE(tight.crossing_bytes, free.crossing_bytes);
  EXPECT_LE(static_cast<double>(tight.head_plan.peak_bytes), less * 1e6);
  expect_equal(run_halves(tight, inputs), skerry::run(graph, inputs).tensors);
  EXPECT_EQ(base::thrown_by([&] { cut_graph(graph, std::span(&type, 1), {.max_memory_mb = 1e-5}); }).code(),
            ErrorCode::budget_exceeded);
}

TEST(GraphCut, AHybridIsCutWhereTheFewestBytesCross) {
  // 64 features -> 2 angles -> circuit -> 8 weights each: the two angles are the narrowest place.
  Graph graph;
  const auto filled = [](Shape shape) {
    Tensor tensor(DType::f32, shape);
    auto values = tensor.mutable_view().as<float>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.01F * static_cast<float>(i % 31);
    return tensor;
  };
  const TensorType input = TensorType::of(DType::f32, {4, 64});
  const ValueId x = graph.add_input("x", input);
  const ValueId angles = graph.add("MatMul", {x, graph.add_constant("w", filled({64, 2}))}, "angles");
  Circuit circuit(3);
  circuit.ry(circuit.parameter("a"), 0).ry(circuit.parameter("b"), 1).cx(0, 2).cx(1, 2);
  std::vector<Observable> observables;
  for (const char* text : {"Z0", "Z1", "Z2", "Z0 Z1", "X0"}) observables.push_back(Observable::parse(text, 3));
  const ValueId measured = add_circuit(graph, circuit, angles, std::move(observables), "measured");
  graph.mark_output(graph.add("MatMul", {measured, graph.add_constant("v", filled({5, 8}))}, "y"));
  const GraphCut cut = cut_graph(graph, std::span(&input, 1));
  EXPECT_EQ(cut.crossing, std::vector<std::string>{"angles"});
  EXPECT_EQ(cut.crossing_bytes, 4U * 2 * 4);
  EXPECT_EQ(cut.tail.nodes().size(), 2U);
  const NamedTensors inputs{{"x", filled({4, 64})}};
  expect_equal(run_halves(cut, inputs), skerry::run(graph, inputs).tensors);
}

}  // namespace
}  // namespace skerry::edge
