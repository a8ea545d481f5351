// The one file that knows Boost.Beast: sockets, framing, limits of time and size. It is dear to compile.
#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cctype>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <skerry/error.hpp>
#include <thread>
#include <unordered_set>

#include "serve/http.hpp"
#include "wire/circuits.hpp"

namespace skerry::serve {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Stream = beast::basic_stream<tcp, Executor>;
using Socket = Stream::socket_type;
using std::chrono::milliseconds;

constexpr milliseconds kLinger{2000};
constexpr milliseconds kWriteTime{30'000};
constexpr std::uint64_t kMaxStreamed = std::uint64_t{8} << 20;  // waiting for one listener that does not read

struct Shared {
  HttpOptions options;
  HttpHandler handler;
  std::atomic<std::uint64_t> open{0}, accepted{0}, refused{0}, malformed{0}, timed_out{0}, waiting_bytes{0};
  std::atomic<bool> draining{false};
  std::mutex mutex;
  std::condition_variable closed;
};

// Bytes of a body that count against max_waiting_bytes for as long as this lives.
class Waiting {
 public:
  Waiting() = default;
  Waiting(Shared& shared, std::uint64_t bytes) : shared_(&shared), bytes_(bytes) {
    const std::uint64_t before = shared.waiting_bytes.fetch_add(bytes);
    if (before + bytes > shared.options.max_waiting_bytes) {
      reset();
      throw Error(ErrorCode::unavailable, "the server holds as many request bytes as it may", "body",
                  "try again later");
    }
  }
  Waiting(Waiting&& other) noexcept { swap(other); }
  Waiting& operator=(Waiting&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Waiting() { reset(); }

 private:
  void swap(Waiting& other) noexcept {
    std::swap(shared_, other.shared_);
    std::swap(bytes_, other.bytes_);
  }
  void reset() noexcept {
    if (shared_ != nullptr) shared_->waiting_bytes.fetch_sub(bytes_);
    shared_ = nullptr;
  }
  Shared* shared_ = nullptr;
  std::uint64_t bytes_ = 0;
};

std::string head_of(const HttpResponse& response, bool keep_alive, std::optional<std::size_t> length) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += reason_phrase(response.status);
  head += "\r\nContent-Type: ";
  head += response.type;
  if (length) head += "\r\nContent-Length: " + std::to_string(*length);
  for (const auto& [name, value] : response.headers) head += "\r\n" + name + ": " + value;
  head += keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  return head;
}

struct Lane;

// One socket. Lives on one thread's context; everything but the Exchange's calls runs there.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Socket socket, Shared& shared, Lane& lane);
  ~Connection();

  void start() { next_request(); }
  /// Closes if nothing is being answered; else after the answer.
  void drain();
  void close();

  // Called by the exchange through post().
  void write(HttpResponse response);
  void open_stream(const HttpResponse& head);
  void push(std::string chunk);
  void finish_stream();
  Executor executor() { return stream_.get_executor(); }

 private:
  void next_request();
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

  Shared& shared_;
  Lane& lane_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  Waiting waiting_;
  std::weak_ptr<Exchange> exchange_;
  std::string head_, body_;
  std::deque<std::string> chunks_;
  std::uint64_t chunk_bytes_ = 0;
  bool busy_ = false, keep_alive_ = false, watched_ = false, streaming_ = false, stream_ended_ = false,
       writing_ = false, is_head_ = false;
};

// One thread, its context, and the connections that live there.
struct Lane {
  asio::io_context context{1};
  asio::executor_work_guard<Executor> work{context.get_executor()};
  std::unordered_set<Connection*> connections;
  std::thread thread;
};

class SocketExchange final : public Exchange {
 public:
  explicit SocketExchange(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~SocketExchange() override {
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
    auto to = connection_;
    asio::post(to->executor(), [to, response = std::move(response)]() mutable { to->write(std::move(response)); });
  }
  void begin_stream(HttpResponse head) override {
    if (answered_.exchange(true)) return;
    asio::post(connection_->executor(), [to = connection_, head = std::move(head)] { to->open_stream(head); });
  }
  void send(std::string chunk) override {
    asio::post(connection_->executor(),
               [to = connection_, chunk = std::move(chunk)]() mutable { to->push(std::move(chunk)); });
  }
  void end_stream() override {
    asio::post(connection_->executor(), [to = connection_] { to->finish_stream(); });
  }

 private:
  std::shared_ptr<Connection> connection_;
  std::atomic<bool> answered_{false};
};

Connection::Connection(Socket socket, Shared& shared, Lane& lane)
    : shared_(shared), lane_(lane), stream_(std::move(socket)) {
  lane_.connections.insert(this);
  error_code ignored;
  stream_.socket().set_option(tcp::no_delay(true), ignored);
}

Connection::~Connection() {
  lane_.connections.erase(this);
  if (shared_.open.fetch_sub(1) == 1) {
    const std::lock_guard lock(shared_.mutex);
    shared_.closed.notify_all();
  }
}

void Connection::close() {
  if (const auto exchange = exchange_.lock()) exchange->closed.request_stop();
  error_code ignored;
  stream_.socket().close(ignored);
}

void Connection::drain() {
  if (!busy_) close();
}

void Connection::next_request() {
  busy_ = false;
  if (shared_.draining.load()) return linger();
  parser_.emplace();
  parser_->header_limit(shared_.options.max_header_bytes);
  parser_->body_limit(shared_.options.max_body_bytes);
  if (buffer_.size() > 0) return read_head();
  stream_.expires_after(shared_.options.idle_time);
  stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](error_code error, std::size_t bytes) {
    if (error) return self->close();
    self->buffer_.commit(bytes);
    self->busy_ = true;
    self->read_head();
  });
}

void Connection::read_head() {
  busy_ = true;
  stream_.expires_after(shared_.options.header_time);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](error_code error, std::size_t) { self->on_head(error); });
}

void Connection::on_head(error_code error) {
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
  stream_.expires_after(shared_.options.header_time + milliseconds(1000 * length / shared_.options.least_body_rate));
  if (beast::iequals(message[http::field::expect], "100-continue")) {
    head_ = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(head_), [self = shared_from_this()](error_code failed, std::size_t) {
      if (failed) return self->close();
      self->read_body();
    });
    return;
  }
  read_body();
}

void Connection::read_body() {
  if (parser_->is_done()) return hand_over();
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](error_code error, std::size_t) { self->on_body(error); });
}

void Connection::on_body(error_code error) {
  if (error) return refuse(error);
  hand_over();
}

void Connection::hand_over() {
  stream_.expires_never();
  auto exchange = std::make_shared<SocketExchange>(shared_from_this());
  exchange_ = exchange;
  auto message = parser_->release();
  parser_.reset();
  HttpRequest& request = exchange->request;
  request.method = message.method_string();
  request.target = message.target();
  request.body = std::move(message.body());
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    request.headers.emplace_back(std::move(name), field.value());
  }
  error_code ignored;
  const auto peer = stream_.socket().remote_endpoint(ignored);
  request.peer = peer.address().to_string(ignored) + ":" + std::to_string(peer.port());
  watch();
  try {
    shared_.handler(exchange);
  } catch (const Error& error) {
    exchange->respond({.status = error_info(error.code()).http_status, .body = wire::encode(error)});
  } catch (const std::exception& error) {
    const Error internal(ErrorCode::internal, error.what());
    exchange->respond({.status = 500, .body = wire::encode(internal)});
  }
}

// Waits for the other end to go away while its request is being worked on. Bytes of a next request end the watch.
void Connection::watch() {
  if (watched_ || buffer_.size() > 0) return;
  watched_ = true;
  stream_.socket().async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
    self->watched_ = false;
    const auto exchange = self->exchange_.lock();
    if (error || !exchange) return;
    char byte = 0;
    error_code failed;
    self->stream_.socket().non_blocking(true, failed);
    self->stream_.socket().receive(asio::buffer(&byte, 1), Socket::message_peek, failed);
    if (failed && failed != asio::error::would_block && failed != asio::error::try_again) self->close();
  });
}

void Connection::refuse(error_code error) {
  if (error == http::error::end_of_stream || error.category() == asio::error::get_system_category() ||
      error == asio::error::eof) {
    return close();
  }
  if (error == beast::error::timeout) {
    shared_.timed_out.fetch_add(1);
    return close();  // whoever is that slow does not read an answer either
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

void Connection::refuse(const Error& error, int status) {
  shared_.malformed.fetch_add(1);
  keep_alive_ = false;
  write({.status = status, .body = wire::encode(error)});
}

void Connection::write(HttpResponse response) {
  exchange_.reset();
  waiting_ = Waiting();
  if (shared_.draining.load()) keep_alive_ = false;
  head_ = head_of(response, keep_alive_, response.body.size());
  body_ = is_head_ ? std::string() : std::move(response.body);
  stream_.expires_after(kWriteTime + milliseconds(1000 * body_.size() / shared_.options.least_body_rate));
  const std::array<asio::const_buffer, 2> both = {asio::buffer(head_), asio::buffer(body_)};
  asio::async_write(stream_, both, [self = shared_from_this()](error_code error, std::size_t) {
    self->body_ = {};
    self->written(error);
  });
}

void Connection::written(error_code error) {
  if (error) return close();
  if (!keep_alive_) return linger();
  next_request();
}

// Sends the end and swallows what still comes, so that a reset does not overtake the answer.
void Connection::linger() {
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.expires_after(kLinger);
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(64 << 10), [self = shared_from_this()](error_code error, std::size_t) {
    if (error) return self->close();
    self->linger();
  });
}

void Connection::open_stream(const HttpResponse& head) {
  waiting_ = Waiting();
  streaming_ = true;
  keep_alive_ = false;
  push(head_of(head, false, std::nullopt));
}

void Connection::push(std::string chunk) {
  if (!streaming_ || stream_ended_) return;
  chunk_bytes_ += chunk.size();
  if (chunk_bytes_ > kMaxStreamed) return close();
  chunks_.push_back(std::move(chunk));
  write_chunk();
}

void Connection::finish_stream() {
  stream_ended_ = true;
  write_chunk();
}

void Connection::write_chunk() {
  if (writing_) return;
  if (chunks_.empty()) {
    if (stream_ended_) linger();
    return;
  }
  writing_ = true;
  head_ = std::move(chunks_.front());
  chunks_.pop_front();
  chunk_bytes_ -= head_.size();
  stream_.expires_after(kWriteTime);
  asio::async_write(stream_, asio::buffer(head_), [self = shared_from_this()](error_code error, std::size_t) {
    self->writing_ = false;
    if (error) return self->close();
    self->stream_.expires_never();
    self->write_chunk();
  });
}

}  // namespace

struct HttpServer::State {
  Shared shared;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::optional<asio::basic_socket_acceptor<tcp, Executor>> acceptor;
  std::uint16_t port = 0;
  std::size_t next = 0;

  void accept() {
    Lane& lane = *lanes[next++ % lanes.size()];
    acceptor->async_accept(lane.context, [this, &lane](error_code error, Socket socket) {
      if (error == asio::error::operation_aborted || !acceptor->is_open()) return;
      if (!error) admit(lane, std::move(socket));
      if (error == asio::error::no_descriptors) std::this_thread::sleep_for(milliseconds(10));
      accept();
    });
  }

  void admit(Lane& lane, Socket socket) {
    if (shared.open.fetch_add(1) >= shared.options.max_connections) {
      shared.open.fetch_sub(1);
      shared.refused.fetch_add(1);
      return;  // closed: there is no place to keep even an answer
    }
    shared.accepted.fetch_add(1);
    asio::post(lane.context, [this, &lane, socket = std::move(socket)]() mutable {
      std::make_shared<Connection>(std::move(socket), shared, lane)->start();
    });
  }

  void stop() {
    for (const auto& lane : lanes) lane->context.stop();
    for (const auto& lane : lanes) {
      if (lane->thread.joinable()) lane->thread.join();
    }
  }
};

HttpServer::HttpServer(HttpOptions options, HttpHandler handler) : state_(std::make_unique<State>()) {
  state_->shared.options = std::move(options);
  state_->shared.handler = std::move(handler);
}

HttpServer::~HttpServer() {
  state_->stop();
  // Handlers that still wait in the contexts hold connections, which refer to lanes and to the shared part.
  for (auto& lane : state_->lanes) {
    for (Connection* connection : std::vector(lane->connections.begin(), lane->connections.end())) connection->close();
    lane->context.restart();
    lane->work.reset();
    lane->context.poll();
  }
  state_->acceptor.reset();
}

void HttpServer::start() {
  const HttpOptions& options = state_->shared.options;
  for (int i = 0; i < std::max(1, options.threads); ++i) state_->lanes.push_back(std::make_unique<Lane>());
  const std::string where = options.host + ":" + std::to_string(options.port);
  error_code error;
  const auto address = asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, error);
  if (error) throw Error(ErrorCode::invalid_argument, "'" + options.host + "' is not an IP address", where);
  auto& acceptor = state_->acceptor.emplace(state_->lanes[0]->context);
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1024, error);
  if (error) throw Error(ErrorCode::unavailable, "cannot listen: " + error.message(), where);
  state_->port = acceptor.local_endpoint(error).port();
  state_->accept();
  for (const auto& lane : state_->lanes) lane->thread = std::thread([&context = lane->context] { context.run(); });
}

std::uint16_t HttpServer::port() const noexcept {
  return state_->port;
}

bool HttpServer::drain(milliseconds limit) {
  Shared& shared = state_->shared;
  shared.draining = true;
  asio::post(state_->lanes[0]->context, [this] {
    error_code ignored;
    state_->acceptor->close(ignored);
  });
  for (const auto& lane : state_->lanes) {
    asio::post(lane->context, [&lane = *lane] {
      for (Connection* connection : std::vector(lane.connections.begin(), lane.connections.end())) connection->drain();
    });
  }
  std::unique_lock lock(shared.mutex);
  return shared.closed.wait_for(lock, limit, [&] { return shared.open.load() == 0; });
}

HttpCounters HttpServer::counters() const noexcept {
  const Shared& shared = state_->shared;
  return {shared.open.load(),      shared.accepted.load(),  shared.refused.load(),
          shared.malformed.load(), shared.timed_out.load(), shared.waiting_bytes.load()};
}

}  // namespace skerry::serve
