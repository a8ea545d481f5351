#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  out[0] = expi(params[0]);
}
void derivative(std::span<const double> params, int /*which*/, std::span<Complex> out) {
  out[0] = kI * expi(params[0]);
}
constexpr Spectrum kSpectra[] = {{1.0, 0}};
constexpr std::string_view kAliases[] = {"global_phase"};
constexpr InverseParam kInverseParams[] = {{0, -1.0}};

}  // namespace

constinit const GateRecord gate_gphase = {
    .op = Op::gphase,
    .name = "gphase",
    .aliases = kAliases,
    .structure = Structure::diagonal,
    .matrix = matrix,
    .derivative = derivative,
    .spectra = kSpectra,
    .controlled_spectra = kRotationSpectrum,
    .inverse_op = Op::gphase,
    .inverse_params = kInverseParams,
    .formula = "exp(i γ)",
    .source = "OpenQASM 3 standard library",
};

}  // namespace skerry::ops
