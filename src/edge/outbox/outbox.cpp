#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <skerry/outbox.hpp>
#include <utility>

#include "edge/model_cache.hpp"
#include "edge/models.hpp"
#include "edge/outbox/keep.hpp"
#include "edge/remote/cloud.hpp"
#include "edge/run_options.hpp"
#include "package/package.hpp"

namespace skerry::edge {
namespace {

using outbox::Folder;
using outbox::Item;
using outbox::Kind;
using outbox::Record;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

OutboxEntry entry_of(const Item& item, const Record& record) {
  constexpr std::array kStates = {OutboxState::waiting, OutboxState::done, OutboxState::failed};
  OutboxEntry entry{.id = item.id,
                    .state = kStates[static_cast<std::size_t>(item.kind)],
                    .circuit_id = record.circuit_id,
                    .endpoint = record.endpoint,
                    .kept = record.kept,
                    .answered = record.answered,
                    .bytes = item.bytes,
                    .finding = {}};
  if (item.kind == Kind::failed) entry.finding = wire::decode_error(400, record.body.bytes).what();
  return entry;
}

OutboxEntry damaged(const Item& item, const Error& error) {
  OutboxEntry entry{.id = item.id, .state = OutboxState::damaged, .circuit_id = {}, .endpoint = {}, .finding = {}};
  entry.bytes = item.bytes;
  entry.finding = error.what();
  return entry;
}

[[noreturn]] void no_entry(std::string_view id) {
  throw Error(ErrorCode::not_found, "there is no entry '" + std::string(id.substr(0, 64)) + "'", "outbox",
              "its entries tell what is there");
}

void require_endpoint(const EdgeExecutionConfig& config) {
  if (!config.fallback_to_cloud) {
    throw Error(ErrorCode::invalid_argument, "fallback_to_cloud is off: nothing is sent, now or later",
                "fallback_to_cloud", "switch it on");
  }
  if (config.cloud_endpoint.empty())
    throw Error(ErrorCode::invalid_argument, "there is no cloud_endpoint to send to", "cloud_endpoint", "give its URL");
}

remote::Asked asked_in(const wire::CircuitRequest& request) {
  const auto bytes = std::make_shared<const std::string>(request.program);  // shared: what is read lies in it
  const auto loaded = package::read(std::as_bytes(std::span(*bytes)), bytes);
  const auto* model = std::get_if<Graph>(&loaded.contents.program);
  return model == nullptr ? remote::asked_of(request) : asked_of(*model, request.inputs);
}

/// One pass over what waits.
class Sending {
 public:
  Sending(const EdgeExecutionConfig& config, const Folder& folder, const RunControl& control)
      : config_(config),
        folder_(folder),
        control_(control),
        endpoint_(remote::endpoint_options(config)),
        name_(endpoint_.options().url.text()) {}

  std::vector<OutboxEntry> run() {
    std::vector<OutboxEntry> all;
    const std::vector<Item> items = waiting();
    constexpr std::size_t kAtOnce = 64;  // each holds a file open
    for (std::size_t at = 0; at < items.size(); at += kAtOnce) {
      jobs_.clear();
      for (std::size_t i = at; i < std::min(items.size(), at + kAtOnce); ++i) open(items[i]);
      // All are given away before the first answer is waited for: the way to the endpoint may not last.
      for (Job& job : jobs_) step(job, [&] { submit(job); });
      for (Job& job : jobs_) step(job, [&] { collect(job); });
      for (Job& job : jobs_) all.push_back(std::move(job.entry));
    }
    return all;
  }

 private:
  struct Job {
    OutboxEntry entry;
    Record record;
    std::optional<base::Descriptor> claim;  // none: not ours to send
    remote::Asked asked;
    std::string job_id;  // at the endpoint
  };

  std::vector<Item> waiting() const {
    std::vector<std::pair<double, Item>> found;
    for (const Item& item : folder_.items()) {
      if (item.kind != Kind::job) continue;
      try {
        found.emplace_back(folder_.read(item).kept, item);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::not_found) found.emplace_back(seconds_now(), item);
      }
    }
    std::ranges::stable_sort(found, {}, &std::pair<double, Item>::first);
    std::vector<Item> out;
    for (auto& [kept, item] : found) out.push_back(std::move(item));
    return out;
  }

  void open(const Item& item) {
    Job job;
    try {
      job.record = folder_.read(item);
      job.entry = entry_of(item, job.record);
      job.asked = asked_in(outbox::request_in(job.record, item.id));
      if (job.record.endpoint != name_) {
        job.entry.finding = "it is for " + job.record.endpoint;
      } else {
        job.claim = folder_.claim(item.id);
        if (!job.claim) job.entry.finding = "another process sends it";
      }
    } catch (const Error& error) {
      if (error.code() == ErrorCode::not_found) return;  // answered or dropped meanwhile
      job.entry = damaged(item, error);
    }
    jobs_.push_back(std::move(job));
  }

  // Whatever is about reaching the endpoint leaves the job where it is; a refusal of the run itself ends it.
  template <class Work>
  void step(Job& job, Work work) {
    if (!job.claim) return;
    control_.check("outbox");
    if (!away_.empty()) {
      job.entry.finding = away_;
      return;
    }
    try {
      work();
    } catch (const remote::Refusal& refusal) {
      if (is_about_the_run(refusal, job)) return store(job, Kind::failed, {wire::encode(refusal), 0});
      job.entry.finding = refusal.what();
      if (refusal.code() == ErrorCode::permission_denied) away_ = refusal.what();  // so are the others
    } catch (const Error& error) {
      control_.check("outbox");
      job.entry.finding = error.what();
      if (error.code() == ErrorCode::unavailable || error.code() == ErrorCode::deadline_exceeded) away_ = error.what();
    }
  }

  static bool is_about_the_run(const Error& refusal, const Job& job) {
    constexpr std::array kServers = {ErrorCode::unavailable, ErrorCode::not_found, ErrorCode::permission_denied,
                                     ErrorCode::bad_signature, ErrorCode::io_error};
    if (std::ranges::find(kServers, refusal.code()) != kServers.end()) return false;
    return refusal.code() != ErrorCode::internal || !job.job_id.empty();
  }

  remote::Patience patience() const {
    remote::Patience out{.stop = control_.stop};
    out.deadline = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                                          std::chrono::duration<double>(config_.cloud_timeout));
    if (control_.deadline) out.deadline = std::min(out.deadline, *control_.deadline);
    return out;
  }

  void submit(Job& job) { job.job_id = remote::submit(endpoint_, job.record.body, patience()); }

  void collect(Job& job) {
    if (job.job_id.empty() || job.entry.state != OutboxState::waiting) return;
    const remote::Patience patient = patience();
    std::optional<wire::Body> answer;
    try {
      while (!answer) answer = remote::outcome(endpoint_, job.job_id, job.asked, patient);
    } catch (const remote::BadAnswer& error) {
      job.entry.finding = error.what();  // the job waits on: others of this pass may be answered
      return;
    } catch (const Error& error) {
      // A long run is no sign that the endpoint is away; one short question that nobody answers is.
      if (error.code() != ErrorCode::deadline_exceeded || std::chrono::steady_clock::now() < patient.deadline) throw;
      job.entry.finding = "the endpoint has it, and has not answered within cloud_timeout";
      return;
    }
    store(job, Kind::done, std::move(*answer));
  }

  void store(Job& job, Kind kind, wire::Body body) {
    Record answer{.question = job.record.question,
                  .circuit_id = job.record.circuit_id,
                  .endpoint = job.record.endpoint,
                  .kept = job.record.kept,
                  .answered = seconds_now(),
                  .body = std::move(body)};
    try {
      folder_.answer(job.entry.id, kind, answer);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::limit_exceeded) throw;
      job.entry.finding = std::string("its answer does not fit: ") + error.what();  // the endpoint still has it
      return;
    }
    job.entry = entry_of({.id = job.entry.id, .kind = kind, .bytes = answer.body.bytes.size()}, answer);
  }

  const EdgeExecutionConfig& config_;
  const Folder& folder_;
  const RunControl& control_;
  remote::Endpoint endpoint_;
  std::string name_, away_;  // away_: why nothing more is sent in this pass
  std::vector<Job> jobs_;
};

}  // namespace

namespace outbox {

Folder folder_of(const EdgeExecutionConfig& config) {
  config.validate();
  if (config.outbox_folder.empty())
    throw Error(ErrorCode::invalid_argument, "there is no outbox_folder", "outbox_folder", "name one");
  return {config.outbox_folder, static_cast<std::uint64_t>(config.outbox_size_mb * 1e6)};
}

std::string question_of(const EdgeExecutionConfig& config, const CompiledCircuit& circuit,
                        const ExecutionInput& input) {
  std::string key = question_key(circuit, input);
  if (key.empty()) return key;
  // The rest of what a request says; the circuit's id holds its own limits.
  return key + (config.precision == Precision::single_precision ? "-single-" : "-double-") +
         std::to_string(config.cloud_timeout);
}

std::string question_of(const EdgeExecutionConfig& config, const Graph& model, const NamedTensors& inputs) {
  const std::string key = edge::question_key(model, inputs);
  return key.empty() ? key : key + "-model-" + std::to_string(config.cloud_timeout);
}

wire::CircuitRequest request_in(const Record& job, const std::string& id) {
  try {
    wire::CircuitRequest request = wire::decode_circuit_request(job.body);
    if (request.token == id) return request;
  } catch (const Error& error) {
    throw Error(ErrorCode::corrupt, "its request is not understood: " + std::string(error.what()), id + ".job");
  }
  throw Error(ErrorCode::corrupt, "its request has another token than its name", id + ".job", "drop it");
}

std::optional<wire::CircuitRequest> waiting_request(const Folder& folder, const Item& item) {
  try {
    return request_in(folder.read(item), item.id);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string keep(const Folder& folder, const EdgeExecutionConfig& config, const std::string& circuit_id,
                 const std::string& question, const wire::CircuitRequest& request) {
  return folder.add(request.token, {.question = question,
                                    .circuit_id = circuit_id,
                                    .endpoint = remote::endpoint_options(config).url.text(),
                                    .kept = seconds_now(),
                                    .body = wire::encode(request)});
}

}  // namespace outbox

std::string_view outbox_state_name(OutboxState state) noexcept {
  switch (state) {
    case OutboxState::waiting:
      return "waiting";
    case OutboxState::done:
      return "done";
    case OutboxState::failed:
      return "failed";
    case OutboxState::damaged:
      return "damaged";
  }
  return "";
}

JobKept::JobKept(const Error& why, std::string id)
    : Error(ErrorCode::unavailable, why.message() + "; it waits in the outbox as " + id, why.where(),
            "`skerry edge outbox send` sends it once the endpoint answers"),
      id_(std::move(id)) {}

struct Outbox::State {
  EdgeExecutionConfig config;
  Folder folder;
};

Outbox::Outbox(EdgeExecutionConfig config) {
  Folder folder = outbox::folder_of(config);
  state_ = std::make_unique<State>(State{std::move(config), std::move(folder)});
}
Outbox::~Outbox() = default;

std::string Outbox::keep(const CompiledPtr& circuit, const ExecutionInput& input) {
  const EdgeExecutionConfig& config = state_->config;
  require_endpoint(config);
  wire::CircuitRequest request = remote::request_of(circuit->circuit, run_options(config, input), remote::new_token());
  request.max_execution_time = config.cloud_timeout;
  return outbox::keep(state_->folder, config, circuit->circuit_id, outbox::question_of(config, *circuit, input),
                      request);
}

std::vector<OutboxEntry> Outbox::entries() const {
  std::vector<OutboxEntry> all;
  for (const Item& item : state_->folder.items()) {
    try {
      all.push_back(entry_of(item, state_->folder.read(item)));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) all.push_back(damaged(item, error));
    }
  }
  std::ranges::stable_sort(all, [](const OutboxEntry& a, const OutboxEntry& b) {
    return std::pair(a.state == OutboxState::damaged, a.kept) < std::pair(b.state == OutboxState::damaged, b.kept);
  });
  return all;
}

std::vector<OutboxEntry> Outbox::send(const RunControl& control) {
  require_endpoint(state_->config);
  return Sending(state_->config, state_->folder, control).run();
}

ResultPtr Outbox::result(std::string_view id) const {
  const auto item = state_->folder.find(id);
  if (!item) no_entry(id);
  const Record record = state_->folder.read(*item);
  switch (item->kind) {
    case Kind::job:
      throw Error(ErrorCode::unavailable, "it waits for " + record.endpoint, item->id, "send the outbox first");
    case Kind::failed:
      throw wire::decode_error(400, record.body.bytes);
    case Kind::done:
      break;
  }
  wire::CircuitReply reply = wire::decode_circuit_reply(record.body);
  if (reply.results.size() != 1)
    throw Error(ErrorCode::corrupt, "it holds another number of answers than one", item->id);
  ExecutionResult out{.circuit_id = record.circuit_id, .result = remote::result_of(std::move(reply.results[0]))};
  out.method = out.placement.method = ExecutionMethod::cloud;
  out.seconds = out.result.report.seconds;
  out.placement.considered = {{.method = ExecutionMethod::cloud,
                               .possible = true,
                               .chosen = true,
                               .reason = "sent from the outbox to " + record.endpoint,
                               .seconds = out.seconds}};
  return std::make_shared<const ExecutionResult>(std::move(out));
}

void Outbox::drop(std::string_view id) {
  const auto item = state_->folder.find(id);
  if (!item) no_entry(id);
  std::optional<base::Descriptor> claim;
  if (item->kind == Kind::job) {
    claim = state_->folder.claim(item->id);
    if (!claim && state_->folder.find(id))
      throw Error(ErrorCode::unavailable, "somebody sends it now", item->id, "try again when it is done");
  }
  state_->folder.remove(item->id);
}

}  // namespace skerry::edge
