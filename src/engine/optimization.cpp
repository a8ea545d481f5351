#include <algorithm>
#include <chrono>
#include <cmath>
#include <skerry/error.hpp>
#include <skerry/optimization.hpp>
#include <utility>

#include "base/trace.hpp"
#include "plan/budget.hpp"

namespace skerry {
namespace {

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// A choice ready to be run.
class CompiledChoice {
 public:
  CompiledChoice(const Graph& graph, OptimizationChoice choice, const OptimizationOptions& options)
      : choice_(std::move(choice)), measure_(&options.measure) {
    CompileOptions compiling{.level = choice_.level, .disabled_passes = choice_.disabled_passes};
    compiling.control = options.limits.control;
    graph_ = std::make_shared<const Graph>(std::get<Graph>(compile(graph, compiling).program));
    Limits limits = options.limits;
    if (choice_.threads > 0) limits.threads = choice_.threads;
    session_.emplace(graph_, limits, Level::low);  // the passes have been chosen
  }

  NamedTensors answers(const NamedTensors& inputs) { return session_->run(inputs).tensors; }
  double seconds(const NamedTensors& inputs) {
    if (*measure_) return (*measure_)(choice_);
    const auto begin = std::chrono::steady_clock::now();
    session_->run(inputs);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  const OptimizationChoice& choice() const { return choice_; }
  const Graph& graph() const { return *graph_; }

 private:
  OptimizationChoice choice_;
  const std::function<double(const OptimizationChoice&)>* measure_;
  std::shared_ptr<const Graph> graph_;  // shared with the session
  std::optional<Session> session_;
};

// By turns, so that what disturbs the machine disturbs both.
std::pair<double, double> compared(CompiledChoice& a, CompiledChoice& b, const NamedTensors& inputs, std::size_t runs) {
  std::vector<double> of_a, of_b;
  for (std::size_t i = 0; i < std::max<std::size_t>(runs, 1); ++i) {
    of_a.push_back(a.seconds(inputs));
    of_b.push_back(b.seconds(inputs));
  }
  return {median_of(std::move(of_a)), median_of(std::move(of_b))};
}

template <class T>
double largest_difference(const Tensor& a, const Tensor& b) {
  double most = 0.0, largest = 0.0;
  const auto x = a.as<T>(), y = b.as<T>();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto p = static_cast<double>(x[i]), q = static_cast<double>(y[i]);
    if (std::isnan(p) && std::isnan(q)) continue;
    if (p == q) continue;
    most = std::max(most, std::isfinite(p) && std::isfinite(q) ? std::abs(p - q) : HUGE_VAL);
    largest = std::max(largest, std::abs(q));
  }
  return largest > 0.0 ? most / largest : most;
}

bool same_answers(const NamedTensors& a, const NamedTensors& b, double tolerance) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Tensor &x = a[i].second, &y = b[i].second;
    if (x.dtype() != y.dtype() || x.shape() != y.shape()) return false;
    if (x.dtype() == DType::f32) {
      if (!(largest_difference<float>(x, y) <= tolerance)) return false;
    } else if (x.dtype() == DType::f64) {
      if (!(largest_difference<double>(x, y) <= tolerance)) return false;
    } else if (!std::equal(x.view().data(), x.view().data() + x.view().bytes(), y.view().data())) {
      return false;
    }
  }
  return true;
}

}  // namespace

OptimizationManager::OptimizationManager(std::shared_ptr<OptimizationPolicy> policy, OptimizationOptions options)
    : policy_(std::move(policy)), options_(std::move(options)) {
  if (policy_ == nullptr) throw Error(ErrorCode::invalid_argument, "there is no policy", "policy");
  if (!(options_.least_gain >= 0.0 && options_.least_gain < 1.0))
    throw Error(ErrorCode::invalid_argument, "least_gain is " + std::to_string(options_.least_gain), "least_gain",
                "give a part from 0 to below 1");
}

OptimizedModel OptimizationManager::optimize(const Graph& graph, const NamedTensors& inputs) {
  const base::TraceSpan span("optimize", "engine");
  CompiledChoice first(graph, options_.first, options_);
  const NamedTensors right = first.answers(inputs);
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) {
    const auto given = std::ranges::find_if(inputs, [&](const auto& i) { return i.first == graph.value(id).name; });
    types.push_back(TensorType::of(given->second.dtype(), given->second.shape()));
  }
  const ModelFeatures features = model_features(graph, types);
  OptimizedModel out;
  std::optional<CompiledChoice> best;  // empty: the first
  for (Proposal& proposal : policy_->propose(features)) {
    CompiledChoice& now = best ? *best : first;
    OptimizationTrial trial{.proposal = std::move(proposal), .why = {}};
    trial.choice = trial.proposal.applied(now.choice());
    if (trial.choice == now.choice()) {
      trial.why = "it is so already";
      out.trials.push_back(std::move(trial));
      continue;
    }
    std::optional<CompiledChoice> tried;
    try {
      tried.emplace(graph, trial.choice, options_);
      if (!same_answers(tried->answers(inputs), right, options_.tolerance)) trial.why = "its answers differ";
    } catch (const Error& error) {
      trial.why = error.what();
    }
    if (trial.why.empty()) {
      std::tie(trial.seconds, trial.against_seconds) = compared(*tried, now, inputs, options_.runs);
      policy_->observe(features, trial.choice, trial.seconds, trial.against_seconds);
      trial.kept = trial.seconds <= (1.0 - options_.least_gain) * trial.against_seconds;
      if (trial.kept) {
        best.emplace(std::move(*tried));
      } else {
        trial.why = "it saves too little";
      }
    }
    out.trials.push_back(std::move(trial));
  }
  if (best) {
    std::tie(out.seconds, out.first_seconds) = compared(*best, first, inputs, options_.runs);
    if (out.seconds >= out.first_seconds) best.reset();
  }
  if (!best) out.seconds = out.first_seconds = compared(first, first, inputs, options_.runs).first;
  out.choice = best ? best->choice() : first.choice();
  out.graph = best ? best->graph() : first.graph();
  return out;
}

std::string OptimizedModel::explain() const {
  std::string out;
  for (const OptimizationTrial& trial : trials) {
    out += trial.choice.text() + ": rule " + trial.proposal.rule + ", because " + trial.proposal.reason + "; ";
    if (trial.seconds > 0.0)
      out += planning::seconds_text(trial.seconds) + " against " + planning::seconds_text(trial.against_seconds) + ", ";
    out += (trial.kept ? "kept" : "not kept: " + trial.why) + "\n";
  }
  return out + choice.text() + ": " + planning::seconds_text(seconds) + ", at first " +
         planning::seconds_text(first_seconds) + "\n";
}

}  // namespace skerry
