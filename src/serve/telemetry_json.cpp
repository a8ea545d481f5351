#include <algorithm>
#include <array>
#include <skerry/runtime.hpp>

#include "base/memory_usage.hpp"
#include "serve/service.hpp"
#include "serve/telemetry.hpp"
#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

using wire::JsonWriter;
using SystemTime = std::chrono::system_clock::time_point;

// Numbers of trace.proto and metrics.proto.
constexpr int kInternalSpan = 1, kServerSpan = 2, kStatusError = 2, kCumulative = 2;
constexpr unsigned kSampled = 0x01, kHasIsRemote = 0x100, kIsRemote = 0x200;

std::string nanos(SystemTime time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

void text_attribute(JsonWriter& json, std::string_view name, std::string_view value) {
  json.open('{').field("key", name).key("value").open('{').field("stringValue", value).close('}').close('}');
}

void int_attribute(JsonWriter& json, std::string_view name, std::int64_t value) {
  json.open('{').field("key", name).key("value").open('{');
  json.field("intValue", std::to_string(value)).close('}').close('}');
}

void begin_resource(JsonWriter& json, std::string_view list, const Resource& resource) {
  json.open('{').key(list).open('[').open('{').key("resource").open('{').key("attributes").open('[');
  text_attribute(json, "service.name", "skerry");
  text_attribute(json, "service.version", version());
  text_attribute(json, "service.instance.id", resource.instance);
  json.close(']').close('}');
}

void scope(JsonWriter& json) {
  json.key("scope").open('{').field("name", "skerry.serve").field("version", version()).close('}');
}

void write(JsonWriter& json, const Span& span) {
  json.open('{').field("traceId", span.trace.trace_id).field("spanId", span.trace.span_id);
  unsigned flags = kSampled | kHasIsRemote;
  if (!span.trace.parent_id.empty()) {
    json.field("parentSpanId", span.trace.parent_id);
    if (span.is_answer) flags |= kIsRemote;
  }
  json.field("flags", flags).field("name", span.name);
  json.field("kind", span.is_answer ? kServerSpan : kInternalSpan);
  json.field("startTimeUnixNano", nanos(span.begin)).field("endTimeUnixNano", nanos(span.end));
  json.key("attributes").open('[');
  for (const auto& [name, value] : span.attributes) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      int_attribute(json, name, *number);
    } else {
      text_attribute(json, name, std::get<std::string>(value));
    }
  }
  json.close(']').key("status").open('{');
  if (span.has_failed) json.field("code", kStatusError);
  json.close('}').close('}');
}

/// Metrics of one message; a family is open from its name to end().
class MetricWriter {
 public:
  MetricWriter(JsonWriter& json, SystemTime started, SystemTime now)
      : json_(json), started_(nanos(started)), now_(nanos(now)) {}

  MetricWriter& sum(std::string_view name, std::string_view unit, std::string_view description) {
    begin(name, unit, description, "sum");
    json_.field("aggregationTemporality", kCumulative).field("isMonotonic", true);
    return points();
  }
  MetricWriter& gauge(std::string_view name, std::string_view unit, std::string_view description) {
    begin(name, unit, description, "gauge");
    return points();
  }
  MetricWriter& histogram(std::string_view name, std::string_view unit, std::string_view description) {
    begin(name, unit, description, "histogram");
    json_.field("aggregationTemporality", kCumulative);
    return points();
  }
  void end() { json_.close(']').close('}').close('}'); }

  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;
  void point(const Labels& labels, std::uint64_t value) {
    begin_point(labels);
    json_.field("asInt", std::to_string(value)).close('}');
  }
  void point(const Labels& labels, double value) {
    begin_point(labels);
    json_.field("asDouble", value).close('}');
  }
  void point(const Labels& labels, const StatisticsSnapshot& all) {
    begin_point(labels);
    std::uint64_t count = 0;
    for (const std::uint64_t bin : all.latency) count += bin;
    json_.field("count", std::to_string(count)).field("sum", static_cast<double>(all.success.ns) * 1e-9);
    json_.key("bucketCounts").open('[');
    for (const std::uint64_t bin : all.latency) json_.value(std::to_string(bin));
    json_.close(']').key("explicitBounds").open('[');
    for (std::size_t bin = 0; bin < kBins; ++bin) json_.value(bin_bound(bin));
    json_.close(']').close('}');
  }

 private:
  void begin(std::string_view name, std::string_view unit, std::string_view description, std::string_view kind) {
    json_.open('{').field("name", name).field("description", description).field("unit", unit).key(kind).open('{');
  }
  MetricWriter& points() {
    json_.key("dataPoints").open('[');
    return *this;
  }
  void begin_point(const Labels& labels) {
    json_.open('{').field("startTimeUnixNano", started_).field("timeUnixNano", now_).key("attributes").open('[');
    for (const auto& [name, value] : labels) text_attribute(json_, name, value);
    json_.close(']');
  }

  JsonWriter& json_;
  std::string started_, now_;
};

void model_metrics(MetricWriter& out, const MetricsInput& input) {
  struct Row {
    MetricWriter::Labels labels;
    StatisticsSnapshot all;
    std::uint64_t waiting;
  };
  std::vector<Row> rows;
  for (const ModelPtr& model : input.models) {
    rows.push_back(
        {{{"model", model->name}, {"version", model->version}}, model->statistics->snapshot(), model->waiting()});
  }
  if (rows.empty()) return;
  const auto counter = [&](std::string_view name, std::string_view unit, std::string_view description,
                           std::uint64_t (*value)(const Row&)) {
    out.sum(name, unit, description);
    for (const Row& row : rows) out.point(row.labels, value(row));
    out.end();
  };
  counter("skerry.requests", "{request}", "Requests that were answered",
          [](const Row& row) { return row.all.success.count; });
  counter("skerry.requests.failed", "{request}", "Requests that failed",
          [](const Row& row) { return row.all.fail.count; });
  counter("skerry.requests.rejected", "{request}", "Requests refused because the queue was full or too slow",
          [](const Row& row) { return row.all.rejected; });
  counter("skerry.inferences", "{row}", "Rows of batches", [](const Row& row) { return row.all.inferences; });
  counter("skerry.executions", "{run}", "Runs of the model", [](const Row& row) { return row.all.executions; });
  out.gauge("skerry.queue.length", "{request}", "Requests that wait or run");
  for (const Row& row : rows) out.point(row.labels, row.waiting);
  out.end();
  out.histogram("skerry.request.duration", "s", "Time of successful requests, queue included");
  for (const Row& row : rows) out.point(row.labels, row.all);
  out.end();
}

void worker_metrics(MetricWriter& out, const PoolCounters& workers) {
  out.gauge("skerry.workers", "{process}", "Worker processes now");
  out.point({{"state", "idle"}}, workers.idle);
  out.point({{"state", "busy"}}, workers.busy);
  out.end();
  out.sum("skerry.worker.starts", "{process}", "Worker processes that were started").point({}, workers.started);
  out.end();
  out.sum("skerry.worker.runs", "{run}", "Circuits that were given to worker processes").point({}, workers.runs);
  out.end();
  out.sum("skerry.worker.retries", "{run}", "Runs that were begun again because their process died")
      .point({}, workers.retried);
  out.end();
  out.sum("skerry.worker.ends", "{end}", "Runs and worker processes that were ended, by the cause");
  out.point({{"cause", "crash"}}, workers.crashed);
  out.point({{"cause", "memory"}}, workers.memory);
  out.point({{"cause", "cpu"}}, workers.cpu);
  out.point({{"cause", "deadline"}}, workers.deadline);
  out.point({{"cause", "owner"}}, workers.owner);
  out.end();
}

void server_metrics(MetricWriter& out, const MetricsInput& input) {
  if (input.workers) worker_metrics(out, *input.workers);
  out.sum("skerry.jobs", "{job}", "Circuit jobs by their end");
  out.point({{"state", "submitted"}}, input.jobs.submitted);
  out.point({{"state", "done"}}, input.jobs.done);
  out.point({{"state", "failed"}}, input.jobs.failed);
  out.point({{"state", "cancelled"}}, input.jobs.cancelled);
  out.end();
  out.gauge("skerry.jobs.running", "{job}", "Circuit jobs that run").point({}, input.jobs.running);
  out.end();
  out.sum("skerry.placements", "{circuit}", "Circuits by where they went and by the method that was chosen");
  for (const auto& [name, count] : input.decisions.places)
    out.point({{"place", name.first}, {"method", name.second}}, count);
  out.end();
  out.sum("skerry.client.placements", "{circuit}", "Circuits by where their senders decided that they run");
  for (const auto& [place, count] : input.decisions.clients) out.point({{"place", place}}, count);
  out.end();
  out.gauge("skerry.sent_programs.size", "By", "Programs that are kept for those who sent them")
      .point({}, input.sent.bytes);
  out.end();
  out.sum("skerry.sent_programs", "{program}", "Programs that were named, kept and dropped");
  out.point({{"event", "known"}}, input.sent.known);
  out.point({{"event", "unknown"}}, input.sent.unknown);
  out.point({{"event", "kept"}}, input.sent.kept);
  out.point({{"event", "dropped"}}, input.sent.dropped);
  out.end();
  out.sum("skerry.http.answers", "{answer}", "HTTP answers by class of their status");
  for (std::size_t i = 2; i < input.answers.size(); ++i)
    out.point({{"class", std::to_string(i) + "xx"}}, input.answers[i]);
  out.end();
  out.gauge("skerry.http.connections", "{connection}", "Open connections").point({}, input.http.open_connections);
  out.end();
  out.gauge("skerry.memory.peak", "By", "Highest resident memory so far")
      .point({}, std::uint64_t{base::peak_resident_bytes()});
  out.end();
  out.gauge("skerry.uptime", "s", "Since the server was started").point({}, input.uptime_seconds);
  out.end();
  if (!input.telemetry) return;
  out.sum("skerry.telemetry.spans", "{span}", "Spans by what became of them");
  out.point({{"result", "sent"}}, input.telemetry->spans_sent);
  out.point({{"result", "dropped"}}, input.telemetry->spans_dropped);
  out.point({{"result", "failed"}}, input.telemetry->spans_failed);
  out.end();
}

}  // namespace

Span http_span(const Trace& trace, std::string_view method, std::string_view route, std::string_view path, int status) {
  Span span{.trace = trace, .name = std::string(method), .has_failed = status >= 500};
  if (!route.empty()) span.name.append(" ").append(route);
  span.attributes = {{"http.request.method", std::string(method)}, {"url.path", std::string(path)}};
  if (!route.empty()) span.attributes.emplace_back("http.route", std::string(route));
  span.attributes.emplace_back("http.response.status_code", std::int64_t{status});
  if (span.has_failed) span.attributes.emplace_back("error.type", std::to_string(status));
  return span;
}

Span grpc_span(const Trace& trace, std::string_view method, int status) {
  const std::string service = "inference.GRPCInferenceService";
  // Those that the conventions take for the server's faults: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL,
  // UNAVAILABLE, DATA_LOSS.
  constexpr std::array kFaults = {2, 4, 12, 13, 14, 15};
  Span span{.trace = trace,
            .name = service + "/" + std::string(method),
            .has_failed = std::ranges::find(kFaults, status) != kFaults.end()};
  span.attributes = {{"rpc.system", "grpc"},
                     {"rpc.service", service},
                     {"rpc.method", std::string(method)},
                     {"rpc.grpc.status_code", std::int64_t{status}}};
  return span;
}

std::string spans_json(const std::vector<Span>& spans, const Resource& resource) {
  JsonWriter json;
  begin_resource(json, "resourceSpans", resource);
  json.key("scopeSpans").open('[').open('{');
  scope(json);
  json.key("spans").open('[');
  for (const Span& span : spans) write(json, span);
  json.close(']').close('}').close(']').close('}').close(']').close('}');
  return std::move(json).text();
}

std::string metrics_json(const MetricsInput& input, const Resource& resource, SystemTime started, SystemTime now) {
  JsonWriter json;
  begin_resource(json, "resourceMetrics", resource);
  json.key("scopeMetrics").open('[').open('{');
  scope(json);
  json.key("metrics").open('[');
  MetricWriter out(json, started, now);
  model_metrics(out, input);
  server_metrics(out, input);
  json.close(']').close('}').close(']').close('}').close(']').close('}');
  return std::move(json).text();
}

}  // namespace skerry::serve
