/// \file
/// Received JSON: values that know their place, so that a refusal can name the field.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <forward_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/body.hpp"

namespace skerry::wire {

/// Where a value stands: spelt out only when somebody is told. Its container's place outlives it.
struct JsonPlace {
  const JsonPlace* container = nullptr;  ///< null: this is the root
  const char* key = nullptr;             ///< null: an item
  std::size_t index = 0;                 ///< of an item; bytes of a key
  /// `inputs[0].shape`; empty for the root.
  std::string text() const;
};
/// Places of containers that were looked into.
using JsonPlaces = std::forward_list<JsonPlace>;

/// One value of a parsed text, with the place where it stands (`inputs[0].shape`). Valid while its JsonText lives.
class JsonNode {
 public:
  /// places: of the text, for the places of what this value contains.
  JsonNode(simdjson::dom::element element, const JsonPlace& place, JsonPlaces& places)
      : element_(element), place_(place), places_(&places) {}

  /// Each gives the value as that type. Errors: invalid_argument with the place.
  std::string_view text() const;
  double number() const;
  std::uint64_t whole() const;
  std::int64_t integer() const;
  bool flag() const;
  /// Members of an object, in order.
  std::vector<std::pair<std::string_view, JsonNode>> members() const;
  /// Elements of an array.
  std::vector<JsonNode> items() const;
  /// A list of numbers of wires, of whole numbers, of numbers, of texts.
  std::vector<std::uint32_t> wires() const;
  std::vector<std::int64_t> integers() const;
  std::vector<double> numbers() const;
  std::vector<std::string> texts() const;

  bool is_object() const noexcept { return element_.is_object(); }
  bool is_array() const noexcept { return element_.is_array(); }
  const simdjson::dom::element& element() const noexcept { return element_; }
  std::string where() const { return place_.text(); }
  /// The value as JSON without blanks.
  std::string minified() const { return simdjson::minify(element_); }
  /// Throws invalid_argument at this place.
  [[noreturn]] void refuse(const std::string& message, const std::string& hint = {}) const;

 private:
  simdjson::dom::element element_;
  JsonPlace place_;
  JsonPlaces* places_;
};

/// A parsed text.
class JsonText {
 public:
  /// Errors: syntax_error; limit_exceeded for nesting beyond kMaxDepth.
  explicit JsonText(std::string_view text);
  JsonText(const JsonText&) = delete;
  JsonText& operator=(const JsonText&) = delete;
  JsonNode root() const { return {root_, {}, places_}; }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
  mutable JsonPlaces places_;
};

}  // namespace skerry::wire
