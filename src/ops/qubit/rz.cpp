#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double> params, std::span<Complex> out) {
  assign(out, {expi(-params[0] / 2), 0, 0, expi(params[0] / 2)});
}
constexpr std::string_view kControlled[] = {"crz"};
constexpr InverseParam kInverseParams[] = {{0, -1.0}};

}  // namespace

constinit const GateRecord gate_rz = {
    .op = Op::rz,
    .name = "rz",
    .controlled = kControlled,
    .structure = Structure::diagonal,
    .matrix = matrix,
    .spectra = kRotationSpectrum,
    .controlled_spectra = kControlledRotationSpectrum,
    .inverse_op = Op::rz,
    .inverse_params = kInverseParams,
    .generator = "Z",
    .formula = "exp(-i θ/2 Z)",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
