// Where a model goes is decided without its weights: here these lie in memory that nobody may read.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <skerry/edge.hpp>
#include <skerry/runtime.hpp>

namespace skerry::edge {
namespace {

// f32 of this shape whose every element is a fault.
Tensor forbidden(Shape shape) {
  const std::uint64_t bytes = tensor_bytes(DType::f32, shape);
  void* memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  EXPECT_NE(memory, MAP_FAILED);
  return {TensorView(DType::f32, shape, static_cast<const std::byte*>(memory)),
          std::shared_ptr<const void>(memory, [bytes](const void* p) { munmap(const_cast<void*>(p), bytes); })};
}

TensorType f32(Shape shape) {
  return TensorType::of(DType::f32, shape);
}

// Layers of 4 MiB, with a transpose that is computed beforehand.
Graph dense(int layers) {
  Graph graph;
  ValueId h = graph.add_input("x", f32({1, 1024}));
  for (int i = 0; i < layers; ++i) {
    const std::string name = std::to_string(i);
    const ValueId w = graph.add_constant("w" + name, forbidden({1024, 1024}));
    const ValueId turned = graph.add("Transpose", {w}, "t" + name, f32({1024, 1024}));
    h = graph.add("Relu", {graph.add("MatMul", {h, i % 2 == 0 ? w : turned}, "p" + name, f32({1, 1024}))}, "h" + name,
                  f32({1, 1024}));
  }
  graph.mark_output(h);
  return graph;
}

Graph convolutions(int layers) {
  Graph graph;
  const TensorType image = f32({1, 128, 14, 14});
  ValueId h = graph.add_input("x", image);
  for (int i = 0; i < layers; ++i) {
    const std::string name = std::to_string(i);
    Node conv{.op = "Conv", .inputs = {h, graph.add_constant("w" + name, forbidden({128, 128, 3, 3}))}};
    conv.set("pads", std::vector<std::int64_t>{1, 1, 1, 1});
    const std::array<std::string, 1> names = {"c" + name};
    const std::array<TensorType, 1> types = {image};
    h = graph.add("Relu", {graph.node(graph.add_node(std::move(conv), names, types)).outputs[0]}, "h" + name, image);
  }
  graph.mark_output(h);
  return graph;
}

class Weighing : public testing::TestWithParam<int> {
 protected:
  Graph graph = GetParam() == 0 ? dense(5) : convolutions(8);
  NamedTensors inputs = {{"x", Tensor(DType::f32, *graph.value(graph.inputs()[0]).type.static_shape())}};
  std::vector<TensorType> types = {graph.value(graph.inputs()[0]).type};
};

TEST_P(Weighing, APlanForItsPriceReadsNoWeights) {
  const Plan found = plan(graph, types);
  EXPECT_GT(found.peak_bytes, std::uint64_t{4} << 20);
  EXPECT_GT(found.seconds, 0.0);
}

TEST_P(Weighing, APlacementReadsNoWeightsWholeOrCut) {
  EdgeExecutionConfig config;
  config.max_memory_mb = 200;
  EdgeExecutor roomy(config, std::make_shared<CircuitCompiler>());
  EXPECT_EQ(roomy.place_model(graph, inputs).method, ExecutionMethod::edge);

  config.max_memory_mb = 0.5 * static_cast<double>(plan(graph, types).peak_bytes) / 1e6;
  config.cloud_endpoint = "http://127.0.0.1:9";
  EdgeExecutor tight(config, std::make_shared<CircuitCompiler>());
  const Placement told = tight.place_model(graph, inputs);
  EXPECT_EQ(told.method, ExecutionMethod::hybrid);
  ASSERT_TRUE(told.split);
  EXPECT_GT(told.split->weight_bytes, 0U);
}

INSTANTIATE_TEST_SUITE_P(Models, Weighing, testing::Values(0, 1));

}  // namespace
}  // namespace skerry::edge
