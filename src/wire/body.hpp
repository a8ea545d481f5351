/// \file
/// The body of a message: JSON, then the raw bytes of the tensors that the JSON announces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace skerry::wire {

/// Name of the HTTP header that says how many bytes of a body are JSON; absent when all of them are.
inline constexpr std::string_view kJsonLengthHeader = "Inference-Header-Content-Length";

/// An encoded message. Its JSON length is sent as a header when has_binary().
struct Body {
  std::string bytes;
  std::size_t json_bytes = 0;  ///< the JSON is the first of them
  bool has_binary() const noexcept { return json_bytes != bytes.size(); }
  operator std::string_view() const noexcept { return bytes; }  // NOLINT(google-explicit-constructor)
};

/// A received message; whoever received it keeps the bytes.
struct BodyView {
  std::string_view bytes;
  std::size_t json_bytes = 0;

  BodyView(std::string_view all) : bytes(all), json_bytes(all.size()) {}          // NOLINT(google-explicit-constructor)
  BodyView(const Body& body) : bytes(body.bytes), json_bytes(body.json_bytes) {}  // NOLINT(google-explicit-constructor)
  /// Errors: invalid_argument when the JSON would be longer than everything.
  BodyView(std::string_view all, std::size_t json_length);

  std::string_view json() const noexcept { return bytes.substr(0, json_bytes); }
  std::string_view binary() const noexcept { return bytes.substr(json_bytes); }
};

/// Nesting of a received JSON text that is followed at most.
inline constexpr std::size_t kMaxDepth = 64;

}  // namespace skerry::wire
