#include <algorithm>
#include <array>

#include "serve/service.hpp"
#include "wire/tensors.hpp"

namespace skerry::serve {
namespace {

std::string names_of(const std::vector<TensorInfo>& infos) {
  std::string names;
  for (const TensorInfo& info : infos) names += (names.empty() ? "'" : ", '") + info.name + "'";
  return names.empty() ? "none" : names;
}

std::string shape_text(const std::vector<std::int64_t>& dims) {
  std::string text = "[";
  for (const std::int64_t dim : dims) text += (text.size() > 1 ? "," : "") + std::to_string(dim);
  return text + "]";
}

bool fits(const std::vector<std::int64_t>& wanted, const Shape& given, bool known_rank) {
  if (!known_rank) return true;
  if (wanted.size() != static_cast<std::size_t>(given.rank())) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] >= 0 && wanted[i] != given[static_cast<int>(i)]) return false;
  }
  return true;
}

void check(const Model& model, std::size_t at, const wire::InferInput& input) {
  const TensorInfo& wanted = model.inputs[at];
  const std::string where = "input '" + input.name + "'";
  if (input.dtype != wanted.dtype) {
    throw Error(ErrorCode::type_mismatch,
                "the model wants " + std::string(wire::datatype_name(wanted.dtype)) + ", it is given " +
                    std::string(wire::datatype_name(input.dtype)),
                where);
  }
  if (!fits(wanted.shape, input.shape, wanted.has_rank)) {
    throw Error(ErrorCode::type_mismatch,
                "the model wants shape " + shape_text(wanted.shape) + ", it is given " + input.shape.text(), where);
  }
  if (input.shape.elements() == 0) throw Error(ErrorCode::invalid_argument, "the tensor has no elements", where);
}

void add_outputs(wire::InferReply& reply, const wire::InferRequest& request, NamedTensors outputs) {
  if (request.outputs.empty()) {
    for (auto& [name, tensor] : outputs)
      reply.outputs.push_back({name, std::move(tensor), request.binary_output, std::nullopt});
    return;
  }
  for (const wire::RequestedOutput& wanted : request.outputs) {
    const auto found =
        std::find_if(outputs.begin(), outputs.end(), [&](const auto& named) { return named.first == wanted.name; });
    if (found == outputs.end())
      throw Error(ErrorCode::internal, "the model gave no output '" + wanted.name + "'", reply.model);
    reply.outputs.push_back({wanted.name, found->second, wanted.binary, wanted.shared});
  }
}

Clock::time_point deadline_of(const wire::InferRequest& request, Clock::time_point arrived) {
  constexpr std::uint64_t kLongest = 86'400'000'000;  // a day
  return request.timeout_us == 0 ? Clock::time_point::max()
                                 : arrived + std::chrono::microseconds(std::min(request.timeout_us, kLongest));
}

}  // namespace

NamedTensors checked_inputs(const Model& model, std::vector<wire::InferInput> inputs) {
  NamedTensors ready;
  ready.reserve(model.inputs.size());
  for (std::size_t i = 0; i < model.inputs.size(); ++i) {
    const std::string& name = model.inputs[i].name;
    const auto found =
        std::find_if(inputs.begin(), inputs.end(), [&](const auto& input) { return input.name == name; });
    if (found == inputs.end()) {
      throw Error(ErrorCode::invalid_argument, "input '" + name + "' is missing", model.name,
                  "the model's inputs are " + names_of(model.inputs));
    }
    check(model, i, *found);
    ready.emplace_back(name, std::move(found->tensor));
  }
  if (inputs.size() > model.inputs.size()) {
    throw Error(ErrorCode::invalid_argument,
                "the model takes " + std::to_string(model.inputs.size()) + " inputs, " + std::to_string(inputs.size()) +
                    " are given",
                model.name, "its inputs are " + names_of(model.inputs));
  }
  return ready;
}

// Where the time of an inference went: waiting, and the run that it shared with others.
void Service::tell_parts(const Trace& trace, const wire::InferReply& reply, Clock::time_point arrived,
                         const Timing& timing) {
  const auto rows = static_cast<std::int64_t>(timing.rows);
  const auto run = arrived + timing.queue;
  Span waited{.trace = net::child_of(trace), .name = "wait " + reply.model, .is_answer = false};
  waited.attributes = {{"skerry.model", reply.model}, {"skerry.version", reply.version}};
  Span ran{.trace = net::child_of(trace), .name = "run " + reply.model, .is_answer = false};
  ran.attributes = waited.attributes;
  ran.attributes.emplace_back("skerry.batch.rows", rows);
  const Trace around = ran.trace;
  tell(std::move(waited), arrived, run);
  tell(std::move(ran), run, run + timing.input + timing.infer);
  if (timing.apart.process != 0) tell_apart(around, reply.model, timing.apart);
}

// The same of what another process did, its parts within the whole.
void Service::tell_apart(const Trace& around, const std::string& model, const ApartTimes& times) {
  constexpr std::array<std::string_view, 3> kNames = {"worker ", "read ", "infer "};
  Trace outer = around;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    Span part{.trace = net::child_of(outer), .name = std::string(kNames[i]) + model, .is_answer = false};
    part.attributes = {{"process.pid", times.process}};
    if (i == 0) outer = part.trace;
    tell(std::move(part), times.parts[i].first, times.parts[i].second);
  }
}

void Service::infer(const Principal& principal, std::string_view name, std::string_view version,
                    wire::InferRequest request, Clock::time_point arrived, std::stop_token stop, const Trace& trace,
                    InferDone done) {
  check_model(principal, name);
  const ModelPtr model = repository_.find(name, version);
  try {
    for (const wire::RequestedOutput& wanted : request.outputs) {
      if (std::none_of(model->outputs.begin(), model->outputs.end(),
                       [&](const TensorInfo& info) { return info.name == wanted.name; })) {
        throw Error(ErrorCode::invalid_argument, "the model has no output '" + wanted.name + "'", model->name,
                    "its outputs are " + names_of(model->outputs));
      }
    }
    for (wire::InferInput& input : request.inputs) {
      if (input.shared) input.tensor = shared_memory_.read(principal.owner(), *input.shared, input.dtype, input.shape);
    }
    for (const wire::RequestedOutput& wanted : request.outputs) {
      if (wanted.shared) shared_memory_.check(principal.owner(), *wanted.shared, 0);
    }
    InferCall call{.inputs = checked_inputs(*model, std::move(request.inputs)), .arrived = arrived};
    request.inputs.clear();
    call.deadline = deadline_of(request, arrived);
    constexpr std::uint64_t kMiddle = 8;
    call.priority = request.priority == 0 ? kMiddle : request.priority;
    call.stop = std::move(stop);
    // Not the model itself: its own thread must never be the one that ends it.
    wire::InferReply begun{model->name, model->version, request.id, {}};
    const std::optional<Trace> told = traces(trace) ? std::optional(trace) : std::nullopt;
    call.done = [this, principal, told, arrived, reply = std::move(begun), request = std::move(request),
                 done = std::move(done)](std::exception_ptr error, NamedTensors outputs, const Timing& timing) mutable {
      charge_seconds(principal, std::chrono::duration<double>(timing.infer).count());
      if (told && !error) tell_parts(*told, reply, arrived, timing);
      try {
        if (!error) add_outputs(reply, request, std::move(outputs));
        for (const wire::InferOutput& output : reply.outputs) {
          if (output.shared) shared_memory_.write(principal.owner(), *output.shared, output.tensor.view());
        }
      } catch (...) {
        error = std::current_exception();
      }
      done(error, std::move(reply));
    };
    model->submit(std::move(call));
  } catch (const Error&) {
    model->statistics->failed(std::chrono::duration_cast<Nanoseconds>(Clock::now() - arrived));
    throw;
  }
}

}  // namespace skerry::serve
