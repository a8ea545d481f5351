// The inside of a sweep on vector units: gathering a block, running its steps on tiles held in registers, and writing
// it back. One source for every instruction set, chosen at run time.
//
// A block is stored as vectors of real parts, each followed by the vector of the imaginary parts:
//
//     re re re re | im im im im | re re re re | im im im im | …       with four lanes
//
// so that a product with a real number is one instruction per vector and one with i is a change of names.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/statevec/sweep_simd.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <array>
#include <bit>
#include <utility>

#include "kernels/statevec/sweep_run.hpp"

// A lambda that is not inlined would have its tile in memory.
#ifndef SKERRY_INLINE
#define SKERRY_INLINE __attribute__((always_inline)) HWY_ATTR
#endif

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A tile of 2^3 vectors, real and imaginary, takes half of 32 registers; where there are 16, 2^2 do.
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kSlotBits = 3;
#else
constexpr int kSlotBits = 2;
#endif
constexpr std::size_t kVectors = std::size_t{1} << kSlotBits;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vector = hn::Vec<Tag<T>>;

/// Calls fn(constant 0), fn(constant 1), … so that every index into a tile is known to the compiler.
template <std::size_t n, class Function>
HWY_INLINE void unrolled(Function fn) {
  const auto call = [&]<std::size_t... i>(std::index_sequence<i...>)
                        SKERRY_INLINE { (fn(std::integral_constant<std::size_t, i>()), ...); };
  call(std::make_index_sequence<n>());
}

template <class T>
struct Tile {
  std::array<Vector<T>, kVectors> re, im;
};

/// The lower member of pair number `pair` of vectors that differ in slot `slot`.
template <std::size_t slot>
constexpr std::size_t lower(std::size_t pair) {
  constexpr std::size_t below = (std::size_t{1} << slot) - 1;
  return ((pair & ~below) << 1) | (pair & below);
}

template <class T>
HWY_INLINE Vector<T> coefficient(const T* data, std::size_t i) {
  return hn::Load(Tag<T>(), data + i * hn::Lanes(Tag<T>()));
}
template <class T>
HWY_INLINE auto source_lanes(const T* data, std::size_t i) {
  using Index = hwy::MakeSigned<T>;
  return hn::SetTableIndices(Tag<T>(), reinterpret_cast<const Index*>(data) + i * hn::Lanes(Tag<T>()));
}

template <class T, std::size_t slot, bool reflects = false>
HWY_INLINE void pair_real(Tile<T>& x, const T* data) {
  const auto b = coefficient(data, 0), c = coefficient(data, 1);
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    const auto re = x.re[i], im = x.im[i];
    x.re[i] = hn::MulAdd(b, x.re[j], re);
    x.im[i] = hn::MulAdd(b, x.im[j], im);
    x.re[j] = reflects ? hn::MulSub(c, re, x.re[j]) : hn::MulAdd(c, re, x.re[j]);
    x.im[j] = reflects ? hn::MulSub(c, im, x.im[j]) : hn::MulAdd(c, im, x.im[j]);
  });
}
template <class T, std::size_t slot>
HWY_INLINE void pair_reflect(Tile<T>& x, const T* data) {
  pair_real<T, slot, true>(x, data);
}

template <class T, std::size_t slot>
HWY_INLINE void pair_imaginary(Tile<T>& x, const T* data) {
  const auto b = coefficient(data, 0), c = coefficient(data, 1);
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    const auto re = x.re[i], im = x.im[i];
    x.re[i] = hn::NegMulAdd(b, x.im[j], re);
    x.im[i] = hn::MulAdd(b, x.re[j], im);
    x.re[j] = hn::NegMulAdd(c, im, x.re[j]);
    x.im[j] = hn::MulAdd(c, re, x.im[j]);
  });
}

/// a x + b y, complex.
template <class V>
struct Complex {
  V re, im;
};
template <class V>
HWY_INLINE Complex<V> combine(V are, V aim, V bre, V bim, V xre, V xim, V yre, V yim) {
  const auto re = hn::MulAdd(bre, yre, hn::Mul(are, xre));
  const auto im = hn::MulAdd(bre, yim, hn::Mul(are, xim));
  return {hn::NegMulAdd(bim, yim, hn::NegMulAdd(aim, xim, re)), hn::MulAdd(bim, yre, hn::MulAdd(aim, xre, im))};
}

template <class T, std::size_t slot>
HWY_INLINE void pair_any(Tile<T>& x, const T* data) {
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot), at = 8 * pair;
    const auto first = combine(coefficient(data, at), coefficient(data, at + 1), coefficient(data, at + 2),
                               coefficient(data, at + 3), x.re[i], x.im[i], x.re[j], x.im[j]);
    const auto second = combine(coefficient(data, at + 4), coefficient(data, at + 5), coefficient(data, at + 6),
                                coefficient(data, at + 7), x.re[i], x.im[i], x.re[j], x.im[j]);
    x.re[i] = first.re, x.im[i] = first.im;
    x.re[j] = second.re, x.im[j] = second.im;
  });
}

template <class T, std::size_t slot>
HWY_INLINE void exchange(Tile<T>& x, const T* data) {
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    const auto mask = hn::Ne(coefficient(data, pair), hn::Zero(Tag<T>()));
    const auto re = x.re[i], im = x.im[i];
    x.re[i] = hn::IfThenElse(mask, x.re[j], re);
    x.im[i] = hn::IfThenElse(mask, x.im[j], im);
    x.re[j] = hn::IfThenElse(mask, re, x.re[j]);
    x.im[j] = hn::IfThenElse(mask, im, x.im[j]);
  });
}

template <class T, std::size_t slot>
HWY_INLINE void lane_swap(Tile<T>& x, const T* data) {
  const auto from = source_lanes(data, 0);
  const auto mask = hn::Ne(coefficient(data, 1), hn::Zero(Tag<T>()));
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    const auto re = x.re[i], im = x.im[i];
    x.re[i] = hn::IfThenElse(mask, hn::TableLookupLanes(x.re[j], from), re);
    x.im[i] = hn::IfThenElse(mask, hn::TableLookupLanes(x.im[j], from), im);
    x.re[j] = hn::IfThenElse(mask, x.re[j], hn::TableLookupLanes(re, from));
    x.im[j] = hn::IfThenElse(mask, x.im[j], hn::TableLookupLanes(im, from));
  });
}

template <class T>
HWY_INLINE void lane_real(Tile<T>& x, const T* data) {
  const auto from = source_lanes(data, 0);
  const auto b = coefficient(data, 1);
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    x.re[i] = hn::MulAdd(b, hn::TableLookupLanes(x.re[i], from), x.re[i]);
    x.im[i] = hn::MulAdd(b, hn::TableLookupLanes(x.im[i], from), x.im[i]);
  });
}

template <class T>
HWY_INLINE void lane_reflect(Tile<T>& x, const T* data) {
  const auto from = source_lanes(data, 0);
  const auto a = coefficient(data, 1), b = coefficient(data, 2);
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    x.re[i] = hn::MulAdd(b, hn::TableLookupLanes(x.re[i], from), hn::Mul(a, x.re[i]));
    x.im[i] = hn::MulAdd(b, hn::TableLookupLanes(x.im[i], from), hn::Mul(a, x.im[i]));
  });
}

template <class T>
HWY_INLINE void lane_imaginary(Tile<T>& x, const T* data) {
  const auto from = source_lanes(data, 0);
  const auto b = coefficient(data, 1);
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    const auto re = hn::TableLookupLanes(x.re[i], from), im = hn::TableLookupLanes(x.im[i], from);
    x.re[i] = hn::NegMulAdd(b, im, x.re[i]);
    x.im[i] = hn::MulAdd(b, re, x.im[i]);
  });
}

template <class T>
HWY_INLINE void lane_any(Tile<T>& x, const T* data) {
  const auto from = source_lanes(data, 0);
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    constexpr std::size_t at = 1 + 4 * i;
    const auto re = hn::TableLookupLanes(x.re[i], from), im = hn::TableLookupLanes(x.im[i], from);
    const auto sum = combine(coefficient(data, at), coefficient(data, at + 1), coefficient(data, at + 2),
                             coefficient(data, at + 3), x.re[i], x.im[i], re, im);
    x.re[i] = sum.re, x.im[i] = sum.im;
  });
}

template <class T>
HWY_INLINE void lane_permute(Tile<T>& x, const T* data) {
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    const auto from = source_lanes(data, i);
    x.re[i] = hn::TableLookupLanes(x.re[i], from);
    x.im[i] = hn::TableLookupLanes(x.im[i], from);
  });
}

template <class T, std::size_t slot, std::size_t second>
HWY_INLINE void quad(Tile<T>& x, const T* data) {
  constexpr std::size_t p = std::size_t{1} << slot, q = std::size_t{1} << second;
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    if constexpr ((i & (p | q)) == 0) {
      constexpr std::array<std::size_t, 4> at = {i, i + p, i + q, i + p + q};
      std::array<Complex<Vector<T>>, 4> sum;
      unrolled<4>([&](auto row) SKERRY_INLINE {
        const T* m = data + 8 * row * hn::Lanes(Tag<T>());
        const auto first = combine(coefficient(m, 0), coefficient(m, 1), coefficient(m, 2), coefficient(m, 3),
                                   x.re[at[0]], x.im[at[0]], x.re[at[1]], x.im[at[1]]);
        const auto rest = combine(coefficient(m, 4), coefficient(m, 5), coefficient(m, 6), coefficient(m, 7),
                                  x.re[at[2]], x.im[at[2]], x.re[at[3]], x.im[at[3]]);
        sum[row] = {hn::Add(first.re, rest.re), hn::Add(first.im, rest.im)};
      });
      unrolled<4>([&](auto row) SKERRY_INLINE { x.re[at[row]] = sum[row].re, x.im[at[row]] = sum[row].im; });
    }
  });
}

template <class T, bool all_rows>
HWY_INLINE void phase(Tile<T>& x, const T* table, std::uint32_t rows) {
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    if (!all_rows && (rows >> i & 1) == 0) return;
    const auto pre = coefficient(table, 2 * i), pim = coefficient(table, 2 * i + 1);
    const auto re = x.re[i];
    x.re[i] = hn::NegMulAdd(pim, x.im[i], hn::Mul(pre, re));
    x.im[i] = hn::MulAdd(pim, re, hn::Mul(pre, x.im[i]));
  });
}

template <class T>
HWY_INLINE void real_phase(Tile<T>& x, const T* table, std::uint32_t rows) {
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    if ((rows >> i & 1) == 0) return;
    const auto p = coefficient(table, 2 * i);
    x.re[i] = hn::Mul(p, x.re[i]);
    x.im[i] = hn::Mul(p, x.im[i]);
  });
}

template <class T>
HWY_INLINE void scale(Tile<T>& x, const T* data) {
  const auto b = coefficient(data, 0);
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    x.re[i] = hn::Mul(b, x.re[i]);
    x.im[i] = hn::Mul(b, x.im[i]);
  });
}

template <class T>
HWY_INLINE void load_tile(Tile<T>& x, const T* at, const std::array<std::size_t, kVectors>& offsets) {
  const Tag<T> d;
  unrolled<kVectors>([&](auto r) SKERRY_INLINE {
    x.re[r] = hn::Load(d, at + offsets[r]);
    x.im[r] = hn::Load(d, at + offsets[r] + hn::Lanes(d));
  });
}
template <class T>
HWY_INLINE void store_tile(const Tile<T>& x, T* at, const std::array<std::size_t, kVectors>& offsets) {
  const Tag<T> d;
  unrolled<kVectors>([&](auto r) SKERRY_INLINE {
    hn::Store(x.re[r], d, at + offsets[r]);
    hn::Store(x.im[r], d, at + offsets[r] + hn::Lanes(d));
  });
}

/// The actions that need more registers than a tile leaves. The compiler would keep a tile in memory in all of the
/// others too if it saw them together, so this is a function of its own on a tile in memory.
template <class T>
HWY_NOINLINE void act_in_memory(TileJump jump, const T* data, T* at, const std::array<std::size_t, kVectors>& offsets) {
  Tile<T> x;
  load_tile(x, at, offsets);
  if (jump == TileJump::pair_any_0) pair_any<T, 0>(x, data);
  if (jump == TileJump::pair_any_1) pair_any<T, 1>(x, data);
  if (jump == TileJump::lane_any) lane_any<T>(x, data);
  if (jump == TileJump::quad_01) quad<T, 0, 1>(x, data);
  if constexpr (kSlotBits > 2) {
    if (jump == TileJump::pair_any_2) pair_any<T, 2>(x, data);
    if (jump == TileJump::quad_02) quad<T, 0, 2>(x, data);
    if (jump == TileJump::quad_12) quad<T, 1, 2>(x, data);
  }
  store_tile(x, at, offsets);
}

template <class T>
HWY_INLINE void act(Tile<T>& x, TileJump jump, std::uint32_t rows, const T* data, T* at,
                    const std::array<std::size_t, kVectors>& offsets) {
  switch (jump) {
#define SKERRY_SLOTS(action)                            \
  case TileJump::action##_0:                            \
    return action<T, 0>(x, data);                       \
  case TileJump::action##_1:                            \
    return action<T, 1>(x, data);                       \
  case TileJump::action##_2:                            \
    if constexpr (kSlotBits > 2) action<T, 2>(x, data); \
    return;
    SKERRY_SLOTS(pair_real)
    SKERRY_SLOTS(pair_reflect)
    SKERRY_SLOTS(pair_imaginary)
    SKERRY_SLOTS(exchange)
    SKERRY_SLOTS(lane_swap)
#undef SKERRY_SLOTS
    case TileJump::lane_real:
      return lane_real<T>(x, data);
    case TileJump::lane_reflect:
      return lane_reflect<T>(x, data);
    case TileJump::lane_imaginary:
      return lane_imaginary<T>(x, data);
    case TileJump::lane_permute:
      return lane_permute<T>(x, data);
    case TileJump::phase:
      return phase<T, true>(x, data, rows);
    case TileJump::phase_of_rows:
      return phase<T, false>(x, data, rows);
    case TileJump::real_phase:
      return real_phase<T>(x, data, rows);
    case TileJump::scale:
      return scale<T>(x, data);
    case TileJump::pair_any_0:
    case TileJump::pair_any_1:
    case TileJump::pair_any_2:
    case TileJump::lane_any:
    case TileJump::quad_01:
    case TileJump::quad_02:
    case TileJump::quad_12:
      store_tile(x, at, offsets);
      act_in_memory(jump, data, at, offsets);
      return load_tile(x, at, offsets);
  }
}

/// Numbers in one table of a phase.
template <class T>
HWY_INLINE std::size_t table_size() {
  return 2 * kVectors * hn::Lanes(Tag<T>());
}

/// to <- a b, tables of complex numbers.
template <class T>
HWY_INLINE void multiply_tables(const T* a, const T* b, std::uint32_t rows, T* to) {
  const Tag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t i = 0; i < table_size<T>(); i += 2 * lanes, rows >>= 1) {
    if ((rows & 1) == 0) continue;
    const auto are = hn::Load(d, a + i), aim = hn::Load(d, a + i + lanes);
    const auto bre = hn::Load(d, b + i), bim = hn::Load(d, b + i + lanes);
    hn::Store(hn::NegMulAdd(aim, bim, hn::Mul(are, bre)), d, to + i);
    hn::Store(hn::MulAdd(aim, bre, hn::Mul(are, bim)), d, to + i + lanes);
  }
}

/// The terms that hold in this block; the base takes in those that do not depend on the tile.
template <class T>
void open_phase(const Sweep<T>& sweep, const Phase& phase, std::uint64_t outside, RunningPhase<T>& running, T*& room) {
  const T* data = sweep.data.data();
  const T* base = data + phase.base;
  running.terms.clear();
  for (const PhaseTerm& term : std::span(sweep.terms).subspan(phase.first_term, phase.term_count)) {
    if ((outside & term.outside) != term.outside) continue;
    if (term.loop != 0) {
      running.terms.push_back({term.loop, data + term.data});
      continue;
    }
    multiply_tables(base, data + term.data, phase.rows, room);
    base = room;
  }
  if (base == room) room += table_size<T>();
  running.levels.fill(base);
  running.first_level = 32;
  running.rows = phase.rows;
  for (const auto& term : running.terms) {
    running.first_level = std::min(running.first_level, std::countr_zero(term.loop));
  }
  for (int level = running.first_level; level < 32; ++level) {
    running.level_room[static_cast<std::size_t>(level)] = room;
    if (std::ranges::any_of(running.terms, [&](const auto& term) { return std::countr_zero(term.loop) == level; }))
      room += table_size<T>();
  }
}

/// Moves a phase on to tile `count`, whose lowest bit that is 1 is `level`: the levels below start anew.
template <class T>
HWY_INLINE void advance_phase(RunningPhase<T>& running, std::uint32_t count, int level) {
  if (level < running.first_level) return;
  const T* table = running.levels[static_cast<std::size_t>(level) + 1];
  T* room = running.level_room[static_cast<std::size_t>(level)];
  for (const auto& term : running.terms) {
    if (std::countr_zero(term.loop) != level || (count & term.loop) != term.loop) continue;
    multiply_tables(table, term.table, running.rows, room);
    table = room;
  }
  for (int below = running.first_level; below <= level; ++below)
    running.levels[static_cast<std::size_t>(below)] = table;
}

template <class T>
void run_step(const Sweep<T>& sweep, const TileStep& step, std::uint64_t outside, T* block, T* room,
              StepState<T>& state) {
  const Tag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const int lane_bits = std::countr_zero(lanes);
  state.phases.resize(std::max<std::size_t>(state.phases.size(), step.phase_count));
  for (std::uint32_t i = 0; i < step.phase_count; ++i)
    open_phase(sweep, sweep.phases[step.first_phase + i], outside, state.phases[i], room);
  state.ops.clear();
  for (const TileOp& op : std::span(sweep.ops).subspan(step.first_op, step.op_count)) {
    if ((outside & op.outside_controls) != op.outside_controls) continue;
    if (op.action != TileAction::phase) {
      state.ops.push_back({tile_jump(op), op.loop_controls, 0, 0, sweep.data.data() + op.data});
      continue;
    }
    const Phase& phase = sweep.phases[op.data];
    constexpr std::uint32_t all_rows = (std::uint32_t{1} << kVectors) - 1;
    const TileJump jump = phase.is_real                         ? TileJump::real_phase
                          : (phase.rows & all_rows) == all_rows ? TileJump::phase
                                                                : TileJump::phase_of_rows;
    state.ops.push_back({jump, op.loop_controls, op.data - step.first_phase, phase.rows, nullptr});
  }
  if (state.ops.empty()) return;
  // Numbers between the vectors of a tile, and the change of address from one tile to the next.
  std::array<std::size_t, kVectors> offsets{};
  for (std::size_t r = 0; r < kVectors; ++r)
    for (std::size_t s = 0; s < kSlotBits; ++s)
      if ((r >> s & 1) != 0) offsets[r] += (lanes * 2) << (step.slots[s] - lane_bits);
  std::array<std::size_t, 33> flips{};
  std::size_t flip = 0;
  for (std::size_t j = 0; j < step.loop_bits.size(); ++j)
    flips[j] = flip ^= (lanes * 2) << (step.loop_bits[j] - lane_bits);

  const RunningOp<T>* const ops = state.ops.data();
  const std::size_t op_count = state.ops.size();
  const std::uint32_t tiles = std::uint32_t{1} << step.loop_bits.size();
  T* at = block;
  for (std::uint32_t count = 0;;) {
    Tile<T> x;
    load_tile(x, at, offsets);
    for (std::size_t i = 0; i < op_count; ++i) {
      const RunningOp<T>& op = ops[i];
      if ((count & op.loop_controls) != op.loop_controls) continue;
      const T* data = op.data;
      if (data == nullptr) data = state.phases[op.phase].current();
      act<T>(x, op.jump, op.rows, data, at, offsets);
    }
    store_tile(x, at, offsets);
    if (++count == tiles) break;
    const int level = std::countr_zero(count);
    for (std::uint32_t i = 0; i < step.phase_count; ++i) advance_phase(state.phases[i], count, level);
    at = block + (static_cast<std::size_t>(at - block) ^ flips[static_cast<std::size_t>(level)]);
  }
}

/// Where the vectors of a block lie in the state, relative to the block's first amplitude, one after the other.
template <class T>
class Chunks {
 public:
  /// places: state wire of each block bit.
  explicit Chunks(std::span<const std::uint8_t> places) {
    const auto lane_bits = static_cast<std::size_t>(std::countr_zero(hn::Lanes(Tag<T>())));
    std::size_t flip = 0;
    for (std::size_t j = lane_bits; j < places.size(); ++j) flips_[j - lane_bits] = flip ^= std::size_t{1} << places[j];
    count_ = std::size_t{1} << (places.size() - lane_bits);
  }
  std::size_t count() const { return count_; }
  std::size_t index() const { return index_; }
  HWY_INLINE void next() {
    if (++chunk_ < count_) index_ ^= flips_[static_cast<std::size_t>(std::countr_zero(chunk_))];
  }

 private:
  std::array<std::size_t, 64> flips_{};
  std::size_t count_ = 0, chunk_ = 0, index_ = 0;
};

/// Vectors between the one being gathered and the one being asked for: some hundreds of nanoseconds.
constexpr std::size_t kAhead = 24;

template <class T>
void gather(const Sweep<T>& sweep, const std::complex<T>* state, std::complex<double> factor, T* block) {
  const Tag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto fre = hn::Set(d, static_cast<T>(factor.real())), fim = hn::Set(d, static_cast<T>(factor.imag()));
  const bool plain = factor == 1.0;
  Chunks<T> here(sweep.local), ahead(sweep.local);
  for (std::size_t i = 0; i < kAhead; ++i) ahead.next();
  for (std::size_t chunk = 0; chunk < here.count(); ++chunk, here.next(), ahead.next()) {
    // The places are too far apart for the hardware to guess the next.
    for (std::size_t line = 0; line < 2 * lanes * sizeof(T); line += 64)
      hwy::Prefetch(reinterpret_cast<const std::byte*>(state + ahead.index()) + line);
    Vector<T> re, im;
    hn::LoadInterleaved2(d, reinterpret_cast<const T*>(state + here.index()), re, im);
    if (!plain) {
      const auto old = re;
      re = hn::NegMulAdd(fim, im, hn::Mul(fre, old));
      im = hn::MulAdd(fim, old, hn::Mul(fre, im));
    }
    hn::Store(re, d, block + 2 * lanes * chunk);
    hn::Store(im, d, block + 2 * lanes * chunk + lanes);
  }
}

/// streams: past the caches, for a state that does not stay in them.
template <class T>
void scatter(const Sweep<T>& sweep, const T* block, std::complex<T>* state, bool streams) {
  const Tag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  Chunks<T> here(sweep.stored_at);
  HWY_ALIGN std::array<T, 2 * HWY_MAX_BYTES / sizeof(T)> joined;
  for (std::size_t chunk = 0; chunk < here.count(); ++chunk, here.next()) {
    const auto re = hn::Load(d, block + 2 * lanes * chunk), im = hn::Load(d, block + 2 * lanes * chunk + lanes);
    T* const to = reinterpret_cast<T*>(state + here.index());
    if (!streams) {
      hn::StoreInterleaved2(re, im, d, to);
      continue;
    }
    hn::StoreInterleaved2(re, im, d, joined.data());
    hn::Stream(hn::Load(d, joined.data()), d, to);
    hn::Stream(hn::Load(d, joined.data() + lanes), d, to + lanes);
  }
  if (streams) hwy::FlushStream();
}

template <class T>
void whole_block(const Sweep<T>& sweep, std::complex<T>* state, std::uint64_t outside, std::complex<double> factor,
                 T* scratch, StepState<T>& step_state, const RunControl& control) {
  T* block = scratch;
  T* room = scratch + 2 * sweep.block_size();
  gather(sweep, state + outside, factor, block);
  for (const TileStep& step : sweep.steps) {
    control.check("simulation");
    run_step(sweep, step, outside, block, room, step_state);
  }
  // More than a last-level cache keeps, and on whole lines.
  constexpr std::size_t large = std::size_t{48} << 20;
  const bool streams =
      (sizeof(std::complex<T>) << sweep.wires) > large && reinterpret_cast<std::uintptr_t>(state) % 64 == 0;
  scatter(sweep, block, state + outside, streams);
}

// HWY_EXPORT takes plain functions, so each has a name per precision.
void run_block_f32(const Sweep<float>& sweep, std::complex<float>* state, std::uint64_t outside,
                   std::complex<double> factor, float* scratch, StepState<float>& steps, const RunControl& control) {
  whole_block<float>(sweep, state, outside, factor, scratch, steps, control);
}
void run_block_f64(const Sweep<double>& sweep, std::complex<double>* state, std::uint64_t outside,
                   std::complex<double> factor, double* scratch, StepState<double>& steps, const RunControl& control) {
  whole_block<double>(sweep, state, outside, factor, scratch, steps, control);
}
TileShape shape_f32() {
  return {std::countr_zero(hn::Lanes(Tag<float>())), kSlotBits};
}
TileShape shape_f64() {
  return {std::countr_zero(hn::Lanes(Tag<double>())), kSlotBits};
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
namespace {

HWY_EXPORT(run_block_f32);
HWY_EXPORT(run_block_f64);
HWY_EXPORT(shape_f32);
HWY_EXPORT(shape_f64);

}  // namespace

template <>
TileShape tile_shape<float>() {
  return HWY_DYNAMIC_DISPATCH(shape_f32)();
}
template <>
TileShape tile_shape<double>() {
  return HWY_DYNAMIC_DISPATCH(shape_f64)();
}
template <>
void run_block<float>(const Sweep<float>& sweep, std::complex<float>* state, std::uint64_t outside,
                      std::complex<double> factor, float* scratch, StepState<float>& steps, const RunControl& control) {
  HWY_DYNAMIC_DISPATCH(run_block_f32)(sweep, state, outside, factor, scratch, steps, control);
}
template <>
void run_block<double>(const Sweep<double>& sweep, std::complex<double>* state, std::uint64_t outside,
                       std::complex<double> factor, double* scratch, StepState<double>& steps,
                       const RunControl& control) {
  HWY_DYNAMIC_DISPATCH(run_block_f64)(sweep, state, outside, factor, scratch, steps, control);
}

}  // namespace skerry::kernels
#endif
