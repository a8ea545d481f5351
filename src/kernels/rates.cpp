#include "kernels/rates.hpp"

namespace skerry::kernels {

#define SKERRY_RATE(name, unit, fallback) double measure_##name(int threads, const RunControl& control);
#include "kernels/rates.def"
#undef SKERRY_RATE

namespace {

struct Row {
  std::string_view name, unit;
  double fallback;
  double (*measure)(int threads, const RunControl& control);
};

constexpr Row kRows[] = {
#define SKERRY_RATE(name, unit, fallback) Row{#name, unit, fallback, measure_##name},
#include "kernels/rates.def"
#undef SKERRY_RATE
};

const Row& row(Rate rate) {
  return kRows[static_cast<std::size_t>(rate)];
}

}  // namespace

std::string_view rate_name(Rate rate) noexcept {
  return row(rate).name;
}
std::string_view rate_unit(Rate rate) noexcept {
  return row(rate).unit;
}

double seconds(const std::vector<Work>& work, const Rates& rates) noexcept {
  double total = 0.0;
  for (const Work& item : work) total += item.units * rates[item.rate];
  return total;
}

Rates fallback_rates(int threads) noexcept {
  Rates rates{.threads = threads};
  for (std::size_t i = 0; i < kRateCount; ++i) rates.seconds_per_unit[i] = kRows[i].fallback;
  return rates;
}

Rates measure_rates(int threads, const RunControl& control) {
  Rates rates{.threads = threads, .measured = true};
  // The least of some rounds: what else runs on the machine comes and goes between them.
  constexpr int kRounds = 4;
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kRateCount; ++i) {
      control.check("measuring this machine");
      const double seconds = kRows[i].measure(threads, control);
      double& least = rates.seconds_per_unit[i];
      if (round == 0 || seconds < least) least = seconds;
    }
  }
  return rates;
}

}  // namespace skerry::kernels
