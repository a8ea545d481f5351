#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  const double c = std::cos(params[0] / 2);
  const double s = std::sin(params[0] / 2);
  assign(out, {c, -s, s, c});
}
constexpr std::string_view kControlled[] = {"cry"};
constexpr InverseParam kInverseParams[] = {{0, -1.0}};

}  // namespace

constinit const GateRecord gate_ry = {
    .op = Op::ry,
    .name = "ry",
    .controlled = kControlled,
    .is_real = true,
    .matrix = matrix,
    .spectra = kRotationSpectrum,
    .controlled_spectra = kControlledRotationSpectrum,
    .inverse_op = Op::ry,
    .inverse_params = kInverseParams,
    .generator = "Y",
    .formula = "exp(-i θ/2 Y)",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
