#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "wire/circuits.hpp"
#include "wire/json_node.hpp"
#include "wire/tensors.hpp"

namespace skerry::wire {
namespace {

constexpr std::size_t kDigestDigits = 64;

template <class T>
struct Field {
  std::string_view name;
  void (*read)(T&, const JsonNode&, BinaryReader&);
};

// Reads the members of an object by a table. strict: a member that is not in it is refused by its name.
template <class T, std::size_t n>
void read_fields(const Field<T> (&table)[n], T& target, const JsonNode& object, BinaryReader& binary, bool strict) {
  for (const auto& [name, value] : object.members()) {
    const auto* row = std::find_if(std::begin(table), std::end(table),
                                   [&, &key = name](const auto& field) { return field.name == key; });
    if (row != std::end(table)) {
      row->read(target, value, binary);
      continue;
    }
    if (!strict) continue;
    std::string known;
    for (const auto& field : table) known += (known.empty() ? "" : ", ") + std::string(field.name);
    value.refuse("there is no such field", "use " + known);
  }
}

double positive(const JsonNode& node) {
  const double value = node.number();
  if (!(value > 0.0)) node.refuse("a number above 0 is needed here");
  return value;
}

std::string bytes_of(const JsonNode& node, BinaryReader& binary, const std::string& what) {
  if (node.is_object()) {
    for (const auto& [name, value] : node.members()) {
      if (name == "binary_data_size") return std::string(binary.take(value.whole(), value.where()));
    }
  }
  node.refuse(what + "{\"binary_data_size\": n}");
}

// Whoever takes it looks at elements of that type.
Tensor tensor_of(DType dtype, const JsonNode& node, BinaryReader& binary) {
  Tensor tensor = decode_tensor(node, binary);
  if (tensor.dtype() != dtype) node.refuse("a tensor of " + std::string(datatype_name(dtype)) + " is needed here");
  return tensor;
}

std::string digest_of(const JsonNode& node) {
  std::string digest(node.text());
  if (digest.size() != kDigestDigits || digest.find_first_not_of("0123456789abcdef") != std::string::npos)
    node.refuse("a sha256 has 64 lower-case hex digits");
  return digest;
}

void read_program(CircuitRequest& request, const JsonNode& node, BinaryReader& binary) {
  if (!node.is_object()) {
    request.program = node.is_array() ? node.minified() : std::string(node.text());
    return;
  }
  bool is_there = false;
  for (const auto& [name, value] : node.members()) {
    is_there = is_there || name == "binary_data_size";
    if (name == "sha256") request.program_digest = digest_of(value);
  }
  if (!is_there && !request.program_digest.empty()) return;
  request.program = bytes_of(node, binary, "a program is a text, a list of gates, or ");
}

ParameterSet parameter_set(const JsonNode& node) {
  ParameterSet set;
  if (node.is_array()) {
    set.values = node.numbers();
    return set;
  }
  for (const auto& [name, value] : node.members()) set.named[std::string(name)] = value.number();
  return set;
}

bool is_single(const JsonNode& node) {
  const std::string_view name = node.text();
  if (name != "single" && name != "double") node.refuse("precision is single or double");
  return name == "single";
}

std::string token_of(const JsonNode& node) {
  std::string token(node.text());
  const bool plain = std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (token.empty() || token.size() > kMaxToken || !plain) {
    node.refuse("a token has 1 to " + std::to_string(kMaxToken) + " printable ASCII characters and no blanks");
  }
  return token;
}

WireTensors tensors_of(const JsonNode& list, BinaryReader& binary) {
  WireTensors out;
  for (const JsonNode& item : list.items()) {
    std::string name;
    for (const auto& [key, value] : item.members()) {
      if (key == "name") name = value.text();
    }
    if (name.empty()) item.refuse("the name is missing");
    out.emplace_back(std::move(name), decode_tensor(item, binary));
  }
  return out;
}

constexpr Field<CircuitRequest> kRequest[] = {
    {"id", [](auto& r, const auto& v, auto&) { r.id = v.text(); }},
    {"token", [](auto& r, const auto& v, auto&) { r.token = token_of(v); }},
    {"program", [](auto& r, const auto& v, auto& b) { read_program(r, v, b); }},
    {"inputs", [](auto& r, const auto& v, auto& b) { r.inputs = tensors_of(v, b); }},
    {"parameters", [](auto& r, const auto& v, auto&) { r.parameter_sets = {parameter_set(v)}; }},
    {"parameter_sets",
     [](auto& r, const auto& v, auto&) {
       for (const JsonNode& item : v.items()) r.parameter_sets.push_back(parameter_set(item));
     }},
    {"shots", [](auto& r, const auto& v, auto&) { r.shots = v.whole(); }},
    {"seed", [](auto& r, const auto& v, auto&) { r.seed = v.whole(); }},
    {"method", [](auto& r, const auto& v, auto&) { r.method = v.text(); }},
    {"precision", [](auto& r, const auto& v, auto&) { r.single_precision = is_single(v); }},
    {"observables", [](auto& r, const auto& v, auto&) { r.observables = v.texts(); }},
    {"probabilities",
     [](auto& r, const auto& v, auto&) {
       r.probabilities = v.is_array() || v.flag();
       if (v.is_array()) r.probability_wires = v.wires();
     }},
    {"state", [](auto& r, const auto& v, auto&) { r.state = v.flag(); }},
    {"memory", [](auto& r, const auto& v, auto&) { r.memory = v.flag(); }},
    {"initial_state",
     [](auto& r, const auto& v, auto& b) { r.initial_state = as_complex(decode_tensor(v, b), v.where()); }},
    {"checkpoint", [](auto& r, const auto& v, auto& b) { r.checkpoint = bytes_of(v, b, "a checkpoint is "); }},
    {"noise", [](auto& r, const auto& v, auto&) { r.noise = v.minified(); }},
    {"max_bond_dimension",
     [](auto& r, const auto& v, auto&) {
       r.max_bond_dimension =
           static_cast<std::uint32_t>(std::min<std::uint64_t>(v.whole(), std::numeric_limits<std::uint32_t>::max()));
     }},
    {"max_memory_mb", [](auto& r, const auto& v, auto&) { r.max_memory_mb = positive(v); }},
    {"max_execution_time", [](auto& r, const auto& v, auto&) { r.max_execution_time = positive(v); }},
    {"binary", [](auto& r, const auto& v, auto&) { r.binary = v.flag(); }},
};

constexpr Field<CircuitAnswer> kReport[] = {
    {"method", [](auto& a, const auto& v, auto&) { a.method = v.text(); }},
    {"predicted_bytes", [](auto& a, const auto& v, auto&) { a.predicted_bytes = v.whole(); }},
    {"peak_bytes", [](auto& a, const auto& v, auto&) { a.peak_bytes = v.whole(); }},
    {"predicted_seconds", [](auto& a, const auto& v, auto&) { a.predicted_seconds = v.number(); }},
    {"seconds", [](auto& a, const auto& v, auto&) { a.seconds = v.number(); }},
    {"threads", [](auto& a, const auto& v, auto&) { a.threads = static_cast<int>(v.whole() & 0xffffU); }},
};

// A server of a later version may tell more: unknown members of an answer are passed over.
constexpr Field<CircuitAnswer> kAnswer[] = {
    {"counts",
     [](auto& a, const auto& v, auto&) {
       for (const auto& [outcome, times] : v.members()) a.counts.emplace_back(outcome, times.whole());
     }},
    {"expectations", [](auto& a, const auto& v, auto&) { a.expectations = v.numbers(); }},
    {"standard_errors", [](auto& a, const auto& v, auto&) { a.standard_errors = v.numbers(); }},
    {"probabilities", [](auto& a, const auto& v, auto& b) { a.probabilities = tensor_of(DType::f64, v, b); }},
    {"state", [](auto& a, const auto& v, auto& b) { a.state = as_complex(decode_tensor(v, b), v.where()); }},
    {"memory", [](auto& a, const auto& v, auto& b) { a.memory = tensor_of(DType::u64, v, b); }},
    {"outputs",
     [](auto& a, const auto& v, auto&) {
       for (const auto& [name, value] : v.members()) a.outputs[std::string(name)] = value.number();
     }},
    {"tensors", [](auto& a, const auto& v, auto& b) { a.tensors = tensors_of(v, b); }},
    {"bond_dimension",
     [](auto& a, const auto& v, auto&) { a.bond_dimension = static_cast<std::uint32_t>(v.whole() & 0xffffffffU); }},
    {"discarded_weight", [](auto& a, const auto& v, auto&) { a.discarded_weight = v.number(); }},
    {"error_bound", [](auto& a, const auto& v, auto&) { a.error_bound = v.number(); }},
    {"report", [](auto& a, const auto& v, auto& b) { read_fields(kReport, a, v, b, false); }},
};

constexpr Field<CircuitReply> kReply[] = {
    {"id", [](auto& r, const auto& v, auto&) { r.id = v.text(); }},
    {"results",
     [](auto& r, const auto& v, auto& b) {
       for (const JsonNode& item : v.items()) read_fields(kAnswer, r.results.emplace_back(), item, b, false);
     }},
};

JobState state_of(const JsonNode& node) {
  for (const JobState state : {JobState::queued, JobState::running, JobState::done, JobState::failed}) {
    if (job_state_name(state) == node.text()) return state;
  }
  if (job_state_name(JobState::cancelled) != node.text()) node.refuse("a job has no such state");
  return JobState::cancelled;
}

struct ErrorFields {
  std::string text, code, message, where, hint;
};
constexpr Field<ErrorFields> kError[] = {
    {"error", [](auto& e, const auto& v, auto&) { e.text = v.text(); }},
    {"code", [](auto& e, const auto& v, auto&) { e.code = v.text(); }},
    {"message", [](auto& e, const auto& v, auto&) { e.message = v.text(); }},
    {"where", [](auto& e, const auto& v, auto&) { e.where = v.text(); }},
    {"hint", [](auto& e, const auto& v, auto&) { e.hint = v.text(); }},
};

ErrorCode code_of_status(int status) {
  if (status == 429 || status >= 500) return ErrorCode::unavailable;
  if (status == 401 || status == 403) return ErrorCode::permission_denied;
  return status == 404 ? ErrorCode::not_found : ErrorCode::invalid_argument;
}

Error error_of(const JsonNode& node, int status) {
  ErrorFields fields;
  BinaryReader none({});
  read_fields(kError, fields, node, none, false);
  if (fields.text.empty() && fields.message.empty()) node.refuse("this is no error message");
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (error_info(code).name == fields.code) return {code, fields.message, fields.where, fields.hint};
  }
  return {code_of_status(status), fields.text};
}

constexpr Field<JobStatus> kStatus[] = {
    {"id", [](auto& s, const auto& v, auto&) { s.id = v.text(); }},
    {"token", [](auto& s, const auto& v, auto&) { s.token = v.text(); }},
    {"state", [](auto& s, const auto& v, auto&) { s.state = state_of(v); }},
    {"progress", [](auto& s, const auto& v, auto&) { s.progress = v.number(); }},
    {"stage", [](auto& s, const auto& v, auto&) { s.stage = v.text(); }},
    {"submitted", [](auto& s, const auto& v, auto&) { s.submitted = v.number(); }},
    {"started", [](auto& s, const auto& v, auto&) { s.started = v.number(); }},
    {"ended", [](auto& s, const auto& v, auto&) { s.ended = v.number(); }},
    {"failure", [](auto& s, const auto& v, auto&) { s.error = error_of(v, 500); }},
};

}  // namespace

CircuitRequest decode_circuit_request(const BodyView& body) {
  const JsonText text(body.json());
  BinaryReader binary(body.binary());
  CircuitRequest request;
  read_fields(kRequest, request, text.root(), binary, true);
  binary.finish();
  if (request.program.empty() && request.program_digest.empty()) {
    throw Error(ErrorCode::invalid_argument, "the program is missing", "program", "send OpenQASM, gates or a package");
  }
  return request;
}

CircuitReply decode_circuit_reply(const BodyView& body) {
  const JsonText text(body.json());
  BinaryReader binary(body.binary());
  CircuitReply reply;
  read_fields(kReply, reply, text.root(), binary, false);
  binary.finish();
  return reply;
}

JobStatus decode_job_status(std::string_view json) {
  const JsonText text(json);
  BinaryReader none({});
  JobStatus status;
  read_fields(kStatus, status, text.root(), none, false);
  if (status.id.empty()) text.root().refuse("a job without an id");
  return status;
}

Error decode_error(int http_status, std::string_view body) {
  try {
    const JsonText text(body);
    return error_of(text.root(), http_status);
  } catch (const Error&) {
    return {code_of_status(http_status), "the server answered " + std::to_string(http_status) + " without saying why"};
  }
}

}  // namespace skerry::wire
