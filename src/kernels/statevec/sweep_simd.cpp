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

#include "kernels/statevec/sweep_run.hpp"

// After highway.h, for each target.
#include "kernels/statevec/tile_simd.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The actions that need more registers than a tile leaves. The compiler would keep a tile in memory in all of the
/// others too if it saw them together, so this is a function of its own on a tile in memory.
template <class T>
HWY_NOINLINE void act_in_memory(TileJump jump, const T* data, T* at, const Strides& strides) {
  Tile<T> x;
  load_tile(x, at, strides);
  if (jump == TileJump::pair_any_0) pair_any<T, 0>(x, data);
  if (jump == TileJump::pair_any_1) pair_any<T, 1>(x, data);
  if (jump == TileJump::lane_any) lane_any<T>(x, data);
  if (jump == TileJump::quad_01) quad<T, 0, 1>(x, data);
  if constexpr (kSlotBits > 2) {
    if (jump == TileJump::pair_any_2) pair_any<T, 2>(x, data);
    if (jump == TileJump::quad_02) quad<T, 0, 2>(x, data);
    if (jump == TileJump::quad_12) quad<T, 1, 2>(x, data);
  }
  store_tile(x, at, strides);
}

/// All actions of a step on the tile `at`, the count-th.
template <class T>
HWY_INLINE void act(const RunningOp<T>* op, std::uint32_t count, T* at, const Strides& strides) {
  Tile<T> x;
  load_tile(x, at, strides);
  for (;; ++op) {
    const T* const data = op->data;
    switch (op->jump) {
      case TileJump::stop:
        return store_tile(x, at, strides);
      case TileJump::skip_unless:
        if ((count & op->bits) != op->bits) ++op;
        continue;
#define SKERRY_SLOTS(action)                            \
  case TileJump::action##_0:                            \
    action<T, 0>(x, data);                              \
    continue;                                           \
  case TileJump::action##_1:                            \
    action<T, 1>(x, data);                              \
    continue;                                           \
  case TileJump::action##_2:                            \
    if constexpr (kSlotBits > 2) action<T, 2>(x, data); \
    continue;
        SKERRY_SLOTS(pair_real)
        SKERRY_SLOTS(pair_reflect)
        SKERRY_SLOTS(pair_imaginary)
        SKERRY_SLOTS(quarter_real)
        SKERRY_SLOTS(quarter_imaginary)
        SKERRY_SLOTS(exchange)
        SKERRY_SLOTS(lane_swap)
#undef SKERRY_SLOTS
      case TileJump::exchange_rows_0:
        exchange_rows<T, 0>(x, op->bits);
        continue;
      case TileJump::exchange_rows_1:
        exchange_rows<T, 1>(x, op->bits);
        continue;
      case TileJump::exchange_rows_2:
        if constexpr (kSlotBits > 2) exchange_rows<T, 2>(x, op->bits);
        continue;
      case TileJump::lane_real:
        lane_real<T>(x, data);
        continue;
      case TileJump::lane_reflect:
        lane_reflect<T>(x, data);
        continue;
      case TileJump::lane_imaginary:
        lane_imaginary<T>(x, data);
        continue;
      case TileJump::lane_permute:
        lane_permute<T>(x, data);
        continue;
      case TileJump::phase:
        phase<T, true>(x, data, op->bits);
        continue;
      case TileJump::phase_of_rows:
        phase<T, false>(x, data, op->bits);
        continue;
      case TileJump::real_phase:
        real_phase<T>(x, data, op->bits);
        continue;
      case TileJump::scale:
        scale<T>(x, data);
        continue;
      case TileJump::pair_any_0:
      case TileJump::pair_any_1:
      case TileJump::pair_any_2:
      case TileJump::lane_any:
      case TileJump::quad_01:
      case TileJump::quad_02:
      case TileJump::quad_12:
        store_tile(x, at, strides);
        act_in_memory(op->jump, data, at, strides);
        load_tile(x, at, strides);
        continue;
    }
    __builtin_unreachable();  // a jump that no plan holds
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

/// The actions of a step for one block, in the form in which they run; gives how many there are.
template <class T>
std::size_t open_step(const Sweep<T>& sweep, const TileStep& step, std::uint64_t outside, T* room,
                      StepState<T>& state) {
  state.phases.resize(std::max<std::size_t>(state.phases.size(), step.phase_count));
  for (std::uint32_t i = 0; i < step.phase_count; ++i)
    open_phase(sweep, sweep.phases[step.first_phase + i], outside, state.phases[i], room);
  state.ops.clear();
  for (const TileOp& op : std::span(sweep.ops).subspan(step.first_op, step.op_count)) {
    if ((outside & op.outside_controls) != op.outside_controls) continue;
    if (op.loop_controls != 0) state.ops.push_back({TileJump::skip_unless, op.loop_controls, nullptr});
    if (op.action == TileAction::exchange_rows) {
      state.ops.push_back({tile_jump(op), op.data, nullptr});
      continue;
    }
    if (op.action != TileAction::phase) {
      state.ops.push_back({tile_jump(op), 0, sweep.data.data() + op.data});
      continue;
    }
    const Phase& phase = sweep.phases[op.data];
    RunningPhase<T>& running = state.phases[op.data - step.first_phase];
    constexpr std::uint32_t all_rows = (std::uint32_t{1} << kVectors) - 1;
    const TileJump jump = phase.is_real                         ? TileJump::real_phase
                          : (phase.rows & all_rows) == all_rows ? TileJump::phase
                                                                : TileJump::phase_of_rows;
    running.op = state.ops.size();
    state.ops.push_back({jump, phase.rows, running.current()});
  }
  state.ops.push_back({TileJump::stop, 0, nullptr});
  return state.ops.size() - 1;
}

/// All phases of a step to tile `count`; see advance_phase.
template <class T>
HWY_NOINLINE void move_phases(const TileStep& step, StepState<T>& state, std::uint32_t count, int level) {
  for (std::uint32_t i = 0; i < step.phase_count; ++i) {
    RunningPhase<T>& running = state.phases[i];
    advance_phase(running, count, level);
    state.ops[running.op].data = running.current();
  }
}

template <class T>
void run_step(const Sweep<T>& sweep, const TileStep& step, std::uint64_t outside, T* block, T* room,
              StepState<T>& state, BlockPart part, const RunControl& control) {
  if (open_step(sweep, step, outside, room, state) == 0) return;
  // Numbers between the vectors of a tile, and the change of address from one tile to the next.
  const std::size_t lanes = hn::Lanes(Tag<T>());
  const int lane_bits = std::countr_zero(lanes);
  const auto distance = [&](int block_bit) { return (lanes * 2) << (block_bit - lane_bits); };
  Strides strides{distance(step.slots[0]), distance(step.slots[1]), 0, 0};
  strides.both = strides.slot0 + strides.slot1;
  if (kSlotBits > 2) strides.slot2 = distance(step.slots[2]);
  std::array<std::size_t, 33> flips{};
  std::size_t flip = 0;
  for (std::size_t j = 0; j < step.loop_bits.size(); ++j) flips[j] = flip ^= distance(step.loop_bits[j]);
  int first_level = 32;
  for (std::uint32_t i = 0; i < step.phase_count; ++i) first_level = std::min(first_level, state.phases[i].first_level);

  // Actions on tiles between two looks, some milliseconds; the tiles between are a power of two.
  constexpr int look_bits = 17;
  const int look_level = std::max(0, look_bits - static_cast<int>(std::bit_width(state.ops.size())));

  const auto tiles = static_cast<std::uint32_t>((std::size_t{1} << step.loop_bits.size()) / part.count);
  // To the part's first tile, from the highest bit of its count down: the same products as on the way there.
  const auto start = static_cast<std::uint32_t>(tiles * part.index);
  T* at = block;
  for (int level = 31; level >= 0; --level) {
    if ((start >> level & 1) == 0) continue;
    at += distance(step.loop_bits[static_cast<std::size_t>(level)]);
    if (level >= first_level) move_phases(step, state, start >> level << level, level);
  }
  for (std::uint32_t count = start;;) {
    act<T>(state.ops.data(), count, at, strides);
    if (++count == start + tiles) break;
    const int level = std::countr_zero(count);
    if (level >= look_level) look_at(control);
    if (level >= first_level) move_phases(step, state, count, level);
    at = block + (static_cast<std::size_t>(at - block) ^ flips[static_cast<std::size_t>(level)]);
  }
}

/// Where the vectors of a block lie in the state, relative to the block's first amplitude, one after the other.
template <class T>
class Chunks {
 public:
  /// places: state wire of each block bit. skipped: block bits that stay 0.
  explicit Chunks(std::span<const std::uint8_t> places, std::uint64_t skipped = 0) {
    const auto lane_bits = static_cast<std::size_t>(std::countr_zero(hn::Lanes(Tag<T>())));
    std::size_t bits = 0, flip = 0, block_flip = 0;
    for (std::size_t j = lane_bits; j < places.size(); ++j) {
      if ((skipped >> j & 1) != 0) continue;
      flips_[bits] = flip ^= std::size_t{1} << places[j];
      block_flips_[bits++] = block_flip ^= std::size_t{1} << (j - lane_bits);
    }
    count_ = std::size_t{1} << bits;
  }
  std::size_t count() const { return count_; }
  /// Goes to the first vector of a part; gives how many it has. Before the first next().
  std::size_t start(BlockPart part) {
    const std::size_t size = count_ / part.count;
    chunk_ = size * part.index;
    // A flip is a bit's own change and those of all below it.
    for (std::size_t bit = 0; chunk_ >> bit != 0; ++bit) {
      if ((chunk_ >> bit & 1) == 0) continue;
      index_ ^= flips_[bit] ^ (bit == 0 ? 0 : flips_[bit - 1]);
      place_ ^= block_flips_[bit] ^ (bit == 0 ? 0 : block_flips_[bit - 1]);
    }
    return size;
  }
  std::size_t index() const { return index_; }
  /// Which vector of the block it is.
  std::size_t place() const { return place_; }
  HWY_INLINE void next() {
    if (++chunk_ >= count_) return;
    const auto bit = static_cast<std::size_t>(std::countr_zero(chunk_));
    index_ ^= flips_[bit];
    place_ ^= block_flips_[bit];
  }

 private:
  std::array<std::size_t, 64> flips_{}, block_flips_{};
  std::size_t count_ = 0, chunk_ = 0, index_ = 0, place_ = 0;
};

/// Vectors between the one being gathered and the one being asked for: some hundreds of nanoseconds.
constexpr std::size_t kAhead = 24;

template <class T>
void gather(const Sweep<T>& sweep, const std::complex<T>* state, std::uint64_t zero_bits, std::complex<double> factor,
            T* block) {
  const Tag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto fre = hn::Set(d, static_cast<T>(factor.real())), fim = hn::Set(d, static_cast<T>(factor.imag()));
  const bool plain = factor == 1.0;
  if (zero_bits != 0) std::fill_n(block, 2 * sweep.block_size(), T(0));
  Chunks<T> here(sweep.local, zero_bits), ahead(sweep.local, zero_bits);
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
    T* const to = block + 2 * lanes * here.place();
    hn::Store(re, d, to);
    hn::Store(im, d, to + lanes);
  }
}

/// streams: past the caches, for a state that does not stay in them.
template <class T>
void scatter(const Sweep<T>& sweep, const T* block, std::complex<T>* state, bool streams, BlockPart part) {
  const Tag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  Chunks<T> here(sweep.stored_at);
  HWY_ALIGN std::array<T, std::size_t{2} * HWY_MAX_BYTES / sizeof(T)> joined;
  for (std::size_t left = here.start(part); left > 0; --left, here.next()) {
    const T* const from = block + 2 * lanes * here.place();
    const auto re = hn::Load(d, from), im = hn::Load(d, from + lanes);
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
void one_stage(const Sweep<T>& sweep, std::size_t stage, std::complex<T>* state, std::uint64_t outside,
               std::uint64_t zero_bits, std::complex<double> factor, T* block, T* room, StepState<T>& steps,
               BlockPart part, const RunControl& control) {
  if (stage == 0) {
    if (part.index == 0) gather(sweep, state + outside, zero_bits, factor, block);
    return;
  }
  if (stage <= sweep.steps.size()) {
    look_at(control);
    return run_step(sweep, sweep.steps[stage - 1], outside, block, room, steps, part, control);
  }
  // More than a last-level cache keeps, and on whole lines.
  constexpr std::size_t large = std::size_t{48} << 20;
  const bool streams =
      (sizeof(std::complex<T>) << sweep.wires) > large && reinterpret_cast<std::uintptr_t>(state) % 64 == 0;
  scatter(sweep, block, state + outside, streams, part);
}

// HWY_EXPORT takes plain functions, so each has a name per precision.
void run_stage_f32(const Sweep<float>& sweep, std::size_t stage, std::complex<float>* state, std::uint64_t outside,
                   std::uint64_t zero_bits, std::complex<double> factor, float* block, float* room,
                   StepState<float>& steps, BlockPart part, const RunControl& control) {
  one_stage<float>(sweep, stage, state, outside, zero_bits, factor, block, room, steps, part, control);
}
void run_stage_f64(const Sweep<double>& sweep, std::size_t stage, std::complex<double>* state, std::uint64_t outside,
                   std::uint64_t zero_bits, std::complex<double> factor, double* block, double* room,
                   StepState<double>& steps, BlockPart part, const RunControl& control) {
  one_stage<double>(sweep, stage, state, outside, zero_bits, factor, block, room, steps, part, control);
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

HWY_EXPORT(run_stage_f32);
HWY_EXPORT(run_stage_f64);
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
void run_stage<float>(const Sweep<float>& sweep, std::size_t stage, std::complex<float>* state, std::uint64_t outside,
                      std::uint64_t zero_bits, std::complex<double> factor, float* block, float* room,
                      StepState<float>& steps, BlockPart part, const RunControl& control) {
  HWY_DYNAMIC_DISPATCH(run_stage_f32)
  (sweep, stage, state, outside, zero_bits, factor, block, room, steps, part, control);
}
template <>
void run_stage<double>(const Sweep<double>& sweep, std::size_t stage, std::complex<double>* state,
                       std::uint64_t outside, std::uint64_t zero_bits, std::complex<double> factor, double* block,
                       double* room, StepState<double>& steps, BlockPart part, const RunControl& control) {
  HWY_DYNAMIC_DISPATCH(run_stage_f64)
  (sweep, stage, state, outside, zero_bits, factor, block, room, steps, part, control);
}

}  // namespace skerry::kernels
#endif
