#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/nn/svm.hpp"
#include "ops/nn/text_labels.hpp"

namespace skerry::ops {
namespace {

// Without probabilities there is a score for each pair of classes, of two classes for each of them.
void infer(TypeContext& context) {
  infer_classifier(context, "classlabels_ints", "classlabels_strings");
  const Node& node = context.node;
  std::size_t classes = integer_list(node, "classlabels_ints").size();
  if (classes == 0) classes = text_list(node, "classlabels_strings").size();
  const bool paired = !vectors_per_class(node).empty() && real_list(node, "prob_a").empty();
  const std::size_t scores = paired && classes > 2 ? pairs_of(classes) : classes;
  set_output(context, 1, DType::f32, Dims{rows_of_input(context), Dim(static_cast<std::int64_t>(scores))});
}

// One machine for each pair i < j decides by kernels with the vectors of both: above 0 it votes for i, else for j.
void decide_pairs(const SupportVectors& machine, const std::vector<double>& kernels, std::vector<double>& scores,
                  std::vector<double>& votes) {
  const std::size_t classes = machine.classes(), all = kernels.size();
  std::ranges::fill(votes, 0.0);
  const auto part = [&](std::size_t row, std::size_t first, std::int64_t count) {
    const auto from = kernels.begin() + static_cast<std::ptrdiff_t>(first);
    return std::inner_product(from, from + count,
                              machine.coefficients.begin() + static_cast<std::ptrdiff_t>(row * all + first), 0.0);
  };
  std::size_t pair = 0, first_i = 0;
  for (std::size_t i = 0; i + 1 < classes; ++i) {
    std::size_t first_j = first_i + static_cast<std::size_t>(machine.per_class[i]);
    const std::size_t after_i = first_j;
    for (std::size_t j = i + 1; j < classes; ++j, ++pair) {
      scores[pair] =
          machine.rho[pair] + part(j - 1, first_i, machine.per_class[i]) + part(i, first_j, machine.per_class[j]);
      votes[scores[pair] > 0.0 ? i : j] += 1.0;
      first_j += static_cast<std::size_t>(machine.per_class[j]);
    }
    first_i = after_i;
  }
}

// Each pair's probability is logistic in its score (Platt 1999); the classes' are those that agree with the pairs'
// best, found by coordinates: Wu, Lin and Weng 2004, algorithm 2, as LIBSVM has it.
class Coupling {
 public:
  explicit Coupling(std::size_t classes) : n_(classes), r_(n_ * n_), q_(n_ * n_), qp_(n_) {}

  void run(const SupportVectors& machine, const std::vector<double>& scores, std::span<double> p) {
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
  std::vector<double> r_, q_, qp_;
  double total_ = 0.0;
};

void run(const SupportVectors& machine, const KernelArguments& a) {
  const std::size_t rows = rows_of_input(a), classes = machine.classes();
  const Doubles x = doubles(a.inputs[0]);
  const bool paired = !machine.per_class.empty(), coupled = paired && !machine.prob_a.empty();
  const std::size_t pairs = pairs_of(classes), wide = paired && !coupled && classes > 2 ? pairs : classes;
  std::vector<double> kernels(machine.count()), scores(pairs), votes(classes);
  Doubles out(rows * wide);
  Coupling coupling(coupled ? classes : 0);
  Longs chosen(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::span<double> row(out.data() + r * wide, wide);
    machine.kernels_of(x.data() + r * machine.features(), kernels.data());
    if (paired) {
      decide_pairs(machine, kernels, scores, votes);
      if (coupled) {
        coupling.run(machine, scores, row);
      } else if (classes == 2) {
        row[0] = -scores[0];
        row[1] = scores[0];
      } else {
        std::ranges::copy(scores, row.begin());
      }
    } else {
      for (std::size_t e = 0; e < classes; ++e) row[e] = votes[e] = machine.rho[0] + kernels[e];
    }
    chosen[r] = machine.labels[static_cast<std::size_t>(std::ranges::max_element(votes) - votes.begin())];
    transform_scores(machine.transform, row);
  }
  store(chosen, out_view(a, 0));
  store(out, out_view(a, 1));
}

constexpr KernelRow kKernels[] = {{"svm_ref", can_support_vectors, [](const Node& node, const NodeTypes& types) {
                                     return prepare_machine(node, types, run);
                                   }}};

}  // namespace

extern const OpRecord svmclassifier_record;
const OpRecord svmclassifier_record = {
    .name = "ai.onnx.ml.SVMClassifier",
    .since_opset = 1,
    .help =
        "The label (i64 or string [N]) that most pairs of classes vote for by support vectors, kernels as "
        "SVMRegressor's, "
        "and f32 scores: [N, classes] of two classes, or as probabilities with prob_a and prob_b; else [N, pairs]. "
        "Without vectors_per_class weights score each class. Then post_transform.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
    .carry_out = [](DataNode& context) { return classify_texts(context, "classlabels_ints", "classlabels_strings"); },
};

}  // namespace skerry::ops
