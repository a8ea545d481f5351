/// \file
/// Constants as text: `f32[2,2] <1.0, 2.0, 3.0, 4.0>`, or `f16[64,64] base64<...>` for many or odd elements.
#pragma once

#include <skerry/tensor.hpp>
#include <string>

#include "ir/text/lexer.hpp"

namespace skerry::ir {

/// Readable numbers up to 64 finite elements, base64 of the little-endian bytes up to `max_elements`, beyond that a
/// hash that does not parse back. Precondition: the elements are there and are not strings.
std::string tensor_text(const Tensor& tensor, std::size_t max_elements);

/// Reads the elements after the type. Memory is bounded by the text. Errors: syntax_error with line:column when they do
/// not fit the type.
Tensor read_elements(Lexer& lexer, DType dtype, const Shape& shape);

}  // namespace skerry::ir
