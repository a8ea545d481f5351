// Pauli frames on vector units, one source for every instruction set. A whole list of steps is run by one dispatched
// call: rows are short, so that a call for each of them would cost as much as the work.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/stabilizer/frames_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/stabilizer/frames.hpp"
#include "kernels/stabilizer/pauli.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<std::uint64_t, kRowWords>;
using V = hn::Vec<D>;

/// Four 32-bit words of as many Philox blocks as there are lanes, each in the low half of a lane.
struct Blocks {
  V c0, c1, c2, c3;
};

/// Products of the low halves of the lanes.
HWY_INLINE V multiply_halves(V a, V b) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(D(), hn::GetLane(a) * hn::GetLane(b));
#else
  const hn::Repartition<std::uint32_t, D> d32;
  return hn::MulEven(hn::BitCast(d32, a), hn::BitCast(d32, b));
#endif
}

/// Ten rounds of Philox4x32; the key is the same for all lanes.
HWY_INLINE Blocks philox(Blocks c, std::uint64_t seed) {
  const D d;
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  const V m0 = hn::Set(d, kMultiplier0), m1 = hn::Set(d, kMultiplier1);
  const auto low = hn::Set(d, 0xffffffffU);
  auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const V p0 = multiply_halves(c.c0, m0), p1 = multiply_halves(c.c2, m1);
    c = Blocks{hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c.c1), hn::Set(d, std::uint64_t{k0})), hn::And(p1, low),
               hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c.c3), hn::Set(d, std::uint64_t{k1})), hn::And(p0, low)};
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return c;
}

HWY_INLINE void randomise(std::uint64_t* row, std::size_t words, std::uint64_t seed, std::uint64_t event,
                          std::uint64_t first_word) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const auto low = hn::Set(d, 0xffffffffU);
  // Half a vector of blocks fills a vector of words; the narrowest vectors take one block at a time.
  for (std::size_t i = 0; i < words; i += 2 * lanes) {
    const auto block = hn::Add(hn::Set(d, (first_word + i) / 2), hn::Iota(d, 0));
    const Blocks out = philox(
        {hn::And(block, low), hn::ShiftRight<32>(block), hn::Set(d, event & 0xffffffffU), hn::Set(d, event >> 32)},
        seed);
    const auto even = hn::Or(out.c0, hn::ShiftLeft<32>(out.c1)), odd = hn::Or(out.c2, hn::ShiftLeft<32>(out.c3));
    HWY_ALIGN std::uint64_t both[2][kRowWords];
    hn::Store(even, d, both[0]);
    hn::Store(odd, d, both[1]);
    for (std::size_t j = 0; j < lanes && i + 2 * j < words; ++j) {
      row[i + 2 * j] = both[0][j];
      row[i + 2 * j + 1] = both[1][j];
    }
  }
}

HWY_INLINE void add(std::uint64_t* to, const std::uint64_t* from, std::size_t words) {
  const D d;
  for (std::size_t i = 0; i < words; i += hn::Lanes(d))
    hn::StoreU(hn::Xor(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
}
HWY_INLINE void exchange(std::uint64_t* one, std::uint64_t* other, std::size_t words) {
  const D d;
  for (std::size_t i = 0; i < words; i += hn::Lanes(d)) {
    const auto a = hn::LoadU(d, one + i), b = hn::LoadU(d, other + i);
    hn::StoreU(b, d, one + i);
    hn::StoreU(a, d, other + i);
  }
}
HWY_INLINE void copy(std::uint64_t* to, const std::uint64_t* from, std::size_t words) {
  const D d;
  for (std::size_t i = 0; i < words; i += hn::Lanes(d)) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
}
HWY_INLINE void clear(std::uint64_t* row, std::size_t words) {
  const D d;
  for (std::size_t i = 0; i < words; i += hn::Lanes(d)) hn::StoreU(hn::Zero(d), d, row + i);
}

void run_steps(std::span<const FrameStep> steps, FrameView& frames) {
  const std::size_t words = frames.words;
  const auto random = [&](std::uint64_t* row) {
    randomise(row, words, frames.seed, frames.event++, frames.first_word);
  };
  for (const FrameStep& step : steps) {
    std::uint64_t *const xa = frames.x + words * step.a, *const za = frames.z + words * step.a;
    std::uint64_t *const xb = frames.x + words * step.b, *const zb = frames.z + words * step.b;
    std::uint64_t* const record = frames.record + words * step.b;
    switch (step.op) {
      case FrameOp::h:
        exchange(xa, za, words);
        break;
      case FrameOp::s:
        add(za, xa, words);
        break;
      case FrameOp::cx:
        add(xb, xa, words);
        add(za, zb, words);
        break;
      case FrameOp::cz:
        add(zb, xa, words);
        add(za, xb, words);
        break;
      case FrameOp::swap:
        exchange(xa, xb, words);
        exchange(za, zb, words);
        break;
      case FrameOp::measure:
        copy(record, xa, words);
        random(za);
        break;
      case FrameOp::measure_x:
        copy(record, za, words);
        random(xa);
        break;
      case FrameOp::reset:
        clear(xa, words);
        random(za);
        break;
      case FrameOp::reset_x:
        clear(za, words);
        random(xa);
        break;
      case FrameOp::x_if:
        add(xa, record, words);
        break;
      case FrameOp::z_if:
        add(za, record, words);
        break;
    }
  }
}

void random_words(std::uint64_t* row, std::size_t words, std::uint64_t seed, std::uint64_t event,
                  std::uint64_t first_word) {
  randomise(row, words, seed, event, first_word);
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(run_steps);
HWY_EXPORT(random_words);

void random_row(std::uint64_t* row, std::size_t words, std::uint64_t seed, std::uint64_t event,
                std::uint64_t first_word) {
  HWY_DYNAMIC_DISPATCH(random_words)(row, words, seed, event, first_word);
}
void run_frames(std::span<const FrameStep> steps, FrameView& frames) {
  HWY_DYNAMIC_DISPATCH(run_steps)(steps, frames);
}

}  // namespace skerry::kernels
#endif
