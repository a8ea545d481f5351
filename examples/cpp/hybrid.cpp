// Lesson 3: a hybrid; a dense layer gives the angles of a circuit, whose expectations a second dense layer reads.
#include <array>
#include <cmath>
#include <cstdio>
#include <skerry/skerry.hpp>

int main() try {
  // Two qubits, one angle each, entangled; <Z0> = cos(a), <Z1> = cos(a) cos(b).
  skerry::Circuit circuit(2);
  const auto a = circuit.parameter("a"), b = circuit.parameter("b");
  circuit.rx(a, 0).rx(b, 1).cx(0, 1);
  const std::vector<skerry::Observable> observables = {skerry::Observable::parse("Z0", 2),
                                                       skerry::Observable::parse("Z1", 2)};

  skerry::Graph graph;
  graph.name = "hybrid";
  const auto constant = [&graph](std::string name, std::span<const float> values, skerry::Shape shape) {
    return graph.add_constant(std::move(name), skerry::Tensor::from(values, shape));
  };
  const std::array<float, 4> to_angles = {1, 0, 0, 2}, to_scores = {1, 1, 1, -1};
  const auto x = graph.add_input("x", {skerry::DType::f32, std::vector<skerry::Dim>{std::string("N"), 2}});
  const auto angles = graph.add("MatMul", {x, constant("w1", to_angles, {2, 2})}, "angles");
  const auto values = skerry::add_circuit(graph, circuit, angles, observables, "values");
  graph.mark_output(graph.add("MatMul", {values, constant("w2", to_scores, {2, 2})}, "scores"));

  const std::array<float, 6> rows = {0.1F, 0.2F, 1.0F, 0.5F, -0.3F, 2.0F};
  const auto result = skerry::run(graph, {{"x", skerry::Tensor::from<float>(rows, {3, 2})}});
  const auto scores = result.tensors[0].second.as<float>();
  for (std::size_t row = 0; row < 3; ++row) {
    const double z0 = std::cos(rows[2 * row]), z1 = z0 * std::cos(2 * rows[2 * row + 1]);
    std::printf("scores %9.6f %9.6f   expected %9.6f %9.6f\n", scores[2 * row], scores[2 * row + 1], z0 + z1, z0 - z1);
    if (std::abs(scores[2 * row] - (z0 + z1)) > 1e-5 || std::abs(scores[2 * row + 1] - (z0 - z1)) > 1e-5) return 1;
  }
  return 0;
} catch (const skerry::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return skerry::error_info(error.code()).exit_code;
}
