/// \file
/// FlatBuffers of programs, kept below what their offsets can address.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstddef>
#include <cstdint>
#include <skerry/error.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "package/format.hpp"

namespace skerry::package {

/// A FlatBufferBuilder that refuses before it overflows. Nothing is shared between fields: see Fields.
class ProgramBuilder {
 public:
  ProgramBuilder() {
    buffer_.ForceDefaults(true);  // -0.0 equals the default 0.0 and would be left out
  }

  flatbuffers::FlatBufferBuilder& buffer() noexcept { return buffer_; }

  /// Absent when empty.
  flatbuffers::Offset<flatbuffers::String> text(std::string_view value) {
    if (value.empty()) return 0;
    reserve(value.size());
    return buffer_.CreateString(value.data(), value.size());
  }
  template <class T>
  flatbuffers::Offset<flatbuffers::Vector<T>> list(std::span<const T> values) {
    if (values.empty()) return 0;
    reserve(values.size_bytes());
    return buffer_.CreateVector(values.data(), values.size());
  }
  template <class T>
  flatbuffers::Offset<flatbuffers::Vector<const T*>> structs(const std::vector<T>& values) {
    if (values.empty()) return 0;
    reserve(values.size() * sizeof(T));
    return buffer_.CreateVectorOfStructs(values);
  }
  template <class T>
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<T>>> tables(
      const std::vector<flatbuffers::Offset<T>>& values) {
    if (values.empty()) return 0;
    reserve(values.size() * sizeof(flatbuffers::uoffset_t));
    return buffer_.CreateVector(values);
  }
  template <class Strings>
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>> texts(const Strings& values) {
    std::vector<flatbuffers::Offset<flatbuffers::String>> offsets;
    for (const auto& value : values) {
      reserve(value.size());
      offsets.push_back(buffer_.CreateString(value.data(), value.size()));  // empty ones too: the place counts
    }
    return tables(offsets);
  }
  template <class Root>
  std::vector<std::byte> finish(flatbuffers::Offset<Root> root, const char* identifier) {
    buffer_.Finish(root, identifier);
    const auto* bytes = reinterpret_cast<const std::byte*>(buffer_.GetBufferPointer());
    return {bytes, bytes + buffer_.GetSize()};
  }

 private:
  void reserve(std::uint64_t bytes) {
    constexpr std::uint64_t kSlack = 4096;  // a table, its vtable and padding
    if (bytes < kMaxProgramBytes && buffer_.GetSize() + bytes + kSlack < kMaxProgramBytes) return;
    throw Error(ErrorCode::limit_exceeded, "the program without its weights needs more than the " +
                                               std::to_string(kMaxProgramBytes) + " bytes a package can hold");
  }

  flatbuffers::FlatBufferBuilder buffer_;
};

}  // namespace skerry::package
