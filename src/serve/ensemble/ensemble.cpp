#include "serve/ensemble/ensemble.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <skerry/error.hpp>

#include "serve/repository.hpp"
#include "wire/tensors.hpp"

namespace skerry::serve {
namespace {

constexpr std::size_t kMostRunSteps = 256;  // of a request; each may be run within the one before it
constexpr std::size_t kMostNested = 16;

// A tensor of the ensemble as whoever makes it says that it is.
struct Made {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  bool has_rank = true;
};

std::string text_of(const Made& tensor) {
  std::string text(wire::datatype_name(tensor.dtype));
  if (!tensor.has_rank) return text;
  text += " [";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(tensor.shape[i]);
  return text + "]";
}

bool fit(const Made& a, const Made& b) {
  if (a.dtype != b.dtype) return false;
  if (!a.has_rank || !b.has_rank) return true;
  return std::equal(a.shape.begin(), a.shape.end(), b.shape.begin(), b.shape.end(),
                    [](std::int64_t x, std::int64_t y) { return x < 0 || y < 0 || x == y; });
}

const TensorInfo& info_of(const std::vector<TensorInfo>& infos, const std::string& name, const EnsembleStep& step,
                          const char* kind) {
  const auto found = std::find_if(infos.begin(), infos.end(), [&](const auto& info) { return info.name == name; });
  if (found == infos.end())
    throw Error(ErrorCode::not_found, "model '" + step.model + "' has no " + kind + " '" + name + "'", step.where);
  return *found;
}

Made made_by(const TensorInfo& info) {
  return {info.dtype, info.shape, info.has_rank};
}

void check_fit(const Made& given, const Made& wanted, const std::string& tensor, const std::string& whose,
               const std::string& where) {
  if (fit(given, wanted)) return;
  throw Error(ErrorCode::type_mismatch,
              "tensor '" + tensor + "' is " + text_of(given) + ", " + whose + " is " + text_of(wanted), where);
}

// Each step's inputs and outputs are the member's, and every tensor is made once.
std::map<std::string, Made> tensors_of(const EnsembleConfig& config, const std::vector<const Model*>& members) {
  std::map<std::string, Made> made;
  for (const EnsembleTensor& input : config.inputs) made[input.name] = {input.dtype, input.shape};
  for (std::size_t i = 0; i < config.steps.size(); ++i) {
    const EnsembleStep& step = config.steps[i];
    if (step.outputs.empty()) throw Error(ErrorCode::invalid_argument, "a step gives nothing", step.where);
    for (const auto& [output, tensor] : step.outputs) {
      if (!made.emplace(tensor, made_by(info_of(members[i]->outputs, output, step, "output"))).second)
        throw Error(ErrorCode::invalid_argument, "tensor '" + tensor + "' is made a second time", step.where);
    }
  }
  for (std::size_t i = 0; i < config.steps.size(); ++i) {
    const EnsembleStep& step = config.steps[i];
    for (const TensorInfo& input : members[i]->inputs) {
      if (!step.inputs.contains(input.name))
        throw Error(ErrorCode::invalid_argument,
                    "model '" + step.model + "' wants input '" + input.name + "', which has no tensor", step.where,
                    "add it to input_map");
    }
    for (const auto& [input, tensor] : step.inputs) {
      const TensorInfo& wanted = info_of(members[i]->inputs, input, step, "input");
      const auto found = made.find(tensor);
      if (found == made.end())
        throw Error(ErrorCode::invalid_argument, "nobody makes tensor '" + tensor + "'", step.where);
      check_fit(found->second, made_by(wanted), tensor, "input '" + input + "' of model '" + step.model + "'",
                step.where);
    }
  }
  return made;
}

// Every step can be run some time: none waits for what comes of it.
void check_order(const EnsembleConfig& config) {
  std::set<std::string_view> there;
  for (const EnsembleTensor& input : config.inputs) there.insert(input.name);
  std::vector<const EnsembleStep*> left;
  for (const EnsembleStep& step : config.steps) left.push_back(&step);
  for (bool moved = true; moved && !left.empty();) {
    const auto ready = std::partition(left.begin(), left.end(), [&](const EnsembleStep* step) {
      return !std::all_of(step->inputs.begin(), step->inputs.end(),
                          [&](const auto& pair) { return there.contains(pair.second); });
    });
    moved = ready != left.end();
    for (auto at = ready; at != left.end(); ++at)
      for (const auto& [output, tensor] : (*at)->outputs) there.insert(tensor);
    left.erase(ready, left.end());
  }
  if (left.empty()) return;
  const EnsembleStep& step = **std::min_element(left.begin(), left.end());
  const auto missing = std::find_if(step.inputs.begin(), step.inputs.end(),
                                    [&](const auto& pair) { return !there.contains(pair.second); });
  throw Error(
      ErrorCode::invalid_argument,
      "model '" + step.model + "' waits for tensor '" + missing->second + "', which waits for others in a circle",
      step.where, "let each tensor come of the inputs");
}

std::vector<const Model*> members_of(const EnsembleConfig& config, const Cast& cast) {
  std::vector<const Model*> members;
  for (const EnsembleStep& step : config.steps) members.push_back(cast.at({step.model, step.version}).get());
  return members;
}

// What was loaded in the place of a member may have other inputs and outputs.
void check_members(const EnsembleConfig& config, const std::vector<const Model*>& members) {
  const auto made = tensors_of(config, members);
  for (const EnsembleTensor& output : config.outputs) {
    const auto found = made.find(output.name);
    if (found == made.end())
      throw Error(ErrorCode::invalid_argument, "nobody makes output '" + output.name + "'", output.where);
    check_fit(found->second, {output.dtype, output.shape}, output.name, "the output", output.where);
  }
}

}  // namespace

/// One request on its way through the steps. Lives as long as a call of it does.
class Ensemble::Run : public std::enable_shared_from_this<Ensemble::Run> {
 public:
  Run(const Ensemble& of, CastPtr cast, InferCall call)
      : cast_(std::move(cast)),
        config_(of.config_),
        statistics_(of.statistics_),
        waiting_(of.waiting_),
        members_(members_of(*config_, *cast_)),
        call_(std::move(call)),
        launched_(config_->steps.size()) {
    waiting_->fetch_add(1);
    rows_ = config_->max_rows > 0 ? call_.inputs.front().second.shape()[0] : 1;
    for (auto& [name, tensor] : call_.inputs) tensors_[name] = std::move(tensor);
  }
  ~Run() { waiting_->fetch_sub(1); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Runs what can be run now.
  void advance() {
    std::vector<std::pair<std::size_t, std::vector<wire::InferInput>>> ready;
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < launched_.size() && !ended_; ++i) {
        const auto& inputs = config_->steps[i].inputs;
        if (launched_[i] || !std::all_of(inputs.begin(), inputs.end(),
                                         [&](const auto& pair) { return tensors_.contains(pair.second); }))
          continue;
        launched_[i] = true;
        auto& given = ready.emplace_back(i, std::vector<wire::InferInput>()).second;
        for (const auto& [input, tensor] : inputs) {
          const Tensor& from = tensors_.at(tensor);
          given.push_back({.name = input, .dtype = from.dtype(), .shape = from.shape(), .tensor = from, .shared = {}});
        }
      }
    }
    for (auto& [step, inputs] : ready) launch(step, std::move(inputs));  // each may be over before it returns
  }

 private:
  void launch(std::size_t step, std::vector<wire::InferInput> inputs) {
    try {
      InferCall call{.inputs = checked_inputs(*members_[step], std::move(inputs)),
                     .deadline = call_.deadline,
                     .priority = call_.priority,
                     .stop = call_.stop,
                     .done = {}};
      call.done = [self = shared_from_this(), step](const std::exception_ptr& error, NamedTensors outputs,
                                                    const Timing& timing) {
        self->finished(step, error, std::move(outputs), timing);
      };
      const Ensemble* within = members_[step]->ensemble.get();
      within != nullptr ? within->begin(cast_, std::move(call)) : members_[step]->submit(std::move(call));
    } catch (...) {
      finished(step, std::current_exception(), {}, {});
    }
  }

  void finished(std::size_t step, const std::exception_ptr& error, NamedTensors&& outputs, const Timing& timing) {
    bool over = false;
    {
      const std::lock_guard lock(mutex_);
      timing_.queue += timing.queue;
      timing_.input += timing.input;
      timing_.infer += timing.infer;
      timing_.output += timing.output;
      for (auto& [name, tensor] : outputs) {
        const auto& names = config_->steps[step].outputs;
        if (const auto to = names.find(name); to != names.end()) tensors_[to->second] = std::move(tensor);
      }
      ++done_;
      over = !ended_ && (error || done_ == launched_.size());
      ended_ = ended_ || over;
    }
    if (!over) return advance();
    error ? fail(named(error, config_->steps[step])) : succeed();
  }

  // The same error, with the step's place.
  static std::exception_ptr named(const std::exception_ptr& error, const EnsembleStep& step) {
    try {
      std::rethrow_exception(error);
    } catch (const Error& known) {
      const std::string inner = known.where().empty() ? "" : known.where() + ": ";
      return std::make_exception_ptr(Error(
          known.code(), "step of model '" + step.model + "': " + inner + known.message(), step.where, known.hint()));
    } catch (...) {
      return std::current_exception();
    }
  }

  void fail(std::exception_ptr error) {
    statistics_->failed(std::chrono::duration_cast<Nanoseconds>(Clock::now() - call_.arrived));
    call_.done(std::move(error), {}, timing_);
  }

  void succeed() {
    NamedTensors outputs;
    for (const EnsembleTensor& output : config_->outputs) outputs.emplace_back(output.name, tensors_.at(output.name));
    timing_.total = std::chrono::duration_cast<Nanoseconds>(Clock::now() - call_.arrived);
    const auto rows = static_cast<std::uint64_t>(std::max<std::int64_t>(1, rows_));
    statistics_->executed(rows, timing_.input, timing_.infer, timing_.output);
    statistics_->succeeded(timing_, rows);
    call_.done(nullptr, std::move(outputs), timing_);
  }

  CastPtr cast_;  // first, so that it is let go last: who kept it may wait for the end of all runs
  std::shared_ptr<const EnsembleConfig> config_;
  std::shared_ptr<ModelStatistics> statistics_;
  std::shared_ptr<std::atomic<std::size_t>> waiting_;
  std::vector<const Model*> members_;  // of the cast
  InferCall call_;
  std::int64_t rows_ = 1;
  std::mutex mutex_;
  std::map<std::string, Tensor> tensors_;
  std::vector<bool> launched_;
  std::size_t done_ = 0;
  bool ended_ = false;
  Timing timing_;
};

Ensemble::Ensemble(std::string name, EnsembleConfig config, Find find, Keep keep,
                   std::shared_ptr<ModelStatistics> statistics)
    : name_(std::move(name)),
      config_(std::make_shared<const EnsembleConfig>(std::move(config))),
      find_(std::move(find)),
      keep_(std::move(keep)),
      statistics_(std::move(statistics)),
      waiting_(std::make_shared<std::atomic<std::size_t>>(0)) {
  const CastPtr members = keep_(cast());
  check_members(*config_, members_of(*config_, *members));
  check_order(*config_);
}

Cast Ensemble::cast() const {
  Cast all;
  std::vector<std::string_view> path;
  add_members(all, path);
  return all;
}

// Gives how many steps there are to run, those of members counted.
std::size_t Ensemble::add_members(Cast& cast, std::vector<std::string_view>& path) const {
  path.push_back(name_);
  std::size_t steps = 0;
  for (const EnsembleStep& step : config_->steps) {
    if (std::find(path.begin(), path.end(), step.model) != path.end()) {
      std::string way;
      for (const std::string_view name : path) way.append(name).append(" -> ");
      throw Error(ErrorCode::invalid_argument, "an ensemble within itself: " + way + step.model, step.where,
                  "let no ensemble come of itself");
    }
    if (path.size() > kMostNested)
      throw Error(ErrorCode::limit_exceeded, "more than 16 ensembles lie within each other", step.where);
    ModelPtr& member = cast[{step.model, step.version}];
    try {
      if (!member) member = find_(step.model, step.version);
    } catch (const Error& error) {
      throw Error(error.code(), error.message(), step.where, "load it before the ensemble");
    }
    steps += member->ensemble ? member->ensemble->add_members(cast, path) : 1;
    if (steps > kMostRunSteps)
      throw Error(ErrorCode::limit_exceeded,
                  "with the steps of its members more than " + std::to_string(kMostRunSteps) + " are to be run",
                  step.where);
  }
  path.pop_back();
  return steps;
}

void Ensemble::submit(InferCall call) const {
  begin(keep_(cast()), std::move(call));
}

void Ensemble::begin(CastPtr cast, InferCall call) const {
  if (config_->max_rows > 0) {
    for (const auto& [name, tensor] : call.inputs) {
      const std::int64_t rows = tensor.shape()[0];
      if (rows <= config_->max_rows) continue;
      throw Error(ErrorCode::invalid_argument,
                  std::to_string(rows) + " rows are more than max_batch_size " + std::to_string(config_->max_rows),
                  "input '" + name + "'");
    }
  }
  check_members(*config_, members_of(*config_, *cast));
  const auto run = std::make_shared<Run>(*this, std::move(cast), std::move(call));
  run->advance();
}

}  // namespace skerry::serve
