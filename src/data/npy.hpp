/// \file
/// NumPy's .npy files: one dense tensor each, read strictly and written as numpy.load expects.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <skerry/tensor.hpp>
#include <span>
#include <string>
#include <string_view>

namespace skerry::data {

/// The tensor of a .npy file, format versions 1 to 3, C order, little-endian numbers, booleans and complex numbers.
/// Elements stay in `owner`'s bytes when they lie 64-byte aligned there (as numpy writes them), else they are copied.
/// Errors: corrupt (not .npy, header that disagrees with the size), unsupported (Fortran order, big-endian, objects,
/// text), limit by the bytes themselves. `name` starts every `where`.
Tensor parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string_view name = "<npy>");
/// Maps and parses. Errors: also not_found, io_error.
Tensor read_npy(const std::filesystem::path& path);

/// Writes atomically, format version 1. Errors: unsupported for a dtype NumPy lacks (bf16, 4- and 8-bit floats),
/// io_error.
void write_npy(const std::filesystem::path& path, const TensorView& tensor);

/// What stands before the elements of such a file. Errors: unsupported, at `name`.
std::string npy_front(DType dtype, const Shape& shape, std::string_view name);

}  // namespace skerry::data
