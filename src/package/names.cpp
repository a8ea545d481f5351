#include "package/names.hpp"

#include <array>
#include <cstddef>

namespace skerry::package {
namespace {

struct ExpressionRow {
  std::string_view name;
  int operands;
};
constexpr std::array kExpressions = {
#define SKERRY_EXPR(name, operands) ExpressionRow{#name, operands},
#include <skerry/expressions.def>
#undef SKERRY_EXPR
};

constexpr std::array kDTypeNumbers = {
#define SKERRY_DTYPE(name, bits, onnx) std::uint8_t{onnx},
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
};

}  // namespace

std::string_view expression_name(ExprOp op) noexcept {
  return kExpressions[static_cast<std::size_t>(op)].name;
}

int expression_operands(ExprOp op) noexcept {
  return kExpressions[static_cast<std::size_t>(op)].operands;
}

std::optional<ExprOp> expression_from_name(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kExpressions.size(); ++i) {
    if (kExpressions[i].name == name) return static_cast<ExprOp>(i);
  }
  return std::nullopt;
}

std::uint8_t dtype_number(DType dtype) noexcept {
  return kDTypeNumbers[static_cast<std::size_t>(dtype)];
}

std::optional<DType> dtype_from_number(std::uint8_t number) noexcept {
  for (std::size_t i = 0; i < kDTypeNumbers.size(); ++i) {
    if (kDTypeNumbers[i] == number) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace skerry::package
