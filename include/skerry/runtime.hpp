/// \file
/// What a device needs that only runs packages: load_package -> plan -> run, without importers
/// (libskerry_runtime). A program that also imports and compiles includes <skerry/skerry.hpp>.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/error.hpp>
#include <skerry/graph.hpp>
#include <skerry/hybrid.hpp>
#include <skerry/limits.hpp>
#include <skerry/noise.hpp>
#include <skerry/observable.hpp>
#include <skerry/options.hpp>
#include <skerry/plan.hpp>
#include <skerry/program.hpp>
#include <skerry/progress.hpp>
#include <skerry/result.hpp>
#include <skerry/session.hpp>
#include <skerry/shot_stream.hpp>
#include <skerry/state.hpp>
#include <skerry/tensor.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

/// Version of this library, `0.1.0`.
std::string_view version() noexcept;

/// Ed25519 keys; see `skerry keys`.
using PublicKey = std::array<std::byte, 32>;
using SecretKey = std::array<std::byte, 64>;

struct LoadOptions {
  ImportLimits limits;
  std::vector<PublicKey> trusted;  ///< packages must be signed by one of these, if any are given
  bool check_weights = false;      ///< check the hash of mapped weights, however large
};

/// A program from a `.skerry` package; weights stay in the mapped file. Errors: those of packages, with the place.
Program load_package(const std::filesystem::path& path, const LoadOptions& options = {});

struct SaveOptions {
  bool compress = false;
  std::optional<SecretKey> key;
  std::map<std::string, std::string> metadata;
};
/// Writes a `.skerry` package atomically; equal programs and options give equal bytes.
void save(const Program& program, const std::filesystem::path& path, const SaveOptions& options = {});

/// What a run would take and where it would run. Nothing is allocated; a run that would be refused says so in
/// `refusal`.
Plan plan(const Circuit& circuit, const RunOptions& options = {}, std::string* refusal = nullptr);
/// inputs: concrete type of each graph input, in order. Errors: also budget_exceeded and deadline_exceeded.
Plan plan(const Graph& graph, std::span<const TensorType> inputs, const Limits& limits = {});

/// Plans and runs. Errors: those of planning, cancelled, deadline_exceeded, and what the program finds in its data.
Result run(const Circuit& circuit, const RunOptions& options = {});
/// One run of a model; a Session is cheaper for many. seed: as Session::seed().
Result run(const Graph& graph, const NamedTensors& inputs, const Limits& limits = {}, std::uint64_t seed = 0);

/// Values of the circuit's parameters in order of declaration, from options.parameters or options.named_parameters.
/// Errors: invalid_argument naming what is missing, unknown or given twice.
std::vector<double> parameter_values(const Circuit& circuit, const RunOptions& options);

}  // namespace skerry
