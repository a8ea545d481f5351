#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <skerry/schedule.hpp>
#include <string>
#include <vector>

#include "ir/circuit/uses.hpp"
#include "passes/native/basis.hpp"
#include "passes/native/euler.hpp"
#include "passes/native/spelling.hpp"

namespace skerry {
namespace passes::native {
namespace {

// Shorter waits are rounding of the sums of durations.
constexpr double kLeastSeconds = 1e-15;

// A pulse in the gates of the device.
struct Pulse {
  std::vector<Spelled> gates;
  double phase = 0;
};

bool ends_a_stretch(Op op) {
  return op == Op::if_else || op == Op::while_loop || op == Op::break_loop || op == Op::continue_loop ||
         op == Op::end || op == Op::assign;
}

class Scheduler {
 public:
  Scheduler(const Circuit& circuit, const Target& target, const ScheduleOptions& options)
      : circuit_(circuit), target_(target), options_(options), used_(ir::used_wires(circuit)) {
    if (options.decoupling == Decoupling::none) return;
    const Basis basis(target.basis);
    const U2 y{{0, {0, -1}, {0, 1}, 0}};
    for (const U2& matrix : {x_matrix(), y}) {
      Pulse pulse;
      pulse.phase = basis.spell(matrix, pulse.gates);
      pulses_.push_back(std::move(pulse));
    }
  }

  Schedule run() {
    out_.circuit = circuit_;
    for (BlockId id = 0; id < circuit_.blocks().size(); ++id) block(id);
    return std::move(out_);
  }

 private:
  void block(BlockId id) {
    const Block& from = circuit_.blocks()[id];
    Block into;
    into.reserve(2 * from.size(), 3 * from.size(), 2 * from.size());
    phase_ = 0;
    // Wires of the body begin in |0>; what a block inside another finds, nobody knows.
    alive_.assign(circuit_.num_wires(), id == 0 ? 0 : 1);
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= from.size(); ++i) {
      if (i < from.size() && !ends_a_stretch(from[i].op)) continue;
      stretch(from, begin, i, id == 0 && i == from.size(), into);
      if (i < from.size()) into.append(from[i]);
      begin = i + 1;
      if (i < from.size() && from[i].op != Op::assign) std::ranges::fill(alive_, 1);
    }
    phase_ = std::remainder(phase_, 2 * std::numbers::pi);
    if (std::abs(phase_) > 1e-12) into.append(Op::gphase, {}, std::array{Param{phase_}});
    out_.circuit.replace_block(id, std::move(into));
  }

  double duration(const Instruction& at) const {
    if (at.op == Op::barrier) return 0;
    if (at.op == Op::delay) return at.params[0].is_constant() ? at.params[0].value : 0;
    return target_.duration_seconds(spelling(at), {at.wires.begin(), at.wires.end()});
  }

  // Instructions [begin, end) from one moment at which all wires are together to the next.
  void stretch(const Block& from, std::size_t begin, std::size_t end, bool is_last, Block& into) {
    const std::vector<double> starts = start_times(from, begin, end);
    std::vector<double> free(circuit_.num_wires(), 0.0);
    for (std::size_t i = begin; i < end; ++i) {
      const Instruction at = from[i];
      const double start = starts[i - begin];
      if (at.op != Op::barrier || !at.wires.empty()) {
        for (const Wire wire : at.wires) {
          wait(wire, start - free[wire], into);
          free[wire] = start + duration(at);
        }
      } else {
        for (Wire wire = 0; wire < used_.size(); ++wire) {
          if (used_[wire] == 0) continue;
          wait(wire, start - free[wire], into);
          free[wire] = start;
        }
      }
      into.append(at);
      if (at.op == Op::barrier || at.op == Op::delay) continue;
      for (const Wire wire : at.wires) alive_[wire] = is_gate(at.op) ? 1 : 0;
    }
    for (Wire wire = 0; wire < used_.size(); ++wire) {
      // Nothing happens any more to a wire that was measured last.
      if (used_[wire] != 0 && !(is_last && alive_[wire] == 0)) wait(wire, total_ - free[wire], into);
    }
  }

  // Fills total_. As late as possible is as soon as possible with the time running backwards.
  std::vector<double> start_times(const Block& from, std::size_t begin, std::size_t end) {
    std::vector<double> times(end - begin), free(circuit_.num_wires(), 0.0), written(circuit_.num_bits(), 0.0);
    const bool late = options_.alignment == Alignment::alap;
    total_ = 0;
    for (std::size_t k = 0; k < times.size(); ++k) {
      const std::size_t i = late ? times.size() - 1 - k : k;
      const Instruction at = from[begin + i];
      const bool all = at.op == Op::barrier && at.wires.empty();
      double time = 0;
      if (all) {
        time = total_;
        std::ranges::fill(free, time);
      } else {
        for (const Wire wire : at.wires) time = std::max(time, free[wire]);
        if (at.op == Op::measure) time = std::max(time, written[at.aux]);  // two into one bit keep their order
        for (const Wire wire : at.wires) free[wire] = time + duration(at);
        if (at.op == Op::measure) written[at.aux] = time + duration(at);
      }
      times[i] = time;
      if (!at.wires.empty()) total_ = std::max(total_, time + duration(at));
    }
    if (!late) return times;
    for (std::size_t i = 0; i < times.size(); ++i) {
      times[i] = std::max(0.0, total_ - times[i] - duration(from[begin + i]));
    }
    return times;
  }

  void delay(Wire wire, double seconds, Block& into) {
    if (seconds <= kLeastSeconds) return;
    into.append(Op::delay, std::array{wire}, std::array{Param{seconds}});
    out_.idle_seconds += seconds;
  }

  double pulse_seconds(const Pulse& pulse, Wire wire) const {
    double seconds = 0;
    for (const Spelled& gate : pulse.gates) seconds += target_.duration_seconds(op_name(gate.op), {wire});
    return seconds;
  }

  void wait(Wire wire, double seconds, Block& into) {
    if (seconds <= kLeastSeconds) return;
    if (alive_[wire] == 0 || pulses_.empty()) return delay(wire, seconds, into);
    const std::size_t count = options_.decoupling == Decoupling::x2 ? 2 : 4;
    double taken = 0;
    for (std::size_t k = 0; k < count; ++k) taken += pulse_seconds(pulse(k), wire);
    if (seconds < 2 * taken) return delay(wire, seconds, into);
    const double gap = (seconds - taken) / static_cast<double>(count);
    for (std::size_t k = 0; k < count; ++k) {
      delay(wire, k == 0 ? gap / 2 : gap, into);
      for (const Spelled& gate : pulse(k).gates) {
        std::array<Param, 3> params;
        for (std::size_t p = 0; p < gate.params; ++p) params[p] = {gate.values[p]};
        into.append(gate.op, std::array{wire}, std::span(params).first(gate.params), gate.controls);
      }
      phase_ += pulse(k).phase;
    }
    delay(wire, gap / 2, into);
    // X Y X Y is -1, X X is 1.
    if (count == 4) phase_ += std::numbers::pi;
    out_.pulses += count;
  }

  const Pulse& pulse(std::size_t k) const { return pulses_[options_.decoupling == Decoupling::x2 ? 0 : k % 2]; }

  const Circuit& circuit_;
  const Target& target_;
  ScheduleOptions options_;
  std::vector<std::uint8_t> used_, alive_;
  std::vector<Pulse> pulses_;  ///< X, Y
  Schedule out_;
  double total_ = 0, phase_ = 0;
};

}  // namespace
}  // namespace passes::native

Alignment alignment_from_name(std::string_view name) {
  if (name == "asap") return Alignment::asap;
  if (name == "alap") return Alignment::alap;
  throw Error(ErrorCode::invalid_argument, "unknown schedule '" + std::string(name) + "'", {}, "use asap or alap");
}

Decoupling decoupling_from_name(std::string_view name) {
  if (name == "none") return Decoupling::none;
  if (name == "x2") return Decoupling::x2;
  if (name == "xy4") return Decoupling::xy4;
  throw Error(ErrorCode::invalid_argument, "unknown decoupling '" + std::string(name) + "'", {}, "use none, x2 or xy4");
}

Schedule schedule(const Circuit& circuit, const Target& target, const ScheduleOptions& options) {
  return passes::native::Scheduler(circuit, target, options).run();
}

}  // namespace skerry
