#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2);
  const Complex s = -kI * std::sin(params[0] / 2);
  assign(out, {c, s, s, c});
}
constexpr std::string_view kControlled[] = {"crx"};
constexpr InverseParam kInverseParams[] = {{0, -1.0}};

}  // namespace

constinit const GateRecord gate_rx = {
    .op = Op::rx,
    .name = "rx",
    .controlled = kControlled,
    .matrix = matrix,
    .spectra = kRotationSpectrum,
    .controlled_spectra = kControlledRotationSpectrum,
    .inverse_op = Op::rx,
    .inverse_params = kInverseParams,
    .generator = "X",
    .formula = "exp(-i θ/2 X)",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
