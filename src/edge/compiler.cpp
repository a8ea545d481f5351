#include <chrono>
#include <future>
#include <limits>
#include <mutex>
#include <optional>
#include <set>
#include <skerry/edge.hpp>
#include <skerry/error.hpp>
#include <utility>

#include "edge/folder.hpp"
#include "edge/kept.hpp"
#include "edge/run_options.hpp"
#include "edge/split.hpp"
#include "package/digest.hpp"
#include "package/package.hpp"

namespace skerry::edge {
namespace {

std::vector<std::byte> encoded(Circuit circuit) {
  circuit.name.clear();  // a file's name is no part of what it says
  return package::encode({.program = std::move(circuit), .metadata = {}, .plans = {}});
}

std::string id_of(std::span<const std::byte> source, Level level, const EdgeExecutionConfig& config) {
  const std::string asked = std::string(level_name(level)) + ' ' + std::to_string(config.max_memory_mb) + ' ' +
                            std::to_string(config.max_execution_time);
  const std::array<std::span<const std::byte>, 2> pieces{source, std::as_bytes(std::span(asked))};
  return package::hex(package::sha256(pieces));
}

// The plan for the state, which is dearest; for samples when nobody can give the state. None when no method can run it.
std::optional<Plan> plan_for(const Circuit& circuit, const EdgeExecutionConfig& config, std::uint64_t shots) {
  try {
    std::string refusal;  // an estimate above the budget is still an estimate
    return skerry::plan(circuit, run_options(config, {.shots = shots, .seed = 0}), &refusal);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported) throw;
    return std::nullopt;
  }
}

void estimate(CompiledCircuit& compiled, const EdgeExecutionConfig& config) {
  const auto fits = [&](const std::optional<Plan>& plan) {
    return plan && static_cast<double>(plan->peak_bytes) <= config.max_memory_mb * 1e6 &&
           plan->seconds <= config.max_execution_time;
  };
  const std::optional<Plan> state = plan_for(compiled.circuit, config, 0);
  const std::optional<Plan> samples = fits(state) ? std::nullopt : plan_for(compiled.circuit, config, 1);
  const std::optional<Plan>& plan = state ? state : samples;
  compiled.estimated_bytes = plan ? plan->peak_bytes : std::numeric_limits<std::uint64_t>::max();
  compiled.estimated_seconds = plan ? plan->seconds : std::numeric_limits<double>::infinity();
  if (fits(state) || fits(samples)) {
    compiled.why_whole = "it fits in one piece";
    return;
  }
  auto split = find_split(compiled.circuit, config);
  if (split) {
    compiled.split = *split;
  } else {
    compiled.why_whole = split.error();
  }
}

}  // namespace

struct CircuitCompiler::State {
  explicit State(EdgeExecutionConfig c)
      : config(std::move(c)), kept(static_cast<std::uint64_t>(config.cache_size_mb * 1e6)) {
    if (config.enable_caching && !config.cache_folder.empty()) folder.emplace(config.cache_folder);
  }

  CompiledPtr make(const Circuit& circuit, Level level, const std::string& id, std::uint64_t bytes) {
    if (folder) {
      if (auto found = folder->find(id)) {
        estimate(*found, config);
        return std::make_shared<const CompiledCircuit>(std::move(*found));
      }
    }
    const auto start = std::chrono::steady_clock::now();
    Compiled done = compile(circuit, {.level = level, .disabled_passes = {}, .control = {}});
    CompiledCircuit compiled{.circuit_id = id,
                             .level = level,
                             .circuit = std::move(std::get<Circuit>(done.program)),
                             .bytes = bytes,
                             .passes = std::move(done.passes)};
    compiled.compile_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    estimate(compiled, config);
    if (folder) folder->keep(compiled, config.enable_compression);
    return std::make_shared<const CompiledCircuit>(std::move(compiled));
  }

  // What is kept or being made already; else an empty pointer, and the caller makes it.
  CompiledPtr found_or_awaited(const std::string& id, std::promise<CompiledPtr>& promise) {
    std::shared_future<CompiledPtr> awaited;
    {
      const std::scoped_lock lock(mutex);
      ++lookups;
      if (!config.enable_caching) return nullptr;
      if (CompiledPtr found = kept.use(id)) {
        ++hits;
        return found;
      }
      const auto making = in_flight.find(id);
      if (making == in_flight.end()) {
        in_flight.emplace(id, promise.get_future().share());
        return nullptr;
      }
      ++hits;
      awaited = making->second;
    }
    return awaited.get();
  }

  void keep(const CompiledPtr& compiled) {
    const std::scoped_lock lock(mutex);
    distinct.insert(compiled->circuit_id);
    kept.keep(compiled->circuit_id, compiled, compiled->bytes, compiled->compile_seconds);
    in_flight.erase(compiled->circuit_id);
  }

  EdgeExecutionConfig config;
  std::optional<CompiledFolder> folder;
  mutable std::mutex mutex;
  Kept<CompiledCircuit> kept;
  std::map<std::string, std::shared_future<CompiledPtr>> in_flight;
  std::set<std::string> distinct;
  std::uint64_t lookups = 0, hits = 0;
};

CircuitCompiler::CircuitCompiler(EdgeExecutionConfig config) {
  config.validate();
  state_ = std::make_unique<State>(std::move(config));
}
CircuitCompiler::~CircuitCompiler() = default;

const EdgeExecutionConfig& CircuitCompiler::config() const noexcept {
  return state_->config;
}

CompiledPtr CircuitCompiler::compile_circuit(const Circuit& circuit, Level level) {
  const std::vector<std::byte> source = encoded(circuit);
  const std::string id = id_of(source, level, state_->config);
  std::promise<CompiledPtr> promise;
  if (CompiledPtr found = state_->found_or_awaited(id, promise)) return found;
  try {
    CompiledPtr compiled = state_->make(circuit, level, id, source.size());
    state_->keep(compiled);
    promise.set_value(compiled);
    return compiled;
  } catch (...) {
    promise.set_exception(std::current_exception());
    const std::scoped_lock lock(state_->mutex);
    state_->in_flight.erase(id);
    throw;
  }
}

CompiledPtr CircuitCompiler::compiled_circuit(std::string_view circuit_id) const {
  const std::scoped_lock lock(state_->mutex);
  if (CompiledPtr found = state_->kept.find(circuit_id)) return found;
  throw Error(ErrorCode::not_found, "no compiled circuit has the id '" + std::string(circuit_id) + "'", "circuit_id",
              "compile or load it first; circuits that do not fit into cache_size_mb are forgotten");
}

std::map<std::string, CompiledPtr> CircuitCompiler::compiled_circuits() const {
  const std::scoped_lock lock(state_->mutex);
  std::map<std::string, CompiledPtr> all;
  state_->kept.for_each([&](const std::string& id, const CompiledPtr& compiled) { all.emplace(id, compiled); });
  return all;
}

void CircuitCompiler::save(std::string_view circuit_id, const std::filesystem::path& path) const {
  write_compiled(path, *compiled_circuit(circuit_id), state_->config.enable_compression);
}

CompiledPtr CircuitCompiler::load(const std::filesystem::path& path) {
  CompiledCircuit read = read_compiled(path);
  estimate(read, state_->config);
  auto compiled = std::make_shared<const CompiledCircuit>(std::move(read));
  state_->keep(compiled);
  return compiled;
}

void CircuitCompiler::clear_cache() {
  const std::scoped_lock lock(state_->mutex);
  state_->kept.clear();
}

CompilationStatistics CircuitCompiler::statistics() const {
  const std::scoped_lock lock(state_->mutex);
  CompilationStatistics out{.compiled_circuits = state_->distinct.size(),
                            .lookups = state_->lookups,
                            .hits = state_->hits,
                            .cached_bytes = state_->kept.bytes(),
                            .cached_circuits = state_->kept.size()};
  double sum = 0.0;
  state_->kept.for_each(
      [&](const std::string&, const CompiledPtr& c) { sum += static_cast<double>(c->estimated_bytes); });
  if (out.cached_circuits != 0) out.average_estimated_bytes = sum / static_cast<double>(out.cached_circuits);
  return out;
}

}  // namespace skerry::edge
