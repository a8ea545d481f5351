#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>
#include <skerry/error.hpp>
#include <skerry/metrics.hpp>
#include <variant>

#include "base/number_text.hpp"

namespace skerry {
namespace {

[[noreturn]] void refuse_metric(std::string_view name, const std::string& why) {
  throw Error(ErrorCode::invalid_argument, "the metric '" + std::string(name) + "' " + why, "metrics",
              "names are letters, digits and _, and do not begin with a digit");
}

void check_metric_name(std::string_view name, bool is_label) {
  const auto is_letter = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c == ':' && !is_label);
  };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool is_name = !name.empty() && is_letter(name[0]) &&
                       std::ranges::all_of(name, [&](char c) { return is_letter(c) || is_digit(c); });
  if (!is_name) refuse_metric(name, "has a name that cannot be one");
}

std::string metric_escaped(std::string_view text, bool is_label) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || (c == '"' && is_label)) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string metric_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return base::number_text(value);
}

}  // namespace

std::uint64_t HistogramSnapshot::count() const noexcept {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

double HistogramSnapshot::percentile(double share) const noexcept {
  const double wanted = share * static_cast<double>(count());
  double below = 0.0;
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    const auto here = static_cast<double>(counts[bin]);
    if (here > 0.0 && below + here >= wanted) {
      const double from = bin == 0 ? 0.0 : bounds[bin - 1];
      const double to = bin == bounds.size() ? from : bounds[bin];
      return from + (to - from) * (wanted - below) / here;
    }
    below += here;
  }
  return 0.0;
}

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()),
      counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds.size() + 1)) {
  if (bounds_.empty() || !std::ranges::all_of(bounds_, [](double b) { return std::isfinite(b); }) ||
      std::ranges::adjacent_find(bounds_, std::greater_equal<>()) != bounds_.end()) {
    throw Error(ErrorCode::invalid_argument, "the bounds of a histogram do not ascend", "bounds",
                "give finite numbers, each larger than the one before");
  }
}

void Histogram::record(double value) noexcept {
  if (std::isnan(value)) return;  // it lies in no bin and would spoil the sum for good
  const auto bin = static_cast<std::size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin());
  counts_[bin].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

HistogramSnapshot Histogram::snapshot() const {
  HistogramSnapshot all{bounds_, std::vector<std::uint64_t>(bounds_.size() + 1), sum_.load(std::memory_order_relaxed)};
  for (std::size_t bin = 0; bin < all.counts.size(); ++bin)
    all.counts[bin] = counts_[bin].load(std::memory_order_relaxed);
  return all;
}

std::vector<double> growing_bounds(double first, double factor, std::size_t count) {
  std::vector<double> bounds;
  for (; bounds.size() < count; first *= factor) bounds.push_back(first);
  return bounds;
}

void MetricsPage::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += "# HELP " + name_ + " " + metric_escaped(help, false) + "\n# TYPE " + name_ + " " + std::string(type) + "\n";
}

void MetricsPage::sample(std::string_view labels, double value, std::string_view suffix) {
  text_ += name_;
  text_ += suffix;
  if (!labels.empty()) (text_ += '{').append(labels) += '}';
  text_ += " " + metric_number(value) + "\n";
}

void MetricsPage::sample(std::string_view labels, const HistogramSnapshot& histogram) {
  const std::string before = labels.empty() ? std::string() : std::string(labels) + ",";
  std::uint64_t below = 0;
  for (std::size_t bin = 0; bin < histogram.counts.size(); ++bin) {
    below += histogram.counts[bin];
    const bool is_last = bin == histogram.bounds.size();
    sample(before + "le=\"" + (is_last ? "+Inf" : metric_number(histogram.bounds[bin])) + "\"",
           static_cast<double>(below), "_bucket");
  }
  sample(labels, histogram.sum, "_sum");
  sample(labels, static_cast<double>(below), "_count");
}

void MetricsPage::single(std::string_view name, std::string_view type, std::string_view help, double value) {
  family(name, type, help);
  sample({}, value);
}

std::string labels_text(const MetricLabels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    check_metric_name(name, true);
    text += (text.empty() ? "" : ",") + name + "=\"" + metric_escaped(value, true) + "\"";
  }
  return text;
}

struct MetricsCollector::State {
  using Metric = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>>;
  struct Family {
    std::string help;
    std::vector<double> bounds;
    std::map<std::string, Metric> metrics;  // by labels
  };
  mutable std::mutex mutex;
  std::map<std::string, Family, std::less<>> families;

  // make: called once for each name and labels, with the family.
  template <class T, class Make>
  T& find_or_make(std::string_view name, std::string_view help, const MetricLabels& labels, Make make) {
    check_metric_name(name, false);
    const std::string text = labels_text(labels);
    const std::lock_guard lock(mutex);
    Family& family = families.try_emplace(std::string(name), Family{std::string(help), {}, {}}).first->second;
    if (!family.metrics.empty() && !std::holds_alternative<std::unique_ptr<T>>(family.metrics.begin()->second))
      refuse_metric(name, "is already there as one of another type");
    const auto found = family.metrics.find(text);
    if (found != family.metrics.end()) return *std::get<std::unique_ptr<T>>(found->second);
    std::unique_ptr<T> made;
    try {
      made = make(family);
    } catch (...) {
      if (family.metrics.empty()) families.erase(families.find(name));
      throw;
    }
    T& metric = *made;
    family.metrics.emplace(text, std::move(made));
    return metric;
  }
};

MetricsCollector::MetricsCollector() : state_(std::make_unique<State>()) {}
MetricsCollector::~MetricsCollector() = default;

Counter& MetricsCollector::counter(std::string_view name, std::string_view help, const MetricLabels& labels) {
  return state_->find_or_make<Counter>(name, help, labels, [](auto&) { return std::make_unique<Counter>(); });
}

Gauge& MetricsCollector::gauge(std::string_view name, std::string_view help, const MetricLabels& labels) {
  return state_->find_or_make<Gauge>(name, help, labels, [](auto&) { return std::make_unique<Gauge>(); });
}

Histogram& MetricsCollector::histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                                       const MetricLabels& labels) {
  return state_->find_or_make<Histogram>(name, help, labels, [bounds](State::Family& family) {
    if (family.bounds.empty()) family.bounds.assign(bounds.begin(), bounds.end());
    return std::make_unique<Histogram>(family.bounds);
  });
}

std::string MetricsCollector::text() const {
  MetricsPage page;
  const std::lock_guard lock(state_->mutex);
  for (const auto& [name, family] : state_->families) {
    const std::array<std::string_view, 3> types{"counter", "gauge", "histogram"};
    page.family(name, types[family.metrics.begin()->second.index()], family.help);
    for (const auto& [labels, metric] : family.metrics) {
      if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&metric)) {
        page.sample(labels, static_cast<double>((*counter)->value()));
      } else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&metric)) {
        page.sample(labels, (*gauge)->value());
      } else {
        page.sample(labels, std::get<std::unique_ptr<Histogram>>(metric)->snapshot());
      }
    }
  }
  return std::move(page).text();
}

}  // namespace skerry
