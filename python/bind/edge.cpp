#include <nanobind/stl/complex.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <skerry/edge.hpp>
#include <skerry/outbox.hpp>

#include "arrays.hpp"
#include "bind.hpp"
#include "counts.hpp"
#include "described.hpp"
#include "ir/text/expression_text.hpp"
#include "model.hpp"
#include "options.hpp"
#include "result.hpp"
#include "steering.hpp"

namespace skerry::python {
namespace {

using edge::CircuitCompiler;
using edge::CompilationStatistics;
using edge::EdgeExecutionConfig;
using edge::EdgeExecutor;
using edge::PerformanceStatistics;

// Python sees a result through a pointer of its own: nanobind holds values, not pointers to const.
using Rows = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

struct Execution {
  edge::ResultPtr result;  // null: it waits in the outbox
  std::string kept_as = {}, why = {}, where = {};
};
struct CompiledHandle {
  edge::CompiledPtr compiled;
};

// The gates as data: {"gate": "x", "controls": [0], "qubits": [1], "params": []}, a matrix beside a `unitary`; an angle
// that is not bound yet is a text.
nb::list gate_rows(const Circuit& circuit) {
  const ir::Spelling spelling(circuit);
  nb::list rows;
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction instruction = circuit.body()[i];
    nb::dict row;
    nb::list controls, qubits, params;
    for (const Wire wire : instruction.control_wires()) controls.append(wire);
    for (const Wire wire : instruction.targets()) qubits.append(wire);
    for (const Param& param : instruction.params) {
      if (param.is_constant()) {
        params.append(param.value);
      } else {
        params.append(spelling.param(param));
      }
    }
    row["gate"] = std::string(op_name(instruction.op));
    row["controls"] = controls;
    row["qubits"] = qubits;
    row["params"] = params;
    if (instruction.op == Op::measure) row["bit"] = instruction.aux;
    if (instruction.op == Op::unitary) {
      nb::list matrix;
      for (const auto& value : circuit.matrices()[instruction.aux].values) matrix.append(value);
      row["matrix"] = matrix;
    }
    rows.append(row);
  }
  return rows;
}

edge::ExecutionInput input_of(const RunOptions& options, std::optional<std::uint64_t> seed) {
  return {.parameters = options.parameters,
          .named_parameters = options.named_parameters,
          .initial_state = options.initial_state,
          .shots = options.shots,
          .seed = seed,
          .observables = options.observables,
          .control = {}};
}

Execution waits_as(const edge::JobKept& kept) {
  return {.result = nullptr, .kept_as = kept.id(), .why = kept.message(), .where = kept.where()};
}

// The work may wait for a cold cache or simulate for minutes: always without the GIL, watched when it may be long.
Execution execute(EdgeExecutor& executor, const CompiledHandle& handle, const RunOptions& options,
                  std::optional<std::uint64_t> seed) {
  Steering steering{nb::none()};
  edge::ExecutionInput input = input_of(options, seed);
  input.control = steering.control();
  Execution done;
  constexpr double kSeconds = 0.01;
  const bool may_wait =
      handle.compiled->estimated_seconds > kSeconds || options.shots != 0 || !executor.config().cloud_endpoint.empty();
  steering.run(may_wait, [&] {
    try {
      done.result = executor.execute(handle.compiled, input);
    } catch (const edge::JobKept& kept) {  // the class that Python raises has the id
      done = waits_as(kept);
    }
  });
  return done;
}

std::vector<Execution> execute_batch(EdgeExecutor& executor, const CompiledHandle& handle, const RunOptions& options,
                                     std::optional<std::uint64_t> seed, const Rows& rows) {
  if (rows.shape(1) != handle.compiled->circuit.parameters().size()) {
    throw Error(ErrorCode::invalid_argument,
                "a row has " + std::to_string(rows.shape(1)) + " values, the circuit has " +
                    std::to_string(handle.compiled->circuit.parameters().size()) + " parameters",
                "parameters");
  }
  Steering steering{nb::none()};
  edge::ExecutionInput input = input_of(options, seed);
  input.control = steering.control();
  std::vector<Execution> done;
  steering.run(true, [&] {
    try {
      for (edge::ResultPtr& result :
           executor.execute_batch(handle.compiled, input, std::span(rows.data(), rows.size())))
        done.push_back({std::move(result)});
    } catch (const edge::JobKept& kept) {
      done.push_back(waits_as(kept));
    }
  });
  return done;
}

Execution execute_model(EdgeExecutor& executor, const Model& model, nb::handle inputs) {
  Steering steering{nb::none()};
  const NamedTensors tensors = named_tensors(inputs);
  Execution done;
  steering.run(true, [&] {
    try {
      done.result = executor.execute_model(*model.graph, tensors, steering.control());
    } catch (const edge::JobKept& kept) {
      done = waits_as(kept);
    }
  });
  return done;
}

nb::dict outputs_of(const Execution& self) {
  nb::dict dict;
  for (const auto& [name, tensor] : self.result->result.tensors) dict[nb::str(name.c_str())] = array_from(tensor);
  return dict;
}

void bind_compiler(nb::module_& m) {
  nb::class_<CompiledHandle>(m, "CompiledCircuit", "A circuit made ready for edge execution, and what it will take.")
      .def("__repr__",
           [](nb::handle self) {
             return described(self, {"circuit_id", "level", "num_qubits", "package_bytes", "estimated_memory_mb",
                                     "estimated_execution_time"});
           })
      .def_prop_ro(
          "circuit_id", [](const CompiledHandle& self) { return self.compiled->circuit_id; },
          "Content hash of source, level and limits; the same in every process.")
      .def_prop_ro("level", [](const CompiledHandle& self) { return std::string(level_name(self.compiled->level)); })
      .def_prop_ro(
          "circuit", [](const CompiledHandle& self) { return self.compiled->circuit; }, "The Circuit that is run.")
      .def_prop_ro(
          "compiled_gates", [](const CompiledHandle& self) { return gate_rows(self.compiled->circuit); },
          nb::sig("def compiled_gates(self) -> list[dict[str, typing.Any]]"),
          "The gates that are run, in order: gate, controls, qubits, params; the matrix of a `unitary`, row by row.")
      .def_prop_ro("num_qubits", [](const CompiledHandle& self) { return self.compiled->circuit.num_wires(); })
      .def_prop_ro("package_bytes", [](const CompiledHandle& self) { return self.compiled->bytes; })
      .def_prop_ro(
          "estimated_memory_mb",
          [](const CompiledHandle& self) { return static_cast<double>(self.compiled->estimated_bytes) / 1e6; },
          "Predicted peak in megabytes (10^6 bytes).")
      .def_prop_ro(
          "estimated_execution_time", [](const CompiledHandle& self) { return self.compiled->estimated_seconds; },
          "Predicted seconds on this machine.")
      .def_prop_ro("compile_seconds", [](const CompiledHandle& self) { return self.compiled->compile_seconds; })
      .def_prop_ro("passes", [](const CompiledHandle& self) { return self.compiled->passes; });

  nb::class_<CompilationStatistics>(m, "CompilationStatistics", "Counters of a compiler, taken at one moment.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("compiled_circuits", &CompilationStatistics::compiled_circuits)
      .def_ro("lookups", &CompilationStatistics::lookups)
      .def_ro("hits", &CompilationStatistics::hits)
      .def_ro("cached_bytes", &CompilationStatistics::cached_bytes)
      .def_ro("cached_circuits", &CompilationStatistics::cached_circuits)
      .def_ro("average_estimated_bytes", &CompilationStatistics::average_estimated_bytes)
      .def_prop_ro("hit_rate", &CompilationStatistics::hit_rate);

  nb::class_<CircuitCompiler>(m, "EdgeCompiler", "The native part of skerry.edge.CircuitCompiler.")
      .def(nb::init<EdgeExecutionConfig>(), nb::arg("config"))
      .def(
          "compile",
          [](CircuitCompiler& self, const Circuit& circuit, std::string_view level) {
            const nb::gil_scoped_release release;
            return CompiledHandle{self.compile_circuit(circuit, level_from_name(level))};
          },
          nb::arg("circuit"), nb::arg("level"))
      .def(
          "get",
          [](const CircuitCompiler& self, std::string_view id) { return CompiledHandle{self.compiled_circuit(id)}; },
          nb::arg("circuit_id"))
      .def("all",
           [](const CircuitCompiler& self) {
             std::vector<CompiledHandle> all;
             for (auto& [id, compiled] : self.compiled_circuits()) all.push_back({compiled});
             return all;
           })
      .def(
          "save",
          [](const CircuitCompiler& self, std::string_view id, const std::string& path) { self.save(id, path); },
          nb::arg("circuit_id"), nb::arg("path"), nb::call_guard<nb::gil_scoped_release>())
      .def(
          "load", [](CircuitCompiler& self, const std::string& path) { return CompiledHandle{self.load(path)}; },
          nb::arg("path"), nb::call_guard<nb::gil_scoped_release>())
      .def("clear_cache", &CircuitCompiler::clear_cache)
      .def("statistics", &CircuitCompiler::statistics);
}

void bind_placement(nb::module_& m) {
  const auto name = [](edge::ExecutionMethod method) { return std::string(edge::execution_method_name(method)); };
  nb::class_<edge::PieceReport>(m, "PieceReport",
                                "One piece of a circuit, or half of a model, that was cut; `place` is edge or cloud.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("wires", &edge::PieceReport::wires)
      .def_ro("nodes", &edge::PieceReport::nodes, "Of half of a model.")
      .def_ro("peak_bytes", &edge::PieceReport::peak_bytes)
      .def_ro("seconds", &edge::PieceReport::seconds)
      .def_prop_ro("place", [name](const edge::PieceReport& self) { return name(self.place); });
  nb::class_<edge::SplitReport>(m, "SplitReport", "A circuit in pieces, and what that costs.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("pieces", &edge::SplitReport::pieces)
      .def_ro("gate_cuts", &edge::SplitReport::gate_cuts)
      .def_ro("wire_cuts", &edge::SplitReport::wire_cuts)
      .def_ro("terms", &edge::SplitReport::terms, "Products for each term of an observable.")
      .def_ro("sampling_overhead", &edge::SplitReport::sampling_overhead,
              "Times more shots that devices without states would need.")
      .def_ro("crossing_bytes", &edge::SplitReport::crossing_bytes, "Tensors that go between a model's halves.")
      .def_ro("weight_bytes", &edge::SplitReport::weight_bytes, "Weights that go with the half that runs elsewhere.")
      .def_ro("peak_bytes", &edge::SplitReport::peak_bytes)
      .def_ro("seconds", &edge::SplitReport::seconds);
  nb::class_<edge::PlaceReport>(m, "PlaceReport", "One way to run a circuit that was considered.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_prop_ro("method", [name](const edge::PlaceReport& self) { return name(self.method); })
      .def_ro("possible", &edge::PlaceReport::possible)
      .def_ro("chosen", &edge::PlaceReport::chosen)
      .def_ro("reason", &edge::PlaceReport::reason)
      .def_ro("peak_bytes", &edge::PlaceReport::peak_bytes)
      .def_ro("seconds", &edge::PlaceReport::seconds);
  nb::class_<edge::Placement>(m, "Placement", "Where an execution goes, and why; str() tells it in some lines.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_prop_ro("method", [name](const edge::Placement& self) { return name(self.method); })
      .def_ro("considered", &edge::Placement::considered)
      .def_ro("split", &edge::Placement::split)
      .def_ro("whole_bytes", &edge::Placement::whole_bytes, "A model's weights and inputs, as they go to the endpoint.")
      .def_ro("refusal", &edge::Placement::refusal, "Not empty: it can run nowhere.")
      .def_ro("compressed", &edge::Placement::compressed,
              "It runs here in single precision, since it could run nowhere else.")
      .def_ro("decision_seconds", &edge::Placement::decision_seconds)
      .def("__str__", &edge::Placement::explain);
}

void bind_executor(nb::module_& m) {
  nb::class_<edge::PartReport>(m, "PartReport", "What one part of a model's run took; `place` is edge or cloud.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_prop_ro("place",
                   [](const edge::PartReport& self) { return std::string(edge::execution_method_name(self.place)); })
      .def_ro("seconds", &edge::PartReport::seconds)
      .def_ro("bytes_sent", &edge::PartReport::bytes_sent)
      .def_ro("bytes_received", &edge::PartReport::bytes_received);
  nb::class_<Execution>(m, "Execution", "The native part of skerry.edge.ExecutionResult.")
      .def("__repr__",
           [](nb::handle self) {
             return described(self, {"where", "circuit_id", "method", "seconds", "memory_bytes", "from_cache"});
           })
      .def_ro("kept_as", &Execution::kept_as, "Not empty: it waits in the outbox, and there is nothing else to read.")
      .def_ro("why", &Execution::why)
      .def_ro("where", &Execution::where)
      .def_prop_ro("circuit_id", [](const Execution& self) { return self.result->circuit_id; })
      .def_prop_ro("method",
                   [](const Execution& self) { return std::string(edge::execution_method_name(self.result->method)); })
      .def_prop_ro("seconds", [](const Execution& self) { return self.result->seconds; })
      .def_prop_ro("memory_bytes", [](const Execution& self) { return self.result->memory_bytes; })
      .def_prop_ro("from_cache", [](const Execution& self) { return self.result->from_cache; })
      .def_prop_ro("placement", [](const Execution& self) { return self.result->placement; })
      .def_prop_ro("state", [](const Execution& self) { return self.result->result.state; })
      .def_prop_ro("expectations", [](const Execution& self) { return self.result->result.expectations; })
      .def_prop_ro(
          "counts", [](const Execution& self) { return counts_dict(self.result->result.counts); },
          nb::sig("def counts(self) -> dict[str, int]"))
      .def_prop_ro("outputs", outputs_of, nb::sig("def outputs(self) -> dict[str, numpy.typing.NDArray[typing.Any]]"))
      .def_prop_ro("parts", [](const Execution& self) { return self.result->parts; })
      .def_prop_ro("simulator", [](const Execution& self) { return self.result->result.report.method; });

  nb::class_<PerformanceStatistics>(m, "PerformanceStatistics", "Counters of an executor, taken at one moment.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("edge_executions", &PerformanceStatistics::edge_executions)
      .def_ro("cloud_executions", &PerformanceStatistics::cloud_executions)
      .def_ro("hybrid_executions", &PerformanceStatistics::hybrid_executions)
      .def_ro("cache_hits", &PerformanceStatistics::cache_hits)
      .def_ro("cached_bytes", &PerformanceStatistics::cached_bytes)
      .def_ro("cached_results", &PerformanceStatistics::cached_results)
      .def_ro("moved", &PerformanceStatistics::moved)
      .def_prop_ro("executions", &PerformanceStatistics::executions)
      .def_prop_ro("average_seconds", &PerformanceStatistics::average_seconds);

  nb::class_<edge::Resources>(m, "Resources", "What an execution can count on at one moment.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("available_bytes", &edge::Resources::available_bytes)
      .def_ro("usable_cpus", &edge::Resources::usable_cpus)
      .def_ro("load", &edge::Resources::load)
      .def_ro("running", &edge::Resources::running)
      .def_ro("running_bytes", &edge::Resources::running_bytes)
      .def_ro("battery_percent", &edge::Resources::battery_percent)
      .def_ro("on_battery", &edge::Resources::on_battery)
      .def_ro("temperature_celsius", &edge::Resources::temperature_celsius)
      .def_ro("too_hot", &edge::Resources::too_hot)
      .def_ro("endpoint_seems_up", &edge::Resources::endpoint_seems_up);

  nb::class_<EdgeExecutor>(m, "NativeExecutor", "The native part of skerry.edge.EdgeExecutor.")
      // A compiler of its own: the Python class looks ids up in the one it was given.
      .def(
          "__init__",
          [](EdgeExecutor* self, const EdgeExecutionConfig& config) {
            new (self) EdgeExecutor(config, std::make_shared<CircuitCompiler>(config));
          },
          nb::arg("config"))
      .def("execute", execute, nb::arg("compiled"), nb::arg("options"), nb::arg("seed").none())
      .def("execute_model", execute_model, nb::arg("model"), nb::arg("inputs"))
      .def(
          "place_model",
          [](const EdgeExecutor& self, const Model& model, nb::handle inputs) {
            const NamedTensors tensors = named_tensors(inputs);
            const nb::gil_scoped_release release;
            return self.place_model(*model.graph, tensors);
          },
          nb::arg("model"), nb::arg("inputs"))
      .def("execute_batch", execute_batch, nb::arg("compiled"), nb::arg("options"), nb::arg("seed").none(),
           nb::arg("rows"))
      .def(
          "place",
          [](const EdgeExecutor& self, const CompiledHandle& compiled, const RunOptions& options) {
            const nb::gil_scoped_release release;
            return self.place(compiled.compiled, input_of(options, 0));
          },
          nb::arg("compiled"), nb::arg("options"))
      .def("statistics", &EdgeExecutor::statistics)
      .def("cleanup", &EdgeExecutor::cleanup, nb::call_guard<nb::gil_scoped_release>())
      .def("resources", &EdgeExecutor::resources)
      .def("clear_cache", &EdgeExecutor::clear_cache);
}

template <std::filesystem::path EdgeExecutionConfig::*Path>
void bind_path(nb::class_<EdgeExecutionConfig>& c, const char* name) {
  c.def_prop_rw(
      name, [](const EdgeExecutionConfig& self) { return (self.*Path).string(); },
      [](EdgeExecutionConfig& self, const std::string& path) { self.*Path = path; });
}

void bind_edge_config(nb::module_& m) {
  nb::class_<EdgeExecutionConfig> c(m, "EdgeConfig", "The native part of skerry.edge.EdgeExecutionConfig.");
  c.def("__repr__", [](nb::handle self) {
    return described(self, {"max_memory_mb", "max_execution_time", "cache_size_mb", "threads", "fallback_to_cloud",
                            "cloud_endpoint"});
  });
  c.def(nb::init<>())
      .def_rw("max_memory_mb", &EdgeExecutionConfig::max_memory_mb)
      .def_rw("max_execution_time", &EdgeExecutionConfig::max_execution_time)
      .def_rw("enable_compression", &EdgeExecutionConfig::enable_compression)
      .def_rw("enable_caching", &EdgeExecutionConfig::enable_caching)
      .def_rw("cache_size_mb", &EdgeExecutionConfig::cache_size_mb)
      .def_rw("threads", &EdgeExecutionConfig::threads)
      .def_rw("max_cuts", &EdgeExecutionConfig::max_cuts)
      .def_rw("fallback_to_cloud", &EdgeExecutionConfig::fallback_to_cloud)
      .def_rw("cloud_endpoint", &EdgeExecutionConfig::cloud_endpoint)
      .def_rw("cloud_timeout", &EdgeExecutionConfig::cloud_timeout)
      .def_rw("cloud_api_key", &EdgeExecutionConfig::cloud_api_key)
      .def_rw("outbox_size_mb", &EdgeExecutionConfig::outbox_size_mb)
      .def_prop_rw(
          "precision",
          [](const EdgeExecutionConfig& self) {
            return self.precision == Precision::single_precision ? "single" : "double";
          },
          [](EdgeExecutionConfig& self, std::string_view name) { self.precision = precision_from_name(name); })
      .def("validate", &EdgeExecutionConfig::validate);
  bind_path<&EdgeExecutionConfig::cache_folder>(c, "cache_folder");
  bind_path<&EdgeExecutionConfig::cloud_authorities>(c, "cloud_authorities");
  bind_path<&EdgeExecutionConfig::cloud_certificate>(c, "cloud_certificate");
  bind_path<&EdgeExecutionConfig::cloud_key>(c, "cloud_key");
  bind_path<&EdgeExecutionConfig::outbox_folder>(c, "outbox_folder");
}

void bind_outbox(nb::module_& m) {
  nb::class_<edge::OutboxEntry>(m, "OutboxEntry", "A run that waits for its endpoint, or its answer.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("id", &edge::OutboxEntry::id, "32 hex digits: the token by which the endpoint knows the job.")
      .def_prop_ro(
          "state", [](const edge::OutboxEntry& self) { return std::string(edge::outbox_state_name(self.state)); },
          "waiting, done, failed or damaged.")
      .def_ro("circuit_id", &edge::OutboxEntry::circuit_id)
      .def_ro("endpoint", &edge::OutboxEntry::endpoint)
      .def_ro("kept", &edge::OutboxEntry::kept, "Seconds since 1970.")
      .def_ro("answered", &edge::OutboxEntry::answered, "Seconds since 1970; 0: not yet.")
      .def_ro("bytes", &edge::OutboxEntry::bytes)
      .def_ro("finding", &edge::OutboxEntry::finding,
              "Why it failed, what is damaged, or why it still waits after send().");
  nb::class_<edge::Outbox>(m, "NativeOutbox", "The native part of skerry.edge.Outbox.")
      .def(nb::init<EdgeExecutionConfig>(), nb::arg("config"))
      .def(
          "keep",
          [](edge::Outbox& self, const CompiledHandle& compiled, const RunOptions& options,
             std::optional<std::uint64_t> seed) {
            const nb::gil_scoped_release release;
            return self.keep(compiled.compiled, input_of(options, seed));
          },
          nb::arg("compiled"), nb::arg("options"), nb::arg("seed").none())
      .def("entries", &edge::Outbox::entries, nb::call_guard<nb::gil_scoped_release>())
      .def("send",
           [](edge::Outbox& self) {
             Steering steering{nb::none()};
             std::vector<edge::OutboxEntry> entries;
             steering.run(true, [&] { entries = self.send(steering.control()); });
             return entries;
           })
      .def(
          "result", [](const edge::Outbox& self, std::string_view id) { return Execution{self.result(id)}; },
          nb::arg("id"), nb::call_guard<nb::gil_scoped_release>())
      .def("drop", &edge::Outbox::drop, nb::arg("id"), nb::call_guard<nb::gil_scoped_release>());
}

void bind_doctor(nb::module_& m) {
  nb::class_<edge::DoctorStep>(m, "DoctorStep", "What one stage of reaching an endpoint found.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("name", &edge::DoctorStep::name)
      .def_ro("ok", &edge::DoctorStep::ok)
      .def_ro("finding", &edge::DoctorStep::finding)
      .def_ro("seconds", &edge::DoctorStep::seconds);
  m.def("examine_endpoint", edge::examine_endpoint, nb::arg("config"), nb::call_guard<nb::gil_scoped_release>(),
        "Goes to the endpoint step by step and stops at the first that fails.");
}

}  // namespace

void bind_edge(nb::module_& m) {
  bind_edge_config(m);
  bind_compiler(m);
  bind_placement(m);
  bind_executor(m);
  bind_outbox(m);
  bind_doctor(m);
}

}  // namespace skerry::python
