#include "passes/native/controlled.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numbers>
#include <skerry/error.hpp>
#include <string>

#include "ops/qubit/gate_record.hpp"
#include "passes/native/angle.hpp"
#include "passes/native/euler.hpp"
#include "passes/native/kak.hpp"

namespace skerry::passes::native {
namespace {

constexpr double kPi = std::numbers::pi;
// Up to here 2^m - 2 CX for a phase on m wires are the fewest.
constexpr std::size_t kMostForParities = 4;

// v with u = v diag(e^{i first}, e^{i second}) v^dagger.
struct Eigen {
  U2 vectors;
  double first = 0, second = 0;
};

Eigen eigen(const U2& u) {
  // u = exp(i phase) (cos t - i sin t n.sigma): the eigenvectors are those of n.sigma.
  if (is_diagonal(u)) return {U2::identity(), std::arg(u(0, 0)), std::arg(u(1, 1))};
  const Euler e = euler_zyz(u);
  const U2 special = scaled(u, expi(-e.phase));
  const double cos_t = std::clamp((special(0, 0).real() + special(1, 1).real()) / 2, -1.0, 1.0);
  const double nx = -(special(0, 1).imag() + special(1, 0).imag()) / 2;
  const double ny = (special(1, 0).real() - special(0, 1).real()) / 2;
  const double nz = (special(1, 1).imag() - special(0, 0).imag()) / 2;
  const double sin_t = std::sqrt(nx * nx + ny * ny + nz * nz);
  const double t = std::atan2(sin_t, cos_t);
  // |n> = Rz(phi) Ry(theta) |0>.
  const double theta = std::atan2(std::hypot(nx, ny), nz), phi = std::atan2(ny, nx);
  return {rz_matrix(phi) * ry_matrix(theta), e.phase - t, e.phase + t};
}

std::vector<Wire> joined(std::span<const Wire> wires, Wire last) {
  std::vector<Wire> all(wires.begin(), wires.end());
  all.push_back(last);
  return all;
}

}  // namespace

void ControlledGates::one(Wires controls, Wire target, const U2& matrix) {
  if (controls.empty()) {
    writer_.one(target, matrix);
    return;
  }
  Eigen e = eigen(matrix);
  const auto near_zero = [](double angle) { return std::abs(wrapped(angle)) < 1e-14; };
  if (near_zero(e.second)) {  // no phase on the controls alone
    std::swap(e.first, e.second);
    e.vectors = e.vectors * x_matrix();
  }
  if (!near_zero(e.second - e.first)) {
    writer_.one(target, adjoint(e.vectors));
    if (near_zero(e.second - e.first - kPi)) {
      writer_.one(target, h_matrix());
      x(controls, target);
      writer_.one(target, h_matrix());
    } else {
      phase(joined(controls, target), {e.second - e.first});
    }
    writer_.one(target, e.vectors);
  }
  if (!near_zero(e.first)) phase(controls, {e.first});
}

void ControlledGates::two(Wire first, Wire second, const U4& matrix) {
  for (const TwoWireGate& gate : synthesize(matrix)) {
    switch (gate.kind) {
      case TwoWireGate::Kind::first:
        writer_.one(first, gate.matrix);
        break;
      case TwoWireGate::Kind::second:
        writer_.one(second, gate.matrix);
        break;
      case TwoWireGate::Kind::cx_from_first:
        writer_.cx(first, second);
        break;
      case TwoWireGate::Kind::cx_from_second:
        writer_.cx(second, first);
        break;
    }
  }
}

void ControlledGates::phase(Wires wires, const Param& angle) {
  if (wires.empty()) {
    if (angle.is_constant() || pool_.is_static(angle.expr)) {
      writer_.phase(angle);
    } else {
      writer_.other({.op = Op::gphase, .params = {angle}});
    }
  } else if (wires.size() <= kMostForParities) {
    parities({wires.begin(), wires.end()}, angle);
  } else if (angle.is_constant() && std::abs(wrapped(angle.value - kPi)) < 1e-14) {
    writer_.one(wires.back(), h_matrix());
    x(wires.first(wires.size() - 1), wires.back());
    writer_.one(wires.back(), h_matrix());
  } else {
    phase_on_many(wires, angle);
  }
}

// The product x1 x2 ... xm is the sum over sets S of (-1)^(|S|+1) times the parity of S, over 2^(m-1). The parities
// with the last wire are met on it in Gray code order, the others on the wires before.
void ControlledGates::parities(std::vector<Wire> wires, const Param& angle) {
  if (last_first_ && wires.size() > 2) std::ranges::rotate(wires, wires.end() - 1);
  const double share = std::ldexp(1.0, 1 - static_cast<int>(wires.size()));
  for (std::size_t top = wires.size(); top > 0; --top) {
    const Wire target = wires[top - 1];
    std::size_t set = 0;
    for (std::size_t step = 0; step < (std::size_t{1} << (top - 1)); ++step) {
      turn(target, scaled(pool_, angle, std::popcount(set) % 2 == 0 ? share : -share));
      if (top == 1) break;
      // The bit that changes next; the last step takes the top bit away again.
      const auto bit = std::min(static_cast<std::size_t>(std::countr_one(step)), top - 2);
      set ^= std::size_t{1} << bit;
      writer_.cx(wires[bit], target);
    }
  }
}

// diag(1, exp(i angle)).
void ControlledGates::turn(Wire wire, const Param& angle) {
  if (angle.is_constant()) {
    writer_.one(wire, {{1, 0, 0, expi(angle.value)}});
    return;
  }
  free_rz(wire, angle);
  phase({}, scaled(pool_, angle, 0.5));
}

// An angle over classical variables has its value where it stands, so it is none of the gates that may move.
void ControlledGates::free_rz(Wire wire, const Param& angle) {
  if (angle.is_constant() || pool_.is_static(angle.expr)) {
    writer_.turn(wire, angle);
  } else {
    writer_.other({.op = Op::rz, .wires = {wire}, .params = {angle}});
  }
}

// Without a free wire the CX go with the square of the controls: a million for so many.
constexpr std::size_t kMostCrowded = 512;

// Barenco lemma 7.5 on phases: half a turn from the last control, taken back where the other controls are not all 1.
void ControlledGates::phase_on_many(Wires wires, const Param& angle) {
  if (wires.size() > kMostCrowded) {
    throw Error(ErrorCode::limit_exceeded,
                "a gate on " + std::to_string(wires.size()) + " wires is more than " + std::to_string(kMostCrowded) +
                    " without a free wire",
                {}, "leave a wire of the circuit to gates with many controls");
  }
  const Wire target = wires.back(), last = wires[wires.size() - 2];
  const Wires controls = wires.first(wires.size() - 2);
  const std::array pair = {last, target};
  phase(pair, scaled(pool_, angle, 0.5));
  x(controls, last);
  phase(pair, scaled(pool_, angle, -0.5));
  x(controls, last);
  phase(joined(controls, target), scaled(pool_, angle, 0.5));
}

std::vector<Wire> ControlledGates::free_wires(Wires controls, Wire target) const {
  std::vector<Wire> free;
  for (Wire wire = 0; wire < num_wires_ && free.size() + 2 < controls.size(); ++wire) {
    if (wire != target && std::ranges::find(controls, wire) == controls.end()) free.push_back(wire);
  }
  return free;
}

void ControlledGates::x(Wires controls, Wire target) {
  if (controls.empty()) {
    writer_.one(target, x_matrix());
    return;
  }
  if (controls.size() == 1) {
    writer_.cx(controls[0], target);
    return;
  }
  if (controls.size() < kMostForParities) {
    writer_.one(target, h_matrix());
    parities(joined(controls, target), {kPi});
    writer_.one(target, h_matrix());
    return;
  }
  const std::vector<Wire> free = free_wires(controls, target);
  if (free.size() + 2 >= controls.size()) {
    x_with_free_wires(controls, target, free);
  } else if (!free.empty()) {
    x_with_one_free_wire(controls, target, free[0]);
  } else {
    writer_.one(target, h_matrix());
    phase_on_many(joined(controls, target), {kPi});
    writer_.one(target, h_matrix());
  }
}

// Lemma 7.2: a ladder over k - 2 wires in any state, walked twice so that it leaves them as they were.
void ControlledGates::x_with_free_wires(Wires controls, Wire target, Wires free) {
  const std::size_t k = controls.size();
  const auto rung = [&](std::size_t i) {  // toffoli from control i + 2 and free i onto the next
    const Wire onto = i + 3 == k ? target : free[i + 1];
    if (onto == target) {
      const std::array both = {controls[i + 2], free[i]};
      x(both, onto);
    } else {
      relative_toffoli(controls[i + 2], free[i], onto);
    }
  };
  const auto walk = [&](bool with_target) {
    const std::size_t top = with_target ? k - 2 : k - 3;
    for (std::size_t i = top; i-- > 0;) rung(i);
    relative_toffoli(controls[0], controls[1], free[0]);
    for (std::size_t i = 0; i < top; ++i) rung(i);
  };
  walk(true);
  walk(false);
}

// Lemma 7.3: two halves meet on the free wire; each half finds the other's wires free.
void ControlledGates::x_with_one_free_wire(Wires controls, Wire target, Wire free) {
  const std::size_t half = (controls.size() + 1) / 2;
  const Wires lower = controls.first(half);
  const std::vector<Wire> upper = joined(controls.subspan(half), free);
  for (int round = 0; round < 2; ++round) {
    x(lower, free);
    x(upper, target);
  }
}

// A Toffoli gate but for the sign of one state; it is its own inverse, so pairs of them leave no sign.
void ControlledGates::relative_toffoli(Wire a, Wire b, Wire target) {
  const U2 ry = ry_matrix(kPi / 4), back = ry_matrix(-kPi / 4);
  writer_.one(target, ry);
  writer_.cx(b, target);
  writer_.one(target, ry);
  writer_.cx(a, target);
  writer_.one(target, back);
  writer_.cx(b, target);
  writer_.one(target, back);
}

void ControlledGates::rz(Wires controls, Wire target, const Param& angle) {
  if (controls.empty()) {
    free_rz(target, angle);
    return;
  }
  phase(joined(controls, target), angle);
  phase(controls, scaled(pool_, angle, -0.5));
}

void ControlledGates::turned_rz(Wires controls, Wire target, const U2& before, const Param& angle) {
  writer_.one(target, before);
  rz(controls, target, angle);
  writer_.one(target, adjoint(before));
}

void ControlledGates::pauli_rotation(Wires controls, Wires targets, const char* letters, const Param& angle) {
  const auto into_z = [](char letter) {
    if (letter == 'X') return h_matrix();
    if (letter == 'Y') return rx_matrix(kPi / 2);
    return U2::identity();
  };
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (letters[i] != 'Z') writer_.one(targets[i], into_z(letters[i]));
  }
  for (std::size_t i = 0; i + 1 < targets.size(); ++i) writer_.cx(targets[i], targets[i + 1]);
  rz(controls, targets.back(), angle);
  for (std::size_t i = targets.size() - 1; i-- > 0;) writer_.cx(targets[i], targets[i + 1]);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (letters[i] != 'Z') writer_.one(targets[i], adjoint(into_z(letters[i])));
  }
}

void ControlledGates::swap(Wires controls, Wire a, Wire b) {
  if (controls.empty()) {
    writer_.swap(a, b);
    return;
  }
  writer_.cx(b, a);
  x(joined(controls, a), b);
  writer_.cx(b, a);
}

void ControlledGates::named(Op op, Wires controls, Wires targets, std::span<const Param> params) {
  const auto half = [&](std::size_t i, double factor) { return scaled(pool_, params[i], factor); };
  switch (op) {
    case Op::gphase:
      return phase(controls, params[0]);
    case Op::p:
      return phase(joined(controls, targets[0]), params[0]);
    case Op::rx:
      return turned_rz(controls, targets[0], h_matrix(), params[0]);
    case Op::ry:
      return turned_rz(controls, targets[0], rx_matrix(kPi / 2), params[0]);
    case Op::rz:
      return rz(controls, targets[0], params[0]);
    case Op::r:  // exp(-i theta/2 (cos phi X + sin phi Y))
      free_rz(targets[0], half(1, -1));
      turned_rz(controls, targets[0], h_matrix(), params[0]);
      return free_rz(targets[0], params[1]);
    case Op::u:
      rz(controls, targets[0], params[2]);
      turned_rz(controls, targets[0], rx_matrix(kPi / 2), params[0]);
      rz(controls, targets[0], params[1]);
      return phase(controls, scaled(pool_, sum(pool_, params[1], params[2]), 0.5));
    case Op::swap:
      return swap(controls, targets[0], targets[1]);
    case Op::iswap:
      pauli_rotation(controls, targets, "XX", {-kPi / 2});
      return pauli_rotation(controls, targets, "YY", {-kPi / 2});
    case Op::dcx:
      x(joined(controls, targets[0]), targets[1]);
      return x(joined(controls, targets[1]), targets[0]);
    case Op::ecr: {  // rzx(pi/4), x on the first, rzx(-pi/4)
      pauli_rotation(controls, targets, "ZX", {kPi / 4});
      x(controls, targets[0]);
      return pauli_rotation(controls, targets, "ZX", {-kPi / 4});
    }
    case Op::rxx:
      return pauli_rotation(controls, targets, "XX", params[0]);
    case Op::ryy:
      return pauli_rotation(controls, targets, "YY", params[0]);
    case Op::rzz:
      return pauli_rotation(controls, targets, "ZZ", params[0]);
    case Op::rzx:
      return pauli_rotation(controls, targets, "ZX", params[0]);
    case Op::xx_plus_yy:
      free_rz(targets[0], params[1]);
      pauli_rotation(controls, targets, "XX", half(0, 0.5));
      pauli_rotation(controls, targets, "YY", half(0, 0.5));
      return free_rz(targets[0], half(1, -1));
    case Op::xx_minus_yy:
      free_rz(targets[1], half(1, -1));
      pauli_rotation(controls, targets, "XX", half(0, 0.5));
      pauli_rotation(controls, targets, "YY", half(0, -0.5));
      return free_rz(targets[1], params[1]);
    case Op::id:
    case Op::x:
    case Op::y:
    case Op::z:
    case Op::h:
    case Op::s:
    case Op::sdg:
    case Op::t:
    case Op::tdg:
    case Op::sx:
    case Op::sxdg: {
      U2 matrix;
      ops::gate_record(op).matrix({}, matrix.m);
      return one(controls, targets[0], matrix);
    }
    case Op::unitary:
    case Op::measure:
    case Op::reset:
    case Op::channel:
    case Op::barrier:
    case Op::delay:
    case Op::assign:
    case Op::if_else:
    case Op::while_loop:
    case Op::break_loop:
    case Op::continue_loop:
    case Op::end:
#define SKERRY_MODE_OP(name, modes, parameters) case Op::name:
#include <skerry/modes.def>
#undef SKERRY_MODE_OP
      return;
  }
}

}  // namespace skerry::passes::native
