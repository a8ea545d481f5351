#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <skerry/error.hpp>
#include <skerry/optimization.hpp>
#include <sstream>
#include <utility>

#include "base/threads.hpp"
#include "ops/nn/flops.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry {
namespace {

constexpr std::string_view kRules =
    "# NAME: when FEATURE < NUMBER and ... then ACTION because REASON\n"
    "one-thread: when flops < 4e5 and threads > 1 then threads 1 because handing out so little work takes longer than "
    "doing it\n"
    "small-steps: when largest_flops < 3e4 and threads > 1 then threads 1 because no single step is worth sharing\n"
    "few-channels: when convolutions > 0 and flops < 1e5 then without channels_last because reordering costs more than "
    "such convolutions\n"
    "short-attention: when attentions > 0 and flops < 1e6 then without fuse_attention because short rows gain "
    "nothing\n";

[[noreturn]] void refuse_rule(std::size_t line, const std::string& message) {
  throw Error(ErrorCode::syntax_error, message, "rules:" + std::to_string(line),
              "write NAME: when FEATURE < NUMBER then threads N because REASON");
}

double parse_real(const std::string& word, std::size_t line) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value))
    refuse_rule(line, "'" + word + "' is not a number");
  return value;
}

void require_pass(const std::string& name) {
  std::string known;
  for (const PassInfo& pass : list_passes()) {
    if (pass.kind != "graph") continue;
    if (pass.name == name) return;
    known += (known.empty() ? "" : ", ") + std::string(pass.name);
  }
  throw Error(ErrorCode::invalid_argument, "there is no pass '" + name + "'", "rules", "passes are " + known);
}

bool holds(double value, std::string_view comparison, double number) {
  if (comparison == "<") return value < number;
  if (comparison == "<=") return value <= number;
  if (comparison == ">") return value > number;
  return value >= number;
}

constexpr std::string_view kFeatureNames[] = {"attentions", "bytes",    "convolutions", "flops",   "largest_flops",
                                              "nodes",      "products", "recurrent",    "threads", "weight_bytes"};

}  // namespace

std::string OptimizationChoice::text() const {
  std::string out(level_name(level));
  if (threads > 0) out += ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  for (const std::string& pass : disabled_passes) out += ", without " + pass;
  return out;
}

OptimizationChoice Proposal::applied(OptimizationChoice choice) const {
  if (level) choice.level = *level;
  if (threads) choice.threads = *threads;
  for (const std::string& pass : without)
    if (std::ranges::find(choice.disabled_passes, pass) == choice.disabled_passes.end())
      choice.disabled_passes.push_back(pass);
  return choice;
}

void OptimizationPolicy::observe(const ModelFeatures&, const OptimizationChoice&, double, double) {}

ModelFeatures model_features(const Graph& graph, std::span<const TensorType> inputs) {
  const Graph concrete = ops::specialize(graph, inputs);
  ModelFeatures features;
  for (const std::string_view name : kFeatureNames) features[std::string(name)] = 0.0;
  for (const Value& value : concrete.values())
    if (value.constant) features["weight_bytes"] += static_cast<double>(value.constant->view().bytes());
  for (const Node& node : concrete.nodes()) {
    const double flops = ops::flops(concrete, node);
    features["nodes"] += 1.0;
    features["flops"] += flops;
    features["largest_flops"] = std::max(features["largest_flops"], flops);
    const std::string& op = node.op;
    if (op.find("Conv") != std::string::npos) features["convolutions"] += 1.0;
    if (op.find("MatMul") != std::string::npos || op.find("Gemm") != std::string::npos) features["products"] += 1.0;
    if (op == "Softmax" || op == "Attention") features["attentions"] += 1.0;
    if (op == "LSTM" || op == "GRU" || op == "RNN") features["recurrent"] += 1.0;
    for (const auto* ids : {&node.inputs, &node.outputs}) {
      for (const ValueId id : *ids) {
        const auto shape = id == kNoValue ? std::nullopt : concrete.value(id).type.static_shape();
        if (shape) features["bytes"] += static_cast<double>(tensor_bytes(concrete.value(id).type.dtype, *shape));
      }
    }
  }
  features["threads"] = base::thread_budget();
  return features;
}

std::string_view RuleBasedPolicy::default_rules() noexcept {
  return kRules;
}

RuleBasedPolicy::RuleBasedPolicy(std::string_view rules) {
  std::istringstream lines{std::string(rules)};
  std::string text;
  for (std::size_t number = 1; std::getline(lines, text); ++number) {
    if (const std::size_t comment = text.find('#'); comment != std::string::npos) text.resize(comment);
    std::istringstream words(text);
    std::string word;
    if (!(words >> word)) continue;
    Rule rule;
    rule.line = text;
    if (word.size() < 2 || word.back() != ':') refuse_rule(number, "a rule begins with its name and a colon");
    rule.proposal.rule = word.substr(0, word.size() - 1);
    if (!(words >> word) || word != "when") refuse_rule(number, "'when' is missing");
    do {
      Condition condition;
      if (!(words >> condition.feature)) refuse_rule(number, "a condition is missing");
      if (condition.feature == "always") continue;
      if (std::ranges::find(kFeatureNames, condition.feature) == std::end(kFeatureNames))
        refuse_rule(number, "there is no feature '" + condition.feature + "'");
      if (!(words >> condition.comparison) || (condition.comparison != "<" && condition.comparison != "<=" &&
                                               condition.comparison != ">" && condition.comparison != ">="))
        refuse_rule(number, "a comparison is missing behind '" + condition.feature + "'");
      if (!(words >> word)) refuse_rule(number, "a number is missing");
      condition.number = parse_real(word, number);
      rule.conditions.push_back(std::move(condition));
    } while (words >> word && word == "and");
    if (!words || word != "then") refuse_rule(number, "'then' is missing");
    std::string action, argument;
    if (!(words >> action >> argument)) refuse_rule(number, "an action is missing");
    if (action == "threads") {
      const double threads = parse_real(argument, number);
      if (threads < 1 || threads > base::kMaxThreads || threads != std::floor(threads))
        refuse_rule(number, "'" + argument + "' threads");
      rule.proposal.threads = static_cast<int>(threads);
    } else if (action == "level") {
      rule.proposal.level = level_from_name(argument);
    } else if (action == "without") {
      require_pass(argument);
      rule.proposal.without.push_back(argument);
    } else {
      refuse_rule(number, "'" + action + "' is no action");
    }
    if (!(words >> word) || word != "because") refuse_rule(number, "'because' is missing");
    std::getline(words >> std::ws, rule.proposal.reason);
    if (rule.proposal.reason.empty()) refuse_rule(number, "the reason is missing");
    rules_.push_back(std::move(rule));
  }
}

std::vector<Proposal> RuleBasedPolicy::propose(const ModelFeatures& features) const {
  std::vector<Proposal> out;
  for (const Rule& rule : rules_) {
    const bool all = std::ranges::all_of(rule.conditions, [&](const Condition& condition) {
      const auto found = features.find(condition.feature);
      return found != features.end() && holds(found->second, condition.comparison, condition.number);
    });
    if (all) out.push_back(rule.proposal);
  }
  return out;
}

std::string RuleBasedPolicy::text() const {
  std::string out;
  for (const Rule& rule : rules_) out += rule.line + "\n";
  return out;
}

std::vector<OptimizationChoice> MLBasedPolicy::default_candidates() {
  std::vector<OptimizationChoice> out;
  for (const int threads : {0, 1}) {
    out.push_back({.threads = threads});
    out.push_back({.disabled_passes = {"channels_last"}, .threads = threads});
    out.push_back({.disabled_passes = {"fuse_attention"}, .threads = threads});
    out.push_back({.level = Level::medium, .threads = threads});
  }
  return out;
}

MLBasedPolicy::MLBasedPolicy(std::vector<OptimizationChoice> candidates, std::vector<double> expected,
                             double exploration)
    : candidates_(std::move(candidates)), prior_(std::move(expected)), exploration_(exploration) {
  if (candidates_.empty())
    throw Error(ErrorCode::invalid_argument, "there are no candidates", "candidates", "give at least one");
  prior_.resize(candidates_.size(), 1.0);
  for (double& ratio : prior_) {
    if (!(ratio > 0.0 && std::isfinite(ratio)))
      throw Error(ErrorCode::invalid_argument, "an expected ratio of " + std::to_string(ratio), "expected");
    ratio = std::log(ratio);
  }
}

std::vector<double> MLBasedPolicy::place_of(const ModelFeatures& features) {
  std::vector<double> place;
  for (const std::string_view name : kFeatureNames) {
    const auto found = features.find(std::string(name));
    place.push_back(found == features.end() ? 0.0 : std::log1p(std::max(found->second, 0.0)));
  }
  return place;
}

MLBasedPolicy::Estimate MLBasedPolicy::estimate(std::span<const double> place, std::size_t candidate) const {
  constexpr double kPriorWeight = 0.5;
  const double prior = candidate < prior_.size() ? prior_[candidate] : 0.0;
  Estimate out{kPriorWeight * prior, kPriorWeight};
  for (const Observation& seen : observations_) {
    if (seen.candidate != candidate) continue;
    double distance = 0.0;
    for (std::size_t i = 0; i < place.size(); ++i) distance += (place[i] - seen.place[i]) * (place[i] - seen.place[i]);
    const double weight = std::exp(-0.5 * distance);
    out.mean += weight * seen.log_ratio;
    out.weight += weight;
  }
  out.mean /= out.weight;
  return out;
}

std::vector<double> MLBasedPolicy::expected_ratios(const ModelFeatures& features) const {
  const std::vector<double> place = place_of(features);
  std::vector<double> out;
  for (std::size_t i = 0; i < candidates_.size(); ++i) out.push_back(std::exp(estimate(place, i).mean));
  return out;
}

std::vector<Proposal> MLBasedPolicy::propose(const ModelFeatures& features) const {
  const std::vector<double> place = place_of(features);
  double total = 1.0 + estimate(place, candidates_.size()).weight;
  std::vector<Estimate> estimates;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    estimates.push_back(estimate(place, i));
    total += estimates.back().weight;
  }
  std::size_t best = candidates_.size();
  double least = 0.0;  // the first choice, which is known
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const double bound = estimates[i].mean - exploration_ * std::sqrt(std::log(total) / estimates[i].weight);
    if (bound < least) {
      least = bound;
      best = i;
    }
  }
  if (best == candidates_.size()) return {};
  const OptimizationChoice& choice = candidates_[best];
  char reason[96];
  std::snprintf(reason, sizeof reason, "models like this one took %.2f of the time, by %.1f observations",
                std::exp(estimates[best].mean), estimates[best].weight);
  return {Proposal{.rule = "measured",
                   .reason = reason,
                   .level = choice.level,
                   .threads = choice.threads,
                   .without = choice.disabled_passes}};
}

void MLBasedPolicy::observe(const ModelFeatures& features, const OptimizationChoice& choice, double seconds,
                            double first_seconds) {
  // A choice that is none of the candidates counts as a run in which they were not tried.
  const auto found = std::ranges::find(candidates_, choice);
  if (!(seconds > 0.0) || !(first_seconds > 0.0)) return;
  observations_.push_back(
      {place_of(features), static_cast<std::size_t>(found - candidates_.begin()), std::log(seconds / first_seconds)});
}

std::string MLBasedPolicy::save() const {
  std::ostringstream out;
  out.precision(17);
  out << "skerry policy 1\n";
  for (const Observation& seen : observations_) {
    out << seen.candidate << ' ' << seen.log_ratio;
    for (const double value : seen.place) out << ' ' << value;
    out << '\n';
  }
  return out.str();
}

void MLBasedPolicy::restore(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string line;
  const auto refuse = [](std::size_t number) {
    throw Error(ErrorCode::syntax_error, "no observation of these candidates", "policy:" + std::to_string(number),
                "give what save() wrote");
  };
  if (!std::getline(lines, line) || line != "skerry policy 1") refuse(1);
  std::vector<Observation> read;
  for (std::size_t number = 2; std::getline(lines, line); ++number) {
    std::istringstream words(line);
    Observation seen;
    if (!(words >> seen.candidate >> seen.log_ratio) || seen.candidate > candidates_.size() ||
        !std::isfinite(seen.log_ratio))
      refuse(number);
    for (double value = 0.0; words >> value;) seen.place.push_back(value);
    if (seen.place.size() != std::size(kFeatureNames)) refuse(number);
    read.push_back(std::move(seen));
  }
  observations_ = std::move(read);
}

}  // namespace skerry
