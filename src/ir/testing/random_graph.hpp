/// \file
/// Random graphs for property tests: every kind of attribute, subgraphs, circuits, observables, odd names and types.
/// They verify, but their operators mean nothing.
#pragma once

#include <skerry/graph.hpp>

#include "ir/testing/random_circuit.hpp"

namespace skerry::ir::testing {

/// One random graph per seed.
class GraphMaker {
 public:
  explicit GraphMaker(std::uint64_t seed, std::size_t nodes) : pick_(seed, {}), seed_(seed), nodes_(nodes) {}

  Graph make(std::size_t inputs, std::size_t depth) {
    Graph graph;
    graph.name = pick_.name("g");
    for (std::size_t i = 0; i < inputs; ++i) graph.add_input(name("x", i), type());
    for (std::size_t i = 0; i < nodes_; ++i) {
      if (pick_.one_in(3)) graph.add_constant(name("w", i), tensor());
      add_node(graph, i, depth);
    }
    const std::size_t outputs = graph.values().empty() ? 0 : pick_.below(4);
    for (std::size_t i = 0; i < outputs; ++i) graph.mark_output(some_value(graph));
    return graph;
  }

 private:
  std::string name(const char* prefix, std::size_t i) { return pick_.name(prefix + std::to_string(i)); }
  ValueId some_value(const Graph& graph) { return static_cast<ValueId>(pick_.below(graph.values().size())); }

  TensorType type() {
    TensorType type;
    type.dtype = static_cast<DType>(pick_.below(static_cast<std::uint64_t>(DType::i2) + 1));
    if (pick_.one_in(6)) {
      for (std::uint64_t depth = 1 + pick_.below(kMaxWraps); depth > 0; --depth)
        type.wraps.push_back(static_cast<Wrap>(pick_.below(4)));
    }
    if (pick_.one_in(5)) return type;
    type.shape.emplace();
    for (std::size_t rank = pick_.below(5); rank > 0; --rank) {
      if (pick_.one_in(3)) {
        type.shape->emplace_back(pick_.name("N"));
      } else if (pick_.one_in(4)) {
        type.shape->emplace_back();
      } else {
        type.shape->emplace_back(static_cast<std::int64_t>(pick_.below(1000)));
      }
    }
    return type;
  }

  Tensor tensor() {
    DType dtype = DType::string;
    while (dtype == DType::string) dtype = static_cast<DType>(pick_.below(static_cast<std::uint64_t>(DType::i2) + 1));
    std::vector<std::int64_t> dims;
    for (std::size_t rank = pick_.below(4); rank > 0; --rank) dims.push_back(static_cast<std::int64_t>(pick_.below(6)));
    Tensor tensor(dtype, Shape(dims));
    const bool is_plain = pick_.one_in(2);
    for (std::uint64_t i = 0; i < tensor.view().bytes(); ++i) {
      tensor.mutable_view().data()[i] = static_cast<std::byte>(is_plain ? 1 + i % 3 : pick_.below(256));
    }
    return tensor;
  }

  template <class T, class Make>
  std::vector<T> several(Make&& make) {
    std::vector<T> list(pick_.below(4));
    for (T& item : list) item = make();
    return list;
  }

  std::int64_t integer() {
    static constexpr std::int64_t kSpecial[] = {0, -1, INT64_MIN, INT64_MAX, 7};
    return kSpecial[pick_.below(std::size(kSpecial))];
  }
  double real() {
    static const double kSpecial[] = {HUGE_VAL, -HUGE_VAL, std::nan(""), std::nan("5"), -std::nan("")};
    return pick_.one_in(4) ? kSpecial[pick_.below(std::size(kSpecial))] : pick_.real();
  }
  Observable observable() {
    const auto wires = static_cast<std::uint32_t>(pick_.below(70));
    Observable sum(wires);
    for (std::size_t terms = pick_.below(4); terms > 0; --terms) {
      std::string letters;
      std::vector<std::uint32_t> at;
      for (std::uint32_t w = 0; w < wires; ++w) {
        if (!pick_.one_in(8)) continue;
        letters += "IXYZ"[pick_.below(4)];
        at.push_back(w);
      }
      sum.add(letters, at, pick_.real());
    }
    return sum;
  }

  Attribute attribute(std::size_t passed, std::size_t depth) {
    switch (pick_.below(depth == 0 ? 9 : 10)) {
      case 0:
        return integer();
      case 1:
        return real();
      case 2:
        return pick_.name("text");
      case 3:
        return several<std::int64_t>([this] { return integer(); });
      case 4:
        return several<double>([this] { return real(); });
      case 5:
        return several<std::string>([this] { return pick_.name("s"); });
      case 6:
        return tensor();
      case 7:
        return std::make_shared<const Circuit>(random_circuit(++seed_, {.wires = 3, .bits = 2, .instructions = 4}));
      case 8:
        return several<Observable>([this] { return observable(); });
      default:
        return std::make_shared<const Graph>(GraphMaker(++seed_, nodes_ / 2).make(passed, depth - 1));
    }
  }

  void add_node(Graph& graph, std::size_t i, std::size_t depth) {
    static const std::string kOps[] = {"Add", "com.microsoft.Gelu", "If", "constant", "odd op", "a..b", "."};
    Node node;
    node.op = kOps[pick_.below(std::size(kOps))];
    node.name = pick_.name("");
    for (std::size_t inputs = graph.values().empty() ? 0 : pick_.below(4); inputs > 0; --inputs) {
      node.inputs.push_back(pick_.one_in(6) ? kNoValue : some_value(graph));
    }
    const std::size_t passed = node.inputs.size() - (node.op == "If" && !node.inputs.empty() ? 1 : 0);
    for (std::size_t count = pick_.below(4); count > 0; --count) {
      node.set(pick_.name("attribute" + std::to_string(count)), attribute(passed, depth));
    }
    std::vector<std::string> names;
    std::vector<TensorType> types;
    for (std::size_t count = pick_.below(4); count > 0; --count) {
      names.push_back(name("y", i * 4 + count));
      types.push_back(type());
    }
    graph.add_node(std::move(node), names, types);
  }

  CircuitMaker pick_;
  std::uint64_t seed_;
  std::size_t nodes_;
};

inline Graph random_graph(std::uint64_t seed, std::size_t nodes = 8) {
  return GraphMaker(seed, nodes).make(seed % 4, 2);
}

/// A RapidCheck generator over random_graph(); counterexamples shrink in nodes.
inline rc::Gen<Graph> any_graph(std::size_t most_nodes = 12) {
  return rc::gen::map(
      rc::gen::pair(rc::gen::noShrink(rc::gen::arbitrary<std::uint64_t>()),
                    rc::gen::inRange<std::size_t>(0, most_nodes + 1)),
      [](const std::pair<std::uint64_t, std::size_t>& draw) { return random_graph(draw.first, draw.second); });
}

}  // namespace skerry::ir::testing

namespace skerry {
/// How RapidCheck shows a counterexample; found by argument-dependent lookup.
// NOLINTNEXTLINE(readability-identifier-naming): RapidCheck looks for this name
inline void showValue(const Graph& graph, std::ostream& out) {
  out << ir::print(graph);
}
}  // namespace skerry
