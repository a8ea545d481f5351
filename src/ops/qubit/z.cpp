#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {1, 0, 0, -1});
}
constexpr std::string_view kAliases[] = {"pauli_z", "pauliz"};
constexpr std::string_view kControlled[] = {"cz", "ccz", "c3z"};

}  // namespace

constinit const GateRecord gate_z = {
    .op = Op::z,
    .name = "z",
    .aliases = kAliases,
    .controlled = kControlled,
    .structure = Structure::diagonal,
    .is_real = true,
    .is_hermitian = true,
    .matrix = matrix,
    .inverse_op = Op::z,
    .formula = "Z",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
