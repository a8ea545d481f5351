#include <algorithm>
#include <chrono>
#include <skerry/edge.hpp>
#include <skerry/error.hpp>
#include <skerry/runtime.hpp>

#include "edge/remote/endpoint.hpp"
#include "plan/budget.hpp"
#include "wire/circuits.hpp"
#include "wire/json_node.hpp"

namespace skerry::edge {
namespace {

using remote::Connection;
using remote::HttpAnswer;

/// Stages on the way to an endpoint, each with what the one before it left.
class Examination {
 public:
  explicit Examination(const EdgeExecutionConfig& config) : config_(config) {}

  std::vector<DoctorStep> run() {
    struct Stage {
      const char* name;
      std::string (Examination::*work)();
      const char* silence;  // what it means that nothing comes
    };
    constexpr const char* kMute = "connections are taken there and nothing is said; is it a Skerry server";
    const Stage stages[] = {
        {"address", &Examination::address, ""},
        {"DNS", &Examination::resolve, "no name server answers; is this machine on a network"},
        {"TCP", &Examination::connect, "nobody takes or refuses the connection; does a firewall drop it"},
        {"TLS", &Examination::secure, "there is no handshake; does the port speak TLS"},
        {"HTTP", &Examination::ask, kMute},
        {"auth", &Examination::authenticate, kMute},
        {"version", &Examination::versions, kMute}};
    // Longer than this no stage of a healthy endpoint takes; who waits less for runs waits less here.
    const double seconds = std::min(5.0, config_.cloud_timeout);
    for (const auto& [name, stage, silence] : stages) {
      DoctorStep& step = steps_.emplace_back(DoctorStep{.name = name});
      const auto start = std::chrono::steady_clock::now();
      try {
        patience_ = remote::Patience{}.at_most(std::chrono::duration<double>(seconds));
        step.finding = (this->*stage)();
        step.ok = true;
      } catch (const Error& error) {
        step.finding = error.code() == ErrorCode::deadline_exceeded
                           ? "nothing came within " + planning::seconds_text(seconds) + ": " + silence
                           : error.message() + (error.hint().empty() ? "" : "; " + error.hint());
      }
      step.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (!step.ok) break;
    }
    return std::move(steps_);
  }

 private:
  std::string address() {
    if (config_.cloud_endpoint.empty())
      throw Error(ErrorCode::invalid_argument, "there is no cloud_endpoint", "", "write http://host:port");
    options_ = remote::endpoint_options(config_);
    return options_.url.text();
  }

  std::string resolve() {
    addresses_ = net::resolve(options_.url, patience_);
    std::string text;
    for (const auto& address : addresses_) text += (text.empty() ? "" : ", ") + address.text;
    return text;
  }

  std::string connect() {
    connection_.emplace(Connection::open(options_.url, addresses_, patience_));
    return "port " + std::to_string(options_.url.port) + " answers";
  }

  std::string secure() {
    if (!options_.url.tls) return "not asked for: http";
    connection_->start_tls(options_.tls, patience_);
    return connection_->tls_text();
  }

  HttpAnswer get(const std::string& target) {
    remote::HttpRequest request{.method = "GET", .target = target, .headers = {}, .body = {}};
    if (!options_.api_key.empty()) request.headers.emplace_back("Authorization", "Bearer " + options_.api_key);
    HttpAnswer answer = exchange(*connection_, options_.url, request, std::uint64_t{1} << 20, patience_);
    if (!answer.may_go_on) {
      connection_.emplace(Connection::open(options_.url, addresses_, patience_));
      if (options_.url.tls) connection_->start_tls(options_.tls, patience_);
    }
    return answer;
  }

  std::string ask() {
    const HttpAnswer answer = get("/v2/health/ready");
    if (answer.status != 200 && answer.status != 401 && answer.status != 403) {
      throw Error(ErrorCode::unavailable, "it is not ready: status " + std::to_string(answer.status), "",
                  "is it a Skerry server, and has it loaded what it serves");
    }
    return "ready";
  }

  std::string authenticate() {
    const HttpAnswer answer = get(std::string(wire::kJobsPath));
    if (answer.status == 401 || answer.status == 403) {
      const Error said = wire::decode_error(answer.status, answer.body);
      throw Error(said.code(), "status " + std::to_string(answer.status) + ": " + said.message(), "",
                  config_.cloud_api_key.empty() ? "set cloud_api_key" : "the key has no right to run circuits");
    }
    if (answer.status != 200) {
      throw Error(ErrorCode::unavailable, "circuits are not served: status " + std::to_string(answer.status), "",
                  "is it a Skerry server");
    }
    return config_.cloud_api_key.empty() ? "none is asked for" : "the key may run circuits";
  }

  std::string versions() {
    const HttpAnswer answer = get("/v2");
    if (answer.status != 200)
      throw Error(ErrorCode::unavailable, "/v2 gives status " + std::to_string(answer.status), "");
    std::string name, number;
    const wire::JsonText text(answer.body);
    for (const auto& [key, value] : text.root().members()) {
      if (key == "name") name = value.text();
      if (key == "version") number = value.text();
    }
    if (number.empty()) throw Error(ErrorCode::unavailable, "/v2 names no version", "", "is it a Skerry server");
    if (number != version()) {
      return name + " " + number + ", and this is " + std::string(version()) +
             ": packages of a newer version may be refused";
    }
    return name + " " + number;
  }

  const EdgeExecutionConfig& config_;
  std::vector<DoctorStep> steps_;
  remote::EndpointOptions options_;
  remote::Patience patience_;
  std::vector<remote::Address> addresses_;
  std::optional<Connection> connection_;
};

}  // namespace

std::vector<DoctorStep> examine_endpoint(const EdgeExecutionConfig& config) {
  return Examination(config).run();
}

}  // namespace skerry::edge
