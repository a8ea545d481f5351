#include "serve/http.hpp"

#include <skerry/error.hpp>

#include "serve/http_shared.hpp"

namespace skerry::serve {

std::string_view HttpRequest::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::string_view reason_phrase(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 414:
      return "URI Too Long";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 499:
      return "Client Closed Request";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "Error";
  }
}

Waiting::Waiting(Shared& shared, std::uint64_t bytes) : shared_(&shared), bytes_(bytes) {
  const std::uint64_t before = shared.waiting_bytes.fetch_add(bytes);
  if (before + bytes > shared.options.max_waiting_bytes) {
    reset();
    throw Error(ErrorCode::unavailable, "the server holds as many request bytes as it may", "body", "try again later");
  }
}

std::string head_of(const HttpResponse& response, bool keep_alive, std::optional<std::size_t> length) {
  std::string head;
  head.reserve(320);
  head += "HTTP/1.1 ";
  head += std::to_string(response.status);
  head += ' ';
  head += reason_phrase(response.status);
  head += "\r\nContent-Type: ";
  head += response.type;
  if (length) head.append("\r\nContent-Length: ").append(std::to_string(*length));
  for (const auto& [name, value] : response.headers) head.append("\r\n").append(name).append(": ").append(value);
  head += keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  return head;
}

}  // namespace skerry::serve
