#include "serve/grpc_listener.hpp"

#include <dlfcn.h>

#include <skerry/error.hpp>

#include "base/file.hpp"
#include "base/plugin.hpp"
#include "serve/grpc/door.hpp"
#include "serve/routes.hpp"
#include "wire/tensors.hpp"
#include "wire/texts.hpp"

namespace skerry::serve {
namespace {

constexpr const char* kLibrary = "libskerry_grpc.so";
constexpr int kUnauthenticated = 16, kResourceExhausted = 8;

// 429 is "later, and less of it": clients that go to another server on UNAVAILABLE would take it there.
int grpc_status(int http_status, ErrorCode code) {
  if (http_status == 401) return kUnauthenticated;
  if (http_status == 429) return kResourceExhausted;
  return error_info(code).grpc_status;
}

// A question that came by gRPC, asked as HTTP asks it.
class LocalExchange final : public Exchange {
 public:
  explicit LocalExchange(std::function<void(int, std::string)> done) : done_(std::move(done)) {}
  ~LocalExchange() override {
    if (done_) done_(error_info(ErrorCode::internal).grpc_status, "the request was dropped");
  }
  LocalExchange(const LocalExchange&) = delete;
  LocalExchange& operator=(const LocalExchange&) = delete;

  void respond(HttpResponse response) override {
    const auto done = std::exchange(done_, nullptr);
    if (!done) return;
    if (response.status < 400) return done(0, std::move(response.body));
    const Error error = wire::decode_error(response.status, response.body);
    done(grpc_status(response.status, error.code()), error.what());
  }
  void begin_stream(HttpResponse) override {}
  void send(std::string) override {}
  void end_stream() override {}

 private:
  std::function<void(int, std::string)> done_;
};

wire::InferRequest wire_request(const grpc_door::InferRequest& request) {
  if (const grpc_door::Refusal& refusal = request.refusal; !refusal.message.empty())
    throw Error(refusal.is_unsupported ? ErrorCode::unsupported : ErrorCode::invalid_argument, refusal.message,
                refusal.where, refusal.hint);
  wire::InferRequest out{.id = std::string(request.id), .binary_output = true};
  out.timeout_us = request.timeout_us;
  out.priority = request.priority;
  for (const grpc_door::Input& from : request.inputs) {
    wire::InferInput& input = out.inputs.emplace_back();
    input.name = from.name;
    const std::string where = "input '" + input.name + "'";
    input.dtype = wire::dtype_of_datatype(from.datatype, where);
    try {
      input.shape = Shape(from.shape);
    } catch (const Error& error) {
      throw error.at(where);
    }
    if (!from.shared.region.empty()) {
      input.shared = wire::SharedStretch{from.shared.region, from.shared.offset, from.shared.bytes};
      continue;
    }
    input.tensor = wire::tensor_of_bytes(input.dtype, input.shape, from.own.empty() ? from.bytes : from.own, where);
  }
  for (const grpc_door::WantedOutput& from : request.outputs) {
    wire::RequestedOutput& output = out.outputs.emplace_back();
    output.name = from.name;
    output.binary = true;
    if (!from.shared.region.empty())
      output.shared = wire::SharedStretch{from.shared.region, from.shared.offset, from.shared.bytes};
  }
  return out;
}

grpc_door::InferReply door_reply(const wire::InferReply& reply) {
  grpc_door::InferReply out{.model = reply.model, .version = reply.version};
  for (const wire::InferOutput& from : reply.outputs) {
    grpc_door::Output& output = out.outputs.emplace_back();
    output.name = from.name;
    output.datatype = wire::datatype_name(from.tensor.dtype());
    output.shape.assign(from.tensor.shape().dims().begin(), from.tensor.shape().dims().end());
    if (from.shared) {
      output.shared = {from.shared->region, from.shared->offset, from.shared->bytes};
    } else if (from.tensor.dtype() == DType::string) {
      output.own = wire::bytes_of(wire::texts_of(from.tensor.view()));
    } else {
      output.bytes = {reinterpret_cast<const char*>(from.tensor.view().data()), from.tensor.view().bytes()};
    }
  }
  return out;
}

// One inference on its way, until it is answered.
class Inference {
 public:
  Inference(Service& service, const grpc_door::InferRequest& request,
            std::function<void(const grpc_door::InferReply&)> answer)
      : service_(service),
        trace_(service.begin_trace(request.traceparent, request.model)),
        method_(request.method),
        model_(request.model),
        arrived_(request.arrived),
        answer_(std::move(answer)) {}

  void refuse(const std::exception_ptr& error) const {
    RouteError refusal = refusal_of(error);
    if (const auto unrecorded = service_.audit(asked(), false, refusal.status)) refusal = {*unrecorded, 500};
    end({.status = grpc_status(refusal.status, refusal.error.code()), .error = refusal.error.what()}, refusal.status);
  }
  void reply(const wire::InferReply& reply) const {
    try {
      end(door_reply(reply), 200);
    } catch (...) {
      refuse(std::current_exception());
    }
  }

  Principal principal;
  const Trace& trace() const noexcept { return trace_; }

 private:
  Service::Asked asked() const { return {trace_, method_, model_, "grpc", principal.name, arrived_}; }
  void end(const grpc_door::InferReply& reply, int http_status) const {
    if (service_.traces(trace_)) service_.tell(grpc_span(trace_, method_, reply.status), arrived_, Clock::now());
    service_.log_request(asked(), http_status);
    answer_(reply);
  }

  Service& service_;
  Trace trace_;
  std::string_view method_, model_;  // the request lives until its answer
  Clock::time_point arrived_;
  std::function<void(const grpc_door::InferReply&)> answer_;
};

class Door final : public grpc_door::Server {
 public:
  explicit Door(Service& service) : service_(service) {}

  void infer(grpc_door::InferRequest request,
             std::function<void(const grpc_door::InferReply&)> answer) noexcept override {
    // Shared: by this call and the one that ends it.
    const auto inference = std::make_shared<Inference>(service_, request, std::move(answer));
    try {
      std::uint64_t bytes = 0;
      for (const grpc_door::Input& input : request.inputs) bytes += std::max(input.bytes.size(), input.own.size());
      service_.admit(inference->principal, request.key, Role::infer, bytes);
      service_.infer(inference->principal, request.model, request.version, wire_request(request), request.arrived,
                     request.stop, inference->trace(),
                     [inference](const std::exception_ptr& error, const wire::InferReply& reply) {
                       error ? inference->refuse(error) : inference->reply(reply);
                     });
    } catch (...) {
      inference->refuse(std::current_exception());
    }
  }

  void ask(std::string method, std::string path, std::string body, std::string key,
           std::function<void(int, std::string)> done) noexcept override {
    auto exchange = std::make_shared<LocalExchange>(std::move(done));
    exchange->request = {
        .method = std::move(method), .target = std::move(path), .body = std::move(body), .peer = "grpc"};
    if (!key.empty()) exchange->request.headers.emplace_back("authorization", "Bearer " + key);
    service_.handle(exchange);
  }

 private:
  Service& service_;
};

std::string pem(const std::string& file) {
  return file.empty() ? std::string() : base::read_file(file, 1 << 20);
}

}  // namespace

struct GrpcListener::State {
  explicit State(Service& service) : door(service) {}
  Door door;
  std::unique_ptr<grpc_door::Listener> listener;
};

GrpcListener::GrpcListener(const GrpcOptions& options, Service& service) : state_(std::make_unique<State>(service)) {
  const auto path = base::find_plugin(kLibrary);
  // Never closed: gRPC's threads may outlive the last call into it.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto listen =
      library == nullptr ? nullptr : reinterpret_cast<grpc_door::Listen>(dlsym(library, "skerry_grpc_listen"));
  if (path.empty() || listen == nullptr) {
    throw Error(ErrorCode::unsupported, path.empty() ? std::string(kLibrary) + " is not installed" : dlerror(),
                "--grpc", "install the gRPC plugin, or leave --grpc out");
  }
  const grpc_door::Options wanted{options.host,
                                  options.port,
                                  options.max_message_bytes,
                                  pem(options.tls.certificate),
                                  pem(options.tls.key),
                                  pem(options.tls.client_authority)};
  std::string reason;
  state_->listener.reset(listen(grpc_door::kVersion, state_->door, wanted, reason));
  if (!state_->listener) throw Error(ErrorCode::unavailable, reason, options.host + ":" + std::to_string(options.port));
}

GrpcListener::~GrpcListener() = default;

std::uint16_t GrpcListener::port() const noexcept {
  return state_->listener->port();
}

void GrpcListener::drain(std::chrono::milliseconds limit) {
  state_->listener->drain(limit);
}

}  // namespace skerry::serve
