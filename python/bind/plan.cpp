#include "plan.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace skerry::python {

void bind_plan(nb::module_& m) {
  nb::class_<Candidate>(m, "Candidate", "A method or kernel that was considered.")
      .def_ro("name", &Candidate::name)
      .def_ro("chosen", &Candidate::chosen)
      .def_ro("reason", &Candidate::reason, "Why it lost or could not; empty for the chosen one.")
      .def_ro("peak_bytes", &Candidate::peak_bytes)
      .def_ro("seconds", &Candidate::seconds)
      .def_ro(
          "error_bound", &Candidate::error_bound,
          "Bound on the distance of the final state from the exact one; None where it is only known with the result.")
      .def("__repr__", [](const Candidate& self) { return "<Candidate " + self.name + ">"; });
  nb::class_<StepReport>(m, "Step", "One step of a model's plan.")
      .def_ro("node", &StepReport::node)
      .def_ro("op", &StepReport::op)
      .def_ro("kernel", &StepReport::kernel)
      .def_ro("output", &StepReport::output, "Types of the outputs, `f32[1,64,112,112]`.")
      .def_ro("seconds", &StepReport::seconds)
      .def_ro("candidates", &StepReport::candidates)
      .def("__repr__", [](const StepReport& self) { return "<Step " + self.node + ": " + self.kernel + ">"; });
  nb::class_<MemoryReport>(m, "Memory", "Where the bytes of a run go; the sum is Plan.peak_bytes.")
      .def_ro("weights", &MemoryReport::weights)
      .def_ro("packed", &MemoryReport::packed)
      .def_ro("arena", &MemoryReport::arena)
      .def_ro("scratch", &MemoryReport::scratch)
      .def_ro("outputs", &MemoryReport::outputs)
      .def_ro("state", &MemoryReport::state);
  nb::class_<PlanAnswer>(m, "Plan", R"(What a run would take and why; nothing has been allocated.

>>> import skerry
>>> plan = skerry.plan(skerry.Circuit(20), state=True)
>>> plan.method, plan.peak_bytes >= 16 * 2**20
('statevector', True)
)")
      .def_ro("kind", &Plan::kind, "`circuit` or `graph`.")
      .def_ro("placement", &Plan::placement)
      .def_ro("method", &Plan::method)
      .def_prop_ro(
          "precision",
          [](const PlanAnswer& self) { return self.precision == Precision::single_precision ? "single" : "double"; })
      .def_ro("threads", &Plan::threads)
      .def_ro("peak_bytes", &Plan::peak_bytes)
      .def_ro("seconds", &Plan::seconds)
      .def_ro("rates_measured", &Plan::rates_measured, "False: the seconds come from fallback rates.")
      .def_ro("candidates", &Plan::candidates)
      .def_ro("steps", &Plan::steps)
      .def_ro("memory", &Plan::memory)
      .def_ro("refusal", &PlanAnswer::refusal, "Why such a run would be refused; empty if it would not.")
      .def(
          "explain", [](const PlanAnswer& self) { return self.explain(); }, "Some lines for people.")
      .def("__str__", [](const PlanAnswer& self) { return self.explain(); })
      .def(
          "_repr_html_", [](nb::handle self) { return nb::module_::import_("skerry.viz").attr("plan_html")(self); },
          nb::sig("def _repr_html_(self) -> str"), "Its table, for notebooks.")
      .def("__repr__", [](const PlanAnswer& self) {
        return "<Plan: " + self.method + ", " + std::to_string(self.peak_bytes) + " bytes, " +
               std::to_string(self.seconds) + " s>";
      });
}

}  // namespace skerry::python
