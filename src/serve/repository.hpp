/// \file
/// The models that are served: a folder in Triton's layout, `NAME/VERSION/model.onnx` (or `.skerry`, `.qasm`, ...), or
/// `NAME/config.pbtxt` for an ensemble of others.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <skerry/skerry.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "serve/batcher.hpp"
#include "serve/ensemble/ensemble.hpp"
#include "serve/releases.hpp"
#include "serve/served_graph.hpp"
#include "serve/workers.hpp"
#include "wire/infer.hpp"

namespace skerry::serve {

/// One version of a model, ready for calls. Shared by the repository and the calls in flight: a version that was
/// replaced lives until they are answered.
struct Model {
  std::string name, version;
  std::string kind;  ///< `model`, `circuit` that was wrapped into one, or `ensemble`
  std::filesystem::path file;
  std::uint64_t release = 0;           ///< of the package, where releases are looked at
  std::shared_ptr<const Graph> graph;  ///< null for an ensemble, and for what runs apart
  std::vector<TensorInfo> inputs, outputs;
  std::shared_ptr<ModelStatistics> statistics;  // shared: a reload goes on counting
  std::unique_ptr<Batcher> batcher;             ///< null for an ensemble
  std::unique_ptr<Ensemble> ensemble;           ///< null for all others

  /// Errors: those of Batcher::submit() and Ensemble::submit().
  void submit(InferCall call) const;
  std::size_t waiting() const { return ensemble ? ensemble->waiting() : batcher->waiting(); }
  bool can_batch() const noexcept { return batcher && batcher->can_batch(); }
};

/// Inputs as the model wants them, or a refusal that names tensor, shape and what was wanted.
NamedTensors checked_inputs(const Model& model, std::vector<wire::InferInput> inputs);

struct IndexRow {
  std::string name, version, state, reason;
};

struct RepositoryOptions {
  std::filesystem::path folder;
  Limits limits;  ///< of every run
  LoadOptions loading;
  std::filesystem::path releases;  ///< floors of releases (releases.hpp); then packages alone are served. Empty: none
  /// Models that are read and run in a process of their own: `model:NAME`, or `models` for all; other words are of
  /// circuits.
  std::vector<std::string> untrusted;
  BatchingOptions batching{.sizes = {4, 16, 32}};
};

/// From any thread. Reading is cheap; a model that is being loaded again is served in its old version until the new one
/// is ready.
class Repository {
 public:
  /// Errors: not_found (no such folder); those of Releases.
  explicit Repository(RepositoryOptions options);
  /// Answers what waits, and what is under way through ensembles, first.
  ~Repository();
  Repository(const Repository&) = delete;
  Repository& operator=(const Repository&) = delete;

  /// Loads every model of the folder. One that cannot be loaded is told in index() and stops nobody else.
  void load_all();
  /// Loads a model, or loads it again. Errors: not_found, invalid_argument (a name that is no plain folder name), those
  /// of skerry::load; then the versions that were served stay.
  void load(const std::string& name);
  /// Takes a model out of service. Errors: not_found.
  void unload(const std::string& name);
  /// version: empty for the newest. Errors: not_found.
  ModelPtr find(std::string_view name, std::string_view version = {}) const;
  std::vector<std::string> versions(std::string_view name) const;
  std::vector<ModelPtr> loaded() const;
  std::vector<IndexRow> index(bool ready_only) const;
  /// True when every model of the folder was loaded.
  bool all_ready() const;

 private:
  struct Entry {
    std::map<std::uint64_t, ModelPtr> versions;
    std::string reason;  ///< why the last load failed
  };
  ModelPtr open(const std::string& name, std::uint64_t version, const std::filesystem::path& file);
  Program program_of(Model& model) const;
  bool is_stranger(const std::string& name) const;
  void open_apart(Model& model);
  /// Nothing: it is no ensemble.
  ModelPtr open_ensemble(const std::string& name, const std::filesystem::path& folder);
  /// seen: members whose way does not lead back. Errors: invalid_argument for one whose way does.
  void refuse_circle(const EnsembleConfig& config, const std::vector<std::string>& path,
                     std::set<std::string>& seen) const;
  CastPtr keep(Cast cast);
  std::shared_ptr<ModelStatistics> statistics_of(const std::string& name, const std::string& version);

  RepositoryOptions options_;
  std::optional<Releases> releases_;
  Workers undertaker_{1, SIZE_MAX};  // ends models that no thread of a model may end; its work uses nothing of this
  std::mutex loading_;
  mutable std::mutex mutex_;
  std::condition_variable let_go_;
  std::size_t kept_ = 0;  // casts that somebody holds
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::shared_ptr<ModelStatistics>> statistics_;
};

}  // namespace skerry::serve
