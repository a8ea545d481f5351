/// \file
/// The threads that connections of the HTTP server live on, and what a request holds of its connection. Only
/// http_connection.hpp includes it.
#pragma once

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <skerry/error.hpp>
#include <thread>
#include <unordered_set>

#include "serve/http_shared.hpp"
#include "wire/circuits.hpp"

namespace skerry::serve::connections {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How late a connection may be ended; a timer for each would cost every request.
inline constexpr milliseconds kSweep{100};

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
  /// Tells whoever waits for an answer that there will be none, and whoever works on it to stop.
  virtual void cut_off() = 0;
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
  /// There is nothing to say any more, or it was said; false: it had been said before.
  bool abandon() noexcept { return !answered_.exchange(true); }
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

}  // namespace skerry::serve::connections
