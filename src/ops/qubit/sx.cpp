#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {Complex(0.5, 0.5), Complex(0.5, -0.5), Complex(0.5, -0.5), Complex(0.5, 0.5)});
}
constexpr std::string_view kAliases[] = {"v", "sqrtx", "sqrt_x"};
constexpr std::string_view kControlled[] = {"csx", "", "c3sx"};
constexpr ControlledAlias kControlledAliases[] = {{"cv", 1}, {"c3sqrtx", 3}};

}  // namespace

constinit const GateRecord gate_sx = {
    .op = Op::sx,
    .name = "sx",
    .aliases = kAliases,
    .controlled = kControlled,
    .controlled_aliases = kControlledAliases,
    .matrix = matrix,
    .inverse_op = Op::sxdg,
    .formula = "√X = exp(i π/4) exp(-i π/4 X)",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
