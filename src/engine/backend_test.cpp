#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <skerry/backend.hpp>
#include <skerry/error.hpp>
#include <skerry/skerry.hpp>

namespace skerry {
namespace {

Graph digits_model() {
  return std::get<Graph>(load(std::filesystem::path(SKERRY_TEST_DATA) / "models" / "digits_cnn.onnx"));
}

Tensor sine_ramp(Shape shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
  return Tensor::from<float>(values, shape);
}

NamedTensors digits_inputs(const Graph& graph) {
  return {{graph.value(graph.inputs()[0]).name, sine_ramp({2, 1, 8, 8})}};
}

ErrorCode backend_code(const auto& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::corrupt;
}

double distance(const NamedTensors& a, const NamedTensors& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].first, b[i].first);
    const auto x = a[i].second.as<float>(), y = b[i].second.as<float>();
    EXPECT_EQ(x.size(), y.size());
    for (std::size_t k = 0; k < x.size(); ++k) most = std::max(most, std::abs(static_cast<double>(x[k] - y[k])));
  }
  return most;
}

struct Drill {
  Graph graph = digits_model();
  NamedTensors inputs = digits_inputs(graph);
  NamedTensors right = run(graph, inputs).tensors;
  std::shared_ptr<BackendRegistry> registry = std::make_shared<BackendRegistry>();
  std::shared_ptr<MockGPUBackend> gpu;

  explicit Drill(MockDevice device = {}, MockFaults faults = {})
      : gpu(std::make_shared<MockGPUBackend>(std::move(device), faults)) {
    registry->add(std::make_shared<CPUBackend>(), 0);
    registry->add(gpu, 10);
  }
};

// So many kernels does the model take on the device.
std::uint64_t kernels_of_digits() {
  Drill drill;
  RoutedModel model(drill.graph, drill.registry);
  model.run(drill.inputs);
  return drill.gpu->counters().kernels;
}

TEST(RoutedModel, GivesTheSameOnTheSimulatedDevice) {
  Drill drill;
  RoutedModel model(drill.graph, drill.registry);
  EXPECT_LT(distance(model.run(drill.inputs), drill.right), 1e-5);
  ASSERT_EQ(model.report().parts.size(), 1U);
  EXPECT_EQ(model.report().parts[0].backend, "mock_gpu");
  EXPECT_EQ(model.report().boundary_copies, 0U);
}

TEST(MockGPUBackend, TakesTheSameSimulatedTimeInEveryRun) {
  const auto seconds = [] {
    Drill drill;
    RoutedModel model(drill.graph, drill.registry);
    for (int i = 0; i < 3; ++i) model.run(drill.inputs);
    return drill.gpu->counters().seconds;
  };
  const double first = seconds();
  EXPECT_GT(first, 0.0);
  EXPECT_EQ(first, seconds());
}

TEST(MockGPUBackend, CountsWhatCrossesTheLinkAndGivesItsMemoryBack) {
  Drill drill;
  std::uint64_t weights = 0;
  for (const Value& value : drill.graph.values())
    if (value.constant) weights += value.constant->view().bytes();
  {
    RoutedModel model(drill.graph, drill.registry);
    model.run(drill.inputs);
    const MockCounters counters = drill.gpu->counters();
    EXPECT_EQ(counters.uploaded_bytes, weights + drill.inputs[0].second.view().bytes());
    EXPECT_EQ(counters.downloaded_bytes, drill.right[0].second.view().bytes());
    EXPECT_EQ(counters.used_bytes, weights);
    EXPECT_GT(counters.peak_bytes, weights);
  }
  EXPECT_EQ(drill.gpu->counters().used_bytes, 0U);
}

TEST(RoutedModel, SendsWhatADeviceDoesNotKnowElsewhereAndCountsTheCopies) {
  Drill drill({.operators = {"Conv", "Relu"}});
  RoutedModel model(drill.graph, drill.registry);
  EXPECT_LT(distance(model.run(drill.inputs), drill.right), 1e-5);
  const RouteReport& report = model.report();
  EXPECT_FALSE(report.reasons.empty());
  // Every change of backend along this chain of operators is one tensor copied.
  ASSERT_GT(report.parts.size(), 1U);
  for (std::size_t i = 1; i < report.parts.size(); ++i) EXPECT_NE(report.parts[i].backend, report.parts[i - 1].backend);
  EXPECT_EQ(report.boundary_copies, report.parts.size() - 1);
  EXPECT_GT(report.boundary_bytes, 0U);
}

TEST(RoutedModel, FollowsARouteOfOneOperatorAgainstThePriorities) {
  Drill drill;
  drill.registry->route("Gemm", "cpu");
  RoutedModel model(drill.graph, drill.registry);
  EXPECT_EQ(model.report().parts.back().backend, "cpu");
  EXPECT_EQ(model.report().parts.front().backend, "mock_gpu");
  EXPECT_LT(distance(model.run(drill.inputs), drill.right), 1e-5);
  drill.registry->route("Gemm", "");
  EXPECT_EQ(RoutedModel(drill.graph, drill.registry).report().parts.size(), 1U);
}

TEST(RoutedModel, GoesOnElsewhereWhereverTheDeviceIsLost) {
  const std::uint64_t kernels = kernels_of_digits();
  ASSERT_GT(kernels, 3U);
  for (std::uint64_t at = 0; at < kernels; ++at) {
    Drill drill({}, {.lost_at_kernel = at});
    RoutedModel model(drill.graph, drill.registry);
    EXPECT_LT(distance(model.run(drill.inputs), drill.right), 1e-5) << "lost at kernel " << at;
    ASSERT_EQ(model.report().recoveries.size(), 1U);
    EXPECT_EQ(model.report().recoveries[0].from, "mock_gpu");
    EXPECT_FALSE(drill.registry->rows()[0].healthy);
    EXPECT_EQ(drill.gpu->counters().kernels, at);
    // It is not asked again until somebody says that it is there.
    model.run(drill.inputs);
    EXPECT_TRUE(model.report().recoveries.empty());
    drill.gpu->set_faults({});
    drill.registry->restore("mock_gpu");
    RoutedModel again(drill.graph, drill.registry);
    EXPECT_LT(distance(again.run(drill.inputs), drill.right), 1e-5);
    EXPECT_EQ(again.report().parts[0].backend, "mock_gpu");
  }
}

TEST(RoutedModel, KeepsWhatWasDoneBeforeTheLoss) {
  // Two devices in a row: what the first has done is not done again by the second's heir.
  Drill drill({.name = "front", .operators = {"Conv", "Relu"}});
  const auto back = std::make_shared<MockGPUBackend>(MockDevice{.name = "back"}, MockFaults{.lost_at_kernel = 0});
  drill.registry->add(back, 5);
  RoutedModel model(drill.graph, drill.registry);
  EXPECT_LT(distance(model.run(drill.inputs), drill.right), 1e-5);
  std::uint64_t on_front = 0;
  for (const Node& node : drill.graph.nodes()) on_front += node.op == "Conv" || node.op == "Relu";
  EXPECT_EQ(drill.gpu->counters().kernels, on_front);
  ASSERT_EQ(model.report().recoveries.size(), 1U);
  EXPECT_EQ(model.report().recoveries[0].from, "back");
}

TEST(RoutedModel, MovesWhatDoesNotFitIntoTheDevicesMemory) {
  for (const MockDevice& device : {MockDevice{.memory_bytes = 1000}, MockDevice{.memory_bytes = 0}}) {
    Drill drill(device);
    RoutedModel model(drill.graph, drill.registry);
    EXPECT_LT(distance(model.run(drill.inputs), drill.right), 1e-5);
    EXPECT_EQ(model.report().recoveries.size(), 1U);
    EXPECT_TRUE(drill.registry->rows()[0].healthy);  // full, not lost
    EXPECT_EQ(drill.gpu->counters().used_bytes, 0U);
  }
  for (std::uint64_t at = 0; at < 2; ++at) {
    Drill drill({}, {.out_of_memory_at = at});
    RoutedModel model(drill.graph, drill.registry);
    EXPECT_LT(distance(model.run(drill.inputs), drill.right), 1e-5);
  }
  Drill drill({}, {.wrong_driver_at_compile = 0});
  RoutedModel model(drill.graph, drill.registry);
  EXPECT_LT(distance(model.run(drill.inputs), drill.right), 1e-5);
}

TEST(RoutedModel, TellsBothWhenThereIsNowhereElse) {
  Drill drill({}, {.lost_at_kernel = 2});
  drill.registry->remove("cpu");
  RoutedModel model(drill.graph, drill.registry);
  EXPECT_EQ(backend_code([&] { model.run(drill.inputs); }), ErrorCode::unavailable);
  EXPECT_EQ(backend_code([&] { RoutedModel(drill.graph, drill.registry); }), ErrorCode::unsupported);
  EXPECT_EQ(backend_code([&] { model.run({}); }), ErrorCode::invalid_argument);
}

TEST(BackendRegistry, KnowsItsBackendsByNameAndPriority) {
  Drill drill;
  EXPECT_EQ(drill.registry->rows()[0].name, "mock_gpu");
  EXPECT_EQ(drill.registry->rows()[1].name, "cpu");
  EXPECT_EQ(drill.registry->find("cpu")->info().kind, "cpu");
  EXPECT_EQ(backend_code([&] { drill.registry->find("npu"); }), ErrorCode::not_found);
  EXPECT_EQ(backend_code([&] { drill.registry->route("Conv", "npu"); }), ErrorCode::not_found);
  EXPECT_EQ(backend_code([&] { drill.registry->add(std::make_shared<CPUBackend>(), 3); }), ErrorCode::invalid_argument);
  drill.registry->remove("mock_gpu");
  EXPECT_EQ(drill.registry->rows().size(), 1U);
}

TEST(RoutedModel, RunsBranchesThatMeetAgain) {
  // x -> Relu (gpu) -> Exp (cpu) -+
  //   \-> Neg (cpu) -> Abs (gpu) -+-> Add
  Graph graph;
  graph.name = "branches";
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{Dim(4)}});
  const ValueId a = graph.add("Relu", {x}, "a", {DType::f32, std::vector<Dim>{Dim(4)}});
  const ValueId b = graph.add("Exp", {a}, "b", {DType::f32, std::vector<Dim>{Dim(4)}});
  const ValueId c = graph.add("Neg", {x}, "c", {DType::f32, std::vector<Dim>{Dim(4)}});
  const ValueId d = graph.add("Abs", {c}, "d", {DType::f32, std::vector<Dim>{Dim(4)}});
  graph.mark_output(graph.add("Add", {b, d}, "y", {DType::f32, std::vector<Dim>{Dim(4)}}));
  graph.mark_output(x);
  const auto registry = std::make_shared<BackendRegistry>();
  registry->add(std::make_shared<CPUBackend>());
  registry->add(std::make_shared<MockGPUBackend>(MockDevice{.operators = {"Relu", "Abs"}}), 1);
  RoutedModel model(graph, registry);
  const std::vector<float> values = {-1.0F, 0.0F, 0.5F, 2.0F};
  const NamedTensors out = model.run({{"x", Tensor::from<float>(values, {4})}});
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(out[0].second.as<float>()[i], std::exp(std::max(values[i], 0.0F)) + std::abs(values[i]), 1e-5);
    EXPECT_EQ(out[1].second.as<float>()[i], values[i]);
  }
  EXPECT_EQ(model.report().boundary_copies, 3U);
}

}  // namespace
}  // namespace skerry
