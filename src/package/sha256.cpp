#include "package/sha256.hpp"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace skerry::package {

#if defined(__x86_64__)

namespace {

constexpr std::array<std::uint32_t, 64> kRoundConstants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

__attribute__((target("sha,sse4.1,ssse3"))) inline __m128i load(const void* from) {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

// The instructions keep the eight words of the state as ABEF and CDGH; four rounds use one vector of the schedule.
__attribute__((target("sha,sse4.1,ssse3"))) void blocks(std::array<std::uint32_t, 8>& state, const std::byte* data,
                                                        std::size_t count) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  const __m128i cdab = _mm_shuffle_epi32(load(&state[0]), 0xB1), efgh = _mm_shuffle_epi32(load(&state[4]), 0x1B);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
  for (; count > 0; --count, data += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i w[4];  // sixteen words of the schedule, replaced four at a time
    for (std::size_t i = 0; i < 4; ++i) w[i] = _mm_shuffle_epi8(load(data + 16 * i), big_endian);
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 16; ++i) {
      const __m128i now = w[i % 4];
      const __m128i keyed = _mm_add_epi32(now, load(&kRoundConstants[4 * i]));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, keyed);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(keyed, 0x0E));
      if (i < 12) {
        const __m128i next = w[(i + 1) % 4], third = w[(i + 2) % 4], last = w[(i + 3) % 4];
        const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(now, next), _mm_alignr_epi8(last, third, 4));
        w[i % 4] = _mm_sha256msg2_epu32(sum, last);
      }
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[0]), _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[4]), _mm_alignr_epi8(dchg, feba, 8));
}

}  // namespace

bool has_sha_instructions() noexcept {
  static const bool found = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && ((b >> 29U) & 1U) != 0;
  }();
  return found;
}

#else

namespace {
void blocks(std::array<std::uint32_t, 8>& /*state*/, const std::byte* /*data*/, std::size_t /*count*/) {}
}  // namespace

bool has_sha_instructions() noexcept {
  return false;
}

#endif

void FastSha256::update(std::span<const std::byte> bytes) noexcept {
  bytes_ += bytes.size();
  if (filled_ > 0) {
    const std::size_t taken = std::min(bytes.size(), kBlock - filled_);
    std::ranges::copy(bytes.first(taken), open_.begin() + static_cast<std::ptrdiff_t>(filled_));
    filled_ += taken;
    bytes = bytes.subspan(taken);
    if (filled_ < kBlock) return;
    blocks(state_, open_.data(), 1);
  }
  blocks(state_, bytes.data(), bytes.size() / kBlock);
  filled_ = bytes.size() % kBlock;
  std::ranges::copy(bytes.last(filled_), open_.begin());
}

void FastSha256::finish(std::span<std::byte, 32> digest) noexcept {
  // A one bit, zeros, and the length in bits in the last eight bytes of a block.
  std::array<std::byte, 2 * kBlock> end{};
  std::copy_n(open_.begin(), filled_, end.begin());
  end[filled_] = std::byte{0x80};
  const std::size_t count = filled_ + 9 > kBlock ? 2 : 1;
  const auto put = [](std::byte* to, std::uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; ++i) to[i] = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
  };
  put(end.data() + count * kBlock - 8, 8 * bytes_, 8);
  blocks(state_, end.data(), count);
  for (std::size_t i = 0; i < state_.size(); ++i) put(digest.data() + 4 * i, state_[i], 4);
}

}  // namespace skerry::package
