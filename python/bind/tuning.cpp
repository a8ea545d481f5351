#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <skerry/batch_math.hpp>
#include <skerry/devices.hpp>
#include <skerry/optimization.hpp>
#include <skerry/profile.hpp>

#include "arrays.hpp"
#include "described.hpp"
#include "model.hpp"
#include "options.hpp"

namespace skerry::python {
namespace {

using namespace nb::literals;

void bind_profile(nb::module_& m) {
  nb::class_<ProfiledStep>(m, "ProfiledStep", "One step with its place under the roofline.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("node", &ProfiledStep::node)
      .def_ro("op", &ProfiledStep::op)
      .def_ro("kernel", &ProfiledStep::kernel)
      .def_ro("output", &ProfiledStep::output)
      .def_ro("seconds", &ProfiledStep::seconds, "Median of the runs.")
      .def_ro("predicted_seconds", &ProfiledStep::predicted_seconds)
      .def_ro("bytes", &ProfiledStep::bytes, "Of the tensors it reads and writes.")
      .def_ro("flops", &ProfiledStep::flops, "By the operator's definition.")
      .def_ro("share_of_peak", &ProfiledStep::share_of_peak, "Of the measured peak in arithmetic.")
      .def_ro("share_of_roof", &ProfiledStep::share_of_roof, "Of what arithmetic or bytes allow, whichever is less.")
      .def_ro("memory_bound", &ProfiledStep::memory_bound);
  nb::class_<Peaks>(m, "Peaks", "What this machine was measured to do with so many threads.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("threads", &Peaks::threads)
      .def_ro("measured", &Peaks::measured)
      .def_ro("flops_per_second", &Peaks::flops_per_second)
      .def_ro("int8_per_second", &Peaks::int8_per_second)
      .def_ro("bytes_per_second", &Peaks::bytes_per_second)
      .def_ro("cached_bytes_per_second", &Peaks::cached_bytes_per_second);
  nb::class_<Profile>(m, "Profile", "A model's steps in order, beside the machine's peaks; printed, it is a table.")
      .def("__repr__",
           [](nb::handle self) {
             return described(self, {"name", "seconds", "flops", "bytes"});
           })
      .def_ro("name", &Profile::name)
      .def_ro("peaks", &Profile::peaks)
      .def_ro("seconds", &Profile::seconds)
      .def_ro("flops", &Profile::flops)
      .def_ro("bytes", &Profile::bytes)
      .def_ro("steps", &Profile::steps)
      .def("html", &Profile::html, "One page that needs nothing else: the table and the roofline.")
      .def("__str__", &Profile::text);
  m.def(
      "profile",
      [](const Model& model, nb::handle inputs, std::size_t runs, int threads) {
        const NamedTensors tensors = named_tensors(inputs);
        const nb::gil_scoped_release release;
        return profile(*model.graph, tensors, limits_from(threads, {}, {}), runs);
      },
      "model"_a, "inputs"_a.none(), nb::kw_only(), "runs"_a = 11, "threads"_a = 0,
      nb::sig("def profile(model: Model, inputs: collections.abc.Mapping[str, numpy.typing.ArrayLike], *, runs: int = "
              "11, threads: int = 0) -> Profile"),
      "Times of a model's steps beside what this machine can do.");
}

void bind_optimization(nb::module_& m) {
  nb::class_<OptimizationChoice>(m, "OptimizationChoice", "How a model is compiled and run.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(
          "__init__",
          [](OptimizationChoice* self, std::string_view level, std::vector<std::string> without, int threads) {
            new (self) OptimizationChoice{level_from_name(level), std::move(without), threads};
          },
          "level"_a = "high", "without"_a = std::vector<std::string>(), "threads"_a = 0)
      .def_prop_ro("level", [](const OptimizationChoice& self) { return level_name(self.level); })
      .def_ro("without", &OptimizationChoice::disabled_passes)
      .def_ro("threads", &OptimizationChoice::threads)
      .def(
          "__eq__",
          [](const OptimizationChoice& a, nb::handle b) {
            return nb::isinstance<OptimizationChoice>(b) && a == nb::cast<const OptimizationChoice&>(b);
          },
          nb::sig("def __eq__(self, other: object, /) -> bool"))
      .def("__str__", &OptimizationChoice::text);
  nb::class_<Proposal>(m, "Proposal", "One thing to try, with the rule that says so and its reason.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("rule", &Proposal::rule)
      .def_ro("reason", &Proposal::reason)
      .def("applied", &Proposal::applied, "choice"_a, "The choice with this on top.");
  nb::class_<OptimizationPolicy>(m, "OptimizationPolicy", "Proposes; may learn from what came of it.")
      .def("propose", &OptimizationPolicy::propose, "features"_a, "In the order in which they should be tried.")
      .def("observe", &OptimizationPolicy::observe, "features"_a, "choice"_a, "seconds"_a, "first_seconds"_a,
           "What such a model took, and what it took at first.");
  nb::class_<RuleBasedPolicy, OptimizationPolicy>(
      m, "RuleBasedPolicy",
      "Rules that people read and edit: `NAME: when FEATURE < NUMBER and ... then ACTION because REASON`, a line each; "
      "actions `threads N`, `level LEVEL`, `without PASS`.")
      .def(nb::init<std::string_view>(), "rules"_a = RuleBasedPolicy::default_rules())
      .def("__str__", &RuleBasedPolicy::text);
  nb::class_<MLBasedPolicy, OptimizationPolicy>(m, "MLBasedPolicy",
                                                "Chooses among candidates by what it saw of models like this one.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(nb::init<std::vector<OptimizationChoice>, std::vector<double>, double>(),
           "candidates"_a = MLBasedPolicy::default_candidates(), "expected"_a = std::vector<double>(),
           "exploration"_a = 0.05,
           nb::sig("def __init__(self, candidates: collections.abc.Sequence[OptimizationChoice] = ..., expected: "
                   "collections.abc.Sequence[float] = ..., exploration: float = 0.05) -> None"))
      .def_prop_ro("candidates", &MLBasedPolicy::candidates)
      .def_prop_ro("observations", &MLBasedPolicy::observations)
      .def("expected_ratios", &MLBasedPolicy::expected_ratios, "features"_a,
           "Expected seconds over seconds at first, by candidate.")
      .def("save", &MLBasedPolicy::save, "What it saw, as text.")
      .def("restore", &MLBasedPolicy::restore, "text"_a);
  nb::class_<OptimizationTrial>(m, "OptimizationTrial", "One thing that was tried.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("proposal", &OptimizationTrial::proposal)
      .def_ro("choice", &OptimizationTrial::choice)
      .def_ro("seconds", &OptimizationTrial::seconds)
      .def_ro("against_seconds", &OptimizationTrial::against_seconds)
      .def_ro("kept", &OptimizationTrial::kept)
      .def_ro("why", &OptimizationTrial::why, "Why not.");
  nb::class_<OptimizedModel>(m, "OptimizedModel", "What was kept, and what was tried; printed, a line for each.")
      .def("__repr__",
           [](nb::handle self) {
             return described(self, {"choice", "first_seconds", "seconds"});
           })
      .def_prop_ro("model", [](const OptimizedModel& self) { return Model{std::make_shared<const Graph>(self.graph)}; })
      .def_ro("choice", &OptimizedModel::choice)
      .def_ro("first_seconds", &OptimizedModel::first_seconds)
      .def_ro("seconds", &OptimizedModel::seconds)
      .def_ro("trials", &OptimizedModel::trials)
      .def("__str__", &OptimizedModel::explain);
  nb::class_<OptimizationManager>(m, "OptimizationManager",
                                  "Tries what a policy proposes, and keeps what answers the same in less time.")
      .def(
          "__init__",
          [](OptimizationManager* self, std::shared_ptr<OptimizationPolicy> policy, const OptimizationChoice& first,
             double least_gain, double tolerance, std::size_t runs) {
            OptimizationOptions options{
                .first = first, .least_gain = least_gain, .tolerance = tolerance, .runs = runs, .measure = {}};
            new (self) OptimizationManager(std::move(policy), std::move(options));
          },
          "policy"_a, nb::kw_only(), "first"_a = OptimizationChoice(), "least_gain"_a = 0.02, "tolerance"_a = 1e-3,
          "runs"_a = 15,
          nb::sig(
              "def __init__(self, policy: OptimizationPolicy, *, first: OptimizationChoice = ..., least_gain: float "
              "= 0.02, tolerance: float = 0.001, runs: int = 15) -> None"))
      .def(
          "optimize",
          [](OptimizationManager& self, const Model& model, nb::handle inputs) {
            const NamedTensors tensors = named_tensors(inputs);
            const nb::gil_scoped_release release;
            return self.optimize(*model.graph, tensors);
          },
          "model"_a, "inputs"_a.none(),
          nb::sig("def optimize(self, model: Model, inputs: collections.abc.Mapping[str, numpy.typing.ArrayLike]) -> "
                  "OptimizedModel"),
          "The model as it was kept.");
  m.def(
      "model_features",
      [](const Model& model, nb::handle inputs) {
        const NamedTensors tensors = named_tensors(inputs);
        std::vector<TensorType> types;
        for (const ValueId id : model.graph->inputs())
          for (const auto& [name, tensor] : tensors)
            if (name == model.graph->value(id).name) types.push_back(TensorType::of(tensor.dtype(), tensor.shape()));
        return model_features(*model.graph, types);
      },
      "model"_a, "inputs"_a.none(),
      nb::sig("def model_features(model: Model, inputs: collections.abc.Mapping[str, numpy.typing.ArrayLike]) -> "
              "dict[str, float]"),
      "What policies look at.");
}

nb::dict device_dict(const DeviceInfo& device) {
  nb::dict out;
  out["id"] = device.id;
  out["kind"] = device.kind;
  out["model"] = device.model;
  out["sockets"] = device.sockets;
  out["cores"] = device.cores;
  out["threads"] = device.threads;
  out["usable_threads"] = device.usable_threads;
  out["cpu_quota"] = nb::cast(device.cpu_quota);
  out["memory_bytes"] = device.memory_bytes;
  out["available_bytes"] = device.available_bytes;
  out["isa"] = device.isa;
  return out;
}

void bind_devices(nb::module_& m) {
  nb::class_<DeviceReservation>(m, "DeviceReservation", "A part of a device until release() or the end of its life.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_prop_ro("device", &DeviceReservation::device)
      .def_prop_ro("tenant", &DeviceReservation::tenant)
      .def_prop_ro("share", &DeviceReservation::share)
      .def_prop_ro("threads", &DeviceReservation::threads)
      .def_prop_ro("memory_bytes", &DeviceReservation::memory_bytes)
      .def("release", &DeviceReservation::release);
  nb::class_<DeviceManager>(m, "DeviceManager", "Finds devices, watches them, and promises no part of one twice.")
      .def("__init__", [](DeviceManager* self) { new (self) DeviceManager(); })
      .def(
          "devices",
          [](const DeviceManager& self) {
            nb::list out;
            for (const DeviceInfo& device : self.devices()) out.append(device_dict(device));
            return out;
          },
          nb::sig("def devices(self) -> list[dict[str, typing.Any]]"), "The CPU first.")
      .def(
          "load",
          [](DeviceManager& self, std::string_view id) {
            const DeviceLoad load = self.load(id);
            nb::dict out;
            out["utilization"] = nb::cast(load.utilization);
            out["used_bytes"] = load.used_bytes;
            out["own_bytes"] = load.own_bytes;
            out["celsius"] = nb::cast(load.celsius);
            return out;
          },
          "device"_a, nb::sig("def load(self, device: str) -> dict[str, typing.Any]"),
          "utilization since it was asked before, used_bytes, own_bytes, celsius.")
      .def("reserve", &DeviceManager::reserve, "device"_a, "tenant"_a, "share"_a, "memory_bytes"_a = 0,
           "Refused where shares would pass 1, or bytes the memory.")
      .def("unreserved_share", &DeviceManager::unreserved_share, "device"_a);
  nb::class_<CPUAccelerator>(m, "CPUAccelerator", "Work on so many threads, on these processors alone.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(nb::init<int, std::vector<int>>(), "threads"_a = 0, "cpus"_a = std::vector<int>())
      .def_prop_ro("threads", &CPUAccelerator::threads)
      .def_prop_ro("cpus", &CPUAccelerator::cpus)
      .def_prop_ro("isa", &CPUAccelerator::isa)
      .def(
          "matmul",
          [](const CPUAccelerator& self, nb::handle a, nb::handle b) {
            const Tensor left = tensor_from_object(a), right = tensor_from_object(b);
            Tensor product;
            {
              const nb::gil_scoped_release release;
              product = self.matmul(left, right);
            }
            return array_from(product, true);
          },
          "a"_a, "b"_a,
          nb::sig("def matmul(self, a: numpy.typing.ArrayLike, b: numpy.typing.ArrayLike) -> "
                  "numpy.typing.NDArray[numpy.float32]"));
}

void bind_batch(nb::module_& m) {
  m.def(
      "process_batch_optimized",
      [](nb::handle x, nb::handle w, nb::handle b, std::string_view activation) {
        const Tensor batch = tensor_from_object(x), weights = tensor_from_object(w);
        const Tensor bias = b.is_none() ? Tensor() : tensor_from_object(b);
        Tensor out;
        {
          const nb::gil_scoped_release release;
          out = process_batch_optimized(batch, weights, bias.view().empty() ? nullptr : &bias, activation);
        }
        return array_from(out, true);
      },
      "batch"_a, "weights"_a, "bias"_a = nb::none(), "activation"_a = "relu",
      nb::sig("def process_batch_optimized(batch: numpy.typing.ArrayLike, weights: numpy.typing.ArrayLike, bias: "
              "numpy.typing.ArrayLike | None = None, activation: str = 'relu') -> numpy.typing.NDArray[numpy.float32]"),
      "activation(normalised batch @ weights + bias) in one go; a constant column counts as zeros.");
  nb::class_<CacheOptimizedProcessor>(m, "CacheOptimizedProcessor", "Products block by block.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(nb::init<std::size_t>(), "block_size"_a = 64)
      .def_prop_ro("block_size", &CacheOptimizedProcessor::block_size)
      .def(
          "blocked_matrix_multiplication",
          [](const CacheOptimizedProcessor& self, nb::handle a, nb::handle b) {
            const Tensor left = tensor_from_object(a), right = tensor_from_object(b);
            Tensor product;
            {
              const nb::gil_scoped_release release;
              product = self.blocked_matrix_multiplication(left, right);
            }
            return array_from(product, true);
          },
          "a"_a, "b"_a,
          nb::sig("def blocked_matrix_multiplication(self, a: numpy.typing.ArrayLike, b: numpy.typing.ArrayLike) -> "
                  "numpy.typing.NDArray[numpy.float32]"),
          "a [m, k] times b [k, n], float32, any extents.")
      .def(
          "tune",
          [](CacheOptimizedProcessor& self, nb::handle a, nb::handle b, const std::vector<std::size_t>& sizes) {
            const Tensor left = tensor_from_object(a), right = tensor_from_object(b);
            const nb::gil_scoped_release release;
            return self.tune(left, right, sizes);
          },
          "a"_a, "b"_a, "sizes"_a = std::vector<std::size_t>{16, 32, 64, 128, 192, 256},
          nb::sig("def tune(self, a: numpy.typing.ArrayLike, b: numpy.typing.ArrayLike, sizes: "
                  "collections.abc.Sequence[int] = (16, 32, 64, 128, 192, 256)) -> int"),
          "The fastest block size of those given, measured; used from now on.")
      .def(
          "cache_friendly_data_layout",
          [](const CacheOptimizedProcessor& self, nb::handle data) {
            return array_from(self.cache_friendly_data_layout(tensor_from_object(data)), true);
          },
          "data"_a,
          nb::sig("def cache_friendly_data_layout(self, data: numpy.typing.ArrayLike) -> "
                  "numpy.typing.NDArray[numpy.float32]"),
          "The elements column by column: [m, n] becomes [n, m].");
}

}  // namespace

void bind_tuning(nb::module_& m) {
  bind_profile(m);
  bind_optimization(m);
  bind_devices(m);
  bind_batch(m);
}

}  // namespace skerry::python
