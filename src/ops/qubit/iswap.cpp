#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {1, 0, 0, 0,   //
               0, 0, kI, 0,  //
               0, kI, 0, 0,  //
               0, 0, 0, 1});
}
constexpr InverseParam kInverseParams[] = {{-1, std::numbers::pi}, {-1, 0.0}};

}  // namespace

constinit const GateRecord gate_iswap = {
    .op = Op::iswap,
    .name = "iswap",
    .structure = Structure::permutation,
    .matrix = matrix,
    .inverse_op = Op::xx_plus_yy,
    .inverse_params = kInverseParams,
    .formula = "exp(i π/4 (XX + YY))",
    .source = "Qiskit circuit library, iSwapGate",
};

}  // namespace skerry::ops
