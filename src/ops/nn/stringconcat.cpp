#include "ops/nn/broadcast_texts.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType &x = string_input(context, 0), &y = string_input(context, 1);
  set_output(context, 0, DType::string, broadcast(context.node, x.shape, y.shape));
}

std::vector<Datum> carry_out(DataNode& context) {
  const auto [x, y] = broadcast_texts(context);
  std::vector<std::string> joined;
  const auto first = texts_of(x), second = texts_of(y);
  joined.reserve(first.size());
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < first.size(); ++i) bytes += first[i].size() + second[i].size();
  // Before the texts are made: a loop that doubles one ends here.
  base::Reservation room;
  if (context.evaluation.budget != nullptr)
    room = base::Reservation(*context.evaluation.budget, bytes, "texts of a graph");
  for (std::size_t i = 0; i < first.size(); ++i) joined.push_back(first[i] + second[i]);
  room.reset();
  return {strings_of(context.node, x.shape, std::move(joined), context.evaluation)};
}

}  // namespace

extern const OpRecord stringconcat_record;
const OpRecord stringconcat_record = {.name = "StringConcat",
                                      .since_opset = 20,
                                      .help = "Each string of x followed by that of y, under NumPy broadcasting.",
                                      .inputs = 2,
                                      .infer = infer,
                                      .carry_out = carry_out};

}  // namespace skerry::ops
