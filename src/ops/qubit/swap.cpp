#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {1, 0, 0, 0,  //
               0, 0, 1, 0,  //
               0, 1, 0, 0,  //
               0, 0, 0, 1});
}
constexpr std::string_view kControlled[] = {"cswap"};
constexpr ControlledAlias kControlledAliases[] = {{"fredkin", 1}};

}  // namespace

constinit const GateRecord gate_swap = {
    .op = Op::swap,
    .name = "swap",
    .controlled = kControlled,
    .controlled_aliases = kControlledAliases,
    .structure = Structure::permutation,
    .is_real = true,
    .is_hermitian = true,
    .matrix = matrix,
    .inverse_op = Op::swap,
    .formula = "(II + XX + YY + ZZ)/2",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
