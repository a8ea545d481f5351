#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {1, 0, 0, Complex(kSqrtHalf, -kSqrtHalf)});
}
constexpr std::string_view kAliases[] = {"tdag", "ti"};
constexpr std::string_view kControlled[] = {"ctdg"};

}  // namespace

constinit const GateRecord gate_tdg = {
    .op = Op::tdg,
    .name = "tdg",
    .aliases = kAliases,
    .controlled = kControlled,
    .structure = Structure::diagonal,
    .matrix = matrix,
    .inverse_op = Op::t,
    .formula = "diag(1, exp(-i π/4))",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
