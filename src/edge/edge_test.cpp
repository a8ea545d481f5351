#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <random>
#include <skerry/edge.hpp>
#include <skerry/gradient.hpp>
#include <skerry/skerry.hpp>
#include <thread>
#include <vector>

#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "edge/kept.hpp"

namespace skerry::edge {
namespace {

Circuit bell() {
  Circuit circuit(2);
  circuit.append(Op::h, {0}).append(Op::h, {1}).append(Op::x, {0, 1}, {}, 1);
  return circuit;
}

Circuit ghz(std::uint32_t wires) {
  Circuit circuit(wires);
  circuit.append(Op::h, {0});
  for (Wire wire = 1; wire < wires; ++wire) circuit.append(Op::x, {wire - 1, wire}, {}, 1);
  return circuit;
}

TEST(Config, RefusesAFieldByItsName) {
  EXPECT_EQ(base::thrown_by([] { CircuitCompiler({.max_memory_mb = -1.0}); }).where(), "max_memory_mb");
  EXPECT_EQ(base::thrown_by([] { CircuitCompiler({.max_execution_time = -0.1}); }).where(), "max_execution_time");
  EXPECT_EQ(base::thrown_by([] { CircuitCompiler({.cache_size_mb = std::nan("")}); }).where(), "cache_size_mb");
}

TEST(Compiler, FindsTheSameCircuitAgainAndCountsIt) {
  CircuitCompiler compiler;
  const CompiledPtr first = compiler.compile_circuit(bell());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(compiler.compile_circuit(bell()), first);
  EXPECT_EQ(compiler.statistics().compiled_circuits, 1U);
  EXPECT_EQ(compiler.statistics().hit_rate(), 0.75);
  EXPECT_NE(compiler.compile_circuit(bell(), Level::high)->circuit_id, first->circuit_id);
  Circuit other = bell();
  other.append(Op::z, {0});
  EXPECT_NE(compiler.compile_circuit(other)->circuit_id, first->circuit_id);
}

TEST(Compiler, NeverFindsAnythingWithCachingOff) {
  CircuitCompiler compiler({.enable_caching = false});
  compiler.compile_circuit(bell());
  const CompiledPtr again = compiler.compile_circuit(bell());
  EXPECT_EQ(compiler.statistics().hit_rate(), 0.0);
  EXPECT_EQ(compiler.compiled_circuit(again->circuit_id), again);
}

TEST(Compiler, ForgetsInsideItsBoundAndKeepsTheNewest) {
  const std::uint64_t one = CircuitCompiler().compile_circuit(ghz(3))->bytes;
  CircuitCompiler compiler({.cache_size_mb = 4.0 * static_cast<double>(one) / 1e6});
  std::vector<std::string> ids;
  for (std::uint32_t wires = 3; wires < 12; ++wires) ids.push_back(compiler.compile_circuit(ghz(wires))->circuit_id);
  EXPECT_LE(compiler.statistics().cached_bytes, 4 * one);
  EXPECT_NO_THROW(compiler.compiled_circuit(ids.back()));
  EXPECT_EQ(base::thrown_by([&] { compiler.compiled_circuit("no such id"); }).code(), ErrorCode::not_found);
}

TEST(Compiler, SharesAFolderWithOtherProcessesAndMendsWhatIsDamaged) {
  const base::TemporaryFolder folder;
  const EdgeExecutionConfig config{.cache_folder = folder.path() / "cache"};
  const std::string id = CircuitCompiler(config).compile_circuit(bell())->circuit_id;
  const auto file = config.cache_folder / (id + ".skerry");
  ASSERT_TRUE(std::filesystem::exists(file));
  EXPECT_EQ(CircuitCompiler(config).compile_circuit(bell())->circuit,
            CircuitCompiler().compile_circuit(bell())->circuit);
  std::ofstream(file, std::ios::binary) << "damaged";
  EXPECT_EQ(CircuitCompiler(config).compile_circuit(bell())->circuit_id, id);
  EXPECT_GT(std::filesystem::file_size(file), 7U);
}

TEST(Compiler, LoadsWhatItSavedUnderTheSameId) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "bell.skerry";
  CircuitCompiler writer;
  const CompiledPtr compiled = writer.compile_circuit(bell(), Level::high);
  writer.save(compiled->circuit_id, path);
  CircuitCompiler reader;
  const CompiledPtr loaded = reader.load(path);
  EXPECT_EQ(loaded->circuit_id, compiled->circuit_id);
  EXPECT_EQ(loaded->circuit, compiled->circuit);
  EXPECT_EQ(reader.compiled_circuit(compiled->circuit_id), loaded);
  save(bell(), path);
  EXPECT_EQ(base::thrown_by([&] { reader.load(path); }).code(), ErrorCode::corrupt);
}

TEST(Executor, AnswersEightThreadsRightAndCountsThemAll) {
  auto compiler = std::make_shared<CircuitCompiler>();
  EdgeExecutor executor({}, compiler);
  std::vector<std::jthread> threads;
  std::array<int, 8> right{};
  for (std::size_t t = 0; t < right.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < 50; ++i) {
        const CompiledPtr compiled = compiler->compile_circuit(ghz(2 + i % 5));
        const ResultPtr result = executor.execute(compiled, {.shots = 64, .seed = t});
        right[t] += result->result.counts.shots() == 64 && result->result.counts.size() == 2 ? 1 : 0;
      }
    });
  }
  threads.clear();
  for (const int count : right) EXPECT_EQ(count, 50);
  EXPECT_EQ(executor.statistics().executions(), 400U);
  EXPECT_EQ(compiler->statistics().lookups, 400U);
  EXPECT_EQ(compiler->statistics().compiled_circuits, 5U);
  EXPECT_EQ(executor.resources().running, 0U);
  EXPECT_EQ(executor.resources().running_bytes, 0U);
}

TEST(Executor, ReusesOnlyWhatMustBeEqual) {
  auto compiler = std::make_shared<CircuitCompiler>();
  EdgeExecutor executor({}, compiler);
  const CompiledPtr compiled = compiler->compile_circuit(ghz(10));
  EXPECT_FALSE(executor.execute(compiled)->from_cache);
  EXPECT_TRUE(executor.execute(compiled)->from_cache);
  EXPECT_FALSE(executor.execute(compiled, {.shots = 100, .seed = 1})->from_cache);
  EXPECT_TRUE(executor.execute(compiled, {.shots = 100, .seed = 1})->from_cache);
  EXPECT_FALSE(executor.execute(compiled, {.shots = 100, .seed = 2})->from_cache);
  EXPECT_FALSE(executor.execute(compiled, {.shots = 100})->from_cache);
  EXPECT_FALSE(executor.execute(compiled, {.shots = 100})->from_cache);
}

TEST(Executor, TellsNeedAndLimitWhenTheBudgetIsTooSmall) {
  auto compiler = std::make_shared<CircuitCompiler>(EdgeExecutionConfig{.max_memory_mb = 1.0});
  EdgeExecutor executor(compiler->config(), compiler);
  const CompiledPtr compiled = compiler->compile_circuit(ghz(18));
  EXPECT_GT(compiled->estimated_bytes, 4'000'000U);
  const Error error = base::thrown_by([&] { executor.execute(compiled); });
  EXPECT_EQ(error.code(), ErrorCode::budget_exceeded);
  EXPECT_EQ(executor.statistics().executions(), 0U);
}

TEST(Executor, AnswersRowsOfParametersAsItAnswersEach) {
  const auto compiler = std::make_shared<CircuitCompiler>();
  EdgeExecutor executor({.enable_caching = false}, compiler);
  Circuit gates(3);
  const Affine a = gates.parameter("a"), b = gates.parameter("b");
  gates.append(Op::ry, {0}, {a}).append(Op::rx, {1}, {b}).append(Op::x, {0, 2}, {}, 1).append(Op::rz, {2}, {a});
  Circuit measuring = gates;
  measuring.add_bits("c", 1);
  measuring.measure(0, 0).append(Op::h, {0});
  const std::vector<Observable> observables = {Observable::parse("Z0 + 0.5*X1", 3), Observable::parse("Y1 Z2", 3)};
  const std::vector<double> rows = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6};
  std::uint64_t executions = 0;
  for (const Circuit& circuit : {gates, measuring}) {  // together, and each a run of its own
    const CompiledPtr compiled = compiler->compile_circuit(circuit);
    const auto results = executor.execute_batch(compiled, {.seed = 1, .observables = observables}, rows);
    ASSERT_EQ(results.size(), 3U);
    EXPECT_EQ(executor.statistics().edge_executions, executions + 3);
    for (std::size_t row = 0; row < 3; ++row) {
      const ResultPtr alone = executor.execute(
          compiled, {.parameters = {rows[2 * row], rows[2 * row + 1]}, .seed = 1, .observables = observables});
      ASSERT_EQ(results[row]->result.expectations.size(), 2U);
      for (std::size_t k = 0; k < 2; ++k)
        EXPECT_NEAR(results[row]->result.expectations[k], alone->result.expectations[k], 1e-12);
      EXPECT_GT(results[row]->seconds, 0);
    }
    executions = executor.statistics().edge_executions;
    EXPECT_EQ(base::thrown_by([&] { executor.execute_batch(compiled, {}, std::array{1.0}); }).code(),
              ErrorCode::invalid_argument);
  }
}

TEST(Executor, RunsRowsOneByOneWhereABatchOfThemDoesNotFitAndTellsWhatWasCharged) {
  Circuit circuit(10);
  const Affine a = circuit.parameter("a");
  for (int layer = 0; layer < 3; ++layer) {
    for (Wire wire = 0; wire < 10; ++wire) circuit.append(Op::ry, {wire}, {a * (1.0 + 0.1 * wire)});
    for (Wire wire = 0; wire < 10; ++wire) circuit.cx(wire, (wire + 3) % 10);
  }
  const std::vector<Observable> observables = {Observable::parse("Z0 Z9", 10)};
  const std::array rows = {0.1, 0.2};
  const auto together = [&](std::uint64_t bytes) {
    const EdgeExecutionConfig config{
        .max_memory_mb = static_cast<double>(bytes) / 1e6, .enable_caching = false, .threads = 1};
    const auto compiler = std::make_shared<CircuitCompiler>(config);
    EdgeExecutor executor(config, compiler);
    return executor.execute_batch(compiler->compile_circuit(circuit), {.observables = observables}, rows);
  };
  CircuitCompiler compiler;
  const GradientProgram program(compiler.compile_circuit(circuit)->circuit, observables);
  const std::uint64_t need = program.values_bytes(2);
  const std::vector<double> expected = program.values(rows);
  for (const std::uint64_t bytes : {need + 10, need - 10}) {
    const auto results = together(bytes);
    ASSERT_EQ(results.size(), 2U);
    for (std::size_t row = 0; row < 2; ++row) {
      EXPECT_EQ(results[row]->method, ExecutionMethod::edge);
      EXPECT_NEAR(results[row]->result.expectations[0], expected[row], 1e-12);
      EXPECT_LE(results[row]->memory_bytes, bytes);
      EXPECT_EQ(results[row]->memory_bytes == need, bytes > need) << "a batch holds several states, one row one";
    }
  }
}

TEST(Kept, KeepsWhatIsDearAndOftenUsedBeforeWhatIsNot) {
  Kept<int> kept(100);
  const auto value = std::make_shared<const int>(1);
  kept.keep("dear", value, 40, 1.0);
  kept.keep("cheap", value, 40, 0.001);
  kept.keep("new", value, 40, 0.001);
  EXPECT_NE(kept.find("dear"), nullptr);
  EXPECT_EQ(kept.find("cheap"), nullptr);
  EXPECT_NE(kept.find("new"), nullptr);
  EXPECT_LE(kept.bytes(), 100U);
  kept.keep("huge", value, 101, 9.0);
  EXPECT_EQ(kept.find("huge"), nullptr);
}

// An independent store that forgets what was not used for the longest time.
class LeastRecentlyUsed {
 public:
  explicit LeastRecentlyUsed(std::size_t most) : most_(most) {}
  bool use(int key) {
    const auto found = std::find(keys_.begin(), keys_.end(), key);
    const bool hit = found != keys_.end();
    if (hit) keys_.erase(found);
    keys_.push_back(key);
    if (keys_.size() > most_) keys_.erase(keys_.begin());
    return hit;
  }

 private:
  std::size_t most_;
  std::vector<int> keys_;
};

TEST(Kept, HitsAtLeastAsOftenAsForgettingTheOldestOnAZipfTrace) {
  constexpr int kKeys = 200;
  std::vector<double> weights;
  for (int key = 1; key <= kKeys; ++key) weights.push_back(1.0 / key);
  std::discrete_distribution<int> zipf(weights.begin(), weights.end());
  std::mt19937 random(7);
  Kept<int> kept(20);
  LeastRecentlyUsed oldest(20);
  const auto value = std::make_shared<const int>(0);
  int hits = 0, oldest_hits = 0;
  for (int i = 0; i < 20'000; ++i) {
    const int key = zipf(random);
    oldest_hits += oldest.use(key) ? 1 : 0;
    if (kept.use(std::to_string(key))) {
      ++hits;
    } else {
      kept.keep(std::to_string(key), value, 1, 1.0);
    }
  }
  EXPECT_GT(oldest_hits, 1000);
  EXPECT_GE(hits, oldest_hits);
}

}  // namespace
}  // namespace skerry::edge
