#include <algorithm>
#include <map>

#include "ops/nn/text_labels.hpp"
#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const Node& node = context.node;
  const bool texts = input(context, 0).dtype == DType::string;
  if (!texts) require(context, 0, kernels::Types<std::int32_t, std::int64_t>{});
  require_rank(context, 0, 1, 2);
  if (texts ? text_list(node, "pool_strings").empty() : integer_list(node, "pool_int64s").empty())
    refuse(node, "there are no n-grams of the dtype of the input");
  const Longs columns = integer_list(node, "ngram_indexes");
  std::int64_t width = 0;
  for (const std::int64_t column : columns) width = std::max(width, column + 1);
  constexpr std::int64_t kMostColumns = std::int64_t{1} << 28;
  if (columns.empty() || width > kMostColumns || *std::ranges::min_element(columns) < 0)
    refuse(node, "ngram_indexes do not name columns");
  const std::int64_t least = node.integer("min_gram_length", 1), most = node.integer("max_gram_length", 1);
  if (least < 1 || most < least) refuse(node, "n-grams of no length", "give 1 <= min_gram_length <= max_gram_length");
  if (node.integer("max_skip_count", 0) < 0) refuse(node, "max_skip_count is below zero");
  const TensorType& x = input(context, 0);
  std::optional<Dims> shape;
  if (x.shape) shape = x.shape->size() == 2 ? Dims{(*x.shape)[0], Dim(width)} : Dims{Dim(width)};
  set_output(context, 0, DType::f32, std::move(shape));
}

using Grams = std::map<std::vector<std::int64_t>, std::size_t>;

// The pool holds all n-grams of one length after the other; ngram_counts says where each length begins.
Grams grams_of(const Node& node) {
  const Longs pool = integer_list(node, "pool_int64s"), starts = integer_list(node, "ngram_counts");
  Grams grams;
  for (std::size_t n = 0; n < starts.size(); ++n) {
    const std::int64_t first = starts[n], length = static_cast<std::int64_t>(n) + 1;
    const std::int64_t last = n + 1 < starts.size() ? starts[n + 1] : static_cast<std::int64_t>(pool.size());
    if (first < 0 || last < first || last > static_cast<std::int64_t>(pool.size()) || (last - first) % length != 0)
      refuse(node, "ngram_counts do not cut the pool into n-grams");
    for (std::int64_t at = first; at < last; at += length)
      grams.try_emplace(std::vector(pool.begin() + at, pool.begin() + at + length), grams.size());
  }
  return grams;
}

void run(const Node& node, const KernelArguments& a) {
  const Grams grams = grams_of(node);
  const Longs columns = integer_list(node, "ngram_indexes"), x = longs(a.inputs[0]);
  const Doubles weights = real_list(node, "weights");
  const std::string mode = node.text("mode", "TF");
  const auto [rows, length] = rows_and_columns(node, a.inputs[0].shape());
  // Longer ones are in no row or not in the pool, and further neighbours are in no row.
  const auto in_row = static_cast<std::int64_t>(length);
  const auto lengths = static_cast<std::int64_t>(integer_list(node, "ngram_counts").size());
  const std::int64_t least = node.integer("min_gram_length", 1);
  const std::int64_t most = std::min({node.integer("max_gram_length", 1), in_row, lengths});
  const std::int64_t skips = std::min(node.integer("max_skip_count", 0), in_row);
  const std::size_t width = rows == 0 ? 0 : static_cast<std::size_t>(a.outputs[0].elements()) / rows;
  Doubles counts(rows * width, 0.0), weight_of(width, 1.0);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::int64_t n = least; n <= most; ++n) {
      // A single element has nothing to skip.
      for (std::int64_t step = 1; step <= (n == 1 ? 1 : skips + 1); ++step) {
        for (std::int64_t at = 0; at + (n - 1) * step < in_row; ++at) {
          std::vector<std::int64_t> gram;
          for (std::int64_t k = 0; k < n; ++k) gram.push_back(x[r * length + static_cast<std::size_t>(at + k * step)]);
          const auto found = grams.find(gram);
          if (found == grams.end()) continue;
          const auto column = static_cast<std::size_t>(columns[found->second]);
          counts[r * width + column] += 1.0;
          if (!weights.empty()) weight_of[column] = weights[found->second];
        }
      }
    }
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (mode == "IDF") counts[i] = counts[i] > 0.0 ? 1.0 : 0.0;
    if (mode != "TF") counts[i] *= weight_of[i % width];
  }
  store(counts, a.outputs[0]);
}

}  // namespace

extern const OpRecord tfidfvectorizer_record;
const OpRecord tfidfvectorizer_record = {
    .name = "TfIdfVectorizer",
    .since_opset = 9,
    .help =
        "How often each n-gram of a pool of integers or strings occurs in a row of x (TF), whether it does, weighed "
        "(IDF), or "
        "both "
        "(TFIDF): f32 [N, columns], with up to max_skip_count elements left out between neighbours.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run, can_reference<110>>,
    .carry_out = [](DataNode& context) { return run_numbered(context, "pool_strings", "pool_int64s"); },
};

}  // namespace skerry::ops
