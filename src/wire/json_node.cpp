#include "wire/json_node.hpp"

#include <algorithm>
#include <limits>
#include <skerry/error.hpp>

namespace skerry::wire {

BodyView::BodyView(std::string_view all, std::size_t json_length) : bytes(all), json_bytes(json_length) {
  if (json_length > all.size()) {
    throw Error(ErrorCode::invalid_argument,
                "the header promises " + std::to_string(json_length) + " bytes of JSON, the body has " +
                    std::to_string(all.size()),
                std::string(kJsonLengthHeader));
  }
}

namespace {

constexpr std::size_t kShort = 4096;  // bytes of a text whose parser is kept
// Of this thread: one more than are in use at once, as a rule.
thread_local std::unique_ptr<simdjson::dom::parser> kept_parser;

}  // namespace

JsonText::JsonText(std::string_view text) : parser_(std::move(kept_parser)) {
  if (!parser_) parser_ = std::make_unique<simdjson::dom::parser>();
  const std::size_t room = std::max(text.size(), kShort);
  auto failure = parser_->capacity() >= room ? simdjson::SUCCESS : parser_->allocate(room, kMaxDepth);
  if (failure == simdjson::SUCCESS) failure = parser_->parse(text.data(), text.size()).get(root_);
  if (failure == simdjson::SUCCESS) return;
  if (failure == simdjson::DEPTH_ERROR) {
    throw Error(ErrorCode::limit_exceeded, "the JSON is nested deeper than " + std::to_string(kMaxDepth) + " levels",
                "body");
  }
  throw Error(ErrorCode::syntax_error, std::string("not JSON: ") + simdjson::error_message(failure), "body");
}

JsonText::~JsonText() {
  if (parser_ && parser_->capacity() <= kShort) kept_parser = std::move(parser_);
}

std::string JsonPlace::text() const {
  constexpr std::size_t kLongestKey = 64;
  if (container == nullptr) return {};
  std::string text = container->text();  // as deep as kMaxDepth at most
  if (key == nullptr) return text + "[" + std::to_string(index) + "]";
  if (!text.empty()) text += '.';
  return text.append(key, std::min(index, kLongestKey));
}

void JsonNode::refuse(const std::string& message, const std::string& hint) const {
  const std::string place = where();
  throw Error(ErrorCode::invalid_argument, message, place.empty() ? "body" : place, hint);
}

std::string_view JsonNode::text() const {
  std::string_view value;
  if (element_.get(value) != simdjson::SUCCESS) refuse("a text is needed here");
  return value;
}

double JsonNode::number() const {
  double value = 0.0;
  if (element_.get(value) != simdjson::SUCCESS) refuse("a number is needed here");
  return value;
}

std::uint64_t JsonNode::whole() const {
  std::uint64_t value = 0;
  if (element_.get(value) != simdjson::SUCCESS) refuse("a whole number from 0 on is needed here");
  return value;
}

std::int64_t JsonNode::integer() const {
  std::int64_t value = 0;
  if (element_.get(value) != simdjson::SUCCESS) refuse("a whole number is needed here");
  return value;
}

bool JsonNode::flag() const {
  bool value = false;
  if (element_.get(value) != simdjson::SUCCESS) refuse("true or false is needed here");
  return value;
}

JsonMembers JsonNode::members() const {
  simdjson::dom::object object;
  if (element_.get(object) != simdjson::SUCCESS) refuse("an object is needed here");
  return {object, places_->keep(place_), *places_};
}

JsonItems JsonNode::items() const {
  simdjson::dom::array array;
  if (element_.get(array) != simdjson::SUCCESS) refuse("a list is needed here");
  return {array, places_->keep(place_), *places_};
}

std::vector<std::uint32_t> JsonNode::wires() const {
  std::vector<std::uint32_t> all;
  for (const JsonNode& item : items()) {
    const std::uint64_t wire = item.whole();
    if (wire > std::numeric_limits<std::uint32_t>::max()) item.refuse("no wire has such a number");
    all.push_back(static_cast<std::uint32_t>(wire));
  }
  return all;
}

std::vector<std::int64_t> JsonNode::integers() const {
  simdjson::dom::array array;
  if (element_.get(array) != simdjson::SUCCESS) refuse("a list is needed here");
  std::vector<std::int64_t> all;
  all.reserve(array.size());
  for (const auto& item : array) all.push_back(JsonNode(item, {&place_, nullptr, all.size()}, *places_).integer());
  return all;
}

std::vector<double> JsonNode::numbers() const {
  simdjson::dom::array array;
  if (element_.get(array) != simdjson::SUCCESS) refuse("a list of numbers is needed here");
  std::vector<double> all;
  for (const auto& item : array) {
    double value = 0.0;
    if (item.get(value) != simdjson::SUCCESS) refuse("element " + std::to_string(all.size()) + " is not a number");
    all.push_back(value);
  }
  return all;
}

std::vector<std::string> JsonNode::texts() const {
  std::vector<std::string> all;
  for (const JsonNode& item : items()) all.emplace_back(item.text());
  return all;
}

}  // namespace skerry::wire
