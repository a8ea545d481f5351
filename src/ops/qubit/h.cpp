#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {kSqrtHalf, kSqrtHalf, kSqrtHalf, -kSqrtHalf});
}
constexpr std::string_view kAliases[] = {"hadamard"};
constexpr std::string_view kControlled[] = {"ch"};

}  // namespace

constinit const GateRecord gate_h = {
    .op = Op::h,
    .name = "h",
    .aliases = kAliases,
    .controlled = kControlled,
    .is_real = true,
    .is_hermitian = true,
    .matrix = matrix,
    .inverse_op = Op::h,
    .formula = "(X + Z)/√2",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
