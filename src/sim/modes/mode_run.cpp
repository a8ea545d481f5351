#include "sim/modes/mode_run.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>
#include <ranges>
#include <skerry/error.hpp>
#include <skerry/photonic_gates.hpp>

#include "base/threads.hpp"
#include "sim/state/questions.hpp"

namespace skerry::sim {

namespace {

constexpr std::uint32_t kDefaultCutoff = 10;
constexpr std::uint64_t kMaxSamples = std::uint64_t{1} << 32;

bool is_idle(Op op) {
  return op == Op::barrier || op == Op::delay || op == Op::cutoff;
}

std::uint32_t outcomes_of(Op op) {
  if (!is_mode_measurement(op)) return 0;
  return op == Op::measure_heterodyne ? 2 : 1;
}

std::vector<std::uint32_t> cutoffs_of(const Circuit& circuit, const RunOptions& options) {
  const auto checked = [](double value, const std::string& where) {
    if (!(value >= 1 && value <= photonic::FockSimulator::kMaxCutoff) || value != std::floor(value))
      throw Error(ErrorCode::out_of_range, "a cutoff of " + std::to_string(value), where,
                  "take a whole number from 1 to " + std::to_string(photonic::FockSimulator::kMaxCutoff));
    return static_cast<std::uint32_t>(value);
  };
  std::vector<std::uint32_t> cutoffs(circuit.num_wires(), kDefaultCutoff);
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction at = circuit.body()[i];
    if (at.op != Op::cutoff) continue;
    if (!at.params[0].is_constant())
      throw Error(ErrorCode::unsupported, "a cutoff that is no number", mode_place(i, at.op), "write the number");
    cutoffs[at.wires[0]] = checked(at.params[0].value, mode_place(i, at.op));
  }
  if (options.cutoff != 0) std::ranges::fill(cutoffs, checked(options.cutoff, "cutoff"));
  return cutoffs;
}

/// One way through the circuit: the values of its variables and what is done with them.
class Walk {
 public:
  Walk(const Circuit& circuit, std::span<const Scalar> parameters) : circuit_(circuit), parameters_(parameters) {
    for (const Variable& variable : circuit.variables()) variables_.push_back(Scalar::of(0.0).cast(variable.type));
    bits_.resize(circuit.num_bits());
  }

  /// Does body[from, to) to the state; outcomes are appended to `out`. Probabilities of selections multiply.
  double go(std::size_t from, std::size_t to, ModeState& state, base::Philox* random, std::vector<double>& out) {
    double selected = 1.0;
    photonic::Circuit gates(circuit_.num_wires());
    std::size_t first_gate = from;
    const auto flush = [&](std::size_t end) {
      if (!gates.instructions().empty()) at_gates(first_gate, end, [&] { state.run(gates); });
      gates = photonic::Circuit(circuit_.num_wires());
    };
    for (std::size_t i = from; i < to; ++i) {
      const Instruction at = circuit_.body()[i];
      if (is_idle(at.op)) continue;
      try {
        if (is_mode_gate(at.op)) {
          if (gates.instructions().empty()) first_gate = i;
          gates.append(gate(at));
          continue;
        }
        flush(i);
        const std::vector<double> params = values(at);
        if (is_mode_measurement(at.op)) {
          const auto found = state.measure(at.op, at.wires[0], params.empty() ? 0.0 : params[0], *random);
          for (std::uint32_t k = 0; k < outcomes_of(at.op); ++k) {
            variables_[at.aux + k] = Scalar::of(found[k]);
            out.push_back(found[k]);
          }
        } else if (at.op == Op::assign) {
          const Assignment& a = circuit_.assignments()[at.aux];
          variables_[a.first] = value(a.value).cast(circuit_.variables()[a.first].type);
        } else if (at.op == Op::select_homodyne || at.op == Op::select_photons) {
          selected *= state.select(at.op, at.wires[0], params);
        } else {
          state.prepare(at.op, at.wires[0], params);
        }
      } catch (const Error& error) {
        throw Error(error.code(), error.message(), mode_place(i, at.op), error.hint());
      }
    }
    flush(to);
    return selected;
  }

  const std::vector<Scalar>& variables() const noexcept { return variables_; }

 private:
  template <class Body>
  static void at_gates(std::size_t first, std::size_t end, Body&& body) {
    try {
      body();
    } catch (const Error& error) {
      const std::string where = "gates " + std::to_string(first) + " to " + std::to_string(end - 1);
      throw Error(error.code(), error.message(), where, error.hint());
    }
  }

  Scalar value(ExprId id) const { return circuit_.expressions().evaluate(id, {parameters_, variables_, bits_}); }

  std::vector<double> values(const Instruction& at) const {
    std::vector<double> result;
    for (const Param& param : at.params) result.push_back(number(param));
    return result;
  }
  double number(const Param& param) const { return param.is_constant() ? param.value : value(param.expr).as_real(); }

  photonic::Instruction gate(const Instruction& at) const {
    photonic::Instruction instruction;
    instruction.gate = mode_gate(at.op);
    for (std::size_t k = 0; k < at.wires.size(); ++k) instruction.modes[k] = at.wires[k];
    for (std::size_t k = 0; k < at.params.size(); ++k) instruction.params[k] = number(at.params[k]);
    return instruction;
  }

  const Circuit& circuit_;
  std::span<const Scalar> parameters_;
  std::vector<Scalar> variables_;
  std::vector<std::uint8_t> bits_;
};

std::vector<ModeEnding> endings_of(const Circuit& circuit, const ModeRequest& request,
                                   std::span<const Scalar> parameters) {
  std::vector<ModeEnding> endings;
  const std::vector<Scalar> no_variables(circuit.variables().size(), Scalar::of(0.0));
  const std::vector<std::uint8_t> bits(circuit.num_bits());
  for (std::size_t i = request.tail; i < request.size; ++i) {
    const Instruction at = circuit.body()[i];
    if (!is_mode_measurement(at.op)) continue;
    ModeEnding ending{at.op, at.wires[0], 0.0};
    if (!at.params.empty())
      ending.angle =
          at.params[0].is_constant()
              ? at.params[0].value
              : circuit.expressions().evaluate(at.params[0].expr, {parameters, no_variables, bits}).as_real();
    endings.push_back(ending);
  }
  return endings;
}

void tell_variables(const Circuit& circuit, const std::vector<Scalar>& values, CircuitResult& result) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (circuit.variables()[i].is_output) result.outputs[circuit.variables()[i].name] = values[i].as_real();
}

}  // namespace

photonic::Gate mode_gate(Op op) noexcept {
  static_assert(static_cast<int>(Op::amplifier) - static_cast<int>(Op::displacement) ==
                static_cast<int>(photonic::Gate::amplifier));
  return static_cast<photonic::Gate>(static_cast<int>(op) - static_cast<int>(Op::displacement));
}

std::string mode_place(std::size_t index, Op op) {
  return "gate " + std::to_string(index) + " (" + std::string(op_name(op)) + ")";
}

Tensor mode_tensor(std::span<const double> values, std::span<const std::uint32_t> shape) {
  std::vector<std::int64_t> dims(shape.begin(), shape.end());
  if (dims.size() > Shape::kMaxRank) dims = {static_cast<std::int64_t>(values.size())};
  return Tensor::from(values, Shape(dims));
}

Expected<ModeRequest> make_mode_request(const Circuit& circuit, const RunOptions& options) {
  if (!options.observables.empty())
    return Unexpected{"Pauli observables are of qubits; x, p and n of every mode are given without asking"};
  if (options.initial_state) return Unexpected{"an initial state is of qubits; write prepare_… in the circuit"};
  ModeRequest request;
  request.shots = options.shots;
  request.seed = options.seed;
  request.precision = options.precision;
  request.want_state = options.want_state;
  request.want_probabilities = options.want_probabilities;
  check_wires(options.probability_wires, circuit.num_wires(), "probability_wires");
  request.probability_modes = options.probability_wires;
  if (request.probability_modes.empty())
    for (std::uint32_t mode = 0; mode < circuit.num_wires(); ++mode) request.probability_modes.push_back(mode);
  if (circuit.num_wires() == 0) return Unexpected{"a circuit without modes"};
  request.cutoffs = cutoffs_of(circuit, options);
  const Block& body = circuit.body();
  std::size_t size = body.size();
  request.first_measurement = request.tail = size;
  for (std::size_t i = 0; i < size; ++i) {
    const Instruction at = body[i];
    if (at.op == Op::if_else || at.op == Op::while_loop)
      return Unexpected{mode_place(i, at.op) + ": circuits over modes have no branches"};
    if (at.op == Op::end) {
      request.first_measurement = request.tail = size = i;
      break;
    }
    if (at.op == Op::assign) {
      const Assignment& a = circuit.assignments()[at.aux];
      if (a.to_bits || a.index != kNoExpr)
        return Unexpected{mode_place(i, at.op) + ": only single variables are assigned between modes"};
    }
    request.outcomes += outcomes_of(at.op);
  }
  request.size = size;
  // The last measurements: none of their angles depends on an outcome, and each mode is measured once.
  std::vector<bool> measured(circuit.num_wires());
  while (request.tail > 0) {
    const Instruction at = body[request.tail - 1];
    const bool is_fixed = std::ranges::all_of(at.params, [&](const Param& param) {
      return param.is_constant() || circuit.expressions().is_static(param.expr);
    });
    if (is_idle(at.op)) {
      --request.tail;
      continue;
    }
    if (!is_mode_measurement(at.op) || !is_fixed || measured[at.wires[0]]) break;
    measured[at.wires[0]] = true;
    --request.tail;
  }
  for (std::size_t i = 0; i < size; ++i)
    if (is_mode_measurement(body[i].op)) {
      request.first_measurement = std::min(i, request.tail);
      break;
    }
  request.first_measurement = std::min(request.first_measurement, request.tail);
  if (request.shots == 0 && !request.measures_last())
    return Unexpected{mode_place(request.first_measurement, body[request.first_measurement].op) +
                      " is followed by gates: exact results are of circuits that measure last; ask for shots"};
  if (request.outcomes != 0 && request.shots > kMaxSamples / request.outcomes)
    return Unexpected{std::to_string(request.shots) + " shots of " + std::to_string(request.outcomes) +
                      " outcomes are more than 2^32 numbers"};
  return request;
}

CircuitResult run_modes(const Circuit& circuit, const ModeRequest& request, const ModeState& vacuum,
                        std::span<const double> parameters, const Resources& resources) {
  const std::vector<Scalar> values = parameter_scalars(circuit.parameters(), parameters);
  CircuitResult result;
  std::unique_ptr<ModeState> start = vacuum.copy();
  Walk way(circuit, values);
  std::vector<double> none;
  const double selected = way.go(0, request.first_measurement, *start, nullptr, none);
  resources.control.check("modes");
  result.discarded_weight = start->lost();
  const bool selects = std::ranges::any_of(std::views::iota(std::size_t{0}, circuit.body().size()), [&](std::size_t i) {
    return circuit.body()[i].op == Op::select_homodyne || circuit.body()[i].op == Op::select_photons;
  });
  if (selects && request.measures_last()) result.outputs["selection_probability"] = selected;
  if (request.measures_last()) start->answer(request, result);
  if (request.shots == 0 || request.outcomes == 0) {
    tell_variables(circuit, way.variables(), result);
    return result;
  }
  Tensor samples(DType::f64, {static_cast<std::int64_t>(request.shots), static_cast<std::int64_t>(request.outcomes)});
  const std::span<double> out = samples.mutable_view().as<double>();
  const bool at_once =
      request.measures_last() && start->sample(endings_of(circuit, request, values), request.shots, request.seed, out);
  if (!at_once) {
    std::uint64_t done = 0;
    std::vector<Scalar> last = way.variables();
    double lost = 0.0;
    std::mutex mutex;
    base::parallel_for(0, request.shots, 1, [&](std::size_t begin, std::size_t end) {
      std::vector<double> found;
      for (std::size_t shot = begin; shot < end; ++shot) {
        resources.control.check("shots");
        const auto state = start->copy();
        Walk each = way;
        base::Philox random(request.seed, shot);
        found.clear();
        each.go(request.first_measurement, request.size, *state, &random, found);
        std::copy(found.begin(), found.end(), out.begin() + static_cast<std::ptrdiff_t>(shot * request.outcomes));
        const std::scoped_lock lock(mutex);
        lost = std::max(lost, state->lost());
        if (shot + 1 == request.shots) last = each.variables();
        resources.control.report(static_cast<double>(++done) / static_cast<double>(request.shots), "shots");
      }
    });
    result.discarded_weight = std::max(result.discarded_weight, lost);
    tell_variables(circuit, last, result);
  }
  if (at_once) {
    std::vector<Scalar> last = way.variables();
    const double* column = out.data() + (request.shots - 1) * request.outcomes;
    for (std::size_t i = request.tail; i < request.size; ++i)
      for (std::uint32_t k = 0; k < outcomes_of(circuit.body()[i].op); ++k)
        last[circuit.body()[i].aux + k] = Scalar::of(*column++);
    tell_variables(circuit, last, result);
  }
  result.tensors.emplace_back("samples", std::move(samples));
  return result;
}

}  // namespace skerry::sim

namespace skerry::photonic {
namespace {

/// Every expression of the pool as scale * weight + value, where it is one.
std::vector<std::optional<Param>> affine(const ExprPool& pool) {
  std::vector<std::optional<Param>> known(pool.size());
  for (ExprId id = 0; id < pool.size(); ++id) {
    const ExprNode& node = pool[id];
    const auto a = [&] { return known[node.a]; };
    const auto b = [&] { return known[node.b]; };
    const auto scaled = [](Param param, double by) {
      param.value *= by;
      param.scale *= by;
      return param;
    };
    if (node.op == ExprOp::constant) known[id] = Param(node.value.as_real());
    if (node.op == ExprOp::parameter) known[id] = Param::of(node.a);
    if (node.op == ExprOp::neg && a()) known[id] = -*a();
    if ((node.op == ExprOp::add || node.op == ExprOp::sub) && a() && b()) {
      const Param left = *a(), right = node.op == ExprOp::add ? *b() : -*b();
      if (!left.is_constant() && !right.is_constant() && left.weight != right.weight) continue;
      Param sum = left.is_constant() ? right : left;
      sum.value = left.value + right.value;
      if (!left.is_constant() && !right.is_constant()) sum.scale = left.scale + right.scale;
      known[id] = sum;
    }
    if (node.op == ExprOp::mul && a() && b() && (a()->is_constant() || b()->is_constant()))
      known[id] = a()->is_constant() ? scaled(*b(), a()->value) : scaled(*a(), b()->value);
    if (node.op == ExprOp::div && a() && b() && b()->is_constant() && b()->value != 0)
      known[id] = scaled(*a(), 1 / b()->value);
  }
  return known;
}

}  // namespace

Circuit gates_of(const skerry::Circuit& circuit) {
  Circuit result(circuit.num_wires(), static_cast<std::uint32_t>(circuit.parameters().size()));
  const std::vector<std::optional<Param>> known = affine(circuit.expressions());
  std::vector<bool> is_touched(circuit.num_wires()), is_measured(circuit.num_wires());
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const skerry::Instruction at = circuit.body()[i];
    const auto refuse = [&](const std::string& why) {
      throw Error(ErrorCode::unsupported, why, sim::mode_place(i, at.op), "differentiate gates on the vacuum");
    };
    if (at.op == Op::barrier || at.op == Op::delay || at.op == Op::cutoff) continue;
    for (const Wire wire : at.wires)
      if (is_measured[wire]) refuse("something is done after a measurement");
    if (is_mode_measurement(at.op)) {
      is_measured[at.wires[0]] = true;
      continue;
    }
    if (at.op == Op::prepare_vacuum && !is_touched[at.wires[0]]) continue;
    if (!sim::is_mode_gate(at.op)) refuse("this is no gate");
    Instruction gate;
    gate.gate = sim::mode_gate(at.op);
    for (std::size_t k = 0; k < at.wires.size(); ++k) {
      gate.modes[k] = at.wires[k];
      is_touched[at.wires[k]] = true;
    }
    for (std::size_t k = 0; k < at.params.size(); ++k) {
      if (at.params[k].is_constant()) {
        gate.params[k] = at.params[k].value;
      } else if (known[at.params[k].expr]) {
        gate.params[k] = *known[at.params[k].expr];
      } else {
        refuse("an angle is not scale * parameter + number");
      }
    }
    result.append(gate);
  }
  return result;
}

}  // namespace skerry::photonic
