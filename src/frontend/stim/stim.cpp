/// \file
/// Stim circuits as an importer: those that are programs without noise become a Circuit, one bit a measurement.
#include <skerry/error.hpp>

#include "frontend/frontend.hpp"
#include "frontend/stim/reader.hpp"

namespace skerry::frontend {
namespace {

bool sniff_stim(const Source& source) {
  return stim::looks_like_stim(source.text());
}

/// Applies a gate if a bit is 1.
void append_feedback(Circuit& circuit, const StabilizerStep& step) {
  const ExprId condition = circuit.expressions().leaf(ExprOp::bit, step.b, {});
  const BlockId then_block = circuit.open_block();
  circuit.append(step.op == StabilizerOp::x_if ? Op::x : Op::z, {step.a});
  circuit.close_block();
  circuit.if_else(condition, then_block);
}

void append_step(Circuit& circuit, const StabilizerStep& step, const std::string& name) {
  switch (step.op) {
    case StabilizerOp::h:
      circuit.h(step.a);
      return;
    case StabilizerOp::s:
      circuit.s(step.a);
      return;
    case StabilizerOp::x:
      circuit.x(step.a);
      return;
    case StabilizerOp::y:
      circuit.y(step.a);
      return;
    case StabilizerOp::z:
      circuit.z(step.a);
      return;
    case StabilizerOp::cx:
      circuit.cx(step.a, step.b);
      return;
    case StabilizerOp::cz:
      circuit.cz(step.a, step.b);
      return;
    case StabilizerOp::swap:
      circuit.swap(step.a, step.b);
      return;
    case StabilizerOp::measure:
      circuit.measure(step.a, step.b);
      return;
    case StabilizerOp::reset:
      circuit.reset(step.a);
      return;
    case StabilizerOp::x_if:
    case StabilizerOp::z_if:
      append_feedback(circuit, step);
      return;
    case StabilizerOp::invert_record: {
      auto& pool = circuit.expressions();
      const ExprId inverted = pool.unary(ExprOp::logical_not, pool.leaf(ExprOp::bit, step.b, {}));
      circuit.assign({.to_bits = true, .first = step.b, .count = 1, .index = kNoExpr, .value = inverted});
      return;
    }
    case StabilizerOp::noise1:
    case StabilizerOp::noise2:
    case StabilizerOp::noise_record:
      throw Error(ErrorCode::unsupported, "the circuit has noise", name,
                  "sample it with skerry run or skerry.stabilizer, which know noise and detectors");
  }
}

Imported import_stim(const Source& source, const ImportLimits& limits) {
  const StabilizerCircuit read = stim::read_stim(source.text(), limits, source.name);
  Circuit circuit(read.num_qubits(), read.num_measurements());
  for (const StabilizerStep& step : read.steps()) append_step(circuit, step, source.name);
  return circuit;
}

}  // namespace

extern const Frontend stim_frontend;
const Frontend stim_frontend = {"stim", "a stim circuit", sniff_stim, import_stim};

}  // namespace skerry::frontend
