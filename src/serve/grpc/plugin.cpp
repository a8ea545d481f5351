// The gRPC side of the door, and the one file that knows gRPC.
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include <array>
#include <cstring>
#include <deque>
#include <mutex>

#include "kserve.grpc.pb.h"
#include "serve/grpc/door.hpp"

namespace skerry::serve::grpc_door {
namespace {

using ::grpc::CallbackServerContext;
using ::grpc::Status;
using ::grpc::StatusCode;

std::string key_of(const CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  constexpr std::string_view kBearer = "Bearer ";
  if (const auto found = metadata.find("authorization"); found != metadata.end()) {
    const std::string_view value(found->second.data(), found->second.size());
    if (value.starts_with(kBearer)) return std::string(value.substr(kBearer.size()));
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

std::string region_path(const std::string& name, std::string_view what) {
  return "/v2/systemsharedmemory" + (name.empty() ? "" : "/region/" + quoted(name)) + std::string(what);
}

std::string region_json(const inference::SystemSharedMemoryRegisterRequest& request) {
  google::protobuf::util::JsonPrintOptions names;
  names.preserve_proto_field_names = true;
  inference::SystemSharedMemoryRegisterRequest plain;
  plain.set_key(request.key());
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(plain, &json, names).ok() || json.size() < 3)
    json = "{\"key\":\"\"}";
  json.pop_back();  // numbers of 64 bits would be printed as texts
  return json + ",\"offset\":" + std::to_string(request.offset()) +
         ",\"byte_size\":" + std::to_string(request.byte_size()) + "}";
}

std::uint64_t number(const inference::InferParameter& parameter) {
  if (parameter.has_uint64_param()) return parameter.uint64_param();
  return parameter.int64_param() > 0 ? static_cast<std::uint64_t>(parameter.int64_param()) : 0;
}

template <class Parameters>
Stretch stretch_of(const Parameters& parameters) {
  Stretch out;
  for (const auto& [name, value] : parameters) {
    if (name == "shared_memory_region") out.region = value.string_param();
    if (name == "shared_memory_offset") out.offset = number(value);
    if (name == "shared_memory_byte_size") out.bytes = number(value);
  }
  return out;
}

template <class To, class List>
void append(std::string& bytes, const List& list) {
  for (const auto value : list) {
    const auto small = static_cast<To>(value);
    bytes.append(reinterpret_cast<const char*>(&small), sizeof small);
  }
}

// Typed elements as the raw bytes of the input's datatype; a list of another type is left empty and refused by its
// size.
std::string bytes_of(const inference::InferTensorContents& contents, std::string_view datatype) {
  std::string bytes;
  if (datatype == "BOOL") append<bool>(bytes, contents.bool_contents());
  if (datatype == "INT8") append<std::int8_t>(bytes, contents.int_contents());
  if (datatype == "INT16") append<std::int16_t>(bytes, contents.int_contents());
  if (datatype == "INT32") append<std::int32_t>(bytes, contents.int_contents());
  if (datatype == "INT64") append<std::int64_t>(bytes, contents.int64_contents());
  if (datatype == "UINT8") append<std::uint8_t>(bytes, contents.uint_contents());
  if (datatype == "UINT16") append<std::uint16_t>(bytes, contents.uint_contents());
  if (datatype == "UINT32") append<std::uint32_t>(bytes, contents.uint_contents());
  if (datatype == "UINT64") append<std::uint64_t>(bytes, contents.uint64_contents());
  if (datatype == "FP32") append<float>(bytes, contents.fp32_contents());
  if (datatype == "FP64") append<double>(bytes, contents.fp64_contents());
  return bytes;
}

InferRequest request_of(const inference::ModelInferRequest& message, std::string_view key) {
  InferRequest request{
      .model = message.model_name(), .version = message.model_version(), .id = message.id(), .key = key};
  request.arrived = std::chrono::steady_clock::now();
  int raw = 0;
  for (const auto& tensor : message.inputs()) {
    Input& input = request.inputs.emplace_back();
    input.name = tensor.name();
    input.datatype = tensor.datatype();
    input.shape.assign(tensor.shape().begin(), tensor.shape().end());
    input.shared = stretch_of(tensor.parameters());
    if (!input.shared.region.empty()) continue;
    if (raw < message.raw_input_contents_size()) {
      input.bytes = message.raw_input_contents(raw++);
    } else {
      input.own = bytes_of(tensor.contents(), tensor.datatype());
    }
  }
  for (const auto& output : message.outputs())
    request.outputs.push_back({output.name(), stretch_of(output.parameters())});
  for (const auto& [name, value] : message.parameters()) {
    if (name == "timeout") request.timeout_us = number(value);
    if (name == "priority") request.priority = number(value);
  }
  return request;
}

void fill(inference::ModelInferResponse& message, const InferReply& reply, const std::string& id) {
  message.set_model_name(reply.model);
  message.set_model_version(reply.version);
  message.set_id(id);
  for (const Output& output : reply.outputs) {
    auto& tensor = *message.add_outputs();
    tensor.set_name(output.name);
    tensor.set_datatype(std::string(output.datatype));
    for (const std::int64_t dim : output.shape) tensor.add_shape(dim);
    if (output.shared.region.empty()) {
      message.add_raw_output_contents(output.bytes.data(), output.bytes.size());
      continue;
    }
    auto& parameters = *tensor.mutable_parameters();
    parameters["shared_memory_region"].set_string_param(output.shared.region);
    parameters["shared_memory_offset"].set_int64_param(static_cast<std::int64_t>(output.shared.offset));
    parameters["shared_memory_byte_size"].set_int64_param(static_cast<std::int64_t>(output.shared.bytes));
  }
}

// One unary call; it may be answered from any thread and cancelled at any time.
class Unary : public ::grpc::ServerUnaryReactor {
 public:
  std::stop_source stop;

 private:
  void OnCancel() override { stop.request_stop(); }
  void OnDone() override { delete this; }  // the library's way: a reactor ends itself
};

// A stream of requests, each answered when it is ready.
class Stream : public ::grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse> {
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
    // shared: the message must live until its answer.
    auto message = std::make_shared<inference::ModelInferRequest>(std::move(next_));
    next_.Clear();
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    InferRequest request = request_of(*message, key_);
    request.method = "ModelStreamInfer";
    request.traceparent = trace_;
    request.stop = stop_.get_token();
    server_.infer(std::move(request), [this, message](const InferReply& reply) { answer(*message, reply); });
    StartRead(&next_);
  }

  void answer(const inference::ModelInferRequest& message, const InferReply& reply) {
    inference::ModelStreamInferResponse response;
    response.set_error_message(reply.error);
    if (reply.status == 0) {
      fill(*response.mutable_infer_response(), reply, message.id());
    } else {
      response.mutable_infer_response()->set_id(message.id());
    }
    const std::lock_guard lock(mutex_);
    --running_;
    waiting_.push_back(std::move(response));
    if (waiting_.size() == 1) StartWrite(&waiting_.front());
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    waiting_.pop_front();
    if (!ok) waiting_.clear();
    if (!waiting_.empty()) StartWrite(&waiting_.front());
    finish_if_idle();
  }

  void finish_if_idle() {
    if (!ended_ || running_ > 0 || !waiting_.empty() || finished_) return;
    finished_ = true;
    Finish(Status::OK);
  }

  void OnCancel() override { stop_.request_stop(); }
  void OnDone() override { delete this; }

  Server& server_;
  std::string key_, trace_;
  std::stop_source stop_;
  std::mutex mutex_;
  inference::ModelInferRequest next_;
  std::deque<inference::ModelStreamInferResponse> waiting_;
  std::size_t running_ = 0;
  bool ended_ = false, finished_ = false;
};

class Calls final : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit Calls(Server& server) : server_(server) {}

  ::grpc::ServerUnaryReactor* ModelInfer(CallbackServerContext* context, const inference::ModelInferRequest* message,
                                         inference::ModelInferResponse* response) override {
    auto* reactor = new Unary;
    struct Words {
      std::string key, trace;
    };
    const auto words =
        std::make_shared<Words>(Words{key_of(*context), trace_of(*context)});  // shared: until the answer
    InferRequest request = request_of(*message, words->key);
    request.method = "ModelInfer";
    request.traceparent = words->trace;
    request.stop = reactor->stop.get_token();
    limit_time(request, *context);
    server_.infer(std::move(request), [reactor, response, message, words](const InferReply& reply) {
      if (reply.status != 0) return reactor->Finish(Status(static_cast<StatusCode>(reply.status), reply.error));
      fill(*response, reply, message->id());
      reactor->Finish(Status::OK);
    });
    return reactor;
  }

  ::grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>* ModelStreamInfer(
      CallbackServerContext* context) override {
    return new Stream(server_, key_of(*context), trace_of(*context));
  }

  // The rest are questions that HTTP answers too. before and after: what makes the HTTP answer the message's JSON.
  template <class Response>
  ::grpc::ServerUnaryReactor* ask(CallbackServerContext* context, Response* response, const std::string& method,
                                  const std::string& path, const std::string& body = {}, const std::string& before = {},
                                  const std::string& after = {}) {
    auto* reactor = new Unary;
    server_.ask(
        method, path, body, key_of(*context), [reactor, response, before, after](int status, const std::string& json) {
          if (status != 0) return reactor->Finish(Status(static_cast<StatusCode>(status), json));
          google::protobuf::util::JsonParseOptions lenient;
          lenient.ignore_unknown_fields = true;
          const auto parsed = google::protobuf::util::JsonStringToMessage(before + json + after, response, lenient);
          reactor->Finish(parsed.ok() ? Status::OK : Status(StatusCode::INTERNAL, parsed.ToString()));
        });
    return reactor;
  }

#define SKERRY_ASK(Method, ...)                                                                  \
  ::grpc::ServerUnaryReactor* Method(CallbackServerContext* context,                             \
                                     [[maybe_unused]] const inference::Method##Request* request, \
                                     inference::Method##Response* response) override {           \
    return ask(context, response, __VA_ARGS__);                                                  \
  }
  SKERRY_ASK(ServerLive, "GET", "/v2/health/live")
  SKERRY_ASK(ServerMetadata, "GET", "/v2")
  SKERRY_ASK(ModelMetadata, "GET", model_path(request->name(), request->version(), ""))
  SKERRY_ASK(ModelConfig, "GET", model_path(request->name(), request->version(), "/config"), "", "{\"config\":", "}")
  SKERRY_ASK(ModelStatistics, "GET",
             request->name().empty() ? std::string("/v2/models/stats")
                                     : model_path(request->name(), request->version(), "/stats"))
  SKERRY_ASK(RepositoryIndex, "POST", "/v2/repository/index", request->ready() ? "{\"ready\":true}" : "{}",
             "{\"models\":", "}")
  SKERRY_ASK(RepositoryModelLoad, "POST", "/v2/repository/models/" + quoted(request->model_name()) + "/load")
  SKERRY_ASK(RepositoryModelUnload, "POST", "/v2/repository/models/" + quoted(request->model_name()) + "/unload")
  SKERRY_ASK(SystemSharedMemoryStatus, "GET", region_path(request->name(), "/status?keyed=1"), "", "{\"regions\":", "}")
  SKERRY_ASK(SystemSharedMemoryRegister, "POST", region_path(request->name(), "/register"), region_json(*request))
  SKERRY_ASK(SystemSharedMemoryUnregister, "POST", region_path(request->name(), "/unregister"))
#undef SKERRY_ASK

  // "No" is an answer to these, not an error.
  ::grpc::ServerUnaryReactor* ServerReady(CallbackServerContext* context, const inference::ServerReadyRequest*,
                                          inference::ServerReadyResponse* response) override {
    return ready(context, response, "/v2/health/ready");
  }
  ::grpc::ServerUnaryReactor* ModelReady(CallbackServerContext* context, const inference::ModelReadyRequest* request,
                                         inference::ModelReadyResponse* response) override {
    return ready(context, response, model_path(request->name(), request->version(), "/ready"));
  }

 private:
  template <class Response>
  ::grpc::ServerUnaryReactor* ready(CallbackServerContext* context, Response* response, const std::string& path) {
    auto* reactor = new Unary;
    server_.ask("GET", path, {}, key_of(*context), [reactor, response](int status, const std::string& text) {
      const bool refused = status == StatusCode::UNAUTHENTICATED || status == StatusCode::PERMISSION_DENIED;
      response->set_ready(status == 0);
      reactor->Finish(refused ? Status(static_cast<StatusCode>(status), text) : Status::OK);
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
