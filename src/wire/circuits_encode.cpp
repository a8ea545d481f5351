#include <array>

#include "wire/circuits.hpp"
#include "wire/tensors.hpp"

namespace skerry::wire {
namespace {

constexpr std::array<std::string_view, 5> kStates = {"queued", "running", "done", "failed", "cancelled"};

void encode_sets(JsonWriter& json, const std::vector<ParameterSet>& sets) {
  json.key("parameter_sets").open('[');
  for (const ParameterSet& set : sets) {
    if (set.named.empty()) {
      json.values<double>(set.values);
      continue;
    }
    json.open('{');
    for (const auto& [name, value] : set.named) json.field(name, value);
    json.close('}');
  }
  json.close(']');
}

void encode_tensors(JsonWriter& json, std::string_view member, const WireTensors& tensors, std::string* binary) {
  if (tensors.empty()) return;
  json.key(member).open('[');
  for (const auto& [name, tensor] : tensors) encode_tensor(json, name, tensor.view(), binary);
  json.close(']');
}

void encode_answer(JsonWriter& json, const CircuitAnswer& answer, std::string* binary) {
  json.open('{');
  if (!answer.counts.empty()) {
    json.key("counts").open('{');
    for (const auto& [outcome, times] : answer.counts) json.field(outcome, times);
    json.close('}');
  }
  if (!answer.expectations.empty()) json.key("expectations").values<double>(answer.expectations);
  if (!answer.standard_errors.empty()) json.key("standard_errors").values<double>(answer.standard_errors);
  if (answer.probabilities) encode_tensor(json.key("probabilities"), {}, answer.probabilities->view(), binary);
  if (answer.state) encode_tensor(json.key("state"), {}, as_pairs(*answer.state).view(), binary);
  if (answer.memory) encode_tensor(json.key("memory"), {}, answer.memory->view(), binary);
  if (!answer.outputs.empty()) {
    json.key("outputs").open('{');
    for (const auto& [name, value] : answer.outputs) json.field(name, value);
    json.close('}');
  }
  encode_tensors(json, "tensors", answer.tensors, binary);
  if (answer.bond_dimension != 0) json.field("bond_dimension", answer.bond_dimension);
  json.field("discarded_weight", answer.discarded_weight).field("error_bound", answer.error_bound);
  json.key("report").open('{').field("method", answer.method);
  json.field("predicted_bytes", answer.predicted_bytes).field("peak_bytes", answer.peak_bytes);
  json.field("predicted_seconds", answer.predicted_seconds).field("seconds", answer.seconds);
  json.field("threads", answer.threads).close('}').close('}');
}

void encode_error_fields(JsonWriter& json, const Error& error) {
  json.field("error", error.what()).field("code", error_info(error.code()).name);
  json.field("message", error.message());
  if (!error.where().empty()) json.field("where", error.where());
  if (!error.hint().empty()) json.field("hint", error.hint());
}

}  // namespace

std::string_view job_state_name(JobState state) noexcept {
  return kStates[static_cast<std::size_t>(state)];
}

Body encode(const CircuitRequest& request) {
  JsonWriter json;
  std::string binary;
  json.open('{');
  if (!request.id.empty()) json.field("id", request.id);
  if (!request.token.empty()) json.field("token", request.token);
  // Raw bytes: a package is no text, and a long text needs no escaping this way.
  json.key("program").open('{');
  if (!request.program.empty()) json.field("binary_data_size", request.program.size());
  if (!request.program_digest.empty()) json.field("sha256", request.program_digest);
  json.close('}');
  binary += request.program;
  encode_tensors(json, "inputs", request.inputs, &binary);
  if (!request.parameter_sets.empty()) encode_sets(json, request.parameter_sets);
  if (request.shots != 0) json.field("shots", request.shots);
  if (request.seed != 0) json.field("seed", request.seed);
  json.field("method", request.method).field("precision", request.single_precision ? "single" : "double");
  if (!request.observables.empty()) json.key("observables").values<std::string>(request.observables);
  if (!request.probability_wires.empty()) {
    json.key("probabilities").values<std::uint32_t>(request.probability_wires);
  } else if (request.probabilities) {
    json.field("probabilities", true);
  }
  if (request.state) json.field("state", true);
  if (request.memory) json.field("memory", true);
  if (request.initial_state) {
    encode_tensor(json.key("initial_state"), {}, as_pairs(*request.initial_state).view(), &binary);
  }
  if (!request.checkpoint.empty()) {
    json.key("checkpoint").open('{').field("binary_data_size", request.checkpoint.size()).close('}');
    binary += request.checkpoint;
  }
  if (!request.noise.empty()) json.key("noise").raw(request.noise);
  if (request.max_bond_dimension != 0) json.field("max_bond_dimension", request.max_bond_dimension);
  if (request.max_memory_mb) json.field("max_memory_mb", *request.max_memory_mb);
  if (request.max_execution_time) json.field("max_execution_time", *request.max_execution_time);
  if (request.binary) json.field("binary", true);
  json.close('}');
  return body_of(std::move(json), binary);
}

Body encode(const CircuitReply& reply, bool binary) {
  JsonWriter json;
  std::string bytes;
  json.open('{');
  if (!reply.id.empty()) json.field("id", reply.id);
  json.key("results").open('[');
  for (const CircuitAnswer& answer : reply.results) encode_answer(json, answer, binary ? &bytes : nullptr);
  json.close(']').close('}');
  return body_of(std::move(json), bytes);
}

Body encode(const JobStatus& status) {
  JsonWriter json;
  json.open('{').field("id", status.id);
  if (!status.token.empty()) json.field("token", status.token);
  json.field("state", job_state_name(status.state)).field("progress", status.progress).field("stage", status.stage);
  json.field("submitted", status.submitted).field("started", status.started).field("ended", status.ended);
  if (status.error) {
    encode_error_fields(json.key("failure").open('{'), *status.error);
    json.close('}');
  }
  json.close('}');
  return body_of(std::move(json), {});
}

std::string encode(const Error& error) {
  JsonWriter json;
  encode_error_fields(json.open('{'), error);
  return std::move(json.close('}')).text();
}

}  // namespace skerry::wire
