#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  assign(out, {1, 0, 0, expi(params[0])});
}
void derivative(std::span<const double> params, int /*which*/, std::span<Complex> out) {
  assign(out, {0, 0, 0, kI * expi(params[0])});
}
constexpr std::string_view kAliases[] = {"phase", "u1", "phaseshift", "phase_shift"};
constexpr std::string_view kControlled[] = {"cp", "ccp"};
constexpr ControlledAlias kControlledAliases[] = {
    {"cphase", 1}, {"cu1", 1}, {"cphaseshift", 1}, {"controlled_phase", 1}};
constexpr InverseParam kInverseParams[] = {{0, -1.0}};

}  // namespace

constinit const GateRecord gate_p = {
    .op = Op::p,
    .name = "p",
    .aliases = kAliases,
    .controlled = kControlled,
    .controlled_aliases = kControlledAliases,
    .structure = Structure::diagonal,
    .matrix = matrix,
    .derivative = derivative,
    .spectra = kRotationSpectrum,
    .controlled_spectra = kRotationSpectrum,
    .inverse_op = Op::p,
    .inverse_params = kInverseParams,
    .formula = "diag(1, exp(i λ))",
    .source = "OpenQASM 3 standard library",
};

}  // namespace skerry::ops
