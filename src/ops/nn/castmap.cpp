#include <algorithm>
#include <numeric>

#include "ops/nn/cast.hpp"
#include "ops/nn/mapped_values.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

constexpr std::int64_t kMostPlaces = std::int64_t{1} << 28;

DType result_of(const Node& node) {
  const std::string to = node.text("cast_to", "TO_FLOAT");
  if (to == "TO_FLOAT") return DType::f32;
  if (to == "TO_INT64") return DType::i64;
  if (to == "TO_STRING") return DType::string;
  refuse(node, "cast_to is '" + to + "'", "use TO_FLOAT, TO_INT64 or TO_STRING");
}

// As many places as a sparse tensor has; none of a dense one.
std::optional<std::int64_t> places_of(const Node& node) {
  const std::string form = node.text("map_form", "DENSE");
  if (form == "DENSE") return std::nullopt;
  if (form != "SPARSE") refuse(node, "map_form is '" + form + "'", "use DENSE or SPARSE");
  const std::int64_t places = node.integer("max_map", 1);
  if (places < 1 || places > kMostPlaces) refuse(node, "max_map is " + std::to_string(places));
  return places;
}

void infer(TypeContext& context) {
  const TensorType values = inside(context, 0, Wrap::map_of_i64);
  if (!values.is_tensor() || (values.dtype != DType::f32 && values.dtype != DType::string))
    refuse(context.node, "CastMap does not take " + input(context, 0).text() + " but floats or strings by integers");
  const auto places = places_of(context.node);
  set_output(context, 0, result_of(context.node), Dims{Dim(1), places ? Dim(*places) : Dim()});
}

// The map with values of the result's dtype; floats become texts with six digits behind the point, as C++ writes them.
Map cast_values(DataNode& context, Map map) {
  const DType to = result_of(context.node);
  if (auto* strings = std::get_if<Strings>(&map.values)) {
    std::vector<Datum> inputs = {*strings};
    const std::vector<TensorType> outputs = {TensorType::of(to, strings->shape)};
    DataNode cast{context.node, inputs, outputs, context.evaluation};
    const Datum done = cast_texts(cast).at(0);
    if (const auto* numbers = done.as<Tensor>()) map.values = *numbers;
    return map;
  }
  const Tensor values = std::get<Tensor>(map.values);
  if (to == DType::i64) {
    const Tensor whole = allocate(to, values.shape(), context.evaluation);
    store(doubles(values.view()), writable(whole));
    map.values = whole;
  } else if (to == DType::string) {
    std::vector<std::string> texts;
    for (const float value : values.as<float>()) texts.push_back(std::to_string(value));
    map.values = strings_of(context.node, values.shape(), std::move(texts), context.evaluation);
  }
  return map;
}

std::vector<Datum> carry_out(DataNode& context) {
  const Node& node = context.node;
  const auto* keys = std::get_if<std::vector<std::int64_t>>(&map_in(context, 0).keys);
  if (keys == nullptr) refuse(node, "CastMap needs a map from integers");
  std::vector<std::size_t> order(keys->size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return (*keys)[i]; });
  const Map map = cast_values(context, map_in(context, 0));
  const auto places = places_of(node);
  // What ONNX Runtime puts where a sparse tensor of texts has none.
  MappedValues out(node, result_of(node), Shape{1, places.value_or(static_cast<std::int64_t>(order.size()))}, "0.f",
                   context.evaluation);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::int64_t key = (*keys)[order[i]];
    if (places && (key < 0 || key >= *places))
      outside("key " + std::to_string(key) + " of a map that is cast to " + std::to_string(*places) + " places");
    out.put(map, order[i], places ? static_cast<std::size_t>(key) : i);
  }
  return {std::move(out).datum()};
}

}  // namespace

extern const OpRecord castmap_record;
const OpRecord castmap_record = {
    .name = "ai.onnx.ml.CastMap",
    .since_opset = 1,
    .help =
        "The values of a map from i64 to f32 or string, in the order of its keys, as one row of cast_to TO_FLOAT, "
        "TO_INT64 or TO_STRING. map_form SPARSE: [1, max_map], each value at its key, which must be below max_map.",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out,
    .takes_wrapped = true,
};

}  // namespace skerry::ops
