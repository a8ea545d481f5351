#include "serve/batcher.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <skerry/error.hpp>
#include <thread>

#include "exec/rows.hpp"
#include "serve/log.hpp"

namespace skerry::serve {
namespace {

constexpr double kForget = 0.9;      // weight of the past in the mean time of a row
constexpr double kMostSlower = 4.0;  // than the mean: what one run may count at most
constexpr double kTolerance = 1e-4;  // between a row alone and in a batch: the order of sums differs
constexpr double kBrief = 20e-6;     // a run this short costs less than waking another thread for it

Nanoseconds since(Clock::time_point begin) {
  return std::chrono::duration_cast<Nanoseconds>(Clock::now() - begin);
}

bool has_free_rows(const Graph& graph, const std::vector<ValueId>& ids) {
  return std::all_of(ids.begin(), ids.end(), [&](ValueId id) {
    const auto& shape = graph.value(id).type.shape;
    return shape && !shape->empty() && !shape->front().is_known();
  });
}

// Whether nothing but their numbers of rows differs between requests.
bool has_fixed_rows(const Graph& graph) {
  return std::all_of(graph.inputs().begin(), graph.inputs().end(), [&](ValueId id) {
    const auto& shape = graph.value(id).type.shape;
    return shape && (shape->empty() || std::all_of(shape->begin() + 1, shape->end(),
                                                   [](const auto& extent) { return extent.is_known(); }));
  });
}

std::int64_t rows_of(const NamedTensors& tensors) {
  return tensors.empty() || tensors.front().second.shape().rank() == 0 ? 1 : tensors.front().second.shape()[0];
}

// Equal but for the first extent, which is the same for all inputs of a call.
bool same_row_types(const NamedTensors& a, const NamedTensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    const auto xd = x.second.shape().dims(), yd = y.second.shape().dims();
    return x.first == y.first && x.second.dtype() == y.second.dtype() && xd.size() == yd.size() && !xd.empty() &&
           std::equal(xd.begin() + 1, xd.end(), yd.begin() + 1);
  });
}

bool rows_agree(const NamedTensors& tensors) {
  const std::int64_t rows = rows_of(tensors);
  return rows > 0 && std::all_of(tensors.begin(), tensors.end(), [rows](const auto& named) {
           return named.second.shape().rank() > 0 && named.second.shape()[0] == rows;
         });
}

Tensor stacked(std::span<const InferCall* const> calls, std::size_t input) {
  std::vector<const Tensor*> parts;
  for (const InferCall* call : calls) parts.push_back(&call->inputs[input].second);
  return exec::stacked(parts);
}

bool same_bytes(const NamedTensors& a, const NamedTensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    const TensorView &u = x.second.view(), &v = y.second.view();
    return u.bytes() == v.bytes() && std::memcmp(u.data(), v.data(), u.bytes()) == 0;
  });
}

}  // namespace

struct Batcher::State {
  enum class Trust : std::uint8_t { never, unknown, proven };

  State(const std::shared_ptr<const Graph>& model, const Limits& most, BatchOptions batch_options,
        std::shared_ptr<ModelStatistics> counters)
      : options(std::move(batch_options)), statistics(std::move(counters)), graph(model), limits(most) {
    batched.emplace(graph, limits);
    single.emplace(graph, limits);
    const bool free = has_free_rows(*graph, graph->inputs()) && has_free_rows(*graph, graph->outputs());
    trust = free && !graph->inputs().empty() && !options.preferred.empty() ? Trust::unknown : Trust::never;
  }
  State(RunApart run, bool has_rows, BatchOptions batch_options, std::shared_ptr<ModelStatistics> counters)
      : options(std::move(batch_options)), statistics(std::move(counters)), apart(std::move(run)) {
    trust = has_rows && !options.preferred.empty() ? Trust::unknown : Trust::never;
  }

  BatchOptions options;
  std::shared_ptr<ModelStatistics> statistics;
  std::shared_ptr<const Graph> graph;  // shared with the model
  Limits limits;
  RunApart apart;                          // in place of the sessions; empty: there are sessions
  std::optional<Session> batched, single;  // two, so that odd shapes do not push out the plans of the preferred sizes
  std::optional<Session> beside;           // for a brief run while another one runs; made when it is needed
  std::atomic<Trust> trust{Trust::unknown};
  // Whether a row always takes the same time: its extents are fixed, and no step of the plan hangs on its values. Found
  // out by the first run.
  std::atomic<bool> is_steady{false}, was_looked_at{false};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<InferCall> queue;  // sorted by priority, then arrival
  bool ending = false;
  bool busy = false, beside_busy = false;  // somebody uses the first two sessions, the third
  std::size_t running = 0;
  double row_seconds = 0.0;  // mean of late, under the lock
  std::thread thread;

  std::size_t largest() const { return options.preferred.back(); }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return !busy && (ending || !queue.empty()); });
      if (queue.empty()) return;
      busy = true;
      std::vector<InferCall> calls = gather(lock);
      running += calls.size();
      lock.unlock();
      run(calls);
      const std::size_t ended = calls.size();
      calls.clear();
      lock.lock();
      running -= ended;
      busy = false;
    }
  }

  // Runs it on the caller's thread.
  void run_here(InferCall call, std::unique_lock<std::mutex>& lock) {
    bool& taken = busy ? beside_busy : busy;
    const bool is_beside = &taken == &beside_busy;
    taken = true;
    ++running;
    lock.unlock();
    if (is_wanted(call)) run_alone(call, false, is_beside);
    lock.lock();
    --running;
    taken = false;
    const bool is_left = !queue.empty();
    lock.unlock();
    if (is_left) changed.notify_one();
  }

  // Lets go of those whose callers went away. Nobody looks at them before somebody needs their places.
  void drop_gone(std::unique_lock<std::mutex>& lock) {
    const auto is_gone = [](const InferCall& call) { return call.stop.stop_requested(); };
    if (std::none_of(queue.begin(), queue.end(), is_gone)) return;
    std::deque<InferCall> here, gone;
    for (InferCall& call : queue) (is_gone(call) ? gone : here).push_back(std::move(call));
    queue.swap(here);
    lock.unlock();
    for (InferCall& call : gone) is_wanted(call);
    lock.lock();
  }

  bool is_full() const { return queue.size() >= options.max_queue; }
  bool is_late(const InferCall& call) const {
    return call.deadline != Clock::time_point::max() &&
           ends_too_late(queue.size() + running, row_seconds, call.deadline - Clock::now());
  }

  // Errors: unavailable, deadline_exceeded.
  void make_room(const InferCall& call, std::unique_lock<std::mutex>& lock) {
    if (!is_full() && !is_late(call)) return;
    drop_gone(lock);
    if (is_full()) {
      statistics->rejected();
      throw Error(ErrorCode::unavailable,
                  "the model's queue is full, " + std::to_string(queue.size()) + " requests wait", "queue",
                  "try again later");
    }
    if (!is_late(call)) return;
    statistics->rejected();
    throw Error(ErrorCode::deadline_exceeded,
                "with " + std::to_string(queue.size() + running) + " requests before this one its time would be over",
                "queue", "try again later or allow more time");
  }

  // Whether who brings this call had better run it, as nobody waits.
  bool is_brief(const InferCall& call) const {
    const auto rows = static_cast<std::uint64_t>(std::max<std::int64_t>(1, rows_of(call.inputs)));
    return is_steady && queue.empty() && !(busy && beside_busy) && options.max_delay.count() == 0 &&
           row_seconds > 0.0 && row_seconds * static_cast<double>(rows) < kBrief;
  }

  bool is_preferred(std::uint64_t rows) const {
    return rows == 1 || std::binary_search(options.preferred.begin(), options.preferred.end(), rows);
  }

  // Takes what is run next; waits for company as long as the options allow.
  std::vector<InferCall> gather(std::unique_lock<std::mutex>& lock) {
    if (trust != Trust::never && options.max_delay.count() > 0 && !ending) {
      const auto until = std::min(queue.front().arrived + options.max_delay, queue.front().deadline);
      changed.wait_until(lock, until, [&] { return ending || queue.size() >= largest(); });
    }
    std::vector<InferCall> calls;
    calls.push_back(std::move(queue.front()));
    queue.pop_front();
    if (trust == Trust::never || !rows_agree(calls[0].inputs)) return calls;
    std::vector<std::size_t> fitting;  // places in the queue of those that can come along
    auto rows = static_cast<std::uint64_t>(rows_of(calls[0].inputs));
    std::size_t best = 0;  // how many of them make the largest preferred size
    for (std::size_t i = 0; i < queue.size() && rows < largest(); ++i) {
      if (!rows_agree(queue[i].inputs) || !same_row_types(calls[0].inputs, queue[i].inputs)) continue;
      rows += static_cast<std::uint64_t>(rows_of(queue[i].inputs));
      fitting.push_back(i);
      if (std::binary_search(options.preferred.begin(), options.preferred.end(), rows)) best = fitting.size();
    }
    for (std::size_t k = 0; k < best; ++k) calls.push_back(std::move(queue[fitting[k]]));
    for (std::size_t k = best; k-- > 0;) queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(fitting[k]));
    return calls;
  }

  // False: it was told that it is not run any more.
  bool is_wanted(InferCall& call) {
    if (call.stop.stop_requested()) {
      fail(call, std::make_exception_ptr(Error(ErrorCode::cancelled, "the caller went away while it waited", "queue")));
    } else if (call.deadline != Clock::time_point::max() && Clock::now() >= call.deadline) {
      fail(call, std::make_exception_ptr(
                     Error(ErrorCode::deadline_exceeded, "the time was over while the request waited", "queue")));
    } else {
      return true;
    }
    return false;
  }

  void run(std::vector<InferCall>& calls) {
    std::vector<InferCall*> alive;
    for (InferCall& call : calls) {
      if (is_wanted(call)) alive.push_back(&call);
    }
    if (alive.size() > 1 && trust == Trust::proven && run_together(alive)) return;
    std::vector<NamedTensors> answers;
    for (InferCall* call : alive) answers.push_back(run_alone(*call, alive.size() > 1, false));
    if (alive.size() > 1 && trust == Trust::unknown) prove(alive, answers);
    if (alive.size() > 1) {
      for (std::size_t i = 0; i < alive.size(); ++i) {
        if (alive[i]->done) finish(*alive[i], std::move(answers[i]), {});
      }
    }
  }

  // Whoever takes an answer and cannot (for want of memory, say) must not take others down.
  static void tell(InferCall& call, std::exception_ptr why, NamedTensors outputs, const Timing& timing) {
    const auto done = std::exchange(call.done, nullptr);
    if (!done) return;
    try {
      done(std::move(why), std::move(outputs), timing);
    } catch (const std::exception& error) {
      log_line("error", "an answer was lost", {{"why", error.what()}});
    }
  }
  static void fail(InferCall& call, std::exception_ptr why, ModelStatistics* statistics) {
    statistics->failed(since(call.arrived));
    tell(call, std::move(why), {}, {});
  }
  void fail(InferCall& call, std::exception_ptr why) { fail(call, std::move(why), statistics.get()); }

  void finish(InferCall& call, NamedTensors outputs, Timing timing) {
    timing.total = since(call.arrived);
    statistics->succeeded(timing, static_cast<std::uint64_t>(std::max<std::int64_t>(1, rows_of(call.inputs))));
    tell(call, nullptr, std::move(outputs), timing);
  }

  NamedTensors outputs_of(const NamedTensors& inputs, std::uint64_t rows, bool is_beside) {
    if (apart) return apart(inputs);
    if (is_beside && !beside) beside.emplace(graph, limits);
    Session& session = is_beside ? *beside : is_preferred(rows) ? *batched : *single;
    NamedTensors outputs = std::move(session.run(inputs).tensors);
    if (!was_looked_at.exchange(true)) is_steady = has_fixed_rows(*graph) && hangs_on_no_value(session, inputs);
    return outputs;
  }

  static bool hangs_on_no_value(Session& session, const NamedTensors& inputs) {
    std::vector<TensorType> types;
    for (const auto& [name, tensor] : inputs) types.push_back(TensorType::of(tensor.dtype(), tensor.shape()));
    const auto& steps = session.plan(types).steps;
    return std::none_of(steps.begin(), steps.end(), [](const StepReport& step) { return step.kernel == "by value"; });
  }

  // hold: the answer is given later, by the caller of this. is_beside: while others use the usual sessions.
  NamedTensors run_alone(InferCall& call, bool hold, bool is_beside) {
    Timing timing{.queue = since(call.arrived)};
    try {
      const auto begin = Clock::now();
      const auto rows = static_cast<std::uint64_t>(std::max<std::int64_t>(1, rows_of(call.inputs)));
      NamedTensors outputs = outputs_of(call.inputs, rows, is_beside);
      timing.infer = since(begin);
      timing.rows = rows;
      statistics->executed(rows, {}, timing.infer, {});
      learn(timing.infer, rows);
      if (hold) return outputs;
      finish(call, std::move(outputs), timing);
    } catch (...) {
      fail(call, std::current_exception());
    }
    return {};
  }

  NamedTensors outputs_together(const std::vector<InferCall*>& calls, Timing& timing) {
    const auto begin = Clock::now();
    std::int64_t rows = 0;
    for (const InferCall* call : calls) rows += rows_of(call->inputs);
    NamedTensors inputs;
    for (std::size_t i = 0; i < calls.front()->inputs.size(); ++i) {
      inputs.emplace_back(calls.front()->inputs[i].first, stacked({calls.data(), calls.size()}, i));
    }
    timing.input = since(begin);
    const auto start = Clock::now();
    NamedTensors outputs = apart ? apart(inputs) : std::move(batched->run(inputs).tensors);
    timing.infer = since(start);
    timing.rows = static_cast<std::uint64_t>(rows);
    for (const auto& [name, tensor] : outputs) {
      if (tensor.shape().rank() == 0 || tensor.shape()[0] != rows)
        throw Error(ErrorCode::internal, "output '" + name + "' has not a row for each row of the input");
    }
    statistics->executed(static_cast<std::uint64_t>(rows), timing.input, timing.infer, {});
    learn(timing.infer, static_cast<std::uint64_t>(rows));
    return outputs;
  }

  static NamedTensors part_of(const NamedTensors& all, std::int64_t first, std::int64_t count) {
    NamedTensors part;
    for (const auto& [name, tensor] : all) part.emplace_back(name, exec::rows_from(tensor, first, count));
    return part;
  }

  // False: it failed, which may be the fault of one of them, so each is run alone.
  bool run_together(const std::vector<InferCall*>& calls) {
    Timing timing;
    const auto begin = Clock::now();
    NamedTensors outputs;
    try {
      outputs = outputs_together(calls, timing);
    } catch (const std::exception&) {
      return false;
    }
    std::int64_t row = 0;
    for (InferCall* call : calls) {
      const std::int64_t rows = rows_of(call->inputs);
      timing.queue = std::chrono::duration_cast<Nanoseconds>(begin - call->arrived);
      finish(*call, part_of(outputs, row, rows), timing);
      row += rows;
    }
    return true;
  }

  void prove(const std::vector<InferCall*>& calls, const std::vector<NamedTensors>& alone) {
    if (std::any_of(calls.begin(), calls.end(), [](const InferCall* call) { return !call->done; })) return;
    // Equal rows prove nothing: their mean, for one, is the same as each of them.
    if (std::all_of(calls.begin() + 1, calls.end(),
                    [&](const InferCall* call) { return same_bytes(call->inputs, calls.front()->inputs); }))
      return;
    bool equal = true;
    try {
      Timing timing;
      const NamedTensors together = outputs_together(calls, timing);
      std::int64_t row = 0;
      for (std::size_t i = 0; i < calls.size() && equal; ++i) {
        const std::int64_t rows = rows_of(calls[i]->inputs);
        const NamedTensors part = part_of(together, row, rows);
        for (std::size_t k = 0; k < part.size(); ++k)
          equal = equal && exec::same_answer(part[k].second, alone[i][k].second, kTolerance);
        row += rows;
      }
    } catch (const std::exception&) {
      equal = false;
    }
    trust = equal ? Trust::proven : Trust::never;
  }

  void learn(Nanoseconds infer, std::uint64_t rows) {
    const std::lock_guard lock(mutex);
    const double seconds = static_cast<double>(infer.count()) * 1e-9 / static_cast<double>(rows);
    // A run in whose middle the processor was given to somebody else says nothing of the next one.
    const double told = row_seconds == 0.0 ? seconds : std::min(seconds, kMostSlower * row_seconds);
    row_seconds = row_seconds == 0.0 ? told : kForget * row_seconds + (1.0 - kForget) * told;
  }
};

bool ends_too_late(std::size_t before, double row_seconds, std::chrono::duration<double> left) noexcept {
  // Its own run counts too, and an estimate that is a little short makes all that is admitted end just too late.
  // Where nobody is before it, it is tried: a mean that only refuses would never be corrected.
  constexpr double kCaution = 1.15;
  return before != 0 && kCaution * row_seconds * static_cast<double>(before + 1) >= left.count();
}

Batcher::Batcher(const std::shared_ptr<const Graph>& graph, const Limits& limits, BatchOptions options,
                 std::shared_ptr<ModelStatistics> statistics)
    : state_(std::make_unique<State>(graph, limits, std::move(options), std::move(statistics))) {
  state_->thread = std::thread([state = state_.get()] { state->work(); });
}

Batcher::Batcher(RunApart run, bool has_rows, BatchOptions options, std::shared_ptr<ModelStatistics> statistics)
    : state_(std::make_unique<State>(std::move(run), has_rows, std::move(options), std::move(statistics))) {
  state_->thread = std::thread([state = state_.get()] { state->work(); });
}

Batcher::~Batcher() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

void Batcher::submit(InferCall call) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  state.make_room(call, lock);
  if (state.is_brief(call)) return state.run_here(std::move(call), lock);
  const auto place = std::upper_bound(state.queue.begin(), state.queue.end(), call.priority,
                                      [](std::uint64_t p, const InferCall& other) { return p < other.priority; });
  state.queue.insert(place, std::move(call));
  // Whoever runs something looks at the queue when it has ended; who waits for company wants to hear of it.
  const bool is_awaited = !state.busy || state.options.max_delay.count() > 0;
  lock.unlock();
  if (is_awaited) state.changed.notify_one();
}

std::size_t Batcher::waiting() const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.size() + state_->running;
}

bool Batcher::can_batch() const noexcept {
  return state_->trust.load() != State::Trust::never;
}

}  // namespace skerry::serve
