/// \file
/// Between numpy arrays and tensors, without copying elements in either direction.
#pragma once

#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "bind.hpp"

namespace skerry::python {

/// Any dense C-contiguous array of the host. Converting makes a strided one dense, once.
using InputArray = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

/// A tensor over the array's elements, which it keeps alive.
/// Errors: type_mismatch for an element type without a DType; out_of_range for more than Shape::kMaxRank axes.
Tensor tensor_from(const InputArray& array);

/// A tensor from whatever numpy.asarray() takes: lists, scalars, arrays of any layout; also ml_dtypes' short floats.
/// Errors: type_mismatch for what gives no array of numbers, with what it raised when it was asked for one.
Tensor tensor_from_object(nb::handle object);

/// A dense array of the host that may be written, in place; `owner` keeps it where it is. where: its name in messages.
/// Errors: type_mismatch for anything else, with what is wrong about it.
struct WritableArray {
  MutableTensorView view;
  std::shared_ptr<const void> owner;
};
WritableArray writable_array(nb::handle object, const std::string& where);

/// The elements of a dense array of plain numbers, where they are: a tenth of the time that asking numpy takes. Nothing
/// for whatever else there is. What `buffer` was given then is the caller's to release.
std::optional<TensorView> view_of_buffer(nb::handle object, Py_buffer& buffer);

/// Results up to so many bytes are written into new arrays of numpy's.
inline constexpr std::uint64_t kSmallArray = 4096;
/// Whether numpy itself has such elements.
bool is_plain(DType dtype);
nb::object shape_tuple(const Shape& shape);
/// A new array of plain elements, and where they are.
struct NewArray {
  nb::object array;
  std::byte* data;
};
NewArray new_array(DType dtype, const nb::object& shape);

/// A mapping as a dict whose keys are strings. Errors: type_mismatch for anything else.
nb::dict dict_by_name(nb::handle inputs);
/// Tensors by name from a mapping of such objects. Errors: those of tensor_from_object, with the input's name.
NamedTensors named_tensors(nb::handle inputs);

/// The tensor's elements as a numpy array that keeps them alive. writable: only for a tensor that nobody else reads.
/// dtypes that numpy lacks come as those of ml_dtypes. Errors: unsupported for string tensors.
nb::object array_from(const Tensor& tensor, bool writable = false);

/// The same for a buffer that the caller may write and that is shared however small it is.
nb::object array_over(const Tensor& tensor);

}  // namespace skerry::python
