#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <skerry/error.hpp>
#include <skerry/outbox.hpp>
#include <span>

#include "base/machine.hpp"
#include "base/number_text.hpp"
#include "edge/executor_state.hpp"
#include "edge/machine_state.hpp"
#include "edge/outbox/keep.hpp"
#include "edge/run_options.hpp"
#include "edge/split.hpp"
#include "plan/budget.hpp"

namespace skerry::edge {

std::uint64_t bytes_of(const Result& result) {
  std::uint64_t bytes = sizeof(ExecutionResult) + 16 * result.expectations.size();
  bytes += result.counts.size() * (8 + (result.counts.bits() + 63) / 64 * 8);
  if (result.state) bytes += result.state->amplitudes().view().bytes();
  for (const auto& [name, tensor] : result.tensors) bytes += tensor.view().bytes();
  return bytes;
}

namespace {

void require_free(std::uint64_t need, std::uint64_t promised) {
  const std::uint64_t available = base::available_memory_bytes();
  if (need + promised <= available) return;
  throw Error(ErrorCode::budget_exceeded,
              "the run needs " + std::to_string(need) + " bytes and " + std::to_string(available) +
                  " are free on this machine, of which other runs may take " + std::to_string(promised),
              "memory", "free memory, use single precision, or run it elsewhere");
}

std::shared_ptr<remote::Endpoint> endpoint_of(const EdgeExecutionConfig& config) {
  if (config.cloud_endpoint.empty()) return nullptr;
  return std::make_shared<remote::Endpoint>(remote::endpoint_options(config));
}

PlaceReport& at(Placement& placement, ExecutionMethod method) {
  return *std::ranges::find(placement.considered, method, &PlaceReport::method);
}

// Nobody can run it: what it needs, what is allowed, and what would change that.
[[noreturn]] void refuse(Placement placement, const EdgeExecutionConfig& config) {
  const PlaceReport &here = at(placement, ExecutionMethod::edge), &cloud = at(placement, ExecutionMethod::cloud);
  const bool is_down = config.fallback_to_cloud && !config.cloud_endpoint.empty();
  const bool is_late = here.seconds > config.max_execution_time && !here.reason.starts_with("needs");
  throw Error(is_down   ? ErrorCode::unavailable
              : is_late ? ErrorCode::deadline_exceeded
                        : ErrorCode::budget_exceeded,
              "here it cannot run: " + here.reason + "; in pieces: " + at(placement, ExecutionMethod::hybrid).reason +
                  "; in the cloud: " + cloud.reason,
              "placement",
              is_late ? "raise max_execution_time or set cloud_endpoint"
              : config.enable_compression
                  ? "raise max_memory_mb, use precision single (half the bytes), or set cloud_endpoint"
                  : "raise max_memory_mb, turn enable_compression on (half the bytes), or set cloud_endpoint");
}

}  // namespace

EdgeExecutor::State::State(EdgeExecutionConfig c, std::shared_ptr<CircuitCompiler> k)
    : config(std::move(c)),
      compiler(std::move(k)),
      endpoint(endpoint_of(config)),
      kept(static_cast<std::uint64_t>(config.cache_size_mb * 1e6)),
      models(config.enable_caching ? static_cast<std::uint64_t>(config.cache_size_mb * 1e6) : 0) {
  if (!config.outbox_folder.empty()) outbox = outbox::folder_of(config);
}

void EdgeExecutor::State::count(ExecutionMethod method, double seconds) {
  ++(method == ExecutionMethod::edge    ? statistics.edge_executions
     : method == ExecutionMethod::cloud ? statistics.cloud_executions
                                        : statistics.hybrid_executions);
  statistics.total_seconds += seconds;
}

ResultPtr EdgeExecutor::State::find(const std::string& key, std::chrono::steady_clock::time_point start) {
  if (!config.enable_caching || key.empty()) return nullptr;
  const std::scoped_lock lock(mutex);
  const ResultPtr found = kept.use(key);
  if (!found) return nullptr;
  ++statistics.cache_hits;
  ExecutionResult again = *found;
  again.from_cache = true;
  again.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  count(again.method, again.seconds);
  return std::make_shared<const ExecutionResult>(std::move(again));
}

ResultPtr EdgeExecutor::State::finish(const std::string& key, ExecutionResult done) {
  auto result = std::make_shared<const ExecutionResult>(std::move(done));
  const std::scoped_lock lock(mutex);
  count(result->method, result->seconds);
  if (config.enable_caching && !key.empty()) kept.keep(key, result, bytes_of(result->result), result->seconds);
  return result;
}

EdgeExecutor::State::Running::Running(State& state, std::uint64_t bytes) : state_(state), bytes_(bytes) {
  const std::scoped_lock lock(state_.mutex);
  require_free(bytes, state_.running_bytes);
  state_.running_bytes += bytes_;
  ++state_.running;
}

EdgeExecutor::State::Running::~Running() {
  const std::scoped_lock lock(state_.mutex);
  state_.running_bytes -= bytes_;
  --state_.running;
}

EdgeExecutor::EdgeExecutor(EdgeExecutionConfig config, std::shared_ptr<CircuitCompiler> compiler) {
  config.validate();
  state_ = std::make_unique<State>(std::move(config), std::move(compiler));
}
EdgeExecutor::~EdgeExecutor() = default;

const EdgeExecutionConfig& EdgeExecutor::config() const noexcept {
  return state_->config;
}

Resources EdgeExecutor::State::resources() const {
  double load = 0.0;
  if (getloadavg(&load, 1) != 1) load = 0.0;
  const MachineState machine = recent_machine_state();
  const std::scoped_lock lock(mutex);
  return {.available_bytes = base::available_memory_bytes(),
          .usable_cpus = base::usable_cpus(),
          .load = load,
          .running = running,
          .running_bytes = running_bytes,
          .battery_percent = machine.battery_percent,
          .on_battery = machine.on_battery,
          .temperature_celsius = machine.celsius,
          .too_hot = machine.too_hot,
          .endpoint_seems_up = endpoint != nullptr && endpoint->seems_up()};
}

namespace {

RunOptions in_single_precision(RunOptions options) {
  options.precision = Precision::single_precision;
  return options;
}

// Within max_memory_mb, however long it takes. Errors: unsupported when no method can run it.
Need needed(const Circuit& circuit, RunOptions options) {
  options.limits.max_execution_time.reset();
  std::string refusal;
  const Plan plan = skerry::plan(circuit, options, &refusal);
  return {plan.peak_bytes, plan.seconds};
}

}  // namespace

Question EdgeExecutor::State::question(const CompiledCircuit& circuit, const RunOptions& options) const {
  Question out{.config = config,
               .peak_bytes = circuit.estimated_bytes,
               .seconds = circuit.estimated_seconds,
               .cannot_run = {},
               .split = std::nullopt,
               .why_not_split = circuit.why_whole,
               .resources = resources(),
               .endpoint_failure = endpoint ? endpoint->last_failure() : std::string()};
  // Far below the limits the estimate of compiling is good enough; near them this very question is planned.
  const double limit = config.max_memory_mb * 1e6;
  const bool is_small = 4.0 * static_cast<double>(out.peak_bytes) < limit &&
                        10.0 * out.seconds < config.max_execution_time && options.shots < 100'000 &&
                        options.observables.size() < 100;
  if (!is_small) {
    try {
      const Need need = needed(circuit.circuit, options);
      out.peak_bytes = need.bytes;
      out.seconds = need.seconds;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unsupported) throw;
      out.cannot_run = error.message();
    }
  }
  if (circuit.split) out.split = price(*circuit.split, options, config, out.why_not_split);
  // A question that may wait in an outbox is answered as it was asked.
  const bool may_compress = config.enable_compression && config.precision == Precision::double_precision && !outbox &&
                            !out.resources.endpoint_seems_up;
  if (may_compress && out.cannot_run.empty() && static_cast<double>(out.peak_bytes) > limit)
    out.compressed = needed(circuit.circuit, in_single_precision(options));
  return out;
}

// Where there is an endpoint, a run that comes to its limits is left between two gates.
Result EdgeExecutor::State::run_here(const Circuit& circuit, const RunOptions& options, PlaceReport& here,
                                     Whole& whole) {
  const Running counted(*this, here.peak_bytes);
  if (!endpoint || !config.fallback_to_cloud || whole.stays) return skerry::run(circuit, options);
  Carrier carrier(*endpoint, options.limits.max_execution_time->count(), *options.limits.max_memory_bytes);
  RunOptions asked = options;
  asked.limits.leave = [&carrier](const Standing& standing) { return carrier.leave(standing); };
  try {
    return skerry::run(circuit, asked);
  } catch (const Interrupted& left) {
    whole.carried = {left.circuit(), left.checkpoint(), carrier.elapsed()};
    whole.stays = carrier.decision().lacks_memory;
    throw Error(left.code(), left.message() + ": " + carrier.decision().reason, left.where());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::deadline_exceeded || carrier.decision().reason.empty()) throw;
    throw Error(error.code(), error.message() + " (not carried over: " + carrier.decision().reason + ")", error.where(),
                error.hint());
  }
}

// Nothing: it is better begun anew.
std::optional<Result> EdgeExecutor::State::run_carried(const RunOptions& options, PlaceReport& cloud, Whole& whole) {
  const double elapsed = whole.carried->elapsed;
  const std::string done = whole.carried->checkpoint.text();
  std::optional<wire::CircuitRequest> request = edge::request_of(*std::exchange(whole.carried, std::nullopt), options);
  if (!request) {
    cloud.reason = config.cloud_endpoint + ", begun anew: the packed state is too large to be carried";
    return std::nullopt;
  }
  request->max_execution_time = config.cloud_timeout;
  auto result = remote::carry(*endpoint, *request, elapsed, patience(options), "cloud carried over after " + done);
  if (!result) {
    cloud.reason = config.cloud_endpoint + ", begun anew: " + result.error();
    return std::nullopt;
  }
  cloud.reason = config.cloud_endpoint + ", went on after " + done + ", carried over in " +
                 planning::bytes_text(request->checkpoint.size());
  return std::move(result).value();
}

wire::CircuitRequest EdgeExecutor::State::request_of(const Circuit& circuit, const RunOptions& options) const {
  wire::CircuitRequest request = remote::request_of(circuit, options, remote::new_token());
  request.max_execution_time = config.cloud_timeout;
  return request;
}

remote::Patience EdgeExecutor::State::patience(const RunOptions& options) const {
  remote::Patience out{.stop = options.limits.control.stop};
  out.deadline = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                                        std::chrono::duration<double>(config.cloud_timeout));
  return out;
}

std::vector<Result> EdgeExecutor::State::run_remote(const wire::CircuitRequest& request, const RunOptions& options,
                                                    double seconds, const std::string& placement) {
  std::vector<Result> results;
  ask_endpoint(seconds, [&](bool is_long) {
    results = remote::run_batch(*endpoint, request, is_long, patience(options), placement);
  });
  return results;
}

void EdgeExecutor::State::ask_endpoint(double seconds, const std::function<void(bool is_long)>& ask) const {
  constexpr double kLong = 5.0;  // such a run is a job: it survives a connection that breaks
  try {
    ask(seconds > kLong);
  } catch (const Error& error) {
    // Whoever takes a request and is silent until the time is over may be gone, his connection half open: that is no
    // word on how long the run takes. An endpoint that answers, be it "not yet", has left no failure behind.
    if (error.code() != ErrorCode::deadline_exceeded || endpoint->last_failure().empty()) throw;
    throw Error(ErrorCode::unavailable,
                "it has not answered within cloud_timeout, " + base::number_text(config.cloud_timeout) + " s",
                endpoint->options().url.text(), "`skerry edge doctor` tells whether it is up; or raise cloud_timeout");
  }
}

// What waits with this question is sent as the job that it is, and waits no more when it is answered here.
Result EdgeExecutor::State::run_whole(const CompiledCircuit& circuit, const RunOptions& options, double seconds,
                                      Whole& whole, const std::string& placement) {
  std::optional<outbox::Item> item;
  if (outbox) item = outbox->waiting(whole.question, endpoint->options().url.text());
  if (item) whole.request = outbox::waiting_request(*outbox, *item);
  if (!whole.request) whole.request = request_of(circuit.circuit, options);
  Result result = std::move(run_remote(*whole.request, options, seconds, placement).at(0));
  if (item && outbox->claim(item->id)) outbox->remove(item->id);
  return result;
}

void EdgeExecutor::State::keep(const std::string& circuit_id, const std::string& question,
                               const std::function<wire::CircuitRequest()>& request, const Error& why) const {
  std::string id;
  try {
    id = outbox::keep(*outbox, config, circuit_id, question, request());
  } catch (const Error& error) {
    throw Error(error.code(), error.message() + "; so it does not wait in the outbox, and " + why.message(),
                error.where(), error.hint());
  }
  throw JobKept(why, id);
}

Result EdgeExecutor::State::run(ExecutionMethod method, const CompiledCircuit& circuit, const RunOptions& options,
                                Placement& placement, Whole& whole) {
  switch (method) {
    case ExecutionMethod::edge:
      return run_here(circuit.circuit, options, at(placement, method), whole);
    case ExecutionMethod::cloud: {
      if (whole.carried) {
        if (auto result = run_carried(options, at(placement, method), whole)) return *std::move(result);
      }
      double seconds = 0.0;
      for (const PlaceReport& place : placement.considered) seconds = std::max(seconds, place.seconds);
      return run_whole(circuit, options, seconds, whole, "cloud " + placement.considered[0].reason);
    }
    case ExecutionMethod::hybrid: {
      const SplitReport& report = *placement.split;
      const Running counted(*this, report.peak_bytes);
      RunOptions limited = options;
      limited.limits.control.deadline =
          std::chrono::steady_clock::now() +
          std::chrono::duration_cast<std::chrono::nanoseconds>(*options.limits.max_execution_time);
      const std::string told = "hybrid " + placement.considered[0].reason;
      return run_split(*circuit.split, report, circuit.circuit, limited,
                       [&](std::size_t piece, const Circuit& part, const RunOptions& asked) {
                         const PieceReport& at = report.pieces[piece];
                         return at.place == ExecutionMethod::cloud
                                    ? std::move(run_remote(request_of(part, asked), asked, at.seconds, told).at(0))
                                    : skerry::run(part, asked);
                       });
    }
  }
  return {};
}

// Who takes over. What the caller's own mistake or wish ended is nobody's.
std::optional<ExecutionMethod> EdgeExecutor::State::next(const Placement& placement, const Error& error,
                                                         const std::vector<ExecutionMethod>& tried) const {
  constexpr std::array kMoves = {ErrorCode::budget_exceeded, ErrorCode::deadline_exceeded, ErrorCode::unavailable,
                                 ErrorCode::limit_exceeded};
  if (std::ranges::find(kMoves, error.code()) == kMoves.end()) return std::nullopt;
  for (const ExecutionMethod method : {ExecutionMethod::cloud, ExecutionMethod::edge, ExecutionMethod::hybrid}) {
    const auto& place = *std::ranges::find(placement.considered, method, &PlaceReport::method);
    if (place.possible && std::ranges::find(tried, method) == tried.end()) return method;
  }
  return std::nullopt;
}

Result EdgeExecutor::State::run_placed(Placement& placement, Whole& whole,
                                       const std::function<Result(ExecutionMethod)>& run_at) {
  std::vector<ExecutionMethod> tried;
  for (ExecutionMethod method = placement.method;;) {
    tried.push_back(method);
    try {
      Result result = run_at(method);
      placement.method = method;
      return result;
    } catch (const Error& error) {
      if (method == ExecutionMethod::cloud && whole.stays) std::erase(tried, ExecutionMethod::edge);
      const auto other = next(placement, error, tried);
      PlaceReport& failed = at(placement, method);
      failed.chosen = false;
      failed.possible = method == ExecutionMethod::edge && whole.carried && whole.stays;  // it had memory enough
      failed.reason = std::string("failed: ") + error.what();
      if (!other) {
        if (tried.size() == 1 && method != ExecutionMethod::cloud) throw;
        const PlaceReport& here = at(placement, ExecutionMethod::edge);
        throw Error(error.code(),
                    error.message() + "; " +
                        (method == ExecutionMethod::edge ? "before that, " : "it cannot run here either: ") +
                        (method == ExecutionMethod::edge ? at(placement, ExecutionMethod::cloud).reason : here.reason),
                    error.where(), error.hint());
      }
      method = *other;
      PlaceReport& taken = at(placement, method);
      taken.chosen = true;
      if (method == ExecutionMethod::cloud) taken.reason = config.cloud_endpoint + ", begun anew";
      const std::scoped_lock lock(mutex);
      ++statistics.moved;
    }
  }
}

ResultPtr EdgeExecutor::execute(std::string_view circuit_id, const ExecutionInput& input) {
  return execute(state_->compiler->compiled_circuit(circuit_id), input);
}

ResultPtr EdgeExecutor::execute(const CompiledPtr& circuit, const ExecutionInput& input) {
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  const std::string key = question_key(*circuit, input);
  if (ResultPtr found = state_->find(key, start)) return found;
  RunOptions options = run_options(state_->config, input);
  Placement placement = decide(state_->question(*circuit, options));
  placement.decision_seconds = elapsed();
  if (placement.compressed) options = in_single_precision(std::move(options));
  Whole whole;
  if (state_->outbox) whole.question = outbox::question_of(state_->config, *circuit, input);
  ExecutionResult done{.circuit_id = circuit->circuit_id, .result = {}};
  try {
    if (!placement.refusal.empty()) refuse(placement, state_->config);
    done.result = state_->run_placed(placement, whole, [&](ExecutionMethod method) {
      return state_->run(method, *circuit, options, placement, whole);
    });
  } catch (const Error& error) {  // unavailable: the endpoint was needed, and could not be reached
    if (!state_->outbox || error.code() != ErrorCode::unavailable) throw;
    const auto request = [&] { return whole.request ? *whole.request : state_->request_of(circuit->circuit, options); };
    state_->keep(circuit->circuit_id, whole.question, request, error);
  }
  done.method = placement.method;
  done.placement = std::move(placement);
  done.memory_bytes = done.method == ExecutionMethod::cloud ? bytes_of(done.result) : done.result.report.peak_bytes;
  done.seconds = elapsed();
  // The next time there may be room for a better answer.
  return state_->finish(done.placement.compressed ? std::string() : key, std::move(done));
}

Placement EdgeExecutor::place(const CompiledPtr& circuit, const ExecutionInput& input) const {
  const auto start = std::chrono::steady_clock::now();
  Placement out = decide(state_->question(*circuit, run_options(state_->config, input)));
  out.decision_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

Placement EdgeExecutor::State::placement_of(ModelRun& model) const {
  return decide(model.question(resources(), endpoint ? endpoint->last_failure() : std::string()));
}

ResultPtr EdgeExecutor::execute_model(const Graph& graph, const NamedTensors& inputs, const RunControl& control) {
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  State& state = *state_;
  const std::string key = state.config.enable_caching ? question_key(graph, inputs) : std::string();
  if (ResultPtr found = state.find(key, start)) return found;
  const double asked_after = elapsed();
  ModelRun model(state.config, graph, inputs, control, state.models);
  Placement placement = state.placement_of(model);
  placement.decision_seconds = elapsed() - asked_after;
  RunOptions options;
  options.limits.control = control;
  ExecutionResult done{.circuit_id = {}, .result = {}};
  Whole whole;
  if (state.outbox) whole.question = outbox::question_of(state.config, graph, inputs);
  std::optional<outbox::Item> waits;
  const auto run_at = [&](ExecutionMethod method) {
    if (method == ExecutionMethod::cloud && state.outbox && !waits) {
      waits = state.outbox->waiting(whole.question, state.endpoint->options().url.text());
      if (waits) model.continue_as(waits->id);
    }
    std::optional<State::Running> counted;
    if (method != ExecutionMethod::cloud) counted.emplace(state, at(placement, method).peak_bytes);
    const std::string told =
        std::string(execution_method_name(method)) + " " + at(placement, ExecutionMethod::edge).reason;
    return model.run(
        method,
        [&](wire::CircuitRequest request, const std::string& program, const remote::Asked& asked, double seconds) {
          std::pair<Result, bool> answer;
          state.ask_endpoint(seconds, [&](bool is_long) {
            answer = remote::run_named(*state.endpoint, std::move(request), program, asked, is_long,
                                       state.patience(options), told);
          });
          return answer;
        },
        done.parts);
  };
  try {
    if (!placement.refusal.empty()) refuse(placement, state.config);
    done.result = state.run_placed(placement, whole, run_at);
  } catch (const Error& error) {  // unavailable: the endpoint was needed, and could not be reached
    if (!state.outbox || error.code() != ErrorCode::unavailable) throw;
    state.keep(
        {}, whole.question, [&] { return model.whole_request(); }, error);
  }
  if (waits && placement.method == ExecutionMethod::cloud && state.outbox->claim(waits->id))
    state.outbox->remove(waits->id);
  done.method = placement.method;
  done.placement = std::move(placement);
  done.memory_bytes = done.method == ExecutionMethod::cloud ? bytes_of(done.result) : done.result.report.peak_bytes;
  done.seconds = elapsed();
  return state.finish(key, std::move(done));
}

Placement EdgeExecutor::place_model(const Graph& graph, const NamedTensors& inputs) const {
  const auto start = std::chrono::steady_clock::now();
  ModelRun model(state_->config, graph, inputs, {}, state_->models);
  Placement out = state_->placement_of(model);
  out.decision_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

PerformanceStatistics EdgeExecutor::statistics() const {
  const std::scoped_lock lock(state_->mutex);
  PerformanceStatistics out = state_->statistics;
  out.cached_bytes = state_->kept.bytes();
  out.cached_results = state_->kept.size();
  return out;
}

Resources EdgeExecutor::resources() const {
  return state_->resources();
}

void EdgeExecutor::clear_cache() {
  const std::scoped_lock lock(state_->mutex);
  state_->kept.clear();
  state_->models.clear();
}

void EdgeExecutor::cleanup() {
  clear_cache();
  if (state_->endpoint) state_->endpoint->close();
}

}  // namespace skerry::edge
