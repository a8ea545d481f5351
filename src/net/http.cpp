#include "net/http.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <skerry/error.hpp>

namespace skerry::net {
namespace {

constexpr std::size_t kMaxHead = 64 << 10;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return lower(c); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> number(std::string_view digits, int base) {
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || code != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// Reads an answer: what came and was not used yet is kept in front.
class Reader {
 public:
  Reader(Connection& connection, std::string name, std::uint64_t max_body, const Patience& patience)
      : connection_(connection), name_(std::move(name)), max_body_(max_body), patience_(patience) {}

  HttpAnswer read(bool has_no_body) {
    HttpAnswer answer;
    do {  // 1xx come before the answer
      head(answer);
    } while (answer.status / 100 == 1);
    const std::string connection = lower(answer.header("connection"));
    answer.may_go_on = version_ == "HTTP/1.1" && connection.find("close") == std::string::npos;
    const std::string coding = lower(answer.header("transfer-encoding"));
    const std::string_view length = answer.header("content-length");
    if (has_no_body || answer.status == 204 || answer.status == 304) return answer;
    if (!coding.empty()) {
      if (coding != "chunked" || !length.empty()) refuse("its body has an unknown framing");
      chunks(answer);
    } else if (!length.empty()) {
      const auto bytes = number(length, 10);
      if (!bytes) refuse("its Content-Length is no number");
      take(answer.body, *bytes);
    } else {
      answer.may_go_on = false;
      for (;;) {
        append(answer.body, buffer_.size());
        if (!more()) break;
      }
    }
    if (!buffer_.empty()) answer.may_go_on = false;  // more than was asked for: never mistaken for the next answer
    return answer;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::unavailable, "the answer is not understood: " + why, name_,
                "does a server of HTTP listen there");
  }

  bool more() {
    std::array<char, 1 << 16> bytes;
    const std::size_t count = connection_.read(bytes, patience_);
    buffer_.append(bytes.data(), count);
    return count != 0;
  }

  std::string line() {
    for (;;) {
      const std::size_t end = buffer_.find('\n');
      if (end != std::string::npos) {
        std::string out = buffer_.substr(0, end > 0 && buffer_[end - 1] == '\r' ? end - 1 : end);
        buffer_.erase(0, end + 1);
        return out;
      }
      if (buffer_.size() > kMaxHead) too_large("head", kMaxHead);
      if (!more()) throw Error(ErrorCode::unavailable, "the connection was closed before the answer", name_);
    }
  }

  [[noreturn]] void too_large(const char* part, std::uint64_t most) const {
    throw Error(ErrorCode::limit_exceeded,
                std::string("the ") + part + " of the answer is longer than " + std::to_string(most) + " bytes", name_);
  }

  void head(HttpAnswer& answer) {
    const std::string status = line();
    const std::uint64_t code = status.size() >= 12 ? number(std::string_view(status).substr(9, 3), 10).value_or(0) : 0;
    if (!status.starts_with("HTTP/1.") || code < 100) refuse("it does not begin with an HTTP status");
    version_ = status.substr(0, 8);
    answer.status = static_cast<int>(code);
    answer.headers.clear();
    std::size_t bytes = 0;
    for (std::string text = line(); !text.empty(); text = line()) {
      bytes += text.size();
      if (bytes > kMaxHead) too_large("head", kMaxHead);
      const std::size_t colon = text.find(':');
      if (colon == std::string::npos || colon == 0) refuse("a header has no name");
      answer.headers.emplace_back(lower(std::string_view(text).substr(0, colon)),
                                  trimmed(std::string_view(text).substr(colon + 1)));
    }
  }

  void append(std::string& body, std::size_t count) {
    if (body.size() + count > max_body_) too_large("body", max_body_);
    body.append(buffer_, 0, count);
    buffer_.erase(0, count);
  }

  void take(std::string& body, std::uint64_t bytes) {
    if (bytes > max_body_ || body.size() + bytes > max_body_) too_large("body", max_body_);
    while (bytes != 0) {
      const std::size_t count = std::min<std::uint64_t>(buffer_.size(), bytes);
      append(body, count);
      bytes -= count;
      if (bytes != 0 && !more())
        throw Error(ErrorCode::unavailable, "the connection was closed within the answer", name_);
    }
  }

  void chunks(HttpAnswer& answer) {
    for (;;) {
      const std::string text = line();
      const auto bytes = number(trimmed(std::string_view(text).substr(0, text.find(';'))), 16);
      if (!bytes) refuse("a chunk has no length");
      if (*bytes == 0) break;
      take(answer.body, *bytes);
      if (!line().empty()) refuse("a chunk is longer than it says");
    }
    std::size_t trailers = 0;
    for (std::string text = line(); !text.empty(); text = line()) {
      trailers += text.size();
      if (trailers > kMaxHead) too_large("head", kMaxHead);
    }
  }

  Connection& connection_;
  std::string name_, buffer_, version_;
  std::uint64_t max_body_;
  const Patience& patience_;
};

}  // namespace

std::string_view HttpAnswer::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

HttpAnswer exchange(Connection& connection, const Url& url, const HttpRequest& request, std::uint64_t max_body_bytes,
                    const Patience& patience) {
  std::string head = request.method + ' ' + url.path + request.target + " HTTP/1.1\r\nHost: " + url.authority() +
                     "\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n";
  for (const auto& [name, value] : request.headers) head.append(name).append(": ").append(value).append("\r\n");
  head += "\r\n";
  // A short body goes with its head: two writes may cost two round trips.
  constexpr std::size_t kTogether = 16 << 10;
  const bool together = request.body.size() <= kTogether;
  if (together) head += request.body;
  connection.write(head, patience);
  if (!together) connection.write(request.body, patience);
  return Reader(connection, url.text(), max_body_bytes, patience).read(request.method == "HEAD");
}

}  // namespace skerry::net
