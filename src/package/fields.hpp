/// \file
/// Fields of a FlatBuffer that its verifier passed and that still is not trusted.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstddef>
#include <cstdint>
#include <skerry/error.hpp>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace skerry::package {

/// Hands out vectors and strings, and counts them. FlatBuffers may refer to one vector from many places; our writer
/// never does, so what is handed out cannot add up to more than the section, and a small hostile section cannot become
/// a large program. Elements are checked to be aligned, which the verifier of FlatBuffers 2.0 leaves out.
class Fields {
 public:
  explicit Fields(std::size_t section_bytes) : left_(section_bytes) {}

  /// Absent is empty.
  std::string text(const flatbuffers::String* field) {
    if (field == nullptr) return {};
    take(field->size() + 1);
    return field->str();
  }
  /// Of scalars, or of structs by value.
  template <class T>
  std::span<const T> list(const flatbuffers::Vector<T>* field) {
    return raw<T>(field);
  }
  template <class T>
  std::span<const T> list(const flatbuffers::Vector<const T*>* field) {
    return raw<T>(field);
  }
  template <class T>
  std::vector<T> copy(const flatbuffers::Vector<T>* field) {
    const auto view = list(field);
    return {view.begin(), view.end()};
  }
  /// Of tables and strings: how many there are, each counted as its offset and its least content.
  template <class T>
  std::uint32_t count(const flatbuffers::Vector<flatbuffers::Offset<T>>* field) {
    if (field == nullptr) return 0;
    take(std::uint64_t{field->size()} * 2 * sizeof(flatbuffers::uoffset_t));
    return field->size();
  }
  std::vector<std::string> texts(const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* field) {
    std::vector<std::string> result;
    const std::uint32_t n = count(field);
    result.reserve(n);
    for (std::uint32_t i = 0; i < n; ++i) result.push_back(text(field->Get(i)));
    return result;
  }

 private:
  template <class T, class Vector>
  std::span<const T> raw(const Vector* field) {
    if (field == nullptr || field->size() == 0) return {};  // an empty one lies anywhere
    take(std::uint64_t{field->size()} * sizeof(T));
    if (reinterpret_cast<std::uintptr_t>(field->Data()) % alignof(T) != 0) {
      throw Error(ErrorCode::corrupt, "a list is not aligned to its elements");
    }
    return {reinterpret_cast<const T*>(field->Data()), field->size()};
  }
  void take(std::uint64_t bytes) {
    if (bytes > left_) throw Error(ErrorCode::corrupt, "one part of the data is referred to from several places");
    left_ -= bytes;
  }

  std::uint64_t left_;
};

/// The root of a section, or corrupt. The bound on tables is what fits without sharing.
template <class Root>
const Root& verified_root(std::span<const std::byte> section, const char* identifier, std::uint32_t max_depth) {
  constexpr std::size_t kLeastTableBytes = 4;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(section.data());
  const auto max_tables = static_cast<flatbuffers::uoffset_t>(section.size() / kLeastTableBytes);
  flatbuffers::Verifier verifier(bytes, section.size(), max_depth, max_tables);
  if (section.size() < 2 * sizeof(flatbuffers::uoffset_t) || !verifier.VerifyBuffer<Root>(identifier)) {
    throw Error(ErrorCode::corrupt, "the section's FlatBuffer is not valid");
  }
  return *flatbuffers::GetRoot<Root>(bytes);
}

}  // namespace skerry::package
