#include "train/discriminator.hpp"

#include <algorithm>
#include <memory>
#include <skerry/compile.hpp>
#include <string>

namespace skerry::train {
namespace {

/// `w1`, `b2`, …
std::string numbered(char letter, std::size_t layer) {
  return std::string(1, letter).append(std::to_string(layer));
}

std::int64_t extent(std::size_t n) {
  return static_cast<std::int64_t>(n);
}

/// Numbers that the caller keeps while a run reads them.
Tensor borrowed(std::span<const double> values, Shape shape) {
  return {TensorView(DType::f64, shape, reinterpret_cast<const std::byte*>(values.data())), nullptr};
}

Tensor scalar(double value) {
  return Tensor::from<double>(std::span(&value, 1), Shape{});
}

}  // namespace

Discriminator::Discriminator(std::vector<std::size_t> widths, std::size_t batch)
    : widths_(std::move(widths)), batch_(batch) {
  std::size_t count = 0;
  for (std::size_t layer = 0; layer < layers(); ++layer) {
    begins_.push_back(count);
    count += widths_[layer + 1] * (widths_[layer] + 1);
  }
  parameters_.assign(count, 0.0);
  const std::vector<std::string> points{"points"};
  sessions_.push_back(session(parameter_names()));
  sessions_.push_back(session(points));
}

std::span<double> Discriminator::weight(std::size_t layer) noexcept {
  return std::span(parameters_).subspan(begins_[layer], widths_[layer + 1] * widths_[layer]);
}

std::vector<std::string> Discriminator::parameter_names() const {
  std::vector<std::string> names;
  for (std::size_t layer = 1; layer <= layers(); ++layer) {
    names.push_back(numbered('w', layer));
    names.push_back(numbered('b', layer));
  }
  return names;
}

Graph Discriminator::loss_graph() const {
  Graph graph;
  graph.name = "discriminator";
  const ValueId sign = graph.add_input("sign", TensorType::of(DType::f64, Shape{}));
  ValueId x = graph.add_input("points", TensorType::of(DType::f64, Shape{extent(batch_), extent(widths_[0])}));
  for (std::size_t layer = 1; layer <= layers(); ++layer) {
    const std::int64_t in = extent(widths_[layer - 1]), out = extent(widths_[layer]);
    Node gemm;
    gemm.op = "Gemm";
    gemm.inputs = {x, graph.add_input(numbered('w', layer), TensorType::of(DType::f64, Shape{out, in})),
                   graph.add_input(numbered('b', layer), TensorType::of(DType::f64, Shape{out}))};
    gemm.set("transB", std::int64_t{1});
    const std::string sum = numbered('h', layer), bent = numbered('a', layer);
    x = graph.node(graph.add_node(std::move(gemm), std::span(&sum, 1))).outputs[0];
    if (layer == layers()) continue;
    Node relu;
    relu.op = "LeakyRelu";
    relu.inputs = {x};
    relu.set("alpha", kSlope);
    x = graph.node(graph.add_node(std::move(relu), std::span(&bent, 1))).outputs[0];
  }
  x = graph.add("Softplus", {graph.add("Mul", {sign, x}, "signed")}, "losses");
  Node mean;
  mean.op = "ReduceMean";
  mean.inputs = {x};
  mean.set("keepdims", std::int64_t{0});
  const std::string loss = "loss";
  graph.mark_output(graph.node(graph.add_node(std::move(mean), std::span(&loss, 1))).outputs[0]);
  return graph;
}

Session Discriminator::session(std::span<const std::string> by) const {
  const Graph graph = loss_graph();
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) types.push_back(graph.value(id).type);
  return Session(std::make_shared<const Graph>(differentiate(graph, types, by)));
}

NamedTensors Discriminator::inputs(double sign, std::span<const double> points) const {
  NamedTensors named{{"sign", scalar(sign)},
                     {"grad:loss", scalar(1)},
                     {"points", borrowed(points, Shape{extent(batch_), extent(widths_[0])})}};
  for (std::size_t layer = 0; layer < layers(); ++layer) {
    const std::size_t in = widths_[layer], out = widths_[layer + 1];
    const std::span<const double> here = std::span(parameters_).subspan(begins_[layer]);
    named.emplace_back(numbered('w', layer + 1), borrowed(here, Shape{extent(out), extent(in)}));
    named.emplace_back(numbered('b', layer + 1), borrowed(here.subspan(out * in), Shape{extent(out)}));
  }
  return named;
}

double Discriminator::by_parameters(double sign, std::span<const double> points, std::span<double> gradient) {
  const Result result = sessions_[0].run(inputs(sign, points));
  double* to = gradient.data();
  for (std::size_t i = 1; i < result.tensors.size(); ++i)
    for (const double value : result.tensors[i].second.as<double>()) *to++ += value;
  return result.tensors[0].second.as<double>()[0];
}

double Discriminator::by_points(double sign, std::span<const double> points, std::span<double> gradient) {
  const Result result = sessions_[1].run(inputs(sign, points));
  std::ranges::copy(result.tensors[1].second.as<double>(), gradient.begin());
  return result.tensors[0].second.as<double>()[0];
}

}  // namespace skerry::train
