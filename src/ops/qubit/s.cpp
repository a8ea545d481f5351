#include "ops/qubit/records.hpp"

namespace skerry::ops {
namespace {

void matrix(std::span<const double>, std::span<Complex> out) {
  assign(out, {1, 0, 0, kI});
}
constexpr std::string_view kControlled[] = {"cs"};

}  // namespace

constinit const GateRecord gate_s = {
    .op = Op::s,
    .name = "s",
    .controlled = kControlled,
    .structure = Structure::diagonal,
    .matrix = matrix,
    .inverse_op = Op::sdg,
    .formula = "diag(1, i)",
    .source = "Nielsen & Chuang 2010, sec. 4.2",
};

}  // namespace skerry::ops
