#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  const Complex a = kSqrtHalf;
  const Complex b = kI * kSqrtHalf;
  assign(out, {0, a, 0, b,   //
               a, 0, -b, 0,  //
               0, b, 0, a,   //
               -b, 0, a, 0});
}

}  // namespace

constinit const GateRecord gate_ecr = {
    .op = Op::ecr,
    .name = "ecr",
    .is_hermitian = true,
    .matrix = matrix,
    .inverse_op = Op::ecr,
    .formula = "(IX - XY)/√2, letters from last target to first",
    .source = "Qiskit circuit library, ECRGate",
};

}  // namespace skerry::ops
