/// \file
/// Between the server and its gRPC plugin: plain values and calls that do not throw. The plugin is a library of its
/// own, opened only when gRPC is asked for, so that no other command of the program pays for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::serve::grpc_door {

/// Changed whenever a type of this file is.
inline constexpr int kVersion = 3;

/// A stretch of a shared memory region; no bytes: none.
struct Stretch {
  std::string region;
  std::uint64_t offset = 0, bytes = 0;
};

struct Input {
  std::string_view name, datatype;
  std::vector<std::int64_t> shape;
  std::string_view bytes;  ///< little-endian, in the request message or in `own`
  std::string own;
  Stretch shared;
};

struct WantedOutput {
  std::string_view name;
  Stretch shared;
};

/// Why a message is not taken as it stands, found before anybody has looked at its model; an empty message: it is.
struct Refusal {
  bool is_unsupported = false;  ///< else it is wrong
  std::string message, where, hint;
};

/// A request; its views live until the answer was given.
struct InferRequest {
  std::string_view model, version, id, key;
  std::string_view method;       ///< `ModelInfer`; a literal
  std::string_view traceparent;  ///< of the call; empty: none
  std::vector<Input> inputs;
  std::vector<WantedOutput> outputs;
  std::uint64_t timeout_us = 0, priority = 0;
  Refusal refusal;
  std::chrono::steady_clock::time_point arrived;
  std::stop_token stop;
};

struct Output {
  std::string name;
  std::string_view datatype;
  std::vector<std::int64_t> shape;
  std::string_view bytes;  ///< valid during the call of `done`, or they are in `own`
  std::string own = {};
  Stretch shared;
};

struct InferReply {
  int status = 0;  ///< of gRPC; 0: ok
  std::string error;
  std::string model, version;
  std::vector<Output> outputs;
};

/// What the server offers. From any thread; `done` is called once, from any thread, perhaps before the call returns.
class Server {
 public:
  virtual ~Server() = default;
  virtual void infer(InferRequest request, std::function<void(const InferReply&)> done) noexcept = 0;
  /// Any other question, as its HTTP twin: the answer is the JSON body, or with a status of gRPC the error's text.
  virtual void ask(std::string method, std::string path, std::string body, std::string key,
                   std::function<void(int status, std::string json)> done) noexcept = 0;
};

struct Options {
  std::string host;
  std::uint16_t port = 0;
  std::uint64_t max_message_bytes = 0;
  std::string certificate, key, client_authority;  ///< PEM text; empty: no TLS
};

/// A running gRPC server. Ends with its destruction.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual std::uint16_t port() const = 0;
  /// Lets calls in flight end until the limit.
  virtual void drain(std::chrono::milliseconds limit) = 0;
};

/// The plugin's one entry, `skerry_grpc_listen`. Null: `reason` says why.
using Listen = Listener* (*)(int version, Server& server, const Options& options, std::string& reason);

}  // namespace skerry::serve::grpc_door
