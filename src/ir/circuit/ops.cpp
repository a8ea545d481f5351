#include <array>
#include <skerry/circuit.hpp>
#include <unordered_map>

namespace skerry {
namespace {

struct OpRow {
  std::string_view name;
  int targets, parameters;
};
// The structural operations follow the gates in the order of enum Op; their operand counts are not fixed.
constexpr std::array kOps = {
#define SKERRY_GATE(name, targets, parameters) OpRow{#name, targets, parameters},
#include <skerry/gates.def>
#undef SKERRY_GATE
    OpRow{"unitary", 0, 0},    OpRow{"measure", 1, 0},    OpRow{"reset", 1, 0},         OpRow{"channel", 0, 0},
    OpRow{"barrier", 0, 0},    OpRow{"delay", 0, 1},      OpRow{"assign", 0, 0},        OpRow{"if_else", 0, 0},
    OpRow{"while_loop", 0, 0}, OpRow{"break_loop", 0, 0}, OpRow{"continue_loop", 0, 0}, OpRow{"end", 0, 0},
#define SKERRY_MODE_OP(name, modes, parameters) OpRow{#name, modes, parameters},
#include <skerry/modes.def>
#undef SKERRY_MODE_OP
};
static_assert(kOps.size() == kOpCount, "enum Op and its names differ in length");

}  // namespace

std::string_view op_name(Op op) noexcept {
  return kOps[static_cast<std::size_t>(op)].name;
}

std::optional<Op> op_from_name(std::string_view name) noexcept {
  static const auto* const index = [] {
    auto* map = new std::unordered_map<std::string_view, Op>;
    for (std::size_t i = 0; i < kOps.size(); ++i) map->emplace(kOps[i].name, static_cast<Op>(i));
    return map;
  }();
  const auto found = index->find(name);
  if (found == index->end()) return std::nullopt;
  return found->second;
}

int gate_targets(Op op) noexcept {
  return kOps[static_cast<std::size_t>(op)].targets;
}
int gate_parameters(Op op) noexcept {
  return kOps[static_cast<std::size_t>(op)].parameters;
}

bool acts_on_modes(const Circuit& circuit) noexcept {
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const Op op = circuit.body()[i].op;
    if (is_mode_op(op)) return true;
    if (is_gate(op) || op == Op::measure || op == Op::reset) return false;
  }
  return false;
}

}  // namespace skerry
