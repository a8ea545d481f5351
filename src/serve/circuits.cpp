#include "serve/circuits.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "ops/hybrid/census.hpp"
#include "package/checkpoint.hpp"
#include "serve/sent_models.hpp"
#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

// What an instruction takes at least once it is read: a program of a few words may say millions of them.
constexpr double kInstructionBytes = 64, kInstructionsPerSecond = 5e6;
constexpr double kLeastInstructions = 100'000;  // whatever the limits

double seconds_of(const wire::CircuitRequest& request, const CircuitLimits& limits) {
  return std::clamp(std::min(request.max_execution_time.value_or(limits.max_seconds), limits.max_seconds), 0.0, 1e8);
}

std::uint64_t bytes_of(const wire::CircuitRequest& request, const CircuitLimits& limits) {
  if (request.max_memory_mb && *request.max_memory_mb * 1e6 < static_cast<double>(limits.max_memory_bytes))
    return static_cast<std::uint64_t>(*request.max_memory_mb * 1e6);
  return limits.max_memory_bytes;
}

ImportLimits import_limits(const wire::CircuitRequest& request, const CircuitLimits& limits) {
  ImportLimits import = limits.import;
  const double room = static_cast<double>(bytes_of(request, limits)) / kInstructionBytes;
  const double most = std::min(room, seconds_of(request, limits) * kInstructionsPerSecond);
  if (most < static_cast<double>(import.max_instructions)) {
    import.max_instructions =
        std::min(import.max_instructions, static_cast<std::uint64_t>(std::max(most, kLeastInstructions)));
  }
  return import;
}

// A circuit, or a model with the request's inputs.
Program program_of(const wire::CircuitRequest& request, const CircuitLimits& limits) {
  const ImportLimits import = import_limits(request, limits);
  Program program = [&] {
    try {
      return loads(request.program, {.limits = import}, "program");
    } catch (const Error& error) {
      if (error.code() != ErrorCode::limit_exceeded || import.max_instructions == limits.import.max_instructions) throw;
      throw Error(error.code(), error.message(), error.where(),
                  "a run's memory and time bound its program too: allow more of them, or send a shorter one");
    }
  }();
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
  out.max_memory_bytes = bytes_of(request, limits);
  out.max_execution_time = std::chrono::duration<double>(seconds_of(request, limits));
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
  const std::string way = package::way_of(request.program, parameter_values(circuit, options), request.observables);
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

std::uint64_t bytes_of(const wire::CircuitAnswer& answer) {
  std::uint64_t bytes = sizeof answer + 8 * (answer.expectations.size() + answer.standard_errors.size());
  for (const auto* tensor : {&answer.memory, &answer.probabilities, &answer.state})
    bytes += *tensor ? (*tensor)->view().bytes() : 0;
  for (const auto& [word, times] : answer.counts) bytes += sizeof word + sizeof times + word.size();
  return bytes + answer.outputs.size() * sizeof(*answer.outputs.begin());
}

// Of one answer, as far as it is known beforehand: what grows with the qubits.
double least_answer(const wire::CircuitRequest& request, std::uint32_t wires) {
  const auto numbers = [](std::size_t qubits) {
    return std::ldexp(1.0, static_cast<int>(std::min<std::size_t>(qubits, 1000)));
  };
  const std::size_t seen = request.probability_wires.empty() ? wires : request.probability_wires.size();
  return static_cast<double>(sizeof(wire::CircuitAnswer)) +
         (request.state ? numbers(wires) * (request.single_precision ? 8.0 : 16.0) : 0.0) +
         (request.probabilities ? numbers(seen) * 8.0 : 0.0);
}

// The answers of all sets, which are there until the last one is, and as they are sent: against the server's memory.
// What a request itself asks for bounds each of its runs.
class Kept {
 public:
  Kept(const wire::CircuitRequest& request, const CircuitLimits& limits)
      : most_(limits.max_memory_bytes), copies_(request.binary ? 2.0 : 4.0) {}  // a number of 8 bytes: 20 digits
  /// Errors: budget_exceeded.
  void check(double bytes) const {
    if (bytes * copies_ <= static_cast<double>(most_)) return;
    throw Error(ErrorCode::budget_exceeded,
                "the answers take " + std::to_string(static_cast<std::uint64_t>(std::min(bytes * copies_, 1e18))) +
                    " bytes with their message and a request may take " + std::to_string(most_),
                "parameter_sets", "send fewer at once, or ask for less of each");
  }
  void add(std::uint64_t bytes) { check(bytes_ += static_cast<double>(bytes)); }
  std::uint64_t left() const { return most_ - static_cast<std::uint64_t>(bytes_ * copies_); }

 private:
  std::uint64_t most_;
  double copies_, bytes_ = 0.0;
};

void check_width(const Program& program, std::uint32_t max_qubits) {
  if (max_qubits == 0) return;
  const auto* circuit = std::get_if<Circuit>(&program);
  const std::uint32_t wires = circuit != nullptr ? circuit->num_wires() : ops::widest_circuit(std::get<Graph>(program));
  if (wires <= max_qubits) return;
  throw Error(
      ErrorCode::limit_exceeded,
      "the circuit has " + std::to_string(wires) + " qubits and your tenant may use " + std::to_string(max_qubits),
      std::string(kQuota), "ask for fewer");
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
                                std::uint32_t max_qubits, const RunControl& control, CircuitNotes& notes,
                                const std::function<void()>& between) {
  using std::chrono::steady_clock;
  notes.begun_ns = now_ns();
  auto deadline =  // of all sets, and of reading the program
      steady_clock::now() +
      std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(seconds_of(request, limits)));
  check(request, limits);
  control.check("program");
  Program program = program_of(request, limits);
  notes.read_ns = now_ns();
  check_width(program, max_qubits);
  if (auto* graph = std::get_if<Graph>(&program)) {
    RunControl whole = control;
    whole.deadline = control.deadline ? std::min(*control.deadline, deadline) : deadline;
    const Limits allowed = limits_of(request, limits, whole);
    notes.limit_bytes = allowed.max_memory_bytes.value_or(0);
    notes.limit_seconds = allowed.max_execution_time->count();
    wire::CircuitReply reply{.id = request.id};
    reply.results.push_back(run_model(std::move(*graph), request, allowed, notes));
    notes.ended_ns = now_ns();
    return reply;
  }
  const auto& circuit = std::get<Circuit>(program);
  const std::size_t sets = std::max<std::size_t>(1, request.parameter_sets.size());
  Kept kept(request, limits);
  if (sets > 1) kept.check(least_answer(request, circuit.num_wires()) * static_cast<double>(sets));
  wire::CircuitReply reply{.id = request.id};
  for (std::size_t i = 0; i < sets; ++i) {
    if (i > 0 && between) {
      const auto left = steady_clock::now();
      between();
      deadline += steady_clock::now() - left;
    }
    RunControl part = control;
    part.deadline = control.deadline ? std::min(*control.deadline, deadline) : deadline;
    part.check("parameter set " + std::to_string(i));
    part.progress = Progress([&, i](double fraction, std::string_view stage) {
      control.report((static_cast<double>(i) + fraction) / static_cast<double>(sets), stage);
    });
    RunOptions options = options_of(request, circuit, limits, part);
    if (!request.parameter_sets.empty()) set_parameters(options, request.parameter_sets[i]);
    set_checkpoint(options, request, circuit);
    notes.limit_bytes = *options.limits.max_memory_bytes;
    options.limits.max_memory_bytes = std::min(notes.limit_bytes, kept.left());
    notes.limit_seconds = options.limits.max_execution_time->count();
    try {
      const wire::CircuitAnswer& answer = reply.results.emplace_back(answer_of(request, skerry::run(circuit, options)));
      kept.add(bytes_of(answer));
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

Plan plan_circuits(const wire::CircuitRequest& request, const CircuitLimits& limits, const RunControl& control) {
  check(request, limits);
  const Program program = program_of(request, limits);
  control.check("plan");
  if (const auto* graph = std::get_if<Graph>(&program))
    return plan_model(*graph, request, limits_of(request, limits, control));
  const auto& circuit = std::get<Circuit>(program);
  RunOptions options = options_of(request, circuit, limits, control);
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
