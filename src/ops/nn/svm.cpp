#include "ops/nn/svm.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include "ops/nn/refuse_numbers.hpp"

namespace skerry::ops {
namespace {

constexpr std::array<std::string_view, 4> kKinds = {"LINEAR", "POLY", "RBF", "SIGMOID"};

std::int64_t whole(std::size_t count) {
  return static_cast<std::int64_t>(count);
}

void require_count(const Node& node, const char* message, std::size_t found, std::size_t wanted) {
  if (found != wanted) refuse_numbers(node, message, {whole(found), whole(wanted)});
}

}  // namespace

Longs vectors_per_class(const Node& node) {
  const Longs counts = integer_list(node, "vectors_per_class");
  constexpr std::int64_t kMost = std::int64_t{1} << 32;
  std::int64_t all = 0;
  for (const std::int64_t count : counts) {
    if (count < 0 || count > kMost - all) refuse_numbers(node, "vectors_per_class has #", {count});
    all += count;
  }
  return all == 0 ? Longs() : counts;
}

std::size_t vectors_of(const Node& node) {
  std::int64_t all = node.integer("n_supports", 0);
  if (all < 0) refuse_numbers(node, "n_supports is #", {all});
  for (const std::int64_t count : vectors_per_class(node)) all += count;
  return static_cast<std::size_t>(all);
}

SupportVectors::SupportVectors(const Node& node)
    : labels(integer_list(node, "classlabels_ints")),
      per_class(vectors_per_class(node)),
      coefficients(real_list(node, "coefficients")),
      rho(real_list(node, "rho")),
      prob_a(real_list(node, "prob_a")),
      prob_b(real_list(node, "prob_b")),
      transform(post_transform(node)),
      one_class(node.integer("one_class", 0) != 0),
      count_(vectors_of(node)),
      vectors_(real_list(node, "support_vectors")) {
  if (rho.empty()) refuse(node, "there is no rho");
  if (count_ > 0) {
    read_kernel(node);
    if (labels.empty()) {
      require_count(node, "coefficients has # numbers, not #", coefficients.size(), count_);
    } else {
      check_classifier(node);
    }
  } else {
    count_ = std::max<std::size_t>(labels.size(), 1);
    vectors_ = std::exchange(coefficients, std::vector<double>(count_, 1.0));
  }
  if (vectors_.size() % count_ != 0)
    refuse_numbers(node, "# numbers for # vectors", {whole(vectors_.size()), whole(count_)});
  features_ = vectors_.size() / count_;
}

void SupportVectors::read_kernel(const Node& node) {
  const std::string name = node.text("kernel_type", "LINEAR");
  const auto found = std::ranges::find(kKinds, name);
  if (found == kKinds.end()) refuse(node, "kernel_type is none of LINEAR, POLY, RBF and SIGMOID");
  kind_ = static_cast<Kind>(found - kKinds.begin());
  const Doubles parameters = real_list(node, "kernel_params");
  if (parameters.empty()) return;
  require_count(node, "kernel_params has # numbers, not #", parameters.size(), 3);
  gamma_ = parameters[0];
  coef0_ = parameters[1];
  degree_ = parameters[2];
}

void SupportVectors::check_classifier(const Node& node) const {
  if (classes() < 2) refuse(node, "support vectors of one class alone");
  const std::size_t pairs = pairs_of(classes());
  require_count(node, "vectors_per_class has # numbers, not #", per_class.size(), classes());
  require_count(node, "coefficients has # numbers, not #", coefficients.size(), (classes() - 1) * count_);
  require_count(node, "rho has # numbers, not #", rho.size(), pairs);
  if (!prob_a.empty()) require_count(node, "prob_a has # numbers, not #", prob_a.size(), pairs);
  require_count(node, "prob_b has # numbers, not #", prob_b.size(), prob_a.size());
}

double SupportVectors::kernel(const double* x, const double* vector) const {
  double sum = 0.0;
  if (kind_ == Kind::rbf) {
    for (std::size_t c = 0; c < features_; ++c) sum += (x[c] - vector[c]) * (x[c] - vector[c]);
    return std::exp(-gamma_ * sum);
  }
  for (std::size_t c = 0; c < features_; ++c) sum += x[c] * vector[c];
  if (kind_ == Kind::linear) return sum;
  sum = gamma_ * sum + coef0_;
  return kind_ == Kind::poly ? std::pow(sum, degree_) : std::tanh(sum);
}

void SupportVectors::kernels_of(const double* x, double* out) const {
  constexpr std::size_t kVectorsBetweenChecks = 64;
  for (std::size_t j = 0; j < count_; ++j) {
    if (j % kVectorsBetweenChecks == 0) base::check_stop();
    out[j] = kernel(x, vectors_.data() + j * features_);
  }
}

Dim rows_of_input(const TypeContext& context) {
  if (!require_rank(context, 0, 1, 2)) return {};
  const Dims& x = *input(context, 0).shape;
  return x.size() == 2 ? x[0] : Dim(1);
}

Cost can_support_vectors(const Node& node, const NodeTypes& types) {
  if (!kernels::Numbers::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  constexpr double kOfKernel = 20.0;
  const auto& shape = *types.inputs[0].shape;
  const auto rows = static_cast<double>(shape.size() == 2 ? shape[0].value : 1);
  const std::size_t classes = integer_list(node, "classlabels_ints").size();
  return scalar_steps(types, static_cast<double>(vectors_of(node) + classes + 1) *
                                 (2.0 * static_cast<double>(elements(types.inputs[0])) + kOfKernel * rows));
}

Prepared prepare_machine(const Node& node, const NodeTypes& types,
                         void (*run)(const SupportVectors&, const KernelArguments&)) {
  auto machine = std::make_shared<const SupportVectors>(node);  // shared: std::function copies its target
  const Shape x = *types.inputs[0].static_shape();
  if (const std::size_t wanted = machine->features(), found = rows_and_columns(node, x).second; found != wanted)
    refuse_numbers(node, "rows have # features, the machine was made for #", {whole(found), whole(wanted)});
  Prepared made;
  const std::size_t kept = machine->vectors_.size() + machine->coefficients.size() + 3 * machine->rho.size();
  const std::size_t working = machine->count() + 2 * machine->classes() * (machine->classes() + 2);
  made.packed_bytes = kept * sizeof(double);
  made.scratch_bytes = bytes_of_copies(types) + working * sizeof(double);
  made.run = [machine = std::move(machine), run](const KernelArguments& a) { run(*machine, a); };
  return made;
}

}  // namespace skerry::ops
