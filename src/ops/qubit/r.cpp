#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2);
  const Complex s = -kI * std::sin(params[0] / 2);
  assign(out, {c, s * expi(-params[1]), s * expi(params[1]), c});
}
constexpr std::string_view kAliases[] = {"prx"};
constexpr InverseParam kInverseParams[] = {{0, -1.0}, {1, 1.0}};

}  // namespace

constinit const GateRecord gate_r = {
    .op = Op::r,
    .name = "r",
    .aliases = kAliases,
    .matrix = matrix,
    .inverse_op = Op::r,
    .inverse_params = kInverseParams,
    .formula = "exp(-i θ/2 (cos φ X + sin φ Y))",
    .source = "Qiskit circuit library, RGate",
};

}  // namespace skerry::ops
