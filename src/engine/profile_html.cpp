// One page that needs nothing else: styles inside, the roofline as SVG, no script.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <skerry/profile.hpp>
#include <string_view>
#include <vector>

#include "base/markup.hpp"
#include "plan/budget.hpp"

namespace skerry {
namespace {

constexpr double kWidth = 760.0, kHeight = 420.0, kLeft = 70.0, kBottom = 50.0, kTop = 20.0, kRight = 20.0;
constexpr std::string_view kStyle =
    "body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1c2330;"
    "background:#fff}h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}th,td{padding:.2rem .6rem;"
    "text-align:right;border-bottom:1px solid #e3e6eb;white-space:nowrap}th.l,td.l{text-align:left;white-space:normal}"
    "th{background:#f4f6f9}svg{max-width:100%;height:auto}.bar{background:#3b7dd8;height:.6rem;display:inline-block}"
    "@media(prefers-color-scheme:dark){body{background:#14181f;color:#dde3ec}th{background:#1f2630}"
    "th,td{border-color:#2b3442}}";

std::string formatted(const char* format, auto... values) {
  char text[512];
  const int length = std::snprintf(text, sizeof text, format, values...);
  return {text, static_cast<std::size_t>(std::clamp(length, 0, static_cast<int>(sizeof text) - 1))};
}

// Both axes logarithmic: operations for each byte, operations a second.
class RooflineAxes {
 public:
  explicit RooflineAxes(const Profile& profile) {
    const Peaks& p = profile.peaks;
    take(p.flops_per_second / p.bytes_per_second, p.flops_per_second);
    take(p.int8_per_second / p.bytes_per_second, p.int8_per_second);
    take(p.flops_per_second / p.cached_bytes_per_second, p.flops_per_second);
    for (const ProfiledStep& step : profile.steps) {
      if (has_point(step)) take(step.flops / static_cast<double>(step.bytes), step.flops / step.seconds);
    }
    left_ = std::floor(left_ - 0.3);
    right_ = std::ceil(right_ + 0.3);
    low_ = std::floor(low_);
    high_ = std::ceil(high_ + 0.1);
  }
  static bool has_point(const ProfiledStep& step) { return step.flops > 0.0 && step.bytes > 0 && step.seconds > 0.0; }

  double x(double intensity) const {
    return kLeft + (std::log10(intensity) - left_) / (right_ - left_) * (kWidth - kLeft - kRight);
  }
  double y(double rate) const {
    return kHeight - kBottom - (std::log10(rate) - low_) / (high_ - low_) * (kHeight - kBottom - kTop);
  }
  int first_x() const { return static_cast<int>(left_); }
  int last_x() const { return static_cast<int>(right_); }
  int first_y() const { return static_cast<int>(low_); }
  int last_y() const { return static_cast<int>(high_); }

 private:
  void take(double intensity, double rate) {
    left_ = std::min(left_, std::log10(intensity));
    right_ = std::max(right_, std::log10(intensity));
    low_ = std::min(low_, std::log10(rate));
    high_ = std::max(high_, std::log10(rate));
  }
  double left_ = 0.0, right_ = 1.0, low_ = 9.0, high_ = 10.0;
};

std::string grid(const RooflineAxes& axes) {
  std::string out;
  for (int power = axes.first_x(); power <= axes.last_x(); ++power) {
    const double x = axes.x(std::pow(10.0, power));
    out += formatted(
        "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' class='g'/><text x='%.1f' y='%.1f'>10<tspan dy='-5' "
        "font-size='9'>%d</tspan></text>",
        x, kTop, x, kHeight - kBottom, x - 8, kHeight - kBottom + 18, power);
  }
  for (int power = axes.first_y(); power <= axes.last_y(); ++power) {
    const double y = axes.y(std::pow(10.0, power));
    out += formatted(
        "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' class='g'/><text x='%.1f' y='%.1f'>10<tspan dy='-5' "
        "font-size='9'>%d</tspan></text>",
        kLeft, y, kWidth - kRight, y, kLeft - 34, y + 4, power);
  }
  return out;
}

// From where bytes are what limits to the right end, where arithmetic is.
std::string roof(const RooflineAxes& axes, double arithmetic, double bandwidth, const char* style) {
  const double start = std::pow(10.0, axes.first_x()), end = std::pow(10.0, axes.last_x());
  const double ridge = arithmetic / bandwidth;
  const double low = std::pow(10.0, axes.first_y());
  const double begin = std::max(start, low / bandwidth);
  return formatted("<polyline class='roof' points='%.1f,%.1f %.1f,%.1f %.1f,%.1f' style='%s'/>", axes.x(begin),
                   axes.y(std::min(arithmetic, begin * bandwidth)), axes.x(ridge), axes.y(arithmetic), axes.x(end),
                   axes.y(arithmetic), style);
}

std::string roofline(const Profile& profile) {
  const RooflineAxes axes(profile);
  const Peaks& p = profile.peaks;
  std::string out = formatted(
      "<svg id='roofline' viewBox='0 0 %.0f %.0f' role='img' aria-label='roofline' font-size='12' fill='currentColor'>"
      "<style>.g{stroke:#8884;stroke-width:1}.roof{fill:none;stroke-width:2}circle{fill-opacity:.55}</style>",
      kWidth, kHeight);
  out += grid(axes);
  out += roof(axes, p.flops_per_second, p.bytes_per_second, "stroke:#d1495b");
  out += roof(axes, p.flops_per_second, p.cached_bytes_per_second, "stroke:#d1495b;stroke-dasharray:6 4");
  const bool integers = std::ranges::any_of(profile.steps, &ProfiledStep::int8);
  if (integers) out += roof(axes, p.int8_per_second, p.bytes_per_second, "stroke:#8f5fbf");
  for (const ProfiledStep& step : profile.steps) {
    if (!RooflineAxes::has_point(step)) continue;
    const double share = profile.seconds > 0.0 ? step.seconds / profile.seconds : 0.0;
    out += formatted("<circle cx='%.1f' cy='%.1f' r='%.1f' fill='%s'><title>",
                     axes.x(step.flops / static_cast<double>(step.bytes)), axes.y(step.flops / step.seconds),
                     3.0 + 14.0 * std::sqrt(share), step.int8 ? "#8f5fbf" : "#3b7dd8");
    out += base::escaped_markup(step.op + " " + step.node) +
           formatted(": %.1f %% of the time</title></circle>", 100.0 * share);
  }
  out += formatted("<text x='%.1f' y='%.1f'>operations for each byte</text>", kWidth / 2 - 60, kHeight - 10);
  out +=
      formatted("<text transform='translate(14 %.1f) rotate(-90)'>operations a second</text></svg>", kHeight / 2 + 40);
  return out;
}

std::string table(const Profile& profile) {
  std::vector<const ProfiledStep*> order;
  for (const ProfiledStep& step : profile.steps) order.push_back(&step);
  std::ranges::stable_sort(order, std::greater(), [](const ProfiledStep* step) { return step->seconds; });
  std::string out =
      "<table id='steps'><thead><tr><th class='l'>operator</th><th class='l'>node</th><th class='l'>kernel</th>"
      "<th>time</th><th>share</th><th class='l'></th><th>predicted</th><th>bytes</th><th>GFLOP</th><th>GFLOP/s</th>"
      "<th>of peak</th><th>of roof</th><th class='l'>bound by</th></tr></thead><tbody>\n";
  for (const ProfiledStep* step : order) {
    const double share = profile.seconds > 0.0 ? step->seconds / profile.seconds : 0.0;
    out += "<tr><td class='l'>" + base::escaped_markup(step->op) + "</td><td class='l'>" +
           base::escaped_markup(step->node) + "</td><td class='l'>" + base::escaped_markup(step->kernel) + "</td><td>" +
           planning::seconds_text(step->seconds) + "</td>";
    out += formatted("<td>%.1f %%</td><td class='l'><span class='bar' style='width:%.1frem'></span></td>",
                     100.0 * share, 6.0 * share);
    out += "<td>" + planning::seconds_text(step->predicted_seconds) + "</td><td>" + planning::bytes_text(step->bytes) +
           "</td>";
    out += formatted("<td>%.3g</td><td>%.1f</td><td>%.0f %%</td><td>%.0f %%</td><td class='l'>%s</td></tr>\n",
                     step->flops * 1e-9, step->seconds > 0.0 ? step->flops / step->seconds * 1e-9 : 0.0,
                     100.0 * step->share_of_peak, 100.0 * step->share_of_roof,
                     step->memory_bound ? "bytes" : "arithmetic");
  }
  return out + "</tbody></table>\n";
}

}  // namespace

std::string Profile::html() const {
  const std::string title = base::escaped_markup(name.empty() ? "model" : name);
  std::string out = "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>Profile of " + title +
                    "</title><meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src "
                    "'unsafe-inline'\"><style>" +
                    std::string(kStyle) + "</style></head><body>\n<h1>Profile of " + title + "</h1>\n";
  out +=
      formatted("<p id='summary'>%s in %zu steps, medians of %zu runs on %d threads; %.3g operations, %.1f GFLOP/s; ",
                planning::seconds_text(seconds).c_str(), steps.size(), runs, peaks.threads, flops,
                seconds > 0.0 ? flops / seconds * 1e-9 : 0.0);
  out += planning::bytes_text(bytes) + " read and written.</p>\n";
  out += formatted(
      "<p>This machine: %.1f GFLOP/s in float32, %.1f GOP/s in 8-bit integers, %.1f GB/s from memory (red "
      "line), %.1f GB/s from the cache (dashed), %s. A circle is a step, its area the share of the "
      "time.</p>\n",
      peaks.flops_per_second * 1e-9, peaks.int8_per_second * 1e-9, peaks.bytes_per_second * 1e-9,
      peaks.cached_bytes_per_second * 1e-9, peaks.measured ? "measured" : "not measured");
  return out + roofline(*this) + "\n" + table(*this) + "</body></html>\n";
}

}  // namespace skerry
