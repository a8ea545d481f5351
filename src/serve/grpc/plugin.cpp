// The gRPC side of the door, and the one file that knows gRPC.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <mutex>

#include "kserve.grpc.pb.h"
#include "serve/grpc/messages.hpp"

namespace skerry::serve::grpc_door {
namespace {

using ::grpc::ByteBuffer;
using ::grpc::CallbackServerContext;
using ::grpc::Status;
using ::grpc::StatusCode;

std::string key_of(const CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  constexpr std::string_view kBearer = "bearer ";  // however it is written: RFC 9110, 11.1
  const auto is_same = [](char one, char other) {
    return (one >= 'A' && one <= 'Z' ? one + ('a' - 'A') : one) == other;
  };
  if (const auto found = metadata.find("authorization"); found != metadata.end()) {
    const std::string_view value(found->second.data(), found->second.size());
    if (std::ranges::equal(value.substr(0, kBearer.size()), kBearer, is_same))
      return std::string(value.substr(kBearer.size()));
  }
  const auto found = metadata.find("x-api-key");
  return found == metadata.end() ? std::string() : std::string(found->second.data(), found->second.size());
}

std::string trace_of(const CallbackServerContext& context) {
  const auto found = context.client_metadata().find("traceparent");
  return found == context.client_metadata().end() ? std::string()
                                                  : std::string(found->second.data(), found->second.size());
}

std::string quoted(const std::string& word) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4U];
    out += kHex[byte & 15U];
  }
  return out;
}

std::string model_path(const std::string& name, const std::string& version, std::string_view what) {
  return "/v2/models/" + quoted(name) + (version.empty() ? "" : "/versions/" + quoted(version)) + std::string(what);
}

// kind: `system` or `cuda`.
std::string region_path(const std::string& kind, const std::string& name, std::string_view what) {
  return "/v2/" + kind + "sharedmemory" + (name.empty() ? "" : "/region/" + quoted(name)) + std::string(what);
}

// Messages come and go as bytes: what gRPC reads itself and cannot, it answers with UNIMPLEMENTED.
template <class Message>
bool read(const ByteBuffer& bytes, Message& message) {
  ByteBuffer same(bytes);
  return ::grpc::SerializationTraits<Message>::Deserialize(&same, &message).ok();
}

template <class Message>
ByteBuffer written(const Message& message) {
  ByteBuffer bytes;
  bool is_own = false;
  ::grpc::SerializationTraits<Message>::Serialize(message, &bytes, &is_own);
  return bytes;
}

Status unreadable(const std::string& message) {
  return {StatusCode::INVALID_ARGUMENT, "the bytes are no inference." + message};
}

// One unary call; it may be answered from any thread and cancelled at any time.
class Unary : public ::grpc::ServerUnaryReactor {
 public:
  explicit Unary(ByteBuffer* bytes) : bytes_(bytes) {}
  template <class Message>
  void answer(const Message& message) {
    *bytes_ = written(message);
    Finish(Status::OK);
  }
  std::stop_source stop;
  // Both reactions are short. Put off to another thread, as others' are, calls that have ended keep their memory until
  // that one gets a processor: thousands of them under load.
  bool InternalInlineable() override { return true; }

 private:
  ByteBuffer* bytes_;
  void OnCancel() override { stop.request_stop(); }
  void OnDone() override { delete this; }  // the library's way: a reactor ends itself
};

// What one stream may hold: answers that its client does not fetch, and requests that are being worked on. Beyond it
// nothing is read, so that the client's own window closes.
constexpr std::size_t kMaxStreamed = std::size_t{8} << 20;
constexpr std::size_t kMaxRunning = 64;

// A stream of requests, each answered when it is ready.
class Stream : public ::grpc::ServerBidiReactor<ByteBuffer, ByteBuffer> {
 public:
  Stream(Server& server, std::string key, std::string trace)
      : server_(server), key_(std::move(key)), trace_(std::move(trace)) {
    StartRead(&next_);
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      finish_if_idle();
      return;
    }
    const auto message = std::make_shared<inference::ModelInferRequest>();  // shared: it must live until its answer
    const std::size_t size = next_.Length();
    if (!read(next_, *message)) {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      status_ = unreadable("ModelInferRequest");
      return finish_if_idle();
    }
    {
      const std::lock_guard lock(mutex_);
      ++running_;
      held_bytes_ += size;
      is_reading_ = false;
    }
    InferRequest request = request_of(*message, key_);
    request.method = "ModelStreamInfer";
    request.traceparent = trace_;
    request.stop = stop_.get_token();
    server_.infer(std::move(request),
                  [this, message, size](const InferReply& reply) { answer(*message, size, reply); });
    const std::lock_guard lock(mutex_);
    read_on();
  }

  void read_on() {
    if (is_reading_ || ended_ || running_ >= kMaxRunning || held_bytes_ > kMaxStreamed) return;
    is_reading_ = true;
    StartRead(&next_);
  }

  // size: of the request.
  void answer(const inference::ModelInferRequest& message, std::size_t size, const InferReply& reply) {
    inference::ModelStreamInferResponse response;
    response.set_error_message(reply.error);
    if (reply.status == 0) {
      fill(*response.mutable_infer_response(), reply, message.id());
    } else {
      response.mutable_infer_response()->set_id(message.id());
    }
    const std::lock_guard lock(mutex_);
    --running_;
    held_bytes_ -= size;
    waiting_.push_back(written(response));
    held_bytes_ += waiting_.back().Length();
    if (waiting_.size() == 1) StartWrite(&waiting_.front());
    read_on();
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    held_bytes_ -= waiting_.front().Length();
    waiting_.pop_front();
    if (!ok) {
      for (const ByteBuffer& unsent : waiting_) held_bytes_ -= unsent.Length();
      waiting_.clear();
    }
    if (!waiting_.empty()) StartWrite(&waiting_.front());
    read_on();
    finish_if_idle();
  }

  void finish_if_idle() {
    if (!ended_ || running_ > 0 || !waiting_.empty() || finished_) return;
    finished_ = true;
    Finish(status_);
  }

  void OnCancel() override { stop_.request_stop(); }
  void OnDone() override { delete this; }

  Server& server_;
  std::string key_, trace_;
  std::stop_source stop_;
  std::mutex mutex_;
  ByteBuffer next_;
  std::deque<ByteBuffer> waiting_;
  Status status_;
  std::size_t running_ = 0, held_bytes_ = 0;
  bool is_reading_ = true, ended_ = false, finished_ = false;
};

template <class Base, template <class> class... Layers>
struct Layered {
  using Type = Base;
};
template <class Base, template <class> class First, template <class> class... Rest>
struct Layered<Base, First, Rest...> {
  using Type = typename Layered<First<Base>, Rest...>::Type;
};
using Protocol = inference::GRPCInferenceService;
using RawService =
    Layered<Protocol::Service, Protocol::WithRawCallbackMethod_ServerLive, Protocol::WithRawCallbackMethod_ServerReady,
            Protocol::WithRawCallbackMethod_ModelReady, Protocol::WithRawCallbackMethod_ServerMetadata,
            Protocol::WithRawCallbackMethod_ModelMetadata, Protocol::WithRawCallbackMethod_ModelInfer,
            Protocol::WithRawCallbackMethod_ModelStreamInfer, Protocol::WithRawCallbackMethod_ModelConfig,
            Protocol::WithRawCallbackMethod_ModelStatistics, Protocol::WithRawCallbackMethod_RepositoryIndex,
            Protocol::WithRawCallbackMethod_RepositoryModelLoad, Protocol::WithRawCallbackMethod_RepositoryModelUnload,
            Protocol::WithRawCallbackMethod_SystemSharedMemoryStatus,
            Protocol::WithRawCallbackMethod_SystemSharedMemoryRegister,
            Protocol::WithRawCallbackMethod_SystemSharedMemoryUnregister,
            Protocol::WithRawCallbackMethod_CudaSharedMemoryStatus,
            Protocol::WithRawCallbackMethod_CudaSharedMemoryRegister,
            Protocol::WithRawCallbackMethod_CudaSharedMemoryUnregister, Protocol::WithRawCallbackMethod_TraceSetting,
            Protocol::WithRawCallbackMethod_LogSettings>::Type;

class Calls final : public RawService {
 public:
  explicit Calls(Server& server) : server_(server) {}

  ::grpc::ServerUnaryReactor* ModelInfer(CallbackServerContext* context, const ByteBuffer* bytes,
                                         ByteBuffer* answer) override {
    auto* reactor = new Unary(answer);
    struct Asked {
      std::string key, trace;
      inference::ModelInferRequest message;
    };
    const auto asked = std::make_shared<Asked>(key_of(*context), trace_of(*context));  // shared: until the answer
    if (!read(*bytes, asked->message)) {
      reactor->Finish(unreadable("ModelInferRequest"));
      return reactor;
    }
    InferRequest request = request_of(asked->message, asked->key);
    request.method = "ModelInfer";
    request.traceparent = asked->trace;
    request.stop = reactor->stop.get_token();
    limit_time(request, *context);
    server_.infer(std::move(request), [reactor, asked](const InferReply& reply) {
      if (reply.status != 0) return reactor->Finish(Status(static_cast<StatusCode>(reply.status), reply.error));
      inference::ModelInferResponse response;
      fill(response, reply, asked->message.id());
      reactor->answer(response);
    });
    return reactor;
  }

  ::grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>* ModelStreamInfer(CallbackServerContext* context) override {
    return new Stream(server_, key_of(*context), trace_of(*context));
  }

  // The rest are questions that HTTP answers too. before and after: what makes the HTTP answer the message's JSON.
  template <class Response>
  ::grpc::ServerUnaryReactor* ask(CallbackServerContext* context, Unary* reactor, const std::string& method,
                                  const std::string& path, const std::string& body = {}, const std::string& before = {},
                                  const std::string& after = {}) {
    server_.ask(method, path, body, key_of(*context), [reactor, before, after](int status, const std::string& json) {
      if (status != 0) return reactor->Finish(Status(static_cast<StatusCode>(status), json));
      Response response;
      if (convert(before + json + after, response)) return reactor->answer(response);
      reactor->Finish(Status(StatusCode::INTERNAL, "the answer does not fit its message"));
    });
    return reactor;
  }

#define SKERRY_ASK(Method, ...)                                                                               \
  ::grpc::ServerUnaryReactor* Method(CallbackServerContext* context, const ByteBuffer* bytes, ByteBuffer* to) \
      override {                                                                                              \
    auto* reactor = new Unary(to);                                                                            \
    inference::Method##Request request;                                                                       \
    if (read(*bytes, request)) return ask<inference::Method##Response>(context, reactor, __VA_ARGS__);        \
    reactor->Finish(unreadable(#Method "Request"));                                                           \
    return reactor;                                                                                           \
  }
  SKERRY_ASK(ServerLive, "GET", "/v2/health/live")
  SKERRY_ASK(ServerMetadata, "GET", "/v2")
  SKERRY_ASK(ModelMetadata, "GET", model_path(request.name(), request.version(), ""))
  SKERRY_ASK(ModelConfig, "GET", model_path(request.name(), request.version(), "/config"), "", "{\"config\":", "}")
  SKERRY_ASK(ModelStatistics, "GET",
             request.name().empty() ? std::string("/v2/models/stats")
                                    : model_path(request.name(), request.version(), "/stats"))
  SKERRY_ASK(RepositoryIndex, "POST", "/v2/repository/index", repository_json(request), "{\"models\":", "}")
  SKERRY_ASK(RepositoryModelLoad, "POST", "/v2/repository/models/" + quoted(request.model_name()) + "/load",
             repository_json(request))
  SKERRY_ASK(RepositoryModelUnload, "POST", "/v2/repository/models/" + quoted(request.model_name()) + "/unload",
             repository_json(request))
  SKERRY_ASK(SystemSharedMemoryStatus, "GET", region_path("system", request.name(), "/status?keyed=1"), "",
             "{\"regions\":", "}")
  SKERRY_ASK(SystemSharedMemoryRegister, "POST", region_path("system", request.name(), "/register"),
             region_json(request))
  SKERRY_ASK(SystemSharedMemoryUnregister, "POST", region_path("system", request.name(), "/unregister"))
  SKERRY_ASK(CudaSharedMemoryStatus, "GET", region_path("cuda", request.name(), "/status?keyed=1"), "",
             "{\"regions\":", "}")
  SKERRY_ASK(CudaSharedMemoryRegister, "POST", region_path("cuda", request.name(), "/register"))
  SKERRY_ASK(CudaSharedMemoryUnregister, "POST", region_path("cuda", request.name(), "/unregister"))
  SKERRY_ASK(TraceSetting, request.settings().empty() ? "GET" : "POST",
             (request.model_name().empty() ? std::string("/v2") : model_path(request.model_name(), "", "")) +
                 "/trace/setting",
             settings_json(request))
  SKERRY_ASK(LogSettings, request.settings().empty() ? "GET" : "POST", "/v2/logging", settings_json(request))
#undef SKERRY_ASK

  // "No" is an answer to these, not an error.
  ::grpc::ServerUnaryReactor* ServerReady(CallbackServerContext* context, const ByteBuffer* bytes,
                                          ByteBuffer* to) override {
    auto* reactor = new Unary(to);
    inference::ServerReadyRequest request;
    if (read(*bytes, request)) return ready<inference::ServerReadyResponse>(context, reactor, "/v2/health/ready");
    reactor->Finish(unreadable("ServerReadyRequest"));
    return reactor;
  }
  ::grpc::ServerUnaryReactor* ModelReady(CallbackServerContext* context, const ByteBuffer* bytes,
                                         ByteBuffer* to) override {
    auto* reactor = new Unary(to);
    inference::ModelReadyRequest request;
    if (read(*bytes, request))
      return ready<inference::ModelReadyResponse>(context, reactor,
                                                  model_path(request.name(), request.version(), "/ready"));
    reactor->Finish(unreadable("ModelReadyRequest"));
    return reactor;
  }

 private:
  template <class Response>
  ::grpc::ServerUnaryReactor* ready(CallbackServerContext* context, Unary* reactor, const std::string& path) {
    server_.ask("GET", path, {}, key_of(*context), [reactor](int status, const std::string& text) {
      if (status == StatusCode::UNAUTHENTICATED || status == StatusCode::PERMISSION_DENIED)
        return reactor->Finish(Status(static_cast<StatusCode>(status), text));
      Response response;
      response.set_ready(status == 0);
      reactor->answer(response);
    });
    return reactor;
  }

  // The caller's deadline holds here too.
  static void limit_time(InferRequest& request, const CallbackServerContext& context) {
    const auto deadline = context.deadline();
    if (deadline == std::chrono::system_clock::time_point::max()) return;
    const auto left =
        std::chrono::duration_cast<std::chrono::microseconds>(deadline - std::chrono::system_clock::now()).count();
    const auto limit = static_cast<std::uint64_t>(std::max<std::int64_t>(1, left));
    request.timeout_us = request.timeout_us == 0 ? limit : std::min(request.timeout_us, limit);
  }

  Server& server_;
};

class RunningListener final : public Listener {
 public:
  RunningListener(Server& server, const Options& options) : calls_(server) {
    ::grpc::ServerBuilder builder;
    const bool is_v6 = options.host.find(':') != std::string::npos;
    const std::string host = is_v6 ? "[" + options.host + "]" : options.host;
    builder.AddListeningPort(host + ":" + std::to_string(options.port), credentials(options), &port_);
    builder.RegisterService(&calls_);
    builder.SetMaxReceiveMessageSize(static_cast<int>(std::min<std::uint64_t>(options.max_message_bytes, INT32_MAX)));
    // The library unpacks a message before it looks at its size and before anybody asked for the sender's key: a
    // megabyte becomes a gigabyte.
    for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE})
      builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
    builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1024);  // of a connection; none by itself
    // Two servers on one port would share its connections silently.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    server_ = builder.BuildAndStart();
  }
  ~RunningListener() override {
    if (server_) drain(std::chrono::milliseconds(0));
  }
  RunningListener(const RunningListener&) = delete;
  RunningListener& operator=(const RunningListener&) = delete;

  bool runs() const { return server_ != nullptr && port_ != 0; }
  std::uint16_t port() const override { return static_cast<std::uint16_t>(port_); }
  void drain(std::chrono::milliseconds limit) override {
    server_->Shutdown(std::chrono::system_clock::now() + limit);
    server_->Wait();
  }

 private:
  static std::shared_ptr<::grpc::ServerCredentials> credentials(const Options& options) {
    if (options.certificate.empty()) return ::grpc::InsecureServerCredentials();
    ::grpc::SslServerCredentialsOptions tls(options.client_authority.empty()
                                                ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_key_cert_pairs.push_back({options.key, options.certificate});
    tls.pem_root_certs = options.client_authority;
    return ::grpc::SslServerCredentials(tls);
  }

  Calls calls_;
  int port_ = 0;
  std::unique_ptr<::grpc::Server> server_;
};

}  // namespace
}  // namespace skerry::serve::grpc_door

extern "C" __attribute__((visibility("default"))) skerry::serve::grpc_door::Listener* skerry_grpc_listen(
    int version, skerry::serve::grpc_door::Server& server, const skerry::serve::grpc_door::Options& options,
    std::string& reason) {
  using namespace skerry::serve::grpc_door;
  if (version != kVersion) {
    reason = "the gRPC plugin belongs to another version";
    return nullptr;
  }
  try {
    ::grpc::EnableDefaultHealthCheckService(true);
    auto listener = std::make_unique<RunningListener>(server, options);
    if (listener->runs()) return listener.release();
    reason = "cannot listen there";
  } catch (const std::exception& error) {
    reason = error.what();
  }
  return nullptr;
}
