#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  const Complex even = expi(-params[0] / 2);
  const Complex odd = expi(params[0] / 2);
  assign(out, {even, 0, 0, 0,  //
               0, odd, 0, 0,   //
               0, 0, odd, 0,   //
               0, 0, 0, even});
}
constexpr InverseParam kInverseParams[] = {{0, -1.0}};

}  // namespace

constinit const GateRecord gate_rzz = {
    .op = Op::rzz,
    .name = "rzz",
    .structure = Structure::diagonal,
    .matrix = matrix,
    .spectra = kRotationSpectrum,
    .controlled_spectra = kControlledRotationSpectrum,
    .inverse_op = Op::rzz,
    .inverse_params = kInverseParams,
    .generator = "ZZ",
    .formula = "exp(-i θ/2 ZZ)",
    .source = "Qiskit circuit library, RZZGate",
};

}  // namespace skerry::ops
