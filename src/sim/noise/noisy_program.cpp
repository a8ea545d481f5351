#include "sim/noise/noisy_program.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include "sim/state/questions.hpp"

namespace skerry::sim {
namespace {

/// What is drawn or told at once has at most 2^this entries.
constexpr std::size_t kMaxTableBits = 26;

void place_wires(NoisyProgram& program) {
  const Circuit& circuit = program.noisy.circuit;
  std::vector<bool> touched(circuit.num_wires(), program.options.initial_state.has_value());
  for (const Block& block : circuit.blocks()) {
    for (std::size_t i = 0; i < block.size(); ++i) {
      if (!is_gate(block[i].op)) continue;
      for (const Wire wire : block[i].wires) touched[wire] = true;
    }
  }
  program.places.assign(circuit.num_wires(), kIdle);
  for (Wire wire = 0; wire < circuit.num_wires(); ++wire)
    if (touched[wire]) program.places[wire] = static_cast<std::uint32_t>(program.wires++);
}

void list_measures(NoisyProgram& program) {
  const Circuit& circuit = program.noisy.circuit;
  const OutcomeBits bits = choose_outcome_bits(circuit, program.options.shots != 0, program.code);
  program.outcome_bits = bits.outcome;
  program.classical_bits = bits.classical;
  const auto& steps = program.code.steps;
  for (std::uint32_t i = 0; i < steps.size(); ++i) {
    if (steps[i].kind != StepKind::measure) continue;
    const Wire wire = steps[i].a;
    if (i < program.code.tail)
      ++program.measures_midway;
    else if (program.places[wire] != kIdle || program.noisy.readout[wire] != Confusion{1, 0, 0, 1})
      program.tail_measures.push_back({i, wire});
  }
}

std::optional<std::string> choose_distribution(const Circuit& circuit, NoisyProgram& program) {
  const RunOptions& options = program.options;
  if (program.tail_measures.size() > kMaxTableBits)
    return std::to_string(program.tail_measures.size()) + " wires are measured at the end, more than " +
           std::to_string(kMaxTableBits);
  if (!options.want_probabilities) return std::nullopt;
  DistributionSubject subject = distribution_subject(circuit, options, program.code);
  program.bits_distribution = subject.is_bits;
  program.distribution_wires = std::move(subject.wires);
  return refuse_distribution(subject.size, subject.is_bits, kMaxTableBits);
}

}  // namespace

std::uint64_t NoisyProgram::distribution_bytes() const noexcept {
  if (!options.want_probabilities) return 0;
  return sizeof(double) << (bits_distribution ? outcome_bits : distribution_wires.size());
}

Classical NoisyProgram::after_tail(const ClassicalUnit& unit, const Classical& entry, std::uint32_t pc,
                                   std::uint64_t recorded, const RunControl& control) const {
  Classical values = entry;
  std::size_t next = 0;
  while (pc < code.steps.size()) {
    const Step& step = code.steps[pc];
    if (step.kind != StepKind::measure) {
      pc = unit.step(pc, values, control);
      continue;
    }
    // Usually the next of the list; jumps leave some out.
    while (next < tail_measures.size() && tail_measures[next].step < pc) ++next;
    const bool drawn = next < tail_measures.size() && tail_measures[next].step == pc;
    values.bits[step.b] = static_cast<std::uint8_t>(drawn ? recorded >> next & 1 : 0);
    ++pc;
  }
  return values;
}

void NoisyProgram::outcome(const Classical& values, std::span<std::uint64_t> out) const {
  for (std::uint32_t bit = 0; bit < outcome_bits; ++bit) out[bit / 64] |= std::uint64_t{values.bits[bit]} << (bit % 64);
}

void NoisyProgram::misread(std::span<const Wire> wires, std::span<double> table) const {
  if (!noisy.has_readout) return;
  for (std::size_t j = 0; j < wires.size(); ++j) {
    const Confusion& p = noisy.readout[wires[j]];
    const std::size_t stride = std::size_t{1} << j;
    for (std::size_t i = 0; i < table.size(); ++i) {
      if ((i & stride) != 0) continue;
      const double zero = table[i], one = table[i | stride];
      table[i] = p[0] * zero + p[2] * one;
      table[i | stride] = p[1] * zero + p[3] * one;
    }
  }
}

Expected<NoisyProgram> make_noisy_program(const Circuit& circuit, const RunOptions& options) {
  check_questions(options, circuit.num_wires());
  NoisyProgram program;
  program.noisy = attach(circuit, options.noise.get());
  program.options = options;
  program.options.want_memory = options.want_memory && options.shots != 0;
  if (options.limits.leave) program.given = circuit;
  program.code = flatten(program.noisy.circuit, true);
  place_wires(program);
  list_measures(program);
  if (auto reason = choose_distribution(circuit, program)) return Unexpected{*reason};
  return program;
}

}  // namespace skerry::sim
