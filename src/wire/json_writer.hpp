/// \file
/// JSON text, written front to back.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace skerry::wire {

/// Appends JSON to a string; commas are its business, matching brackets the caller's.
///
///     JsonWriter json;
///     json.open('{').key("live").value(true).close('}');
///     json.text()  // {"live":true}
class JsonWriter {
 public:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& key(std::string_view name);
  /// Control characters are escaped; bytes that are not UTF-8 become U+FFFD.
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag);
  /// The shortest digits that read back as the same number. JSON has no other numbers than finite ones: null then.
  JsonWriter& value(double number);
  JsonWriter& value(float number);
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  JsonWriter& value(T number) {
    if constexpr (std::is_signed_v<T>) return whole(static_cast<std::int64_t>(number));
    return whole(static_cast<std::uint64_t>(number));
  }
  template <class T>
  JsonWriter& values(std::span<const T> all) {
    open('[');
    for (const T& one : all) value(one);
    return close(']');
  }
  template <class T>
  JsonWriter& field(std::string_view name, const T& content) {
    return key(name).value(content);
  }
  /// JSON that is written already.
  JsonWriter& raw(std::string_view json);

  const std::string& text() const& noexcept { return text_; }
  std::string text() && noexcept { return std::move(text_); }
  void reserve(std::size_t bytes) { text_.reserve(bytes); }

 private:
  JsonWriter& whole(std::int64_t number);
  JsonWriter& whole(std::uint64_t number);
  void separate();
  void quote(std::string_view text, std::string_view end);

  std::string text_;
  bool first_ = true;  // nothing stands before the next element
};

}  // namespace skerry::wire
