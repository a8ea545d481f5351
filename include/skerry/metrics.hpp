/// \file
/// Counters, gauges and histograms, and the page that Prometheus reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry {

/// Something that only grows. From any thread, without a lock.
class Counter {
 public:
  void add(std::uint64_t more = 1) noexcept { value_.fetch_add(more, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Something that goes up and down. From any thread, without a lock.
class Gauge {
 public:
  void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(double more) noexcept { value_.fetch_add(more, std::memory_order_relaxed); }
  double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0.0};
};

/// A histogram at one moment.
struct HistogramSnapshot {
  std::vector<double> bounds;         ///< upper, inclusive, ascending
  std::vector<std::uint64_t> counts;  ///< one for each bound, then the rest
  double sum = 0.0;

  std::uint64_t count() const noexcept;
  /// The value below which this share lies, interpolated inside a bin; the last bound for what lies above it, 0 when
  /// there is nothing.
  double percentile(double share) const noexcept;
};

/// How often values fell between bounds. From any thread, without a lock.
class Histogram {
 public:
  /// Errors: invalid_argument unless bounds ascend and are finite.
  explicit Histogram(std::span<const double> bounds);
  void record(double value) noexcept;
  HistogramSnapshot snapshot() const;

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
  std::atomic<double> sum_{0.0};
};

/// `count` bounds, each `factor` times the one before.
std::vector<double> growing_bounds(double first, double factor, std::size_t count);

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// The text that Prometheus reads (exposition format 0.0.4), family by family. Labels are `a="b",c="d"`, escaped.
class MetricsPage {
 public:
  /// type: `counter`, `gauge` or `histogram`.
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(std::string_view labels, double value, std::string_view suffix = {});
  /// All samples of a histogram.
  void sample(std::string_view labels, const HistogramSnapshot& histogram);
  /// A family of one sample without labels.
  void single(std::string_view name, std::string_view type, std::string_view help, double value);
  std::string text() && { return std::move(text_); }

 private:
  std::string name_, text_;
};

/// Labels as a page wants them. Errors: invalid_argument for a name that is none.
std::string labels_text(const MetricLabels& labels);

/// Metrics by name and labels. What it gave stays where it is as long as the collector lives. From any thread.
///
///     skerry::MetricsCollector metrics;
///     skerry::Counter& runs = metrics.counter("runs_total", "Runs of models", {{"model", "detector"}});
///     runs.add();
///     std::string page = metrics.text();
class MetricsCollector {
 public:
  MetricsCollector();
  ~MetricsCollector();
  MetricsCollector(const MetricsCollector&) = delete;
  MetricsCollector& operator=(const MetricsCollector&) = delete;

  /// The metric of this name and labels, made when it is asked for first. Errors: invalid_argument for a name that
  /// Prometheus would not take, or that is already one of another type.
  Counter& counter(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  /// bounds: of the first call for this name; later ones keep them.
  Histogram& histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                       const MetricLabels& labels = {});
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
