/// \file
/// For tests: the exact distribution of a small circuit's bits, by following every outcome of every measurement.
#pragma once

#include <complex>
#include <cstddef>
#include <map>
#include <skerry/circuit.hpp>
#include <skerry/error.hpp>
#include <string>
#include <utility>
#include <vector>

#include "ops/qubit/gate_record.hpp"

namespace skerry::frontend::testing {

using Complex = std::complex<double>;

/// Multiplies a state of 2^n amplitudes by a gate instruction.
inline void apply_gate(const Circuit& circuit, const Instruction& gate, std::vector<Complex>& state) {
  const std::vector<Complex> matrix = ops::instruction_matrix(circuit, gate);
  const auto targets = gate.targets();
  const std::size_t size = std::size_t{1} << targets.size();
  std::size_t control_mask = 0;
  std::size_t target_mask = 0;
  for (const Wire w : gate.control_wires()) control_mask |= std::size_t{1} << w;
  for (const Wire w : targets) target_mask |= std::size_t{1} << w;
  std::vector<std::size_t> offset(size);
  for (std::size_t k = 0; k < size; ++k)
    for (std::size_t t = 0; t < targets.size(); ++t) offset[k] |= ((k >> t) & 1U) << targets[t];
  std::vector<Complex> in(size);
  for (std::size_t base = 0; base < state.size(); ++base) {
    if ((base & target_mask) != 0 || (base & control_mask) != control_mask) continue;
    for (std::size_t k = 0; k < size; ++k) in[k] = state[base | offset[k]];
    for (std::size_t r = 0; r < size; ++r) {
      Complex sum = 0;
      for (std::size_t k = 0; k < size; ++k) sum += matrix[r * size + k] * in[k];
      state[base | offset[r]] = sum;
    }
  }
}

/// Runs a circuit without unbound parameters; loops are followed for as long as any branch has weight.
class DenseOracle {
 public:
  enum class Flow : std::uint8_t { next, leave, again, end };
  struct Branch {
    std::vector<Complex> state;  ///< not normalised: its weight is the probability of the branch
    std::vector<std::uint8_t> bits;
    std::vector<Scalar> variables;
    Flow flow = Flow::next;
  };

  explicit DenseOracle(const Circuit& circuit) : c_(circuit) {
    Branch start;
    start.state.resize(std::size_t{1} << circuit.num_wires());
    start.state[0] = 1;
    start.bits.resize(circuit.num_bits());
    for (const Variable& v : circuit.variables()) start.variables.push_back(Scalar::of(std::int64_t{0}).cast(v.type));
    branches_.push_back(std::move(start));
    run(0, branches_);
  }

  const std::vector<Branch>& branches() const { return branches_; }

  /// Probability of each final value of the bits, bit 0 rightmost.
  std::map<std::string, double> distribution() const {
    std::map<std::string, double> sums;
    for (const Branch& b : branches_) {
      std::string key;
      for (const std::uint8_t bit : b.bits) key.insert(key.begin(), bit != 0 ? '1' : '0');
      sums[key] += weight(b);
    }
    return sums;
  }

  static double weight(const Branch& b) {
    double sum = 0;
    for (const Complex& a : b.state) sum += std::norm(a);
    return sum;
  }

 private:
  static constexpr double kNothing = 1e-14;

  Scalar evaluate(ExprId id, const Branch& b) const { return c_.expressions().evaluate(id, {{}, b.variables, b.bits}); }

  void run(BlockId id, std::vector<Branch>& branches) {
    const Block& block = c_.blocks()[id];
    for (std::size_t i = 0; i < block.size(); ++i) {
      std::vector<Branch> next;
      for (Branch& b : branches) {
        if (b.flow != Flow::next)
          next.push_back(std::move(b));
        else
          step(block[i], std::move(b), next);
      }
      branches = std::move(next);
    }
  }

  void step(const Instruction& i, Branch b, std::vector<Branch>& out) {
    if (is_gate(i.op)) {
      apply_gate(c_, i, b.state);
    } else if (i.op == Op::measure || i.op == Op::reset) {
      return project(i, b, out);
    } else if (i.op == Op::assign) {
      assign(c_.assignments()[i.aux], b);
    } else if (i.op == Op::if_else) {
      const Branch_& branch = c_.branches()[i.aux];
      const BlockId taken = evaluate(branch.condition, b).as_bool() ? branch.then_block : branch.else_block;
      std::vector<Branch> inside;
      inside.push_back(std::move(b));
      if (taken != kNoBlock) run(taken, inside);
      for (Branch& r : inside) out.push_back(std::move(r));
      return;
    } else if (i.op == Op::while_loop) {
      return loop(c_.branches()[i.aux], std::move(b), out);
    } else if (i.op == Op::break_loop) {
      b.flow = Flow::leave;
    } else if (i.op == Op::continue_loop) {
      b.flow = Flow::again;
    } else if (i.op == Op::end) {
      b.flow = Flow::end;
    }
    out.push_back(std::move(b));
  }
  using Branch_ = skerry::Branch;

  void loop(const Branch_& branch, Branch b, std::vector<Branch>& out) {
    std::vector<Branch> running;
    running.push_back(std::move(b));
    while (!running.empty()) {
      std::vector<Branch> inside;
      for (Branch& r : running) {
        if (weight(r) < kNothing) continue;
        (evaluate(branch.condition, r).as_bool() ? inside : out).push_back(std::move(r));
      }
      run(branch.then_block, inside);
      running.clear();
      for (Branch& r : inside) {
        const bool stays = r.flow == Flow::next || r.flow == Flow::again;
        if (r.flow != Flow::end) r.flow = Flow::next;
        (stays ? running : out).push_back(std::move(r));
      }
    }
  }

  static void project(const Instruction& i, const Branch& b, std::vector<Branch>& out) {
    const std::size_t mask = std::size_t{1} << i.wires[0];
    for (const bool one : {false, true}) {
      Branch half = b;
      for (std::size_t k = 0; k < half.state.size(); ++k)
        if (((k & mask) != 0) != one) half.state[k] = 0;
      if (weight(half) < kNothing) continue;
      if (i.op == Op::measure) half.bits[i.aux] = one ? 1 : 0;
      if (i.op == Op::reset && one)
        for (std::size_t k = 0; k < half.state.size(); ++k)
          if ((k & mask) == 0) std::swap(half.state[k], half.state[k | mask]);
      out.push_back(std::move(half));
    }
  }

  void assign(const Assignment& a, Branch& b) const {
    const Scalar value = evaluate(a.value, b);
    if (!a.to_bits) {
      const auto index = a.index == kNoExpr ? 0U : static_cast<std::uint32_t>(evaluate(a.index, b).as_integer());
      b.variables[a.first + index] = value.cast(c_.variables()[a.first].type);
      return;
    }
    for (std::uint32_t k = 0; k < a.count; ++k)
      b.bits[a.first + k] = (static_cast<std::uint64_t>(value.as_integer()) >> k) & 1U;
  }

  const Circuit& c_;
  std::vector<Branch> branches_;
};

}  // namespace skerry::frontend::testing
