#include "passes/native/unroll.hpp"

#include <algorithm>
#include <numeric>
#include <skerry/error.hpp>
#include <string>

#include "ops/qubit/gate_record.hpp"
#include "passes/native/controlled.hpp"
#include "passes/native/euler.hpp"
#include "passes/native/kak.hpp"

namespace skerry::passes::native {
namespace {

bool leaves_the_block(Op op) {
  return op == Op::break_loop || op == Op::continue_loop || op == Op::end;
}

class Unroller {
 public:
  Unroller(Circuit& circuit, BlockId block, std::vector<Wire>& places, const UnrollOptions& options)
      : circuit_(circuit),
        block_(circuit.blocks()[block]),
        places_(places),
        options_(options),
        writer_(circuit.num_wires()),
        gates_(writer_, circuit.expressions(), circuit.num_wires(), options.last_first) {
    writer_.reserve(block_.size() + block_.size() / 4);
  }

  Flat run() {  // NOLINT(misc-no-recursion): blocks nest at most ir::kMaxNesting deep
    for (std::size_t i = 0; i < block_.size(); ++i) {
      const Instruction at = block_[i];
      wires_.assign(at.wires.begin(), at.wires.end());
      for (Wire& wire : wires_) wire = places_[wire];
      if (!is_gate(at.op)) {
        other(at);
      } else if (at.op == Op::x && at.controls == 1) {
        writer_.cx(wires_[0], wires_[1]);
      } else if (at.op == Op::swap && at.controls == 0 && options_.rename_swaps) {
        std::swap(places_[at.wires[0]], places_[at.wires[1]]);
      } else if (at.controls == 0 && wires_.size() == 1 && at.op != Op::unitary && constant(at)) {
        writer_.one(wires_[0], one_wire_matrix(at));
      } else {
        gate(at, i);
      }
    }
    return writer_.finish();
  }

 private:
  static bool constant(const Instruction& at) {
    return std::ranges::all_of(at.params, [](const Param& p) { return p.is_constant(); });
  }

  // The record writes into our array: nothing is allocated for the gates of which there are most.
  static U2 one_wire_matrix(const Instruction& at) {
    std::array<double, 3> params{};
    for (std::size_t i = 0; i < at.params.size(); ++i) params[i] = at.params[i].value;
    U2 out;
    ops::gate_record(at.op).matrix(std::span(params).first(at.params.size()), out.m);
    return out;
  }

  void gate(const Instruction& at, std::size_t position) {
    const std::span<const Wire> controls = std::span(wires_).first(at.controls);
    const std::span<const Wire> targets = std::span(wires_).subspan(at.controls);
    if (at.op == Op::unitary && targets.size() > 2) {
      throw Error(ErrorCode::unsupported,
                  "a matrix on " + std::to_string(targets.size()) + " wires has no decomposition for a device",
                  "gate " + std::to_string(position), "give it as gates, or as matrices on one or two wires");
    }
    if (targets.size() == 1 && constant(at)) {
      U2 matrix;
      const auto values = ops::instruction_matrix(circuit_, at);
      std::ranges::copy(values, matrix.m.begin());
      gates_.one(controls, targets[0], matrix);
    } else if (targets.size() == 2 && controls.empty() && constant(at) && wants_synthesis(at.op)) {
      U4 matrix;
      const auto values = ops::instruction_matrix(circuit_, at);
      std::ranges::copy(values, matrix.m.begin());
      gates_.two(targets[0], targets[1], matrix);
    } else if (at.op == Op::unitary) {
      throw Error(ErrorCode::unsupported, "a controlled matrix on two wires has no decomposition for a device",
                  "gate " + std::to_string(position), "give the controlled gate as one matrix, or as gates");
    } else {
      gates_.named(at.op, controls, targets, at.params);
    }
  }

  // What needs fewer CX than its Pauli rotations one by one.
  static bool wants_synthesis(Op op) {
    return op == Op::unitary || op == Op::iswap || op == Op::ecr || op == Op::xx_plus_yy || op == Op::xx_minus_yy;
  }

  void other(const Instruction& at) {  // NOLINT(misc-no-recursion): as above
    if (at.op == Op::channel) {
      throw Error(ErrorCode::unsupported, "a channel has no form in a device's gates", {},
                  "give the noise as a noise model");
    }
    Other made{.op = at.op, .aux = at.aux, .wires = wires_, .params = {at.params.begin(), at.params.end()}};
    if (leaves_the_block(at.op) || (at.op == Op::barrier && wires_.empty())) made.wires = all_wires();
    if (at.op == Op::if_else || at.op == Op::while_loop) {
      const Branch branch = circuit_.branches()[at.aux];
      const UnrollOptions inside{.rename_swaps = false, .last_first = options_.last_first};
      for (const BlockId body : {branch.then_block, branch.else_block}) {
        if (body != kNoBlock) made.bodies.push_back(Unroller(circuit_, body, places_, inside).run());
      }
      made.wires = touched(made.bodies);
    }
    writer_.other(std::move(made));
  }

  std::vector<Wire> all_wires() const {
    std::vector<Wire> all(circuit_.num_wires());
    std::iota(all.begin(), all.end(), 0U);
    return all;
  }

  std::vector<Wire> touched(const std::vector<Flat>& bodies) const {
    std::vector<std::uint8_t> seen(circuit_.num_wires(), 0);
    for (const Flat& body : bodies) {
      for (const Gate& gate : body.gates) {
        if (gate.kind == Kind::other) {
          for (const Wire wire : body.others[gate.index].wires) seen[wire] = 1;
        } else {
          seen[gate.a] = 1;
          seen[gate.b] = 1;
        }
      }
    }
    std::vector<Wire> wires;
    for (Wire wire = 0; wire < seen.size(); ++wire) {
      if (seen[wire] != 0) wires.push_back(wire);
    }
    return wires;
  }

  Circuit& circuit_;
  const Block& block_;  // only expressions of the circuit grow meanwhile
  std::vector<Wire>& places_;
  UnrollOptions options_;
  std::vector<Wire> wires_;
  FlatWriter writer_;
  ControlledGates gates_;
};

}  // namespace

Flat unroll(Circuit& circuit, const UnrollOptions& options) {
  std::vector<Wire> places(circuit.num_wires());
  std::iota(places.begin(), places.end(), 0U);
  Flat flat = Unroller(circuit, 0, places, options).run();
  flat.places = std::move(places);
  return flat;
}

}  // namespace skerry::passes::native
