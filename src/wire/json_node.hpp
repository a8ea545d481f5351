/// \file
/// Received JSON: values that know their place, so that a refusal can name the field.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/body.hpp"

namespace skerry::wire {

/// One value of a parsed text, with the place where it stands (`inputs[0].shape`). Valid while its JsonText lives.
class JsonNode {
 public:
  JsonNode(simdjson::dom::element element, std::string where) : element_(element), where_(std::move(where)) {}

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
  /// A list of whole numbers, of numbers, of texts.
  std::vector<std::uint32_t> wires() const;
  std::vector<double> numbers() const;
  std::vector<std::string> texts() const;

  bool is_object() const noexcept { return element_.is_object(); }
  bool is_array() const noexcept { return element_.is_array(); }
  const simdjson::dom::element& element() const noexcept { return element_; }
  const std::string& where() const noexcept { return where_; }
  /// The value as JSON without blanks.
  std::string minified() const { return simdjson::minify(element_); }
  /// Throws invalid_argument at this place.
  [[noreturn]] void refuse(const std::string& message, const std::string& hint = {}) const;

 private:
  simdjson::dom::element element_;
  std::string where_;
};

/// A parsed text.
class JsonText {
 public:
  /// Errors: syntax_error; limit_exceeded for nesting beyond kMaxDepth.
  explicit JsonText(std::string_view text);
  JsonNode root() const { return {root_, ""}; }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

}  // namespace skerry::wire
