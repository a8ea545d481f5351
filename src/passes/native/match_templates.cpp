#include <array>
#include <limits>
#include <utility>

#include "passes/native/euler.hpp"
#include "passes/native/rewrite.hpp"

namespace skerry::passes::native {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kMostMembers = 16;
constexpr int kMostRounds = 4;

enum class Axis : std::uint8_t { none, x, z };

// What commutes on one wire: all about Z (controls, turns) or all about X (targets).
struct Run {
  Axis axis = Axis::none;
  std::uint32_t number = 0;
  std::size_t members = 0;
  std::vector<std::uint32_t> cx;  ///< the newest CX among them
};

// The three newest runs of a wire, newest first.
struct History {
  std::array<Run, 3> runs;

  Run& enter(Axis axis) {
    if (axis != runs[0].axis || axis == Axis::none) {
      Run next{.axis = axis, .number = runs[0].number + 1};
      runs[2] = std::exchange(runs[1], std::exchange(runs[0], std::move(next)));
    }
    ++runs[0].members;
    return runs[0];
  }
  void forget() {
    const std::uint32_t number = runs[0].number + 1;
    runs = {};
    runs[0].number = number;
  }
};

class Matcher {
 public:
  explicit Matcher(const Flat& flat)
      : flat_(flat), wires_(flat.wires), dropped_(flat.gates.size(), 0), extra_(flat.gates.size(), {kNone, kNone}) {
    runs_at_.resize(flat.gates.size());
  }

  bool run() {
    for (std::uint32_t i = 0; i < flat_.gates.size(); ++i) {
      const Gate& gate = flat_.gates[i];
      switch (gate.kind) {
        case Kind::one: {
          const U2& matrix = flat_.ones[gate.index];
          wires_[gate.a].enter(is_diagonal(matrix) ? Axis::z : commutes_with_x(matrix) ? Axis::x : Axis::none);
          break;
        }
        case Kind::turn:
          wires_[gate.a].enter(Axis::z);
          break;
        case Kind::cx:
          cx(i);
          break;
        case Kind::swap:
          wires_[gate.a].forget();
          wires_[gate.b].forget();
          break;
        case Kind::other:
          for (const Wire wire : flat_.others[gate.index].wires) wires_[wire].forget();
          break;
      }
    }
    return changed_;
  }

  void write(Flat& flat) const {
    FlatWriter out(flat.wires);
    out.reserve(flat.gates.size());
    for (std::uint32_t i = 0; i < flat.gates.size(); ++i) {
      if (dropped_[i] == 0) out.copy(flat, flat.gates[i]);
      if (extra_[i].first != kNone) out.cx(extra_[i].first, extra_[i].second);
    }
    out.finish_into(flat);
  }

 private:
  void cx(std::uint32_t i) {
    const Gate& gate = flat_.gates[i];
    Run& control = wires_[gate.a].enter(Axis::z);
    Run& target = wires_[gate.b].enter(Axis::x);
    runs_at_[i] = {control.number, target.number};
    if (match(i, wires_[gate.b], true) || match(i, wires_[gate.a], false)) return;
    for (Run* run : {&control, &target}) {
      if (run->cx.size() == kMostMembers) run->cx.erase(run->cx.begin());
      run->cx.push_back(i);
    }
  }

  // The third of a triple: before it on `middle` stands one CX of the other axis alone, before that the first. The
  // other wire has stayed in one run since.
  bool match(std::uint32_t third, const History& middle, bool middle_is_target) {
    const Gate& gate = flat_.gates[third];
    const Run &between = middle.runs[1], &before = middle.runs[2];
    if (between.members != 1 || between.cx.size() != 1) return false;
    const std::uint32_t second = between.cx[0];
    const Gate& inner = flat_.gates[second];
    const Wire other = middle_is_target ? inner.b : inner.a;
    if (dropped_[second] != 0 || extra_[second].first != kNone || other == gate.a || other == gate.b) return false;
    for (const std::uint32_t first : before.cx) {
      const Gate& outer = flat_.gates[first];
      const bool same = outer.a == gate.a && outer.b == gate.b && dropped_[first] == 0;
      const std::uint32_t then = middle_is_target ? runs_at_[first].first : runs_at_[first].second;
      const std::uint32_t now = middle_is_target ? runs_at_[third].first : runs_at_[third].second;
      if (!same || then != now) continue;
      dropped_[first] = dropped_[third] = 1;
      // cx ab, bc, ab = bc, ac; cx bc, ab, bc = ab, ac.
      extra_[second] = middle_is_target ? std::pair(gate.a, other) : std::pair(other, gate.b);
      for (const Wire wire : {gate.a, gate.b, other}) wires_[wire].forget();
      changed_ = true;
      return true;
    }
    return false;
  }

  const Flat& flat_;
  std::vector<History> wires_;
  std::vector<std::uint8_t> dropped_;
  std::vector<std::pair<Wire, Wire>> extra_;                      ///< a CX after a gate
  std::vector<std::pair<std::uint32_t, std::uint32_t>> runs_at_;  ///< of a CX: the runs of control and target
  bool changed_ = false;
};

}  // namespace

bool match_templates(Flat& flat) {  // NOLINT(misc-no-recursion): blocks nest at most 256 deep
  bool changed = false;
  for (Other& other : flat.others) {
    for (Flat& body : other.bodies) changed = match_templates(body) || changed;
  }
  for (int round = 0; round < kMostRounds; ++round) {
    Matcher matcher(flat);
    if (!matcher.run()) break;
    matcher.write(flat);
    changed = true;
  }
  return changed;
}

}  // namespace skerry::passes::native
