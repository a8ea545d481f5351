#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bind.hpp"
#include "model.hpp"
#include "steering.hpp"

namespace skerry::python {
namespace {

nb::tuple compile_program(nb::handle program, std::string_view level, std::vector<std::string> disabled,
                          nb::object progress) {
  const Program given = program_of(program);
  Steering steering(std::move(progress));
  const CompileOptions options{
      .level = level_from_name(level), .disabled_passes = std::move(disabled), .control = steering.control()};
  Compiled compiled;
  steering.run(true, [&] { compiled = skerry::compile(given, options); });
  return nb::make_tuple(program_object(std::move(compiled.program)), std::move(compiled.passes));
}

}  // namespace

void bind_compile(nb::module_& m) {
  nb::class_<PassReport>(m, "PassReport", "What one pass did; sizes are instructions of a circuit, nodes of a model.")
      .def_ro("name", &PassReport::name)
      .def_ro("seconds", &PassReport::seconds)
      .def_ro("before", &PassReport::before)
      .def_ro("after", &PassReport::after)
      .def("__repr__", [](const PassReport& self) {
        return "<PassReport " + self.name + ": " + std::to_string(self.before) + " -> " + std::to_string(self.after) +
               ">";
      });
  m.def("compile_program", compile_program, nb::arg("program"), nb::arg("level"), nb::arg("disabled"),
        nb::arg("progress").none(),
        nb::sig("def compile_program(program: Circuit | Model, level: str, disabled: collections.abc.Sequence[str], "
                "progress: "
                "collections.abc.Callable[[float, str], object] | None) -> tuple[Circuit | Model, list[PassReport]]"));
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
