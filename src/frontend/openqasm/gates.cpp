#include "frontend/openqasm/gates.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "ops/qubit/gate_record.hpp"

namespace skerry::frontend::openqasm {
namespace {

constexpr std::uint64_t kSaturated = std::uint64_t{1} << 62U;
constexpr std::uint16_t kMaxControls = 0xfff0;

std::uint64_t saturated_product(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > kSaturated / b ? kSaturated : a * b;
}

bool is_whole(double x) {
  return std::trunc(x) == x;
}

// (U^a)^b is U^(a b) when b is whole; other pairs of powers have to be taken one after the other, because the second
// root sees the eigenvalues that the first power made.
std::vector<double> merged(std::span<const double> exponents, bool is_inverse) {
  std::vector<double> kept;
  const auto add = [&](double e) {
    if (!kept.empty() && is_whole(e))
      kept.back() *= e;
    else if (kept.empty() || e != 1.0)
      kept.push_back(e);
  };
  for (const double e : exponents) add(e);
  if (is_inverse) add(-1.0);
  return kept;
}

template <class T>
void copy(std::vector<T>& into, std::uint32_t& first, std::uint32_t& count, std::span<const T> items) {
  first = static_cast<std::uint32_t>(into.size());
  count = static_cast<std::uint32_t>(items.size());
  into.insert(into.end(), items.begin(), items.end());
}

// Values of all nodes of a body's pool for these parameters; nodes are in topological order.
std::vector<Value> instantiated(const ExprPool& body, std::span<const Value> params, ExprPool& into) {
  std::vector<Value> values(body.size());
  for (ExprId i = 0; i < body.size(); ++i) {
    const ExprNode& n = body[i];
    switch (n.op) {
      case ExprOp::constant:
        values[i] = Value::of(n.value);
        break;
      case ExprOp::parameter:
        values[i] = params[n.a];
        break;
      case ExprOp::cast:
        values[i] = cast(into, values[n.a], n.type);
        break;
      default:
        values[i] = n.op < ExprOp::add ? unary(into, n.op, values[n.a]) : binary(into, n.op, values[n.a], values[n.b]);
    }
  }
  return values;
}

}  // namespace

void Applications::add(const Application& application) {
  Call call{};
  call.gate = application.gate;
  call.is_barrier = application.is_barrier;
  call.place = application.place;
  copy(params_, call.first_param, call.params, application.params);
  copy(wires_, call.first_wire, call.wires, application.wires);
  copy(negated_, call.first_negated, call.negated, application.negated);
  copy(exponents_, call.first_exponent, call.exponents, application.exponents);
  calls_.push_back(call);
}

Application Applications::operator[](std::size_t i) const {
  const Call& c = calls_[i];
  return {c.gate,
          c.is_barrier,
          c.place,
          std::span(params_).subspan(c.first_param, c.params),
          std::span(wires_).subspan(c.first_wire, c.wires),
          std::span(negated_).subspan(c.first_negated, c.negated),
          std::span(exponents_).subspan(c.first_exponent, c.exponents)};
}

std::uint32_t GateTable::define(GateDefinition definition, GateBody body) {
  definition.first_call = definitions_->calls.size();
  definition.calls = body.calls.size();
  for (std::size_t i = 0; i < body.calls.size(); ++i) {
    const Application call = body.calls[i];
    definition.work = std::min(kSaturated, definition.work + work(call));
    if (!call.gate.is_native()) definition.depth = std::max(definition.depth, (*this)[call.gate.definition].depth + 1);
    definitions_->calls.add(call);
  }
  if (definition.depth > sources_.limits().max_nesting)
    sources_.fail(
        ErrorCode::limit_exceeded, definition.place,
        "gate definitions are nested deeper than max_nesting = " + std::to_string(sources_.limits().max_nesting),
        "nest less deeply or raise max_nesting");
  if (body.pool.size() != 0) definition.pool = std::make_unique<const ExprPool>(std::move(body.pool));
  definitions_->gates.push_back(std::move(definition));
  return static_cast<std::uint32_t>(definitions_->gates.size() - 1);
}

std::uint32_t GateTable::params(GateRef gate) const {
  return gate.is_native() ? static_cast<std::uint32_t>(gate_parameters(gate.op))
                          : definitions_->gates[gate.definition].params;
}

std::uint32_t GateTable::qubits(GateRef gate) const {
  return gate.is_native() ? static_cast<std::uint32_t>(gate_targets(gate.op)) + gate.controls
                          : definitions_->gates[gate.definition].qubits;
}

std::uint64_t GateTable::work(const Application& application) const {
  const std::uint64_t once = application.gate.is_native() ? 1 : definitions_->gates[application.gate.definition].work;
  double repeats = 1.0;
  for (const double e : application.exponents) repeats *= std::max(1.0, std::abs(e));
  return saturated_product(once, repeats > 1e18 ? kSaturated : static_cast<std::uint64_t>(std::ceil(repeats)));
}

void GateTable::count(std::uint64_t steps, Place place) {
  const std::uint64_t limit = sources_.limits().max_instructions;
  counted_ = std::min(kSaturated, counted_ + steps);
  if (counted_ > limit)
    sources_.fail(
        ErrorCode::limit_exceeded, place,
        "the program has more than max_instructions = " + std::to_string(limit) + " steps once it is written out",
        "raise max_instructions");
}

void GateTable::apply(const Application& application) {
  count(work(application), application.place);
  try {
    expand(application, {});
  } catch (const Error& e) {
    if (!e.where().empty()) throw;
    sources_.fail(e.code(), application.place, e.message(), e.hint());
  }
}

void GateTable::close_phase() {
  const double rest = std::remainder(phases_.back(), 2 * std::numbers::pi);
  phases_.pop_back();
  constexpr double kNothing = 1e-13;  // what is left of a sum of angles that make whole turns
  if (std::abs(rest) > kNothing) circuit_.gphase(rest);
}

void GateTable::expand(const Application& application, const Outer& outer) {
  if (application.is_barrier) {
    if (outer.controls.empty()) circuit_.append(Op::barrier, application.wires, {}, 0);
    return;
  }
  const std::size_t controls = outer.controls.size() + application.negated.size();
  if (controls + application.gate.controls > kMaxControls)
    throw Error(ErrorCode::limit_exceeded, "a gate with " + std::to_string(controls) + " controls", {},
                "use fewer than 65520");
  std::vector<Wire> joined;
  std::span<const Wire> wires = application.wires;
  if (!outer.controls.empty()) {
    joined.assign(outer.controls.begin(), outer.controls.end());
    joined.insert(joined.end(), application.wires.begin(), application.wires.end());
    wires = joined;
  }
  const auto flip_negated = [&] {
    for (std::size_t i = 0; i < application.negated.size(); ++i)
      if (application.negated[i] != 0) circuit_.x(application.wires[i]);
  };
  flip_negated();
  if (application.exponents.empty() && !outer.is_inverse) {
    expand_controlled(application, wires, static_cast<std::uint16_t>(controls), {});
  } else {
    const std::vector<double> exponents = merged(application.exponents, outer.is_inverse);
    expand_controlled(application, wires, static_cast<std::uint16_t>(controls), exponents);
  }
  flip_negated();
}

void GateTable::expand_controlled(const Application& application, std::span<const Wire> wires, std::uint16_t controls,
                                  std::span<const double> exponents) {
  if (exponents.size() > 1) {
    matrix_power(application, wires, controls, exponents);
    return;
  }
  repeat(application, wires, controls, exponents.empty() ? 1.0 : exponents[0]);
}

void GateTable::repeat(const Application& application, std::span<const Wire> wires, std::uint16_t controls,
                       double exponent) {
  const GateRef gate = application.gate;
  const std::size_t all_controls = std::size_t{controls} + gate.controls;
  if (exponent == 0.0) return;
  if (gate.is_native() && exponent != 1.0 && native_power(gate.op, application.params, wires, all_controls, exponent))
    return;
  if (!is_whole(exponent)) {
    matrix_power(application, wires, controls, std::span(&exponent, 1));
    return;
  }
  const auto times = static_cast<std::uint64_t>(std::abs(exponent));
  for (std::uint64_t i = 0; i < times; ++i) {
    if (!gate.is_native())
      expand_definition(application, wires, controls, exponent < 0);
    else if (exponent < 0)
      native_inverse(gate.op, application.params, wires, all_controls);
    else
      native(gate.op, application.params, wires, all_controls);
  }
}

void GateTable::expand_definition(const Application& application, std::span<const Wire> wires, std::uint16_t controls,
                                  bool is_inverse) {
  const GateDefinition& definition = definitions_->gates[application.gate.definition];
  if (definition.is_opaque)
    throw Error(ErrorCode::unsupported,
                "gate '" + std::string(definition.name) + "' is opaque: what it does is not known", {},
                "define it with gate");
  std::vector<Value> values;
  if (definition.pool) values = instantiated(*definition.pool, application.params, circuit_.expressions());
  const std::span<const Wire> operands = wires.subspan(controls);
  std::vector<Value> params;
  std::vector<Wire> inner_wires;
  for (std::size_t i = 0; i < definition.calls; ++i) {
    Application call = definitions_->calls[definition.first_call + (is_inverse ? definition.calls - 1 - i : i)];
    params.clear();
    for (const Value& v : call.params) params.push_back(v.is_constant() ? v : values[v.expr]);
    inner_wires.clear();
    for (const Wire w : call.wires) inner_wires.push_back(operands[w]);
    call.params = params;
    call.wires = inner_wires;
    expand(call, {wires.first(controls), is_inverse});
  }
}

void GateTable::native(Op op, std::span<const Value> params, std::span<const Wire> wires, std::size_t controls) {
  if (op == Op::gphase) {
    phase(params[0], wires.first(controls));
    return;
  }
  std::array<Param, 3> converted;
  for (std::size_t i = 0; i < params.size(); ++i)
    converted[i] = params[i].is_constant() ? Param{params[i].constant.as_real(), kNoExpr} : Param{0.0, params[i].expr};
  circuit_.append(op, wires, std::span<const Param>(converted).first(params.size()),
                  static_cast<std::uint16_t>(controls));
}

// A phase of the whole state is gathered; under controls it is a phase gate on the last of them.
void GateTable::phase(const Value& angle, std::span<const Wire> controls) {
  if (!controls.empty()) {
    native(Op::p, std::span(&angle, 1), controls, controls.size() - 1);
    return;
  }
  if (angle.is_constant())
    phases_.back() += angle.constant.as_real();
  else
    circuit_.append(Op::gphase, {}, {Angle(Param{0.0, angle.expr})});
}

void GateTable::native_inverse(Op op, std::span<const Value> params, std::span<const Wire> wires,
                               std::size_t controls) {
  const ops::GateRecord& record = ops::gate_record(op);
  std::array<Value, 3> inverted;
  for (std::size_t i = 0; i < record.inverse_params.size(); ++i) {
    const ops::InverseParam from = record.inverse_params[i];
    inverted[i] = from.source < 0
                      ? Value::of(from.factor)
                      : binary(circuit_.expressions(), ExprOp::mul, Value::of(from.factor),
                               cast(circuit_.expressions(), params[static_cast<std::size_t>(from.source)], kReal));
  }
  std::vector<Wire> reversed(wires.begin(), wires.end());
  if (record.inverse_reverses_targets)
    std::reverse(reversed.begin() + static_cast<std::ptrdiff_t>(controls), reversed.end());
  native(record.inverse_op, std::span<const Value>(inverted).first(record.inverse_params.size()), reversed, controls);
}

}  // namespace skerry::frontend::openqasm
