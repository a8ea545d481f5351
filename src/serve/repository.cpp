#include "serve/repository.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <set>

#include "base/file.hpp"
#include "base/mapped.hpp"
#include "package/package.hpp"
#include "serve/sandbox/remote_model.hpp"

namespace skerry::serve {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxName = 128;
constexpr const char* kConfigFile = "config.pbtxt";
constexpr std::uint64_t kMostConfig = 1 << 20;

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
         });
}

Error no_model_name(const std::string& name) {
  return {ErrorCode::invalid_argument, "'" + name.substr(0, kMaxName) + "' cannot be the name of a model", "model",
          "use letters, digits, _ - ."};
}

std::optional<std::uint64_t> version_of(std::string_view text) {
  std::uint64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || version == 0) return std::nullopt;
  return version;
}

// `model.*` of a version's folder. Empty: none.
fs::path model_file(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().stem() == "model" && entry.is_regular_file()) found.push_back(entry.path());
  }
  if (found.size() > 1) {
    throw Error(ErrorCode::invalid_argument, "more than one file is named model", folder.string(), "keep one of them");
  }
  return found.empty() ? fs::path() : found.front();
}

std::map<std::uint64_t, fs::path> version_files(const fs::path& folder) {
  std::map<std::uint64_t, fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto version = version_of(entry.path().filename().string());
    if (!version || !entry.is_directory()) continue;
    if (const fs::path file = model_file(entry.path()); !file.empty()) files[*version] = file;
  }
  return files;
}

// Whatever its name; what cannot be read is none.
bool looks_like_model(const fs::path& folder) {
  std::error_code failed;
  if (fs::exists(folder / kConfigFile, failed)) return true;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    if (version_of(entry->path().filename().string())) return true;
  }
  return false;
}

// Other configurations are not looked at, whatever they hold. Errors: as base::read_file(), for a file that is too
// large.
bool may_be_ensemble(const fs::path& folder) {
  const fs::path file = folder / kConfigFile;
  return fs::is_regular_file(file) && base::read_file(file, kMostConfig).find("ensemble") != std::string::npos;
}

}  // namespace

Repository::Repository(RepositoryOptions options) : options_(std::move(options)) {
  if (!options_.folder.empty() && !fs::is_directory(options_.folder)) {
    throw Error(ErrorCode::not_found, "there is no such folder", options_.folder.string(),
                "name a folder with NAME/1/model.onnx in it");
  }
  if (!options_.releases.empty()) releases_.emplace(options_.releases);
}

Program Repository::program_of(Model& model) const {
  const base::CopiedFiles ours;  // whoever writes to a served file must not end the server, nor change its answers
  if (!releases_) return skerry::load(model.file, options_.loading);
  package::Loaded loaded = package::read(model.file, {.trusted = options_.loading.trusted});
  model.release = Releases::release_of(model.name, loaded.info.metadata);
  return std::move(loaded.contents.program);
}

bool Repository::is_stranger(const std::string& name) const {
  return std::any_of(options_.untrusted.begin(), options_.untrusted.end(),
                     [&](const std::string& one) { return one == "models" || one == "model:" + name; });
}

// Its file is read, and run, in a process of its own alone.
void Repository::open_apart(Model& model) {
  if (releases_)
    throw Error(ErrorCode::unsupported, "releases are read in the server itself", model.name,
                "leave the model out of --untrusted, or --releases away");
  const auto apart = std::make_shared<RemoteModel>(model.name, model.file, options_.limits, options_.loading);
  model.kind = apart->kind();
  model.inputs = apart->inputs();
  model.outputs = apart->outputs();
  model.statistics = statistics_of(model.name, model.version);
  const auto has_rows = [](const std::vector<TensorInfo>& infos) {
    return std::all_of(infos.begin(), infos.end(), [](const TensorInfo& info) {
      return info.dtype != DType::string && info.has_rank && !info.shape.empty() && info.shape.front() < 0;
    });
  };
  std::vector<std::string> outputs;
  for (const TensorInfo& info : model.outputs) outputs.push_back(info.name);
  const auto run = [apart](std::span<const Tensor> inputs, ApartTimes& times) {
    NamedTensors named;
    for (std::size_t i = 0; i < inputs.size(); ++i) named.emplace_back(apart->inputs()[i].name, inputs[i]);
    std::vector<Tensor> given;
    for (auto& [name, tensor] : apart->run(named, times)) given.push_back(std::move(tensor));
    return given;
  };
  model.batcher = std::make_unique<Batcher>(run, std::move(outputs), has_rows(model.inputs) && has_rows(model.outputs),
                                            options_.batching, model.statistics);
}

ModelPtr Repository::open(const std::string& name, std::uint64_t version, const fs::path& file) {
  auto model = std::make_shared<Model>();
  model->name = name;
  model->version = std::to_string(version);
  model->file = file;
  if (is_stranger(name)) {
    open_apart(*model);
    return model;
  }
  ServedGraph served = graph_to_serve(program_of(*model));
  model->kind = served.kind;
  model->graph = std::move(served.graph);
  model->inputs = std::move(served.inputs);
  model->outputs = std::move(served.outputs);
  model->statistics = statistics_of(name, model->version);
  model->batcher = std::make_unique<Batcher>(model->graph, options_.limits, options_.batching, model->statistics);
  return model;
}

std::shared_ptr<ModelStatistics> Repository::statistics_of(const std::string& name, const std::string& version) {
  const std::lock_guard lock(mutex_);
  auto& statistics = statistics_[name + "/" + version];
  if (!statistics) statistics = std::make_shared<ModelStatistics>();
  return statistics;
}

ModelPtr Repository::open_ensemble(const std::string& name, const fs::path& folder) {
  const fs::path file = folder / kConfigFile;
  if (!may_be_ensemble(folder)) return nullptr;
  const std::string where = name + "/" + kConfigFile;
  auto config = read_ensemble(base::read_file(file, kMostConfig), where);
  if (!config) return nullptr;
  if (!options_.loading.trusted.empty())
    throw Error(ErrorCode::bad_signature, "an ensemble's configuration has no signature", where,
                "serve it without --trust, or write one model of its parts and sign that");
  auto model = std::make_shared<Model>();
  model->name = name;
  model->version = "1";
  model->kind = "ensemble";
  model->file = file;
  for (const EnsembleTensor& input : config->inputs) model->inputs.push_back({input.name, input.dtype, input.shape});
  for (const EnsembleTensor& output : config->outputs)
    model->outputs.push_back({output.name, output.dtype, output.shape});
  model->statistics = statistics_of(name, model->version);
  const EnsembleConfig steps = *config;
  try {
    model->ensemble = std::make_unique<Ensemble>(
        name, *std::move(config),
        [this](std::string_view member, std::string_view version) { return find(member, version); },
        [this](Cast cast) { return keep(std::move(cast)); }, model->statistics);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) {
      std::set<std::string> seen;
      refuse_circle(steps, {name}, seen);
    }
    throw;
  }
  return model;
}

// Ensembles that wait for each other to be loaded are told so, not that somebody is missing.
void Repository::refuse_circle(const EnsembleConfig& config, const std::vector<std::string>& path,
                               std::set<std::string>& seen) const {
  constexpr std::size_t kMostLevels = 16;
  for (const EnsembleStep& step : config.steps) {
    if (step.model == path.front()) {
      std::string way;
      for (const std::string& name : path) way += name + " -> ";
      throw Error(ErrorCode::invalid_argument, "an ensemble within itself: " + way + step.model, step.where,
                  "let no ensemble come of itself");
    }
    const fs::path folder = options_.folder / step.model;
    if (!is_plain_name(step.model) || path.size() > kMostLevels || !seen.insert(step.model).second ||
        !may_be_ensemble(folder))
      continue;
    const std::string where = step.model + "/" + kConfigFile;
    const auto member = read_ensemble(base::read_file(folder / kConfigFile, kMostConfig), where);
    if (!member) continue;
    std::vector<std::string> further = path;
    further.push_back(step.model);
    refuse_circle(*member, further, seen);
  }
}

CastPtr Repository::keep(Cast cast) {
  auto kept = std::make_unique<Cast>(std::move(cast));
  {
    const std::lock_guard lock(mutex_);
    ++kept_;
  }
  const auto end = [this](const Cast* models) {
    undertaker_.post([models] { delete models; });
    const std::lock_guard lock(mutex_);
    --kept_;
    let_go_.notify_all();
  };
  return {kept.release(), end};
}

Repository::~Repository() {
  std::map<std::string, Entry, std::less<>> entries;
  {
    const std::lock_guard lock(mutex_);
    entries.swap(entries_);
  }
  entries.clear();  // what waits for single models is answered
  std::unique_lock lock(mutex_);
  let_go_.wait(lock, [this] { return kept_ == 0; });  // and what is under way through ensembles
}

void Model::submit(InferCall call) const {
  ensemble ? ensemble->submit(std::move(call)) : batcher->submit(std::move(call));
}

void Repository::load_all() {
  if (options_.folder.empty()) return;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(options_.folder)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || name.starts_with('.')) continue;
    if (is_plain_name(name)) {
      names.push_back(name);
    } else if (looks_like_model(entry.path())) {
      const std::lock_guard lock(mutex_);
      entries_[name].reason = no_model_name(name).what();
    }
  }
  std::stable_partition(names.begin(), names.end(),  // members before those that are made of them
                        [&](const std::string& name) {
                          try {
                            return !may_be_ensemble(options_.folder / name);
                          } catch (const Error&) {
                            return false;  // told when it is loaded
                          }
                        });
  // An ensemble may be a member of a later one: whoever could not be loaded is tried again when another one could.
  for (bool moved = true; moved && !names.empty();) {
    const std::size_t before = names.size();
    std::erase_if(names, [this](const std::string& name) {
      try {
        load(name);
      } catch (const Error& error) {  // told by index()
        return error.code() != ErrorCode::not_found;
      }
      return true;
    });
    moved = names.size() < before;
  }
}

void Repository::load(const std::string& name) {
  if (!is_plain_name(name)) {
    throw no_model_name(name);
  }
  std::map<std::uint64_t, ModelPtr> versions;
  const std::lock_guard one_at_a_time(loading_);  // so that what is read later is not published earlier
  try {
    const fs::path folder = options_.folder / name;
    if (options_.folder.empty() || !fs::is_directory(folder)) {
      throw Error(ErrorCode::not_found, "the repository has no model '" + name + "'", "model");
    }
    if (ModelPtr ensemble = open_ensemble(name, folder)) {
      versions[1] = std::move(ensemble);
    } else {
      for (const auto& [version, file] : version_files(folder)) versions[version] = open(name, version, file);
    }
    if (versions.empty()) {
      throw Error(ErrorCode::not_found, "model '" + name + "' has no version", name,
                  "put it at " + name + "/1/model.onnx");
    }
    // The newest answers whoever names no version: it must not be older than what answered before.
    const Model& newest = *versions.rbegin()->second;
    if (releases_ && !newest.ensemble) {
      releases_->check(name, newest.release);
      releases_->raise(name, newest.release);
    }
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    if (fs::exists(options_.folder / name) || entries_.contains(name)) entries_[name].reason = error.what();
    throw;
  }
  // The old versions end when their last call is answered: after this lock, which destroying them must not hold.
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[name];
  entry.versions.swap(versions);
  entry.reason.clear();
}

void Repository::unload(const std::string& name) {
  std::map<std::uint64_t, ModelPtr> versions;
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw Error(ErrorCode::not_found, "there is no model '" + name + "'", "model");
  found->second.versions.swap(versions);
  found->second.reason = "unloaded";
}

ModelPtr Repository::find(std::string_view name, std::string_view version) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.versions.empty()) {
    const std::string reason = found == entries_.end() ? "" : ": " + found->second.reason;
    throw Error(ErrorCode::not_found, "there is no model '" + std::string(name.substr(0, kMaxName)) + "'" + reason,
                "model");
  }
  if (version.empty()) return found->second.versions.rbegin()->second;
  const auto wanted = version_of(version);
  const auto one = wanted ? found->second.versions.find(*wanted) : found->second.versions.end();
  if (one == found->second.versions.end()) {
    throw Error(ErrorCode::not_found,
                "model '" + std::string(name) + "' has no version '" + std::string(version.substr(0, 32)) + "'",
                "model");
  }
  return one->second;
}

std::vector<std::string> Repository::versions(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  if (const auto found = entries_.find(name); found != entries_.end()) {
    for (const auto& [version, model] : found->second.versions) all.push_back(std::to_string(version));
  }
  return all;
}

std::vector<ModelPtr> Repository::loaded() const {
  const std::lock_guard lock(mutex_);
  std::vector<ModelPtr> all;
  for (const auto& [name, entry] : entries_) {
    for (const auto& [version, model] : entry.versions) all.push_back(model);
  }
  return all;
}

std::vector<IndexRow> Repository::index(bool ready_only) const {
  const std::lock_guard lock(mutex_);
  std::vector<IndexRow> rows;
  for (const auto& [name, entry] : entries_) {
    for (const auto& [version, model] : entry.versions) {
      rows.push_back({name, std::to_string(version), "READY", entry.reason});
    }
    if (entry.versions.empty() && !ready_only) rows.push_back({name, "", "UNAVAILABLE", entry.reason});
  }
  return rows;
}

bool Repository::all_ready() const {
  const std::lock_guard lock(mutex_);
  return std::all_of(entries_.begin(), entries_.end(),
                     [](const auto& row) { return !row.second.versions.empty() || row.second.reason == "unloaded"; });
}

}  // namespace skerry::serve
