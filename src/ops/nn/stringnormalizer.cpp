#include <algorithm>
#include <unordered_set>

#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

enum class Case : std::uint8_t { none, lower, upper };

Case case_of(const Node& node) {
  const std::string action = node.text("case_change_action", "NONE");
  if (action == "LOWER") return Case::lower;
  if (action == "UPPER") return Case::upper;
  if (action != "NONE") refuse(node, "case_change_action is '" + action + "'", "give NONE, LOWER or UPPER");
  return Case::none;
}

// Letters whose upper form stands `apart` below the lower one, in two bytes of UTF-8 like that.
struct Letters {
  char32_t first, last;  ///< lower case
  char32_t apart;
};
constexpr Letters kLetters[] = {{'a', 'z', 32},     {0xE0, 0xF6, 32},   {0xF8, 0xFE, 32},  {0x3B1, 0x3C1, 32},
                                {0x3C3, 0x3C9, 32}, {0x430, 0x44F, 32}, {0x450, 0x45F, 80}};

char32_t changed(char32_t letter, Case to) {
  for (const Letters& row : kLetters) {
    if (to == Case::upper && letter >= row.first && letter <= row.last) return letter - row.apart;
    if (to == Case::lower && letter >= row.first - row.apart && letter <= row.last - row.apart)
      return letter + row.apart;
  }
  return letter;
}

std::string changed(const std::string& text, Case to) {
  if (to == Case::none) return text;
  std::string out = text;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    if (byte < 0x80) {
      out[i] = static_cast<char>(changed(byte, to));
    } else if (byte >= 0xC2 && byte < 0xE0 && i + 1 < out.size()) {
      const char32_t letter = ((byte & 0x1FU) << 6U) | (static_cast<unsigned char>(out[i + 1]) & 0x3FU);
      const char32_t other = changed(letter, to);
      out[i] = static_cast<char>(0xC0U | other >> 6U);
      out[++i] = static_cast<char>(0x80U | (other & 0x3FU));
    }
  }
  return out;
}

void infer(TypeContext& context) {
  const TensorType& x = string_input(context, 0);
  require_rank(context, 0, 1, 2);
  case_of(context.node);
  text_list(context.node, "stopwords");
  std::optional<Dims> shape = x.shape;
  if (shape) {
    if (shape->size() == 2 && shape->front().is_known() && shape->front().value != 1)
      refuse(context.node, "a matrix of more than one row is normalised");
    shape->back() = Dim();
    if (shape->size() == 2) shape->front() = Dim(1);
  }
  set_output(context, 0, DType::string, std::move(shape));
}

std::vector<Datum> carry_out(DataNode& context) {
  const Node& node = context.node;
  const Strings& x = strings_in(context, 0);
  const Case action = case_of(node);
  const bool sensitive = node.integer("is_case_sensitive", 0) != 0;
  const Case compared = sensitive ? Case::none : Case::lower;
  std::unordered_set<std::string> stop;
  for (const std::string& word : text_list(node, "stopwords")) stop.insert(changed(word, compared));
  std::vector<std::string> kept;
  for (const std::string& word : texts_of(x)) {
    if (!stop.contains(changed(word, compared))) kept.push_back(changed(word, action));
  }
  if (kept.empty()) kept.emplace_back();
  const auto count = static_cast<std::int64_t>(kept.size());
  const Shape shape = x.shape.rank() == 2 ? Shape{1, count} : Shape{count};
  return {strings_of(node, shape, std::move(kept), context.evaluation)};
}

}  // namespace

extern const OpRecord stringnormalizer_record;
const OpRecord stringnormalizer_record = {
    .name = "StringNormalizer",
    .since_opset = 10,
    .help =
        "The strings [C] or [1, C] that are none of `stopwords` (compared in their case if is_case_sensitive), in "
        "upper "
        "or lower case by case_change_action; one empty string if none is left. Latin, Greek and Cyrillic letters "
        "below U+0800 change their case, by no locale.",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out};

}  // namespace skerry::ops
