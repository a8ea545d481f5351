#include "session.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "arrays.hpp"
#include "data.hpp"
#include "described.hpp"
#include "known_run.hpp"
#include "options.hpp"
#include "plan.hpp"
#include "result.hpp"
#include "steering.hpp"

namespace skerry::python {
namespace {

// Predicted longer than this, a run gets a thread of its own, so that Ctrl-C is obeyed.
constexpr double kLongSeconds = 0.05;

std::vector<TensorType> types_in_order(const Graph& graph, const NamedTensors& inputs) {
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) {
    for (const auto& [name, tensor] : inputs) {
      if (name == graph.value(id).name) types.push_back(TensorType::of(tensor.dtype(), tensor.shape()));
    }
  }
  return types;
}

std::vector<TensorType> types_of_data(const Graph& graph, const NamedData& inputs) {
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) {
    const Value& value = graph.value(id);
    const auto given = std::ranges::find(inputs, value.name, &std::pair<std::string, Datum>::first);
    types.push_back(given == inputs.end() ? value.type : type_of(given->second, value.type));
  }
  return types;
}

// A session of the door. What a run obeys is that run's alone.
class PySession {
 public:
  /// What it is made from, and what a pickle keeps: model, threads, max_memory_mb, max_execution_time, seed.
  using Settings = std::tuple<Model, int, std::optional<double>, std::optional<double>, std::uint64_t>;
  explicit PySession(Settings settings)
      : settings_(std::move(settings)),
        session_(model().graph, limits_from(std::get<1>(settings_), std::get<2>(settings_), std::get<3>(settings_))) {}
  const Settings& settings() const { return settings_; }

  RunResult run(nb::handle inputs, const nb::object& progress, std::optional<std::uint64_t> seed) {
    const NamedTensors tensors = named_tensors(inputs);
    RunResult result;
    Steering steering(progress);
    const RunControl control = steering.control();
    auto busy = lock();
    session_.seed(seed.value_or(std::get<4>(settings_)));
    const bool may_be_long = predicted(tensors) > kLongSeconds;
    auto work = [&] { result.result = session_.run(tensors, control); };
    steering.run(may_be_long, std::ref(work));  // by reference: a copy would need memory of its own
    if (may_be_long || std::exchange(learnt_, true)) return result;
    const auto in = types_in_order(*model().graph, tensors), out = session_.output_types(in);
    busy.unlock();
    again_ = KnownRun::of(*model().graph, in, out);
    return result;
  }

  /// The outputs of a short run like the one before, which nobody listens to; nothing where it is another.
  std::optional<nb::dict> run_again(nb::handle inputs, std::optional<std::uint64_t> seed) {
    const auto known = again_;  // Python's code may come in between and have it replaced
    if (known == nullptr) return std::nullopt;
    auto work = [&](std::span<const TensorView> read, std::span<const MutableTensorView> written) {
      const auto busy = lock();
      session_.seed(seed.value_or(std::get<4>(settings_)));
      const nb::gil_scoped_release release;
      session_.run_into(read, written);
    };
    return known->run(
        inputs, [](void* f, auto read, auto written) { (*static_cast<decltype(work)*>(f))(read, written); }, &work);
  }

  /// The same where values are sequences, optionals, maps or strings too. How long it takes is not predicted.
  NamedData run_data(nb::handle inputs, const nb::object& progress, std::optional<std::uint64_t> seed) {
    const NamedData data = named_data(*model().graph, inputs);
    DataResult result;
    Steering steering(progress);
    const RunControl control = steering.control();
    const auto busy = lock();
    session_.seed(seed.value_or(std::get<4>(settings_)));
    steering.run(true, [&] { result = session_.run_data(data, control); });
    return std::move(result.outputs);
  }

  PlanAnswer plan(nb::handle inputs) {
    const bool data = takes_data(*model().graph);
    const std::vector<TensorType> types = data ? types_of_data(*model().graph, named_data(*model().graph, inputs))
                                               : types_in_order(*model().graph, named_tensors(inputs));
    const auto busy = lock();
    const nb::gil_scoped_release release;
    return {session_.plan(types), ""};
  }

  std::vector<StepTime> profile(nb::handle inputs, std::size_t runs) {
    const NamedTensors tensors = named_tensors(inputs);
    const auto busy = lock();
    const nb::gil_scoped_release release;
    return session_.profile(tensors, runs);
  }

  const Model& model() const { return std::get<0>(settings_); }

 private:
  // Whoever waits for the session does so without the GIL, which the one who has it may need.
  std::unique_lock<std::mutex> lock() {
    std::unique_lock<std::mutex> at_once(mutex_, std::try_to_lock);
    if (at_once.owns_lock()) return at_once;
    const nb::gil_scoped_release release;
    return std::unique_lock(mutex_);
  }

  // Of inputs like those of the run before, it is known.
  double predicted(const NamedTensors& tensors) {
    const auto like = [](const TensorView& a, const Tensor& b) {
      return a.dtype() == b.dtype() && a.shape() == b.shape();
    };
    bool known = tensors.size() == last_.size();
    for (std::size_t i = 0; known && i < tensors.size(); ++i)
      known = tensors[i].first == last_[i].first && like(last_[i].second, tensors[i].second);
    if (known) return last_seconds_;
    last_.clear();
    again_ = nullptr;
    learnt_ = false;
    last_seconds_ = predicted_seconds(tensors);
    for (const auto& [name, tensor] : tensors)
      last_.emplace_back(name, TensorView(tensor.dtype(), tensor.shape(), nullptr));
    return last_seconds_;
  }

  // Inputs that the model does not take are refused by run(), which knows how to say it.
  double predicted_seconds(const NamedTensors& tensors) {
    const nb::gil_scoped_release release;
    const auto types = types_in_order(*model().graph, tensors);
    if (types.size() != model().graph->inputs().size()) return 0.0;
    return session_.plan(types).seconds;
  }

  Settings settings_;
  Session session_;  // of the mutex
  std::mutex mutex_;
  std::vector<std::pair<std::string, TensorView>> last_;  ///< types of the inputs that were predicted last
  double last_seconds_ = 0.0;
  std::shared_ptr<const KnownRun> again_;  ///< with such inputs; shared: a run keeps the one it began with
  bool learnt_ = false;                    ///< whether again_ was asked for, whatever became of it
};

nb::dict run_for_outputs(PySession& self, nb::handle inputs, const nb::object& progress,
                         std::optional<std::uint64_t> seed) {
  if (progress.is_none()) {
    if (auto outputs = self.run_again(inputs, seed)) return std::move(*outputs);
  }
  nb::dict outputs;
  if (takes_data(*self.model().graph)) {
    for (const auto& [name, datum] : self.run_data(inputs, progress, seed))
      outputs[nb::str(name.c_str())] = object_from(datum);
    return outputs;
  }
  const RunResult result = self.run(inputs, progress, seed);
  for (const auto& [name, tensor] : result.result.tensors) outputs[nb::str(name.c_str())] = array_from(tensor, true);
  return outputs;
}

}  // namespace

nb::object make_session(const Model& model, int threads, std::string_view precision,
                        std::optional<double> max_memory_mb, std::optional<double> max_execution_time,
                        std::uint64_t seed) {
  if (precision != "fp32") {
    throw Error(ErrorCode::unsupported, "precision '" + std::string(precision) + "' of a model", "precision",
                "use fp32: a model computes in the types that it was written with");
  }
  return nb::cast(new PySession({model, threads, max_memory_mb, max_execution_time, seed}),
                  nb::rv_policy::take_ownership);
}

void bind_session(nb::module_& m) {
  nb::class_<StepTime>(m, "StepTime", "One step of a model as it was measured, beside what the plan predicted.")
      .def_ro("node", &StepTime::node)
      .def_ro("op", &StepTime::op)
      .def_ro("kernel", &StepTime::kernel)
      .def_ro("output", &StepTime::output, "Types of the outputs, `f32[1,64,112,112]`.")
      .def_ro("seconds", &StepTime::seconds, "Median of the runs.")
      .def_ro("predicted_seconds", &StepTime::predicted_seconds)
      .def_ro("bytes", &StepTime::bytes, "Of the tensors it reads and writes.")
      .def("__repr__", [](const StepTime& self) { return "<StepTime " + self.node + ": " + self.kernel + ">"; });
  nb::class_<PySession>(m, "Session",
                        "A model that is ready to run many times: plans and buffers are kept for the last few input "
                        "shapes. Made by Model.session(). Threads may share one; they take turns.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def("run", run_for_outputs, nb::arg("inputs").none(), nb::arg("progress") = nb::none(), nb::kw_only(),
           nb::arg("seed") = nb::none(),
           nb::sig("def run(self, inputs: collections.abc.Mapping[str, typing.Any], progress: "
                   "collections.abc.Callable[[float, str], object] | None = "
                   "None, *, seed: int | None = None) -> dict[str, typing.Any]"),
           "inputs: array by input name; dense ones are read in place. Gives the outputs by name, each a new array. A "
           "sequence is a list, an optional None or what it holds, a map a dict, a tensor of strings an array of "
           "object. seed: what operators draw from that name none themselves; None: the session's. The same seed and "
           "inputs "
           "give the same outputs.")
      .def("run_with_report", &PySession::run, nb::arg("inputs").none(), nb::arg("progress") = nb::none(),
           nb::kw_only(), nb::arg("seed") = nb::none(),
           nb::sig("def run_with_report(self, inputs: collections.abc.Mapping[str, numpy.typing.ArrayLike], progress: "
                   "collections.abc.Callable[[float, str], "
                   "object] | None = None, *, seed: int | None = None) -> RunResult"),
           "The same with what the run took.")
      .def("plan", &PySession::plan, nb::arg("inputs").none(),
           nb::sig("def plan(self, inputs: collections.abc.Mapping[str, numpy.typing.ArrayLike]) -> Plan"),
           "What such a run would take.")
      .def("profile", &PySession::profile, nb::arg("inputs").none(), nb::kw_only(), nb::arg("runs") = 11,
           nb::sig("def profile(self, inputs: collections.abc.Mapping[str, numpy.typing.ArrayLike], *, runs: int = 11) "
                   "-> list[StepTime]"),
           "Times of the steps that do work, in order: medians over so many runs after one that warms up.")
      .def("__getstate__", &PySession::settings)
      .def("__setstate__",
           [](PySession& self, PySession::Settings settings) { new (&self) PySession(std::move(settings)); })
      .def_prop_ro("model", &PySession::model);
}

}  // namespace skerry::python
