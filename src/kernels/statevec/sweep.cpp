#include "kernels/statevec/sweep.hpp"

#include <atomic>
#include <bit>

#include "base/lines.hpp"
#include "base/threads.hpp"
#include "kernels/statevec/sweep_run.hpp"

namespace skerry::kernels {

std::uint64_t deal(std::uint64_t number, std::uint64_t mask) {
  std::uint64_t out = 0;
  for (std::uint64_t rest = mask; rest != 0; rest &= rest - 1, number >>= 1)
    if ((number & 1) != 0) out |= rest & (~rest + 1);
  return out;
}

namespace {

std::complex<double> factor_of(std::span<const OutsideFactor> factors, std::uint64_t outside) {
  std::complex<double> product = 1.0;
  for (const OutsideFactor& factor : factors)
    if ((outside & factor.mask) == factor.mask) product *= factor.factor;
  return product;
}

/// Blocks of more numbers than this are worth being shared by threads, one stage after the other.
constexpr std::size_t kSharedBlock = std::size_t{1} << 15;

template <class T>
void run_block(const Sweep<T>& sweep, std::complex<T>* state, std::uint64_t outside, std::uint64_t zero_bits,
               T* scratch, StepState<T>& steps, const RunControl& control) {
  const std::complex<double> factor = factor_of(sweep.factors, outside);
  for (std::size_t stage = 0; stage < sweep.steps.size() + 2; ++stage)
    run_stage(sweep, stage, state, outside, zero_bits, factor, scratch, scratch + 2 * sweep.block_size(), steps, {},
              control);
}

/// The only block of a sweep, in as many parts as there are buffers.
template <class T>
void share_block(const Sweep<T>& sweep, std::complex<T>* state, std::uint64_t outside, std::uint64_t zero_bits,
                 const SweepScratch<T>& scratch, const RunControl& control) {
  constexpr std::size_t most = 16;
  const std::size_t parts = std::min(std::bit_floor(scratch.slots()), most);
  const std::complex<double> factor = factor_of(sweep.factors, outside);
  std::array<StepState<T>, most> steps;
  for (std::size_t stage = 0; stage < sweep.steps.size() + 2; ++stage) {
    base::parallel_for(0, parts, 1, [&](std::size_t part, std::size_t) {
      run_stage(sweep, stage, state, outside, zero_bits, factor, scratch.slot(0),
                scratch.slot(part) + 2 * sweep.block_size(), steps[part], {part, parts}, control);
    });
  }
}

/// States smaller than a tile are run in one.
template <class T>
void apply_padded(const Sweep<T>& sweep, StateView<T> state, T* scratch, const RunControl& control) {
  StepState<T> steps;
  // Not initialised as a whole: the largest tile of any vector unit is longer than most.
  alignas(64) std::array<std::byte, 1024 * sizeof(std::complex<T>)> room;
  auto* const padded = reinterpret_cast<std::complex<T>*>(room.data());
  std::copy_n(state.amplitudes, state.size(), padded);
  std::fill(padded + state.size(), padded + sweep.block_size(), std::complex<T>(0));
  run_block(sweep, padded, 0, 0, scratch, steps, control);
  std::copy_n(padded, state.size(), state.amplitudes);
}

}  // namespace

void look_at(const RunControl& control) {
  control.check("simulation");
}

TileJump tile_jump(const TileOp& op) {
  const auto with_slot = [&](TileJump first) {
    return static_cast<TileJump>(static_cast<std::uint8_t>(first) + op.slot);
  };
  switch (op.action) {
    case TileAction::pair_real:
      return with_slot(TileJump::pair_real_0);
    case TileAction::pair_reflect:
      return with_slot(TileJump::pair_reflect_0);
    case TileAction::pair_imaginary:
      return with_slot(TileJump::pair_imaginary_0);
    case TileAction::quarter_real:
      return with_slot(TileJump::quarter_real_0);
    case TileAction::quarter_imaginary:
      return with_slot(TileJump::quarter_imaginary_0);
    case TileAction::pair_any:
      return with_slot(TileJump::pair_any_0);
    case TileAction::exchange:
      return with_slot(TileJump::exchange_0);
    case TileAction::exchange_rows:
      return with_slot(TileJump::exchange_rows_0);
    case TileAction::lane_swap:
      return with_slot(TileJump::lane_swap_0);
    case TileAction::lane_real:
      return TileJump::lane_real;
    case TileAction::lane_reflect:
      return TileJump::lane_reflect;
    case TileAction::lane_imaginary:
      return TileJump::lane_imaginary;
    case TileAction::lane_any:
      return TileJump::lane_any;
    case TileAction::lane_permute:
      return TileJump::lane_permute;
    case TileAction::quad:
      return op.slot == 1 ? TileJump::quad_12 : op.second_slot == 1 ? TileJump::quad_01 : TileJump::quad_02;
    case TileAction::phase:
      return TileJump::phase;
    case TileAction::scale:
      return TileJump::scale;
  }
  return TileJump::scale;
}

template <class T>
std::uint64_t Sweep<T>::local_mask() const noexcept {
  std::uint64_t mask = 0;
  for (const std::uint8_t wire : local) mask |= std::uint64_t{1} << wire;
  return mask;
}

template <class T>
std::uint64_t Sweep<T>::zero_bits(std::uint64_t zero_wires) const noexcept {
  std::uint64_t bits = 0;
  for (std::size_t b = static_cast<std::size_t>(tile_shape<T>().lane_bits); b < local.size(); ++b)
    bits |= (zero_wires >> local[b] & 1) << b;
  return bits;
}

template <class T>
std::size_t Sweep<T>::scratch_size() const noexcept {
  const std::size_t table = 2 * tile_shape<T>().lanes() * tile_shape<T>().vectors();
  std::size_t most = 0;
  for (const TileStep& step : steps) {
    std::size_t tables = 0;
    for (std::uint32_t i = 0; i < step.phase_count; ++i) {
      const Phase& phase = phases[step.first_phase + i];
      tables += 1 + std::min<std::size_t>(phase.term_count, step.loop_bits.size());
    }
    most = std::max(most, tables);
  }
  return 2 * block_size() + most * table;
}

template <class T>
std::uint64_t SweepScratch<T>::bytes(std::size_t numbers, int threads) noexcept {
  return base::whole_lines(sizeof(T) * numbers) * static_cast<std::uint64_t>(threads);
}

template <class T>
SweepScratch<T>::SweepScratch(std::size_t numbers, int threads, base::MemoryBudget budget)
    : stride_(static_cast<std::size_t>(bytes(numbers, 1)) / sizeof(T)),
      count_(static_cast<std::size_t>(threads)),
      buffer_(base::Buffer::allocate(bytes(numbers, threads), std::move(budget), "blocks of a sweep")),
      numbers_(buffer_.template as<T>().data()),
      taken_(std::make_unique<std::atomic_flag[]>(static_cast<std::size_t>(threads))) {}

template <class T>
SweepScratch<T>::Lease::Lease(SweepScratch& owner) : owner_(owner), slot_(0) {
  // As many buffers as threads: one is always free.
  while (owner.taken_[slot_].test_and_set(std::memory_order_acquire)) slot_ = (slot_ + 1) % owner.count_;
  data_ = owner.slot(slot_);
}

template <class T>
SweepScratch<T>::Lease::~Lease() {
  owner_.taken_[slot_].clear(std::memory_order_release);
}

template <class T>
std::uint64_t apply(const Sweep<T>& sweep, StateView<T> state, std::uint64_t zero_wires, SweepScratch<T>& scratch,
                    const RunControl& control, HeldWires held) {
  const std::uint64_t all = sweep.wires == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << sweep.wires) - 1;
  const std::uint64_t outside = all & ~sweep.local_mask() & ~zero_wires & ~held.wires;
  if (state.wires < sweep.wires) {
    const base::FlushSubnormals flush;
    const typename SweepScratch<T>::Lease lease(scratch);
    apply_padded(sweep, state, lease.data(), control);
    return 2 * sizeof(std::complex<T>) * state.size();
  }
  const std::uint64_t zero_bits = sweep.zero_bits(zero_wires);
  const std::size_t blocks = std::size_t{1} << std::popcount(outside);
  const std::uint64_t moved =
      blocks * sizeof(std::complex<T>) * ((sweep.block_size() >> std::popcount(zero_bits)) + sweep.block_size());
  if (blocks == 1 && scratch.slots() > 1 && sweep.block_size() > kSharedBlock) {
    share_block(sweep, state.amplitudes, held.values, zero_bits, scratch, control);
    return moved;
  }
  base::parallel_for(0, blocks, 1, [&](std::size_t begin, std::size_t end) {
    const typename SweepScratch<T>::Lease lease(scratch);
    StepState<T> steps;
    for (std::size_t block = begin; block < end; ++block) {
      const std::uint64_t index = deal(block, outside) | held.values;
      run_block(sweep, state.amplitudes, index, zero_bits, lease.data(), steps, control);
    }
  });
  return moved;
}

#define SKERRY_INSTANTIATE(T)                                                                                        \
  template struct Sweep<T>;                                                                                          \
  template class SweepScratch<T>;                                                                                    \
  template std::uint64_t apply<T>(const Sweep<T>&, StateView<T>, std::uint64_t, SweepScratch<T>&, const RunControl&, \
                                  HeldWires);
SKERRY_INSTANTIATE(float)
SKERRY_INSTANTIATE(double)
#undef SKERRY_INSTANTIATE

}  // namespace skerry::kernels
