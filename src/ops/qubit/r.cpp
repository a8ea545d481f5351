#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2);
  const Complex s = -kI * std::sin(params[0] / 2);
  assign(out, {c, s * expi(-params[1]), s * expi(params[1]), c});
}
void derivative(std::span<const double> params, int which, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2) / 2;
  const double s = std::sin(params[0] / 2);
  if (which == 0) return assign(out, {-s / 2, -kI * c * expi(-params[1]), -kI * c * expi(params[1]), -s / 2});
  assign(out, {0, -s * expi(-params[1]), s * expi(params[1]), 0});
}
constexpr Spectrum kSpectra[] = {{1.0, 1}, {1.0, 2}};
constexpr Spectrum kControlledSpectra[] = {{0.5, 2}, {1.0, 2}};
constexpr std::string_view kAliases[] = {"prx"};
constexpr InverseParam kInverseParams[] = {{0, -1.0}, {1, 1.0}};

}  // namespace

constinit const GateRecord gate_r = {
    .op = Op::r,
    .name = "r",
    .aliases = kAliases,
    .matrix = matrix,
    .derivative = derivative,
    .spectra = kSpectra,
    .controlled_spectra = kControlledSpectra,
    .inverse_op = Op::r,
    .inverse_params = kInverseParams,
    .formula = "exp(-i θ/2 (cos φ X + sin φ Y))",
    .source = "Qiskit circuit library, RGate",
};

}  // namespace skerry::ops
