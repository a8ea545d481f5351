#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {1, 0, 0, Complex(kSqrtHalf, kSqrtHalf)});
}
constexpr std::string_view kControlled[] = {"ct"};

}  // namespace

constinit const GateRecord gate_t = {
    .op = Op::t,
    .name = "t",
    .controlled = kControlled,
    .structure = Structure::diagonal,
    .matrix = matrix,
    .inverse_op = Op::tdg,
    .formula = "diag(1, exp(i π/4))",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
