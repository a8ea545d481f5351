#include "passes/native/basis.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <string>

#include "ops/qubit/gate_record.hpp"
#include "passes/native/euler.hpp"
#include "passes/native/kak.hpp"

namespace skerry::passes::native {
namespace {

constexpr double kPi = std::numbers::pi;
// Smaller turns are rounding.
constexpr double kNothing = 1e-13;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// The gate with its parameters at a quarter turn, control first.
U4 entangler_matrix(const Spelled& gate) {
  std::vector<Complex> values(gate.controls == 1 ? 4 : 16);
  ops::gate_record(gate.op).matrix(std::span(gate.values).first(gate.params), values);
  U4 u = U4::identity();
  if (gate.controls == 1) {
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t j = 0; j < 2; ++j) u(2 * i + 1, 2 * j + 1) = values[2 * i + j];
    }
    return u;
  }
  std::ranges::copy(values, u.m.begin());
  return u;
}

}  // namespace

Basis::Basis(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto gate = ops::find_gate(name);
    if (gate) {
      gates_.push_back(
          {.op = gate->op, .controls = gate->controls, .params = static_cast<std::uint8_t>(gate_parameters(gate->op))});
      continue;
    }
    if (const auto op = op_from_name(name); op && !is_gate(*op)) continue;  // measure, reset: everybody has them
    const std::string_view near = ops::nearest_gate_name(name);
    throw Error(ErrorCode::invalid_argument, "the basis names '" + name + "', which is no gate", {},
                near.empty() ? "use names of gates such as rz, sx, cx" : "did you mean " + std::string(near) + "?");
  }
  try {
    choose_style();
    choose_entangler();
  } catch (const Error& error) {
    throw Error(error.code(), error.message() + " (it has " + joined(names) + ")", {}, error.hint());
  }
}

bool Basis::has(Op op, std::uint16_t controls) const noexcept {
  return std::ranges::any_of(gates_, [&](const Spelled& g) { return g.op == op && g.controls == controls; });
}

void Basis::choose_style() {
  has_x_ = has(Op::x, 0);
  if (has(Op::rz, 0)) {
    turn_ = {.op = Op::rz, .params = 1};
  } else if (has(Op::p, 0)) {
    turn_ = {.op = Op::p, .params = 1};
  } else if (has(Op::u, 0)) {
    turn_ = {.op = Op::u, .params = 3};
  } else {
    throw Error(ErrorCode::unsupported, "the basis has no turn about Z", {}, "add rz, p or u");
  }
  if (turn_.op != Op::u && has(Op::sx, 0)) {
    style_ = Style::rz_sx;
  } else if (has(Op::u, 0)) {
    style_ = Style::u;
  } else if (has(Op::ry, 0)) {
    style_ = Style::rz_ry;
  } else if (has(Op::rx, 0)) {
    style_ = Style::rz_rx;
  } else {
    throw Error(ErrorCode::unsupported, "the basis cannot write every gate of one wire", {},
                "add sx, u, ry or rx to the turn about Z");
  }
}

void Basis::choose_entangler() {
  const U4 cx = [] {
    U4 u = U4::identity();
    cx_after(u, true);
    return u;
  }();
  const Kak wanted = decompose(cx);
  for (const bool plain_cx : {true, false}) {
    for (Spelled gate : gates_) {
      if ((gate.op == Op::x && gate.controls == 1) != plain_cx) continue;
      if (gate.controls + gate_targets(gate.op) != 2) continue;
      for (std::size_t i = 0; i < gate.params; ++i) gate.values[i] = i == 0 ? kPi / 2 : 0.0;
      const U4 matrix = entangler_matrix(gate);
      const Kak held = decompose(matrix);
      if (std::abs(held.a - kPi / 4) > 1e-9 || std::abs(held.b) > 1e-9 || std::abs(held.c) > 1e-9) continue;
      entangler_ = gate;
      is_cx_ = plain_cx;
      is_symmetric_ = distance(matrix, wires_exchanged(matrix)) < 1e-12;
      before_first_ = adjoint(held.right_first) * wanted.right_first;
      before_second_ = adjoint(held.right_second) * wanted.right_second;
      after_first_ = wanted.left_first * adjoint(held.left_first);
      after_second_ = wanted.left_second * adjoint(held.left_second);
      U4 made = kron(before_first_, before_second_);
      made = kron(after_first_, after_second_) * (matrix * made);
      const Complex off = trace(adjoint(made) * cx);
      after_first_ = scaled(after_first_, off / std::abs(off));
      return;
    }
  }
  throw Error(ErrorCode::unsupported, "the basis has no gate of two wires that is a CX up to gates of one wire", {},
              "add cx, cz, cy, ecr, rzz, rxx, ryy or rzx");
}

void Basis::spell_rz(double angle, double& phase, std::vector<Spelled>& out) const {
  const double turned = wrapped(angle);
  phase += (turned - angle) / 2;  // rz(angle) = exp(i (turned - angle)/2) rz(turned), a multiple of pi
  if (std::abs(turned) <= kNothing) return;
  Spelled gate = turn_;
  gate.values[gate.params - 1U] = turned;
  if (gate.op != Op::rz) phase -= turned / 2;
  out.push_back(gate);
}

double Basis::spell(const U2& u, std::vector<Spelled>& out) const {
  const Euler e = euler_zyz(u);
  double phase = e.phase;
  if (style_ == Style::u) {
    if (e.theta <= kNothing && turn_.op != Op::u) {
      spell_rz(e.phi + e.lambda, phase, out);
      return phase;
    }
    out.push_back({.op = Op::u, .params = 3, .values = {e.theta, wrapped(e.phi), wrapped(e.lambda)}});
    // u's first entry is cos(theta/2), real and not negative.
    return phase - (e.phi + e.lambda) / 2;
  }
  if (e.theta <= kNothing) {
    spell_rz(e.phi + e.lambda, phase, out);
    return phase;
  }
  switch (style_) {
    case Style::u:
      break;
    case Style::rz_ry:
      spell_rz(e.lambda, phase, out);
      out.push_back({.op = Op::ry, .params = 1, .values = {e.theta}});
      spell_rz(e.phi, phase, out);
      break;
    case Style::rz_rx:  // Ry(t) = Rz(pi/2) Rx(t) Rz(-pi/2)
      spell_rz(e.lambda - kPi / 2, phase, out);
      out.push_back({.op = Op::rx, .params = 1, .values = {e.theta}});
      spell_rz(e.phi + kPi / 2, phase, out);
      break;
    case Style::rz_sx:
      // Rx(pi/2) = exp(-i pi/4) sx; Ry(pi/2) = Rz(pi/2) Rx(pi/2) Rz(-pi/2).
      if (std::abs(e.theta - kPi / 2) <= kNothing) {
        spell_rz(e.lambda - kPi / 2, phase, out);
        out.push_back({.op = Op::sx});
        spell_rz(e.phi + kPi / 2, phase, out);
        phase -= kPi / 4;
      } else if (has_x_ && std::abs(e.theta - kPi) <= kNothing) {
        // Ry(pi) = Rz(pi/2) Rx(pi) Rz(-pi/2), Rx(pi) = -i x, and turns pass x with their sign changed.
        spell_rz(e.lambda - e.phi - kPi, phase, out);
        out.push_back({.op = Op::x});
        phase -= kPi / 2;
      } else {
        // Ry(t) = -Rz(pi) Rx(pi/2) Rz(t + pi) Rx(pi/2).
        spell_rz(e.lambda, phase, out);
        out.push_back({.op = Op::sx});
        spell_rz(e.theta + kPi, phase, out);
        out.push_back({.op = Op::sx});
        spell_rz(e.phi + kPi, phase, out);
        phase += kPi / 2;
      }
      break;
  }
  return phase;
}

}  // namespace skerry::passes::native
