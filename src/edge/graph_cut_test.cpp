#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <skerry/edge.hpp>
#include <skerry/skerry.hpp>

#include "base/thrown_by.hpp"
#include "edge/min_cut.hpp"
#include "ops/nn/op_record.hpp"

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
  const double less = static_cast<double>(free.here_plan.peak_bytes) * 0.6 / 1e6;
  const GraphCut tight = cut_graph(graph, std::span(&type, 1), {.max_memory_mb = less});
  EXPECT_LT(tight.head.nodes().size(), free.head.nodes().size());
  EXPECT_GE(tight.moved_bytes(), free.moved_bytes());
  EXPECT_LE(static_cast<double>(tight.here_plan.peak_bytes), less * 1e6);
  expect_equal(run_halves(tight, inputs), skerry::run(graph, inputs).tensors);
  EXPECT_EQ(base::thrown_by([&] { cut_graph(graph, std::span(&type, 1), {.max_memory_mb = 1e-5}); }).code(),
            ErrorCode::budget_exceeded);
}

// A chain with shortcuts of Concat nodes, each with a weight of its own length.
Graph branched(std::mt19937& random, std::size_t nodes) {
  Graph graph;
  std::vector<ValueId> values;
  for (const char* name : {"x", "y"})
    values.push_back(graph.add_input(name, TensorType::of(DType::f32, {1 + static_cast<std::int64_t>(random() % 40)})));
  for (std::size_t at = 0; at < nodes; ++at) {
    const Tensor weight(DType::f32, {1 + static_cast<std::int64_t>(random() % 60)});
    const ValueId w = graph.add_constant("w" + std::to_string(at), weight);
    Node node{.op = "Concat", .inputs = {at == 0 ? values[0] : values.back(), w}};
    if (random() % 2 == 0) node.inputs.push_back(values[random() % values.size()]);
    node.set("axis", std::int64_t{0});
    const std::array<std::string, 1> names = {"c" + std::to_string(at)};
    values.push_back(graph.node(graph.add_node(std::move(node), names)).outputs[0]);
  }
  graph.mark_output(values.back());
  return graph;
}

// Every way to halve it, one after the other; what a half elsewhere reads and what crosses, counted by the definition.
std::uint64_t least_of_all_halves(const Graph& graph, HalfHere here) {
  const std::size_t nodes = graph.nodes().size();
  std::uint64_t least = ~std::uint64_t{0};
  for (std::size_t head = 1; head < std::size_t{1} << (nodes - 1); head += 2) {
    const auto is_head = [head](NodeId id) { return (head >> id & 1) != 0; };
    bool is_closed = true;
    std::set<ValueId> moved;
    for (NodeId id = 0; id < nodes; ++id) {
      for (const ValueId input : graph.node(id).inputs) {
        const NodeId producer = graph.value(input).producer;
        if (producer == kNoNode) {
          if (is_head(id) != (here == HalfHere::head)) moved.insert(input);
        } else if (is_head(id) != is_head(producer)) {
          is_closed = is_closed && is_head(producer);
          moved.insert(input);
        }
      }
    }
    std::uint64_t bytes = 0;
    for (const ValueId id : moved) bytes += tensor_bytes(DType::f32, *graph.value(id).type.static_shape());
    if (is_closed) least = std::min(least, bytes);
  }
  return least;
}

TEST(GraphCut, NoOtherHalvesMoveFewerBytes) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    const Graph graph = branched(random, 3 + random() % 6);
    std::vector<TensorType> types;
    for (const ValueId id : graph.inputs()) types.push_back(graph.value(id).type);
    const Graph concrete = ops::specialize(graph, types);
    for (const HalfHere here : {HalfHere::head, HalfHere::tail}) {
      const GraphCut cut = cut_graph(graph, types, {}, here);
      EXPECT_EQ(cut.moved_bytes(), least_of_all_halves(concrete, here)) << round;
      EXPECT_EQ(cut.head.nodes().size() + cut.tail.nodes().size(), concrete.nodes().size());
    }
  }
}

TEST(GraphCut, TheTailStaysHereWhenTheHeadIsTooLarge) {
  Graph graph;
  const TensorType input = TensorType::of(DType::f64, {2});
  const ValueId x = graph.add_input("x", input);
  Circuit circuit(14);
  circuit.ry(circuit.parameter("a"), 0).ry(circuit.parameter("b"), 13);
  for (Wire layer = 1; layer <= 3; ++layer) {
    for (Wire wire = 0; wire < 14; ++wire) circuit.rxx(0.3 + layer, wire, (wire + layer) % 14).ry(0.2, wire);
  }
  const ValueId means = add_circuit(graph, circuit, x, {Observable::parse("Z13", 14)}, "means");
  graph.mark_output(graph.add("Exp", {means}, "y"));
  const EdgeExecutionConfig small{.max_memory_mb = 0.1};  // 2^14 amplitudes take 0.26 MB
  EXPECT_EQ(base::thrown_by([&] { cut_graph(graph, std::span(&input, 1), small); }).code(), ErrorCode::budget_exceeded);
  const GraphCut cut = cut_graph(graph, std::span(&input, 1), small, HalfHere::tail);
  EXPECT_EQ(cut.head.nodes()[0].op, "circuit");
  EXPECT_EQ(cut.tail.nodes()[0].op, "Exp");
  EXPECT_EQ(cut.crossing_bytes, 16U + 8U);
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
