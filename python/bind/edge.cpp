#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <skerry/edge.hpp>

#include "arrays.hpp"
#include "bind.hpp"
#include "counts.hpp"
#include "options.hpp"
#include "result.hpp"
#include "steering.hpp"

namespace skerry::python {
namespace {

using edge::CircuitCompiler;
using edge::CompilationStatistics;
using edge::CompiledCircuit;
using edge::EdgeExecutionConfig;
using edge::EdgeExecutor;
using edge::ExecutionResult;
using edge::PerformanceStatistics;

// Python sees a result through a pointer of its own: nanobind holds values, not pointers to const.
struct Execution {
  edge::ResultPtr result;
};
struct CompiledHandle {
  edge::CompiledPtr compiled;
};

EdgeExecutionConfig make_config(double max_memory_mb, double max_execution_time, bool enable_compression,
                                bool enable_caching, double cache_size_mb, const std::string& cache_folder, int threads,
                                std::string_view precision) {
  EdgeExecutionConfig config{.max_memory_mb = max_memory_mb,
                             .max_execution_time = max_execution_time,
                             .enable_compression = enable_compression,
                             .enable_caching = enable_caching,
                             .cache_size_mb = cache_size_mb,
                             .cache_folder = cache_folder,
                             .threads = threads,
                             .precision = precision_from_name(precision)};
  config.validate();
  return config;
}

// The work may wait for a cold cache or simulate for minutes: always without the GIL, watched when it may be long.
Execution execute(EdgeExecutor& executor, const CompiledHandle& handle, const RunOptions& options,
                  std::optional<std::uint64_t> seed) {
  Steering steering{nb::none()};
  edge::ExecutionInput input{.parameters = options.parameters,
                             .named_parameters = options.named_parameters,
                             .initial_state = options.initial_state,
                             .shots = options.shots,
                             .seed = seed,
                             .observables = options.observables,
                             .control = steering.control()};
  Execution done;
  constexpr double kSeconds = 0.01;
  steering.run(handle.compiled->estimated_seconds > kSeconds || options.shots != 0,
               [&] { done.result = executor.execute(handle.compiled, input); });
  return done;
}

void bind_compiler(nb::module_& m) {
  nb::class_<CompiledHandle>(m, "CompiledCircuit", "A circuit made ready for edge execution, and what it will take.")
      .def_prop_ro(
          "circuit_id", [](const CompiledHandle& self) { return self.compiled->circuit_id; },
          "Content hash of source, level and limits; the same in every process.")
      .def_prop_ro("level", [](const CompiledHandle& self) { return std::string(level_name(self.compiled->level)); })
      .def_prop_ro(
          "circuit", [](const CompiledHandle& self) { return self.compiled->circuit; }, "The Circuit that is run.")
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

void bind_executor(nb::module_& m) {
  nb::class_<Execution>(m, "Execution", "The native part of skerry.edge.ExecutionResult.")
      .def_prop_ro("circuit_id", [](const Execution& self) { return self.result->circuit_id; })
      .def_prop_ro("method",
                   [](const Execution& self) { return std::string(edge::execution_method_name(self.result->method)); })
      .def_prop_ro("seconds", [](const Execution& self) { return self.result->seconds; })
      .def_prop_ro("memory_bytes", [](const Execution& self) { return self.result->memory_bytes; })
      .def_prop_ro("from_cache", [](const Execution& self) { return self.result->from_cache; })
      .def_prop_ro("state", [](const Execution& self) { return self.result->result.state; })
      .def_prop_ro("expectations", [](const Execution& self) { return self.result->result.expectations; })
      .def_prop_ro(
          "counts", [](const Execution& self) { return counts_dict(self.result->result.counts); },
          nb::sig("def counts(self) -> dict[str, int]"))
      .def_prop_ro("simulator", [](const Execution& self) { return self.result->result.report.method; });

  nb::class_<PerformanceStatistics>(m, "PerformanceStatistics", "Counters of an executor, taken at one moment.")
      .def_ro("edge_executions", &PerformanceStatistics::edge_executions)
      .def_ro("cloud_executions", &PerformanceStatistics::cloud_executions)
      .def_ro("hybrid_executions", &PerformanceStatistics::hybrid_executions)
      .def_ro("cache_hits", &PerformanceStatistics::cache_hits)
      .def_prop_ro("executions", &PerformanceStatistics::executions)
      .def_prop_ro("average_seconds", &PerformanceStatistics::average_seconds);

  nb::class_<edge::Resources>(m, "Resources", "What an execution can count on at one moment.")
      .def_ro("available_bytes", &edge::Resources::available_bytes)
      .def_ro("usable_cpus", &edge::Resources::usable_cpus)
      .def_ro("load", &edge::Resources::load)
      .def_ro("running", &edge::Resources::running)
      .def_ro("running_bytes", &edge::Resources::running_bytes);

  nb::class_<EdgeExecutor>(m, "NativeExecutor", "The native part of skerry.edge.EdgeExecutor.")
      // A compiler of its own: the Python class looks ids up in the one it was given.
      .def(
          "__init__",
          [](EdgeExecutor* self, const EdgeExecutionConfig& config) {
            new (self) EdgeExecutor(config, std::make_shared<CircuitCompiler>(config));
          },
          nb::arg("config"))
      .def("execute", execute, nb::arg("compiled"), nb::arg("options"), nb::arg("seed").none())
      .def("statistics", &EdgeExecutor::statistics)
      .def("resources", &EdgeExecutor::resources)
      .def("clear_cache", &EdgeExecutor::clear_cache);
}

}  // namespace

void bind_edge(nb::module_& m) {
  nb::class_<EdgeExecutionConfig>(m, "EdgeConfig", "The native part of skerry.edge.EdgeExecutionConfig.")
      .def(
          "__init__",
          [](EdgeExecutionConfig* self, double max_memory_mb, double max_execution_time, bool enable_compression,
             bool enable_caching, double cache_size_mb, const std::string& cache_folder, int threads,
             std::string_view precision) {
            new (self)
                EdgeExecutionConfig(make_config(max_memory_mb, max_execution_time, enable_compression, enable_caching,
                                                cache_size_mb, cache_folder, threads, precision));
          },
          nb::arg("max_memory_mb"), nb::arg("max_execution_time"), nb::arg("enable_compression"),
          nb::arg("enable_caching"), nb::arg("cache_size_mb"), nb::arg("cache_folder"), nb::arg("threads"),
          nb::arg("precision"));
  bind_compiler(m);
  bind_executor(m);
}

}  // namespace skerry::python
