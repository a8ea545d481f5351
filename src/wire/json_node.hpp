/// \file
/// Received JSON: values that know their place, so that a refusal can name the field.
#pragma once

#include <simdjson.h>

#include <array>
#include <cstdint>
#include <forward_list>
#include <memory>
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
/// Places of containers that were looked into. They stay where they are.
class JsonPlaces {
 public:
  const JsonPlace& keep(const JsonPlace& place) {
    return used_ < few_.size() ? few_[used_++] = place : more_.emplace_front(place);
  }

 private:
  std::array<JsonPlace, 16> few_;  // a text of the usual size takes no memory for them
  std::size_t used_ = 0;
  std::forward_list<JsonPlace> more_;
};

class JsonMembers;
class JsonItems;

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
  /// Members of an object, in order: pairs of a std::string_view and a JsonNode.
  JsonMembers members() const;
  /// Elements of an array.
  JsonItems items() const;
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

/// The members of an object, each made as it is looked at. Valid as its JsonText.
class JsonMembers {
 public:
  JsonMembers(simdjson::dom::object object, const JsonPlace& place, JsonPlaces& places)
      : object_(object), place_(&place), places_(&places) {}

  class Iterator {
   public:
    Iterator(simdjson::dom::object::iterator at, const JsonMembers& of) : at_(at), of_(&of) {}
    std::pair<std::string_view, JsonNode> operator*() const {
      const simdjson::dom::key_value_pair member = *at_;
      return {member.key, JsonNode(member.value, {of_->place_, member.key.data(), member.key.size()}, *of_->places_)};
    }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    simdjson::dom::object::iterator at_;
    const JsonMembers* of_;
  };
  Iterator begin() const { return {object_.begin(), *this}; }
  Iterator end() const { return {object_.end(), *this}; }

 private:
  simdjson::dom::object object_;
  const JsonPlace* place_;
  JsonPlaces* places_;
};

/// The elements of an array, likewise.
class JsonItems {
 public:
  JsonItems(simdjson::dom::array array, const JsonPlace& place, JsonPlaces& places)
      : array_(array), place_(&place), places_(&places) {}

  class Iterator {
   public:
    Iterator(simdjson::dom::array::iterator at, const JsonItems& of) : at_(at), of_(&of) {}
    JsonNode operator*() const { return {*at_, {of_->place_, nullptr, index_}, *of_->places_}; }
    Iterator& operator++() {
      ++at_, ++index_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    simdjson::dom::array::iterator at_;
    const JsonItems* of_;
    std::size_t index_ = 0;
  };
  Iterator begin() const { return {array_.begin(), *this}; }
  Iterator end() const { return {array_.end(), *this}; }
  std::size_t size() const { return array_.size(); }

 private:
  simdjson::dom::array array_;
  const JsonPlace* place_;
  JsonPlaces* places_;
};

/// A parsed text.
class JsonText {
 public:
  /// Errors: syntax_error; limit_exceeded for nesting beyond kMaxDepth.
  explicit JsonText(std::string_view text);
  ~JsonText();
  JsonText(const JsonText&) = delete;
  JsonText& operator=(const JsonText&) = delete;
  JsonNode root() const { return {root_, {}, places_}; }

 private:
  // owned: parsers of short texts are used again, since making one takes as long as what it reads
  std::unique_ptr<simdjson::dom::parser> parser_;
  simdjson::dom::element root_;
  mutable JsonPlaces places_;
};

}  // namespace skerry::wire
