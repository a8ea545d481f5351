/// \file
/// What the files of the extension module tell each other: one bind function per file.
#pragma once

#include <nanobind/nanobind.h>

#include <skerry/skerry.hpp>

namespace skerry::python {

namespace nb = nanobind;

void bind_errors(nb::module_& m);
void bind_config(nb::module_& m);
void bind_expression(nb::module_& m);
void bind_observable(nb::module_& m);
void bind_circuit(nb::module_& m);
void bind_circuit_parts(nb::module_& m);
void bind_gates(nb::class_<Circuit>& circuit);
void bind_state(nb::module_& m);
void bind_result(nb::module_& m);
void bind_plan(nb::module_& m);
void bind_model(nb::module_& m);
void bind_graph_builder(nb::module_& m);
void bind_session(nb::module_& m);
void bind_noise(nb::module_& m);
void bind_options(nb::module_& m);
void bind_gradient(nb::module_& m);
void bind_run(nb::module_& m);
void bind_compile(nb::module_& m);
void bind_compression(nb::module_& m);
void bind_package(nb::module_& m);
void bind_edge(nb::module_& m);
void bind_engine(nb::module_& m);
void bind_tuning(nb::module_& m);
void bind_stabilizer(nb::module_& m);
void bind_photonic(nb::module_& m);
void bind_generator(nb::module_& m);
void bind_gaussian(nb::module_& m);
void bind_fock_state(nb::module_& m);
void bind_memory(nb::module_& m);
void bind_inference_engine(nb::module_& m);
void bind_profiling(nb::module_& m);

}  // namespace skerry::python
