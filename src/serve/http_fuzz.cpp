// Bytes as a client sends them, to a server on a real socket: heads, framing, routes, and bodies of inferences with
// their JSON and raw tensors. Whatever comes, the server answers HTTP or closes, within seconds, and stays up.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <skerry/error.hpp>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"
#include "serve/http.hpp"
#include "serve/routes.hpp"
#include "wire/circuits.hpp"
#include "wire/infer.hpp"

namespace {

using namespace skerry;

wire::BodyView body_of(const serve::HttpRequest& request) {
  const std::string_view text = request.header(wire::kJsonLengthHeader);
  std::size_t length = request.body.size();
  std::from_chars(text.data(), text.data() + text.size(), length);
  return {request.body, length};
}

void answer(const serve::ExchangePtr& exchange) {
  const serve::HttpRequest& request = exchange->request;
  try {
    const serve::RouteMatch match = serve::find_route(request.method, request.target);
    if (match.route->path.ends_with("/infer")) wire::decode_infer_request(body_of(request));
    exchange->respond({.body = "{}"});
  } catch (const serve::RouteError& refused) {
    exchange->respond({.status = refused.status, .body = wire::encode(refused.error)});
  }  // any other Error is answered by the server itself
}

std::uint16_t port() {
  static serve::HttpServer* const kServer = [] {
    auto* server = new serve::HttpServer(  // for as long as there are inputs: never ended
        {.port = 0, .threads = 1, .max_body_bytes = 1 << 20, .header_time = std::chrono::seconds(5)}, answer);
    server->start();
    return server;
  }();
  return kServer->port();
}

void check(std::string_view got) {
  if (got.empty()) return;
  if (!got.starts_with("HTTP/1.1 ") || got.size() < 12) std::abort();
  if (got[9] == '5' && !got.starts_with("HTTP/1.1 501")) std::abort();  // 501: what the protocol has and we have not
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
  std::string got;
  std::array<char, 4096> buffer{};
  // What does not fit into the sockets is left out: the server may have stopped reading.
  for (std::size_t sent = 0; sent < size;) {
    const ssize_t count = ::send(client.get(), data + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count <= 0) break;
    sent += static_cast<std::size_t>(count);
  }
  ::shutdown(client.get(), SHUT_WR);
  for (;;) {
    pollfd ready{client.get(), POLLIN, 0};
    if (::poll(&ready, 1, 3000) != 1) std::abort();  // neither an answer nor an end
    const ssize_t count = ::recv(client.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    got.append(buffer.data(), static_cast<std::size_t>(count));
  }
  check(got);
  return 0;
}
