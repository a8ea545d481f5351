#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {0, 1, 1, 0});
}
constexpr std::string_view kAliases[] = {"not", "pauli_x", "paulix"};
constexpr std::string_view kControlled[] = {"cx", "ccx", "c3x", "c4x"};
constexpr ControlledAlias kControlledAliases[] = {{"cnot", 1}, {"ccnot", 2}, {"toffoli", 2}, {"cccx", 3}, {"ccccx", 4}};

}  // namespace

constinit const GateRecord gate_x = {
    .op = Op::x,
    .name = "x",
    .aliases = kAliases,
    .controlled = kControlled,
    .controlled_aliases = kControlledAliases,
    .structure = Structure::antidiagonal,
    .is_real = true,
    .is_hermitian = true,
    .matrix = matrix,
    .inverse_op = Op::x,
    .formula = "X",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
