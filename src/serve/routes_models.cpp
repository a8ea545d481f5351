#include <skerry/error.hpp>

#include "serve/service.hpp"
#include "wire/json_node.hpp"
#include "wire/json_writer.hpp"
#include "wire/tensors.hpp"

namespace skerry::serve {
namespace {

using wire::JsonNode;
using wire::JsonWriter;

void write_tensor_infos(JsonWriter& json, std::string_view key, const std::vector<TensorInfo>& infos) {
  json.key(key).open('[');
  for (const TensorInfo& info : infos) {
    json.open('{').field("name", info.name).field("datatype", wire::datatype_name(info.dtype));
    json.key("shape").values<std::int64_t>(info.shape);
    json.close('}');
  }
  json.close(']');
}

void write_config_tensors(JsonWriter& json, std::string_view key, const std::vector<TensorInfo>& infos, bool batches) {
  json.key(key).open('[');
  for (const TensorInfo& info : infos) {
    json.open('{').field("name", info.name);
    const bool is_text = info.dtype == DType::string;  // which has another name there
    json.field("data_type", "TYPE_" + std::string(is_text ? "STRING" : wire::datatype_name(info.dtype)));
    const std::span<const std::int64_t> dims(info.shape);
    json.key("dims").values(dims.subspan(batches && !dims.empty() ? 1 : 0)).close('}');
  }
  json.close(']');
}

void write_tally(JsonWriter& json, std::string_view key, const Tally& tally) {
  json.key(key).open('{').field("count", tally.count).field("ns", tally.ns).close('}');
}

void write_statistics(JsonWriter& json, const Model& model) {
  const StatisticsSnapshot all = model.statistics->snapshot();
  json.open('{').field("name", model.name).field("version", model.version).field("last_inference", all.last_ms);
  json.field("inference_count", all.inferences).field("execution_count", all.executions);
  json.key("inference_stats").open('{');
  write_tally(json, "success", all.success);
  write_tally(json, "fail", all.fail);
  write_tally(json, "queue", all.queue);
  write_tally(json, "compute_input", all.input);
  write_tally(json, "compute_infer", all.infer);
  write_tally(json, "compute_output", all.output);
  write_tally(json, "cache_hit", {});
  write_tally(json, "cache_miss", {});
  json.close('}').key("batch_stats").open('[');
  for (const auto& [rows, batch] : all.batches) {
    json.open('{').field("batch_size", rows);
    write_tally(json, "compute_input", batch.input);
    write_tally(json, "compute_infer", batch.infer);
    write_tally(json, "compute_output", batch.output);
    json.close('}');
  }
  json.close(']').field("rejected", all.rejected);
  json.key("latency_seconds").open('{').field("p50", all.percentile(0.5)).field("p95", all.percentile(0.95));
  json.field("p99", all.percentile(0.99)).close('}').close('}');
}

}  // namespace

namespace {

std::string platform_of(const Model& model) {
  return model.ensemble ? "ensemble" : "skerry_" + model.kind;
}

// As Triton tells it.
void write_steps(JsonWriter& json, const EnsembleConfig& config) {
  json.key("ensemble_scheduling").open('{').key("step").open('[');
  for (const EnsembleStep& step : config.steps) {
    json.open('{').field("model_name", step.model);
    json.key("model_version").raw(step.version.empty() ? "-1" : step.version);
    for (const auto& [key, map] : {std::pair("input_map", &step.inputs), std::pair("output_map", &step.outputs)}) {
      json.key(key).open('{');
      for (const auto& [from, to] : *map) json.field(from, to);
      json.close('}');
    }
    json.close('}');
  }
  json.close(']').close('}');
}

// Members of a body that may be left out. Errors: those of JSON; invalid_argument for what is no object.
template <class Each>
void each_member(std::string_view body, Each&& each) {
  if (body.empty()) return;
  const wire::JsonText text(body);
  for (const auto& [name, value] : text.root().members()) each(name, value);
}

// There is one repository, and it has no name.
void refuse_repository(std::string_view name, const JsonNode& value) {
  if (name != "repository_name" || value.text().empty()) return;
  throw Error(ErrorCode::not_found, "there is no repository '" + std::string(value.text().substr(0, 128)) + "'",
              value.where(), "leave it out: the one repository has no name");
}

// Triton's clients may bring a configuration or files of their own, or want dependents unloaded. None of that is done
// here, and who asked for it must not hear that it was. usual: what may stand there as `false`.
void refuse_parameters(std::string_view body, std::string_view usual) {
  each_member(body, [usual](std::string_view name, const JsonNode& value) {
    refuse_repository(name, value);
    if (name != "parameters") return;
    for (const auto& [parameter, wanted] : value.members()) {
      if (parameter == usual && !wanted.flag()) continue;
      throw Error(ErrorCode::unsupported, "'" + std::string(parameter.substr(0, 64)) + "' is not taken", "parameters",
                  "a model is loaded as it lies in the repository, and unloaded alone");
    }
  });
}

}  // namespace

void Service::check_model(const Principal& principal, std::string_view name) {
  if (principal.may_use(name)) return;
  throw Error(ErrorCode::permission_denied,
              "key '" + principal.name + "' may not use model '" + std::string(name.substr(0, 128)) + "'", "model");
}

ModelPtr Service::model_of(const Call& call) const {
  check_model(call.principal, call.words[0]);
  return repository_.find(call.words[0], call.words.size() > 1 ? std::string_view(call.words[1]) : std::string_view());
}

void Service::health_live(const CallPtr& call) {
  reply(call, R"({"live":true})");
}

void Service::health_ready(const CallPtr& call) {
  if (is_ready()) return reply(call, R"({"ready":true})");
  refuse(call,
         Error(ErrorCode::unavailable,
               draining_.load() ? "the server is going down" : "not every model could be loaded", "ready"),
         503);
}

void Service::server_metadata(const CallPtr& call) {
  JsonWriter json;
  json.open('{').field("name", "skerry").field("version", version()).key("extensions").open('[');
  for (const char* extension :
       {"binary_tensor_data", "model_repository", "model_repository(unload)", "model_configuration", "statistics",
        "system_shared_memory", "trace", "logging", "circuits"})
    json.value(extension);
  reply(call, std::move(json.close(']').close('}')).text());
}

void Service::model_metadata(const CallPtr& call) {
  const ModelPtr model = model_of(*call);
  JsonWriter json;
  json.open('{').field("name", model->name);
  json.key("versions").values<std::string>(repository_.versions(model->name));
  json.field("platform", platform_of(*model));
  write_tensor_infos(json, "inputs", model->inputs);
  write_tensor_infos(json, "outputs", model->outputs);
  reply(call, std::move(json.close('}')).text());
}

void Service::model_ready(const CallPtr& call) {
  const ModelPtr model = model_of(*call);
  reply(call, JsonWriter().open('{').field("name", model->name).field("ready", true).close('}').text());
}

void Service::model_config(const CallPtr& call) {
  const ModelPtr model = model_of(*call);
  const bool batches = model->can_batch();
  const BatchingOptions& batching = options_.repository.batching;
  const std::int64_t rows = model->ensemble ? model->ensemble->config().max_rows
                            : batches       ? std::int64_t{batching.sizes.back()}
                                            : 0;
  JsonWriter json;
  json.open('{').field("name", model->name).field("platform", platform_of(*model));
  json.field("backend", model->ensemble ? "" : "skerry").field("max_batch_size", rows);
  write_config_tensors(json, "input", model->inputs, rows > 0);
  write_config_tensors(json, "output", model->outputs, rows > 0);
  if (model->ensemble) write_steps(json, model->ensemble->config());
  if (batches) {
    json.key("dynamic_batching").open('{').key("preferred_batch_size").values<std::uint32_t>(batching.sizes);
    json.field("max_queue_delay_microseconds", batching.max_delay.count()).close('}');
  }
  reply(call, std::move(json.close('}')).text());
}

void Service::model_statistics(const CallPtr& call) {
  JsonWriter json;
  write_statistics(json.open('{').key("model_stats").open('['), *model_of(*call));
  reply(call, std::move(json.close(']').close('}')).text());
}

void Service::all_statistics(const CallPtr& call) {
  JsonWriter json;
  json.open('{').key("model_stats").open('[');
  for (const ModelPtr& model : repository_.loaded()) {
    if (call->principal.may_use(model->name)) write_statistics(json, *model);
  }
  reply(call, std::move(json.close(']').close('}')).text());
}

void Service::model_infer(const CallPtr& call) {
  const std::string_view version = call->words.size() > 1 ? std::string_view(call->words[1]) : std::string_view();
  wire::InferRequest request = wire::decode_infer_request(call->view());
  call->body = {};
  infer(call->principal, call->words[0], version, std::move(request), call->exchange->arrived,
        call->exchange->closed.get_token(), call->trace,
        [this, call](const std::exception_ptr& error, const wire::InferReply& done) {
          if (error) return refuse(call, error);
          try {
            reply(call, wire::encode(done));
          } catch (...) {
            refuse(call, std::current_exception());
          }
        });
}

void Service::repository_index(const CallPtr& call) {
  bool ready_only = false;
  each_member(call->body, [&](std::string_view name, const JsonNode& value) {
    if (name == "ready") ready_only = value.flag();
    refuse_repository(name, value);
  });
  JsonWriter json;
  json.open('[');
  for (const IndexRow& row : repository_.index(ready_only)) {
    if (!call->principal.may_use(row.name)) continue;
    json.open('{').field("name", row.name);
    if (!row.version.empty()) json.field("version", row.version);
    json.field("state", row.state).field("reason", row.reason).close('}');
  }
  reply(call, std::move(json.close(']')).text());
}

void Service::repository_load(const CallPtr& call) {
  check_model(call->principal, call->words[0]);
  refuse_parameters(call->body, {});
  repository_.load(call->words[0]);
  log_line("info", "loaded", {{"model", call->words[0]}, {"key", call->principal.name}});
  reply(call, "{}");
}

void Service::repository_unload(const CallPtr& call) {
  check_model(call->principal, call->words[0]);
  refuse_parameters(call->body, "unload_dependents");
  repository_.unload(call->words[0]);
  log_line("info", "unloaded", {{"model", call->words[0]}, {"key", call->principal.name}});
  reply(call, "{}");
}

MetricsInput Service::measured() const {
  MetricsInput input{.models = repository_.loaded(),
                     .jobs = jobs_.counters(),
                     .http = http_counters_ ? http_counters_() : HttpCounters{}};
  for (std::size_t i = 0; i < answers_.size(); ++i) input.answers[i] = answers_[i].load();
  input.uptime_seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  input.decisions = decisions_.counters();
  input.sent = sent_.counters();
  if (pool_) input.workers = pool_->counters();
  if (telemetry_) input.telemetry = telemetry_->counters();
  return input;
}

void Service::metrics(const CallPtr& call) {
  MetricsInput input = measured();
  std::erase_if(input.models, [&](const ModelPtr& model) { return !call->principal.may_use(model->name); });
  reply(call, HttpResponse{.body = metrics_text(input), .type = "text/plain; version=0.0.4"});
}

}  // namespace skerry::serve
