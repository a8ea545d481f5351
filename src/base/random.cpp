#include "base/random.hpp"

namespace skerry::base {
namespace {

// Multipliers and Weyl constants of the paper: the pair of multipliers passes BigCrush at 7 rounds; golden ratio and
// sqrt(3) - 1 as 32-bit fractions.
constexpr std::uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

constexpr std::uint32_t low_half(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}
constexpr std::uint32_t high_half(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32);
}

}  // namespace

Philox::Philox(std::uint64_t seed, std::uint64_t stream) noexcept
    : key_{low_half(seed), high_half(seed)}, stream_(stream) {}

Philox::Counter Philox::block(Counter counter, Key key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {high_half(product1) ^ counter[1] ^ key[0], low_half(product1), high_half(product0) ^ counter[3] ^ key[1],
               low_half(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

void Philox::seek(std::uint64_t draw) noexcept {
  draw_ = draw;
  if ((draw & 3) != 0) refill();  // a block's first draw fills it anyway
}

void Philox::refill() noexcept {
  const std::uint64_t index = draw_ / 4;
  words_ = block({low_half(index), high_half(index), low_half(stream_), high_half(stream_)}, key_);
}

}  // namespace skerry::base
