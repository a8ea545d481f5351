#include "net/connection.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <future>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/progress.hpp>
#include <thread>

namespace skerry::net {
namespace {

using Clock = std::chrono::steady_clock;
using base::Descriptor;

[[noreturn]] void unreachable(const std::string& name, const std::string& what, const char* hint) {
  throw Error(ErrorCode::unavailable, what, name, hint);
}

std::string system_text(int code) {
  return std::generic_category().message(code);
}

void check(const Patience& patience, const std::string& name) {
  RunControl{.stop = patience.stop, .deadline = patience.deadline}.check(name);
}

/// Readable once a stop was asked for.
class StopSignal {
 public:
  explicit StopSignal(const std::stop_token& stop)
      : event_(::eventfd(0, EFD_CLOEXEC)), callback_(stop, [this] { ::eventfd_write(event_.get(), 1); }) {}
  int get() const noexcept { return event_.get(); }

 private:
  Descriptor event_;
  std::stop_callback<std::function<void()>> callback_;
};

// Waits until the socket is ready; what the patience says ends it.
void wait_for(int socket, short events, const Patience& patience, const std::string& name) {
  std::optional<StopSignal> stop;
  if (patience.stop.stop_possible()) stop.emplace(patience.stop);
  for (;;) {
    check(patience, name);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(patience.deadline - Clock::now()).count();
    std::array<pollfd, 2> ready{{{socket, events, 0}, {stop ? stop->get() : -1, POLLIN, 0}}};
    const int count = ::poll(ready.data(), ready.size(), static_cast<int>(std::clamp<long>(left, 0, 1'000'000)));
    if (count < 0 && errno != EINTR) unreachable(name, "poll: " + system_text(errno), "");
    if (count > 0 && ready[0].revents != 0) return;
  }
}

/// A write to a closed connection raises SIGPIPE on this thread: held back while TLS writes, and taken off afterwards.
class WithoutPipeSignal {
 public:
  WithoutPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  WithoutPipeSignal(const WithoutPipeSignal&) = delete;
  WithoutPipeSignal& operator=(const WithoutPipeSignal&) = delete;
  ~WithoutPipeSignal() {
    const int code = errno;
    const timespec now{};
    while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &now) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = code;
  }

 private:
  sigset_t pipe_, before_;
  bool was_pending_ = false;
};

struct FreeTls {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(SSL* session) const noexcept { SSL_free(session); }
};

std::string tls_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "the connection was closed";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

void use_file(bool ok, const std::filesystem::path& path, const char* field) {
  if (ok) return;
  throw Error(ErrorCode::invalid_argument, "'" + path.string() + "' cannot be used for TLS: " + tls_error(), field,
              "give a PEM file");
}

std::vector<Address> addresses_of(const addrinfo* found) {
  std::vector<Address> out;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    Address address{.family = at->ai_family, .bytes = {}, .text = {}};
    const auto* bytes = reinterpret_cast<const std::byte*>(at->ai_addr);
    address.bytes.assign(bytes, bytes + at->ai_addrlen);
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(at->ai_addr, at->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0)
      address.text = text.data();
    out.push_back(std::move(address));
  }
  return out;
}

struct Lookup {
  int code = 0;
  std::vector<Address> addresses;
};

Lookup look_up(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  Lookup out;
  out.code = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (out.code == EAI_ADDRFAMILY || out.code == EAI_NONAME) {  // loopback alone: no address of the family is configured
    hints.ai_flags = 0;
    out.code = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  }
  if (out.code == 0) out.addresses = addresses_of(found);
  if (found != nullptr) ::freeaddrinfo(found);
  return out;
}

void set_option(int socket, int level, int option, int value) {
  ::setsockopt(socket, level, option, &value, sizeof value);  // a refusal costs time alone
}

}  // namespace

Patience Patience::at_most(std::chrono::duration<double> time) const {
  Patience out = *this;
  out.deadline = std::min(deadline, Clock::now() + std::chrono::duration_cast<Clock::duration>(time));
  return out;
}

std::vector<Address> resolve(const Url& url, const Patience& patience) {
  // getaddrinfo() cannot be ended. What it does not know quickly is asked on a thread that may be left behind; it owns
  // all that it touches.
  auto promise = std::make_shared<std::promise<Lookup>>();  // shared: the thread may outlive the question
  auto answer = promise->get_future();
  std::thread([promise, host = url.host, port = std::to_string(url.port)] {
    promise->set_value(look_up(host, port));
  }).detach();
  while (answer.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready) check(patience, url.text());
  Lookup found = answer.get();
  if (found.code != 0 || found.addresses.empty()) {
    unreachable(url.text(), "the name '" + url.host + "' has no address: " + ::gai_strerror(found.code),
                "check the name and the network");
  }
  return std::move(found.addresses);
}

struct Connection::Tls {
  std::unique_ptr<SSL_CTX, FreeTls> context;
  std::unique_ptr<SSL, FreeTls> session;
};

Connection::Connection(Descriptor socket, std::string name) : socket_(std::move(socket)), name_(std::move(name)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Connection Connection::open(const Url& url, const std::vector<Address>& addresses, const Patience& patience) {
  std::string last = "no address";
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::chrono::duration<double> left = patience.deadline - Clock::now();
    const Patience mine = patience.at_most(left / static_cast<double>(addresses.size() - i));
    Descriptor socket(::socket(addresses[i].family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) unreachable(url.text(), "no socket: " + system_text(errno), "");
    set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(socket.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(socket.get(), IPPROTO_TCP, TCP_KEEPIDLE, 5);
    set_option(socket.get(), IPPROTO_TCP, TCP_KEEPINTVL, 2);
    set_option(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, 10'000);
    const auto* address = reinterpret_cast<const sockaddr*>(addresses[i].bytes.data());
    int code = ::connect(socket.get(), address, static_cast<socklen_t>(addresses[i].bytes.size())) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
      try {
        wait_for(socket.get(), POLLOUT, mine, url.text());
      } catch (const Error& error) {
        if (error.code() != ErrorCode::deadline_exceeded || i + 1 == addresses.size()) throw;
        continue;
      }
      socklen_t size = sizeof code;
      ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &code, &size);
    }
    if (code == 0) return {std::move(socket), url.text()};
    last = addresses[i].text + ": " + system_text(code);
  }
  unreachable(url.text(), "no connection to port " + std::to_string(url.port) + " (" + last + ")",
              "is the server running, and is the port open");
}

void Connection::start_tls(const TlsFiles& files, const Patience& patience) {
  auto tls = std::make_unique<Tls>();
  tls->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = tls->context.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (files.authorities.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else {
    use_file(SSL_CTX_load_verify_locations(context, files.authorities.c_str(), nullptr) == 1, files.authorities,
             "cloud_authorities");
  }
  if (!files.certificate.empty()) {
    use_file(SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) == 1, files.certificate,
             "cloud_certificate");
    const auto& key = files.key.empty() ? files.certificate : files.key;
    use_file(SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1, key, "cloud_key");
  }
  tls->session.reset(SSL_new(context));
  const Url url = parse_url(name_, "url");
  std::array<unsigned char, 16> literal{};
  const bool is_address = ::inet_pton(AF_INET, url.host.c_str(), literal.data()) == 1 ||
                          ::inet_pton(AF_INET6, url.host.c_str(), literal.data()) == 1;
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->session.get()), url.host.c_str());
  } else {
    SSL_set_tlsext_host_name(tls->session.get(), url.host.c_str());
    SSL_set1_host(tls->session.get(), url.host.c_str());
  }
  SSL_set_fd(tls->session.get(), socket_.get());
  tls_ = std::move(tls);
  tls_call([](SSL* session) { return SSL_connect(session); }, "the TLS handshake failed", patience);
}

std::string Connection::tls_text() const {
  if (!tls_) return {};
  return std::string(SSL_get_version(tls_->session.get())) + ", " + SSL_get_cipher_name(tls_->session.get());
}

template <class Call>
std::size_t Connection::tls_call(Call call, const char* doing, const Patience& patience) {
  SSL* session = tls_->session.get();
  for (;;) {
    ERR_clear_error();
    int done = 0, reason = 0;
    {
      const WithoutPipeSignal quiet;
      done = call(session);
      reason = SSL_get_error(session, done);
    }
    if (done > 0) return static_cast<std::size_t>(done);
    if (reason == SSL_ERROR_ZERO_RETURN) return 0;
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
      wait(reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, patience);
      continue;
    }
    std::string why = reason == SSL_ERROR_SYSCALL && errno != 0 ? system_text(errno) : tls_error();
    const long verdict = SSL_get_verify_result(session);
    if (verdict != X509_V_OK) why = X509_verify_cert_error_string(verdict);
    unreachable(name_, std::string(doing) + ": " + why,
                verdict != X509_V_OK ? "check the clock, the name, and the authorities (cloud_authorities)" : "");
  }
}

void Connection::wait(short events, const Patience& patience) const {
  wait_for(socket_.get(), events, patience, name_);
}

void Connection::write(std::string_view bytes, const Patience& patience) {
  while (!bytes.empty()) {
    check(patience, name_);
    if (tls_) {
      const auto part = static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20));
      bytes.remove_prefix(tls_call([&](SSL* session) { return SSL_write(session, bytes.data(), part); },
                                   "the request could not be sent", patience));
      continue;
    }
    const ssize_t done = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(done));
    } else if (errno == EAGAIN) {
      wait(POLLOUT, patience);
    } else if (errno != EINTR) {
      unreachable(name_, "the request could not be sent: " + system_text(errno), "");
    }
  }
}

std::size_t Connection::read(std::span<char> into, const Patience& patience) {
  if (tls_) {
    const auto room = static_cast<int>(std::min<std::size_t>(into.size(), 1 << 20));
    return tls_call([&](SSL* session) { return SSL_read(session, into.data(), room); }, "the answer could not be read",
                    patience);
  }
  for (;;) {
    const ssize_t done = ::recv(socket_.get(), into.data(), into.size(), 0);
    if (done >= 0) return static_cast<std::size_t>(done);
    if (errno == EAGAIN) {
      wait(POLLIN, patience);
    } else if (errno != EINTR) {
      unreachable(name_, "the answer could not be read: " + system_text(errno), "");
    }
  }
}

bool Connection::is_quiet() const {
  pollfd ready{socket_.get(), POLLIN, 0};
  return ::poll(&ready, 1, 0) == 0;  // whatever is there (bytes, an end, an error) was not asked for
}

}  // namespace skerry::net
