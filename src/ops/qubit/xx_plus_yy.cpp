#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2);
  const Complex s = -kI * std::sin(params[0] / 2);
  assign(out, {1, 0, 0, 0,                     //
               0, c, s * expi(-params[1]), 0,  //
               0, s * expi(params[1]), c, 0,   //
               0, 0, 0, 1});
}
void derivative(std::span<const double> params, int which, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2) / 2;
  const double s = std::sin(params[0] / 2);
  const Complex phase = expi(params[1]);
  const bool angle = which == 0;
  const double stays = angle ? -s / 2 : 0.0;
  const Complex up = angle ? -kI * c * std::conj(phase) : -s * std::conj(phase);
  const Complex down = angle ? -kI * c * phase : s * phase;
  assign(out, {0, 0, 0, 0,         //
               0, stays, up, 0,    //
               0, down, stays, 0,  //
               0, 0, 0, 0});
}
constexpr Spectrum kSpectra[] = {{0.5, 2}, {1.0, 2}};
constexpr std::string_view kAliases[] = {"xxplusyy"};
constexpr InverseParam kInverseParams[] = {{0, -1.0}, {1, 1.0}};

}  // namespace

constinit const GateRecord gate_xx_plus_yy = {
    .op = Op::xx_plus_yy,
    .name = "xx_plus_yy",
    .aliases = kAliases,
    .matrix = matrix,
    .derivative = derivative,
    .spectra = kSpectra,
    .controlled_spectra = kSpectra,
    .inverse_op = Op::xx_plus_yy,
    .inverse_params = kInverseParams,
    .formula = "rz(-β) on first, exp(-i θ/4 (XX + YY)), rz(β) on first",
    .source = "Qiskit circuit library, XXPlusYYGate",
};

}  // namespace skerry::ops
