#include "serve/sent_models.hpp"

#include "ops/hybrid/census.hpp"
#include "ops/nn/op_record.hpp"
#include "runtime/step_times.hpp"

namespace skerry::serve {
namespace {

void check_fields(const wire::CircuitRequest& request) {
  const char* const other = !request.parameter_sets.empty() ? "parameter_sets"
                            : !request.observables.empty()  ? "observables"
                            : request.probabilities         ? "probabilities"
                            : request.state                 ? "state"
                            : request.memory                ? "memory"
                            : request.initial_state         ? "initial_state"
                            : !request.checkpoint.empty()   ? "checkpoint"
                            : !request.noise.empty()        ? "noise"
                                                            : nullptr;
  if (other == nullptr) return;
  throw Error(ErrorCode::invalid_argument, "the program is a model, and that is asked of circuits", other,
              "leave it out; a model takes inputs and gives its outputs");
}

std::vector<TensorType> types_of(const Graph& graph, const wire::WireTensors& inputs) {
  std::vector<TensorType> types;
  for (const TensorView& view : runtime::in_order(graph, inputs))
    types.push_back(TensorType::of(view.dtype(), view.shape()));
  return types;
}

}  // namespace

wire::CircuitAnswer run_model(Graph graph, const wire::CircuitRequest& request, const Limits& limits,
                              CircuitNotes& notes) {
  check_fields(request);
  const std::vector<TensorType> types = types_of(graph, request.inputs);
  if (ops::widest_circuit(graph) > 0) {
    const std::uint64_t drawn = ops::drawn_shots(ops::specialize(graph, types));
    if (drawn > request.shots) {
      throw Error(ErrorCode::limit_exceeded,
                  "the model's circuits draw " + std::to_string(drawn) + " shots and " + std::to_string(request.shots) +
                      " are announced",
                  "shots", "announce what they draw");
    }
  }
  Session session(std::make_shared<const Graph>(std::move(graph)), limits);
  Result result = session.run(request.inputs);
  wire::CircuitAnswer answer;
  answer.tensors = std::move(result.tensors);
  answer.method = "graph";
  answer.predicted_bytes = result.report.predicted_bytes;
  answer.peak_bytes = result.report.peak_bytes;
  answer.predicted_seconds = result.report.predicted_seconds;
  answer.seconds = result.report.seconds;
  answer.threads = result.report.threads;
  answer.method.copy(notes.method.data(), notes.method.size() - 1);
  notes.need_bytes = answer.predicted_bytes;
  notes.need_seconds = answer.predicted_seconds;
  return answer;
}

Plan plan_model(const Graph& graph, const wire::CircuitRequest& request, const Limits& limits) {
  check_fields(request);
  Limits free = limits;
  free.max_memory_bytes.reset();
  free.max_execution_time.reset();
  Plan plan = skerry::plan(graph, types_of(graph, request.inputs), free);
  plan.max_memory_bytes = limits.max_memory_bytes;
  if (limits.max_execution_time) plan.max_seconds = limits.max_execution_time->count();
  return plan;
}

}  // namespace skerry::serve
