/// \file
/// A package about to be written, as parts: what is large is referred to, not copied.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "package/format.hpp"
#include "package/package.hpp"
#include "package/weights.hpp"

namespace skerry::package {

/// Refers to the tensors and plans of the contents it was made from; they must outlive it.
class Image {
 public:
  /// Errors: semantic_error (a program that ir::verify refuses), invalid_argument, unsupported, limit_exceeded.
  Image(const Contents& contents, const WriteOptions& options);
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  /// The file, part after part.
  std::span<const std::span<const std::byte>> parts() const noexcept { return parts_; }
  std::uint64_t bytes() const noexcept { return header_.file_bytes; }

 private:
  /// A section with its stored bytes; offset is from the start of the first section until place_sections().
  struct Section {
    std::string name;
    std::uint64_t bytes = 0;
    Encoding encoding = Encoding::plain;
    std::vector<PlaneRegion> planes;
    std::vector<std::span<const std::byte>> stored;
    std::uint64_t stored_bytes = 0;
    std::uint64_t offset = 0;
    Digest sha256{};
  };

  void add_program(const Contents& contents, const WriteOptions& options);
  void add_section(std::string name, std::span<const Piece> pieces, const WriteOptions& options);
  std::vector<std::byte> encode_index(const Contents& contents) const;
  void place_sections(const Contents& contents);
  void list_parts();

  WeightLayout weights_;
  std::deque<std::vector<std::byte>> owned_;  // stays where it is while parts refer to it
  std::vector<Section> sections_;
  Header header_;
  std::vector<std::byte> index_;
  std::array<std::byte, kHeaderBytes> header_bytes_{};
  std::vector<std::span<const std::byte>> parts_;
};

}  // namespace skerry::package
