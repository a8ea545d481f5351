/// \file
/// One execution of a model: what it would take here, how it can be cut, and its run at each place.
#pragma once

#include <functional>
#include <optional>
#include <skerry/edge.hpp>
#include <string>
#include <vector>

#include "edge/model_cache.hpp"
#include "edge/placement.hpp"
#include "edge/remote/answer.hpp"
#include "wire/circuits.hpp"

namespace skerry::edge {

/// What an answer to a model on these inputs has to look like. Errors: those of Session::run's inputs and of inference.
remote::Asked asked_of(const Graph& graph, const NamedTensors& inputs);

/// A model and the inputs of one run. Plans it as it is made.
class ModelRun {
 public:
  /// Sends a request and gives its answer, which has to look as `asked`. The request names its program, which is sent
  /// with it where that is not known. seconds: predicted for this machine. Gives whether the program was sent.
  using Remote = std::function<std::pair<Result, bool>(wire::CircuitRequest request, const std::string& program,
                                                       const remote::Asked& asked, double seconds)>;

  /// config, graph, inputs and cache must outlive it. Errors: invalid_argument, type_mismatch (inputs), those of
  /// planning but for the budget.
  ModelRun(const EdgeExecutionConfig& config, const Graph& graph, const NamedTensors& inputs, RunControl control,
           ModelCache& cache);

  /// What decides the placement. The model is cut when it does not fit here and there is an endpoint.
  Question question(const Resources& resources, std::string endpoint_failure);
  /// Runs it there; `parts` is written anew. Errors: those of Session::run and of remote; unavailable when an answer
  /// has other outputs, types or shapes than the model.
  Result run(ExecutionMethod method, const Remote& remote, std::vector<PartReport>& parts);
  /// The request of the whole model, its program in it: the same job as what was tried. Errors: those of packing.
  wire::CircuitRequest whole_request() const;
  /// The whole is known to the endpoint by this token, if it knows it.
  void continue_as(std::string token) { token_ = std::move(token); }

 private:
  Limits limits() const;
  void plan_whole();
  ModelCut cut() const;
  Result run_here(const Graph& graph, const NamedTensors& inputs, std::vector<PartReport>& parts) const;
  Result run_there(const Graph& graph, const NamedTensors& inputs, double seconds, const Remote& remote,
                   std::vector<PartReport>& parts, std::string token) const;
  wire::CircuitRequest request(const Graph& graph, const NamedTensors& inputs, const ModelPackage& package,
                               std::string token) const;
  Result run_halves(const Remote& remote, std::vector<PartReport>& parts) const;

  const EdgeExecutionConfig& config_;
  const NamedTensors& inputs_;
  const RunControl control_;
  const Graph& graph_;
  std::string token_;  // of the whole
  ModelCache& cache_;
  std::vector<TensorType> types_;
  ModelText text_;
  std::uint64_t whole_bytes_ = 0;
  std::shared_ptr<const ModelPlan> plan_;
  std::shared_ptr<const ModelCut> halves_;  // null: nobody asked for them
  bool is_only_weighed_ = false;            // the halves, which then have no weights to run with
};

}  // namespace skerry::edge
