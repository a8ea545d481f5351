/// \file
/// Models that run one after the other, or beside each other, for one request: Triton's `ensemble_scheduling`.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <skerry/tensor.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/batcher.hpp"

namespace skerry::serve {

struct Model;
using ModelPtr = std::shared_ptr<const Model>;

/// An input or output of an ensemble.
struct EnsembleTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;  ///< whole, rows included; -1: unknown extent
  std::string where;
};

struct EnsembleStep {
  std::string model, version;                  ///< version empty: the newest
  std::map<std::string, std::string> inputs;   ///< the model's input, and the ensemble's tensor that it takes
  std::map<std::string, std::string> outputs;  ///< the model's output, and the tensor that it becomes
  std::string where;
};

/// What a `config.pbtxt` says of an ensemble.
struct EnsembleConfig {
  std::int64_t max_rows = 0;  ///< of a request; 0: requests have no rows
  std::vector<EnsembleTensor> inputs, outputs;
  std::vector<EnsembleStep> steps;
};

/// Nothing for the configuration of any other model. where: the file's name, for errors.
/// Errors: those of parse_config(); invalid_argument (a field that is missing, twice or wrong), unsupported (a field
/// that means nothing here), limit_exceeded (64 steps), each with its line.
std::optional<EnsembleConfig> read_ensemble(std::string_view text, const std::string& where);

/// The models that one request meets, by name and version: each once, those of ensembles within ensembles among them.
using Cast = std::map<std::pair<std::string, std::string>, ModelPtr>;
using CastPtr = std::shared_ptr<const Cast>;

/// Takes requests apart into calls of its members, which batch them with those of everybody else. A tensor goes from
/// member to member as it is, without a copy. A member may be an ensemble. From any thread.
class Ensemble {
 public:
  using Find = std::function<ModelPtr(std::string_view name, std::string_view version)>;
  /// Keeps models for as long as somebody holds what it gives. They end somewhere else: the last one who holds a model
  /// waits for its thread, which no thread of a model may.
  using Keep = std::function<CastPtr(Cast)>;

  /// Looks at the members as they are now. Errors, with the step's line: not_found (a member, an input or output of
  /// one), invalid_argument (a tensor that nobody makes, or two; steps that wait for each other; an ensemble within
  /// itself, with the way there), type_mismatch (dtype or shape), limit_exceeded (256 steps, those of
  /// members counted; 16 ensembles within each other).
  Ensemble(std::string name, EnsembleConfig config, Find find, Keep keep, std::shared_ptr<ModelStatistics> statistics);

  /// Runs every step as soon as its inputs are there, on the members as they are now, all in one version each.
  /// Errors: as the constructor, for what has become of members since; invalid_argument for too many rows. What happens
  /// later is told to `done`, with the step's place.
  void submit(InferCall call) const;
  std::size_t waiting() const noexcept { return waiting_->load(); }
  const EnsembleConfig& config() const noexcept { return *config_; }

 private:
  class Run;

  Cast cast() const;
  std::size_t add_members(Cast& cast, std::vector<std::string_view>& path) const;
  void begin(CastPtr cast, InferCall call) const;

  std::string name_;
  std::shared_ptr<const EnsembleConfig> config_;  // shared: runs outlive the ensemble that is replaced
  Find find_;
  Keep keep_;
  std::shared_ptr<ModelStatistics> statistics_;        // shared with the model, and with runs
  std::shared_ptr<std::atomic<std::size_t>> waiting_;  // shared with runs
};

}  // namespace skerry::serve
