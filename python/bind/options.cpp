#include "options.hpp"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <memory>

#include "arrays.hpp"
#include "described.hpp"

namespace skerry::python {

Precision precision_from_name(std::string_view name) {
  if (name == "single") return Precision::single_precision;
  if (name == "double") return Precision::double_precision;
  throw Error(ErrorCode::invalid_argument, "precision is '" + std::string(name) + "'", "precision",
              "use single or double");
}

Limits limits_from(int threads, std::optional<double> max_memory_mb, std::optional<double> max_execution_time) {
  Limits limits;
  limits.threads = threads;
  if (max_memory_mb) {
    // Up to 2^63 bytes: more than any machine has, and exact to convert.
    if (!(*max_memory_mb >= 0.0 && *max_memory_mb < 9.2e12)) {
      throw Error(ErrorCode::invalid_argument, "max_memory_mb is not a number from 0 to 9.2e12", "max_memory_mb");
    }
    limits.max_memory_bytes = static_cast<std::uint64_t>(*max_memory_mb * 1e6);
  }
  if (max_execution_time) limits.max_execution_time = std::chrono::duration<double>(*max_execution_time);
  return limits;
}

namespace {

void set_limits(RunOptions& options, int threads, std::optional<double> max_memory_mb,
                std::optional<double> max_execution_time) {
  options.limits = limits_from(threads, max_memory_mb, max_execution_time);
}

void set_wires(RunOptions& options, std::vector<std::uint32_t> wires) {
  options.want_probabilities = true;
  options.probability_wires = std::move(wires);
}

}  // namespace

void bind_options(nb::module_& m) {
  nb::class_<RunOptions>(m, "RunOptions", "What is wanted of a circuit; skerry.run() fills it in.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(nb::init<>())
      .def("set_limits", set_limits, nb::arg("threads"), nb::arg("max_memory_mb").none(),
           nb::arg("max_execution_time").none())
      .def("set_precision",
           [](RunOptions& options, std::string_view name) { options.precision = precision_from_name(name); })
      .def("set_initial_state",
           [](RunOptions& options, nb::handle array) { options.initial_state = tensor_from_object(array); })
      .def("set_noise",
           [](RunOptions& options, const NoiseModel& noise) {
             options.noise = std::make_shared<const NoiseModel>(noise);  // shared: see RunOptions
           })
      .def("ask_density",
           [](RunOptions& options, std::vector<std::uint32_t> wires) {
             options.want_density = true;
             options.density_wires = std::move(wires);
           })
      .def("set_disk",
           [](RunOptions& options, const std::string& folder, bool checkpoint) {
             options.limits.disk_folder = folder;
             options.limits.checkpoint = checkpoint;
           })
      .def("ask_probabilities", set_wires)
      .def_rw("shots", &RunOptions::shots)
      .def_rw("seed", &RunOptions::seed)
      .def_rw("method", &RunOptions::method)
      .def_rw("parameters", &RunOptions::parameters)
      .def_rw("named_parameters", &RunOptions::named_parameters)
      .def_rw("observables", &RunOptions::observables)
      .def_rw("amplitudes", &RunOptions::amplitudes)
      .def_rw("want_state", &RunOptions::want_state)
      .def_ro("want_density", &RunOptions::want_density)
      .def_ro("want_probabilities", &RunOptions::want_probabilities)
      .def_rw("want_memory", &RunOptions::want_memory)
      .def_rw("max_bond_dimension", &RunOptions::max_bond_dimension)
      .def_rw("cutoff", &RunOptions::cutoff)
      .def_rw("truncation_threshold", &RunOptions::truncation_threshold)
      .def("copy", [](const RunOptions& options) { return options; });
}

}  // namespace skerry::python
