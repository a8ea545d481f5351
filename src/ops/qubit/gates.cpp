#include <algorithm>
#include <array>
#include <skerry/error.hpp>
#include <string>
#include <vector>

#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

constexpr std::array<const GateRecord*, kGateCount> kRecords = {
#define SKERRY_GATE(name, targets, parameters) &gate_##name,
#include <skerry/gates.def>
#undef SKERRY_GATE
};

struct GateShape {
  int targets, parameters;
};
constexpr std::array<GateShape, kGateCount> kShapes = {{
#define SKERRY_GATE(name, targets, parameters) {targets, parameters},
#include <skerry/gates.def>
#undef SKERRY_GATE
}};

/// No spelling is longer, so nothing longer is compared or copied.
constexpr std::size_t kMaxSpelling = 32;

struct Spelling {
  std::string_view text;
  GateName gate;
};

/// Every spelling of every record, sorted.
const std::vector<Spelling>& spellings() {
  static const std::vector<Spelling> all = [] {
    std::vector<Spelling> list;
    for (const GateRecord* record : kRecords) {
      list.push_back({record->name, {record->op}});
      for (auto alias : record->aliases) list.push_back({alias, {record->op}});
      for (std::size_t i = 0; i < record->controlled.size(); ++i) {
        if (!record->controlled[i].empty())
          list.push_back({record->controlled[i], {record->op, static_cast<std::uint16_t>(i + 1)}});
      }
      for (const auto& alias : record->controlled_aliases)
        list.push_back({alias.spelling, {record->op, alias.controls}});
    }
    std::ranges::sort(list, {}, &Spelling::text);
    return list;
  }();
  return all;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

/// Levenshtein distance of two short words.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::size_t, kMaxSpelling + 1> row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

double constant_param(const Instruction& instruction, std::size_t i) {
  const Param& param = instruction.params[i];
  if (!param.is_constant()) {
    throw Error(ErrorCode::invalid_argument,
                "parameter " + std::to_string(i) + " of " + std::string(gate_record(instruction.op).name) +
                    " is symbolic, so it has no matrix",
                {}, "bind the circuit's parameters first");
  }
  return param.value;
}

}  // namespace

const GateRecord& gate_record(Op op) {
  return *kRecords[static_cast<std::size_t>(op)];
}

void gate_derivative(const GateRecord& record, std::span<const double> params, int which, std::span<Complex> out) {
  if (record.derivative != nullptr) return record.derivative(params, which, out);
  const std::array shifted = {params[0] + std::numbers::pi};
  record.matrix(shifted, out);
  for (Complex& entry : out) entry *= 0.5;
}

std::optional<GateName> find_gate(std::string_view spelling) {
  if (spelling.size() > kMaxSpelling) return std::nullopt;
  const std::string key = lower(spelling);
  const auto& all = spellings();
  const auto found = std::ranges::lower_bound(all, std::string_view(key), {}, &Spelling::text);
  if (found == all.end() || found->text != key) return std::nullopt;
  return found->gate;
}

std::string_view nearest_gate_name(std::string_view spelling) {
  if (spelling.size() > kMaxSpelling) return {};
  const std::string key = lower(spelling);
  std::string_view nearest;
  std::size_t best = 3;
  for (const Spelling& candidate : spellings()) {
    const std::size_t distance = edit_distance(key, candidate.text);
    // A word of which every letter would change is not a misspelling.
    if (distance < best && distance < std::min(key.size(), candidate.text.size())) {
      best = distance;
      nearest = candidate.text;
    }
  }
  return nearest;
}

std::vector<Complex> instruction_matrix(const Circuit& circuit, const Instruction& instruction) {
  if (instruction.op == Op::unitary) return circuit.matrices()[instruction.aux].values;
  const auto [targets, parameters] = kShapes[static_cast<std::size_t>(instruction.op)];
  std::array<double, 3> params{};
  for (std::size_t i = 0; i < static_cast<std::size_t>(parameters); ++i) params[i] = constant_param(instruction, i);
  const std::size_t rows = std::size_t{1} << targets;
  std::vector<Complex> matrix(rows * rows);
  gate_record(instruction.op).matrix(std::span(params).first(static_cast<std::size_t>(parameters)), matrix);
  return matrix;
}

}  // namespace skerry::ops
