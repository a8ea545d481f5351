#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <set>
#include <skerry/backend.hpp>
#include <skerry/batching.hpp>
#include <skerry/inference_engine.hpp>
#include <skerry/skerry.hpp>
#include <thread>

#include "base/memory_usage.hpp"
#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "plan/planner.hpp"

namespace {
/// What this thread asked operator new for so far.
thread_local std::uint64_t news = 0;
/// How many more it may; then there is no memory.
thread_local std::uint64_t news_left = ~std::uint64_t{0};
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++news;
  if (news_left == 0) throw std::bad_alloc();
  --news_left;
  if (void* const block = std::malloc(std::max<std::size_t>(bytes, 1))) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  try {
    return operator new(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

namespace skerry {
namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

/// y = relu(x W1) W2 over x f32[N, width]; weights as trained ones lie: small, centred.
std::shared_ptr<const Graph> perceptron(std::int64_t width, bool free_rows = true) {
  std::mt19937 random(static_cast<unsigned>(width));
  std::normal_distribution<float> normal(0.0F, 0.05F);
  const auto weights = [&] {
    Tensor tensor(DType::f32, {width, width});
    for (float& w : tensor.mutable_view().as<float>()) w = normal(random);
    return tensor;
  };
  Graph graph;
  const Dim rows = free_rows ? Dim("N") : Dim(2);
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{rows, Dim(width)}});
  const ValueId first = graph.add_constant("w1", weights()), second = graph.add_constant("w2", weights());
  const TensorType type{DType::f32, std::vector<Dim>{rows, Dim(width)}};
  const ValueId hidden = graph.add("Relu", {graph.add("MatMul", {x, first}, "h", type)}, "r", type);
  graph.mark_output(graph.add("MatMul", {hidden, second}, "y", type));
  return std::make_shared<const Graph>(std::move(graph));
}

Tensor ramp(std::int64_t rows, std::int64_t width) {
  Tensor tensor(DType::f32, {rows, width});
  float next = -1.0F;
  for (float& x : tensor.mutable_view().as<float>()) x = next = next > 1.0F ? -1.0F : next + 0.01F;
  return tensor;
}

std::vector<float> values(const Tensor& tensor) {
  return {tensor.as<float>().begin(), tensor.as<float>().end()};
}

TEST(InferenceEngine, LoadsAFileOnceUntilItChanges) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "model.skerry";
  save(*perceptron(64), path);
  InferenceEngine engine;
  const auto first = engine.load_model(path);
  const auto begin = std::chrono::steady_clock::now();
  const auto second = engine.load_model(folder.path() / "." / "model.skerry");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1));
  EXPECT_EQ(first, second);
  EXPECT_EQ(first->graph(), second->graph());  // the same weights, on the same pages
  save(*perceptron(65), path);
  EXPECT_NE(engine.load_model(path), first);
  PublicKey key{};
  EXPECT_EQ(base::thrown_by([&] { engine.load_model(path, {.trusted = {key}}); }).code(), ErrorCode::bad_signature);
}

TEST(InferenceEngine, NeverWritesOverAResultThatIsHeld) {
  InferenceEngine engine;
  const auto model = engine.add_model("m", perceptron(32));
  const std::array one = {ramp(4, 32)}, two = {ramp(4, 32)};
  const Tensor input = Tensor(DType::f32, {4, 32});
  auto held = engine.run_inference(*model, one);
  const std::vector<float> before = values(held[0]);
  const auto* const place = held[0].view().data();
  const auto zeros = engine.run_inference(*model, std::array{input});
  EXPECT_NE(zeros[0].view().data(), place);
  EXPECT_EQ(values(held[0]), before);
  EXPECT_EQ(values(zeros[0]), std::vector<float>(4 * 32, 0.0F));
  held.clear();
  EXPECT_EQ(engine.run_inference(*model, two)[0].view().data(), place);  // and uses it again when nobody does
}

TEST(InferenceEngine, TakesNothingFromTheManagerAfterTheFirstRun) {
  InferenceEngine engine;
  const auto model = engine.add_model("m", perceptron(64));
  const std::array inputs = {ramp(4, 64)};
  engine.run_inference(*model, inputs);
  const std::uint64_t allocations = engine.memory().usage().allocations;
  for (int i = 0; i < 10; ++i) engine.run_inference(*model, inputs);
  EXPECT_EQ(engine.memory().usage().allocations, allocations);
}

TEST(Session, RunsIntoTheCallersBuffersWithoutAnyAllocationFromTheSecondRunOn) {
  const MemoryManager memory;
  Session session(perceptron(64), {.threads = 1});
  const Tensor input = ramp(4, 64);
  Tensor output(DType::f32, {4, 64});
  const std::array inputs = {input.view()};
  const std::array outputs = {output.mutable_view()};
  const MemoryScope scope(memory, "runs");
  session.run_into(inputs, outputs);
  const std::vector<float> first = values(output);
  for (float& y : output.mutable_view().as<float>()) y = 0.0F;
  const std::uint64_t allocations = memory.usage().allocations;
  const std::uint64_t before = news;
  session.run_into(inputs, outputs);
  const std::uint64_t after = news;
  EXPECT_EQ(after, before);
  EXPECT_EQ(memory.usage().allocations, allocations);
  EXPECT_EQ(values(output), first);
  EXPECT_EQ(values(session.run({{"x", input}}).tensors[0].second), first);
  EXPECT_GT(news, after);  // the counter counts
  const std::array wrong = {MutableTensorView(DType::f32, {2, 64}, output.mutable_view().data())};
  EXPECT_EQ(base::thrown_by([&] { session.run_into(inputs, wrong); }).code(), ErrorCode::type_mismatch);
  EXPECT_EQ(base::thrown_by([&] { session.run_into({}, outputs); }).code(), ErrorCode::invalid_argument);
}

TEST(Session, RunsALargeBatchInSlicesWithoutAnyAllocationFromTheSecondRunOn) {
  Session session(perceptron(256), {.threads = 1});
  const Tensor input = ramp(8192, 256);
  const std::array types = {TensorType::of(input.dtype(), input.shape())};
  ASSERT_FALSE(session.plan(types).candidates.empty()) << "the batch runs whole, so this tests nothing";
  Tensor output(DType::f32, {8192, 256});
  const std::array inputs = {input.view()};
  const std::array outputs = {output.mutable_view()};
  session.run_into(inputs, outputs);
  const std::uint64_t before = news;
  session.run_into(inputs, outputs);
  EXPECT_EQ(news, before);
}

// Operators whose kernels in vectors take the place of loops over copies, which allocate.
TEST(Session, RunsOperatorsOnImagesWithoutAnyAllocationFromTheSecondRunOn) {
  Graph graph;
  const auto floats = [&](const char* name, const Shape& shape, float value) {
    Tensor tensor(DType::f32, shape);
    for (float& v : tensor.mutable_view().as<float>()) v = value += 0.01F;
    return graph.add_constant(name, std::move(tensor));
  };
  const auto integers = [&](const char* name, const std::vector<std::int64_t>& values) {
    return graph.add_constant(name, Tensor::from<std::int64_t>(values, {static_cast<std::int64_t>(values.size())}));
  };
  const auto add = [&](const char* op, std::initializer_list<ValueId> inputs, const char* name,
                       const std::vector<std::pair<std::string, Attribute>>& attributes = {}) {
    const ValueId y = graph.add(op, inputs, name);
    for (const auto& [attribute, value] : attributes) graph.edit_node(graph.value(y).producer).set(attribute, value);
    return y;
  };
  using Ints = std::vector<std::int64_t>;
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{1, 8, 12, 12}});
  const ValueId scales = graph.add_constant("by", Tensor::from<float>(std::array{1.0F, 1.0F, 2.0F, 1.5F}, {4}));
  const ValueId scale = floats("scale", {8}, 0.5F), bias = floats("bias", {8}, -0.1F);
  ValueId y = add("Resize", {x, kNoValue, scales}, "linear", {{"mode", std::string("linear")}});
  y = add("ConvTranspose", {y, floats("w", {8, 8, 3, 3}, -0.3F), bias}, "spread", {{"strides", Ints{2, 2}}});
  y = add("InstanceNormalization", {y, scale, bias}, "instances");
  y = add("Resize", {y, kNoValue, scales}, "nearest");
  y = add("LRN", {y}, "neighbours", {{"size", std::int64_t{5}}});
  y = add("GroupNormalization", {y, scale, bias}, "groups", {{"num_groups", std::int64_t{2}}});
  y = add("Pad", {y, integers("pads", {0, 0, 1, 1, 0, 0, 1, 1})}, "padded", {{"mode", std::string("reflect")}});
  y = add("GridSample", {y, floats("grid", {1, 20, 20, 2}, -0.9F)}, "sampled");
  y = add("RoiAlign", {y, floats("regions", {3, 4}, 2.0F), integers("images", {0, 0, 0})}, "regions_of",
          {{"output_height", std::int64_t{4}}, {"output_width", std::int64_t{4}}});
  y = add("LpNormalization", {y}, "norm", {{"axis", std::int64_t{1}}});
  y = add("RMSNormalization", {y, floats("rows", {4}, 1.0F)}, "rms");
  y = add("CumSum", {y, integers("axis", {2})}, "sums");
  y = add("Softmax", {y}, "columns", {{"axis", std::int64_t{1}}});
  y = add("TopK", {y, integers("k", {2})}, "top", {{"axis", std::int64_t{1}}});
  graph.mark_output(add("DepthToSpace", {y}, "blocks", {{"blocksize", std::int64_t{1}}}));

  Session session(std::make_shared<const Graph>(std::move(graph)), {.threads = 1});
  Tensor input(DType::f32, {1, 8, 12, 12});
  for (float next = -1.0F; float& v : input.mutable_view().as<float>()) v = next = next > 1.0F ? -1.0F : next + 0.013F;
  Tensor output(DType::f32, {3, 2, 4, 4});
  const std::array inputs = {input.view()};
  const std::array outputs = {output.mutable_view()};
  session.run_into(inputs, outputs);
  const std::vector<float> first = values(output);
  const std::uint64_t before = news;
  session.run_into(inputs, outputs);
  EXPECT_EQ(news, before);
  EXPECT_EQ(values(output), first);
}

TEST(Session, DrawsRandomNumbersByItsSeedWithoutAnyAllocationFromTheSecondRunOn) {
  Graph graph;
  const TensorType type{DType::f32, std::vector<Dim>{4, 64}}, classes{DType::i32, std::vector<Dim>{4, 1}};
  const ValueId x = graph.add_input("x", type);
  const ValueId ratio = graph.add_constant("ratio", Tensor::from<float>(std::array{0.25F}, Shape{}));
  const ValueId trains = graph.add_constant("trains", Tensor::from<bool>(std::array{true}, Shape{}));
  const ValueId kept = graph.add("Dropout", {graph.add("RandomNormalLike", {x}, "n", type), ratio, trains}, "d", type);
  const ValueId coins = graph.add("Bernoulli", {graph.add("RandomUniformLike", {x}, "u", type)}, "b", type);
  graph.mark_output(graph.add("Mul", {kept, coins}, "y", type));
  graph.mark_output(graph.add("Multinomial", {x}, "c", classes));
  EXPECT_TRUE(draws_at_random(graph));
  EXPECT_FALSE(draws_at_random(*perceptron(4)));

  Session session(std::make_shared<const Graph>(graph), {.threads = 1});
  const Tensor input = ramp(4, 64);
  Tensor output(DType::f32, {4, 64}), drawn(DType::i32, {4, 1});
  const std::array inputs = {input.view()};
  const std::array outputs = {output.mutable_view(), drawn.mutable_view()};
  session.run_into(inputs, outputs);
  const std::vector<float> first = values(output);
  const std::uint64_t before = news;
  session.run_into(inputs, outputs);
  EXPECT_EQ(news, before);
  EXPECT_EQ(values(output), first);
  const std::uint64_t again = news;
  session.seed(1);
  session.run_into(inputs, outputs);
  EXPECT_EQ(news, again);
  EXPECT_NE(values(output), first);
  Session other(std::make_shared<const Graph>(graph), {.threads = 2});
  other.seed(1);
  EXPECT_EQ(values(other.run({{"x", input}}).tensors[0].second), values(output));
}

TEST(Session, GoesOnAfterAShapeThatItsMemoryHadNoRoomFor) {
  const MemoryManager memory(4 * kMegabyte);
  const MemoryScope scope(memory, "model");
  Session session(perceptron(64), {.threads = 1});
  const NamedTensors inputs{{"x", ramp(8, 64)}};
  const std::vector<float> first = values(session.run(inputs).tensors[0].second);
  const MemoryManager elsewhere;
  NamedTensors large;
  {
    const MemoryScope others(elsewhere, "input");
    large = {{"x", ramp(20'000, 64)}};
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(base::thrown_by([&] { session.run(large); }).code(), ErrorCode::budget_exceeded);
    EXPECT_EQ(values(session.run(inputs).tensors[0].second), first);
  }
}

TEST(InferenceEngine, LosesNoBufferToRunsThatFail) {
  InferenceEngine engine;
  const auto model = engine.add_model("m", perceptron(16));
  engine.run_inference(*model, std::array{ramp(2, 16)});
  const auto before = engine.pool().statistics();
  // Aligned to one byte: refused after the buffers were taken.
  const Tensor bytes(DType::u8, {2 * 16 * 4 + 1});
  const Tensor crooked(TensorView(DType::f32, {2, 16}, bytes.view().data() + 1), bytes.owner());
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(base::thrown_by([&] { engine.run_inference(*model, std::array{crooked}); }).code(),
              ErrorCode::invalid_argument);
  EXPECT_EQ(engine.pool().statistics().waiting, before.waiting);
  EXPECT_EQ(engine.pool().statistics().lent, 0U);
}

TEST(InferenceEngine, HoldsOneArenaForAThousandShapesAndNoMore) {
  InferenceEngine engine;
  const auto model = engine.add_model("m", perceptron(64));
  std::uint64_t largest = 0;
  for (std::int64_t rows = 1; rows <= 1000; ++rows) {
    engine.run_inference(*model, std::array{ramp(rows, 64)});
    if (rows == 500) largest = engine.memory().usage().tags[1].used;
  }
  const auto usage = engine.memory().usage();
  ASSERT_EQ(usage.tags[1].tag, "m");
  Session alone(perceptron(64));
  const std::array types = {TensorType::of(DType::f32, {1000, 64})};
  const MemoryReport plan = alone.plan(types).memory;
  // Weights are packed copies here, so they are counted; the largest plan says all that is held when idle.
  const std::uint64_t said = plan.weights + plan.packed + plan.arena + plan.scratch;
  EXPECT_LE(usage.tags[1].used, said + said / 20);
  EXPECT_GT(usage.tags[1].used, largest);
}

TEST(InferenceEngine, PutsIdleModelsToRestAndRestoresThemToTheBit) {
  InferenceEngine engine;
  const std::array inputs = {ramp(64, 512)};
  std::vector<InferenceEngine::ModelPtr> models;
  std::vector<std::vector<float>> answers;
  for (int i = 0; i < 3; ++i) {
    const MemoryScope scope(engine.memory(), "made");
    models.push_back(engine.add_model("m" + std::to_string(i), perceptron(512)));
    answers.push_back(values(engine.run_inference(*models.back(), inputs)[0]));
  }
  EXPECT_EQ(engine.rest(std::chrono::hours(1)).models, 0U);
  const std::uint64_t used = engine.memory().used();
  const RestReport report = engine.rest();
  EXPECT_EQ(report.models, 3U);
  EXPECT_EQ(report.released_bytes, used - engine.memory().used());
  EXPECT_LE(engine.memory().used(), used * 7 / 10);
  EXPECT_GE(engine.memory().used(), report.compressed_bytes);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(models[i]->rests());
    EXPECT_EQ(values(engine.run_inference(*models[i], inputs)[0]), answers[i]);
    EXPECT_FALSE(models[i]->rests());
  }
}

TEST(InferenceEngine, LosesNoModelThatLacksTheMemoryToLieDown) {
  const std::array inputs = {ramp(2, 128)};
  InferenceEngine engine({.limits = {.threads = 1}});
  const auto model = engine.add_model("m", perceptron(128));
  const std::vector<float> answer = values(engine.run_inference(*model, inputs)[0]);
  for (std::uint64_t most = 0; most < 150; ++most) {
    news_left = most;
    try {
      engine.rest();
    } catch (const std::bad_alloc&) {
      // as at each of its places
    }
    news_left = ~std::uint64_t{0};
    ASSERT_EQ(values(engine.run_inference(*model, inputs)[0]), answer) << most;
  }
}

TEST(InferenceEngine, LetsIdleModelsGiveWayWhenItsMemoryIsFull) {
  const std::array inputs = {ramp(8, 512)};
  const auto make = [&](InferenceEngine& engine, const std::string& name) {
    const MemoryScope scope(engine.memory(), name);
    return engine.add_model(name, perceptron(512));
  };
  InferenceEngine free;
  const auto alone = make(free, "a");
  const std::vector<float> answer = values(free.run_inference(*alone, inputs)[0]);
  const std::uint64_t one = free.memory().usage().peak;
  // Room for one that runs and another that rests.
  InferenceEngine engine({.memory = MemoryManager(2 * one - one / 8)});
  const auto first = make(engine, "a"), second = make(engine, "b");
  for (int round = 0; round < 3; ++round)
    for (const auto& model : {first, second}) EXPECT_EQ(values(engine.run_inference(*model, inputs)[0]), answer);
  EXPECT_LE(engine.memory().usage().peak, 2 * one - one / 8);
  EXPECT_NE(first->rests(), second->rests());
  InferenceEngine tiny({.memory = MemoryManager(one / 2)});
  EXPECT_EQ(base::thrown_by([&] { tiny.run_inference(*make(tiny, "a"), inputs); }).code(), ErrorCode::budget_exceeded);
}

TEST(InferenceEngine, GivesTheSameAnswerInEveryKindOfMemory) {
  const std::array inputs = {ramp(3, 48)};
  InferenceEngine plain;
  const auto expected = values(plain.run_inference(*plain.add_model("m", perceptron(48)), inputs)[0]);
  const MockGPUBackend gpu({.memory_bytes = 1 << 20});
  for (const MemoryKind kind : {MemoryKind::system, MemoryKind::pool, MemoryKind::unified, MemoryKind::device}) {
    try {
      const auto allocator = kind == MemoryKind::device ? gpu.memory() : memory_allocator(kind);
      InferenceEngine engine({.memory = MemoryManager(1 << 30, allocator)});
      const auto model = engine.add_model("m", perceptron(48));
      EXPECT_EQ(values(engine.run_inference(*model, inputs)[0]), expected);
      EXPECT_EQ(gpu.counters().used_bytes >= 3 * 48 * sizeof(float), kind == MemoryKind::device);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unavailable);
      EXPECT_EQ(kind, MemoryKind::unified);
    }
  }
  EXPECT_GT(gpu.counters().peak_bytes, 0U);
  EXPECT_EQ(gpu.counters().used_bytes, 0U);
}

TEST(InferenceEngine, IsToldWhenADevicesMemoryIsTooSmall) {
  const std::array inputs = {ramp(8, 512)};
  const MockGPUBackend gpu({.memory_bytes = 1 << 16});  // the weights alone take 2 MiB
  InferenceEngine engine({.memory = MemoryManager(1 << 30, gpu.memory())});
  const auto model = engine.add_model("m", perceptron(512));
  EXPECT_EQ(base::thrown_by([&] { engine.run_inference(*model, inputs); }).code(), ErrorCode::budget_exceeded);
  EXPECT_LE(gpu.counters().peak_bytes, 1U << 16);
}

TEST(InferenceEngine, LetsSessionsShareWeights) {
  InferenceEngine engine;
  const auto model = engine.add_model("m", perceptron(512));
  Session first = engine.session(*model), second = engine.session(*model);
  const NamedTensors inputs{{"x", ramp(1, 512)}};
  std::vector<float> a, b;
  const MemoryManager counted;
  {
    std::jthread other([&] { a = values(first.run(inputs).tensors[0].second); });
    const MemoryScope scope(counted, "sessions");
    b = values(second.run(inputs).tensors[0].second);
  }
  EXPECT_EQ(a, b);
  // Arena and books of one run, and none of the 2 MiB of weights.
  EXPECT_LT(counted.usage().peak, kMegabyte / 4);
}

// The most bytes that intermediate values hold at one step: no plan can do with less. From where values lie alone:
// those that live together never overlap unless they share, so the union of their places is what lives.
std::uint64_t most_alive(const planning::GraphPlan& plan) {
  using Kind = planning::Placement::Kind;
  const Graph& graph = plan.graph;
  std::vector<std::size_t> last(graph.values().size(), 0);
  for (NodeId node = 0; node < graph.nodes().size(); ++node)
    for (const ValueId id : graph.node(node).inputs)
      if (id != kNoValue) last[id] = node;
  for (const ValueId id : graph.outputs()) last[id] = graph.nodes().size();
  std::uint64_t most = 0;
  for (NodeId node = 0; node < graph.nodes().size(); ++node) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
    for (ValueId id = 0; id < graph.values().size(); ++id) {
      const Value& value = graph.value(id);
      if (value.producer == kNoNode || plan.placements[id].kind != Kind::arena) continue;
      if (value.producer > node || std::max<std::size_t>(last[id], value.producer) < node) continue;
      const std::uint64_t begin = plan.placements[id].offset;
      const std::uint64_t bytes = tensor_bytes(value.type.dtype, *value.type.static_shape());
      places.emplace_back(begin, begin + (bytes + 63) / 64 * 64);  // every value begins at a multiple of 64
    }
    std::ranges::sort(places);
    std::uint64_t alive = 0, end = 0;
    for (const auto& [from, to] : places) {
      alive += to - std::min(to, std::max(from, end));
      end = std::max(end, to);
    }
    most = std::max(most, alive);
  }
  return most;
}

TEST(Plan, OfTenModelsNeedsHardlyMoreThanWhatLivesAtOnce) {
  int models = 0;
  for (const char* name : {"digits_cnn", "digits_cnn_qdq", "dscnn", "dscnn_qdq", "rnn_tiny", "transformer_tiny"}) {
    const Program program = load(std::filesystem::path(SKERRY_TEST_DATA) / "models" / (std::string(name) + ".onnx"));
    const auto graph = std::get<Graph>(compile(std::get<Graph>(program), {.level = Level::high}).program);
    std::set<std::uint64_t> sizes;  // with another batch it is another model to a planner
    for (const std::int64_t rows : {1, 7}) {
      std::vector<TensorType> types;
      for (const ValueId id : graph.inputs()) {
        TensorType type = graph.value(id).type;
        for (Dim& dim : *type.shape)
          if (!dim.is_known()) dim = Dim(rows);
        types.push_back(type);
      }
      const planning::GraphPlan plan = planning::plan_graph(graph, types, {});
      if (plan.by_value || !sizes.insert(plan.arena_bytes).second) continue;
      ++models;
      const std::uint64_t bound = most_alive(plan);
      EXPECT_LE(plan.arena_bytes, bound + bound / 10) << name << " " << rows;
      EXPECT_GE(plan.arena_bytes, bound) << name << " " << rows;
    }
  }
  EXPECT_GE(models, 10);
}

TEST(BatchingManager, RunsSixtyFourClientsInAThirdOfTheRunsAndLessWithTheSameAnswers) {
  constexpr std::size_t kClients = 64, kEach = 12;
  InferenceEngine engine({.limits = {.threads = 1}});
  const auto model = engine.add_model("m", perceptron(1024));  // a row alone reads 8 MB of weights
  const auto run = [&](std::span<const Tensor> inputs) { return engine.run_inference(*model, inputs); };
  BatchingManager batching(run, {.sizes = {1, 2, 32}, .max_delay = std::chrono::milliseconds(1)});
  std::atomic<int> wrong{0};
  std::vector<std::jthread> clients;
  for (std::size_t client = 0; client < kClients; ++client) {
    // Rows that differ, so that the model is found to treat each by itself.
    Tensor input = ramp(1, 1024);
    input.mutable_view().as<float>()[client] += 1.0F;
    clients.emplace_back([&, input, expected = values(run(std::array{input})[0])] {
      for (std::size_t i = 0; i < kEach; ++i) {
        const auto got = values(batching.run({input})[0]);
        for (std::size_t k = 0; k < got.size(); ++k)
          if (std::abs(got[k] - expected[k]) > 1e-4F) ++wrong;
      }
    });
  }
  clients.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(3 * batching.statistics().runs, kClients * kEach);
}

TEST(InferenceEngine, LoadsWithoutTouchingTheWeights) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer has memory of its own";
#endif
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "large.skerry";
  save(*perceptron(2000), path);  // 32 MB
  InferenceEngine engine;
  const std::uint64_t before = base::resident_bytes();
  const auto model = engine.load_model(path);
  const Session session(model->graph());
  EXPECT_LT(base::resident_bytes(), before + 4 * kMegabyte);
  EXPECT_EQ(engine.memory().used(), engine.pool().statistics().waiting_bytes);
}

}  // namespace
}  // namespace skerry
