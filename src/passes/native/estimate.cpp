#include <algorithm>
#include <cmath>
#include <numeric>
#include <skerry/compile.hpp>

#include "passes/native/spelling.hpp"

namespace skerry {
namespace {

// Where each wire stands; a body starts where its surroundings are.
struct Clock {
  std::vector<std::uint64_t> depth, two;
  std::vector<double> time, busy;
  std::vector<std::uint8_t> used;

  explicit Clock(std::size_t wires) : depth(wires, 0), two(wires, 0), time(wires, 0), busy(wires, 0), used(wires, 0) {}
};

class Estimator {
 public:
  Estimator(const Circuit& circuit, const Target& target)
      : circuit_(circuit), target_(target), all_(circuit.num_wires()) {
    std::iota(all_.begin(), all_.end(), 0U);
  }

  Estimate run() {
    Clock clock(circuit_.num_wires());
    block(0, clock);
    Estimate& out = out_;
    for (Wire w = 0; w < circuit_.num_wires(); ++w) {
      out.depth = std::max(out.depth, clock.depth[w]);
      out.two_wire_depth = std::max(out.two_wire_depth, clock.two[w]);
      out.duration_seconds = std::max(out.duration_seconds, clock.time[w]);
      out.width += clock.used[w];
    }
    for (Wire w = 0; w < circuit_.num_wires(); ++w) {
      if (clock.used[w] == 0 || w >= target_.t1_seconds.size() || target_.t1_seconds[w] <= 0) continue;
      out.success_probability *= std::exp(-(out.duration_seconds - clock.busy[w]) / target_.t1_seconds[w]);
    }
    return std::move(out_);
  }

 private:
  void block(BlockId id, Clock& clock) {  // NOLINT(misc-no-recursion): blocks nest at most ir::kMaxNesting deep
    const Block& block = circuit_.blocks()[id];
    for (std::size_t i = 0; i < block.size(); ++i) {
      const Instruction at = block[i];
      if (at.op == Op::if_else || at.op == Op::while_loop) {
        flow(circuit_.branches()[at.aux], clock);
      } else if (at.op == Op::barrier) {
        hold_back(at.wires.empty() ? std::span<const Wire>(all_) : at.wires, clock);
      } else {
        step(at, clock);
      }
    }
  }

  void step(const Instruction& at, Clock& clock) {
    if (at.wires.empty()) return;  // a phase, an assignment
    const std::string name = passes::native::spelling(at);
    ++out_.counts[name];
    out_.gates += is_gate(at.op) ? 1 : 0;
    const std::vector<Wire> wires(at.wires.begin(), at.wires.end());
    const bool is_delay = at.op == Op::delay && at.params[0].is_constant();
    const double duration = is_delay ? at.params[0].value : target_.duration_seconds(name, wires);
    out_.success_probability *= 1.0 - target_.error(name, wires);
    std::uint64_t depth = 0, two = 0;
    double begin = 0;
    for (const Wire w : wires) {
      depth = std::max(depth, clock.depth[w]);
      two = std::max(two, clock.two[w]);
      begin = std::max(begin, clock.time[w]);
    }
    const bool is_two = is_gate(at.op) && wires.size() >= 2;
    for (const Wire w : wires) {
      clock.depth[w] = depth + 1;
      if (is_two) clock.two[w] = two + 1;
      clock.time[w] = begin + duration;
      if (!is_delay) clock.busy[w] += duration;
      clock.used[w] = 1;
    }
  }

  static void hold_back(std::span<const Wire> wires, Clock& clock) {
    double begin = 0;
    for (const Wire w : wires) begin = std::max(begin, clock.time[w]);
    for (const Wire w : wires) clock.time[w] = begin;
  }

  void flow(const Branch& branch, Clock& clock) {  // NOLINT(misc-no-recursion): as above
    Clock other = clock;
    block(branch.then_block, clock);
    if (branch.else_block == kNoBlock) return;
    block(branch.else_block, other);
    for (std::size_t w = 0; w < clock.depth.size(); ++w) {
      clock.depth[w] = std::max(clock.depth[w], other.depth[w]);
      clock.two[w] = std::max(clock.two[w], other.two[w]);
      clock.time[w] = std::max(clock.time[w], other.time[w]);
      clock.busy[w] = std::max(clock.busy[w], other.busy[w]);
      clock.used[w] = std::max(clock.used[w], other.used[w]);
    }
  }

  const Circuit& circuit_;
  const Target& target_;
  std::vector<Wire> all_;
  Estimate out_;
};

}  // namespace

Estimate estimate(const Circuit& circuit, const Target& target) {
  return Estimator(circuit, target).run();
}

}  // namespace skerry
