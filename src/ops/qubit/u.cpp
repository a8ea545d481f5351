#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2);
  const double s = std::sin(params[0] / 2);
  assign(out, {c, -expi(params[2]) * s, expi(params[1]) * s, expi(params[1] + params[2]) * c});
}
void derivative(std::span<const double> params, int which, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2);
  const double s = std::sin(params[0] / 2);
  const Complex phi = expi(params[1]), lambda = expi(params[2]);
  if (which == 0) return assign(out, {-s / 2, -lambda * c / 2.0, phi * c / 2.0, -phi * lambda * s / 2.0});
  if (which == 1) return assign(out, {0, 0, kI * phi * s, kI * phi * lambda * c});
  assign(out, {0, -kI * lambda * s, 0, kI * phi * lambda * c});
}
constexpr Spectrum kSpectra[] = {{1.0, 1}, {1.0, 1}, {1.0, 1}};
constexpr Spectrum kControlledSpectra[] = {{0.5, 2}, {1.0, 1}, {1.0, 1}};
constexpr std::string_view kAliases[] = {"u3"};
constexpr std::string_view kControlled[] = {"cu3"};
constexpr InverseParam kInverseParams[] = {{0, -1.0}, {2, -1.0}, {1, -1.0}};

}  // namespace

constinit const GateRecord gate_u = {
    .op = Op::u,
    .name = "u",
    .aliases = kAliases,
    .controlled = kControlled,
    .matrix = matrix,
    .derivative = derivative,
    .spectra = kSpectra,
    .controlled_spectra = kControlledSpectra,
    .inverse_op = Op::u,
    .inverse_params = kInverseParams,
    .formula = "exp(i (φ+λ)/2) exp(-i φ/2 Z) exp(-i θ/2 Y) exp(-i λ/2 Z)",
    .source = "Qiskit circuit library, UGate: OpenQASM 2 U with first entry real",
};

}  // namespace skerry::ops
