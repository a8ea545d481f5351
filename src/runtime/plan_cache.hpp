/// \file
/// One model's plans, and executors of them that take turns in one workspace.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <skerry/compile.hpp>
#include <skerry/graph.hpp>
#include <skerry/options.hpp>
#include <skerry/session.hpp>
#include <span>
#include <utility>
#include <vector>

#include "exec/executor.hpp"

namespace skerry::runtime {

/// The graph as the passes leave it, and a plan for each set of input types; the last few are kept. From any thread.
class PlanCache {
 public:
  static constexpr std::size_t kKept = 4;

  struct Entry {
    std::vector<std::pair<DType, Shape>> inputs;
    std::shared_ptr<const planning::GraphPlan> plan;  // shared with the executors
    std::atomic<std::uint64_t> used{0};               ///< when, in uses of the cache
  };

  /// limits: of every run. The passes go over the graph before the first plan.
  PlanCache(std::shared_ptr<const Graph> graph, Limits limits, CompileOptions options)
      : graph_(std::move(graph)), limits_(std::move(limits)), options_(std::move(options)) {}

  const Graph& graph() const noexcept { return *graph_; }
  const Limits& limits() const noexcept { return limits_; }
  /// The plan for such inputs; a new one takes the place of that which was not used for longest. Errors: as
  /// Session::run().
  std::shared_ptr<Entry> entry(std::span<const TensorType> inputs);
  void touch(Entry& entry) noexcept { entry.used.store(++uses_, std::memory_order_relaxed); }
  bool has(const Entry& entry) const;
  std::size_t size() const;

 private:
  const std::shared_ptr<const Graph> graph_;
  const Limits limits_;
  const CompileOptions options_;
  mutable std::mutex mutex_;
  std::optional<Graph> compiled_;             // of the mutex; made when the first plan is
  std::vector<std::shared_ptr<Entry>> kept_;  // of the mutex; shared with those who run them
  std::atomic<std::uint64_t> uses_{0};
};

/// Executors of a cache's plans for one thread at a time; all work in one arena as large as the largest plan's.
class Executors {
 public:
  explicit Executors(std::shared_ptr<PlanCache> plans) : plans_(std::move(plans)) {}

  PlanCache& plans() const noexcept { return *plans_; }
  /// That for such inputs, which stays until the next call; nothing is allocated for those it was asked for before.
  /// Errors: as PlanCache::entry().
  exec::GraphExecutor& of(std::span<const TensorView> inputs);
  exec::GraphExecutor& of(std::span<const TensorType> inputs);

 private:
  struct Ready {
    std::shared_ptr<PlanCache::Entry> entry;
    exec::GraphExecutor executor;
  };
  exec::GraphExecutor& make(std::span<const TensorType> inputs);
  exec::GraphExecutor* find(std::size_t count, auto of);

  std::shared_ptr<PlanCache> plans_;  // shared: several threads run one model
  std::shared_ptr<exec::Workspace> workspace_ = std::make_shared<exec::Workspace>();  // shared with the executors
  std::vector<std::unique_ptr<Ready>> ready_;
};

/// What a run that took so long was, as its plan saw it.
RunReport report_of(const exec::GraphExecutor& executor, double seconds);
/// One run: its outputs by name, and what it took. Errors: as Session::run().
Result run_by_name(const Graph& graph, exec::GraphExecutor& executor, std::span<const TensorView> inputs,
                   const RunControl& control);
/// What plans are made for when a run is given these.
std::vector<TensorType> types_of(const Graph& graph, std::span<const Datum> data);
/// The same of data in the graph's order. Errors: as Session::run_data().
DataResult run_data_by_name(const Graph& graph, exec::GraphExecutor& executor, std::vector<Datum> data,
                            const RunControl& control);

}  // namespace skerry::runtime
