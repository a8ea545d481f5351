#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <utility>

#include "bind.hpp"
#include "plan.hpp"
#include "result.hpp"
#include "steering.hpp"

namespace skerry::python {
namespace {

// Below this many amplitude updates a run takes milliseconds; it is done in place, without a thread to watch over it.
constexpr double kSmallWork = 1 << 20;

// No prediction, only a bound from above that costs nothing to know; loops may run for ever.
bool may_be_long(const Circuit& circuit, const RunOptions& options) {
  if (circuit.num_wires() > 16 || options.noise || options.want_density) return true;
  double instructions = 1.0;
  for (const Block& block : circuit.blocks()) instructions += static_cast<double>(block.size());
  for (const Observable& observable : options.observables)
    instructions += static_cast<double>(observable.terms().size());
  const bool loops = !circuit.branches().empty();
  const double work = std::ldexp(instructions, static_cast<int>(circuit.num_wires()));
  return loops || work * (1.0 + static_cast<double>(options.shots)) > kSmallWork;
}

RunResult run_circuit(const Circuit& circuit, const RunOptions& given, nb::object progress) {
  Steering steering(std::move(progress));
  RunOptions options = given;
  options.limits.control = steering.control();
  RunResult result;
  steering.run(may_be_long(circuit, options), [&] { result.result = skerry::run(circuit, options); });
  return result;
}

PlanAnswer plan_circuit(const Circuit& circuit, const RunOptions& options) {
  const nb::gil_scoped_release release;
  PlanAnswer answer;
  static_cast<Plan&>(answer) = skerry::plan(circuit, options, &answer.refusal);
  return answer;
}

}  // namespace

void bind_run(nb::module_& m) {
  m.def("run_circuit", run_circuit, nb::arg("circuit"), nb::arg("options"), nb::arg("progress").none(),
        nb::sig("def run_circuit(circuit: Circuit, options: RunOptions, progress: collections.abc.Callable[[float, "
                "str], object] | "
                "None) -> RunResult"));
  m.def("parameter_values", skerry::parameter_values, nb::arg("circuit"), nb::arg("options"),
        "The options' parameters in order of declaration.");
  m.def("plan_circuit", plan_circuit, nb::arg("circuit"), nb::arg("options"));
}

}  // namespace skerry::python
