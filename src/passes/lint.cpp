#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <skerry/fault_tolerance.hpp>
#include <skerry/lint.hpp>

#include "ir/circuit/uses.hpp"
#include "passes/pass.hpp"

namespace skerry {
namespace {

// Below, any method is cheap: a state vector of 16 MiB, bonds of 128.
constexpr std::uint32_t kFewWires = 20;
constexpr std::uint32_t kFewBits = 7;

class Bounds {
 public:
  explicit Bounds(std::uint32_t wires) : wires_(wires), now_(wires < 2 ? 0 : wires - 1, 0), most_(now_) {
    first_.assign(now_.size(), 0);
    crossings_.assign(now_.size(), 0);
  }

  void gate(const Instruction& at, std::size_t position) {
    if (at.wires.size() < 2) return;
    const auto [low, high] = std::ranges::minmax(at.wires);
    for (Wire cut = low; cut < high; ++cut) {
      now_[cut] += weight(at, cut);
      ++crossings_[cut];
    }
    // A cut has at most one bit more than its neighbour, seen from both sides.
    for (Wire cut = low; cut < high; ++cut) clamp(cut, cut == 0 ? 0 : now_[cut - 1]);
    for (Wire cut = high; cut-- > low;) clamp(cut, cut + 1 == now_.size() ? 0 : now_[cut + 1]);
    for (Wire cut = low; cut < high; ++cut) {
      if (now_[cut] <= most_[cut]) continue;
      most_[cut] = now_[cut];
      first_[cut] = position;
    }
  }
  void anything(std::size_t position) {
    for (Wire cut = 0; cut < now_.size(); ++cut) {
      now_[cut] = most_[cut] = std::min(cut + 1, wires_ - cut - 1);
      first_[cut] = position;
    }
  }

  const std::vector<std::uint32_t>& most() const { return most_; }
  std::size_t first(Wire cut) const { return first_[cut]; }
  std::uint64_t crossings(Wire cut) const { return crossings_[cut]; }

 private:
  void clamp(Wire cut, std::uint32_t neighbour) { now_[cut] = std::min(now_[cut], neighbour + 1); }

  // log2 of the operator Schmidt rank, at most.
  static std::uint32_t weight(const Instruction& at, Wire cut) {
    const auto below = [cut](Wire wire) { return wire <= cut; };
    const auto targets = at.targets();
    const auto inside = static_cast<std::uint32_t>(std::ranges::count_if(targets, below));
    const auto outside = static_cast<std::uint32_t>(targets.size()) - inside;
    const bool turns = at.op == Op::rzz || at.op == Op::rxx || at.op == Op::ryy || at.op == Op::rzx;
    const std::uint32_t split = turns ? std::min({inside, outside, 1U}) : 2 * std::min(inside, outside);
    return at.controls > 0 ? split + 1 : split;
  }

  std::uint32_t wires_;
  std::vector<std::uint32_t> now_, most_;
  std::vector<std::size_t> first_;
  std::vector<std::uint64_t> crossings_;
};

Bounds bounds_of(const Circuit& circuit) {
  Bounds bounds(circuit.num_wires());
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction at = circuit.body()[i];
    if (is_gate(at.op)) bounds.gate(at, i);
    if (at.op == Op::if_else || at.op == Op::while_loop) bounds.anything(i);
  }
  return bounds;
}

std::string bytes_text(double log2_bytes) {
  constexpr std::array kUnits = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  const double unit = std::clamp(std::floor(log2_bytes / 10), 0.0, 6.0);
  std::array<char, 64> text{};
  if (log2_bytes > 80) {
    std::snprintf(text.data(), text.size(), "2^%.0f bytes", log2_bytes);
  } else {
    std::snprintf(text.data(), text.size(), "%.3g %s", std::exp2(log2_bytes - 10 * unit),
                  kUnits[static_cast<std::size_t>(unit)]);
  }
  return text.data();
}

std::string run_of(Wire first, Wire last) {
  return first == last ? "wire " + std::to_string(first)
                       : "wires " + std::to_string(first) + ".." + std::to_string(last);
}
std::string gate_at(std::size_t position) {
  return "gate " + std::to_string(position);
}
std::string counted(std::uint64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

class Linter {
 public:
  explicit Linter(const Circuit& circuit) : circuit_(circuit) {}

  std::vector<Finding> run() {
    entanglement();
    if (measures()) {
      less_of("remove_unobserved", "unobserved_gates", "instruction", "no bit can tell whether it is there",
              "compile with --outcomes-only to leave it out");
      reuse();
    }
    less_of("remove_fresh_resets", "fresh_resets", "reset", "nothing has happened on the wire before it",
            "wires begin in |0>");
    idle_wires();
    overwritten_bits();
    return std::move(found_);
  }

 private:
  bool measures() const {
    for (const Block& block : circuit_.blocks()) {
      for (std::size_t i = 0; i < block.size(); ++i) {
        if (block[i].op == Op::measure) return true;
      }
    }
    return false;
  }

  void entanglement() {
    const std::uint32_t n = circuit_.num_wires();
    if (n <= kFewWires) return;
    const Bounds bounds = bounds_of(circuit_);
    const auto worst = std::ranges::max_element(bounds.most());
    if (*worst <= kFewBits) return;
    const auto cut = static_cast<Wire>(worst - bounds.most().begin());
    const NonClifford hard = count_non_clifford(circuit_);
    if (hard.t + hard.rotations == 0) return;  // a stabilizer tableau does not mind
    double chain = 0;
    for (Wire wire = 0; wire < n; ++wire) {
      const double left = wire == 0 ? 0 : bounds.most()[wire - 1];
      const double right = wire + 1 == n ? 0 : bounds.most()[wire];
      chain += std::exp2(std::min(900.0, left + right + 5 - 20));  // in MiB: two matrices of 16-byte entries
    }
    found_.push_back({"entanglement",
                      "up to " + counted(*worst, "bit") + " of entanglement between " + run_of(0, cut) + " and " +
                          run_of(cut + 1, n - 1) + ", where " + counted(bounds.crossings(cut), "gate") +
                          " cross: a state vector takes " + bytes_text(n + 4.0) + ", a matrix product state up to " +
                          bytes_text(std::log2(chain) + 20),
                      "order the wires so that fewer gates cross the cut, or bound the bond with method mps",
                      gate_at(bounds.first(cut))});
  }

  const Circuit* after(std::string_view name) {
    for (const passes::CircuitPass* pass : passes::outcome_passes()) {
      if (pass->name != name) continue;
      made_ = pass->run(circuit_);
      return &made_;
    }
    return &circuit_;
  }

  void less_of(std::string_view pass, std::string name, const std::string& what, const std::string& why,
               std::string hint) {
    const Block& before = circuit_.body();
    const Block& kept = after(pass)->body();
    if (kept.size() == before.size()) return;
    std::size_t first = 0;
    while (first < kept.size() && same(before[first], kept[first])) ++first;
    found_.push_back({std::move(name), counted(before.size() - kept.size(), what) + " for nothing: " + why,
                      std::move(hint), gate_at(first)});
  }
  static bool same(const Instruction& a, const Instruction& b) {
    return a.op == b.op && a.controls == b.controls && a.aux == b.aux && std::ranges::equal(a.wires, b.wires) &&
           std::ranges::equal(a.params, b.params);
  }

  void reuse() {
    const std::uint32_t fewer = after("reuse_qubits")->num_wires();
    if (fewer >= circuit_.num_wires()) return;
    found_.push_back({"reusable_wires",
                      "the program can run on " + std::to_string(fewer) + " of its " +
                          counted(circuit_.num_wires(), "wire") + " when measured wires are used again",
                      "compile with --reuse-qubits where the device measures in the middle",
                      {}});
  }

  void idle_wires() {
    const auto used = ir::used_wires(circuit_);
    const auto idle = static_cast<std::uint64_t>(std::ranges::count(used, 0));
    if (idle == 0 || circuit_.num_wires() == 0) return;
    const auto first = static_cast<Wire>(std::ranges::find(used, 0) - used.begin());
    found_.push_back({"idle_wires",
                      counted(idle, "wire") + " without an instruction, the first is " + run_of(first, first),
                      "each doubles a state vector; leave it out",
                      {}});
  }

  // In a straight program, a bit that is measured twice loses the first outcome.
  void overwritten_bits() {
    if (circuit_.blocks().size() > 1 || !circuit_.assignments().empty()) return;
    std::vector<std::uint8_t> written(circuit_.num_bits(), 0);
    for (std::size_t i = 0; i < circuit_.body().size(); ++i) {
      const Instruction at = circuit_.body()[i];
      if (at.op != Op::measure) continue;
      if (written[at.aux] != 0) {
        found_.push_back({"overwritten_bit", "bit " + std::to_string(at.aux) + " is measured again before it was read",
                          "measure into a bit of its own", gate_at(i)});
        return;
      }
      written[at.aux] = 1;
    }
  }

  const Circuit& circuit_;
  Circuit made_;
  std::vector<Finding> found_;
};

}  // namespace

std::vector<Finding> lint(const Circuit& circuit) {
  return Linter(circuit).run();
}

std::vector<std::uint32_t> entanglement_bounds(const Circuit& circuit) {
  return bounds_of(circuit).most();
}

}  // namespace skerry
