#include "plan.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "archive.hpp"
#include "described.hpp"

namespace skerry::python {

template <class Archive>
void fields(Archive& archive, Candidate& c) {
  archive(c.name, c.chosen, c.reason, c.peak_bytes, c.seconds, c.may_approximate, c.error_bound);
}

template <class Archive>
void fields(Archive& archive, StepReport& s) {
  archive(s.node, s.op, s.kernel, s.output, s.seconds, s.candidates);
}

template <class Archive>
void fields(Archive& archive, MemoryReport& m) {
  archive(m.weights, m.packed, m.arena, m.scratch, m.outputs, m.state);
}

/// Of a pickle.
template <class Archive>
void fields(Archive& archive, PlanAnswer& p) {
  std::uint32_t version = 1;
  archive(version);
  if (version != 1) throw Error(ErrorCode::version_too_new, "a pickle of another version of Skerry", "<pickle>");
  bool is_single = p.precision == Precision::single_precision;
  archive(p.kind, p.placement, p.method, is_single, p.threads, p.peak_bytes, p.seconds, p.rates_measured);
  archive(p.max_memory_bytes, p.max_seconds, p.candidates, p.steps, p.memory, p.refusal);
  p.precision = is_single ? Precision::single_precision : Precision::double_precision;
}

void bind_plan(nb::module_& m) {
  nb::class_<Candidate> candidate(m, "Candidate", "A method or kernel that was considered.");
  bind_pickle(candidate);
  candidate.def_ro("name", &Candidate::name)
      .def_ro("chosen", &Candidate::chosen)
      .def_ro("reason", &Candidate::reason, "Why it lost or could not; empty for the chosen one.")
      .def_ro("peak_bytes", &Candidate::peak_bytes)
      .def_ro("seconds", &Candidate::seconds)
      .def_ro(
          "error_bound", &Candidate::error_bound,
          "Bound on the distance of the final state from the exact one; None where it is only known with the result.")
      .def("__repr__", [](const Candidate& self) { return "<Candidate " + self.name + ">"; });
  nb::class_<StepReport> step(m, "Step", "One step of a model's plan.");
  bind_pickle(step);
  step.def_ro("node", &StepReport::node)
      .def_ro("op", &StepReport::op)
      .def_ro("kernel", &StepReport::kernel)
      .def_ro("output", &StepReport::output, "Types of the outputs, `f32[1,64,112,112]`.")
      .def_ro("seconds", &StepReport::seconds)
      .def_ro("candidates", &StepReport::candidates)
      .def("__repr__", [](const StepReport& self) { return "<Step " + self.node + ": " + self.kernel + ">"; });
  nb::class_<MemoryReport>(m, "Memory", "Where the bytes of a run go; the sum is Plan.peak_bytes.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def_ro("weights", &MemoryReport::weights)
      .def_ro("packed", &MemoryReport::packed)
      .def_ro("arena", &MemoryReport::arena)
      .def_ro("scratch", &MemoryReport::scratch)
      .def_ro("outputs", &MemoryReport::outputs)
      .def_ro("state", &MemoryReport::state);
  nb::class_<PlanAnswer> c(m, "Plan", R"(What a run would take and why; nothing has been allocated.

>>> import skerry
>>> plan = skerry.plan(skerry.Circuit(20), state=True)
>>> plan.method, plan.peak_bytes >= 16 * 2**20
('statevector', True)
)");
  bind_pickle(c);
  c.def_ro("kind", &Plan::kind, "`circuit` or `graph`.")
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
