#include "serve/routes.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <optional>

#include "serve/service.hpp"

namespace skerry::serve {

/// Sees the service's handlers.
struct Routes {
  static constexpr std::array kAll = {
      Route{"GET", "/v2/health/live", Role::nobody, &Service::health_live, false, "200 while the process runs",
            answers("serverLive", "Live")},
      Route{"GET", "/v2/health/ready", Role::nobody, &Service::health_ready, false,
            "200 when every model is loaded and the server is not going down", answers("serverReady", "Ready")},
      Route{"GET", "/v2", Role::nobody, &Service::server_metadata, false, "Name, version and extensions",
            answers("serverMetadata", "ServerMetadata")},
      Route{"GET", "/v2/models/stats", Role::read, &Service::all_statistics, false, "Statistics of all models",
            answers("allStatistics", "Statistics")},
      Route{"GET", "/v2/models/{model}", Role::read, &Service::model_metadata, false, "Inputs and outputs of a model",
            answers("modelMetadata", "ModelMetadata")},
      Route{"GET", "/v2/models/{model}/versions/{version}", Role::read, &Service::model_metadata, false,
            "Inputs and outputs of a version", answers("versionMetadata", "ModelMetadata")},
      Route{"GET", "/v2/models/{model}/ready", Role::read, &Service::model_ready, false, "200 when it can be asked",
            answers("modelReady", "ModelReady")},
      Route{"GET", "/v2/models/{model}/versions/{version}/ready", Role::read, &Service::model_ready, false,
            "200 when it can be asked", answers("versionReady", "ModelReady")},
      Route{"GET", "/v2/models/{model}/config", Role::read, &Service::model_config, false, "Configuration of a model",
            answers("modelConfig", "ModelConfig")},
      Route{"GET", "/v2/models/{model}/versions/{version}/config", Role::read, &Service::model_config, false,
            "Configuration of a version", answers("versionConfig", "ModelConfig")},
      Route{"GET", "/v2/models/{model}/stats", Role::read, &Service::model_statistics, false, "Statistics of a model",
            answers("modelStatistics", "Statistics")},
      Route{"GET", "/v2/models/{model}/versions/{version}/stats", Role::read, &Service::model_statistics, false,
            "Statistics of a version", answers("versionStatistics", "Statistics")},
      Route{"POST", "/v2/models/{model}/infer", Role::infer, &Service::model_infer, false, "One inference",
            answers("modelInfer", "InferReply").to("InferRequest").with_raw_bytes()},
      Route{"POST", "/v2/models/{model}/versions/{version}/infer", Role::infer, &Service::model_infer, false,
            "One inference with a version", answers("versionInfer", "InferReply").to("InferRequest").with_raw_bytes()},
      Route{"POST", "/v2/repository/index", Role::read, &Service::repository_index, false, "All models and their state",
            answers("repositoryIndex", "Index").perhaps_to("IndexRequest")},
      Route{"POST", "/v2/repository/models/{model}/load", Role::admin, &Service::repository_load, true,
            "Loads a model, or loads it again", answers("loadModel", "Nothing").perhaps_to("Nothing")},
      Route{"POST", "/v2/repository/models/{model}/unload", Role::admin, &Service::repository_unload, true,
            "Takes a model out of service", answers("unloadModel", "Nothing").perhaps_to("UnloadRequest")},
      Route{"POST", "/v2/circuits", Role::circuits, &Service::run_circuit, false, "Runs a circuit",
            answers("runCircuit", "CircuitReply").to("CircuitRequest").with_raw_bytes()},
      Route{"POST", "/v2/circuits/plan", Role::circuits, &Service::plan_circuit, true,
            "What a run would take, and whether it would be refused",
            answers("planCircuit", "Plan").to("CircuitRequest")},
      Route{"POST", "/v2/circuits/jobs", Role::circuits, &Service::submit_job, true, "Submits a job",
            answers("submitJob", "Job").to("CircuitRequest").or_accepts("Job")},
      Route{"GET", "/v2/circuits/jobs", Role::circuits, &Service::list_jobs, false, "Own jobs",
            answers("listJobs", "Jobs")},
      Route{"GET", "/v2/circuits/jobs/{id}", Role::circuits, &Service::job_status, false, "Status of a job",
            answers("jobStatus", "Job")},
      Route{"GET", "/v2/circuits/jobs/{id}/result", Role::circuits, &Service::job_result, false, "Answer of a job",
            answers("jobResult", "CircuitReply").with_raw_bytes().or_accepts("Job").asked_for("wait")},
      Route{"POST", "/v2/circuits/jobs/{id}/cancel", Role::circuits, &Service::job_cancel, true, "Stops a job",
            answers("cancelJob", "Job")},
      Route{"GET", "/v2/circuits/jobs/{id}/events", Role::circuits, &Service::job_events, false,
            "Progress as server-sent events", answers("jobEvents", "text/event-stream")},
      Route{"GET", "/v2/placements", Role::read, &Service::placements, false,
            "Where circuits went of late, and why; for admins everybody's", answers("placements", "Placements")},
      Route{"GET", "/v2/systemsharedmemory/status", Role::admin, &Service::memory_status, false,
            "Registered regions of shared memory", answers("allRegions", "Regions")},
      Route{"GET", "/v2/systemsharedmemory/region/{region}/status", Role::admin, &Service::memory_status, false,
            "One registered region", answers("region", "Regions")},
      Route{"POST", "/v2/systemsharedmemory/region/{region}/register", Role::admin, &Service::memory_register, false,
            "Registers a region", answers("registerRegion", "Nothing").to("RegionRequest")},
      Route{"POST", "/v2/systemsharedmemory/region/{region}/unregister", Role::admin, &Service::memory_unregister,
            false, "Forgets a region", answers("unregisterRegion", "Nothing")},
      Route{"POST", "/v2/systemsharedmemory/unregister", Role::admin, &Service::memory_unregister, false,
            "Forgets all regions", answers("unregisterAllRegions", "Nothing")},
      Route{"GET", "/v2/cudasharedmemory/status", Role::admin, &Service::cuda_memory_status, false,
            "Registered regions of CUDA's shared memory: none", answers("allCudaRegions", "Regions")},
      Route{"GET", "/v2/cudasharedmemory/region/{region}/status", Role::admin, &Service::cuda_memory_status, false,
            "There is no such region", answers("cudaRegion", "Regions")},
      Route{"POST", "/v2/cudasharedmemory/region/{region}/register", Role::admin, &Service::cuda_memory_register, false,
            "Refused: models run in the memory of the host", answers("registerCudaRegion", "Nothing")},
      Route{"POST", "/v2/cudasharedmemory/region/{region}/unregister", Role::admin, &Service::cuda_memory_unregister,
            false, "Forgets a region; there is none", answers("unregisterCudaRegion", "Nothing")},
      Route{"POST", "/v2/cudasharedmemory/unregister", Role::admin, &Service::cuda_memory_unregister, false,
            "Forgets all regions; there is none", answers("unregisterAllCudaRegions", "Nothing")},
      Route{"GET", "/v2/trace/setting", Role::read, &Service::trace_setting, false, "Which requests are traced",
            answers("traceSetting", "TraceSetting")},
      Route{"POST", "/v2/trace/setting", Role::admin, &Service::trace_setting, false, "Says which requests are traced",
            answers("changeTraceSetting", "TraceSetting").to("Settings")},
      Route{"GET", "/v2/models/{model}/trace/setting", Role::read, &Service::trace_setting, false,
            "Which requests of a model are traced", answers("modelTraceSetting", "TraceSetting")},
      Route{"POST", "/v2/models/{model}/trace/setting", Role::admin, &Service::trace_setting, false,
            "Says which requests of a model are traced",
            answers("changeModelTraceSetting", "TraceSetting").to("Settings")},
      Route{"GET", "/v2/logging", Role::read, &Service::logging, false, "What is logged",
            answers("logging", "LogSettings")},
      Route{"POST", "/v2/logging", Role::admin, &Service::logging, false, "Says what is logged",
            answers("changeLogging", "LogSettings").to("Settings")},
      Route{"GET", "/", Role::nobody, &Service::dashboard, false, "The dashboard", answers("dashboard", "text/html")},
      Route{"GET", "/openapi.json", Role::nobody, &Service::openapi, false, "This list, for tools",
            answers("openapi", "Document")},
      Route{"GET", "/v2/usage", Role::nobody, &Service::usage, false, "Who asks, and what is left to its tenant",
            answers("usage", "Usage")},
      Route{"GET", "/metrics", Role::read, &Service::metrics, false, "Counters for Prometheus",
            answers("metrics", "text/plain")},
  };
};

namespace {

constexpr std::size_t kMaxTarget = 4096;

std::optional<std::string> percent_decoded(std::string_view text) {
  if (text.find('%') == std::string_view::npos) return std::string(text);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size() ||
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr != text.data() + i + 3)
      return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> all;
  all.reserve(8);
  path.remove_prefix(path.starts_with('/') ? 1 : 0);
  for (;;) {
    const std::size_t end = std::min(path.find('/'), path.size());
    all.push_back(path.substr(0, end));
    if (end == path.size()) return all;
    path.remove_prefix(end + 1);
  }
}

bool is_word(std::string_view pattern) {
  return pattern.starts_with('{');
}

bool fits(std::span<const std::string_view> pattern, std::span<const std::string_view> path) {
  if (pattern.size() != path.size()) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (is_word(pattern[i]) ? path[i].empty() : pattern[i] != path[i]) return false;
  }
  return true;
}

}  // namespace

RouteError refusal_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const RouteError& refused) {
    return refused;
  } catch (const Error& known) {
    return {known, error_info(known.code()).http_status};
  } catch (const std::bad_alloc&) {
    return {Error(ErrorCode::budget_exceeded, "the server has no memory left for this request"), 507};
  } catch (const std::exception& unknown) {
    return {Error(ErrorCode::internal, unknown.what()), 500};
  }
}

std::span<const Route> routes() {
  return Routes::kAll;
}

RouteMatch find_route(std::string_view method, std::string_view target) {
  static const std::vector<std::vector<std::string_view>> patterns = [] {
    std::vector<std::vector<std::string_view>> all;
    for (const Route& route : Routes::kAll) all.push_back(segments(route.path));
    return all;
  }();
  const auto shown = [target] { return std::string(target.substr(0, 200)); };
  if (target.size() > kMaxTarget)
    throw RouteError{Error(ErrorCode::limit_exceeded, "the path is longer than " + std::to_string(kMaxTarget), shown()),
                     414};
  const std::string_view asked = method == "HEAD" ? "GET" : method;  // the same, and the body stays here
  const std::size_t question = std::min(target.find('?'), target.size());
  const auto path = segments(target.substr(0, question));
  bool known = false;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    if (!fits(patterns[i], path)) continue;
    known = true;
    if (Routes::kAll[i].method != asked) continue;
    RouteMatch match{&Routes::kAll[i], {}, std::string(target.substr(std::min(question + 1, target.size())))};
    for (std::size_t k = 0; k < path.size(); ++k) {
      if (!is_word(patterns[i][k])) continue;
      auto word = percent_decoded(path[k]);
      if (!word)
        throw RouteError{Error(ErrorCode::invalid_argument, "a percent sign needs two hex digits", shown()), 400};
      if (std::ranges::any_of(*word, [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
        throw RouteError{Error(ErrorCode::not_found, "no name has a control character", shown()), 404};
      match.words.push_back(*std::move(word));
    }
    return match;
  }
  if (known) throw RouteError{Error(ErrorCode::invalid_argument, "this path does not take that method", shown()), 405};
  throw RouteError{Error(ErrorCode::not_found, "there is nothing at this path", shown(), "see docs/server.md"), 404};
}

}  // namespace skerry::serve
