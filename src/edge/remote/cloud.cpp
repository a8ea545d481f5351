#include "edge/remote/cloud.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <skerry/error.hpp>
#include <utility>

#include "package/package.hpp"

namespace skerry::edge::remote {
namespace {

using wire::Body;
using wire::BodyView;

BodyView view_of(const Endpoint& endpoint, const HttpAnswer& answer) {
  const std::string length(answer.header("inference-header-content-length"));
  if (length.empty()) return {answer.body};
  const std::size_t json_bytes = std::strtoull(length.c_str(), nullptr, 10);
  if (json_bytes > answer.body.size())
    throw Error(ErrorCode::unavailable, "its JSON would be longer than its answer", endpoint.options().url.text());
  return {answer.body, json_bytes};
}

[[noreturn]] void refused(const Endpoint& endpoint, const HttpAnswer& answer) {
  Error error = wire::decode_error(answer.status, answer.body);
  const bool names_program = error.where() == "program";
  throw Refusal(std::move(error).at(endpoint.options().url.text()), names_program);
}

std::string job_path(std::string_view id) {
  return std::string(wire::kJobsPath) + "/" + std::string(id);
}

Endpoint::Call call_for(std::string_view path, const Body& body, std::uint64_t most, bool repeatable,
                        const net::Trace& trace, std::string_view placement) {
  Endpoint::Call call{
      .method = "POST",
      .target = std::string(path),
      .headers = {{"Content-Type", body.has_binary() ? "application/octet-stream" : "application/json"}},
      .body = body.bytes,
      .max_body_bytes = most,
      .trace = trace,
      .repeatable = repeatable};
  if (body.has_binary()) call.headers.emplace_back(wire::kJsonLengthHeader, std::to_string(body.json_bytes));
  if (placement.empty()) return call;
  constexpr std::size_t kMost = 256;
  std::string& line = call.headers.emplace_back(wire::kPlacementHeader, placement.substr(0, kMost)).second;
  std::ranges::replace_if(
      line, [](char c) { return c < ' ' || c > '~'; }, '?');  // one line of ASCII
  return call;
}

void cancel(Endpoint& endpoint, std::string_view id, const net::Trace& trace) noexcept {
  try {
    const Endpoint::Call call{
        .method = "POST", .target = job_path(id) + "/cancel", .headers = {}, .body = {}, .trace = trace};
    endpoint.call(call, Patience{}.at_most(std::chrono::seconds(1)));
  } catch (const std::exception&) {  // nobody waits for it any more; the server's own limits end it
  }
}

std::vector<Result> read_answer(const Endpoint& endpoint, const HttpAnswer& answer, const Asked& asked) {
  wire::CircuitReply reply;
  std::vector<Result> out;
  try {
    reply = wire::decode_circuit_reply(view_of(endpoint, answer));
    const std::string wrong = misfit(reply, asked);
    if (!wrong.empty()) throw BadAnswer(wrong, endpoint.options().url.text());
    for (wire::CircuitAnswer& one : reply.results) out.push_back(result_of(std::move(one)));
  } catch (const BadAnswer&) {
    throw;
  } catch (const Error& error) {
    throw BadAnswer("it is not understood: " + std::string(error.what()), endpoint.options().url.text());
  }
  return out;
}

Endpoint::Call ask_for(std::string_view id, const Asked& asked, const net::Trace& trace) {
  // Short waits: a connection that died half is noticed within one of them.
  return {.method = "GET",
          .target = job_path(id) + "/result?wait=5",
          .headers = {},
          .body = {},
          .max_body_bytes = asked.most_bytes(),
          .trace = trace};
}

bool is_there(Endpoint& endpoint, const Endpoint::Call& ask, const Patience& patience, HttpAnswer* answer = nullptr) {
  HttpAnswer came = endpoint.call(ask, patience.at_most(std::chrono::seconds(20)));
  if (came.status == 202) return false;
  if (came.status != 200) refused(endpoint, came);
  if (answer != nullptr) *answer = std::move(came);
  return true;
}

std::vector<Result> await_job(Endpoint& endpoint, const std::string& id, const Asked& asked, const Patience& patience,
                              const net::Trace& trace) {
  std::vector<Result> results;
  Endpoint::Call ask = ask_for(id, asked, trace);
  ask.take = [&](const HttpAnswer& answer) { results = read_answer(endpoint, answer, asked); };
  try {
    while (!is_there(endpoint, ask, patience)) {
    }
    return results;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled || error.code() == ErrorCode::deadline_exceeded)
      cancel(endpoint, id, trace);
    throw;
  }
}

std::vector<Result> run_asked(Endpoint& endpoint, const wire::CircuitRequest& request, const Asked& asked, bool is_long,
                              const Patience& patience, const net::Trace& trace, std::string_view placement) {
  const Body body = wire::encode(request);
  if (is_long) return await_job(endpoint, submit(endpoint, body, patience, trace, placement), asked, patience, trace);
  std::vector<Result> results;
  Endpoint::Call call =
      call_for(wire::kCircuitsPath, body, asked.most_bytes(), !request.token.empty(), trace, placement);
  call.take = [&](const HttpAnswer& answer) { results = read_answer(endpoint, answer, asked); };
  const HttpAnswer answer = endpoint.call(call, patience);
  if (answer.status != 200) refused(endpoint, answer);
  return results;
}

}  // namespace

std::string new_token() {
  std::random_device device;
  std::string out;
  for (int i = 0; i < 32; ++i) out += "0123456789abcdef"[device() % 16];
  return out;
}

wire::CircuitRequest request_of(const Circuit& circuit, const RunOptions& options, std::string token) {
  if (options.noise != nullptr && !options.noise->empty())
    throw Error(ErrorCode::unsupported, "a noise model is not sent to an endpoint", "noise", "run it here");
  wire::CircuitRequest request;
  request.token = std::move(token);
  const auto bytes = package::encode({.program = circuit, .metadata = {}, .plans = {}}, {.compress = true});
  request.program.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!options.parameters.empty() || !options.named_parameters.empty())
    request.parameter_sets.push_back({options.parameters, options.named_parameters});
  request.shots = options.shots;
  request.seed = options.seed;
  request.method = options.method;
  request.single_precision = options.precision == Precision::single_precision;
  for (const Observable& observable : options.observables) request.observables.push_back(observable.text());
  request.probabilities = options.want_probabilities;
  request.probability_wires = options.probability_wires;
  request.state = options.want_state;
  request.memory = options.want_memory;
  request.initial_state = options.initial_state;
  request.max_bond_dimension = options.max_bond_dimension;
  request.binary = true;
  return request;
}

Result result_of(wire::CircuitAnswer answer) {
  Result out;
  if (!answer.counts.empty()) {
    const auto bits = static_cast<std::uint32_t>(answer.counts[0].first.size());
    std::vector<std::pair<std::vector<std::uint64_t>, std::uint64_t>> rows;
    for (const auto& [text, times] : answer.counts) {
      if (text.size() != bits) throw Error(ErrorCode::unavailable, "its counts have bit strings of two lengths");
      std::vector<std::uint64_t> words((bits + 63) / 64);
      for (std::uint32_t bit = 0; bit < bits; ++bit) {
        const char letter = text[bits - 1 - bit];
        if (letter != '0' && letter != '1') throw Error(ErrorCode::unavailable, "its counts have other letters");
        words[bit / 64] |= std::uint64_t{letter == '1'} << (bit % 64);
      }
      rows.emplace_back(std::move(words), times);
    }
    std::ranges::sort(rows, [](const auto& a, const auto& b) {
      return std::ranges::lexicographical_compare(a.first.rbegin(), a.first.rend(), b.first.rbegin(), b.first.rend());
    });
    std::vector<std::uint64_t> outcomes, times;
    for (const auto& [words, count] : rows) {
      outcomes.insert(outcomes.end(), words.begin(), words.end());
      times.push_back(count);
    }
    out.counts = Counts(bits, std::move(outcomes), std::move(times));
  }
  if (answer.memory) {
    const auto words = answer.memory->as<std::uint64_t>();
    out.memory.assign(words.begin(), words.end());
  }
  out.expectations = std::move(answer.expectations);
  out.standard_errors = std::move(answer.standard_errors);
  out.probabilities = std::move(answer.probabilities);
  if (answer.state) out.state = State(std::move(*answer.state));
  out.outputs = std::move(answer.outputs);
  out.tensors = std::move(answer.tensors);
  out.discarded_weight = answer.discarded_weight;
  out.error_bound = answer.error_bound;
  out.bond_dimension = answer.bond_dimension;
  out.report = {.method = std::move(answer.method),
                .predicted_bytes = answer.predicted_bytes,
                .peak_bytes = answer.peak_bytes,
                .predicted_seconds = answer.predicted_seconds,
                .seconds = answer.seconds,
                .threads = answer.threads};
  return out;
}

std::string submit(Endpoint& endpoint, const Body& request, const Patience& patience, const net::Trace& trace,
                   std::string_view placement) {
  constexpr std::uint64_t kStatus = std::uint64_t{1} << 20;
  const auto start = std::chrono::steady_clock::now();
  const auto tell = [&](std::uint64_t bytes) {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    endpoint.sent(bytes, taken.count());
  };
  HttpAnswer taken;
  try {
    taken = endpoint.call(call_for(wire::kJobsPath, request, kStatus, true, trace, placement), patience);
  } catch (const Error& error) {
    // How much has arrived is not known. Half is believed, so that the same is not tried again at once.
    if (error.code() == ErrorCode::deadline_exceeded) tell(request.bytes.size() / 2);
    throw;
  }
  tell(request.bytes.size());
  if (taken.status != 200 && taken.status != 202) refused(endpoint, taken);
  return wire::decode_job_status(taken.body).id;
}

std::optional<Body> outcome(Endpoint& endpoint, std::string_view id, const Asked& asked, const Patience& patience,
                            const net::Trace& trace) {
  Endpoint::Call ask = ask_for(id, asked, trace);
  ask.take = [&](const HttpAnswer& answer) { read_answer(endpoint, answer, asked); };
  HttpAnswer answer;
  if (!is_there(endpoint, ask, patience, &answer)) return std::nullopt;
  const std::size_t json_bytes = view_of(endpoint, answer).json_bytes;
  return Body{std::move(answer.body), json_bytes};
}

Expected<Result> carry(Endpoint& endpoint, const wire::CircuitRequest& request, double seconds,
                       const Patience& patience, std::string_view placement) {
  // What ends the run anywhere is no reason to begin it again.
  constexpr std::array kNotTaken = {ErrorCode::invalid_argument, ErrorCode::syntax_error,   ErrorCode::corrupt,
                                    ErrorCode::version_too_new,  ErrorCode::limit_exceeded, ErrorCode::budget_exceeded,
                                    ErrorCode::unsupported};
  const Asked asked = asked_of(request);
  const Body body = wire::encode(request);
  const net::Trace trace = net::trace_of_process();
  try {
    std::string id;
    try {
      id = submit(endpoint, body, patience.at_most(std::chrono::duration<double>(seconds)), trace, placement);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::deadline_exceeded || std::chrono::steady_clock::now() >= patience.deadline) throw;
      return Unexpected{"the link did not carry " + std::to_string(body.bytes.size()) + " bytes within " +
                        std::to_string(seconds) + " s"};
    }
    return std::move(await_job(endpoint, id, asked, patience, trace).at(0));
  } catch (const Refusal& refusal) {
    if (std::ranges::find(kNotTaken, refusal.code()) == kNotTaken.end()) throw;
    return Unexpected{"it does not take the checkpoint (" + refusal.message() + ")"};
  }
}

Result run(Endpoint& endpoint, const wire::CircuitRequest& request, bool is_long, const Patience& patience,
           std::string_view placement) {
  return std::move(run_batch(endpoint, request, is_long, patience, placement).at(0));
}

std::vector<Result> run_batch(Endpoint& endpoint, const wire::CircuitRequest& request, bool is_long,
                              const Patience& patience, std::string_view placement) {
  return run_asked(endpoint, request, asked_of(request), is_long, patience, net::trace_of_process(), placement);
}

std::pair<Result, bool> run_named(Endpoint& endpoint, wire::CircuitRequest request, const std::string& program,
                                  const Asked& asked, bool is_long, const Patience& patience,
                                  std::string_view placement) {
  const net::Trace trace = net::trace_of_process();  // of both
  try {
    return {std::move(run_asked(endpoint, request, asked, is_long, patience, trace, placement).at(0)), false};
  } catch (const Refusal& refusal) {
    if (!refusal.names_program()) throw;
  }
  request.program = program;
  return {std::move(run_asked(endpoint, request, asked, is_long, patience, trace, placement).at(0)), true};
}

}  // namespace skerry::edge::remote
