#include "serve/circuits.hpp"

#include <algorithm>
#include <chrono>

#include "ops/hybrid/census.hpp"
#include "package/checkpoint.hpp"
#include "serve/sent_models.hpp"
#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

Program program_of(const wire::CircuitRequest& request, const CircuitLimits& limits) {
  Program program = loads(request.program, {.limits = limits.import}, "program");
  if (std::holds_alternative<Circuit>(program) && !request.inputs.empty()) {
    throw Error(ErrorCode::invalid_argument, "the program is a circuit, which takes no tensors", "inputs",
                "give parameters");
  }
  return program;
}

void check(const wire::CircuitRequest& request, const CircuitLimits& limits) {
  if (request.shots > limits.max_shots) {
    throw Error(ErrorCode::limit_exceeded,
                std::to_string(request.shots) + " shots are more than the limit of " + std::to_string(limits.max_shots),
                "shots");
  }
  if (request.parameter_sets.size() > limits.max_parameter_sets) {
    throw Error(ErrorCode::limit_exceeded,
                std::to_string(request.parameter_sets.size()) + " parameter sets are more than the limit of " +
                    std::to_string(limits.max_parameter_sets),
                "parameter_sets");
  }
  if (request.checkpoint.empty()) return;
  const char* const other = request.parameter_sets.size() > 1 ? "parameter_sets"
                            : request.initial_state           ? "initial_state"
                            : !request.noise.empty()          ? "noise"
                                                              : nullptr;
  if (other == nullptr) return;
  throw Error(ErrorCode::invalid_argument, "a checkpoint is of one run from |0> without noise", other,
              "leave one of the two out");
}

Limits limits_of(const wire::CircuitRequest& request, const CircuitLimits& limits, const RunControl& control) {
  Limits out;
  out.threads = limits.threads;
  out.max_memory_bytes = limits.max_memory_bytes;
  if (request.max_memory_mb && *request.max_memory_mb * 1e6 < static_cast<double>(limits.max_memory_bytes))
    out.max_memory_bytes = static_cast<std::uint64_t>(*request.max_memory_mb * 1e6);
  out.max_execution_time = std::chrono::duration<double>(
      std::min(request.max_execution_time.value_or(limits.max_seconds), limits.max_seconds));
  out.control = control;
  return out;
}

RunOptions options_of(const wire::CircuitRequest& request, const Circuit& circuit, const CircuitLimits& limits,
                      const RunControl& control) {
  RunOptions options;
  options.shots = request.shots;
  options.seed = request.seed;
  options.method = request.method;
  options.precision = request.single_precision ? Precision::single_precision : Precision::double_precision;
  for (const std::string& text : request.observables) {
    try {
      options.observables.push_back(Observable::parse(text, circuit.num_wires()));
    } catch (const Error& error) {
      throw error.at("observables");
    }
  }
  options.want_state = request.state;
  options.want_probabilities = request.probabilities;
  options.probability_wires = request.probability_wires;
  options.want_memory = request.memory;
  options.initial_state = request.initial_state;
  if (!request.noise.empty())
    options.noise = std::make_shared<const NoiseModel>(loads_noise(request.noise, limits.import, "noise"));
  options.max_bond_dimension = request.max_bond_dimension;
  options.limits = limits_of(request, limits, control);
  return options;
}

void set_parameters(RunOptions& options, const wire::ParameterSet& set) {
  options.parameters = set.values;
  options.named_parameters = set.named;
}

/// Where the run goes on. The state is held twice, as it came and as it is worked on.
void set_checkpoint(RunOptions& options, const wire::CircuitRequest& request, const Circuit& circuit) {
  if (request.checkpoint.empty()) return;
  const std::string way = package::way_of(request.program, parameter_values(circuit, options));
  const std::uint64_t most = options.limits.max_memory_bytes.value_or(~std::uint64_t{0}) / 2;
  options.resume = std::make_shared<const Checkpoint>(package::decode_checkpoint(request.checkpoint, way, most));
}

Tensor memory_tensor(const std::vector<std::uint64_t>& words, std::uint64_t shots) {
  const auto rows = static_cast<std::int64_t>(shots);
  return Tensor::from<std::uint64_t>(words,
                                     {rows, static_cast<std::int64_t>(words.size()) / std::max<std::int64_t>(1, rows)});
}

wire::CircuitAnswer answer_of(const wire::CircuitRequest& request, const Result& result) {
  wire::CircuitAnswer answer;
  for (std::size_t i = 0; i < result.counts.size(); ++i)
    answer.counts.emplace_back(result.counts.text(i), result.counts.times(i));
  if (request.memory) answer.memory = memory_tensor(result.memory, request.shots);
  answer.expectations = result.expectations;
  answer.standard_errors = result.standard_errors;
  answer.probabilities = result.probabilities;
  if (result.state) answer.state = result.state->amplitudes();
  answer.outputs = result.outputs;
  answer.discarded_weight = result.discarded_weight;
  answer.error_bound = result.error_bound;
  answer.bond_dimension = result.bond_dimension;
  answer.method = result.report.method;
  answer.predicted_bytes = result.report.predicted_bytes;
  answer.peak_bytes = result.report.peak_bytes;
  answer.predicted_seconds = result.report.predicted_seconds;
  answer.seconds = result.report.seconds;
  answer.threads = result.report.threads;
  return answer;
}

std::int64_t now_ns() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

// A refusal says in words what was needed and what there was; the plan has the numbers.
void note_refused(CircuitNotes& notes, const Circuit& circuit, const RunOptions& options) {
  try {
    std::string refusal;
    const CircuitNotes planned = notes_of(skerry::plan(circuit, options, &refusal));
    notes.method = planned.method;
    notes.need_bytes = planned.need_bytes;
    notes.need_seconds = planned.need_seconds;
  } catch (const Error&) {  // no method at all: there is no number either
    return;
  }
}

void set_method(CircuitNotes& notes, const std::string& method) {
  notes.method = {};
  method.copy(notes.method.data(), notes.method.size() - 1);
}

}  // namespace

std::string_view CircuitNotes::method_name() const noexcept {
  return {method.data(), static_cast<std::size_t>(std::find(method.begin(), method.end(), '\0') - method.begin())};
}

CircuitNotes notes_of(const Plan& plan) {
  CircuitNotes notes{.need_bytes = plan.peak_bytes,
                     .limit_bytes = plan.max_memory_bytes.value_or(0),
                     .need_seconds = plan.seconds,
                     .limit_seconds = plan.max_seconds.value_or(0.0)};
  set_method(notes, plan.method);
  return notes;
}

wire::CircuitReply run_circuits(const wire::CircuitRequest& request, const CircuitLimits& limits,
                                const RunControl& control, CircuitNotes& notes) {
  notes.begun_ns = now_ns();
  check(request, limits);
  Program program = program_of(request, limits);
  notes.read_ns = now_ns();
  if (auto* graph = std::get_if<Graph>(&program)) {
    const Limits allowed = limits_of(request, limits, control);
    notes.limit_bytes = allowed.max_memory_bytes.value_or(0);
    notes.limit_seconds = allowed.max_execution_time->count();
    wire::CircuitReply reply{.id = request.id};
    reply.results.push_back(run_model(std::move(*graph), request, allowed, notes));
    notes.ended_ns = now_ns();
    return reply;
  }
  const auto& circuit = std::get<Circuit>(program);
  const std::size_t sets = std::max<std::size_t>(1, request.parameter_sets.size());
  wire::CircuitReply reply{.id = request.id};
  for (std::size_t i = 0; i < sets; ++i) {
    control.check("parameter set " + std::to_string(i));
    RunControl part = control;
    part.progress = Progress([&, i](double fraction, std::string_view stage) {
      control.report((static_cast<double>(i) + fraction) / static_cast<double>(sets), stage);
    });
    RunOptions options = options_of(request, circuit, limits, part);
    if (!request.parameter_sets.empty()) set_parameters(options, request.parameter_sets[i]);
    set_checkpoint(options, request, circuit);
    notes.limit_bytes = options.limits.max_memory_bytes.value_or(0);
    notes.limit_seconds = options.limits.max_execution_time->count();
    try {
      const wire::CircuitAnswer& answer = reply.results.emplace_back(answer_of(request, skerry::run(circuit, options)));
      if (i > 0) continue;
      set_method(notes, answer.method);
      notes.need_bytes = answer.predicted_bytes;
      notes.need_seconds = answer.predicted_seconds;
    } catch (const Error& error) {
      const bool is_over = error.code() == ErrorCode::budget_exceeded || error.code() == ErrorCode::deadline_exceeded;
      if (is_over) note_refused(notes, circuit, options);
      throw;
    }
  }
  notes.ended_ns = now_ns();
  return reply;
}

void check_width(const wire::CircuitRequest& request, const CircuitLimits& limits, std::uint32_t max_qubits) {
  if (max_qubits == 0) return;
  const Program program = program_of(request, limits);
  const auto* circuit = std::get_if<Circuit>(&program);
  const std::uint32_t wires = circuit != nullptr ? circuit->num_wires() : ops::widest_circuit(std::get<Graph>(program));
  if (wires <= max_qubits) return;
  throw Error(
      ErrorCode::limit_exceeded,
      "the circuit has " + std::to_string(wires) + " qubits and your tenant may use " + std::to_string(max_qubits),
      "quota", "ask for fewer");
}

Plan plan_circuits(const wire::CircuitRequest& request, const CircuitLimits& limits) {
  check(request, limits);
  const Program program = program_of(request, limits);
  if (const auto* graph = std::get_if<Graph>(&program))
    return plan_model(*graph, request, limits_of(request, limits, {}));
  const auto& circuit = std::get<Circuit>(program);
  RunOptions options = options_of(request, circuit, limits, {});
  if (!request.parameter_sets.empty()) set_parameters(options, request.parameter_sets.front());
  set_checkpoint(options, request, circuit);
  std::string refusal;
  return skerry::plan(circuit, options, &refusal);
}

std::string plan_text(const Plan& plan) {
  wire::JsonWriter json;
  json.open('{').field("method", plan.method).field("peak_bytes", plan.peak_bytes).field("seconds", plan.seconds);
  json.field("threads", plan.threads);
  if (plan.max_memory_bytes) json.field("max_memory_bytes", *plan.max_memory_bytes);
  if (plan.max_seconds) json.field("max_seconds", *plan.max_seconds);
  const bool fits = (!plan.max_memory_bytes || plan.peak_bytes <= *plan.max_memory_bytes) &&
                    (!plan.max_seconds || plan.seconds <= *plan.max_seconds);
  return std::move(json.field("fits", fits).close('}')).text();
}

}  // namespace skerry::serve
