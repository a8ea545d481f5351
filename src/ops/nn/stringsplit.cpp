#include <algorithm>
#include <limits>
#include <skerry/error.hpp>

#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

using Parts = std::vector<std::string>;

void infer(TypeContext& context) {
  std::optional<Dims> shape = string_input(context, 0).shape;
  set_output(context, 1, DType::i64, shape);
  if (shape) shape->emplace_back();
  set_output(context, 0, DType::string, std::move(shape));
}

Parts at_delimiter(const std::string& text, const std::string& delimiter, std::size_t most) {
  Parts parts;
  std::size_t begin = 0;
  while (parts.size() < most) {
    const std::size_t end = text.find(delimiter, begin);
    if (end == std::string::npos) break;
    parts.push_back(text.substr(begin, end - begin));
    begin = end + delimiter.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

// Runs of white space part the words; what is left after the last cut keeps its own behind.
Parts at_spaces(const std::string& text, std::size_t most) {
  constexpr const char* kSpaces = " \t\n\v\f\r";
  Parts parts;
  std::size_t begin = text.find_first_not_of(kSpaces);
  while (begin != std::string::npos) {
    const std::size_t end = parts.size() < most ? text.find_first_of(kSpaces, begin) : std::string::npos;
    parts.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
    begin = end == std::string::npos ? end : text.find_first_not_of(kSpaces, end);
  }
  return parts;
}

std::vector<Datum> carry_out(DataNode& context) {
  const Node& node = context.node;
  const Strings& x = strings_in(context, 0);
  const std::string delimiter = node.text("delimiter", "");
  const std::int64_t limit = node.integer("maxsplit", std::numeric_limits<std::int64_t>::max());
  const auto most = limit < 0 ? std::numeric_limits<std::size_t>::max() - 1 : static_cast<std::size_t>(limit);
  std::vector<Parts> split;
  std::size_t width = 0;
  for (const std::string& text : texts_of(x)) {
    split.push_back(delimiter.empty() ? at_spaces(text, most) : at_delimiter(text, delimiter, most));
    width = std::max(width, split.back().size());
  }
  const auto dims = x.shape.dims();
  std::vector<std::int64_t> shape(dims.begin(), dims.end());
  shape.push_back(static_cast<std::int64_t>(width));
  // One long row among many short ones makes them all long.
  base::Reservation room;
  if (context.evaluation.budget != nullptr)
    room = base::Reservation(*context.evaluation.budget,
                             base::checked_bytes(width * split.size(), sizeof(std::string), "parts of strings"),
                             "texts of a graph");
  Tensor counts = allocate(DType::i64, x.shape, context.evaluation);
  Parts all;
  all.reserve(width * split.size());
  for (std::size_t i = 0; i < split.size(); ++i) {
    writable(counts).as<std::int64_t>()[i] = static_cast<std::int64_t>(split[i].size());
    split[i].resize(width);
    std::ranges::move(split[i], std::back_inserter(all));
  }
  room.reset();
  return {strings_of(node, Shape(shape), std::move(all), context.evaluation), counts};
}

}  // namespace

extern const OpRecord stringsplit_record;
const OpRecord stringsplit_record = {
    .name = "StringSplit",
    .since_opset = 20,
    .help =
        "Each string cut at `delimiter` (default: runs of white space) at most `maxsplit` times: the parts along a new "
        "last axis, filled up with empty strings, and how many there are (i64).",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out};

}  // namespace skerry::ops
