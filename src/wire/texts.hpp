/// \file
/// Tensors of texts (`BYTES`): between a message and a model they travel as a Tensor of dtype string, whose elements
/// are the std::string of an array that it shares.
#pragma once

#include <skerry/datum.hpp>
#include <skerry/tensor.hpp>
#include <span>
#include <string>
#include <string_view>

namespace skerry::wire {

/// Nothing is copied. Precondition: as many texts as the shape has elements.
Tensor tensor_of(const Strings& strings);
/// The way back. Precondition: made by tensor_of().
Strings strings_of(const Tensor& tensor);
/// Precondition: as strings_of().
std::span<const std::string> texts_of(const TensorView& tensor) noexcept;

/// Each text with its length in front, as four little-endian bytes: the raw bytes of a tensor in messages and in shared
/// memory.
std::string bytes_of(std::span<const std::string> texts);
/// Errors: invalid_argument for another number of texts than the shape has elements, one that ends too late, and one
/// that is not UTF-8.
Tensor texts_of_bytes(const Shape& shape, std::string_view bytes, const std::string& where);

}  // namespace skerry::wire
