#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/nn/svm.hpp"
#include "ops/nn/text_labels.hpp"

namespace skerry::ops {
namespace {

std::size_t pairs_of(std::size_t classes) {
  return classes * (classes - 1) / 2;
}

// Support vectors of each class; none at all for machines whose coefficients are weights.
Longs vectors_per_class(const Node& node) {
  const Longs counts = integer_list(node, "vectors_per_class");
  constexpr std::int64_t kMost = std::int64_t{1} << 32;
  std::int64_t all = 0;
  for (const std::int64_t count : counts) {
    if (count < 0 || count > kMost - all) refuse(node, "vectors_per_class has " + std::to_string(count));
    all += count;
  }
  return all == 0 ? Longs() : counts;
}

// Without probabilities there is a score for each pair of classes, of two classes for each of them.
void infer(TypeContext& context) {
  infer_classifier(context, "classlabels_ints", "classlabels_strings");
  const Node& node = context.node;
  std::size_t classes = integer_list(node, "classlabels_ints").size();
  if (classes == 0) classes = text_list(node, "classlabels_strings").size();
  const bool paired = !vectors_per_class(node).empty() && real_list(node, "prob_a").empty();
  const std::size_t scores = paired && classes > 2 ? pairs_of(classes) : classes;
  const TensorType& x = input(context, 0);
  const Dim rows = !x.shape ? Dim() : x.shape->size() == 2 ? (*x.shape)[0] : Dim(1);
  set_output(context, 1, DType::f32, Dims{rows, Dim(static_cast<std::int64_t>(scores))});
}

struct Machine {
  explicit Machine(const Node& node)
      : labels(integer_list(node, "classlabels_ints")),
        counts(vectors_per_class(node)),
        coefficients(real_list(node, "coefficients")),
        rho(real_list(node, "rho")),
        prob_a(real_list(node, "prob_a")),
        prob_b(real_list(node, "prob_b")),
        transform(post_transform(node)) {
    const std::size_t classes = labels.size();
    if (rho.empty()) refuse(node, "there is no rho");
    if (counts.empty()) {
      if (coefficients.empty() || coefficients.size() % classes != 0)
        refuse(node, std::to_string(coefficients.size()) + " coefficients for " + std::to_string(classes) + " classes");
      return;
    }
    if (classes < 2) refuse(node, "support vectors of one class alone");
    require_count(node, "vectors_per_class", counts.size(), classes);
    const auto all = static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
    vectors.emplace(node, all);
    require_count(node, "coefficients", coefficients.size(), (classes - 1) * all);
    require_count(node, "rho", rho.size(), pairs_of(classes));
    if (!prob_a.empty()) require_count(node, "prob_a", prob_a.size(), pairs_of(classes));
    require_count(node, "prob_b", prob_b.size(), prob_a.size());
  }

  std::uint64_t bytes() const {
    return (coefficients.size() + rho.size() + prob_a.size() + prob_b.size()) * sizeof(double) +
           (vectors ? vectors->bytes() : 0);
  }
  std::uint64_t working_bytes() const {
    const std::size_t classes = labels.size();
    return ((vectors ? vectors->count() : 0) + 2 * classes * (classes + 2)) * sizeof(double);
  }

  Longs labels, counts;
  Doubles coefficients, rho, prob_a, prob_b;
  PostTransform transform;
  std::optional<SupportVectors> vectors;
};

// One machine for each pair i < j decides by kernels with the vectors of both: above 0 it votes for i, else for j.
void decide_pairs(const Machine& machine, const Doubles& kernels, Doubles& scores, std::vector<std::size_t>& votes) {
  const std::size_t classes = machine.labels.size(), all = kernels.size();
  std::ranges::fill(votes, std::size_t{0});
  const auto part = [&](std::size_t row, std::size_t first, std::int64_t count) {
    const auto from = kernels.begin() + static_cast<std::ptrdiff_t>(first);
    return std::inner_product(from, from + count,
                              machine.coefficients.begin() + static_cast<std::ptrdiff_t>(row * all + first), 0.0);
  };
  std::size_t pair = 0, first_i = 0;
  for (std::size_t i = 0; i + 1 < classes; ++i) {
    std::size_t first_j = first_i + static_cast<std::size_t>(machine.counts[i]);
    const std::size_t after_i = first_j;
    for (std::size_t j = i + 1; j < classes; ++j, ++pair) {
      scores[pair] = machine.rho[pair] + part(j - 1, first_i, machine.counts[i]) + part(i, first_j, machine.counts[j]);
      ++votes[scores[pair] > 0.0 ? i : j];
      first_j += static_cast<std::size_t>(machine.counts[j]);
    }
    first_i = after_i;
  }
}

// Each pair's probability is logistic in its score (Platt 1999); the classes' are those that agree with the pairs'
// best, found by coordinates: Wu, Lin and Weng 2004, algorithm 2, as LIBSVM has it.
class Coupling {
 public:
  explicit Coupling(std::size_t classes) : n_(classes), r_(n_ * n_), q_(n_ * n_), qp_(n_) {}

  void run(const Machine& machine, const Doubles& scores, std::span<double> p) {
    constexpr double kLeast = 1e-7;
    std::size_t pair = 0;
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t j = i + 1; j < n_; ++j, ++pair) {
        const double of = 1.0 / (1.0 + std::exp(scores[pair] * machine.prob_a[pair] + machine.prob_b[pair]));
        r_[i * n_ + j] = std::clamp(of, kLeast, 1.0 - kLeast);
        r_[j * n_ + i] = 1.0 - r_[i * n_ + j];
      }
    }
    for (std::size_t t = 0; t < n_; ++t) {
      p[t] = 1.0 / static_cast<double>(n_);
      q_[t * n_ + t] = 0.0;
      for (std::size_t j = 0; j < n_; ++j) {
        if (j == t) continue;
        q_[t * n_ + t] += r_[j * n_ + t] * r_[j * n_ + t];
        q_[t * n_ + j] = -r_[j * n_ + t] * r_[t * n_ + j];
      }
    }
    const std::size_t most = std::max<std::size_t>(100, n_);
    for (std::size_t turn = 0; turn < most && !settled(p); ++turn) improve(p);
  }

 private:
  bool settled(std::span<const double> p) {
    total_ = 0.0;
    for (std::size_t t = 0; t < n_; ++t) {
      qp_[t] = std::inner_product(p.begin(), p.end(), q_.begin() + static_cast<std::ptrdiff_t>(t * n_), 0.0);
      total_ += p[t] * qp_[t];
    }
    const double bound = 0.005 / static_cast<double>(n_);
    return std::ranges::all_of(qp_, [&](double of) { return std::abs(of - total_) < bound; });
  }

  void improve(std::span<double> p) {
    base::check_stop();
    for (std::size_t t = 0; t < n_; ++t) {
      const double own = q_[t * n_ + t], step = (total_ - qp_[t]) / own, whole = 1.0 + step;
      p[t] += step;
      total_ = (total_ + step * (step * own + 2.0 * qp_[t])) / whole / whole;
      for (std::size_t j = 0; j < n_; ++j) {
        qp_[j] = (qp_[j] + step * q_[t * n_ + j]) / whole;
        p[j] /= whole;
      }
    }
  }

  std::size_t n_;
  Doubles r_, q_, qp_;
  double total_ = 0.0;
};

void run(const Node& node, const Machine& machine, const KernelArguments& a) {
  const std::size_t classes = machine.labels.size();
  const auto [rows, features] = rows_and_columns(node, a.inputs[0].shape());
  require_features(node, features,
                   machine.vectors ? machine.vectors->features() : machine.coefficients.size() / classes);
  const Doubles x = doubles(a.inputs[0]);
  const bool coupled = machine.vectors && !machine.prob_a.empty();
  const std::size_t pairs = machine.vectors ? pairs_of(classes) : classes;
  const std::size_t wide = !machine.vectors || coupled || classes == 2 ? classes : pairs;
  Doubles kernels(machine.vectors ? machine.vectors->count() : 0), scores(pairs), out(rows * wide);
  std::vector<std::size_t> votes(classes);
  Coupling coupling(coupled ? classes : 0);
  Longs chosen(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    base::check_stop();
    const std::span<double> row(out.data() + r * wide, wide);
    if (machine.vectors) {
      machine.vectors->kernels_of(x.data() + r * features, kernels.data());
      decide_pairs(machine, kernels, scores, votes);
      chosen[r] = machine.labels[static_cast<std::size_t>(std::ranges::max_element(votes) - votes.begin())];
      if (coupled) {
        coupling.run(machine, scores, row);
      } else if (wide > pairs) {
        row[0] = -scores[0];
        row[1] = scores[0];
      } else {
        std::ranges::copy(scores, row.begin());
      }
    } else {
      const double* at = x.data() + r * features;
      for (std::size_t e = 0; e < classes; ++e)
        row[e] = std::inner_product(at, at + features,
                                    machine.coefficients.begin() + static_cast<std::ptrdiff_t>(e * features),
                                    machine.rho[0]);
      chosen[r] = machine.labels[static_cast<std::size_t>(std::ranges::max_element(row) - row.begin())];
    }
    transform_scores(machine.transform, row);
  }
  store(chosen, out_view(a, 0));
  store(out, out_view(a, 1));
}

Cost can(const Node& node, const NodeTypes& types) {
  const Longs counts = vectors_per_class(node);
  const auto all = static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  return can_support_vectors(types, all + integer_list(node, "classlabels_ints").size());
}

constexpr KernelRow kKernels[] = {{"svm_ref", can, [](const Node& node, const NodeTypes& types) {
                                     return prepared_machine<Machine, run>(node, types);
                                   }}};

}  // namespace

extern const OpRecord svmclassifier_record;
const OpRecord svmclassifier_record = {
    .name = "ai.onnx.ml.SVMClassifier",
    .since_opset = 1,
    .help =
        "The label (i64 or string [N]) that most pairs of classes vote for by support vectors, kernels LINEAR, POLY, "
        "RBF or SIGMOID, and f32 scores: [N, classes] with prob_a and prob_b, as probabilities, or of two classes; "
        "else [N, pairs]. Without vectors_per_class a score for each class by weights, rho[0] added, the largest "
        "chosen. Then post_transform.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
    .carry_out = [](DataNode& context) { return classify_texts(context, "classlabels_ints", "classlabels_strings"); },
};

}  // namespace skerry::ops
