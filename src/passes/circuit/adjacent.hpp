/// \file
/// Walks a circuit for pairs of gates that meet: the same wires in the same order and nothing between them on any.
#pragma once

#include <algorithm>
#include <array>
#include <skerry/circuit.hpp>
#include <vector>

namespace skerry::passes {

/// What to do with a gate `second` that meets `first`.
struct Meeting {
  enum class Action : std::uint8_t { keep, drop_both, merge };
  Action action = Action::keep;
  std::vector<Param> merged;  ///< parameters of the one gate that stays, an instruction like `first`
};

/// decide(circuit, first, second) is asked for gates with the same op, or another op, on equal wires and controls.
/// After drop_both or merge the neighbours before are looked at again, so nested pairs vanish in one walk.
/// O(instructions).
template <class Decide>
Circuit rewrite_adjacent(const Circuit& input, Decide decide);

namespace detail {

inline constexpr std::size_t kNone = static_cast<std::size_t>(-1);

struct Row {
  Instruction view;
  std::vector<Param> params;  ///< when changed
  bool changed = false, dropped = false;
  Instruction current() const {
    Instruction instruction = view;
    if (changed) instruction.params = params;
    return instruction;
  }
};

// Per wire, the instructions still standing, newest last.
class Fronts {
 public:
  explicit Fronts(std::uint32_t wires) : stacks_(wires) {}
  /// The one instruction that is newest on all of these wires, kNone if there is none.
  std::size_t common(std::span<const Wire> wires) const {
    std::size_t found = kNone;
    for (const Wire wire : wires) {
      const auto& stack = stacks_[wire];
      if (stack.empty() || (found != kNone && stack.back() != found)) return kNone;
      found = stack.back();
    }
    return found;
  }
  void push(std::span<const Wire> wires, std::size_t index) {
    for (const Wire wire : wires) stacks_[wire].push_back(index);
  }
  void pop(std::span<const Wire> wires) {
    for (const Wire wire : wires) stacks_[wire].pop_back();
  }
  void clear() {
    for (auto& stack : stacks_) stack.clear();
  }

 private:
  std::vector<std::vector<std::size_t>> stacks_;
};

inline bool is_fence(const Instruction& instruction) {
  constexpr std::array kFlow = {Op::if_else, Op::while_loop, Op::break_loop, Op::continue_loop, Op::end};
  if (instruction.op == Op::barrier) return instruction.wires.empty();
  return std::ranges::find(kFlow, instruction.op) != kFlow.end();
}

inline bool same_place(const Instruction& a, const Instruction& b) {
  return a.controls == b.controls && std::equal(a.wires.begin(), a.wires.end(), b.wires.begin(), b.wires.end());
}

}  // namespace detail

template <class Decide>
Circuit rewrite_adjacent(const Circuit& input, Decide decide) {
  Circuit output = input;
  detail::Fronts fronts(input.num_wires());
  for (BlockId id = 0; id < input.blocks().size(); ++id) {
    const Block& block = input.blocks()[id];
    std::vector<detail::Row> rows(block.size());
    bool any = false;
    fronts.clear();
    for (std::size_t i = 0; i < block.size(); ++i) {
      rows[i].view = block[i];
      const Instruction& second = rows[i].view;
      if (detail::is_fence(second)) {
        fronts.clear();
        continue;
      }
      const std::size_t met = is_gate(second.op) ? fronts.common(second.wires) : detail::kNone;
      if (met != detail::kNone && is_gate(rows[met].view.op) && detail::same_place(rows[met].view, second)) {
        Meeting meeting = decide(output, rows[met].current(), second);
        if (meeting.action != Meeting::Action::keep) {
          any = rows[i].dropped = true;
          if (meeting.action == Meeting::Action::merge) {
            rows[met].params = std::move(meeting.merged);
            rows[met].changed = true;
          } else {
            rows[met].dropped = true;
            fronts.pop(second.wires);
          }
          continue;
        }
      }
      fronts.push(second.wires, i);
    }
    if (!any) continue;
    Block rewritten;
    rewritten.reserve(block.size(), 0, 0);
    for (const detail::Row& row : rows) {
      if (!row.dropped) rewritten.append(row.current());
    }
    output.replace_block(id, std::move(rewritten));
  }
  return output;
}

}  // namespace skerry::passes
