#include "ops/nn/broadcast_texts.hpp"

namespace skerry::ops {

std::pair<Strings, Strings> broadcast_texts(DataNode& context) {
  const Strings x = strings_in(context, 0), y = strings_in(context, 1);
  const auto dims = broadcast(context.node, TensorType::of(DType::string, x.shape).shape,
                              TensorType::of(DType::string, y.shape).shape);
  std::vector<std::int64_t> shape;
  for (const Dim& dim : *dims) shape.push_back(dim.value);
  const Tensor wanted = Tensor::from<std::int64_t>(shape, Shape{static_cast<std::int64_t>(shape.size())});
  Node expand;
  expand.op = "Expand";
  expand.name = context.node.name;
  const auto expanded = [&](const Strings& strings) {
    if (strings.shape == Shape(shape)) return strings;
    return std::get<Strings>(
        run_operator(expand, std::vector<Datum>{strings, wanted}, 1, context.evaluation).at(0).value);
  };
  return {expanded(x), expanded(y)};
}

std::vector<Datum> equal_texts(DataNode& context) {
  const auto [x, y] = broadcast_texts(context);
  Tensor out = allocate(DType::boolean, x.shape, context.evaluation);
  const auto first = texts_of(x), second = texts_of(y);
  for (std::size_t i = 0; i < first.size(); ++i) writable(out).as<bool>()[i] = first[i] == second[i];
  return {out};
}

}  // namespace skerry::ops
