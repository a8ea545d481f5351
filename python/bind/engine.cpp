#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <memory>
#include <mutex>
#include <skerry/edge_engine.hpp>

#include "arrays.hpp"
#include "at_exit.hpp"
#include "described.hpp"
#include "model.hpp"
#include "options.hpp"

namespace skerry::python {
namespace {

using namespace nb::literals;

// What a backend in Python raised, as backends say it: the family's own classes by their code, all others internal.
Error error_from(nb::python_error& raised, const std::string& where) {
  std::string code = "internal", text = raised.what();
  const nb::object value = nb::borrow(raised.value());
  if (nb::hasattr(value, "code") && nb::isinstance<nb::str>(value.attr("code"))) {
    code = nb::cast<std::string>(value.attr("code"));
    text = nb::cast<std::string>(nb::str(value));
  } else if (PyErr_GivenExceptionMatches(value.ptr(), PyExc_MemoryError) != 0) {
    code = "budget_exceeded";
  }
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    const auto known = static_cast<ErrorCode>(i);
    if (error_info(known).name == code) return Error(known, text, where);
  }
  return Error(ErrorCode::internal, text, where);
}

nb::object attribute_value(const Attribute& attribute) {
  return std::visit(
      []<class T>(const T& value) -> nb::object {
        if constexpr (std::is_same_v<T, Tensor>) {
          return array_from(value);
        } else if constexpr (std::is_same_v<T, Subgraph> || std::is_same_v<T, CircuitRef> ||
                             std::is_same_v<T, std::vector<Observable>>) {
          return nb::none();
        } else {
          return nb::cast(value);
        }
      },
      attribute);
}

nb::dict attributes_of(const Node& node) {
  nb::dict out;
  for (const auto& [name, value] : node.attributes) out[nb::str(name.c_str())] = attribute_value(value);
  return out;
}

// Holds a Python object from threads that may not have the GIL.
class Held {
 public:
  explicit Held(nb::object object) : object_(std::move(object)) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    const nb::gil_scoped_acquire gil;
    object_.reset();
  }
  const nb::object& get() const { return object_; }

 private:
  nb::object object_;
};

// Node by node through the object's run_node().
class PythonProgram : public BackendProgram {
 public:
  PythonProgram(std::shared_ptr<const Held> backend, std::string name, Graph part)
      : backend_(std::move(backend)), name_(std::move(name)), part_(std::move(part)) {}

  std::vector<Tensor> run(std::span<const Tensor> inputs, const RunControl& control) override {
    const nb::gil_scoped_acquire gil;
    std::map<ValueId, nb::object> values;
    for (std::size_t i = 0; i < inputs.size(); ++i) values[part_.inputs()[i]] = array_from(inputs[i]);
    try {
      for (const Node& node : part_.nodes()) {
        control.check(node.name);
        run_node(node, values);
      }
      std::vector<Tensor> outputs;
      for (const ValueId id : part_.outputs()) outputs.push_back(output(id, values.at(id)));
      return outputs;
    } catch (nb::python_error& raised) {
      throw error_from(raised, name_);
    }
  }

 private:
  // Errors: type_mismatch unless it is an array of the type that the graph says.
  Tensor output(ValueId id, const nb::object& value) const {
    const Value& wanted = part_.value(id);
    std::optional<Tensor> given;
    try {
      given = tensor_from_object(value);
    } catch (const nb::python_error& raised) {
      throw Error(ErrorCode::type_mismatch, "output '" + wanted.name + "' is no array: " + raised.what(), name_);
    } catch (const Error& error) {
      throw Error(ErrorCode::type_mismatch, "output '" + wanted.name + "' is no array: " + error.message(), name_);
    }
    const TensorType type = TensorType::of(given->dtype(), given->shape());
    if (wanted.type.dtype != type.dtype || !wanted.type.takes(given->shape()))
      throw Error(ErrorCode::type_mismatch,
                  "output '" + wanted.name + "' is " + type.text() + ", not " + wanted.type.text(), name_,
                  "let run_node() give what the operator gives");
    return *std::move(given);
  }

  void run_node(const Node& node, std::map<ValueId, nb::object>& values) const {
    nb::list arguments;
    for (const ValueId id : node.inputs) {
      if (id == kNoValue) {
        arguments.append(nb::none());
      } else if (const auto& constant = part_.value(id).constant) {
        arguments.append(array_from(*constant));
      } else {
        arguments.append(values.at(id));
      }
    }
    const nb::object results = backend_->get().attr("run_node")(node.op, attributes_of(node), arguments);
    if (!nb::isinstance<nb::list>(results) && !nb::isinstance<nb::tuple>(results))
      throw Error(ErrorCode::type_mismatch, "run_node() of " + node.op + " gave no list", name_,
                  "let it give a list of arrays, one for each output");
    std::size_t at = 0;
    for (const nb::handle result : results) {
      if (at < node.outputs.size() && node.outputs[at] != kNoValue) values[node.outputs[at]] = nb::borrow(result);
      ++at;
    }
    for (; at < node.outputs.size(); ++at) {
      if (node.outputs[at] != kNoValue)
        throw Error(ErrorCode::type_mismatch, node.op + " gave " + std::to_string(at) + " results", name_);
    }
  }

  std::shared_ptr<const Held> backend_;
  std::string name_;
  Graph part_;
};

class PythonBackend : public ExecutionBackend {
 public:
  explicit PythonBackend(nb::object backend)
      : name_(name_of(backend)), backend_(std::make_shared<const Held>(std::move(backend))) {}
  std::string_view name() const noexcept override { return name_; }
  BackendInfo info() const override { return {"python", name_, 0}; }
  std::optional<std::string> declines(const Graph& /*graph*/, const Node& node) const override {
    for (const auto& [name, value] : node.attributes)
      if (std::holds_alternative<Subgraph>(value) || std::holds_alternative<CircuitRef>(value))
        return "it runs no graphs within graphs";
    const nb::gil_scoped_acquire gil;
    try {
      const nb::object why = backend_->get().attr("declines")(node.op, attributes_of(node));
      if (why.is_none()) return std::nullopt;
      std::string reason;
      if (!nb::try_cast(why, reason))
        throw Error(ErrorCode::type_mismatch, "declines() of " + node.op + " gave neither None nor a text", name_,
                    "let it give None for what it runs, else the reason");
      return reason;
    } catch (nb::python_error& raised) {
      throw error_from(raised, name_);
    }
  }
  std::unique_ptr<BackendProgram> compile(Graph part) override {
    return std::make_unique<PythonProgram>(backend_, name_, std::move(part));
  }

 private:
  static std::string name_of(const nb::object& backend) {
    std::string name;
    if (!nb::hasattr(backend, "name") || !nb::try_cast(nb::object(backend.attr("name")), name) || name.empty())
      throw Error(ErrorCode::type_mismatch, "the backend has no name", "name", "give it an attribute `name`, a text");
    return name;
  }

  std::string name_;
  std::shared_ptr<const Held> backend_;
};

nb::dict arrays_of(const NamedTensors& tensors) {
  nb::dict out;
  for (const auto& [name, tensor] : tensors) out[nb::str(name.c_str())] = array_from(tensor);
  return out;
}

// Code of others (a backend in Python, an owner of weights) may want the GIL while a lock of the engine is held, so
// whoever takes such a lock does so without it.
template <class Work>
auto without_gil(Work work) {
  const nb::gil_scoped_release release;
  return work();
}

// Ends without the GIL, which workers need to give back what they were sent.
class PyEdgeEngine : public EdgeAIEngine, public EndsAtExit {
 public:
  using EdgeAIEngine::EdgeAIEngine;
  ~PyEdgeEngine() override {
    leave_to_destructor();
    without_gil([this] { return shutdown(); });
  }

 private:
  void end() override { shutdown(); }
};

// One run at a time. Whoever waits does so without the GIL, which a backend in Python needs.
class PyRoutedModel {
 public:
  PyRoutedModel(const Graph& graph, std::shared_ptr<BackendRegistry> registry) : model_(graph, std::move(registry)) {}
  NamedTensors run(const NamedTensors& inputs) {
    return without_gil([&] {
      const std::lock_guard busy(mutex_);
      return model_.run(inputs);
    });
  }
  RouteReport report() {
    return without_gil([&] {
      const std::lock_guard busy(mutex_);
      return model_.report();
    });
  }

 private:
  std::mutex mutex_;
  RoutedModel model_;
};

nb::list rows_of(const BackendRegistry& registry) {
  nb::list rows;
  for (const BackendRow& row : without_gil([&] { return registry.rows(); })) {
    nb::dict one;
    one["name"] = row.name;
    one["priority"] = row.priority;
    one["healthy"] = row.healthy;
    one["failures"] = row.failures;
    one["last_error"] = row.last_error;
    one["kind"] = row.info.kind;
    rows.append(one);
  }
  return rows;
}

nb::dict report_of(const RouteReport& report) {
  nb::list parts, recoveries;
  for (const RoutedPart& part : report.parts) parts.append(nb::make_tuple(part.backend, part.nodes));
  for (const Recovery& recovery : report.recoveries)
    recoveries.append(nb::make_tuple(recovery.from, recovery.error, recovery.to));
  nb::dict out;
  out["parts"] = parts;
  out["boundary_copies"] = report.boundary_copies;
  out["boundary_bytes"] = report.boundary_bytes;
  out["recoveries"] = recoveries;
  out["reasons"] = report.reasons;
  return out;
}

nb::dict counters_of(const MockGPUBackend& gpu) {
  const MockCounters c = gpu.counters();
  nb::dict out;
  out["kernels"] = c.kernels;
  out["allocations"] = c.allocations;
  out["used_bytes"] = c.used_bytes;
  out["peak_bytes"] = c.peak_bytes;
  out["uploaded_bytes"] = c.uploaded_bytes;
  out["downloaded_bytes"] = c.downloaded_bytes;
  out["seconds"] = c.seconds;
  return out;
}

void bind_backends(nb::module_& m) {
  nb::class_<MockGPUBackend>(m, "MockGPUBackend",
                             "A deterministic device for drills: right answers, memory of its own, simulated time, and "
                             "the faults that one wants.")
      .def(
          "__init__",
          [](MockGPUBackend* self, std::string name, std::uint64_t memory_bytes, double flops_per_second,
             double bytes_per_second, double link_bytes_per_second, double launch_seconds,
             std::vector<std::string> operators, std::optional<std::uint64_t> lost_at_kernel,
             std::optional<std::uint64_t> out_of_memory_at) {
            new (self) MockGPUBackend({std::move(name), memory_bytes, flops_per_second, bytes_per_second,
                                       link_bytes_per_second, launch_seconds, std::move(operators)},
                                      {lost_at_kernel, out_of_memory_at, std::nullopt});
          },
          nb::kw_only(), "name"_a = "mock_gpu", "memory_bytes"_a = std::uint64_t{1} << 30, "flops_per_second"_a = 1e12,
          "bytes_per_second"_a = 1e11, "link_bytes_per_second"_a = 1e10, "launch_seconds"_a = 5e-6,
          "operators"_a = std::vector<std::string>(), "lost_at_kernel"_a = nb::none(),
          "out_of_memory_at"_a = nb::none())
      .def("counters", counters_of, nb::sig("def counters(self) -> dict[str, typing.Any]"),
           "Kernels, bytes and simulated seconds so far.")
      .def(
          "set_faults",
          [](MockGPUBackend& self, std::optional<std::uint64_t> lost, std::optional<std::uint64_t> memory) {
            self.set_faults({lost, memory, std::nullopt});
          },
          nb::kw_only(), "lost_at_kernel"_a = nb::none(), "out_of_memory_at"_a = nb::none(),
          "Faults from now on, on a device that is there again.");
  nb::class_<BackendRegistry>(m, "BackendRegistry", "The backends of a process, by priority.")
      .def(nb::init<>())
      .def(
          "add_cpu",
          [](BackendRegistry& self, int priority, int threads) {
            self.add(std::make_shared<CPUBackend>(limits_from(threads, {}, {})), priority);
          },
          nb::call_guard<nb::gil_scoped_release>(), "priority"_a = 0, nb::kw_only(), "threads"_a = 0,
          "This machine's CPU, `cpu`.")
      .def(
          "add_mock",
          [](BackendRegistry& self, const std::shared_ptr<MockGPUBackend>& backend, int priority) {
            self.add(backend, priority);
          },
          nb::call_guard<nb::gil_scoped_release>(), "backend"_a, "priority"_a = 0, "A simulated device.")
      .def(
          "add_python",
          [](BackendRegistry& self, nb::object backend, int priority) {
            auto made = std::make_shared<PythonBackend>(std::move(backend));
            without_gil([&] { self.add(std::move(made), priority); });
          },
          "backend"_a, "priority"_a = 0, nb::sig("def add_python(self, backend: object, priority: int = 0) -> None"),
          "An object with `name`, `declines(op, attributes)` and `run_node(op, attributes, inputs)`.")
      .def("remove", &BackendRegistry::remove, nb::call_guard<nb::gil_scoped_release>(), "name"_a)
      .def("route", &BackendRegistry::route, nb::call_guard<nb::gil_scoped_release>(), "op"_a, "backend"_a,
           "Nodes of this operator go there if it takes them; an empty name takes that back.")
      .def("restore", &BackendRegistry::restore, nb::call_guard<nb::gil_scoped_release>(), "name"_a,
           "A lost device is there again.")
      .def("rows", rows_of, nb::sig("def rows(self) -> list[dict[str, typing.Any]]"), "The highest priority first.");
  nb::class_<PyRoutedModel>(m, "RoutedModel",
                            "A model whose nodes run where a registry says; a part that fails goes on elsewhere.")
      .def("__repr__", [](nb::handle) { return "<RoutedModel>"; })
      .def(
          "__init__",
          [](PyRoutedModel* self, const Model& model, std::shared_ptr<BackendRegistry> registry) {
            without_gil([&] { return new (self) PyRoutedModel(*model.graph, std::move(registry)); });
          },
          "model"_a, "registry"_a)
      .def(
          "run", [](PyRoutedModel& self, nb::handle inputs) { return arrays_of(self.run(named_tensors(inputs))); },
          "inputs"_a.none(),
          nb::sig("def run(self, inputs: collections.abc.Mapping[str, numpy.typing.ArrayLike]) -> dict[str, "
                  "numpy.typing.NDArray[typing.Any]]"),
          "The outputs by name.")
      .def_prop_ro(
          "report", [](PyRoutedModel& self) { return report_of(self.report()); },
          nb::sig("def report(self) -> dict[str, typing.Any]"),
          "parts (backend, nodes), boundary_copies, boundary_bytes, recoveries (from, error, to), reasons.");
}

void bind_edge_engine(nb::module_& m) {
  nb::class_<PyEdgeEngine>(
      m, "EdgeAIEngine",
      "An engine for a device: init, load, infer, shutdown. Models are versioned and swapped under "
      "load without a failed request; threads may share it.")
      .def("__repr__", [](nb::handle self) { return described(self, {"state"}); })
      .def(
          "__init__",
          [](PyEdgeEngine* self, int threads, int workers, int reserved_workers, std::size_t max_queue,
             std::optional<double> max_memory_mb, double shutdown_grace_seconds,
             std::shared_ptr<BackendRegistry> backends) {
            EngineConfig config{.threads = threads,
                                .workers = workers,
                                .reserved_workers = reserved_workers,
                                .max_queue = max_queue,
                                .shutdown_grace_seconds = shutdown_grace_seconds};
            config.max_memory_bytes = limits_from(threads, max_memory_mb, {}).max_memory_bytes;
            config.backends = std::move(backends);
            new (self) PyEdgeEngine(std::move(config));
          },
          nb::kw_only(), "threads"_a = 0, "workers"_a = 2, "reserved_workers"_a = 0, "max_queue"_a = 1024,
          "max_memory_mb"_a = nb::none(), "shutdown_grace_seconds"_a = 30.0, "backends"_a = nb::none(),
          nb::sig(
              "def __init__(self, *, threads: int = 0, workers: int = 2, reserved_workers: int = 0, max_queue: int = "
              "1024, max_memory_mb: float | None = None, shutdown_grace_seconds: float = 30.0, backends: "
              "BackendRegistry | None = None) -> None"))
      .def(
          "init", [](PyEdgeEngine& self) { self.init(); }, nb::call_guard<nb::gil_scoped_release>(),
          "Starts the workers.")
      .def_prop_ro(
          "state",
          [](const PyEdgeEngine& self) { return engine_state_name(without_gil([&] { return self.state(); })); },
          "created, ready, draining or stopped.")
      .def(
          "load",
          [](PyEdgeEngine& self, const std::string& name, const std::string& path, bool keep_old) {
            const nb::gil_scoped_release release;
            return self.load(name, std::filesystem::path(path), keep_old);
          },
          "name"_a, "path"_a, nb::kw_only(), "keep_old"_a = false,
          "A new version of a model, ready when this returns; gives its number. Older ones are drained.")
      .def(
          "load",
          [](PyEdgeEngine& self, const std::string& name, const Model& model, bool keep_old) {
            const nb::gil_scoped_release release;
            return self.load(name, Graph(*model.graph), keep_old);
          },
          "name"_a, "model"_a, nb::kw_only(), "keep_old"_a = false, "The same of a model that is there.")
      .def(
          "unload", [](PyEdgeEngine& self, const std::string& name) { self.unload(name); },
          nb::call_guard<nb::gil_scoped_release>(), "name"_a, "What was taken ends first.")
      .def(
          "infer",
          [](PyEdgeEngine& self, const std::string& name, nb::handle inputs, std::uint64_t version, int priority,
             std::string tenant, std::optional<double> timeout) {
            const NamedTensors tensors = named_tensors(inputs);
            RequestOptions options{.version = version, .priority = priority, .tenant = std::move(tenant)};
            if (timeout) options.timeout = std::chrono::duration<double>(*timeout);
            Result result;
            {
              const EndsAtExit::Call call;
              const nb::gil_scoped_release release;
              result = self.infer(name, tensors, options);
            }
            return arrays_of(result.tensors);
          },
          "name"_a, "inputs"_a.none(), nb::kw_only(), "version"_a = 0, "priority"_a = 1, "tenant"_a = "",
          "timeout"_a = nb::none(),
          nb::sig(
              "def infer(self, name: str, inputs: collections.abc.Mapping[str, numpy.typing.ArrayLike], *, version: "
              "int = 0, priority: int = 1, tenant: str = '', timeout: float | None = None) -> dict[str, "
              "numpy.typing.NDArray[typing.Any]]"),
          "The outputs by name. Lower priorities go first; timeout: seconds, waiting included.")
      .def(
          "models",
          [](const PyEdgeEngine& self) {
            nb::list rows;
            for (const ModelRow& row : without_gil([&] { return self.models(); })) {
              nb::dict one;
              one["name"] = row.name;
              one["version"] = row.version;
              one["state"] = model_state_name(row.state);
              one["requests"] = row.requests;
              one["in_flight"] = row.in_flight;
              one["reason"] = row.reason;
              rows.append(one);
            }
            return rows;
          },
          nb::sig("def models(self) -> list[dict[str, typing.Any]]"), "Every version that was ever loaded.")
      .def(
          "shutdown",
          [](PyEdgeEngine& self) {
            const nb::gil_scoped_release release;
            return self.shutdown();
          },
          "Refuses requests, drains those taken, ends workers, drops models. True if all ended by itself.")
      .def(
          "shutdown_order", [](const PyEdgeEngine& self) { return self.shutdown_order(); },
          nb::call_guard<nb::gil_scoped_release>(), "What was ended, in order.");
}

}  // namespace

void bind_engine(nb::module_& m) {
  bind_backends(m);
  bind_edge_engine(m);
}

}  // namespace skerry::python
