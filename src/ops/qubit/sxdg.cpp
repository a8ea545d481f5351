#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {Complex(0.5, -0.5), Complex(0.5, 0.5), Complex(0.5, 0.5), Complex(0.5, -0.5)});
}
constexpr std::string_view kAliases[] = {"vi", "sqrtxdg", "sxdag"};
constexpr std::string_view kControlled[] = {"csxdg"};

}  // namespace

constinit const GateRecord gate_sxdg = {
    .op = Op::sxdg,
    .name = "sxdg",
    .aliases = kAliases,
    .controlled = kControlled,
    .matrix = matrix,
    .inverse_op = Op::sx,
    .formula = "exp(-i π/4) exp(i π/4 X)",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
