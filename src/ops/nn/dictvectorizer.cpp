#include <cstring>

#include "ops/nn/mapped_values.hpp"
#include "ops/nn/text_labels.hpp"
#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

// A map becomes a vector, a sequence of maps a matrix of as many rows.
void infer(TypeContext& context) {
  const Node& node = context.node;
  const TensorType& given = input(context, 0);
  const bool many = !given.is_tensor() && given.wraps.front() == Wrap::sequence;
  const TensorType map = many ? given.unwrapped() : given;
  const std::size_t texts = text_list(node, "string_vocabulary").size(),
                    integers = integer_list(node, "int64_vocabulary").size();
  if ((texts == 0) == (integers == 0)) refuse(node, "DictVectorizer needs one vocabulary, of strings or of integers");
  const Wrap keys = texts > 0 ? Wrap::map_of_string : Wrap::map_of_i64;
  const bool holds = map.wraps.size() == 1 && (map.dtype == DType::string || kernels::Numbers::contains(map.dtype));
  if (!holds || map.wraps.front() != keys)
    refuse(node, "DictVectorizer does not take " + given.text() + " but a " + std::string(wrap_name(keys)));
  const Dim columns(static_cast<std::int64_t>(texts + integers));
  set_output(context, 0, map.dtype, many ? Dims{Dim(), columns} : Dims{columns});
}

template <class Key>
void fill_row(const Map& map, const std::vector<Key>& vocabulary, std::size_t row, MappedValues& out) {
  const auto* keys = std::get_if<std::vector<Key>>(&map.keys);
  if (keys == nullptr) return;
  std::unordered_map<Key, std::size_t> places;
  for (std::size_t i = 0; i < keys->size(); ++i) places.emplace((*keys)[i], i);
  for (std::size_t c = 0; c < vocabulary.size(); ++c) {
    if (c % 4096 == 0) base::check_stop();
    const auto found = places.find(vocabulary[c]);
    if (found != places.end()) out.put(map, found->second, row * vocabulary.size() + c);
  }
}

std::vector<Datum> carry_out(DataNode& context) {
  const Node& node = context.node;
  const auto& texts = text_list(node, "string_vocabulary");
  const Longs integers = integer_list(node, "int64_vocabulary");
  const auto columns = static_cast<std::int64_t>(texts.size() + integers.size());
  const auto* sequence = datum_in(context, 0).as<Sequence>();
  const Shape shape =
      sequence == nullptr ? Shape{columns} : Shape{static_cast<std::int64_t>(sequence->size()), columns};
  MappedValues out(node, context.outputs[0].dtype, shape, {}, context.evaluation);
  for (std::size_t row = 0; row < (sequence == nullptr ? 1 : sequence->size()); ++row) {
    const Map* map = sequence == nullptr ? &map_in(context, 0) : (*sequence->items)[row].as<Map>();
    if (map == nullptr) refuse(node, "item " + std::to_string(row) + " is not a map");
    if (texts.empty()) {
      fill_row<std::int64_t>(*map, integers, row, out);
    } else {
      fill_row(*map, texts, row, out);
    }
  }
  return {std::move(out).datum()};
}

}  // namespace

extern const OpRecord dictvectorizer_record;
const OpRecord dictvectorizer_record = {
    .name = "ai.onnx.ml.DictVectorizer",
    .since_opset = 1,
    .help =
        "The values of a map from strings or i64 in the order of string_vocabulary or int64_vocabulary, 0 or an empty "
        "string for a word that it has not; keys that are no words are left out. A sequence of maps gives a row of "
        "each.",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out,
    .takes_wrapped = true,
};

}  // namespace skerry::ops
