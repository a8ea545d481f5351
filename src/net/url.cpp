#include "net/url.hpp"

#include <algorithm>
#include <charconv>
#include <skerry/error.hpp>

namespace skerry::net {
namespace {

/// What is read, and what it is called where it came from.
struct Source {
  std::string_view text, field;
};

[[noreturn]] void refuse(const Source& source, const std::string& why) {
  throw Error(ErrorCode::invalid_argument, "'" + std::string(source.text.substr(0, 200)) + "' " + why,
              std::string(source.field), "write http://host:port or https://host:port");
}

std::uint16_t port_of(std::string_view digits, const Source& source) {
  unsigned port = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (code != std::errc() || end != digits.data() + digits.size() || port == 0 || port > 65535)
    refuse(source, "has no port between 1 and 65535");
  return static_cast<std::uint16_t>(port);
}

bool is_host_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == ':';
}

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (tls ? 443 : 80) ? name : name + ":" + std::to_string(port);
}

std::string Url::text() const {
  return (tls ? "https://" : "http://") + authority() + path;
}

Url parse_url(std::string_view text, std::string_view field) {
  const Source source{text, field};
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    url.port = 443;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    refuse(source, "does not begin with http:// or https://");
  }
  const std::size_t slash = rest.find('/');
  std::string_view path = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  std::string_view authority = rest.substr(0, slash);
  if (rest.find_first_of("?#@ \t\r\n") != std::string_view::npos) refuse(source, "holds more than host, port and path");
  if (std::ranges::any_of(path, [](char c) { return c <= ' ' || c > '~'; })) refuse(source, "has an odd path");
  while (path.ends_with('/')) path.remove_suffix(1);
  url.path = path;
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) refuse(source, "has an address without its ']'");
    url.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    const std::size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
    if (url.host.find(':') != std::string::npos) refuse(source, "has two ports");
  }
  if (url.host.empty()) refuse(source, "has no host");
  if (!std::ranges::all_of(url.host, is_host_letter)) refuse(source, "has an odd host");
  if (!port.empty()) {
    if (port[0] != ':') refuse(source, "has something behind its address");
    url.port = port_of(port.substr(1), source);
  }
  return url;
}

}  // namespace skerry::net
