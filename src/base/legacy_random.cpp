#include "base/legacy_random.hpp"

#include <algorithm>
#include <cmath>

namespace skerry::base {

thread_local RunDraws::State RunDraws::current;

LegacyRandom::LegacyRandom(std::uint32_t seed) noexcept {
  for (std::uint32_t i = 0; i < kWords; ++i) {
    words_[i] = seed;
    seed = 1812433253U * (seed ^ (seed >> 30)) + i + 1;
  }
}

LegacyRandom::LegacyRandom(Philox words) noexcept {
  for (std::uint32_t& word : words_) word = words();
  words_[0] |= 0x80000000U;  // all zeros would stay so
}

void LegacyRandom::refill() noexcept {
  constexpr std::size_t kShift = 397;
  for (std::size_t i = 0; i < kWords; ++i) {
    const std::uint32_t pair = (words_[i] & 0x80000000U) | (words_[(i + 1) % kWords] & 0x7fffffffU);
    words_[i] = words_[(i + kShift) % kWords] ^ (pair >> 1) ^ ((pair & 1U) != 0 ? 0x9908b0dfU : 0U);
  }
  at_ = 0;
}

std::uint32_t LegacyRandom::word() noexcept {
  if (at_ == kWords) refill();
  std::uint32_t word = words_[at_++];
  word ^= word >> 11;
  word ^= (word << 7) & 0x9d2c5680U;
  word ^= (word << 15) & 0xefc60000U;
  return word ^ (word >> 18);
}

double LegacyRandom::uniform() noexcept {
  const auto high = static_cast<double>(word() >> 5);
  const auto low = static_cast<double>(word() >> 6);
  return (high * 0x1p26 + low) * 0x1p-53;
}

double LegacyRandom::normal() noexcept {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double x = 0.0, y = 0.0, square = 0.0;
  do {
    x = 2.0 * uniform() - 1.0;
    y = 2.0 * uniform() - 1.0;
    square = x * x + y * y;
  } while (square >= 1.0 || square == 0.0);
  const double factor = std::sqrt(-2.0 * std::log(square) / square);
  spare_ = factor * x;
  has_spare_ = true;
  return factor * y;
}

bool LegacyRandom::bernoulli(double probability) noexcept {
  return probability <= 0.5 ? inverted(probability) : !inverted(1.0 - probability);
}

// Inversion as it is there for any number of trials: with one, what is beyond both outcomes is drawn again.
bool LegacyRandom::inverted(double probability) noexcept {
  const double none = std::exp(std::log1p(-probability));
  const double one = probability * none / (1.0 - probability);
  for (;;) {
    const double u = uniform();
    if (!(u > none)) return false;
    if (!(u - none > one)) return true;
  }
}

RunDraws::RunDraws(std::uint64_t seed) noexcept : outer_(current) {
  current = {.seed = seed};
}

LegacyRandom RunDraws::of(std::uint32_t name) noexcept {
  return LegacyRandom(Philox(current.seed, std::uint64_t{name} << 32 | current.entered));
}

}  // namespace skerry::base
