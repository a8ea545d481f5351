#include "ops/nn/text_labels.hpp"

#include <numeric>

namespace skerry::ops {

TextNumbers::TextNumbers(const std::vector<std::string>& texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) numbers_.insert_or_assign(texts[i], static_cast<std::int64_t>(i));
}

std::int64_t TextNumbers::of(const std::string& text) const {
  const auto found = numbers_.find(text);
  return found == numbers_.end() ? -1 : found->second;
}

Tensor TextNumbers::of(const Strings& strings, const Evaluation& evaluation) const {
  Tensor out = allocate(DType::i64, strings.shape, evaluation);
  const auto texts = texts_of(strings);
  for (std::size_t i = 0; i < texts.size(); ++i) writable(out).as<std::int64_t>()[i] = of(texts[i]);
  return out;
}

std::vector<Datum> classify_texts(DataNode& context, std::string_view integer_labels, std::string_view text_labels) {
  const std::vector<std::string>& labels = text_list(context.node, text_labels);
  Node numbered = context.node;
  std::vector<std::int64_t> numbers(labels.size());
  std::iota(numbers.begin(), numbers.end(), 0);
  numbered.erase(text_labels);
  numbered.set(std::string(integer_labels), std::move(numbers));
  std::vector<Datum> out = run_operator(numbered, context.inputs, context.outputs.size(), context.evaluation);
  const Tensor chosen = std::get<Tensor>(out.at(0).value);
  std::vector<std::string> texts;
  for (const std::int64_t number : chosen.as<std::int64_t>())
    texts.push_back(labels.at(static_cast<std::size_t>(number)));
  out[0] = strings_of(context.node, chosen.shape(), std::move(texts), context.evaluation);
  return out;
}

std::vector<Datum> run_numbered(DataNode& context, std::string_view texts, std::string_view integers) {
  const std::vector<std::string>& all = text_list(context.node, texts);
  const TextNumbers numbers(all);
  std::vector<std::int64_t> listed;
  for (const std::string& text : all) listed.push_back(numbers.of(text));
  Node numbered = context.node;
  numbered.erase(texts);
  numbered.set(std::string(integers), std::move(listed));
  std::vector<Datum> inputs(context.inputs.begin(), context.inputs.end());
  inputs.at(0) = numbers.of(strings_in(context, 0), context.evaluation);
  return run_operator(numbered, inputs, context.outputs.size(), context.evaluation);
}

}  // namespace skerry::ops
