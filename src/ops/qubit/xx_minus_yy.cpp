#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2);
  const Complex s = -kI * std::sin(params[0] / 2);
  assign(out, {c, 0, 0, s * expi(-params[1]),  //
               0, 1, 0, 0,                     //
               0, 0, 1, 0,                     //
               s * expi(params[1]), 0, 0, c});
}
constexpr std::string_view kAliases[] = {"xxminusyy"};
constexpr InverseParam kInverseParams[] = {{0, -1.0}, {1, 1.0}};

}  // namespace

constinit const GateRecord gate_xx_minus_yy = {
    .op = Op::xx_minus_yy,
    .name = "xx_minus_yy",
    .aliases = kAliases,
    .matrix = matrix,
    .inverse_op = Op::xx_minus_yy,
    .inverse_params = kInverseParams,
    .formula = "rz(-β) on second, exp(-i θ/4 (XX - YY)), rz(β) on second",
    .source = "Qiskit circuit library, XXMinusYYGate",
};

}  // namespace skerry::ops
