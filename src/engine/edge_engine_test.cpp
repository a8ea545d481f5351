#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <latch>
#include <random>
#include <skerry/edge_engine.hpp>
#include <skerry/error.hpp>
#include <skerry/skerry.hpp>
#include <thread>

#include "base/file.hpp"
#include "base/memory_usage.hpp"

namespace skerry {
namespace {

using namespace std::chrono_literals;

// y = factor * x, for rows of any number.
Graph times(float factor) {
  Graph graph;
  graph.name = "times";
  const TensorType type{DType::f32, std::vector<Dim>{std::string("N")}};
  const ValueId x = graph.add_input("x", type);
  const ValueId k = graph.add_constant("k", Tensor::from<float>(std::span(&factor, 1), Shape{}));
  graph.mark_output(graph.add("Mul", {x, k}, "y", type));
  return graph;
}

NamedTensors ones(std::int64_t count) {
  const std::vector<float> values(static_cast<std::size_t>(count), 1.0F);
  return {{"x", Tensor::from<float>(values, {count})}};
}

float first_of(const Result& result) {
  return result.tensors.at(0).second.as<float>()[0];
}

ErrorCode engine_code(const auto& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::corrupt;
}

std::filesystem::path model_file(const char* name) {
  return std::filesystem::path(SKERRY_TEST_DATA) / "models" / name;
}

TEST(EdgeAIEngine, GoesFromInitToShutdown) {
  EdgeAIEngine engine({.workers = 2});
  EXPECT_EQ(engine.state(), EngineState::created);
  EXPECT_EQ(engine_code([&] { engine.load("digits", times(2)); }), ErrorCode::unavailable);
  engine.init();
  EXPECT_EQ(engine.load("digits", model_file("digits_cnn.onnx")), 1U);
  const Graph graph = std::get<Graph>(load(model_file("digits_cnn.onnx")));
  const std::vector<float> pixels(64, 0.5F);
  const NamedTensors inputs = {{graph.value(graph.inputs()[0]).name, Tensor::from<float>(pixels, {1, 1, 8, 8})}};
  const Result ours = engine.infer("digits", inputs), alone = run(graph, inputs);
  for (std::size_t i = 0; i < 10; ++i)
    EXPECT_EQ(ours.tensors[0].second.as<float>()[i], alone.tensors[0].second.as<float>()[i]);
  EXPECT_TRUE(engine.shutdown());
  EXPECT_EQ(engine.shutdown_order(), (std::vector<std::string>{"requests", "queue", "workers", "models", "backends"}));
  EXPECT_EQ(engine_code([&] { engine.infer("digits", inputs); }), ErrorCode::unavailable);
  EXPECT_EQ(engine.models()[0].state, ModelState::unloaded);
  engine.init();
  EXPECT_EQ(engine.load("digits", model_file("digits_cnn.onnx")), 2U);
}

TEST(EdgeAIEngine, LeavesNothingBehindInAThousandCycles) {
  const auto cycle = [] {
    EdgeAIEngine engine({.workers = 2});
    engine.init();
    engine.load("times", times(3));
    EXPECT_EQ(first_of(engine.infer("times", ones(4))), 3.0F);
    engine.shutdown();
  };
  for (int i = 0; i < 50; ++i) cycle();
  const std::uint64_t before = base::resident_bytes();
  for (int i = 0; i < 1000; ++i) cycle();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer keeps what was freed";
#endif
  EXPECT_LT(base::resident_bytes(), before + (std::uint64_t{8} << 20));
}

TEST(EdgeAIEngine, NoRequestFailsWhileItsModelIsSwapped) {
  EdgeAIEngine engine({.workers = 2});
  engine.init();
  engine.load("times", times(1));
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0}, wrong{0};
  std::atomic<float> newest{1.0F};
  std::vector<std::jthread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        const float least = newest;
        try {
          // At least the version that was ready before the request was sent.
          if (first_of(engine.infer("times", ones(8))) < least) ++wrong;
          ++answered;
        } catch (const std::exception&) {
          ++wrong;
        }
      }
    });
  }
  for (int version = 2; version <= 60; ++version) {
    engine.load("times", times(static_cast<float>(version)));
    newest = static_cast<float>(version);
    const int seen = answered;
    while (answered < seen + 3) std::this_thread::yield();
  }
  stop = true;
  clients.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(answered, 150);
  engine.shutdown();
  for (const ModelRow& row : engine.models()) {
    EXPECT_EQ(row.state, ModelState::unloaded) << row.version;
    EXPECT_EQ(row.in_flight, 0U);
  }
}

TEST(EdgeAIEngine, KeepsVersionsApartAndUnloads) {
  EdgeAIEngine engine;
  engine.init();
  engine.load("times", times(1));
  engine.load("times", times(2), true);
  EXPECT_EQ(first_of(engine.infer("times", ones(1))), 2.0F);
  EXPECT_EQ(first_of(engine.infer("times", ones(1), {.version = 1})), 1.0F);
  EXPECT_EQ(engine_code([&] { engine.infer("times", ones(1), {.version = 7}); }), ErrorCode::not_found);
  EXPECT_EQ(engine_code([&] { engine.infer("none", ones(1)); }), ErrorCode::not_found);
  EXPECT_EQ(engine_code([&] { engine.load("times", "/nonexistent.onnx"); }), ErrorCode::not_found);
  EXPECT_EQ(engine.models()[2].state, ModelState::failed);
  EXPECT_EQ(first_of(engine.infer("times", ones(1))), 2.0F);  // a load that failed changes nothing
  engine.unload("times");
  EXPECT_EQ(engine_code([&] { engine.infer("times", ones(1)); }), ErrorCode::not_found);
  EXPECT_EQ(engine_code([&] { engine.unload("none"); }), ErrorCode::not_found);
}

TEST(EdgeAIEngine, AnswersWhatItTookBeforeItEnds) {
  EdgeAIEngine engine({.workers = 1});
  engine.init();
  engine.load("times", times(4));
  std::vector<std::future<Result>> answers;
  for (int i = 0; i < 200; ++i) answers.push_back(engine.infer_async("times", ones(1000)));
  EXPECT_TRUE(engine.shutdown());
  for (auto& answer : answers) EXPECT_EQ(first_of(answer.get()), 4.0F);
}

TEST(EdgeAIEngine, TellsWhoseTimeIsOver) {
  EdgeAIEngine engine({.workers = 1});
  engine.init();
  engine.load("times", times(1));
  EXPECT_EQ(engine_code([&] { engine.infer("times", ones(1), {.timeout = 0s}); }), ErrorCode::deadline_exceeded);
  EXPECT_EQ(engine_code([&] { engine.infer("times", {}); }), ErrorCode::invalid_argument);
  EXPECT_EQ(engine_code([] { EdgeAIEngine({.workers = 0}); }), ErrorCode::invalid_argument);
  EXPECT_EQ(engine_code([] { EdgeAIEngine({.shutdown_grace_seconds = -1.0}); }), ErrorCode::invalid_argument);
}

TEST(EdgeAIEngine, TakesTimeoutsThatNoClockReachesAndRefusesThoseThatAreNone) {
  EdgeAIEngine engine({.workers = 1});
  engine.init();
  engine.load("times", times(1));
  const auto with = [&](double seconds) {
    return engine.infer("times", ones(1), {.timeout = std::chrono::duration<double>(seconds)});
  };
  for (const double seconds : {1e9, 1e300, HUGE_VAL}) EXPECT_EQ(first_of(with(seconds)), 1.0F);
  for (const double seconds : {-1.0, -HUGE_VAL, std::nan("")})
    EXPECT_EQ(engine_code([&] { with(seconds); }), ErrorCode::invalid_argument);
  EXPECT_EQ(engine.shutdown(), engine.shutdown());
}

// A CPU that waits where a model is loaded, or run, until it is let go.
class HeldBackend : public CPUBackend {
 public:
  struct Gate {
    std::latch entered{1}, opened{1};
    std::atomic<bool> used{false};
    void pass() {
      if (used.exchange(true)) return;
      entered.count_down();
      opened.wait();
    }
  };
  explicit HeldBackend(bool loads) : loads_(loads) {}
  std::optional<std::string> declines(const Graph& graph, const Node& node) const override {
    if (loads_) gate->pass();
    return CPUBackend::declines(graph, node);
  }
  std::unique_ptr<BackendProgram> compile(Graph part) override {
    return std::make_unique<Program>(loads_ ? nullptr : gate, CPUBackend::compile(std::move(part)));
  }
  const std::shared_ptr<Gate> gate = std::make_shared<Gate>();

 private:
  struct Program : BackendProgram {
    Program(std::shared_ptr<Gate> held_by, std::unique_ptr<BackendProgram> of)
        : gate(std::move(held_by)), program(std::move(of)) {}
    std::vector<Tensor> run(std::span<const Tensor> inputs, const RunControl& control) override {
      if (gate) gate->pass();
      return program->run(inputs, control);
    }
    std::shared_ptr<Gate> gate;
    std::unique_ptr<BackendProgram> program;
  };
  bool loads_;
};

EngineConfig over(const std::shared_ptr<HeldBackend>& backend) {
  EngineConfig config{.workers = 1};
  config.backends = std::make_shared<BackendRegistry>();
  config.backends->add(backend);
  return config;
}

TEST(EdgeAIEngine, KeepsADeadlineWhileItsWorkersAreBusy) {
  const auto backend = std::make_shared<HeldBackend>(false);
  EdgeAIEngine engine(over(backend));
  engine.init();
  engine.load("times", times(2));
  auto busy = engine.infer_async("times", ones(1));
  backend->gate->entered.wait();
  EXPECT_EQ(engine_code([&] { engine.infer("times", ones(1), {.timeout = 20ms}); }), ErrorCode::deadline_exceeded);
  backend->gate->opened.count_down();
  EXPECT_EQ(first_of(busy.get()), 2.0F);
}

TEST(EdgeAIEngine, AnOlderVersionThatIsReadyLateIsReplacedAlready) {
  const auto backend = std::make_shared<HeldBackend>(true);
  EdgeAIEngine engine(over(backend));
  engine.init();
  std::jthread older([&] { engine.load("times", times(1)); });
  backend->gate->entered.wait();
  engine.load("times", times(2));
  backend->gate->opened.count_down();
  older.join();
  EXPECT_EQ(engine.models()[0].state, ModelState::unloaded);
  EXPECT_EQ(first_of(engine.infer("times", ones(1))), 2.0F);
}

TEST(EdgeAIEngine, ALoadThatEndsAfterShutdownIsRefused) {
  const auto backend = std::make_shared<HeldBackend>(true);
  EdgeAIEngine engine(over(backend));
  engine.init();
  ErrorCode code = ErrorCode::corrupt;
  std::jthread late([&] { code = engine_code([&] { engine.load("times", times(1)); }); });
  backend->gate->entered.wait();
  EXPECT_TRUE(engine.shutdown());
  backend->gate->opened.count_down();
  late.join();
  EXPECT_EQ(code, ErrorCode::unavailable);
  EXPECT_EQ(engine.models()[0].state, ModelState::failed);
}

TEST(EdgeAIEngine, RunsOverBackendsAndSurvivesTheLossOfOne) {
  const auto gpu = std::make_shared<MockGPUBackend>(MockDevice{}, MockFaults{.lost_at_kernel = 10});
  EngineConfig config{.workers = 2};
  config.backends = std::make_shared<BackendRegistry>();
  config.backends->add(gpu, 1);
  config.backends->add(std::make_shared<CPUBackend>());
  EdgeAIEngine engine(config);
  engine.init();
  engine.load("times", times(5));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(first_of(engine.infer("times", ones(3))), 5.0F);
  EXPECT_EQ(gpu->counters().kernels, 10U);
  EXPECT_FALSE(config.backends->rows()[0].healthy);
}

TEST(ModelRunner, GivesEveryThreadBuffersOfItsOwn) {
  ModelRunner engine(std::make_shared<const Graph>(times(2)));
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          const std::vector<float> values(16, static_cast<float>(t * 100 + i));
          const Result result = engine.infer({{"x", Tensor::from<float>(values, {16})}});
          for (const float y : result.tensors[0].second.as<float>()) wrong += y != 2.0F * values[0];
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  const RunnerStatistics counts = engine.statistics();
  EXPECT_EQ(counts.runs, 400U);
  EXPECT_EQ(counts.plans, 1U);
  EXPECT_LE(counts.executors, 4U);
  for (std::int64_t n = 1; n < 20; ++n) engine.infer(ones(n));
  EXPECT_LE(engine.statistics().plans, 4U);
  EXPECT_LE(engine.statistics().executors, 4U);
}

TEST(ModelLoader, TellsWhatItRead) {
  const LoadedModel model = ModelLoader().load(model_file("digits_cnn.onnx"));
  EXPECT_TRUE(std::ranges::is_sorted(model.operators));
  EXPECT_TRUE(std::ranges::find(model.operators, "Conv") != model.operators.end());
  EXPECT_GT(model.weight_bytes, 1000U);
  EXPECT_EQ(engine_code([] { ModelLoader({}, 100).load(model_file("digits_cnn.onnx")); }), ErrorCode::limit_exceeded);
  EXPECT_EQ(engine_code([] { ModelLoader().loads("OPENQASM 2.0; include \"qelib1.inc\"; qreg q[1]; h q[0];"); }),
            ErrorCode::unsupported);
}

// Bytes changed, cut, doubled: an error or a model, never more.
TEST(ModelLoader, RefusesTenThousandDamagedModelsWithoutFailing) {
  const std::filesystem::path folder =
      std::filesystem::path(SKERRY_TEST_DATA).parent_path() / "fuzz" / "corpus" / "onnx";
  std::vector<std::string> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("ok_") && entry.file_size() < 4096)
      seeds.push_back(base::read_file(entry.path(), 1 << 20));
  }
  ASSERT_GT(seeds.size(), 5U);
  std::mt19937_64 random(7);
  const ModelLoader loader;
  int accepted = 0, refused = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes = seeds[random() % seeds.size()];
    for (std::uint64_t changes = 1 + random() % 4; changes > 0 && !bytes.empty(); --changes) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.resize(at);
          break;
        case 2:
          bytes.insert(at, bytes.substr(at, random() % 32));
          break;
        case 3:
          bytes[at] = static_cast<char>(bytes[at] ^ (1U << (random() % 8)));
          break;
      }
    }
    try {
      loader.loads(bytes);
      ++accepted;
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace skerry
