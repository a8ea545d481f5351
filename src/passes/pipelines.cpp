// Which passes run at which level, top to bottom. Levels are cumulative in spirit: a higher one does all a lower one
// does.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>
#include <skerry/fault_tolerance.hpp>
#include <utility>

#include "base/trace.hpp"
#include "ir/verify.hpp"
#include "passes/native/native.hpp"
#include "passes/pass.hpp"

namespace skerry {
namespace passes {

#define SKERRY_CIRCUIT_PASS(name) extern const CircuitPass name##_pass;
#define SKERRY_OUTCOME_PASS(name) extern const CircuitPass name##_pass;
#define SKERRY_GRAPH_PASS(name) extern const GraphPass name##_pass;
#include "passes/passes.def"
#undef SKERRY_CIRCUIT_PASS
#undef SKERRY_OUTCOME_PASS
#undef SKERRY_GRAPH_PASS

std::span<const CircuitPass* const> circuit_passes() {
  static constexpr std::array kRows = {
#define SKERRY_CIRCUIT_PASS(name) &name##_pass,
#include "passes/passes.def"
#undef SKERRY_CIRCUIT_PASS
  };
  return kRows;
}

std::span<const CircuitPass* const> outcome_passes() {
  static constexpr std::array kRows = {
#define SKERRY_OUTCOME_PASS(name) &name##_pass,
#include "passes/passes.def"
#undef SKERRY_OUTCOME_PASS
  };
  return kRows;
}

std::span<const GraphPass* const> graph_passes() {
  static constexpr std::array kRows = {
#define SKERRY_GRAPH_PASS(name) &name##_pass,
#include "passes/passes.def"
#undef SKERRY_GRAPH_PASS
  };
  return kRows;
}

}  // namespace passes

namespace {

void check_budgets(const CompileOptions& options) {
  // Written so that a NaN is outside.
  if (!(options.error_budget >= 0 && options.error_budget < 1)) {
    throw Error(ErrorCode::invalid_argument, "the error budget is " + std::to_string(options.error_budget), {},
                "give an infidelity from 0 to below 1");
  }
  if (!(options.time_budget_seconds >= 0 && std::isfinite(options.time_budget_seconds))) {
    throw Error(ErrorCode::invalid_argument, "the time budget is " + std::to_string(options.time_budget_seconds), {},
                "give seconds, or 0 for the level's own");
  }
}

using Names = std::vector<std::string_view>;

Names circuit_pipeline(Level level) {
  switch (level) {
    case Level::low:
      return {"remove_identities"};
    case Level::medium:
      return {"remove_identities", "cancel_inverses", "merge_rotations"};
    case Level::high:
      return {"remove_identities", "cancel_inverses", "fold_phases",
              "merge_rotations",   "cancel_inverses", "merge_rotations"};
  }
  return {};
}

// Written in Clifford gates and phases, with few T among these.
Names clifford_t_pipeline() {
  return {"remove_identities", "write_clifford_t", "cancel_inverses", "fold_phases", "cancel_inverses", "fold_phases"};
}

// Before all others, where only the bits have to stay.
Names outcome_pipeline(const CompileOptions& options) {
  Names names;
  if (options.outcomes_only || options.reuse_qubits) names = {"remove_fresh_resets", "remove_unobserved"};
  if (options.reuse_qubits) names.emplace_back("reuse_qubits");
  return names;
}

Names graph_pipeline(Level level) {
  switch (level) {
    case Level::low:
      return {"remove_dead_nodes"};
    case Level::medium:
      return {"fuse_quantized", "fold_constants", "share_common", "remove_dead_nodes"};
    case Level::high:
      // Before constants are folded: a folded bias has lost its integers.
      // What patterns leave behind is removed before uses are counted again.
      return {"fuse_quantized",   "lower_einsum",     "fold_constants",       "share_common",   "fold_batch_norms",
              "fuse_layer_norms", "fuse_gelu",        "fuse_scaled_products", "fuse_attention", "remove_dead_nodes",
              "fuse_activations", "channels_last",    "fuse_quantized_sums",  "turn_weights",   "fuse_elementwise",
              "pack_weights",     "remove_dead_nodes"};
  }
  return {};
}

std::uint64_t size_of(const Circuit& circuit) {
  std::uint64_t size = 0;
  for (const Block& block : circuit.blocks()) size += block.size();
  return size;
}
std::uint64_t size_of(const Graph& graph) {
  return graph.nodes().size();
}

void check_disabled(const CompileOptions& options) {
  for (const std::string& disabled : options.disabled_passes) {
    std::string known;
    bool found = false;
    for (const PassInfo& pass : list_passes()) {
      found = found || pass.name == disabled;
      known += (known.empty() ? "" : ", ") + std::string(pass.name);
    }
    if (!found)
      throw Error(ErrorCode::invalid_argument, "there is no pass '" + disabled + "' to disable", {},
                  "passes are " + known);
  }
}

template <class Ir, class Rows>
Compiled run_pipeline(const Ir& input, const Names& names, const Rows& rows, const CompileOptions& options) {
  Compiled compiled;
  Ir current = input;
  for (const std::string_view name : names) {
    if (std::ranges::find(options.disabled_passes, name) != options.disabled_passes.end()) continue;
    const auto row = std::ranges::find_if(rows, [&](const auto* pass) { return pass->name == name; });
    options.control.check((*row)->name);
    const base::TraceSpan span((*row)->name, "passes");
    const auto begin = std::chrono::steady_clock::now();
    PassReport report{.name = std::string(name), .before = size_of(current)};
    current = (*row)->run(current);
    ir::verify(current);
    report.after = size_of(current);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    compiled.passes.push_back(std::move(report));
    options.control.report(static_cast<double>(compiled.passes.size()) / static_cast<double>(names.size()), name);
  }
  compiled.program = std::move(current);
  return compiled;
}

}  // namespace

std::string_view level_name(Level level) noexcept {
  constexpr std::array<std::string_view, 3> kNames = {"low", "medium", "high"};
  return kNames[static_cast<std::size_t>(level)];
}

Level level_from_name(std::string_view name) {
  for (const Level level : {Level::low, Level::medium, Level::high}) {
    if (level_name(level) == name) return level;
  }
  throw Error(ErrorCode::invalid_argument, "unknown level '" + std::string(name) + "'", {}, "use low, medium or high");
}

std::span<const PassInfo> list_passes() {
  static const std::vector<PassInfo> kInfos = [] {
    std::vector<PassInfo> infos;
    for (const auto* pass : passes::circuit_passes()) infos.push_back({pass->name, "circuit", pass->help});
    for (const auto* pass : passes::outcome_passes()) infos.push_back({pass->name, "outcome", pass->help});
    for (const auto* pass : passes::graph_passes()) infos.push_back({pass->name, "graph", pass->help});
    for (const PassInfo& pass : passes::native::device_passes()) infos.push_back(pass);
    return infos;
  }();
  return kInfos;
}

std::vector<std::string_view> pipeline(std::string_view kind, Level level) {
  if (kind == "outcome") return outcome_pipeline({.reuse_qubits = true});
  if (kind == "clifford_t") return clifford_t_pipeline();
  if (kind == "device") return passes::native::device_pipeline(level);
  return kind == "circuit" ? circuit_pipeline(level) : graph_pipeline(level);
}

Circuit write_clifford_t(const Circuit& circuit) {
  return std::get<Circuit>(run_pipeline(circuit, clifford_t_pipeline(), passes::circuit_passes(), {}).program);
}

Compiled compile(const Program& program, const CompileOptions& options) {
  check_disabled(options);
  check_budgets(options);
  if (const auto* given = std::get_if<Circuit>(&program); given != nullptr && acts_on_modes(*given)) {
    if (options.target || options.outcomes_only || options.reuse_qubits) {
      throw Error(ErrorCode::unsupported, "the circuit's wires are optical modes, and the option is for qubits",
                  given->name, "leave it out");
    }
    ir::verify(*given);  // gates are put together where their matrices are made
    Compiled compiled;
    compiled.program = *given;
    return compiled;
  }
  if (const auto* given = std::get_if<Circuit>(&program)) {
    Compiled first = run_pipeline(*given, outcome_pipeline(options), passes::outcome_passes(), options);
    const auto& circuit = std::get<Circuit>(first.program);
    Compiled compiled;
    if (options.target) {
      compiled = passes::native::compile_for_target(circuit, options);
      ir::verify(std::get<Circuit>(compiled.program));
    } else {
      compiled = run_pipeline(circuit, circuit_pipeline(options.level), passes::circuit_passes(), options);
    }
    compiled.passes.insert(compiled.passes.begin(), first.passes.begin(), first.passes.end());
    return compiled;
  }
  if (options.target) {
    throw Error(ErrorCode::invalid_argument, "a target is for circuits, and this is a graph", {},
                "leave the target out");
  }
  return run_pipeline(std::get<Graph>(program), graph_pipeline(options.level), passes::graph_passes(), options);
}

}  // namespace skerry
