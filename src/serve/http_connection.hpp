/// \file
/// Connections of the HTTP server and the threads they live on: sockets, framing, limits of time and size. Only
/// http_server.cpp includes it: Boost.Beast is dear to compile.
#pragma once

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <skerry/error.hpp>
#include <thread>
#include <type_traits>
#include <unordered_set>

#include "serve/http_shared.hpp"
#include "wire/circuits.hpp"

namespace skerry::serve::connections {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Secure = asio::ssl::stream<Socket>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How late a connection may be ended; a timer for each would cost every request.
inline constexpr milliseconds kSweep{100};
inline constexpr std::size_t kReadAtOnce = 4 << 10;
inline constexpr milliseconds kLinger{2000};
inline constexpr milliseconds kWriteTime{30'000};
inline constexpr std::uint64_t kMaxStreamed = std::uint64_t{8} << 20;  // waiting for one listener that does not read

struct Lane;

// One socket. Lives on one thread's context; everything but the Exchange's calls runs there.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Shared& shared, Lane& lane);
  virtual ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  virtual void start() = 0;
  virtual void close() = 0;
  // Called by the exchange through post().
  virtual void write(HttpResponse response) = 0;
  virtual void open_stream(const HttpResponse& head) = 0;
  virtual void push(std::string chunk) = 0;
  virtual void finish_stream() = 0;
  /// Closes if nothing is being answered; else after the answer.
  void drain() {
    if (!busy_) close();
  }
  bool is_late(steady_clock::time_point now) const noexcept { return now >= deadline_; }
  /// Ends a connection whose time is over; whoever is that slow does not read an answer either.
  void expire() {
    if (is_counted_) shared_.timed_out.fetch_add(1);
    close();
  }

 protected:
  // is_counted: as slow, when the time is over.
  void expires_after(milliseconds time, bool is_counted = false) {
    deadline_ = steady_clock::now() + time;
    is_counted_ = is_counted;
  }
  void expires_never() { deadline_ = steady_clock::time_point::max(); }

  Shared& shared_;
  Lane& lane_;
  steady_clock::time_point deadline_ = steady_clock::time_point::max();
  bool busy_ = false, is_counted_ = false;
};

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
  void read_body();
  void on_body(error_code error);
  void hand_over();
  void watch();
  void refuse(error_code error);
  void refuse(const Error& error, int status);
  void write_chunk();
  void written(error_code error);
  void linger();

  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  Waiting waiting_;
  std::shared_ptr<Connection> kept_;  // itself, while others work on its answer
  std::weak_ptr<Exchange> exchange_;
  std::string head_, body_, peer_;
  std::deque<std::string> chunks_;
  std::uint64_t chunk_bytes_ = 0;
  bool keep_alive_ = false, watched_ = false, streaming_ = false, stream_ended_ = false, writing_ = false,
       is_head_ = false;
};

// One thread, its context, and the connections that live there.
struct Lane : std::enable_shared_from_this<Lane> {
  asio::io_context context{1};
  asio::executor_work_guard<Executor> work{context.get_executor()};
  Timer sweeper{context};
  bool is_sweeping = false;
  std::unordered_set<Connection*> connections;
  std::thread thread;
  const Connection* handing_over = nullptr;  // whose request is being given to the handler at this moment

  // Ends connections that are too slow, for as long as there are any.
  void sweep();
};

// Holds its connection weakly: a connection begins and ends on its own thread, wherever the last word about its request
// is spoken. The lane is held, so that there is somewhere to post to even when the server has ended.
class SocketExchange final : public Exchange {
 public:
  SocketExchange(std::shared_ptr<Lane> lane, std::weak_ptr<Connection> connection)
      : lane_(std::move(lane)), connection_(std::move(connection)) {}
  ~SocketExchange() override {
    if (streams_.load()) end_stream();
    if (!answered_.load()) {
      try {
        respond({.status = 500, .body = wire::encode(Error(ErrorCode::internal, "the request was dropped"))});
      } catch (...) {  // no memory left for the answer: the connection's own time limit ends it
        (void)0;
      }
    }
  }
  SocketExchange(const SocketExchange&) = delete;
  SocketExchange& operator=(const SocketExchange&) = delete;

  void respond(HttpResponse response) override {
    if (answered_.exchange(true)) return;
    // By the handler itself: there is nothing to wait for.
    if (lane_->context.get_executor().running_in_this_thread() && lane_->handing_over != nullptr) {
      if (const auto to = connection_.lock(); to && to.get() == lane_->handing_over)
        return to->write(std::move(response));
    }
    tell([response = std::move(response)](Connection& to) mutable { to.write(std::move(response)); });
  }
  void begin_stream(HttpResponse head) override {
    if (answered_.exchange(true)) return;
    streams_ = true;
    tell([head = std::move(head)](Connection& to) { to.open_stream(head); });
  }
  void send(std::string chunk) override {
    tell([chunk = std::move(chunk)](Connection& to) mutable { to.push(std::move(chunk)); });
  }
  void end_stream() override {
    if (!streams_.exchange(false)) return;
    tell([](Connection& to) { to.finish_stream(); });
  }

 private:
  template <class Word>
  void tell(Word word) {
    asio::post(lane_->context, [to = connection_, word = std::move(word)]() mutable {
      if (const auto connection = to.lock()) word(*connection);
    });
  }

  std::shared_ptr<Lane> lane_;
  std::weak_ptr<Connection> connection_;
  std::atomic<bool> answered_{false}, streams_{false};
};

inline Connection::Connection(Shared& shared, Lane& lane) : shared_(shared), lane_(lane) {
  lane_.connections.insert(this);
  if (!lane_.is_sweeping) lane_.sweep();
}

inline void Lane::sweep() {
  const auto now = steady_clock::now();
  std::vector<Connection*> late;  // a connection that is closed may leave the set at once
  for (Connection* connection : connections) {
    if (connection->is_late(now)) late.push_back(connection);
  }
  for (Connection* connection : late) connection->expire();
  is_sweeping = !connections.empty();
  if (!is_sweeping) return;
  sweeper.expires_after(kSweep);
  sweeper.async_wait([this](error_code error) {
    if (!error) sweep();
  });
}

inline Connection::~Connection() {
  lane_.connections.erase(this);
  if (shared_.open.fetch_sub(1) == 1) {
    const std::lock_guard lock(shared_.mutex);
    shared_.closed.notify_all();
  }
}

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
  if constexpr (std::is_same_v<Stream, Socket>) {
    // Waiting first saves the attempt to read what cannot be there yet.
    lowest().async_wait(Socket::wait_read, [self = self()](error_code error) {
      if (error) return self->close();
      const std::size_t bytes = self->stream_.read_some(self->buffer_.prepare(kReadAtOnce), error);
      if (error == asio::error::would_block) return self->wait_for_bytes();
      if (error) return self->close();
      self->buffer_.commit(bytes);
      self->parse_head();
    });
  } else {
    stream_.async_read_some(buffer_.prepare(kReadAtOnce), [self = self()](error_code error, std::size_t bytes) {
      if (error) return self->close();
      self->buffer_.commit(bytes);
      self->parse_head();
    });
  }
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
  if (message.count(http::field::content_length) > 1 || message.count(http::field::transfer_encoding) > 1 ||
      (message.count(http::field::content_length) > 0 && message.count(http::field::transfer_encoding) > 0)) {
    return refuse(Error(ErrorCode::syntax_error, "the length of the body is told twice", "head"), 400);
  }
  if (message.version() != 11 && message.version() != 10)
    return refuse(Error(ErrorCode::unsupported, "this server speaks HTTP/1.1", "head"), 400);
  const std::uint64_t length = parser_->content_length().value_or(parser_->chunked() ? 1 << 20 : 0);
  try {
    waiting_ = length > 0 ? Waiting(shared_, length) : Waiting();
  } catch (const Error& full) {
    return refuse(full, 503);
  }
  expires_after(shared_.options.header_time + milliseconds(1000 * length / shared_.options.least_body_rate), true);
  if (beast::iequals(message[http::field::expect], "100-continue")) {
    head_ = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(head_), [self = self()](error_code failed, std::size_t) {
      if (failed) return self->close();
      self->read_body();
    });
    return;
  }
  read_body();
}

template <class Stream>
void StreamConnection<Stream>::read_body() {
  if (parser_->is_done()) return hand_over();
  if (buffer_.size() > 0) {
    error_code error;
    parser_->eager(true);
    buffer_.consume(parser_->put(buffer_.data(), error));
    if (error && error != http::error::need_more) return refuse(error);
    if (parser_->is_done()) return hand_over();
  }
  http::async_read(stream_, buffer_, *parser_,
                   [self = self()](error_code error, std::size_t) { self->on_body(error); });
}

template <class Stream>
void StreamConnection<Stream>::on_body(error_code error) {
  if (error) return refuse(error);
  hand_over();
}

template <class Stream>
void StreamConnection<Stream>::hand_over() {
  expires_never();
  kept_ = this->shared_from_this();
  auto exchange = std::make_shared<SocketExchange>(lane_.shared_from_this(), this->weak_from_this());
  exchange_ = exchange;
  auto message = parser_->release();
  parser_.reset();
  HttpRequest& request = exchange->request;
  request.method = message.method_string();
  request.target = message.target();
  request.body = std::move(message.body());
  request.headers.reserve(8);
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    request.headers.emplace_back(std::move(name), field.value());
  }
  request.peer = peer_;
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
  write({.status = status, .body = wire::encode(error)});
}

template <class Stream>
void StreamConnection<Stream>::write(HttpResponse response) {
  const auto keep = std::move(kept_);
  exchange_.reset();
  waiting_ = Waiting();
  if (shared_.draining.load()) keep_alive_ = false;
  head_ = head_of(response, keep_alive_, response.body.size());
  body_ = is_head_ ? std::string() : std::move(response.body);
  expires_after(kWriteTime + milliseconds(1000 * body_.size() / shared_.options.least_body_rate));
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
  asio::async_write(stream_, both, [self = self()](error_code error, std::size_t) {
    self->body_ = {};
    self->written(error);
  });
}

template <class Stream>
void StreamConnection<Stream>::written(error_code error) {
  if (error) return close();
  if (!keep_alive_) return linger();
  next_request();
}

// Sends the end and swallows what still comes, so that a reset does not overtake the answer.
template <class Stream>
void StreamConnection<Stream>::linger() {
  error_code ignored;
  lowest().shutdown(tcp::socket::shutdown_send, ignored);
  expires_after(kLinger);
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(64 << 10), [self = self()](error_code error, std::size_t) {
    if (error) return self->close();
    self->linger();
  });
}

template <class Stream>
void StreamConnection<Stream>::open_stream(const HttpResponse& head) {
  waiting_ = Waiting();
  streaming_ = true;
  keep_alive_ = false;
  push(head_of(head, false, std::nullopt));
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
