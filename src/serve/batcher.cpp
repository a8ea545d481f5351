#include "serve/batcher.hpp"

#include <algorithm>
#include <atomic>
#include <skerry/edge_engine.hpp>
#include <skerry/error.hpp>
#include <utility>

#include "exec/rows.hpp"
#include "serve/log.hpp"
#include "serve/served_graph.hpp"

namespace skerry::serve {
namespace {

constexpr std::size_t kMostApart = 256;          // runs apart whose times are kept: more than are answered together
constexpr std::chrono::microseconds kBrief(20);  // a run this short costs less than waking another thread for it

Nanoseconds since(Clock::time_point begin) {
  return std::chrono::duration_cast<Nanoseconds>(Clock::now() - begin);
}

bool has_free_rows(const Graph& graph, const std::vector<ValueId>& ids) {
  return std::ranges::all_of(ids, [&](ValueId id) {
    const auto& shape = graph.value(id).type.shape;
    return shape && !shape->empty() && !shape->front().is_known();
  });
}

// Whether nothing but their numbers of rows differs between requests.
bool has_fixed_rows(const Graph& graph) {
  return std::ranges::all_of(graph.inputs(), [&](ValueId id) {
    const auto& shape = graph.value(id).type.shape;
    return shape && (shape->empty() || std::all_of(shape->begin() + 1, shape->end(),
                                                   [](const auto& extent) { return extent.is_known(); }));
  });
}

std::vector<std::string> output_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.outputs()) names.push_back(graph.value(id).name);
  return names;
}

BatchingOptions with_rows(BatchingOptions options, bool has_rows) {
  if (!has_rows) options.sizes = {1}, options.max_delay = {};
  return options;
}

std::uint64_t rows_of(std::span<const Tensor> tensors) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, exec::common_rows(tensors)));
}

}  // namespace

struct Batcher::State {
  State(std::vector<std::string> names, std::shared_ptr<ModelStatistics> counters)
      : outputs(std::move(names)), statistics(std::move(counters)) {}

  const std::vector<std::string> outputs;
  const std::shared_ptr<ModelStatistics> statistics;
  std::vector<std::uint32_t> sizes;
  bool has_texts = false;                      // it runs on data, and each request alone
  std::optional<ModelRunner> batched, single;  // two, so that odd shapes do not push out the plans of the sizes
  std::atomic<bool> was_looked_at{false};
  std::vector<ApartTimes> apart;           // of the manager's thread: of the last runs, before they are answered
  std::optional<BatchingManager> manager;  // last: it runs the others

  void start(BatchingManager::Run run, const BatchingOptions& options) {
    manager.emplace(std::move(run), options,
                    [this](const BatchTimes& times) { statistics->executed(times.rows, times.stack, times.run, {}); });
  }

  // Of the run that was made then.
  ApartTimes apart_within(Clock::time_point begin, Clock::time_point end) const {
    const auto found = std::ranges::find_if(
        apart, [&](const ApartTimes& times) { return begin <= times.parts[0].first && times.parts[0].second <= end; });
    return found == apart.end() ? ApartTimes() : *found;
  }

  std::vector<Tensor> run_data(std::span<const Tensor> inputs) {
    const Graph& graph = single->graph();
    NamedTensors named;
    for (std::size_t i = 0; i < inputs.size(); ++i) named.emplace_back(graph.value(graph.inputs()[i]).name, inputs[i]);
    std::vector<Tensor> given;
    for (auto& [name, tensor] : tensors_of(single->infer_data(data_of(std::move(named))).outputs))
      given.push_back(std::move(tensor));
    return given;
  }

  std::vector<Tensor> run(std::span<const Tensor> inputs) {
    if (has_texts) return run_data(inputs);
    const std::uint64_t rows = rows_of(inputs);
    const bool is_usual = rows == 1 || std::ranges::binary_search(sizes, rows);
    ModelRunner& runner = is_usual ? *batched : *single;
    std::vector<Tensor> outputs = runner.infer(inputs);
    // A row always takes the same time where its extents are fixed and no step of the plan hangs on its values.
    if (!was_looked_at.load() && !was_looked_at.exchange(true) && has_fixed_rows(runner.graph()) &&
        !runner.hangs_on_values(inputs))
      manager->run_brief_at_once(kBrief);
    return outputs;
  }

  // Whoever takes an answer and cannot (for want of memory, say) must not take others down.
  static void tell(const auto& done, std::exception_ptr why, NamedTensors outputs, const Timing& timing) {
    try {
      done(std::move(why), std::move(outputs), timing);
    } catch (const std::exception& error) {
      log_line("error", "an answer was lost", {{"why", error.what()}});
    }
  }
};

Batcher::Batcher(const std::shared_ptr<const Graph>& graph, const Limits& limits, const BatchingOptions& options,
                 std::shared_ptr<ModelStatistics> statistics)
    : state_(std::make_unique<State>(output_names(*graph), std::move(statistics))) {
  State& state = *state_;
  state.sizes = options.sizes;
  state.batched.emplace(graph, limits);
  state.single.emplace(graph, limits);
  state.has_texts = has_texts(*graph);
  const bool runs_alone = state.has_texts || draws_at_random(*graph);
  const bool has_rows = !runs_alone && !graph->inputs().empty() && has_free_rows(*graph, graph->inputs()) &&
                        has_free_rows(*graph, graph->outputs());
  state.start([&state](std::span<const Tensor> inputs) { return state.run(inputs); }, with_rows(options, has_rows));
}

Batcher::Batcher(RunApart run, std::vector<std::string> outputs, bool has_rows, const BatchingOptions& options,
                 std::shared_ptr<ModelStatistics> statistics)
    : state_(std::make_unique<State>(std::move(outputs), std::move(statistics))) {
  const auto run_told = [&state = *state_, run = std::move(run)](std::span<const Tensor> inputs) {
    ApartTimes times;
    std::vector<Tensor> given = run(inputs, times);
    if (state.apart.size() == kMostApart) state.apart.clear();
    state.apart.push_back(times);
    return given;
  };
  state_->start(run_told, with_rows(options, has_rows));
}

Batcher::~Batcher() = default;

void Batcher::submit(InferCall call) {
  BatchRequest request{.priority = call.priority, .arrived = call.arrived, .deadline = call.deadline};
  request.stop = std::move(call.stop);
  request.inputs.reserve(call.inputs.size());
  for (auto& [name, tensor] : call.inputs) request.inputs.push_back(std::move(tensor));
  request.done = [state = state_.get(), arrived = call.arrived, rows = rows_of(request.inputs),
                  done = std::move(call.done)](std::exception_ptr why, std::vector<Tensor> outputs,
                                               const BatchTimes& times) {
    Timing timing{};
    NamedTensors named;
    if (why) {
      state->statistics->failed(since(arrived));
    } else {
      const auto begin = arrived + times.queue + times.stack;
      timing = {
          .queue = times.queue, .input = times.stack, .infer = times.run, .total = times.total, .rows = times.rows};
      timing.apart = state->apart_within(begin, begin + times.run);
      state->statistics->succeeded(timing, rows);
      named.reserve(outputs.size());
      for (std::size_t i = 0; i < outputs.size(); ++i) named.emplace_back(state->outputs[i], std::move(outputs[i]));
    }
    State::tell(done, std::move(why), std::move(named), timing);
  };
  try {
    state_->manager->submit(std::move(request));
  } catch (const Error&) {
    state_->statistics->rejected();
    throw;
  }
}

std::size_t Batcher::waiting() const {
  return state_->manager->in_flight();
}

bool Batcher::can_batch() const {
  return state_->manager->can_batch();
}

}  // namespace skerry::serve
