/// \file
/// Connections of the HTTP server and the threads they live on: sockets, framing, limits of time and size. Only
/// http_server.cpp includes it: Boost.Beast is dear to compile.
#pragma once

#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>
#include <type_traits>

#include "serve/http_lane.hpp"

namespace skerry::serve::connections {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Secure = asio::ssl::stream<Socket>;

inline constexpr std::size_t kReadAtOnce = 4 << 10;
inline constexpr milliseconds kLinger{2000};
inline constexpr milliseconds kWriteTime{30'000};
inline constexpr std::uint64_t kMaxStreamed = std::uint64_t{8} << 20;  // waiting for one listener that does not read

// Over plain TCP or TLS.
template <class Stream>
class StreamConnection final : public Connection {
 public:
  template <class... Layer>
  StreamConnection(Shared& shared, Lane& lane, Socket socket, Layer&... layer)
      : Connection(shared, lane), stream_(std::move(socket), layer...) {
    error_code ignored;
    lowest().set_option(tcp::no_delay(true), ignored);
    lowest().non_blocking(true, ignored);
    const auto peer = lowest().remote_endpoint(ignored);
    peer_ = peer.address().to_string(ignored) + ":" + std::to_string(peer.port());
  }

  void start() override;
  void close() override;
  void write(HttpResponse response) override;
  void open_stream(const HttpResponse& head) override;
  void push(std::string chunk) override;
  void finish_stream() override;
  void cut_off() override;

 private:
  Socket& lowest() { return beast::get_lowest_layer(stream_); }
  // shared: a handler that waits keeps its connection.
  std::shared_ptr<StreamConnection> self() {
    return std::static_pointer_cast<StreamConnection>(this->shared_from_this());
  }
  void next_request();
  void wait_for_bytes();
  void parse_head();
  void read_head();
  void on_head(error_code error);
  std::shared_ptr<SocketExchange> new_exchange();
  bool is_whole() const;
  bool is_let_in();
  void begin_body();
  void read_body();
  void on_body();
  void hand_over();
  void watch();
  void refuse(error_code error);
  void refuse(const Error& error, int status);
  void refuse(const std::shared_ptr<SocketExchange>& exchange, const Error& error, int status);
  void write_chunk();
  void written(error_code error);
  void linger();
  void swallow();

  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  Waiting waiting_;
  std::uint64_t stretch_ = 0;              // where the body's present stretch ends, each of which has its time
  std::shared_ptr<Connection> kept_;       // itself, while others work on its answer
  std::shared_ptr<SocketExchange> asked_;  // shared: with who answers it; held from the head to the body's end
  std::weak_ptr<SocketExchange> exchange_;
  std::string head_, body_, peer_;
  std::deque<std::string> chunks_;
  std::uint64_t chunk_bytes_ = 0;
  bool keep_alive_ = false, watched_ = false, streaming_ = false, stream_ended_ = false, writing_ = false,
       is_head_ = false, writing_answer_ = false;
};

template <class Stream>
void StreamConnection<Stream>::start() {
  if constexpr (std::is_same_v<Stream, Secure>) {
    expires_after(shared_.options.header_time);
    stream_.async_handshake(asio::ssl::stream_base::server, [self = self()](error_code error) {
      if (error) {
        self->shared_.malformed.fetch_add(1);
        return self->close();
      }
      self->next_request();
    });
  } else {
    next_request();
  }
}

template <class Stream>
void StreamConnection<Stream>::close() {
  const auto keep = std::move(kept_);  // until the end of this function at least
  if (const auto exchange = exchange_.lock()) exchange->closed.request_stop();
  if (asked_) std::exchange(asked_, nullptr)->abandon();
  error_code ignored;
  lowest().close(ignored);
}

template <class Stream>
void StreamConnection<Stream>::next_request() {
  busy_ = false;
  if (shared_.draining.load()) return linger();
  parser_.emplace();
  parser_->header_limit(shared_.options.max_header_bytes);
  parser_->body_limit(shared_.options.max_body_bytes);
  if (buffer_.size() > 0) return parse_head();
  expires_after(shared_.options.idle_time);
  wait_for_bytes();
}

template <class Stream>
void StreamConnection<Stream>::wait_for_bytes() {
  // That nothing is there yet takes less to find out than to have the kernel look again (async_wait).
  stream_.async_read_some(buffer_.prepare(kReadAtOnce), [self = self()](error_code error, std::size_t bytes) {
    if (error) return self->close();
    self->buffer_.commit(bytes);
    self->parse_head();
  });
}

// Of what is in the buffer; most requests are there as a whole.
template <class Stream>
void StreamConnection<Stream>::parse_head() {
  busy_ = true;
  error_code error;
  parser_->eager(false);
  buffer_.consume(parser_->put(buffer_.data(), error));
  if (error == http::error::need_more) return read_head();
  on_head(error);
}

template <class Stream>
void StreamConnection<Stream>::read_head() {
  expires_after(shared_.options.header_time, true);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = self()](error_code error, std::size_t) { self->on_head(error); });
}

template <class Stream>
void StreamConnection<Stream>::on_head(error_code error) {
  if (error) return refuse(error);
  const auto& message = parser_->get();
  is_head_ = message.method() == http::verb::head;
  keep_alive_ = parser_->keep_alive();
  const std::size_t lengths = message.count(http::field::content_length);
  const std::size_t codings = message.count(http::field::transfer_encoding);
  if (lengths + codings > 1) {
    return refuse(Error(ErrorCode::syntax_error, "the length of the body is told twice", "head"), 400);
  }
  // A coding that is not understood would be read as no body, and the body as the next request.
  if (codings > 0 && (!parser_->chunked() || message.version() == 10))
    return refuse(Error(ErrorCode::unsupported, "the only Transfer-Encoding is chunked, of HTTP/1.1", "head"), 400);
  if (message.version() != 11 && message.version() != 10)
    return refuse(Error(ErrorCode::unsupported, "this server speaks HTTP/1.1", "head"), 400);
  if (parser_->is_done()) return hand_over();
  if (!is_whole() && !is_let_in()) return;
  stretch_ = 0;
  waiting_ = Waiting(shared_, 0);
  if (!is_whole() && beast::iequals(message[http::field::expect], "100-continue")) {
    head_ = "HTTP/1.1 100 Continue\r\n\r\n";
    expires_after(shared_.options.header_time, true);
    asio::async_write(stream_, asio::buffer(head_), [self = self()](error_code failed, std::size_t) {
      if (failed) return self->close();
      self->begin_body();
    });
    return;
  }
  begin_body();
}

// Whether the body lies in the buffer already.
template <class Stream>
bool StreamConnection<Stream>::is_whole() const {
  return !parser_->chunked() && buffer_.size() >= parser_->content_length().value_or(0);
}

// Whoever may not ask is told so before his body takes time and room.
template <class Stream>
bool StreamConnection<Stream>::is_let_in() {
  if (!shared_.gate) return true;
  const bool keep_alive = std::exchange(keep_alive_, false);  // refused: what follows the head is no next request
  asked_ = new_exchange();
  lane_.handing_over = this;
  const bool is_in = shared_.gate(asked_, parser_->content_length().value_or(~std::uint64_t{0}));
  lane_.handing_over = nullptr;
  if (is_in) keep_alive_ = keep_alive;
  return is_in;
}

// What came with the head.
template <class Stream>
void StreamConnection<Stream>::begin_body() {
  parser_->eager(true);
  if (buffer_.size() > 0) {
    error_code error;
    buffer_.consume(parser_->put(buffer_.data(), error));
    if (error && error != http::error::need_more) return refuse(error);
  }
  on_body();
}

template <class Stream>
void StreamConnection<Stream>::read_body() {
  http::async_read_some(stream_, buffer_, *parser_, [self = self()](error_code error, std::size_t) {
    if (error) return self->refuse(error);
    self->on_body();
  });
}

// What has come is counted, not what was announced: an announcement costs its sender nothing. Each stretch of the body
// has as long as the least rate takes for it, so that nobody holds what he once sent quickly.
template <class Stream>
void StreamConnection<Stream>::on_body() {
  const std::uint64_t has = parser_->get().body().size();
  try {
    waiting_.grow(has);
  } catch (const Error& full) {
    keep_alive_ = false;
    return refuse(asked_ ? std::exchange(asked_, nullptr) : new_exchange(), full, 503);
  }
  if (parser_->is_done()) return hand_over();
  if (has >= stretch_) {
    const auto time = static_cast<std::uint64_t>(shared_.options.header_time.count());
    stretch_ = has + std::max<std::uint64_t>(1, shared_.options.least_body_rate * time / 1000);
    expires_after(shared_.options.header_time, true);
  }
  read_body();
}

// Of the head alone.
template <class Stream>
std::shared_ptr<SocketExchange> StreamConnection<Stream>::new_exchange() {
  auto exchange = std::make_shared<SocketExchange>(lane_.shared_from_this(), this->weak_from_this());
  const auto& message = parser_->get();
  HttpRequest& request = exchange->request;
  request.method = message.method_string();
  request.target = message.target();
  request.headers.reserve(8);
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    request.headers.emplace_back(std::move(name), field.value());
  }
  request.peer = peer_;
  return exchange;
}

template <class Stream>
void StreamConnection<Stream>::hand_over() {
  expires_never();
  kept_ = this->shared_from_this();
  const bool was_asked = asked_ != nullptr;
  const auto exchange = was_asked ? std::exchange(asked_, nullptr) : new_exchange();
  exchange_ = exchange;
  if (was_asked) exchange->arrived = steady_clock::now();  // its body came after its head
  exchange->request.body = std::move(parser_->get().body());
  parser_.reset();
  lane_.handing_over = this;
  try {
    shared_.handler(exchange);
  } catch (const Error& error) {
    exchange->respond({.status = error_info(error.code()).http_status, .body = wire::encode(error)});
  } catch (const std::exception& error) {
    const Error internal(ErrorCode::internal, error.what());
    exchange->respond({.status = 500, .body = wire::encode(internal)});
  }
  lane_.handing_over = nullptr;
  if (kept_) watch();  // not answered yet
}

// Waits for the other end to go away while its request is being worked on. Bytes of a next request end the watch.
template <class Stream>
void StreamConnection<Stream>::watch() {
  if (watched_ || buffer_.size() > 0) return;
  watched_ = true;
  lowest().async_wait(Socket::wait_read, [self = self()](error_code error) {
    self->watched_ = false;
    const auto exchange = self->exchange_.lock();
    if (error || !exchange) return;
    char byte = 0;
    error_code failed;
    self->lowest().receive(asio::buffer(&byte, 1), Socket::message_peek, failed);
    if (failed && failed != asio::error::would_block && failed != asio::error::try_again) self->close();
  });
}

template <class Stream>
void StreamConnection<Stream>::refuse(error_code error) {
  if (error == http::error::end_of_stream || error.category() == asio::error::get_system_category() ||
      error.category() == asio::error::get_ssl_category() || error == asio::ssl::error::stream_truncated ||
      error == asio::error::eof) {
    return close();
  }
  if (error == http::error::body_limit) {
    return refuse(Error(ErrorCode::limit_exceeded,
                        "the body is larger than " + std::to_string(shared_.options.max_body_bytes) + " bytes", "body"),
                  413);
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return refuse(
        Error(ErrorCode::limit_exceeded,
              "the headers are larger than " + std::to_string(shared_.options.max_header_bytes) + " bytes", "head"),
        431);
  }
  refuse(Error(ErrorCode::syntax_error, "not HTTP: " + error.message(), "head"), 400);
}

template <class Stream>
void StreamConnection<Stream>::refuse(const Error& error, int status) {
  shared_.malformed.fetch_add(1);
  keep_alive_ = false;
  const bool has_head = parser_->is_header_done() || status == 413;  // an announced length is looked at last
  if (!has_head) return write({.status = status, .body = wire::encode(error)});
  refuse(asked_ ? std::exchange(asked_, nullptr) : new_exchange(), error, status);
}

// By whoever answers the others, so that it is counted and logged as they are.
template <class Stream>
void StreamConnection<Stream>::refuse(const std::shared_ptr<SocketExchange>& exchange, const Error& error, int status) {
  lane_.handing_over = this;
  if (shared_.refusal) {
    shared_.refusal(exchange, error, status);
  } else {
    exchange->respond({.status = status, .body = wire::encode(error), .headers = {{"Retry-After", "1"}}});
  }
  lane_.handing_over = nullptr;
}

template <class Stream>
void StreamConnection<Stream>::write(HttpResponse response) {
  const auto keep = std::move(kept_);
  exchange_.reset();
  if (asked_) std::exchange(asked_, nullptr)->abandon();
  waiting_ = Waiting();
  writing_answer_ = true;
  if (shared_.draining.load()) keep_alive_ = false;
  head_ = head_of(response, keep_alive_, response.body.size());
  body_ = is_head_ ? std::string() : std::move(response.body);
  std::array<asio::const_buffer, 2> both = {asio::buffer(head_), asio::buffer(body_)};
  if constexpr (std::is_same_v<Stream, Socket>) {
    error_code error;
    const std::size_t sent = stream_.write_some(both, error);
    // A next request that is here already would be answered within this one, and so on: it takes the long way.
    if (!error && sent == head_.size() + body_.size() && buffer_.size() == 0) {
      body_ = {};
      return written({});
    }
    if (error && error != asio::error::would_block) return close();
    const std::size_t of_head = std::min(sent, head_.size());
    both[0] += of_head;
    both[1] += sent - of_head;
  }
  expires_after(kWriteTime + milliseconds(1000 * body_.size() / shared_.options.least_body_rate));
  asio::async_write(stream_, both, [self = self()](error_code error, std::size_t) {
    self->body_ = {};
    self->written(error);
  });
}

template <class Stream>
void StreamConnection<Stream>::cut_off() {
  if (writing_answer_) return;  // it has its own time
  const auto exchange = exchange_.lock();
  if (!exchange || streaming_) return close();
  const auto keep = self();
  refuse(exchange, Error(ErrorCode::unavailable, "the server is going down", "server", "try again later"), 503);
  exchange->closed.request_stop();  // after the refusal: what is stopped would be told too
}

template <class Stream>
void StreamConnection<Stream>::written(error_code error) {
  writing_answer_ = false;
  if (error) return close();
  if (!keep_alive_) return linger();
  next_request();
}

// Sends the end and swallows what still comes, so that a reset does not overtake the answer.
template <class Stream>
void StreamConnection<Stream>::linger() {
  error_code ignored;
  lowest().shutdown(tcp::socket::shutdown_send, ignored);
  expires_after(kLinger);  // of all that comes: one byte a second must not hold the place
  swallow();
}

template <class Stream>
void StreamConnection<Stream>::swallow() {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(64 << 10), [self = self()](error_code error, std::size_t) {
    if (error) return self->close();
    self->swallow();
  });
}

template <class Stream>
void StreamConnection<Stream>::open_stream(const HttpResponse& head) {
  waiting_ = Waiting();
  streaming_ = true;
  keep_alive_ = false;
  push(head_of(head, false, std::nullopt));
  if (!is_head_) return;
  if (const auto exchange = exchange_.lock()) exchange->closed.request_stop();  // nobody listens to what follows
  finish_stream();
}

template <class Stream>
void StreamConnection<Stream>::push(std::string chunk) {
  if (!streaming_ || stream_ended_) return;
  chunk_bytes_ += chunk.size();
  if (chunk_bytes_ > kMaxStreamed) return close();
  chunks_.push_back(std::move(chunk));
  write_chunk();
}

template <class Stream>
void StreamConnection<Stream>::finish_stream() {
  const auto keep = std::move(kept_);
  stream_ended_ = true;
  write_chunk();
}

template <class Stream>
void StreamConnection<Stream>::write_chunk() {
  if (writing_) return;
  if (chunks_.empty()) {
    if (stream_ended_) linger();
    return;
  }
  writing_ = true;
  head_ = std::move(chunks_.front());
  chunks_.pop_front();
  chunk_bytes_ -= head_.size();
  expires_after(kWriteTime);
  asio::async_write(stream_, asio::buffer(head_), [self = self()](error_code error, std::size_t) {
    self->writing_ = false;
    if (error) return self->close();
    self->expires_never();
    self->write_chunk();
  });
}

}  // namespace skerry::serve::connections
