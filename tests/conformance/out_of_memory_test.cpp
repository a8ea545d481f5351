#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <skerry/edge_engine.hpp>
#include <skerry/error.hpp>
#include <skerry/optimization.hpp>
#include <skerry/profile.hpp>
#include <skerry/skerry.hpp>

#include "base/file.hpp"

// Every allocation of this program goes through here; one of this thread's may be told to fail.
namespace {
thread_local long allocations_left = -1;  // below 0: none fails
bool allocation_fails() noexcept {
  return allocations_left >= 0 && allocations_left-- == 0;
}
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  void* const data = allocation_fails() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return allocation_fails() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
}
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto width = static_cast<std::size_t>(alignment);
  void* const data = allocation_fails()
                         ? nullptr
                         : std::aligned_alloc(width, (bytes + width - 1) / width * width + (bytes == 0) * width);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}
[[gnu::noinline]] void operator delete(void* data) noexcept {
  std::free(data);
}
[[gnu::noinline]] void operator delete(void* data, std::size_t) noexcept {
  std::free(data);
}
[[gnu::noinline]] void operator delete(void* data, std::align_val_t) noexcept {
  std::free(data);
}
[[gnu::noinline]] void operator delete(void* data, std::size_t, std::align_val_t) noexcept {
  std::free(data);
}

namespace skerry {
namespace {

/// Does the work again and again, another allocation failing each time, until none was left to fail. What is thrown is
/// an error or bad_alloc; anything else ends the program. Gives how many failures there were.
template <class Work>
long failing_everywhere(Work work) {
  long failures = 0;
  for (long at = 0;; at += 1 + at / 40) {  // the first ones all, then more and more are left out
    allocations_left = at;
    bool failed = false;
    try {
      work();
    } catch (const Error&) {
      failed = true;
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    const bool reached = allocations_left < 0;
    allocations_left = -1;
    if (!reached) return failures;
    // A failure that was swallowed is one that the work can do without.
    failures += failed;
  }
}

std::string digits_bytes() {
  return base::read_file(std::filesystem::path(SKERRY_TEST_DATA) / "models" / "digits_cnn.onnx", 1 << 24);
}

NamedTensors half_gray(const Graph& graph) {
  const std::vector<float> pixels(64, 0.5F);
  return {{graph.value(graph.inputs()[0]).name, Tensor::from<float>(pixels, {1, 1, 8, 8})}};
}

TEST(OutOfMemory, LoadingAModelFailsWithAnErrorWhereverItHappens) {
  const std::string bytes = digits_bytes();
  EXPECT_GT(failing_everywhere([&] { ModelLoader().loads(bytes); }), 30);
}

TEST(OutOfMemory, CompilingAndRunningFailsWithAnErrorAndTheNextRunIsRight) {
  const Graph graph = std::get<Graph>(loads(digits_bytes()));
  const NamedTensors inputs = half_gray(graph);
  const Tensor right = run(graph, inputs).tensors[0].second;
  EXPECT_GT(failing_everywhere([&] { run(graph, inputs); }), 30);
  ModelRunner runner(std::make_shared<const Graph>(graph));
  EXPECT_GT(failing_everywhere([&] { runner.infer(inputs); }), 0);
  const Result after = runner.infer(inputs);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(after.tensors[0].second.as<float>()[i], right.as<float>()[i]);
}

TEST(OutOfMemory, TheEngineStaysUsable) {
  const Graph graph = std::get<Graph>(loads(digits_bytes()));
  const NamedTensors inputs = half_gray(graph);
  EdgeAIEngine engine({.workers = 1});
  engine.init();
  engine.load("digits", graph);
  EXPECT_GT(failing_everywhere([&] { engine.infer("digits", inputs); }), 3);
  EXPECT_EQ(engine.infer("digits", inputs).tensors.size(), 1U);
  EXPECT_GT(failing_everywhere([&] { engine.load("digits", graph); }), 3);
  EXPECT_EQ(engine.infer("digits", inputs).tensors.size(), 1U);
  const SchedulerStatistics counts = engine.statistics();
  EXPECT_EQ(counts.waiting, 0U);
  EXPECT_TRUE(engine.shutdown());
  for (const ModelRow& row : engine.models()) EXPECT_EQ(row.in_flight, 0U) << row.version;
}

TEST(OutOfMemory, ARoutedModelAndAProfileFailWithAnError) {
  const Graph graph = std::get<Graph>(loads(digits_bytes()));
  const NamedTensors inputs = half_gray(graph);
  machine_peaks();
  EXPECT_GT(failing_everywhere([&] {
              const auto registry = std::make_shared<BackendRegistry>();
              registry->add(std::make_shared<CPUBackend>());
              registry->add(std::make_shared<MockGPUBackend>(MockDevice{.operators = {"Conv"}}), 1);
              RoutedModel(graph, registry).run(inputs);
            }),
            30);
  EXPECT_GT(failing_everywhere([&] { profile(graph, inputs, {}, 1).html(); }), 30);
  EXPECT_GT(failing_everywhere([&] { RuleBasedPolicy().propose(model_features(graph, {})); }), 3);
}

}  // namespace
}  // namespace skerry
