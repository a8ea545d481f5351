#include "serve/quotas.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <skerry/error.hpp>

namespace skerry::serve {

Allowance allowance_of(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 4> kSpans = {
      {{"/s", 1.0}, {"/m", 60.0}, {"/h", 3600.0}, {"/d", 86'400.0}}};
  Allowance out;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, out.amount);
  const std::string_view span(stopped, static_cast<std::size_t>(end - stopped));
  const auto found = std::ranges::find(kSpans, span, &std::pair<std::string_view, double>::first);
  if (error != std::errc() || found == kSpans.end() || !(out.amount > 0.0) || !std::isfinite(out.amount)) {
    throw Error(ErrorCode::syntax_error, "'" + std::string(text) + "' is no allowance", {},
                "write 1000/h; s, m, h and d stand for second, minute, hour and day");
  }
  out.seconds = found->second;
  return out;
}

Buckets::Bucket& Buckets::filled(const std::string& name, const Allowance& allowance) {
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  const auto [found, is_new] = buckets_.try_emplace(name, Bucket{allowance.amount, now});
  Bucket& bucket = found->second;
  const double refilled = static_cast<double>(now - bucket.filled_ns) * 1e-9 * allowance.amount / allowance.seconds;
  bucket.left = std::min(allowance.amount, bucket.left + refilled);
  bucket.filled_ns = now;
  return bucket;
}

std::optional<double> Buckets::take(const std::string& name, const Allowance& allowance, double amount) {
  if (allowance.amount <= 0.0) return std::nullopt;
  if (amount > allowance.amount) return std::numeric_limits<double>::infinity();
  const std::lock_guard lock(mutex_);
  Bucket& bucket = filled(name, allowance);
  const double missing = amount - bucket.left;
  if (missing > 0.0) return missing * allowance.seconds / allowance.amount;
  bucket.left -= amount;
  return std::nullopt;
}

void Buckets::charge(const std::string& name, const Allowance& allowance, double amount) {
  if (allowance.amount <= 0.0) return;
  const std::lock_guard lock(mutex_);
  filled(name, allowance).left -= amount;
}

double Buckets::left(const std::string& name, const Allowance& allowance) {
  const std::lock_guard lock(mutex_);
  return filled(name, allowance).left;
}

}  // namespace skerry::serve
