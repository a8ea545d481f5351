#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>
#include <optional>
#include <unordered_map>

#include "ops/qubit/gate_record.hpp"
#include "passes/native/angle.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

constexpr double kPi = std::numbers::pi;
// Rotations further back than this are forgotten, so that memory and time stay linear.
constexpr std::size_t kMostKept = 8192;
constexpr int kMostSweeps = 8;
// A frame takes wires^2 / 2 bytes.
constexpr std::uint32_t kMostWires = 4096;

// i^phase X^x Z^z: the words of x, then those of z.
struct Pauli {
  std::vector<std::uint64_t> words;
  unsigned phase = 0;

  std::size_t half() const { return words.size() / 2; }
  bool commutes(const Pauli& other) const {
    std::uint64_t parity = 0;
    for (std::size_t k = 0; k < half(); ++k) {
      parity ^= (words[k] & other.words[half() + k]) ^ (words[half() + k] & other.words[k]);
    }
    return std::popcount(parity) % 2 == 0;
  }
  void multiply(const Pauli& right, unsigned more_phase = 0) {
    unsigned passed = 0;  // Z of the left over X of the right
    for (std::size_t k = 0; k < half(); ++k) {
      passed += static_cast<unsigned>(std::popcount(words[half() + k] & right.words[k]));
      words[k] ^= right.words[k];
      words[half() + k] ^= right.words[half() + k];
    }
    phase = (phase + right.phase + 2 * passed + more_phase) % 4;
  }
  // Of a Hermitian string: minus a product of X, Y, Z.
  bool negative() const {
    unsigned y = 0;
    for (std::size_t k = 0; k < half(); ++k) y += static_cast<unsigned>(std::popcount(words[k] & words[half() + k]));
    return (phase + 4 - y % 4) % 4 == 2;
  }
  std::uint64_t hash() const {
    std::uint64_t h = 0x9e3779b97f4a7c15;
    for (const std::uint64_t word : words) h = (h ^ word) * 0xff51afd7ed558ccd + (h >> 29U);
    return h;
  }
};

// What X and Z of each wire are when they are pulled back through the Clifford gates so far.
class Frame {
 public:
  explicit Frame(std::uint32_t wires) {
    const std::size_t half = (wires + 63) / 64;
    for (auto* rows : {&x_, &z_}) rows->assign(wires, Pauli{std::vector<std::uint64_t>(2 * half, 0)});
    for (Wire w = 0; w < wires; ++w) {
      x_[w].words[w / 64] |= std::uint64_t{1} << (w % 64);
      z_[w].words[half + w / 64] |= std::uint64_t{1} << (w % 64);
    }
  }
  const Pauli& x(Wire w) const { return x_[w]; }
  const Pauli& z(Wire w) const { return z_[w]; }

  void h(Wire w) { std::swap(x_[w], z_[w]); }
  // turns quarter turns about Z: X goes to -Y, -X, Y.
  void s(Wire w, unsigned turns) {
    if (turns % 4 == 2) x_[w].phase ^= 2U;
    if (turns % 2 == 1) x_[w].multiply(z_[w], turns % 4 == 1 ? 3 : 1);
  }
  void sx(Wire w, unsigned turns) {
    h(w);
    s(w, turns);
    h(w);
  }
  void sy(Wire w, unsigned turns) {
    s(w, 3);
    sx(w, turns);
    s(w, 1);
  }
  void cx(Wire control, Wire target) {
    x_[control].multiply(x_[target]);
    z_[target].multiply(z_[control]);
  }
  void swap(Wire a, Wire b) {
    std::swap(x_[a], x_[b]);
    std::swap(z_[a], z_[b]);
  }

 private:
  std::vector<Pauli> x_, z_;
};

// Quarter turns of an angle, when it is a number of them.
std::optional<unsigned> quarters(const Param& angle) {
  if (!angle.is_constant()) return std::nullopt;
  const double turns = angle.value / (kPi / 2);
  if (std::abs(turns) > 1e6 || std::abs(turns - std::round(turns)) > 1e-12) return std::nullopt;
  return static_cast<unsigned>(((static_cast<long long>(std::llround(turns)) % 4) + 4) % 4);
}

bool is_phase_gate(Op op) {
  return op == Op::p || op == Op::t || op == Op::tdg;
}

class Folder {
 public:
  explicit Folder(Circuit& circuit) : circuit_(circuit) {}

  bool block(BlockId id) {
    const Block& from = circuit_.blocks()[id];
    Frame frame(circuit_.num_wires());
    kept_.clear();
    newest_.clear();
    base_ = 0;
    angles_.assign(from.size(), {});
    state_.assign(from.size(), State::same);
    phase_ = 0;
    symbols_.clear();
    bool merged = false;
    for (std::size_t i = 0; i < from.size(); ++i) merged = step(from[i], i, frame) || merged;
    if (merged) write(id);
    return merged;
  }

 private:
  enum class State : std::uint8_t { same, changed, dropped };
  struct Kept {
    Pauli pauli;
    std::size_t gate = 0;  ///< its place in the block
    bool is_rotation = false;
  };

  bool step(const Instruction& at, std::size_t i, Frame& frame) {
    if (at.op == Op::gphase && at.wires.empty()) return false;
    if (const auto pauli = rotation(at, frame)) return rotate(*pauli, at, i);
    if (clifford(at, frame)) return false;
    fence(at, frame);
    return false;
  }

  // The string of a rotation that is no Clifford gate, pulled back.
  std::optional<Pauli> rotation(const Instruction& at, const Frame& frame) const {
    if (!is_gate(at.op) || at.controls != 0 || at.op == Op::unitary) return std::nullopt;
    if (at.op == Op::t || at.op == Op::tdg) return frame.z(at.wires[0]);
    const std::string_view letters = at.op == Op::p ? "Z" : ops::gate_record(at.op).generator;
    if (letters.empty() || at.params.size() != 1 || at.wires.empty()) return std::nullopt;
    const Param& angle = at.params[0];
    if (!angle.is_constant() && !circuit_.expressions().is_static(angle.expr)) return std::nullopt;
    if (letters.size() == 1 && quarters(angle)) return std::nullopt;
    Pauli string{std::vector<std::uint64_t>(frame.x(0).words.size(), 0)};
    for (std::size_t k = 0; k < letters.size(); ++k) {
      const Wire w = at.wires[k];
      if (letters[k] != 'Z') string.multiply(frame.x(w), letters[k] == 'Y' ? 1 : 0);
      if (letters[k] != 'X') string.multiply(frame.z(w));
    }
    return string;
  }

  static bool clifford(const Instruction& at, Frame& frame) {
    if (!is_gate(at.op)) return false;
    const auto& w = at.wires;
    if (at.controls == 1 && at.op == Op::x) {
      frame.cx(w[0], w[1]);
      return true;
    }
    if (at.controls == 1 && (at.op == Op::z || at.op == Op::y)) {
      // The part of the gate that turns the target's Pauli into X, undone afterwards.
      if (at.op == Op::z) frame.h(w[1]);
      if (at.op == Op::y) frame.s(w[1], 3);
      frame.cx(w[0], w[1]);
      if (at.op == Op::z) frame.h(w[1]);
      if (at.op == Op::y) frame.s(w[1], 1);
      return true;
    }
    if (at.controls != 0) return false;
    switch (at.op) {  // NOLINT(clang-diagnostic-switch-enum): the Clifford gates among all
      case Op::id:
        return true;
      case Op::x:
        frame.sx(w[0], 2);
        return true;
      case Op::y:
        frame.sx(w[0], 2);
        frame.s(w[0], 2);
        return true;
      case Op::z:
        frame.s(w[0], 2);
        return true;
      case Op::h:
        frame.h(w[0]);
        return true;
      case Op::s:
        frame.s(w[0], 1);
        return true;
      case Op::sdg:
        frame.s(w[0], 3);
        return true;
      case Op::sx:
        frame.sx(w[0], 1);
        return true;
      case Op::sxdg:
        frame.sx(w[0], 3);
        return true;
      case Op::swap:
        frame.swap(w[0], w[1]);
        return true;
      case Op::p:
      case Op::rz:
        if (const auto turns = quarters(at.params[0])) return frame.s(w[0], *turns), true;
        return false;
      case Op::rx:
        if (const auto turns = quarters(at.params[0])) return frame.sx(w[0], *turns), true;
        return false;
      case Op::ry:
        if (const auto turns = quarters(at.params[0])) return frame.sy(w[0], *turns), true;
        return false;
      default:
        return false;
    }
  }

  // Nothing that touches these wires moves across.
  void fence(const Instruction& at, const Frame& frame) {
    const bool everywhere = at.wires.empty() && at.op != Op::assign;
    if (everywhere || at.op == Op::if_else || at.op == Op::while_loop) {
      kept_.clear();
      newest_.clear();
      return;
    }
    for (const Wire w : at.wires) {
      keep({frame.x(w), 0, false});
      keep({frame.z(w), 0, false});
    }
  }

  void keep(Kept entry) {
    kept_.push_back(std::move(entry));
    if (kept_.size() <= 2 * kMostKept) return;
    kept_.erase(kept_.begin(), kept_.begin() + kMostKept);
    base_ += kMostKept;
  }

  bool rotate(const Pauli& pauli, const Instruction& at, std::size_t i) {
    const std::uint64_t key = pauli.hash();
    const auto found = newest_.find(key);
    if (found != newest_.end() && found->second >= base_ && found->second - base_ < kept_.size()) {
      const Kept& earlier = kept_[found->second - base_];
      if (earlier.is_rotation && earlier.pauli.words == pauli.words && reaches(found->second - base_, pauli)) {
        merge(earlier.gate, earlier.pauli.negative() == pauli.negative() ? 1.0 : -1.0, at, i);
        return true;
      }
    }
    angles_[i] = angle_of(at);
    ops_.resize(std::max(ops_.size(), i + 1));
    ops_[i] = at.op;
    keep({pauli, i, true});
    newest_[key] = base_ + kept_.size() - 1;
    return false;
  }

  // Does the string commute with all that was kept after `place`?
  bool reaches(std::size_t place, const Pauli& pauli) const {
    return std::all_of(kept_.begin() + static_cast<std::ptrdiff_t>(place) + 1, kept_.end(),
                       [&](const Kept& between) { return between.pauli.commutes(pauli); });
  }

  static Param angle_of(const Instruction& at) {
    if (at.op == Op::t) return {kPi / 4};
    if (at.op == Op::tdg) return {-kPi / 4};
    return at.params[0];
  }

  // The rotation at `into` takes the angle of that at i. A phase gate is exp(i angle/2) times the rotation.
  void merge(std::size_t into, double sign, const Instruction& at, std::size_t i) {
    ExprPool& pool = circuit_.expressions();
    const Param angle = angle_of(at), added = native::scaled(pool, angle, sign);
    const double phases = (is_phase_gate(at.op) ? 0.5 : 0.0) - (is_phase_gate(ops_[into]) ? 0.5 * sign : 0.0);
    if (phases != 0) {
      const Param phase = native::scaled(pool, angle, phases);
      if (phase.is_constant()) {
        phase_ += phase.value;
      } else {
        symbols_.push_back(phase);
      }
    }
    angles_[into] = native::sum(pool, angles_[into], added);
    state_[into] = State::changed;
    state_[i] = State::dropped;
  }

  void write(BlockId id) {
    const Block& from = circuit_.blocks()[id];
    Block into;
    into.reserve(from.size(), 2 * from.size(), from.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (state_[i] == State::same) into.append(from[i]);
      if (state_[i] == State::changed) changed(from[i], angles_[i], into);
    }
    const double rest = std::remainder(phase_, 2 * kPi);
    if (std::abs(rest) > 1e-13) into.append(Op::gphase, {}, std::array{Param{rest}});
    for (const Param& symbol : symbols_) into.append(Op::gphase, {}, std::array{symbol});
    circuit_.replace_block(id, std::move(into));
  }

  void changed(const Instruction& at, const Param& angle, Block& into) {
    const double period = is_phase_gate(at.op) ? 2 * kPi : 4 * kPi;
    if (angle.is_constant() && std::abs(std::remainder(angle.value, period)) < 1e-13) return;
    if (is_phase_gate(at.op) && angle.is_constant()) {
      const double eighths = angle.value / (kPi / 4);
      if (std::abs(eighths - std::round(eighths)) < 1e-12) {
        constexpr std::array kNames = {Op::id, Op::t, Op::s, Op::p, Op::z, Op::p, Op::sdg, Op::tdg};
        const auto k = static_cast<std::size_t>(((std::llround(eighths) % 8) + 8) % 8);
        if (kNames[k] != Op::p) return into.append(kNames[k], at.wires);
      }
    }
    const Op op = is_phase_gate(at.op) ? Op::p : at.op;
    into.append(op, at.wires, std::array{angle});
  }

  Circuit& circuit_;
  std::vector<Kept> kept_;
  std::size_t base_ = 0;  ///< how many were forgotten
  std::unordered_map<std::uint64_t, std::size_t> newest_;
  std::vector<Param> angles_;
  std::vector<Op> ops_;
  std::vector<State> state_;
  double phase_ = 0;
  std::vector<Param> symbols_;
};

Circuit fold_phases(const Circuit& circuit) {
  Circuit out = circuit;
  if (circuit.num_wires() > kMostWires) return out;
  Folder folder(out);
  for (BlockId id = 0; id < out.blocks().size(); ++id) {
    // What became a Clifford gate lets others meet.
    for (int sweep = 0; sweep < kMostSweeps && folder.block(id); ++sweep) continue;
  }
  return out;
}

}  // namespace

extern const CircuitPass fold_phases_pass;
const CircuitPass fold_phases_pass = {
    .name = "fold_phases",
    .help = "Adds rotations about one Pauli string wherever they stand among Clifford gates: fewer T gates.",
    .run = fold_phases,
};

}  // namespace skerry::passes
