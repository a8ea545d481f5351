#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {1, 0, 0, 1});
}
constexpr std::string_view kAliases[] = {"i", "identity"};

}  // namespace

constinit const GateRecord gate_id = {
    .op = Op::id,
    .name = "id",
    .aliases = kAliases,
    .structure = Structure::diagonal,
    .is_real = true,
    .is_hermitian = true,
    .matrix = matrix,
    .inverse_op = Op::id,
    .formula = "1",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
