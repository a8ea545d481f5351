#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2);
  const Complex s = -kI * std::sin(params[0] / 2);
  assign(out, {c, 0, s, 0,   //
               0, c, 0, -s,  //
               s, 0, c, 0,   //
               0, -s, 0, c});
}
constexpr InverseParam kInverseParams[] = {{0, -1.0}};

}  // namespace

constinit const GateRecord gate_rzx = {
    .op = Op::rzx,
    .name = "rzx",
    .matrix = matrix,
    .spectra = kRotationSpectrum,
    .controlled_spectra = kControlledRotationSpectrum,
    .inverse_op = Op::rzx,
    .inverse_params = kInverseParams,
    .generator = "ZX",
    .formula = "exp(-i θ/2 ZX), Z on the first target",
    .source = "Qiskit circuit library, RZXGate",
};

}  // namespace skerry::ops
