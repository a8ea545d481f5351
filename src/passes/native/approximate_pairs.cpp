#include <algorithm>

#include "passes/native/kak.hpp"
#include "passes/native/pairs.hpp"
#include "passes/native/rewrite.hpp"

namespace skerry::passes::native {
namespace {

constexpr double kQuarter = 0.78539816339744830962;
// Larger coordinates are never left out: the square would be a whole budget.
constexpr double kSmall = 1e-3;

// A block with fewer CX near to the one that stands there.
struct Near {
  U4 u;
  double infidelity = 1;
};

// Average fidelity (4 + |tr|^2) / 20 with tr/4 = cos a cos b cos c + i sin a sin b sin c of what is left out: Zhang et
// al., quant-ph/0209120.
Near nearest(const PairBlock& block, const PairWalk& walk) {
  if (block.is_plain()) return {};
  const U4 u = walk.product(block);
  if (!is_near_fewer_cx(u)) return {};
  const Kak kak = decompose(u);
  double a = kak.a, b = kak.b;
  if (std::abs(kak.c) > kSmall) return {};
  if (b < kSmall) b = 0;
  if (b == 0 && a < kSmall) a = 0;
  if (b == 0 && std::abs(a - kQuarter) < kSmall) a = kQuarter;
  const std::uint32_t needs = b > 0 ? 2 : a == 0 ? 0 : a == kQuarter ? 1 : 2;
  if (needs >= std::min<std::uint32_t>(block.cx, cx_needs(u).plain)) return {};
  const double da = kak.a - a, db = kak.b - b, dc = kak.c;
  const Complex overlap(std::cos(da) * std::cos(db) * std::cos(dc), std::sin(da) * std::sin(db) * std::sin(dc));
  return {
      scaled(kron(kak.left_first, kak.left_second) * canonical_gate(a, b, 0) * kron(kak.right_first, kak.right_second),
             expi(kak.phase)),
      0.8 * std::max(0.0, 1.0 - std::norm(overlap))};
}

struct Prices {
  std::vector<double> infidelities;
  void single(std::uint32_t /*gate*/) {}
  void pair(const PairBlock& block, const PairWalk& walk) {
    const Near near = nearest(block, walk);
    if (near.infidelity < 1) infidelities.push_back(near.infidelity);
  }
};

struct Writer {
  Flat& flat;
  FlatWriter& out;
  double limit, left;
  void single(std::uint32_t i) { out.copy(flat, flat.gates[i]); }
  void pair(const PairBlock& block, const PairWalk& walk) {
    const Near near = nearest(block, walk);
    if (near.infidelity > limit || near.infidelity > left) {
      for (std::uint32_t i = block.head; i != kNoGate; i = walk.next(i)) single(i);
      return;
    }
    left -= near.infidelity;
    for (const TwoWireGate& gate : synthesize(near.u)) write(gate, block.first, block.second);
  }
  void write(const TwoWireGate& gate, Wire first, Wire second) {
    switch (gate.kind) {
      case TwoWireGate::Kind::first:
        return out.one(first, gate.matrix);
      case TwoWireGate::Kind::second:
        return out.one(second, gate.matrix);
      case TwoWireGate::Kind::cx_from_first:
        return out.cx(first, second);
      case TwoWireGate::Kind::cx_from_second:
        return out.cx(second, first);
    }
  }
};

}  // namespace

bool approximate_pairs(Flat& flat, double& error_budget) {
  if (error_budget <= 0) return false;
  Prices prices;
  PairWalk(flat).run(prices);
  std::ranges::sort(prices.infidelities);
  double sum = 0, limit = -1;
  for (const double infidelity : prices.infidelities) {
    if (sum + infidelity > error_budget) break;
    sum += infidelity;
    limit = infidelity;
  }
  if (limit < 0) return false;
  FlatWriter out(flat.wires);
  out.reserve(flat.gates.size());
  Writer writer{flat, out, limit, sum + 1e-3 * limit};
  PairWalk(flat).run(writer);
  error_budget -= sum - (writer.left - 1e-3 * limit);
  out.finish_into(flat);
  return true;
}

}  // namespace skerry::passes::native
