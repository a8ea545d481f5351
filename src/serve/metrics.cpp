#include <skerry/metrics.hpp>

#include "base/memory_usage.hpp"
#include "serve/latency.hpp"
#include "serve/service.hpp"

namespace skerry::serve {
namespace {

class Page : public MetricsPage {
 public:
  using MetricsPage::sample;
  void sample(const std::string& labels, std::uint64_t value) { sample(labels, static_cast<double>(value), {}); }
};

struct Row {
  std::string labels;
  StatisticsSnapshot all;
  std::size_t waiting;
};

void counter(Page& page, std::string_view name, std::string_view help, const std::vector<Row>& rows,
             std::uint64_t (*value)(const Row&)) {
  page.family(name, "counter", help);
  for (const Row& row : rows) page.sample(row.labels, value(row));
}

void histogram(Page& page, const std::vector<Row>& rows) {
  page.family("skerry_request_seconds", "histogram", "Time of successful requests, queue included");
  for (const Row& row : rows) page.sample(row.labels, latency_of(row.all));
}

void models_part(Page& page, const std::vector<Row>& rows) {
  counter(page, "skerry_requests_total", "Requests that were answered", rows,
          [](const Row& row) { return row.all.success.count; });
  counter(page, "skerry_requests_failed_total", "Requests that failed", rows,
          [](const Row& row) { return row.all.fail.count; });
  counter(page, "skerry_requests_rejected_total", "Requests refused because the queue was full or too slow", rows,
          [](const Row& row) { return row.all.rejected; });
  counter(page, "skerry_inferences_total", "Rows of batches", rows, [](const Row& row) { return row.all.inferences; });
  counter(page, "skerry_executions_total", "Runs of the model", rows,
          [](const Row& row) { return row.all.executions; });
  page.family("skerry_queue_length", "gauge", "Requests that wait or run");
  for (const Row& row : rows) page.sample(row.labels, static_cast<std::uint64_t>(row.waiting));
  histogram(page, rows);
}

void workers_part(Page& page, const PoolCounters& workers) {
  page.family("skerry_workers", "gauge", "Worker processes now");
  page.sample("state=\"idle\"", workers.idle);
  page.sample("state=\"busy\"", workers.busy);
  page.single("skerry_worker_starts_total", "counter", "Worker processes that were started",
              static_cast<double>(workers.started));
  page.single("skerry_worker_runs_total", "counter", "Circuits that were given to worker processes",
              static_cast<double>(workers.runs));
  page.single("skerry_worker_retries_total", "counter", "Runs that were begun again because their process died",
              static_cast<double>(workers.retried));
  page.family("skerry_worker_ends_total", "counter", "Runs and worker processes that were ended, by the cause");
  page.sample("cause=\"crash\"", workers.crashed);
  page.sample("cause=\"memory\"", workers.memory);
  page.sample("cause=\"cpu\"", workers.cpu);
  page.sample("cause=\"deadline\"", workers.deadline);
  page.sample("cause=\"owner\"", workers.owner);
  page.family("skerry_sandbox", "gauge", "1 for each part of the newest worker's sandbox that the kernel allowed");
  page.sample("part=\"system_calls\"", std::uint64_t{workers.sandbox.system_calls});
  page.sample("part=\"memory\"", std::uint64_t{workers.sandbox.memory});
  page.sample("part=\"namespaces\"", std::uint64_t{workers.sandbox.namespaces});
  page.sample("part=\"capabilities\"", std::uint64_t{workers.sandbox.capabilities});
}

}  // namespace

std::string metrics_text(const MetricsInput& input) {
  std::vector<Row> rows;
  for (const ModelPtr& model : input.models) {  // names hold no character that a label would have to escape
    rows.push_back({"model=\"" + model->name + "\",version=\"" + model->version + "\"", model->statistics->snapshot(),
                    model->waiting()});
  }
  Page page;
  models_part(page, rows);
  page.family("skerry_jobs_total", "counter", "Circuit jobs by their end");
  page.sample("state=\"submitted\"", input.jobs.submitted);
  page.sample("state=\"done\"", input.jobs.done);
  page.sample("state=\"failed\"", input.jobs.failed);
  page.sample("state=\"cancelled\"", input.jobs.cancelled);
  page.single("skerry_jobs_running", "gauge", "Circuit jobs that run", static_cast<double>(input.jobs.running));
  page.family("skerry_placements_total", "counter", "Circuits by where they went and by the method that was chosen");
  for (const auto& [name, count] : input.decisions.places)
    page.sample("place=\"" + name.first + "\",method=\"" + name.second + "\"", count);
  page.family("skerry_client_placements_total", "counter", "Circuits by where their senders decided that they run");
  for (const auto& [place, count] : input.decisions.clients) page.sample("place=\"" + place + "\"", count);
  page.single("skerry_sent_programs", "gauge", "Programs that are kept for those who sent them",
              static_cast<double>(input.sent.programs));
  page.single("skerry_sent_programs_bytes", "gauge", "What they take", static_cast<double>(input.sent.bytes));
  page.family("skerry_sent_programs_total", "counter", "Programs that were named, kept and dropped");
  page.sample("event=\"known\"", input.sent.known);
  page.sample("event=\"unknown\"", input.sent.unknown);
  page.sample("event=\"kept\"", input.sent.kept);
  page.sample("event=\"dropped\"", input.sent.dropped);
  page.family("skerry_http_answers_total", "counter", "HTTP answers by class of their status");
  for (std::size_t i = 2; i < input.answers.size(); ++i)
    page.sample("class=\"" + std::to_string(i) + "xx\"", input.answers[i]);
  page.single("skerry_http_connections", "gauge", "Open connections", static_cast<double>(input.http.open_connections));
  page.family("skerry_http_connections_total", "counter", "Connections by what became of them");
  page.sample("kind=\"accepted\"", input.http.accepted);
  page.sample("kind=\"refused\"", input.http.refused);
  page.sample("kind=\"malformed\"", input.http.malformed);
  page.sample("kind=\"timed_out\"", input.http.timed_out);
  page.single("skerry_http_waiting_bytes", "gauge", "Bytes of bodies that are received or handled",
              static_cast<double>(input.http.waiting_bytes));
  if (input.workers) workers_part(page, *input.workers);
  if (input.telemetry) {
    page.family("skerry_telemetry_spans_total", "counter", "Spans for the collector by what became of them");
    page.sample("result=\"sent\"", input.telemetry->spans_sent);
    page.sample("result=\"dropped\"", input.telemetry->spans_dropped);
    page.sample("result=\"failed\"", input.telemetry->spans_failed);
    page.family("skerry_telemetry_metrics_total", "counter", "Messages of metrics for the collector");
    page.sample("result=\"sent\"", input.telemetry->metrics_sent);
    page.sample("result=\"failed\"", input.telemetry->metrics_failed);
  }
  page.single("skerry_resident_bytes", "gauge", "Resident memory", static_cast<double>(base::resident_bytes()));
  page.single("skerry_uptime_seconds", "gauge", "Since the server was started", input.uptime_seconds);
  return std::move(page).text();
}

}  // namespace skerry::serve
