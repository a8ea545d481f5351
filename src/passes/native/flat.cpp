#include "passes/native/flat.hpp"

#include <algorithm>
#include <limits>
#include <skerry/error.hpp>
#include <string>
#include <utility>

#include "passes/native/euler.hpp"

namespace skerry::passes::native {

namespace {
// A gate with thousands of controls asks for millions; at most some gigabytes may come of one file.
constexpr std::size_t kMostGates = 32'000'000;
}  // namespace

std::size_t Flat::count(Kind kind) const noexcept {
  return static_cast<std::size_t>(std::ranges::count(gates, kind, &Gate::kind));
}

std::size_t Flat::cx_count() const noexcept {  // NOLINT(misc-no-recursion): blocks nest at most ir::kMaxNesting deep
  std::size_t sum = count(Kind::cx) + 3 * count(Kind::swap);
  for (const Other& other : others) {
    for (const Flat& body : other.bodies) sum += body.cx_count();
  }
  return sum;
}

std::size_t Flat::cx_depth() const {  // NOLINT(misc-no-recursion): as above
  std::vector<std::size_t> depth(wires, 0);
  const auto meet = [&depth](std::span<const Wire> together, std::size_t longer) {
    std::size_t most = 0;
    for (const Wire wire : together) most = std::max(most, depth[wire]);
    for (const Wire wire : together) depth[wire] = most + longer;
  };
  for (const Gate& gate : gates) {
    if (gate.kind == Kind::cx) meet(std::array{gate.a, gate.b}, 1);
    if (gate.kind == Kind::swap) meet(std::array{gate.a, gate.b}, 3);
    if (gate.kind != Kind::other) continue;
    std::size_t inside = 0;
    for (const Flat& body : others[gate.index].bodies) inside = std::max(inside, body.cx_depth());
    meet(others[gate.index].wires, inside);
  }
  return depth.empty() ? 0 : std::ranges::max(depth);
}

void rename_wires(Flat& flat, std::span<const Wire> wires) {  // NOLINT(misc-no-recursion): as above
  for (Gate& gate : flat.gates) {
    if (gate.kind == Kind::other) continue;
    gate.a = wires[gate.a];
    gate.b = wires[gate.b];
  }
  for (Other& other : flat.others) {
    for (Wire& wire : other.wires) wire = wires[wire];
    for (Flat& body : other.bodies) rename_wires(body, wires);
  }
  for (Wire& wire : flat.places) wire = wires[wire];
}

void drop_gates(Flat& flat, std::span<const std::uint8_t> dropped) {
  // Never more is written than was read, so the list is written over itself; matrices stay where they are.
  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> waiting(flat.wires, kNone);
  std::size_t written = 0;
  const auto flush = [&](Wire wire) {
    const std::uint32_t index = std::exchange(waiting[wire], kNone);
    if (index == kNone) return;
    const U2& matrix = flat.ones[index];
    if (is_scalar(matrix)) {
      if (matrix(0, 0) != 1.0) flat.phase += std::arg(matrix(0, 0));
    } else {
      flat.gates[written++] = {Kind::one, wire, wire, index};
    }
  };
  for (std::size_t i = 0; i < flat.gates.size(); ++i) {
    if (dropped[i] != 0) continue;
    const Gate gate = flat.gates[i];
    if (gate.kind == Kind::one) {
      const std::uint32_t first = waiting[gate.a];
      if (first == kNone) {
        waiting[gate.a] = gate.index;
      } else {
        flat.ones[first] = flat.ones[gate.index] * flat.ones[first];
      }
      continue;
    }
    if (gate.kind == Kind::other) {
      for (const Wire wire : flat.others[gate.index].wires) flush(wire);
    } else {
      flush(gate.a);
      if (gate.kind != Kind::turn) flush(gate.b);
    }
    flat.gates[written++] = gate;
  }
  for (Wire wire = 0; wire < flat.wires; ++wire) flush(wire);
  flat.gates.resize(written);
}

FlatWriter::FlatWriter(std::uint32_t wires) : pending_(wires), has_(wires, 0) {
  out_.wires = wires;
}

void FlatWriter::reserve(std::size_t gates) {
  out_.gates.reserve(gates);
  out_.ones.reserve(gates);
}

void FlatWriter::one(Wire wire, const U2& matrix) {
  pending_[wire] = has_[wire] != 0 ? matrix * pending_[wire] : matrix;
  has_[wire] = 1;
}

void FlatWriter::flush(Wire wire) {
  if (has_[wire] == 0) return;
  has_[wire] = 0;
  const U2& matrix = pending_[wire];
  if (is_scalar(matrix)) {
    if (matrix(0, 0) != 1.0) out_.phase += std::arg(matrix(0, 0));
    return;
  }
  out_.gates.push_back({Kind::one, wire, wire, static_cast<std::uint32_t>(out_.ones.size())});
  out_.ones.push_back(matrix);
}

void FlatWriter::turn(Wire wire, const Param& angle) {
  if (angle.is_constant()) {
    one(wire, rz_matrix(angle.value));
    return;
  }
  flush(wire);
  out_.gates.push_back({Kind::turn, wire, wire, static_cast<std::uint32_t>(out_.turns.size())});
  out_.turns.push_back(angle);
}

void FlatWriter::phase(const Param& angle) {
  if (angle.is_constant()) {
    out_.phase += angle.value;
  } else {
    out_.phases.push_back(angle);
  }
}

void FlatWriter::cx(Wire control, Wire target) {
  if (out_.gates.size() > kMostGates) {
    throw Error(ErrorCode::limit_exceeded,
                "the circuit takes more than " + std::to_string(kMostGates) + " gates of one and two wires", {},
                "give gates with many controls free wires, or a smaller circuit");
  }
  flush(control);
  flush(target);
  out_.gates.push_back({Kind::cx, control, target, 0});
}

void FlatWriter::swap(Wire a, Wire b) {
  flush(a);
  flush(b);
  out_.gates.push_back({Kind::swap, a, b, 0});
}

void FlatWriter::other(Other other) {
  for (const Wire wire : other.wires) flush(wire);
  out_.gates.push_back({Kind::other, 0, 0, static_cast<std::uint32_t>(out_.others.size())});
  out_.others.push_back(std::move(other));
}

void FlatWriter::copy(Flat& from, const Gate& gate) {
  switch (gate.kind) {
    case Kind::one:
      return one(gate.a, from.ones[gate.index]);
    case Kind::turn:
      return turn(gate.a, from.turns[gate.index]);
    case Kind::cx:
      return cx(gate.a, gate.b);
    case Kind::swap:
      return swap(gate.a, gate.b);
    case Kind::other:
      return other(std::move(from.others[gate.index]));
  }
}

void FlatWriter::finish_into(Flat& flat) {
  Flat made = finish();
  made.phase += flat.phase;
  made.phases = std::move(flat.phases);
  made.places = std::move(flat.places);
  flat = std::move(made);
}

Flat FlatWriter::finish() {
  for (Wire wire = 0; wire < out_.wires; ++wire) flush(wire);
  Flat done = std::move(out_);
  out_ = Flat{};
  out_.wires = done.wires;
  return done;
}

}  // namespace skerry::passes::native
