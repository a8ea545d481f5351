/// \file
/// What flows through a graph where it need not be a tensor of numbers: strings, sequences, optionals and maps.
#pragma once

#include <memory>
#include <skerry/tensor.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace skerry {

struct Datum;

/// A tensor of texts (UTF-8), dense and row-major. Copies share the texts.
struct Strings {
  Shape shape = {};
  std::shared_ptr<const std::vector<std::string>> texts = {};  ///< as many as shape.elements(); null: none
};

/// Any number of data of one type. Copies share the items.
struct Sequence {
  std::shared_ptr<const std::vector<Datum>> items = {};  ///< null: none
  std::size_t size() const noexcept;
};

/// One datum or nothing.
struct Optional {
  std::shared_ptr<const Datum> item = {};  ///< null: nothing
};

/// Numbers or texts by key: as many keys, each once, as there are elements in values.
struct Map {
  std::variant<std::vector<std::int64_t>, std::vector<std::string>> keys = {};
  std::variant<Tensor, Strings> values = {};  ///< one axis
};

/// A value of a graph at run time.
struct Datum {
  std::variant<Tensor, Strings, Sequence, Optional, Map> value = {};

  Datum() = default;
  Datum(Tensor tensor) : value(std::move(tensor)) {}        // NOLINT(google-explicit-constructor)
  Datum(Strings strings) : value(std::move(strings)) {}     // NOLINT(google-explicit-constructor)
  Datum(Sequence sequence) : value(std::move(sequence)) {}  // NOLINT(google-explicit-constructor)
  Datum(Optional optional) : value(std::move(optional)) {}  // NOLINT(google-explicit-constructor)
  Datum(Map map) : value(std::move(map)) {}                 // NOLINT(google-explicit-constructor)

  /// Null where it is something else.
  template <class T>
  const T* as() const noexcept {
    return std::get_if<T>(&value);
  }
};

inline std::size_t Sequence::size() const noexcept {
  return items == nullptr ? 0 : items->size();
}

using NamedData = std::vector<std::pair<std::string, Datum>>;

}  // namespace skerry
