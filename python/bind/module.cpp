#include "bind.hpp"

NB_MODULE(_core, m) {
  using namespace skerry::python;
  m.doc() = "Skerry's native part. Use the package `skerry`, which re-exports what is meant for people.";
  bind_errors(m);
  bind_config(m);
  bind_expression(m);
  bind_observable(m);
  bind_circuit(m);
  bind_circuit_parts(m);
  bind_state(m);
  bind_plan(m);
  bind_result(m);
  bind_model(m);
  bind_graph_builder(m);
  bind_noise(m);
  bind_options(m);
  bind_session(m);
  bind_gradient(m);
  bind_run(m);
  bind_compile(m);
  bind_compression(m);
  bind_package(m);
  bind_edge(m);
  bind_engine(m);
  bind_tuning(m);
  bind_stabilizer(m);
  bind_photonic(m);
  bind_generator(m);
  bind_gaussian(m);
  bind_fock_state(m);
  bind_memory(m);
  bind_inference_engine(m);
  bind_profiling(m);
}
