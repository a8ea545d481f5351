/// \file
/// Constants of a program in the section `weights`: where each goes when written, and where each is when read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <skerry/tensor.hpp>
#include <span>
#include <unordered_map>
#include <vector>

#include "package/compress.hpp"

namespace skerry::package {

/// Collects tensors to be written, each content once, at multiples of 64. Keeps views, no copies: the tensors must
/// outlive it.
class WeightLayout {
 public:
  /// Offset of the tensor's elements in the section; 0 for a tensor without elements.
  /// Errors: unsupported (strings), invalid_argument (no data).
  std::uint64_t place(const Tensor& tensor);

  /// The section, zeros between tensors included. Valid while the tensors live.
  const std::vector<Piece>& pieces() const noexcept { return pieces_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  struct Place {
    std::uint64_t offset;
    std::span<const std::byte> bytes;
  };
  std::unordered_multimap<std::uint64_t, Place> places_;  // by hash: equal contents share whatever their pointers
  std::vector<Piece> pieces_;
  std::uint64_t bytes_ = 0;
};

/// The unpacked section and who keeps it alive: the mapping, or the buffer it was unpacked to.
struct Weights {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;

  /// Elements in place. Errors: corrupt when they are not inside the section, not aligned, of another size than dtype
  /// and shape say, or booleans that are neither 0 nor 1; unsupported (strings).
  Tensor tensor(DType dtype, const Shape& shape, std::uint64_t offset, std::uint64_t declared_bytes) const;
};

}  // namespace skerry::package
