/// \file
/// Names and numbers under which a package keeps what a table of the IR lists, so that the tables may grow and be
/// reordered: expressions by name, dtypes by their number in ONNX.
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/expression.hpp>
#include <skerry/tensor.hpp>
#include <string_view>

namespace skerry::package {

std::string_view expression_name(ExprOp op) noexcept;
int expression_operands(ExprOp op) noexcept;
std::optional<ExprOp> expression_from_name(std::string_view name) noexcept;

std::uint8_t dtype_number(DType dtype) noexcept;
std::optional<DType> dtype_from_number(std::uint8_t number) noexcept;

}  // namespace skerry::package
