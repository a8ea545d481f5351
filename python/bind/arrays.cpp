#include "arrays.hpp"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace skerry::python {
namespace {

using Code = nb::dlpack::dtype_code;

struct Spelling {
  DType dtype;
  Code code;
  std::uint8_t bits;
};

constexpr std::array kSpellings = {
    Spelling{DType::f32, Code::Float, 32},   Spelling{DType::f64, Code::Float, 64},
    Spelling{DType::f16, Code::Float, 16},   Spelling{DType::i8, Code::Int, 8},
    Spelling{DType::i16, Code::Int, 16},     Spelling{DType::i32, Code::Int, 32},
    Spelling{DType::i64, Code::Int, 64},     Spelling{DType::u8, Code::UInt, 8},
    Spelling{DType::u16, Code::UInt, 16},    Spelling{DType::u32, Code::UInt, 32},
    Spelling{DType::u64, Code::UInt, 64},    Spelling{DType::boolean, Code::Bool, 8},
    Spelling{DType::c64, Code::Complex, 64}, Spelling{DType::c128, Code::Complex, 128},
};

// Element types that numpy has only with the package ml_dtypes; they travel as unsigned integers of the same width.
struct ShortFloat {
  DType dtype;
  const char* name;
};
constexpr std::array kShortFloats = {
    ShortFloat{DType::bf16, "bfloat16"},
    ShortFloat{DType::f8e4m3fn, "float8_e4m3fn"},
    ShortFloat{DType::f8e4m3fnuz, "float8_e4m3fnuz"},
    ShortFloat{DType::f8e5m2, "float8_e5m2"},
    ShortFloat{DType::f8e5m2fnuz, "float8_e5m2fnuz"},
    ShortFloat{DType::f8e8m0, "float8_e8m0fnu"},
};

// An array without elements may have no address, a tensor always has one.
constexpr std::byte kNothing{};

std::optional<nb::dlpack::dtype> spelling_of(DType dtype) {
  for (const Spelling& spelling : kSpellings) {
    if (spelling.dtype == dtype) return nb::dlpack::dtype{static_cast<std::uint8_t>(spelling.code), spelling.bits, 1};
  }
  return std::nullopt;
}

nb::object integer_type(int bits) {
  return nb::module_::import_("numpy").attr(bits == 8 ? "uint8" : "uint16");
}

// Element types of less than 8 bits: ml_dtypes has a byte for each element, a tensor has them side by side.
struct Packed {
  DType dtype;
  const char* name;
};
constexpr std::array kPacked = {Packed{DType::i4, "int4"}, Packed{DType::u4, "uint4"}, Packed{DType::i2, "int2"},
                                Packed{DType::u2, "uint2"}, Packed{DType::f4e2m1, "float4_e2m1fn"}};

Tensor packed(const Tensor& bytes, DType dtype) {
  Tensor out(dtype, bytes.shape());
  const auto bits = static_cast<std::size_t>(dtype_bits(dtype));
  const auto in = bytes.as<std::uint8_t>();
  for (std::size_t i = 0; i < in.size(); ++i)
    out.mutable_view().data()[i * bits / 8] |= std::byte(in[i] & ((1U << bits) - 1)) << (i * bits % 8);
  return out;
}
// Integers as such, with their signs; floats as the codes of their own bytes.
Tensor unpacked(const Tensor& tensor) {
  Tensor out(DType::i8, tensor.shape());
  const auto bits = static_cast<std::size_t>(dtype_bits(tensor.dtype()));
  const bool has_sign = tensor.dtype() == DType::i4 || tensor.dtype() == DType::i2;
  const int count = 1 << bits;
  const auto bytes = out.mutable_view().as<std::int8_t>();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int code = std::to_integer<int>(tensor.view().data()[i * bits / 8] >> (i * bits % 8)) & (count - 1);
    bytes[i] = static_cast<std::int8_t>(has_sign && code >= count / 2 ? code - count : code);
  }
  return out;
}

// The dtype of a buffer's elements, by struct's letters; nothing for others and for other byte orders.
std::optional<DType> dtype_of_buffer(const Py_buffer& view) {
  const char* format = view.format == nullptr ? "B" : view.format;
  if (*format == '@' || *format == '=') ++format;
  const bool complex = *format == 'Z';
  if (complex) ++format;
  if (format[0] == '\0' || format[1] != '\0') return std::nullopt;
  const auto of = [&](Code code) -> std::optional<DType> {
    for (const Spelling& row : kSpellings)
      if (row.code == code && row.bits == view.itemsize * 8) return row.dtype;
    return std::nullopt;
  };
  const std::string_view letter(format, 1);
  if (complex) return of(Code::Complex);
  if (std::string_view("efd").find(letter) != std::string_view::npos) return of(Code::Float);
  if (std::string_view("bhilq").find(letter) != std::string_view::npos) return of(Code::Int);
  if (std::string_view("BHILQ").find(letter) != std::string_view::npos) return of(Code::UInt);
  if (letter == "?") return of(Code::Bool);
  return std::nullopt;
}

// What a foreign object raised when it was asked for an array, while that is handled. Others pass: no memory, Ctrl-C.
Error no_array(const nb::python_error& raised, const std::string& who) {
  if (!raised.matches(PyExc_Exception) || raised.matches(PyExc_MemoryError)) throw;
  const std::string kind = nb::cast<std::string>(nb::borrow<nb::object>(raised.type()).attr("__name__"));
  return {ErrorCode::type_mismatch,
          who + " gave no array but raised " + kind + ": " + nb::cast<std::string>(nb::str(raised.value())), "",
          "give what numpy.asarray() takes: an array, or a list of numbers"};
}

std::string class_of(nb::handle object) {
  return "an object of class " + nb::cast<std::string>(nb::borrow<nb::object>(object.type()).attr("__name__"));
}

nb::object call_asarray(nb::handle object) {
  try {
    // With order C, not ascontiguousarray: that one turns scalars into vectors.
    return nb::module_::import_("numpy").attr("asarray")(object, nb::arg("order") = "C");
  } catch (const nb::python_error& raised) {
    throw no_array(raised, class_of(object));
  }
}

// An object of numpy's dtype `object` is none of numbers; where it could be asked for its own, why it did not give
// them.
[[noreturn]] void refuse(nb::handle object, const std::string& dtype) {
  if (object.is_none())
    throw Error(ErrorCode::type_mismatch, "None is no array", "", "give an array, or a list of numbers");
  if (dtype == "object" && nb::hasattr(object, "__dlpack__")) {
    try {
      object.attr("__dlpack__")();
    } catch (const nb::python_error& raised) {
      throw no_array(raised, class_of(object));
    }
  }
  throw Error(ErrorCode::type_mismatch, "arrays of dtype " + dtype + " are not understood", "",
              "convert it to a numeric dtype such as float32");
}

// Python's object is given back under the GIL, wherever the last tensor dies.
struct HeldBuffer : Py_buffer {
  HeldBuffer() : Py_buffer() {}
  HeldBuffer(const HeldBuffer&) = delete;
  HeldBuffer& operator=(const HeldBuffer&) = delete;
  ~HeldBuffer() {
    if (obj == nullptr || !nb::is_alive()) return;
    const nb::gil_scoped_acquire acquire;
    PyBuffer_Release(this);
  }
};

// The shape of a buffer of at most kMaxRank axes.
Shape shape_of(const Py_buffer& buffer) {
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  const auto rank = static_cast<std::size_t>(buffer.ndim);
  for (std::size_t axis = 0; axis < rank; ++axis) dims[axis] = buffer.shape[axis];
  return Shape(std::span<const std::int64_t>(dims.data(), rank));
}

std::optional<Tensor> viewed(nb::handle object) {
  const auto owner = std::make_shared<HeldBuffer>();  // shared by the tensors that see it
  const auto view = view_of_buffer(object, *owner);
  if (!view) return std::nullopt;
  return Tensor(*view, owner);
}

// numpy's functions and dtypes, looked up once and kept for as long as the process lives.
nb::handle numpy_empty() {
  static PyObject* const kEmpty = nb::object(nb::module_::import_("numpy").attr("empty")).release().ptr();
  return kEmpty;
}
nb::handle numpy_dtype(DType dtype) {
  static std::array<PyObject*, 32> known{};
  PyObject*& type = known[static_cast<std::size_t>(dtype)];
  if (type == nullptr) {
    const auto code = std::ranges::find(kSpellings, dtype, &Spelling::dtype)->code;
    const char* kind = code == Code::Float  ? "f"
                       : code == Code::Int  ? "i"
                       : code == Code::UInt ? "u"
                       : code == Code::Bool ? "b"
                                            : "c";
    const std::string name = kind + std::to_string(dtype_bits(dtype) / 8);
    type = nb::module_::import_("numpy").attr("dtype")(name).release().ptr();
  }
  return type;
}

// A new array with a copy of a few elements, which costs less than an array that keeps the tensor alive.
nb::object copied(const Tensor& tensor) {
  const NewArray made = new_array(tensor.dtype(), shape_tuple(tensor.shape()));
  if (tensor.view().bytes() > 0)
    std::memcpy(made.data, tensor.view().data(), static_cast<std::size_t>(tensor.view().bytes()));
  return made.array;
}

// The same elements under another dtype of the same width.
Tensor relabelled(const Tensor& tensor, DType dtype) {
  return {TensorView(dtype, tensor.shape(), tensor.view().data()), tensor.owner()};
}

}  // namespace

std::optional<TensorView> view_of_buffer(nb::handle object, Py_buffer& buffer) {
  if (PyObject_CheckBuffer(object.ptr()) == 0 || PyBytes_Check(object.ptr()) != 0) return std::nullopt;
  if (PyObject_GetBuffer(object.ptr(), &buffer, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) {
    PyErr_Clear();
    return std::nullopt;
  }
  const auto dtype = dtype_of_buffer(buffer);
  if (!dtype || buffer.ndim > Shape::kMaxRank) return std::nullopt;
  const auto* data = static_cast<const std::byte*>(buffer.buf);
  return TensorView(*dtype, shape_of(buffer), data != nullptr ? data : &kNothing);
}

bool is_plain(DType dtype) {
  return spelling_of(dtype).has_value();
}

nb::object shape_tuple(const Shape& shape) {
  nb::object tuple = nb::steal(PyTuple_New(shape.rank()));
  for (int axis = 0; axis < shape.rank(); ++axis) PyTuple_SetItem(tuple.ptr(), axis, PyLong_FromLongLong(shape[axis]));
  return tuple;
}

NewArray new_array(DType dtype, const nb::object& shape) {
  NewArray made{numpy_empty()(shape, numpy_dtype(dtype)), nullptr};
  Py_buffer view;
  if (PyObject_GetBuffer(made.array.ptr(), &view, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS) != 0) nb::raise_python_error();
  made.data = static_cast<std::byte*>(view.buf);
  PyBuffer_Release(&view);
  return made;
}

Tensor tensor_from(const InputArray& array) {
  const auto given = array.dtype();
  for (const Spelling& spelling : kSpellings) {
    if (given != nb::dlpack::dtype{static_cast<std::uint8_t>(spelling.code), spelling.bits, 1}) continue;
    std::vector<std::int64_t> dims;
    for (std::size_t axis = 0; axis < array.ndim(); ++axis)
      dims.push_back(static_cast<std::int64_t>(array.shape(axis)));
    const auto* data = static_cast<const std::byte*>(array.data());
    // The ndarray holds a reference to Python's object and gives it back under the GIL, wherever the last tensor dies.
    return {TensorView(spelling.dtype, Shape(dims), data != nullptr ? data : &kNothing),
            std::make_shared<const InputArray>(array)};
  }
  throw Error(ErrorCode::type_mismatch, "arrays of this element type are not understood", "", "convert it to float32");
}

Tensor tensor_from_object(nb::handle object) {
  if (auto tensor = viewed(object)) return std::move(*tensor);
  InputArray foreign;
  if (PyObject_CheckBuffer(object.ptr()) == 0 && nb::hasattr(object, "__dlpack__") && nb::try_cast(object, foreign))
    return tensor_from(foreign);
  const nb::object array = call_asarray(object);
  const std::string name = nb::cast<std::string>(nb::str(array.attr("dtype").attr("name")));
  for (const ShortFloat& row : kShortFloats) {
    if (name == row.name)
      return relabelled(tensor_from(nb::cast<InputArray>(array.attr("view")(integer_type(dtype_bits(row.dtype))))),
                        row.dtype);
  }
  for (const Packed& row : kPacked) {
    if (name == row.name) return packed(tensor_from(nb::cast<InputArray>(array.attr("view")("uint8"))), row.dtype);
  }
  InputArray view;
  if (!nb::try_cast(array, view)) refuse(object, name);
  return tensor_from(view);
}

namespace {

nb::object array_of(const Tensor& tensor, bool writable, bool may_copy) {
  const DType dtype = tensor.dtype();
  for (const ShortFloat& row : kShortFloats) {
    if (row.dtype != dtype) continue;
    const nb::object type = nb::module_::import_("ml_dtypes").attr(row.name);
    return array_of(relabelled(tensor, dtype_bits(dtype) == 8 ? DType::u8 : DType::u16), writable, may_copy)
        .attr("view")(type);
  }
  for (const Packed& row : kPacked) {
    if (row.dtype == dtype)
      return array_of(unpacked(tensor), writable, may_copy)
          .attr("view")("uint8")
          .attr("view")(nb::module_::import_("ml_dtypes").attr(row.name));
  }
  const auto spelling = spelling_of(dtype);
  if (!spelling) {
    throw Error(ErrorCode::unsupported, "numpy has no dtype for " + std::string(dtype_name(dtype)), "",
                "cast it in the model");
  }
  if (may_copy && writable && tensor.view().bytes() <= kSmallArray) return copied(tensor);
  std::array<std::size_t, Shape::kMaxRank> shape{};
  const auto rank = static_cast<std::size_t>(tensor.shape().rank());
  for (std::size_t axis = 0; axis < rank; ++axis)
    shape[axis] = static_cast<std::size_t>(tensor.shape()[static_cast<int>(axis)]);
  auto* owner = new std::shared_ptr<const void>(tensor.owner());
  const nb::capsule keeper(owner, [](void* p) noexcept { delete static_cast<std::shared_ptr<const void>*>(p); });
  if (!writable) {
    return nb::cast(
        nb::ndarray<nb::numpy, nb::ro>(tensor.view().data(), rank, shape.data(), keeper, nullptr, *spelling));
  }
  return nb::cast(nb::ndarray<nb::numpy>(const_cast<std::byte*>(tensor.view().data()), rank, shape.data(), keeper,
                                         nullptr, *spelling));
}

}  // namespace

nb::object array_from(const Tensor& tensor, bool writable) {
  return array_of(tensor, writable, true);
}

nb::object array_over(const Tensor& tensor) {
  return array_of(tensor, true, false);
}

WritableArray writable_array(nb::handle object, const std::string& where) {
  constexpr const char* kHint = "give a C-contiguous array that may be written, such as numpy.empty() makes";
  const auto refused = [&](const std::string& what) { return Error(ErrorCode::type_mismatch, what, where, kHint); };
  if (PyObject_CheckBuffer(object.ptr()) == 0) {
    nb::ndarray<nb::c_contig, nb::device::cpu> foreign;
    if (!nb::hasattr(object, "__dlpack__") || !nb::try_cast(object, foreign, false))
      throw refused(class_of(object) + " is no array");
    const Tensor same = tensor_from(InputArray(foreign));
    return {MutableTensorView(same.dtype(), same.shape(), static_cast<std::byte*>(foreign.data())), same.owner()};
  }
  // numpy gives no buffer of the short floats that are not its own; their bytes it does.
  nb::object array = nb::borrow<nb::object>(object);
  std::optional<DType> known;
  if (nb::hasattr(object, "dtype")) {
    const auto name = nb::cast<std::string>(nb::str(object.attr("dtype").attr("name")));
    for (const ShortFloat& row : kShortFloats) {
      if (name != row.name) continue;
      known = row.dtype;
      array = object.attr("view")(integer_type(dtype_bits(row.dtype)));
    }
  }
  const auto owner = std::make_shared<HeldBuffer>();
  if (PyObject_GetBuffer(array.ptr(), owner.get(), PyBUF_FORMAT | PyBUF_STRIDES) != 0) {
    PyErr_Clear();
    throw refused("its memory is not lent");
  }
  if (owner->readonly != 0) throw refused("the array is read-only");
  if (PyBuffer_IsContiguous(owner.get(), 'C') == 0) throw refused("the array is strided: its elements have gaps");
  const auto dtype = known ? known : dtype_of_buffer(*owner);
  if (!dtype || owner->ndim > Shape::kMaxRank) throw refused("arrays of this element type are not understood");
  auto* data = static_cast<std::byte*>(owner->buf);
  return {MutableTensorView(*dtype, shape_of(*owner), data), owner};
}

nb::dict dict_by_name(nb::handle inputs) {
  constexpr const char* kHint = "give a dict of values by the names of the model's inputs";
  if (!nb::hasattr(inputs, "keys"))
    throw Error(ErrorCode::type_mismatch, std::string(Py_TYPE(inputs.ptr())->tp_name) + " is no mapping", "inputs",
                kHint);
  const auto type = nb::borrow<nb::object>(reinterpret_cast<PyObject*>(&PyDict_Type));
  auto dict = nb::borrow<nb::dict>(PyDict_CheckExact(inputs.ptr()) != 0 ? nb::borrow(inputs) : type(inputs));
  for (const auto& [key, value] : dict) {
    if (!nb::isinstance<nb::str>(key))
      throw Error(ErrorCode::type_mismatch, std::string(nb::repr(key).c_str()) + " is no name", "inputs", kHint);
  }
  return dict;
}

NamedTensors named_tensors(nb::handle inputs) {
  NamedTensors tensors;
  for (const auto& [key, value] : dict_by_name(inputs)) {
    const auto name = nb::cast<std::string>(key);
    try {
      tensors.emplace_back(name, tensor_from_object(value));
    } catch (const Error& error) {
      throw error.at("input '" + name + "'");
    }
  }
  return tensors;
}

}  // namespace skerry::python
