#include "ops/nn/trees.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <numbers>
#include <skerry/error.hpp>
#include <stdexcept>

namespace skerry::ops {
namespace {

constexpr std::size_t kMostNodes = std::size_t{1} << 28;

std::vector<std::string> texts(const Node& node, std::string_view name) {
  const Attribute* found = node.find(name);
  const auto* list = found == nullptr ? nullptr : std::get_if<std::vector<std::string>>(found);
  return list == nullptr ? std::vector<std::string>() : *list;
}

void softmax_of(std::span<double> row, bool leaves_zeros) {
  constexpr double kTiny = 1e-7;
  if (row.empty()) return;
  const double most = *std::ranges::max_element(row);
  double sum = 0.0;
  for (double& value : row) {
    value = leaves_zeros && std::abs(value) <= kTiny ? value * std::exp(-most) : std::exp(value - most);
    sum += value;
  }
  for (double& value : row) value = sum == 0.0 ? 0.5 : value / sum;
}

double probit(double value) {
  constexpr double kA = 0.147;
  const double x = value * 2.0 - 1.0, product = (1.0 - x) * (1.0 + x);
  if (product == 0.0) return 0.0;
  const double log = std::log(product);
  const double half = 2.0 / (std::numbers::pi * kA) + 0.5 * log;
  const double root = std::sqrt(std::sqrt(half * half - log / kA) - half);
  return std::numbers::sqrt2 * (x < 0.0 ? -root : root);
}

std::uint32_t index_of(const Node& node, std::int64_t value, std::size_t limit, const char* what) {
  if (value < 0 || static_cast<std::uint64_t>(value) >= limit)
    refuse(node, std::string(what) + " " + std::to_string(value) + " is not below " + std::to_string(limit));
  return static_cast<std::uint32_t>(value);
}

void require_lengths(const Node& node, std::size_t count, std::initializer_list<std::size_t> lengths) {
  for (const std::size_t length : lengths) {
    if (length != count)
      refuse(node, "attributes of " + std::to_string(count) + " and " + std::to_string(length) + " nodes");
  }
}

}  // namespace

PostTransform post_transform(const Node& node) {
  constexpr std::array<std::string_view, 5> kNames = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  const Attribute* given = node.find("post_transform");
  if (given != nullptr && std::holds_alternative<std::int64_t>(*given)) {
    return static_cast<PostTransform>(index_of(node, std::get<std::int64_t>(*given), kNames.size(), "post_transform"));
  }
  const std::string name = node.text("post_transform", "NONE");
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) refuse(node, "post_transform is '" + name + "'", "use NONE, SOFTMAX, LOGISTIC, ...");
  return static_cast<PostTransform>(found - kNames.begin());
}

void transform_scores(PostTransform transform, std::span<double> row) {
  switch (transform) {
    case PostTransform::none:
      return;
    case PostTransform::softmax:
      return softmax_of(row, false);
    case PostTransform::softmax_zero:
      return softmax_of(row, true);
    case PostTransform::logistic:
      for (double& value : row) value = 1.0 / (1.0 + std::exp(-value));
      return;
    case PostTransform::probit:
      for (double& value : row) value = probit(value);
      return;
  }
}

Doubles real_list(const Node& node, std::string_view name) {
  for (const std::string& spelling : {std::string(name), std::string(name) + "_as_tensor"}) {
    const Attribute* found = node.find(spelling);
    if (found == nullptr) continue;
    if (const auto* reals = std::get_if<std::vector<double>>(found)) return *reals;
    if (const auto* tensor = std::get_if<Tensor>(found)) return doubles(aligned_copy(*tensor).view());
    if (const auto* integers = std::get_if<std::vector<std::int64_t>>(found))
      return std::vector<double>(integers->begin(), integers->end());
  }
  return {};
}

Longs integer_list(const Node& node, std::string_view name) {
  const Attribute* found = node.find(name);
  if (found != nullptr) {
    if (const auto* tensor = std::get_if<Tensor>(found)) return longs(aligned_copy(*tensor).view());
  }
  return node.integers(name);
}

TreeEnsemble::Mode TreeEnsemble::mode_of(const Node& node, std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE",    "BRANCH_GT",
                                                      "BRANCH_EQ",  "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF"};
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) refuse(node, "no node has the mode '" + std::string(name) + "'");
  return static_cast<Mode>(found - kNames.begin());
}

TreeEnsemble::TreeEnsemble(const Node& node, std::string_view prefix, std::size_t targets) : targets_(targets) {
  const auto longs_of = [&](std::string_view name) { return integer_list(node, name); };
  const Longs trees = longs_of("nodes_treeids"), ids = longs_of("nodes_nodeids"),
              features = longs_of("nodes_featureids"), yes = longs_of("nodes_truenodeids"),
              no = longs_of("nodes_falsenodeids"), missing = longs_of("nodes_missing_value_tracks_true");
  const Doubles values = real_list(node, "nodes_values");
  const std::vector<std::string> modes = texts(node, "nodes_modes");
  const std::size_t count = trees.size();
  if (count == 0 || count > kMostNodes) refuse(node, "an ensemble of " + std::to_string(count) + " nodes");
  require_lengths(node, count, {ids.size(), features.size(), yes.size(), no.size(), values.size(), modes.size()});
  if (!missing.empty()) require_lengths(node, count, {missing.size()});

  std::map<std::pair<std::int64_t, std::int64_t>, std::uint32_t> places;
  std::map<std::int64_t, std::uint32_t> roots;  // the first node of each tree, trees by number
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint32_t>(i);
    places[{trees[i], ids[i]}] = at;
    roots.try_emplace(trees[i], at);
  }
  const auto place = [&](std::int64_t tree, std::int64_t id) {
    const auto found = places.find({tree, id});
    if (found == places.end()) refuse(node, "tree " + std::to_string(tree) + " has no node " + std::to_string(id));
    return found->second;
  };
  for (std::size_t i = 0; i < count; ++i) {
    Branch branch{.mode = mode_of(node, modes[i])};
    if (branch.mode != Mode::leaf) {
      branch.missing_is_true = !missing.empty() && missing[i] != 0;
      branch.feature = index_of(node, features[i], std::numeric_limits<std::uint32_t>::max(), "feature");
      features_ = std::max<std::size_t>(features_, branch.feature + std::size_t{1});
      branch.yes = place(trees[i], yes[i]);
      branch.no = place(trees[i], no[i]);
      branch.value = values[i];
    }
    branches_.push_back(branch);
  }
  for (const auto& [tree, root] : roots) roots_.push_back(root);

  const std::string name(prefix);
  const Longs weight_trees = longs_of(name + "_treeids"), weight_nodes = longs_of(name + "_nodeids"),
              weight_targets = longs_of(name + "_ids");
  const Doubles weights = real_list(node, name + "_weights");
  require_lengths(node, weights.size(), {weight_trees.size(), weight_nodes.size(), weight_targets.size()});
  std::vector<std::vector<Weight>> of_leaf(count);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    of_leaf[place(weight_trees[i], weight_nodes[i])].push_back(
        {index_of(node, weight_targets[i], targets, "target"), weights[i]});
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (branches_[i].mode != Mode::leaf) continue;
    branches_[i].first = static_cast<std::uint32_t>(weights_.size());
    branches_[i].count = static_cast<std::uint32_t>(of_leaf[i].size());
    weights_.insert(weights_.end(), of_leaf[i].begin(), of_leaf[i].end());
  }
  check(node);
}

TreeEnsemble TreeEnsemble::version5(const Node& node) {
  TreeEnsemble out(static_cast<std::size_t>(std::max<std::int64_t>(node.integer("n_targets", 1), 1)));
  const Longs features = integer_list(node, "nodes_featureids"), modes = integer_list(node, "nodes_modes"),
              yes = integer_list(node, "nodes_truenodeids"), no = integer_list(node, "nodes_falsenodeids"),
              yes_leaf = integer_list(node, "nodes_trueleafs"), no_leaf = integer_list(node, "nodes_falseleafs"),
              missing = integer_list(node, "nodes_missing_value_tracks_true"),
              leaf_targets = integer_list(node, "leaf_targetids"), roots = integer_list(node, "tree_roots");
  const Doubles splits = real_list(node, "nodes_splits"), weights = real_list(node, "leaf_weights"),
                members = real_list(node, "membership_values");
  const std::size_t count = features.size(), leaves = weights.size();
  if (count == 0 || count > kMostNodes || leaves > kMostNodes)
    refuse(node, "an ensemble of " + std::to_string(count) + " nodes");
  require_lengths(node, count, {modes.size(), yes.size(), no.size(), yes_leaf.size(), no_leaf.size(), splits.size()});
  if (!missing.empty()) require_lengths(node, count, {missing.size()});
  require_lengths(node, leaves, {leaf_targets.size()});
  const auto branch_to = [&](std::int64_t id, bool is_leaf) {
    return is_leaf ? static_cast<std::uint32_t>(count) + index_of(node, id, leaves, "leaf")
                   : index_of(node, id, count, "node");
  };
  // The members of each set stand one after the other, a NaN behind each.
  std::size_t member = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Branch branch{.mode = static_cast<Mode>(index_of(node, modes[i], std::size_t{7}, "mode"))};
    branch.missing_is_true = !missing.empty() && missing[i] != 0;
    branch.feature = index_of(node, features[i], std::numeric_limits<std::uint32_t>::max(), "feature");
    out.features_ = std::max<std::size_t>(out.features_, branch.feature + std::size_t{1});
    branch.yes = branch_to(yes[i], yes_leaf[i] != 0);
    branch.no = branch_to(no[i], no_leaf[i] != 0);
    branch.value = splits[i];
    if (branch.mode == Mode::member) {
      branch.first = static_cast<std::uint32_t>(out.members_.size());
      for (; !std::isnan(members[member]); ++member) out.members_.push_back(members[member]);
      ++member;
      branch.count = static_cast<std::uint32_t>(out.members_.size()) - branch.first;
    }
    out.branches_.push_back(branch);
  }
  for (std::size_t i = 0; i < leaves; ++i) {
    Branch leaf;
    leaf.first = static_cast<std::uint32_t>(i);
    leaf.count = 1;
    out.branches_.push_back(leaf);
    out.weights_.push_back({index_of(node, leaf_targets[i], out.targets_, "target"), weights[i]});
  }
  for (const std::int64_t root : roots) out.roots_.push_back(index_of(node, root, count, "root"));
  out.check(node);
  return out;
}

// No way leads round in a circle: whoever walks reaches a leaf. Depth first, each node once.
void TreeEnsemble::check(const Node& node) const {
  enum class Seen : std::uint8_t { no, open, done };
  std::vector<Seen> seen(branches_.size(), Seen::no);
  std::vector<std::pair<std::uint32_t, int>> way;
  for (const std::uint32_t root : roots_) {
    if (seen[root] == Seen::no) way.emplace_back(root, 0);
    while (!way.empty()) {
      auto& [at, step] = way.back();
      const Branch& branch = branches_[at];
      seen[at] = Seen::open;
      if (branch.mode == Mode::leaf || step == 2) {
        seen[at] = Seen::done;
        way.pop_back();
        continue;
      }
      const std::uint32_t next = step++ == 0 ? branch.yes : branch.no;
      if (seen[next] == Seen::open) refuse(node, "a branch of the tree leads back to where it came from");
      if (seen[next] == Seen::no) way.emplace_back(next, 0);
    }
  }
}

bool TreeEnsemble::goes_yes(const Branch& branch, double x) const {
  if (std::isnan(x)) return branch.missing_is_true;
  switch (branch.mode) {
    case Mode::leq:
      return x <= branch.value;
    case Mode::lt:
      return x < branch.value;
    case Mode::gte:
      return x >= branch.value;
    case Mode::gt:
      return x > branch.value;
    case Mode::eq:
      return x == branch.value;
    case Mode::neq:
      return x != branch.value;
    case Mode::member: {
      const auto first = members_.begin() + branch.first;
      return std::find(first, first + branch.count, x) != first + branch.count;
    }
    case Mode::leaf:
      return false;
  }
  return false;
}

void TreeEnsemble::evaluate(const Doubles& x, std::size_t features, Aggregate aggregate, Doubles& out) const {
  if (features < features_)
    outside("feature " + std::to_string(features_ - 1) + " is asked for, and a row has " + std::to_string(features));
  const std::size_t rows = features == 0 ? 0 : x.size() / features;
  std::vector<double> sums(targets_);
  std::vector<std::uint8_t> met(targets_);
  for (std::size_t row = 0; row < rows; ++row) {
    std::ranges::fill(sums, 0.0);
    std::ranges::fill(met, std::uint8_t{0});
    for (const std::uint32_t root : roots_) {
      const Branch* at = &branches_[root];
      while (at->mode != Mode::leaf) at = &branches_[goes_yes(*at, x[row * features + at->feature]) ? at->yes : at->no];
      for (std::uint32_t k = 0; k < at->count; ++k) {
        const Weight& weight = weights_[at->first + k];
        double& sum = sums[weight.target];
        const bool first = met[weight.target] == 0;
        if (aggregate == Aggregate::min) {
          sum = first ? weight.value : std::min(sum, weight.value);
        } else if (aggregate == Aggregate::max) {
          sum = first ? weight.value : std::max(sum, weight.value);
        } else {
          sum += weight.value;
        }
        met[weight.target] = 1;
      }
    }
    const double share = aggregate == Aggregate::average ? 1.0 / static_cast<double>(roots_.size()) : 1.0;
    for (std::size_t t = 0; t < targets_; ++t) out[row * targets_ + t] += sums[t] * share;
  }
}

bool TreeEnsemble::single_target() const noexcept {
  return std::ranges::all_of(weights_, [&](const Weight& weight) { return weight.target == weights_[0].target; });
}

std::int64_t targets_of(const Node& node, std::string_view attribute) {
  const std::int64_t targets = node.integer(attribute, 1);
  if (targets < 1 || targets > (1 << 24)) refuse(node, std::string(attribute) + " is " + std::to_string(targets));
  return targets;
}

void infer_targets(TypeContext& context, DType dtype, std::string_view attribute) {
  const TensorType& x = input(context, 0);
  require_rank(context, 0, 1, 2);
  const Dim rows = !x.shape ? Dim() : x.shape->size() == 2 ? (*x.shape)[0] : Dim(1);
  set_output(context, 0, dtype, Dims{rows, Dim(targets_of(context.node, attribute))});
}

void score_targets(const Node& node, const TreeEnsemble& trees, Aggregate aggregate, const KernelArguments& a) {
  const std::size_t targets = trees.targets();
  const auto [rows, features] = rows_and_columns(node, a.inputs[0].shape());
  const Doubles base = real_list(node, "base_values");
  Doubles out(rows * targets, 0.0);
  trees.evaluate(doubles(a.inputs[0]), features, aggregate, out);
  for (std::size_t i = 0; i < out.size() && !base.empty(); ++i) out[i] += base[base.size() == 1 ? 0 : i % targets];
  const PostTransform transform = post_transform(node);
  for (std::size_t r = 0; r < rows; ++r) transform_scores(transform, std::span(out).subspan(r * targets, targets));
  store(out, a.outputs[0]);
}

Prepared prepared_trees(const Node& node, TreeEnsemble (*make)(const Node&),
                        void (*run)(const Node&, const TreeEnsemble&, const KernelArguments&)) {
  const auto fits = [](const Node& of, const auto& work) {
    try {
      return work();
    } catch (const std::logic_error&) {  // of Checked
      refuse(of, "the attributes and inputs of " + of.op + " do not fit together");
    }
  };
  // shared: std::function copies its target
  const auto trees = fits(node, [&] { return std::make_shared<const TreeEnsemble>(make(node)); });
  return {[node, trees, run, fits](const KernelArguments& a) { fits(node, [&] { run(node, *trees, a); }); }};
}

void infer_classifier(TypeContext& context, std::string_view integer_labels, std::string_view text_labels) {
  const Node& node = context.node;
  require(context, 0, kernels::Numbers{});
  std::size_t classes = integer_list(node, integer_labels).size();
  DType label = DType::i64;
  if (classes == 0) {
    classes = texts(node, text_labels).size();
    label = DType::string;
  }
  if (classes == 0) refuse(node, "a classifier without labels");
  Dim rows(1);
  if (const TensorType& x = input(context, 0); !x.shape) {
    rows = Dim();
  } else if (x.shape->size() == 2) {
    rows = (*x.shape)[0];
  } else if (x.shape->size() != 1) {
    refuse(node, "the input is " + x.text() + ", not a matrix");
  }
  set_output(context, 0, label, Dims{rows});
  set_output(context, 1, DType::f32, Dims{rows, Dim(static_cast<std::int64_t>(std::max<std::size_t>(classes, 2)))});
}

std::pair<std::size_t, std::size_t> rows_and_columns(const Node& node, const Shape& shape) {
  if (shape.rank() == 1) return {1, static_cast<std::size_t>(shape[0])};
  if (shape.rank() != 2) refuse(node, "the input has shape " + shape.text() + ", not that of a matrix");
  return {static_cast<std::size_t>(shape[0]), static_cast<std::size_t>(shape[1])};
}

}  // namespace skerry::ops
