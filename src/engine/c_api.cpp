// The C door: plain structs in and out, and no exception crosses it.
#include <skerry/skerry.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <skerry/skerry.hpp>
#include <string>
#include <string_view>
#include <vector>

struct skerry_program {
  skerry::Program program;
};

struct skerry_counts {
  std::vector<std::string> outcomes;
  std::vector<std::uint64_t> times;
};

struct skerry_session {
  std::shared_ptr<const skerry::Graph> graph;  // shared: the session reads the weights that it owns
  skerry::Session session;
  std::vector<std::pair<std::string, skerry::Tensor>> outputs;
};

namespace skerry {
namespace {

static_assert(SKERRY_MAX_RANK == Shape::kMaxRank);

// Cut at the last whole UTF-8 character that fits.
template <std::size_t N>
void copy_text(char (&target)[N], std::string_view text) {
  std::size_t size = std::min(text.size(), N - 1);
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  std::memcpy(target, text.data(), size);
  target[size] = '\0';
}

int tell(skerry_error* target, const Error& error) {
  const ErrorInfo& info = error_info(error.code());
  if (target != nullptr) {
    target->status = info.exit_code;
    copy_text(target->code, info.name);
    copy_text(target->message, error.message());
    copy_text(target->where, error.where());
    copy_text(target->hint, error.hint());
  }
  return info.exit_code;
}

template <class Work>
int guarded(skerry_error* error, Work&& work) noexcept {
  constexpr int kInternal = 70;
  if (error != nullptr) *error = {};
  try {
    try {
      work();
      return 0;
    } catch (const Error& raised) {
      return tell(error, raised);
    } catch (const std::bad_alloc&) {
      return tell(error, Error(ErrorCode::budget_exceeded, "the system has no memory left"));
    } catch (const std::exception& raised) {
      return tell(error, Error(ErrorCode::internal, raised.what()));
    }
  } catch (...) {  // no memory even for the words
    if (error != nullptr) error->status = kInternal;
    return kInternal;
  }
}

template <class T>
T& needed(T* pointer, const char* what) {
  if (pointer == nullptr) {
    throw Error(ErrorCode::invalid_argument, "a null pointer was given", what, "give an object that is there");
  }
  return *pointer;
}

const Circuit& circuit_of(const skerry_program* program) {
  const auto* circuit = std::get_if<Circuit>(&needed(program, "program").program);
  if (circuit == nullptr) {
    throw Error(ErrorCode::invalid_argument, "the program is a model, not a circuit", "program",
                "use skerry_session_open");
  }
  return *circuit;
}

RunOptions run_options(const skerry_options* given) {
  RunOptions options;
  if (given == nullptr) return options;
  options.shots = given->shots;
  options.seed = given->seed;
  options.precision = given->single_precision != 0 ? Precision::single_precision : Precision::double_precision;
  if (given->num_parameters > 0) {
    const double* first = &needed(given->parameters, "options.parameters");
    options.parameters.assign(first, first + given->num_parameters);
  }
  options.limits.threads = given->threads;
  if (given->max_memory_bytes != 0) options.limits.max_memory_bytes = given->max_memory_bytes;
  if (given->max_seconds != 0.0) options.limits.max_execution_time = std::chrono::duration<double>(given->max_seconds);
  return options;
}

// A view of the caller's elements: they outlive the call that reads them.
Tensor borrowed(const skerry_tensor& tensor, const std::string& name) {
  if (tensor.dtype < 0 || tensor.dtype >= SKERRY_NUM_DTYPES || tensor.dtype == SKERRY_string || tensor.rank < 0 ||
      tensor.rank > SKERRY_MAX_RANK) {
    throw Error(ErrorCode::invalid_argument, "dtype or rank is outside its range", name);
  }
  const Shape shape(std::span<const std::int64_t>(tensor.shape, static_cast<std::size_t>(tensor.rank)));
  if (shape.elements() > 0) needed(static_cast<const char*>(tensor.data), name.c_str());
  return {TensorView(static_cast<DType>(tensor.dtype), shape, static_cast<const std::byte*>(tensor.data)), nullptr};
}

}  // namespace
}  // namespace skerry

extern "C" {

const char* skerry_version(void) {
  return SKERRY_VERSION;
}

int skerry_load(const char* path, skerry_program** program, skerry_error* error) {
  return skerry::guarded(error, [&] {
    skerry::needed(program, "program") = nullptr;
    *program = new skerry_program{skerry::load(&skerry::needed(path, "path"))};
  });
}

int skerry_load_bytes(const void* bytes, size_t size, const char* name, skerry_program** program, skerry_error* error) {
  return skerry::guarded(error, [&] {
    skerry::needed(program, "program") = nullptr;
    const char* first = static_cast<const char*>(bytes);
    if (size > 0) skerry::needed(first, "bytes");
    *program = new skerry_program{
        skerry::loads(std::string_view(first, size), {}, name != nullptr ? std::string_view(name) : "<bytes>")};
  });
}

void skerry_program_free(skerry_program* program) {
  delete program;
}

int skerry_program_is_circuit(const skerry_program* program) {
  return program != nullptr && std::holds_alternative<skerry::Circuit>(program->program) ? 1 : 0;
}

int skerry_run_circuit(const skerry_program* program, const skerry_options* options, skerry_counts** counts,
                       skerry_error* error) {
  return skerry::guarded(error, [&] {
    skerry::needed(counts, "counts") = nullptr;
    const skerry::Result result = skerry::run(skerry::circuit_of(program), skerry::run_options(options));
    auto made = std::make_unique<skerry_counts>();
    for (std::size_t i = 0; i < result.counts.size(); ++i) {
      made->outcomes.push_back(result.counts.text(i));
      made->times.push_back(result.counts.times(i));
    }
    *counts = made.release();
  });
}

size_t skerry_counts_size(const skerry_counts* counts) {
  return counts != nullptr ? counts->times.size() : 0;
}

const char* skerry_counts_outcome(const skerry_counts* counts, size_t i) {
  return i < skerry_counts_size(counts) ? counts->outcomes[i].c_str() : nullptr;
}

uint64_t skerry_counts_times(const skerry_counts* counts, size_t i) {
  return i < skerry_counts_size(counts) ? counts->times[i] : 0;
}

void skerry_counts_free(skerry_counts* counts) {
  delete counts;
}

int skerry_expectation(const skerry_program* program, const char* observable, const skerry_options* options,
                       double* value, skerry_error* error) {
  return skerry::guarded(error, [&] {
    skerry::needed(value, "value");
    const skerry::Circuit& circuit = skerry::circuit_of(program);
    skerry::RunOptions run = skerry::run_options(options);
    run.shots = 0;
    run.observables = {skerry::Observable::parse(&skerry::needed(observable, "observable"), circuit.num_wires())};
    *value = skerry::run(circuit, run).expectations.at(0);
  });
}

int skerry_session_open(const skerry_program* program, const skerry_options* options, skerry_session** session,
                        skerry_error* error) {
  return skerry::guarded(error, [&] {
    skerry::needed(session, "session") = nullptr;
    const auto* graph = std::get_if<skerry::Graph>(&skerry::needed(program, "program").program);
    if (graph == nullptr) {
      throw skerry::Error(skerry::ErrorCode::invalid_argument, "the program is a circuit, not a model", "program",
                          "use skerry_run_circuit");
    }
    auto shared = std::make_shared<const skerry::Graph>(*graph);
    *session = new skerry_session{shared, skerry::Session(shared, skerry::run_options(options).limits), {}};
  });
}

size_t skerry_session_num_inputs(const skerry_session* session) {
  return session != nullptr ? session->graph->inputs().size() : 0;
}

const char* skerry_session_input_name(const skerry_session* session, size_t i) {
  if (i >= skerry_session_num_inputs(session)) return nullptr;
  return session->graph->value(session->graph->inputs()[i]).name.c_str();
}

int skerry_session_run(skerry_session* session, const skerry_tensor* inputs, size_t num_inputs, skerry_error* error) {
  return skerry::guarded(error, [&] {
    skerry_session& held = skerry::needed(session, "session");
    held.outputs.clear();
    if (num_inputs > 0) skerry::needed(inputs, "inputs");
    skerry::NamedTensors tensors;
    for (std::size_t i = 0; i < num_inputs; ++i) {
      const std::string name = &skerry::needed(inputs[i].name, "inputs.name");
      tensors.emplace_back(name, skerry::borrowed(inputs[i], name));
    }
    held.outputs = held.session.run(tensors).tensors;
  });
}

size_t skerry_session_num_outputs(const skerry_session* session) {
  return session != nullptr ? session->outputs.size() : 0;
}

int skerry_session_output(const skerry_session* session, size_t i, skerry_tensor* output, skerry_error* error) {
  return skerry::guarded(error, [&] {
    skerry::needed(output, "output") = {};
    const auto& outputs = skerry::needed(session, "session").outputs;
    if (i >= outputs.size()) {
      throw skerry::Error(skerry::ErrorCode::out_of_range,
                          "output " + std::to_string(i) + " of " + std::to_string(outputs.size()), "session",
                          "run it first");
    }
    const auto& [name, tensor] = outputs[i];
    output->name = name.c_str();
    output->dtype = static_cast<skerry_dtype>(tensor.dtype());
    output->rank = tensor.shape().rank();
    std::ranges::copy(tensor.shape().dims(), output->shape);
    output->data = tensor.view().data();
  });
}

void skerry_session_free(skerry_session* session) {
  delete session;
}

}  // extern "C"
