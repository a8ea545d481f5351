#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {1, 0, 0, 0,  //
               0, 0, 0, 1,  //
               0, 1, 0, 0,  //
               0, 0, 1, 0});
}

}  // namespace

constinit const GateRecord gate_dcx = {
    .op = Op::dcx,
    .name = "dcx",
    .structure = Structure::permutation,
    .is_real = true,
    .matrix = matrix,
    .inverse_op = Op::dcx,
    .inverse_reverses_targets = true,
    .formula = "cx from first to second target, then from second to first",
    .source = "Qiskit circuit library, DCXGate",
};

}  // namespace skerry::ops
