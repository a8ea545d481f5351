#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <numeric>
#include <skerry/fault_tolerance.hpp>
#include <skerry/lint.hpp>
#include <skerry/schedule.hpp>

#include "archive.hpp"
#include "bind.hpp"
#include "model.hpp"
#include "steering.hpp"

namespace skerry::python {

/// Of a pickle.
template <class Archive>
void fields(Archive& archive, PassReport& report) {
  archive(report.name, report.seconds, report.before, report.after);
}

namespace {

nb::tuple compile_program(nb::handle program, std::string_view level, std::vector<std::string> disabled,
                          nb::object progress, bool outcomes_only, bool reuse_qubits) {
  const Program given = program_of(program);
  Steering steering(std::move(progress));
  const CompileOptions options{.level = level_from_name(level),
                               .disabled_passes = std::move(disabled),
                               .outcomes_only = outcomes_only,
                               .reuse_qubits = reuse_qubits,
                               .control = steering.control()};
  Compiled compiled;
  steering.run(true, [&] { compiled = skerry::compile(given, options); });
  return nb::make_tuple(program_object(std::move(compiled.program)), std::move(compiled.passes));
}

nb::dict estimate_dict(const Estimate& found) {
  nb::dict counts;
  for (const auto& [name, count] : found.counts) counts[name.c_str()] = count;
  nb::dict out;
  out["width"] = found.width;
  out["depth"] = found.depth;
  out["two_wire_depth"] = found.two_wire_depth;
  out["gate_count"] = found.gates;
  out["counts"] = counts;
  out["estimated_time"] = found.duration_seconds;
  out["success_probability"] = found.success_probability;
  return out;
}

nb::tuple compile_for_target(const Circuit& circuit, std::string_view target, std::string_view level,
                             std::vector<std::string> disabled, std::uint64_t seed, double error_budget,
                             double time_budget) {
  CompileOptions options{.level = level_from_name(level),
                         .disabled_passes = std::move(disabled),
                         .target = read_target(target),
                         .seed = seed,
                         .error_budget = error_budget,
                         .time_budget_seconds = time_budget};
  Steering steering{nb::none()};
  options.control = steering.control();
  Compiled compiled;
  // What is over before anybody could press a key needs no thread of its own, which takes longer than a small circuit.
  constexpr std::size_t kShort = 20'000;
  std::size_t work = 1;
  for (const Block& block : circuit.blocks()) work += block.size();
  work *= options.level == Level::low ? 1 : options.level == Level::medium ? 10 : 100;
  steering.run(work > kShort, [&] { compiled = skerry::compile(circuit, options); });
  return nb::make_tuple(std::get<Circuit>(std::move(compiled.program)), std::move(compiled.passes),
                        std::move(compiled.mapping->initial), std::move(compiled.mapping->final),
                        compiled.mapping->spent_error);
}

nb::tuple verify(const Circuit& a, const Circuit& b, std::vector<Wire> initial, std::vector<Wire> final,
                 double spent_error) {
  Mapping mapping{.initial = std::move(initial), .final = std::move(final), .spent_error = spent_error};
  if (mapping.initial.empty()) {
    mapping.initial.resize(a.num_wires());
    std::iota(mapping.initial.begin(), mapping.initial.end(), 0U);
    mapping.final = mapping.initial;
  }
  const Equivalence found = verify_equal(a, b, &mapping);
  return nb::make_tuple(answer_name(found.answer), found.reason);
}

}  // namespace

void bind_compile(nb::module_& m) {
  nb::class_<PassReport> report(m, "PassReport",
                                "What one pass did; sizes are instructions of a circuit, nodes of a model.");
  bind_pickle(report);
  report.def_ro("name", &PassReport::name)
      .def_ro("seconds", &PassReport::seconds)
      .def_ro("before", &PassReport::before)
      .def_ro("after", &PassReport::after)
      .def("__repr__", [](const PassReport& self) {
        return "<PassReport " + self.name + ": " + std::to_string(self.before) + " -> " + std::to_string(self.after) +
               ">";
      });
  m.def("compile_program", compile_program, nb::arg("program"), nb::arg("level"), nb::arg("disabled"),
        nb::arg("progress").none(), nb::arg("outcomes_only"), nb::arg("reuse_qubits"),
        nb::sig("def compile_program(program: Circuit | Model, level: str, disabled: collections.abc.Sequence[str], "
                "progress: "
                "collections.abc.Callable[[float, str], object] | None, outcomes_only: bool, reuse_qubits: bool) -> "
                "tuple[Circuit | Model, list[PassReport]]"));
  m.def("compile_for_target", compile_for_target, nb::arg("circuit"), nb::arg("target"), nb::arg("level"),
        nb::arg("disabled"), nb::arg("seed"), nb::arg("error_budget"), nb::arg("time_budget"),
        nb::sig("def compile_for_target(circuit: Circuit, target: str, level: str, disabled: "
                "collections.abc.Sequence[str], seed: int, error_budget: float, time_budget: float) -> tuple[Circuit, "
                "list[PassReport], "
                "list[int], list[int], float]"));
  m.def(
      "estimate",
      [](const Circuit& circuit, std::string_view target) {
        return estimate_dict(skerry::estimate(circuit, read_target(target)));
      },
      nb::arg("circuit"), nb::arg("target"),
      nb::sig("def estimate(circuit: Circuit, target: str) -> dict[str, typing.Any]"));
  m.def("write_clifford_t", &skerry::write_clifford_t, nb::arg("circuit"));
  m.def(
      "surface_code",
      [](const Circuit& circuit, double physical_error, double cycle_seconds, double error_budget) {
        const NonClifford count = count_non_clifford(circuit);
        const SurfaceCode found = estimate_surface_code(circuit, {physical_error, cycle_seconds, error_budget});
        nb::dict out;
        out["t_count"] = count.t;
        out["rotations"] = count.rotations;
        out["t_states"] = found.t_states;
        out["distance"] = found.distance;
        out["tiles"] = found.tiles;
        out["physical_qubits"] = found.physical_qubits;
        out["seconds"] = found.seconds;
        out["error"] = found.error;
        return out;
      },
      nb::arg("circuit"), nb::arg("physical_error"), nb::arg("cycle_seconds"), nb::arg("error_budget"),
      nb::sig("def surface_code(circuit: Circuit, physical_error: float, cycle_seconds: float, error_budget: float) -> "
              "dict[str, typing.Any]"));
  m.def(
      "lint",
      [](const Circuit& circuit) {
        nb::list out;
        for (const Finding& found : skerry::lint(circuit)) {
          out.append(nb::make_tuple(found.name, found.message, found.hint, found.where));
        }
        return out;
      },
      nb::arg("circuit"), nb::sig("def lint(circuit: Circuit) -> list[tuple[str, str, str, str]]"));
  m.def(
      "schedule",
      [](const Circuit& circuit, std::string_view target, std::string_view alignment, std::string_view decoupling) {
        Schedule made =
            schedule(circuit, read_target(target), {alignment_from_name(alignment), decoupling_from_name(decoupling)});
        return nb::make_tuple(std::move(made.circuit), made.idle_seconds, made.pulses);
      },
      nb::arg("circuit"), nb::arg("target"), nb::arg("alignment"), nb::arg("decoupling"),
      nb::sig("def schedule(circuit: Circuit, target: str, alignment: str, decoupling: str) -> tuple[Circuit, float, "
              "int]"));
  m.def(
      "gate_duration",
      [](std::string_view target, std::string_view gate, const std::vector<Wire>& wires) {
        return read_target(target).duration_seconds(gate, wires);
      },
      nb::arg("target"), nb::arg("gate"), nb::arg("qubits"));
  m.def(
      "check_map", [](const Circuit& circuit, std::string_view target) { check_map(circuit, read_target(target)); },
      nb::arg("circuit"), nb::arg("target"));
  m.def("verify_equal", verify, nb::arg("a"), nb::arg("b"), nb::arg("initial"), nb::arg("final"),
        nb::arg("spent_error"),
        nb::sig("def verify_equal(a: Circuit, b: Circuit, initial: collections.abc.Sequence[int], final: "
                "collections.abc.Sequence[int], spent_error: float) -> tuple[str, str]"));
  m.def(
      "emit_text", [](const Circuit& circuit, std::string_view format) { return skerry::emit_text(circuit, format); },
      nb::arg("circuit"), nb::arg("format"));
  m.def(
      "pipeline",
      [](std::string_view kind, std::string_view level) {
        std::vector<std::string> names;
        for (const std::string_view name : skerry::pipeline(kind, level_from_name(level))) names.emplace_back(name);
        return names;
      },
      nb::arg("kind"), nb::arg("level"), "Names of the passes of a level in order; kind: `circuit` or `graph`.");
}

}  // namespace skerry::python
