#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <skerry/batching.hpp>
#include <skerry/error.hpp>
#include <skerry/inference_engine.hpp>

#include "arrays.hpp"
#include "at_exit.hpp"
#include "described.hpp"
#include "memory.hpp"
#include "model.hpp"
#include "options.hpp"

namespace skerry::python {
namespace {

using EngineModel = InferenceEngine::Model;
using ModelPtr = InferenceEngine::ModelPtr;

// One array for a model of one input, else by name; in the graph's order.
std::vector<Tensor> tensors_in_order(const Graph& graph, nb::handle inputs) {
  const bool is_mapping = nb::hasattr(inputs, "keys");
  if (!is_mapping && graph.inputs().size() == 1) {
    try {
      return {tensor_from_object(inputs)};
    } catch (const Error& error) {
      throw error.at("input '" + graph.value(graph.inputs().front()).name + "'");
    }
  }
  const NamedTensors named = named_tensors(inputs);
  std::vector<Tensor> tensors;
  for (const ValueId id : graph.inputs()) {
    const auto found = std::ranges::find(named, graph.value(id).name, &NamedTensors::value_type::first);
    if (found == named.end())
      throw Error(ErrorCode::invalid_argument, "input '" + graph.value(id).name + "' is missing", graph.name);
    tensors.push_back(found->second);
  }
  if (named.size() != tensors.size())
    throw Error(ErrorCode::invalid_argument,
                std::to_string(named.size()) + " inputs for a model of " + std::to_string(tensors.size()), graph.name);
  return tensors;
}

nb::object arrays_of(const Graph& graph, const std::vector<Tensor>& outputs) {
  if (outputs.size() == 1) return array_over(outputs[0]);
  nb::dict named;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    named[nb::str(graph.value(graph.outputs()[i]).name.c_str())] = array_over(outputs[i]);
  return named;
}

std::shared_ptr<const Graph> graph_of(EngineModel& model) {
  const nb::gil_scoped_release release;
  return model.graph();
}

nb::object run_inference(InferenceEngine& self, EngineModel& model, nb::handle inputs) {
  const auto graph = graph_of(model);
  const std::vector<Tensor> tensors = tensors_in_order(*graph, inputs);
  std::vector<Tensor> outputs;
  {
    const nb::gil_scoped_release release;
    outputs = self.run_inference(model, tensors);
  }
  return arrays_of(*graph, outputs);
}

// Into the caller's array, which has to be dense and writable.
void run_into(InferenceEngine& self, EngineModel& model, nb::handle inputs, nb::handle out) {
  const auto graph = graph_of(model);
  const std::vector<Tensor> tensors = tensors_in_order(*graph, inputs);
  const WritableArray target = writable_array(out, "out");
  std::vector<TensorView> views;
  for (const Tensor& tensor : tensors) views.push_back(tensor.view());
  const std::array places = {target.view};
  const nb::gil_scoped_release release;
  self.run_inference(model, views, places);
}

// Errors: invalid_argument for what is no span of time. More than a clock can count is as much as it can.
BatchClock::duration span_of(double seconds, const char* field) {
  constexpr double kMost = 1e9;
  if (!(seconds >= 0.0))
    throw Error(ErrorCode::invalid_argument, std::to_string(seconds) + " s", field, "give seconds, 0 or more");
  return std::chrono::round<BatchClock::duration>(std::chrono::duration<double>(std::min(seconds, kMost)));
}

BatchClock::time_point moment_of(double seconds, const char* field) {
  return BatchClock::time_point(span_of(seconds, field));
}

// A model and the manager that runs requests of many threads in batches.
class PyBatching : public EndsAtExit {
 public:
  PyBatching(const Model& model, const BatchingOptions& options, int threads)
      : graph_(model.graph),
        engine_(EngineOptions{.limits = limits_from(threads, {}, {})}),
        model_(engine_.add_model("batching", model.graph)),
        manager_([this](std::span<const Tensor> inputs) { return engine_.run_inference(*model_, inputs); }, options) {}
  ~PyBatching() override {
    leave_to_destructor();
    const nb::gil_scoped_release release;  // its thread, which is waited for, may drop arrays of Python's
    manager_.end();
  }

  nb::object run(nb::handle inputs, std::uint64_t priority, std::optional<double> timeout) {
    BatchRequest request{.inputs = tensors_in_order(*graph_, inputs), .priority = priority};
    if (timeout) request.deadline = BatchClock::now() + span_of(*timeout, "timeout");
    std::vector<Tensor> outputs;
    {
      const Call call;
      const nb::gil_scoped_release release;
      outputs = answer_to(std::move(request));
      // Parts of a batch keep the whole of it, which the next run wants.
      for (Tensor& output : outputs) {
        Tensor own(output.dtype(), output.shape());
        std::copy_n(output.view().data(), output.view().bytes(), own.mutable_view().data());
        output = std::move(own);
      }
    }
    return arrays_of(*graph_, outputs);
  }
  BatchingStatistics statistics() const { return manager_.statistics(); }

 private:
  void end() override { manager_.end(); }

  // Waits without the GIL, and looks for Ctrl-C: then the request is dropped if it still waits.
  std::vector<Tensor> answer_to(BatchRequest request) {
    constexpr std::chrono::milliseconds kPatience(50);
    std::stop_source left;
    request.stop = left.get_token();
    const auto answer =
        std::make_shared<std::promise<std::vector<Tensor>>>();  // shared: who leaves does not wait for it
    auto outputs = answer->get_future();
    request.done = [answer](std::exception_ptr why, std::vector<Tensor> given, const BatchTimes&) {
      why ? answer->set_exception(std::move(why)) : answer->set_value(std::move(given));
    };
    manager_.submit(std::move(request));
    while (outputs.wait_for(kPatience) != std::future_status::ready) {
      const nb::gil_scoped_acquire acquire;
      if (PyErr_CheckSignals() == 0) continue;
      left.request_stop();
      throw nb::python_error();
    }
    return outputs.get();
  }

  std::shared_ptr<const Graph> graph_;
  InferenceEngine engine_;
  ModelPtr model_;
  BatchingManager manager_;  // ends before what it runs
};

BatchingOptions batching_options(std::vector<std::uint32_t> sizes, double max_delay, std::size_t max_queue,
                                 std::optional<double> slo, int ragged_axis, double max_waste) {
  BatchingOptions options{.sizes = std::move(sizes),
                          .max_delay = std::chrono::round<std::chrono::microseconds>(span_of(max_delay, "max_delay")),
                          .max_queue = max_queue,
                          .slo = std::nullopt,
                          .ragged_axis = ragged_axis,
                          .max_waste = max_waste};
  if (slo) options.slo = std::chrono::duration<double>(*slo);
  return options;
}

void bind_batching(nb::module_& m) {
  nb::class_<BatchingStatistics>(m, "BatchingStatistics", "What became of the requests of a BatchingManager.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("answered", &BatchingStatistics::answered)
      .def_ro("failed", &BatchingStatistics::failed)
      .def_ro("rejected", &BatchingStatistics::rejected, "Refused at once: the queue full, or too late.")
      .def_ro("expired", &BatchingStatistics::expired)
      .def_ro("runs", &BatchingStatistics::runs)
      .def_ro("rows", &BatchingStatistics::rows)
      .def_prop_ro("waste", &BatchingStatistics::waste, "Share of the inputs of all runs that was padding.")
      .def_ro("waiting", &BatchingStatistics::waiting)
      .def_ro("batch_rows", &BatchingStatistics::batch_rows, "Rows that a batch may have at the moment.")
      .def(
          "latency", [](const BatchingStatistics& self, double share) { return self.latency.percentile(share); },
          nb::arg("share"), "Seconds within which this share was answered.");
  nb::class_<BatchOptimizer>(m, "BatchOptimizer", R"(Which requests run together.

>>> from skerry.batching import BatchOptimizer
>>> BatchOptimizer(sizes=[1, 2, 4], max_waste=0.1).choose([100, 12, 98, 13, 95, 99], first=0, most_rows=4)
[0, 2, 4, 5]
)")
      .def(nb::init<std::vector<std::uint32_t>, double>(), nb::kw_only(),
           nb::arg("sizes") = std::vector<std::uint32_t>{1, 4, 16, 32}, nb::arg("max_waste") = 0.1)
      .def(
          "choose",
          [](const BatchOptimizer& self, const std::vector<std::int64_t>& lengths, std::size_t first,
             std::uint32_t most_rows) {
            if (first >= lengths.size())
              throw Error(ErrorCode::out_of_range, "there is no request " + std::to_string(first), "first");
            std::vector<BatchTicket> waiting;
            for (const std::int64_t length : lengths) waiting.push_back({.length = length});
            return self.choose(waiting, first, most_rows);
          },
          nb::arg("lengths"), nb::kw_only(), nb::arg("first"), nb::arg("most_rows"),
          "Places of those that go with lengths[first], by the lengths of requests of one row each.");
  nb::class_<BatchScheduler>(m, "BatchScheduler", R"(Decides when which requests run. It knows no clock: every call says
what time it is, in seconds from any beginning, so that a load can be tried without waiting for it.

>>> from skerry.batching import BatchScheduler
>>> scheduler = BatchScheduler(sizes=[1, 4], max_delay=0.01)
>>> for request in range(3):
...     scheduler.push(request, now=0.001 * request)
>>> scheduler.next(now=0.009)
[]
>>> scheduler.wake_time()
0.01
>>> scheduler.next(now=0.01)
[0]
)")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(
          "__init__",
          [](BatchScheduler* self, std::vector<std::uint32_t> sizes, double max_delay, std::size_t max_queue,
             std::optional<double> slo, int ragged_axis, double max_waste) {
            new (self)
                BatchScheduler(batching_options(std::move(sizes), max_delay, max_queue, slo, ragged_axis, max_waste));
          },
          nb::kw_only(), nb::arg("sizes") = std::vector<std::uint32_t>{1, 4, 16, 32}, nb::arg("max_delay") = 0.0,
          nb::arg("max_queue") = 1024, nb::arg("slo") = nb::none(), nb::arg("ragged_axis") = 0,
          nb::arg("max_waste") = 0.1)
      .def(
          "push",
          [](BatchScheduler& self, std::uint64_t id, double now, std::uint32_t rows, std::int64_t length,
             std::uint64_t priority, std::optional<double> deadline) {
            self.push({.id = id,
                       .rows = rows,
                       .length = length,
                       .priority = priority,
                       .arrived = moment_of(now, "now"),
                       .deadline = deadline ? moment_of(*deadline, "deadline") : BatchClock::time_point::max()},
                      moment_of(now, "now"));
          },
          nb::arg("id"), nb::kw_only(), nb::arg("now"), nb::arg("rows") = 1, nb::arg("length") = 0,
          nb::arg("priority") = 0, nb::arg("deadline") = nb::none(),
          "Raises Unavailable when the queue is full, DeadlineExceeded when the time would be over.")
      .def(
          "next", [](BatchScheduler& self, double now) { return self.next(moment_of(now, "now")); }, nb::kw_only(),
          nb::arg("now"), "Ids that run now; none: nobody has waited long enough.")
      .def(
          "take_late", [](BatchScheduler& self, double now) { return self.take_late(moment_of(now, "now")); },
          nb::kw_only(), nb::arg("now"), "Ids whose deadline is over; they wait no more.")
      .def(
          "wake_time",
          [](const BatchScheduler& self) -> std::optional<double> {
            const auto wake = self.wake_time();
            if (wake == BatchClock::time_point::max()) return std::nullopt;
            return std::chrono::duration<double>(wake.time_since_epoch()).count();
          },
          "When to ask again though nobody comes; None when nobody waits.")
      .def(
          "ran",
          [](BatchScheduler& self, std::uint32_t rows, double seconds) { self.ran(rows, span_of(seconds, "seconds")); },
          nb::arg("rows"), nb::arg("seconds"), "What next() gave has run, and took so long.")
      .def_prop_ro("waiting", &BatchScheduler::waiting)
      .def_prop_ro("rows", &BatchScheduler::rows, "Rows that a batch may have at the moment.");
  nb::class_<PyBatching>(m, "BatchingManager", R"(Runs requests of many threads in batches of one model.

sizes: rows that are run together. max_delay: seconds that a request waits for company at most. slo: seconds within which
answers are wanted; batches grow and shrink with it, and who would miss it is refused. ragged_axis: inputs may differ
along it and are padded with zeros, at most max_waste of a batch. The first batch is run both ways, together and one by
one; a model that mixes its rows is never batched.

>>> import numpy, skerry
>>> from skerry.batching import BatchingManager
>>> g = skerry.GraphBuilder()
>>> g.output(g.add("Relu", [g.input("x", ["N", 2])], name="y"))
>>> batching = BatchingManager(g.build(), max_delay=0.001)
>>> batching.run({"x": numpy.float32([[1, -1]])})
array([[1., 0.]], dtype=float32)
)")
      .def(
          "__init__",
          [](PyBatching* self, const Model& model, std::vector<std::uint32_t> sizes, double max_delay,
             std::size_t max_queue, std::optional<double> slo, int ragged_axis, double max_waste, int threads) {
            if (draws_at_random(*model.graph)) sizes = {1};  // a row's numbers hang on where it stands
            new (self) PyBatching(
                model, batching_options(std::move(sizes), max_delay, max_queue, slo, ragged_axis, max_waste), threads);
          },
          nb::arg("model"), nb::kw_only(), nb::arg("sizes") = std::vector<std::uint32_t>{1, 4, 16, 32},
          nb::arg("max_delay") = 0.0, nb::arg("max_queue") = 1024, nb::arg("slo") = nb::none(),
          nb::arg("ragged_axis") = 0, nb::arg("max_waste") = 0.1, nb::arg("threads") = 0)
      .def("run", &PyBatching::run, nb::arg("inputs").none(), nb::kw_only(), nb::arg("priority") = 0,
           nb::arg("timeout") = nb::none(),
           nb::sig("def run(self, inputs: numpy.typing.ArrayLike | collections.abc.Mapping[str, "
                   "numpy.typing.ArrayLike], *, priority: int = 0, timeout: float | None = None) -> typing.Any"),
           "Waits for the answer, from any thread: an array, or arrays by name. priority: lower goes first. timeout: "
           "seconds. Raises Unavailable, DeadlineExceeded, and what the model raises.")
      .def("statistics", &PyBatching::statistics);
}

}  // namespace

void bind_inference_engine(nb::module_& m) {
  using Release = nb::call_guard<nb::gil_scoped_release>;
  nb::class_<RestReport>(m, "RestReport", "What became of models that nobody used.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("models", &RestReport::models)
      .def_ro("released_bytes", &RestReport::released_bytes)
      .def_ro("compressed_bytes", &RestReport::compressed_bytes);
  nb::class_<EngineModel>(m, "EngineModel", "A model of an InferenceEngine.")
      .def("__repr__", [](nb::handle self) { return described(self, {"name"}); })
      .def_prop_ro("name", &EngineModel::name)
      .def_prop_ro("rests", &EngineModel::rests, Release())
      .def_prop_ro("model", [](EngineModel& self) { return Model{graph_of(self)}; });
  nb::class_<InferenceEngine>(m, "InferenceEngine", "Loads models once and runs them; see OptimizedInferenceEngine.")
      .def("__repr__", [](nb::handle) { return "<InferenceEngine>"; })
      .def(
          "__init__",
          [](InferenceEngine* self, const PyMemoryManager& memory, std::size_t max_buffers, int threads,
             std::optional<double> max_memory_mb, std::optional<double> max_execution_time) {
            new (self) InferenceEngine({.limits = limits_from(threads, max_memory_mb, max_execution_time),
                                        .memory = static_cast<const MemoryManager&>(memory),
                                        .max_buffers = max_buffers});
          },
          nb::arg("memory"), nb::kw_only(), nb::arg("max_buffers") = TensorPool::kMaxBuffers, nb::arg("threads") = 0,
          nb::arg("max_memory_mb") = nb::none(), nb::arg("max_execution_time") = nb::none())
      .def(
          "load_model", [](InferenceEngine& self, const std::filesystem::path& path) { return self.load_model(path); },
          nb::arg("path"), Release(), nb::sig("def load_model(self, path: str | os.PathLike[str]) -> EngineModel"))
      .def(
          "add_model",
          [](InferenceEngine& self, std::string name, const Model& model) {
            return self.add_model(std::move(name), model.graph);
          },
          nb::arg("name"), nb::arg("model"), Release())
      .def("run_inference", run_inference, nb::arg("model"), nb::arg("inputs").none(),
           nb::sig("def run_inference(self, model: EngineModel, inputs: numpy.typing.ArrayLike | "
                   "collections.abc.Mapping[str, numpy.typing.ArrayLike]) -> typing.Any"))
      .def("run_into", run_into, nb::arg("model"), nb::arg("inputs").none(), nb::arg("out").none(),
           nb::sig("def run_into(self, model: EngineModel, inputs: numpy.typing.ArrayLike | "
                   "collections.abc.Mapping[str, numpy.typing.ArrayLike], out: numpy.typing.NDArray[typing.Any]) -> "
                   "None"))
      .def(
          "rest",
          [](InferenceEngine& self, double unused_for) { return self.rest(std::chrono::duration<double>(unused_for)); },
          nb::arg("unused_for") = 0.0, Release())
      .def_prop_ro("pool", [](const InferenceEngine& self) { return self.pool(); });
  bind_batching(m);
}

}  // namespace skerry::python
