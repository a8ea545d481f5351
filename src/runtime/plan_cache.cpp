#include "runtime/plan_cache.hpp"

#include <algorithm>
#include <chrono>

#include "plan/planner.hpp"

namespace skerry::runtime {
namespace {

// of(i): dtype and shape of input i.
bool are_for(const PlanCache::Entry& entry, std::size_t count, auto of) {
  bool same = entry.inputs.size() == count;
  for (std::size_t i = 0; same && i < count; ++i) same = entry.inputs[i] == of(i);
  return same;
}

// Which inputs are no tensors is the graph's to say, so they need no key.
auto types_in(std::span<const TensorType> inputs) {
  return [inputs](std::size_t i) { return std::pair(inputs[i].dtype, inputs[i].static_shape().value_or(Shape{})); };
}

bool are_known(std::span<const TensorType> inputs) {
  return std::ranges::all_of(
      inputs, [](const TensorType& type) { return !type.is_tensor() || type.static_shape().has_value(); });
}

}  // namespace

std::shared_ptr<PlanCache::Entry> PlanCache::entry(std::span<const TensorType> inputs) {
  const std::lock_guard lock(mutex_);
  if (are_known(inputs)) {
    const auto fits = [&](const auto& entry) { return are_for(*entry, inputs.size(), types_in(inputs)); };
    if (const auto found = std::ranges::find_if(kept_, fits); found != kept_.end()) return *found;
  }
  if (!compiled_) compiled_ = std::get<Graph>(compile(*graph_, options_).program);
  auto made = std::make_shared<Entry>();
  made->plan = std::make_shared<const planning::GraphPlan>(planning::plan_graph(*compiled_, inputs, limits_));
  for (std::size_t i = 0; i < inputs.size(); ++i) made->inputs.push_back(types_in(inputs)(i));
  touch(*made);
  if (kept_.size() < kKept) {
    kept_.push_back(made);
  } else {
    const auto longest_ago = [](const auto& entry) { return entry->used.load(std::memory_order_relaxed); };
    *std::ranges::min_element(kept_, {}, longest_ago) = made;
  }
  return made;
}

bool PlanCache::has(const Entry& entry) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(kept_, [&](const auto& kept) { return kept.get() == &entry; });
}

std::size_t PlanCache::size() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

exec::GraphExecutor* Executors::find(std::size_t count, auto of) {
  const auto fits = [&](const auto& ready) { return are_for(*ready->entry, count, of); };
  const auto found = std::ranges::find_if(ready_, fits);
  if (found == ready_.end()) return nullptr;
  plans_->touch(*(*found)->entry);
  return &(*found)->executor;
}

exec::GraphExecutor& Executors::of(std::span<const TensorView> inputs) {
  const auto type = [&](std::size_t i) { return std::pair(inputs[i].dtype(), inputs[i].shape()); };
  if (auto* executor = find(inputs.size(), type)) return *executor;
  std::vector<TensorType> types;
  for (const TensorView& view : inputs) types.push_back(TensorType::of(view.dtype(), view.shape()));
  return make(types);
}

exec::GraphExecutor& Executors::of(std::span<const TensorType> inputs) {
  auto* executor = are_known(inputs) ? find(inputs.size(), types_in(inputs)) : nullptr;
  return executor != nullptr ? *executor : make(inputs);
}

exec::GraphExecutor& Executors::make(std::span<const TensorType> inputs) {
  const auto entry = plans_->entry(inputs);
  std::erase_if(ready_, [&](const auto& ready) { return !plans_->has(*ready->entry); });
  auto made = std::make_unique<Ready>(entry, exec::GraphExecutor(entry->plan, plans_->limits(), workspace_));
  std::uint64_t arena = entry->plan->arena_bytes, scratch = entry->plan->scratch_bytes;
  for (const auto& ready : ready_) {
    arena = std::max(arena, ready->entry->plan->arena_bytes);
    scratch = std::max(scratch, ready->entry->plan->scratch_bytes);
  }
  workspace_->fit(arena, scratch);
  ready_.push_back(std::move(made));
  return ready_.back()->executor;
}

RunReport report_of(const exec::GraphExecutor& executor, double seconds) {
  const Plan& plan = executor.plan().report;
  return {.method = plan.method,
          .predicted_bytes = plan.peak_bytes,
          .peak_bytes = executor.peak_bytes(),
          .predicted_seconds = plan.seconds,
          .seconds = seconds,
          .threads = plan.threads};
}

Result run_by_name(const Graph& graph, exec::GraphExecutor& executor, std::span<const TensorView> inputs,
                   const RunControl& control) {
  Result result;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<Tensor> outputs = executor.run(inputs, control);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    result.tensors.emplace_back(graph.value(graph.outputs()[i]).name, std::move(outputs[i]));
  result.report = report_of(executor, elapsed.count());
  return result;
}

}  // namespace skerry::runtime
