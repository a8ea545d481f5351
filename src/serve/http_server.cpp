// Listens, and gives connections to threads.
#include "serve/http_connection.hpp"

namespace skerry::serve {

using namespace connections;

struct HttpServer::State {
  Shared shared;
  std::vector<std::shared_ptr<Lane>> lanes;  // shared: by exchanges that outlive the server
  std::optional<asio::basic_socket_acceptor<tcp, Executor>> acceptor;
  std::optional<asio::ssl::context> tls;
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
      std::shared_ptr<Connection> connection;  // shared: by the handlers that wait for its socket
      if (tls) {
        connection = std::make_shared<StreamConnection<Secure>>(shared, lane, std::move(socket), *tls);
      } else {
        connection = std::make_shared<StreamConnection<Socket>>(shared, lane, std::move(socket));
      }
      connection->start();
    });
  }

  void stop() {
    for (const auto& lane : lanes) lane->context.stop();
    for (const auto& lane : lanes) {
      if (lane->thread.joinable()) lane->thread.join();
    }
  }
};

namespace {

// Where threads are more than processors, another one of these may wait for this one: until the next tick of the clock,
// four milliseconds, if it is not let in.
void work(asio::io_context& context) {
  constexpr unsigned kAtOnce = 8;  // handlers, most of them a whole request: 0.2 ms
  for (unsigned done = 1; context.run_one() > 0; ++done) {
    if (done % kAtOnce == 0) std::this_thread::yield();
  }
}

// TLS 1.3 and nothing older; a client's certificate is asked for if there is an authority to check it by.
asio::ssl::context tls_context(const TlsFiles& files) {
  asio::ssl::context context(asio::ssl::context::tls_server);
  error_code error;
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_3_VERSION);
  context.use_certificate_chain_file(files.certificate, error);
  if (error)
    throw Error(ErrorCode::invalid_argument, "cannot be used as a certificate: " + error.message(), files.certificate);
  context.use_private_key_file(files.key, asio::ssl::context::pem, error);
  if (error)
    throw Error(ErrorCode::invalid_argument, "cannot be used as the certificate's key: " + error.message(), files.key);
  if (files.client_authority.empty()) return context;
  context.load_verify_file(files.client_authority, error);
  if (error)
    throw Error(ErrorCode::invalid_argument, "cannot be used as an authority: " + error.message(),
                files.client_authority);
  context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  return context;
}

}  // namespace

HttpServer::HttpServer(HttpOptions options, HttpHandler handler, HttpGate gate, HttpRefusal refusal)
    : state_(std::make_unique<State>()) {
  state_->shared.options = std::move(options);
  state_->shared.handler = std::move(handler);
  state_->shared.gate = std::move(gate);
  state_->shared.refusal = std::move(refusal);
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
  for (int i = 0; i < std::max(1, options.threads); ++i) state_->lanes.push_back(std::make_shared<Lane>());
  const std::string where = options.host + ":" + std::to_string(options.port);
  if (!options.tls.certificate.empty()) state_->tls.emplace(tls_context(options.tls));
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
  for (const auto& lane : state_->lanes) lane->thread = std::thread([&context = lane->context] { work(context); });
}

std::uint16_t HttpServer::port() const noexcept {
  return state_->port;
}

bool HttpServer::drain(milliseconds limit, milliseconds last_words) {
  Shared& shared = state_->shared;
  shared.draining = true;
  asio::post(state_->lanes[0]->context, [this] {
    error_code ignored;
    state_->acceptor->close(ignored);
  });
  const auto tell_all = [this](void (Connection::*word)()) {
    for (const auto& lane : state_->lanes) {
      asio::post(lane->context, [&lane = *lane, word] {
        for (Connection* connection : std::vector(lane.connections.begin(), lane.connections.end()))
          (connection->*word)();
      });
    }
  };
  const auto end_within = [&shared](milliseconds time) {
    std::unique_lock lock(shared.mutex);
    return shared.closed.wait_for(lock, time, [&] { return shared.open.load() == 0; });
  };
  tell_all(&Connection::drain);
  if (end_within(limit)) return true;
  tell_all(&Connection::cut_off);
  end_within(last_words);
  return false;
}

HttpCounters HttpServer::counters() const noexcept {
  const Shared& shared = state_->shared;
  return {shared.open.load(),      shared.accepted.load(),  shared.refused.load(),
          shared.malformed.load(), shared.timed_out.load(), shared.waiting_bytes.load()};
}

}  // namespace skerry::serve
