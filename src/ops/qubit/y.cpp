#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {0, -kI, kI, 0});
}
constexpr std::string_view kAliases[] = {"pauli_y", "pauliy"};
constexpr std::string_view kControlled[] = {"cy"};

}  // namespace

constinit const GateRecord gate_y = {
    .op = Op::y,
    .name = "y",
    .aliases = kAliases,
    .controlled = kControlled,
    .structure = Structure::antidiagonal,
    .is_hermitian = true,
    .matrix = matrix,
    .inverse_op = Op::y,
    .formula = "Y",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
