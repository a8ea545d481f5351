#include "serve/sandbox/tensors.hpp"

#include <cstring>
#include <skerry/error.hpp>

#include "serve/sandbox/worker.hpp"
#include "wire/texts.hpp"

namespace skerry::serve {
namespace {

constexpr std::uint64_t kMostTensors = 4096, kMostLetters = 4096, kMostRank = 64;

[[noreturn]] void damaged() {
  throw Error(ErrorCode::corrupt, "a message between server and worker is damaged", "worker");
}

// Bytes from the front.
std::string_view taken(std::string_view& bytes, std::uint64_t count) {
  if (count > bytes.size()) damaged();
  const std::string_view front = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return front;
}

std::uint64_t number_from(std::string_view& bytes, std::uint64_t most) {
  std::uint64_t value = 0;
  std::memcpy(&value, taken(bytes, sizeof value).data(), sizeof value);
  if (value > most) damaged();
  return value;
}

void add_text(std::string& out, std::string_view text) {
  out += packed(std::uint64_t{text.size()});
  out += text;
}

void add_head(std::string& out, std::string_view name, DType dtype, std::span<const std::int64_t> dims) {
  add_text(out, name);
  add_text(out, dtype_name(dtype));
  out += packed(std::uint64_t{dims.size()});
  for (const std::int64_t dim : dims) out += packed(dim);
}

TensorInfo head_from(std::string_view& bytes) {
  TensorInfo info{.name = std::string(taken(bytes, number_from(bytes, kMostLetters)))};
  try {
    info.dtype = dtype_from_name(taken(bytes, number_from(bytes, kMostLetters)));
  } catch (const Error&) {
    damaged();
  }
  const std::uint64_t rank = number_from(bytes, kMostRank);
  for (std::uint64_t i = 0; i < rank; ++i) {
    std::int64_t dim = 0;
    std::memcpy(&dim, taken(bytes, sizeof dim).data(), sizeof dim);
    if (dim < -1) damaged();
    info.shape.push_back(dim);
  }
  return info;
}

}  // namespace

std::string pack(const NamedTensors& tensors) {
  std::string out = packed(std::uint64_t{tensors.size()});
  for (const auto& [name, tensor] : tensors) {
    if (tensor.dtype() == DType::string) {
      add_head(out, name, tensor.dtype(), tensor.shape().dims());
      add_text(out, wire::bytes_of(wire::texts_of(tensor.view())));
      continue;
    }
    const int bits = dtype_bits(tensor.dtype());
    if (bits == 0 || bits % 8 != 0)
      throw Error(ErrorCode::unsupported,
                  "tensors of " + std::string(dtype_name(tensor.dtype())) + " are not given to worker processes", name);
    add_head(out, name, tensor.dtype(), tensor.shape().dims());
    add_text(out, {reinterpret_cast<const char*>(tensor.view().data()), tensor.view().bytes()});
  }
  return out;
}

namespace {

Tensor texts_from(const TensorInfo& head, std::string_view bytes) {
  try {
    return wire::texts_of_bytes(Shape(head.shape), bytes, {});
  } catch (const Error&) {
    damaged();
  }
}

// Of the shape whose elements were counted; a 0 hides how large its neighbours are.
Tensor empty_tensor(const TensorInfo& head) {
  try {
    return {head.dtype, Shape(head.shape)};
  } catch (const Error&) {
    damaged();
  }
}

}  // namespace

NamedTensors unpack_tensors(std::string_view bytes) {
  NamedTensors tensors;
  for (std::uint64_t left = number_from(bytes, kMostTensors); left > 0; --left) {
    const TensorInfo head = head_from(bytes);
    const std::string_view elements = taken(bytes, number_from(bytes, bytes.size()));
    if (head.dtype == DType::string) {
      tensors.emplace_back(head.name, texts_from(head, elements));
      continue;
    }
    const int bits = dtype_bits(head.dtype);
    std::uint64_t wanted = static_cast<std::uint64_t>(bits) / 8;
    for (const std::int64_t dim : head.shape) {
      if (dim < 0 || __builtin_mul_overflow(wanted, static_cast<std::uint64_t>(dim), &wanted)) damaged();
    }
    if (bits == 0 || bits % 8 != 0 || wanted != elements.size()) damaged();
    Tensor tensor = empty_tensor(head);
    if (!elements.empty()) std::memcpy(tensor.mutable_view().data(), elements.data(), elements.size());
    tensors.emplace_back(head.name, std::move(tensor));
  }
  if (!bytes.empty()) damaged();
  return tensors;
}

std::string pack(const std::vector<TensorInfo>& infos) {
  std::string out = packed(std::uint64_t{infos.size()});
  for (const TensorInfo& info : infos) {
    add_head(out, info.name, info.dtype, info.shape);
    out += packed(std::uint64_t{info.has_rank});
  }
  return out;
}

std::vector<TensorInfo> unpack_infos(std::string_view& bytes) {
  std::vector<TensorInfo> infos;
  for (std::uint64_t left = number_from(bytes, kMostTensors); left > 0; --left) {
    infos.push_back(head_from(bytes));
    infos.back().has_rank = number_from(bytes, 1) == 1;
  }
  return infos;
}

}  // namespace skerry::serve
