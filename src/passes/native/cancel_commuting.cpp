#include <limits>
#include <utility>

#include "passes/native/angle.hpp"
#include "passes/native/euler.hpp"
#include "passes/native/rewrite.hpp"

namespace skerry::passes::native {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
// Longer runs are searched for their newest members only, so that the pass stays linear.
constexpr std::size_t kMostSearched = 64;

enum class Axis : std::uint8_t { none, x, z };

// What commutes on one wire since the axis last changed.
struct Run {
  Axis axis = Axis::none;
  std::uint32_t number = 0;       ///< counts runs of the wire
  std::uint32_t one = kNone;      ///< the matrix that all of the run go into
  std::uint32_t turn = kNone;     ///< the symbolic turn likewise
  std::vector<std::uint32_t> cx;  ///< standing CX with their control here
};

class Canceller {
 public:
  Canceller(Flat& flat, ExprPool& pool) : flat_(flat), pool_(pool), runs_(flat.wires), dropped_(flat.gates.size(), 0) {
    target_run_.resize(flat.gates.size());
  }

  bool run() {
    for (std::uint32_t i = 0; i < flat_.gates.size(); ++i) {
      const Gate& gate = flat_.gates[i];
      switch (gate.kind) {
        case Kind::one:
          one(i, gate);
          break;
        case Kind::turn:
          turn(i, gate);
          break;
        case Kind::cx:
          cx(i, gate);
          break;
        case Kind::swap:
          enter(gate.a, Axis::none);
          enter(gate.b, Axis::none);
          break;
        case Kind::other:
          for (const Wire wire : flat_.others[gate.index].wires) enter(wire, Axis::none);
          break;
      }
    }
    if (changed_) drop_gates(flat_, dropped_);
    return changed_;
  }

 private:
  Run& enter(Wire wire, Axis axis) {
    Run& run = runs_[wire];
    if (run.axis == axis && axis != Axis::none) return run;
    run.axis = axis;
    ++run.number;
    run.one = run.turn = kNone;
    run.cx.clear();
    return run;
  }

  void drop(std::uint32_t i) {
    dropped_[i] = 1;
    changed_ = true;
  }

  void one(std::uint32_t i, const Gate& gate) {
    U2& matrix = flat_.ones[gate.index];
    const Axis axis = is_diagonal(matrix) ? Axis::z : commutes_with_x(matrix) ? Axis::x : Axis::none;
    Run& run = enter(gate.a, axis);
    if (axis == Axis::none) return;
    if (run.one == kNone) {
      run.one = i;
      return;
    }
    U2& first = flat_.ones[flat_.gates[run.one].index];
    first = matrix * first;
    drop(i);
  }

  void turn(std::uint32_t i, const Gate& gate) {
    Run& run = enter(gate.a, Axis::z);
    if (run.turn == kNone) {
      run.turn = i;
      return;
    }
    Param& first = flat_.turns[flat_.gates[run.turn].index];
    first = sum(pool_, first, flat_.turns[gate.index]);
    drop(i);
  }

  void cx(std::uint32_t i, const Gate& gate) {
    Run& control = enter(gate.a, Axis::z);
    const Run& target = enter(gate.b, Axis::x);
    target_run_[i] = target.number;
    const std::size_t least = control.cx.size() > kMostSearched ? control.cx.size() - kMostSearched : 0;
    for (std::size_t k = control.cx.size(); k-- > least;) {
      const std::uint32_t other = control.cx[k];
      if (flat_.gates[other].b != gate.b || target_run_[other] != target.number) continue;
      drop(i);
      drop(other);
      control.cx.erase(control.cx.begin() + static_cast<std::ptrdiff_t>(k));
      return;
    }
    control.cx.push_back(i);
  }

  Flat& flat_;
  ExprPool& pool_;
  std::vector<Run> runs_;
  std::vector<std::uint8_t> dropped_;
  std::vector<std::uint32_t> target_run_;
  bool changed_ = false;
};

}  // namespace

bool cancel_commuting(Flat& flat, ExprPool& pool) {  // NOLINT(misc-no-recursion): blocks nest at most 256 deep
  bool changed = false;
  for (Other& other : flat.others) {
    for (Flat& body : other.bodies) changed = cancel_commuting(body, pool) || changed;
  }
  return Canceller(flat, pool).run() || changed;
}

}  // namespace skerry::passes::native
