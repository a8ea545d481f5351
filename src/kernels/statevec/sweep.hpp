/// \file
/// Many gates in one pass over the state: each block of amplitudes is brought into the cache once, and within it each
/// tile into registers once per step.
///
/// The index of an amplitude is cut three times. A *sweep* makes some wires local: a block holds all amplitudes that
/// agree on the other, outside wires, and is gathered into a buffer of the second-level cache, real and imaginary parts
/// in vectors of their own. A *step* of the sweep makes some of those wires slots: a tile is 2^slots vectors, so that a
/// gate on a slot combines whole vectors and one on a lane wire (the lowest) moves lanes. The other local wires count
/// the tiles:
///
///     index bits   o o l o l l o l l l l l v v v v     o outside, l local, v local and within a vector
///     block bits       . . s . s s . . v v v v         s slots of this step, . its loop bits
///
/// Diagonal factors and controls never make a wire local or a slot: on an outside wire they are known for the block, on
/// a loop bit for the tile.
#pragma once

#include <array>
#include <atomic>
#include <complex>
#include <cstdint>
#include <memory>
#include <new>
#include <skerry/progress.hpp>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "kernels/statevec/state_view.hpp"

namespace skerry::kernels {

/// How the instruction set in use cuts a tile.
struct TileShape {
  int lane_bits = 0;  ///< wires within a vector: 2^lane_bits numbers of a precision
  int slot_bits = 0;  ///< wires between the vectors of a tile
  int bits() const noexcept { return lane_bits + slot_bits; }
  std::size_t lanes() const noexcept { return std::size_t{1} << lane_bits; }
  std::size_t vectors() const noexcept { return std::size_t{1} << slot_bits; }
};
template <class T>
TileShape tile_shape();

/// What is done to a tile in registers. x0 and x1 are vectors that differ in a slot; x' is x with its lanes moved;
/// all coefficients are vectors, one number per lane. Layouts name the vectors in the order in which they are stored.
enum class TileAction : std::uint8_t {
  pair_real,          ///< x0 + b x1, c x0 + x1; real b, c. Layout: b c
  pair_reflect,       ///< x0 + b x1, c x0 - x1. Layout: b c
  pair_imaginary,     ///< x0 + i b x1, i c x0 + x1. Layout: b c
  quarter_real,       ///< x0 - x1, x0 + x1. Layout: nothing
  quarter_imaginary,  ///< x0 - i x1, x1 - i x0. Layout: nothing
  pair_any,           ///< a x0 + b x1, c x0 + d x1, complex, for each pair. Layout: (a.re a.im … d.im) per pair
  exchange,           ///< x1, x0 where the mask is not 0. Layout: mask per pair
  exchange_rows,      ///< x1, x0 of the pairs that are bits of `data`. Layout: nothing
  lane_real,          ///< x + b x'. Layout: source lanes, b
  lane_reflect,       ///< a x + b x'. Layout: source lanes, a, b
  lane_imaginary,     ///< x + i b x'. Layout: source lanes, b
  lane_any,           ///< a x + b x', complex, for each vector. Layout: source lanes, (a.re a.im b.re b.im) per vector
  lane_permute,       ///< x'. Layout: source lanes per vector
  lane_swap,          ///< a slot and a lane wire change places. Layout: source lanes, mask of the lanes whose bit is 1
  quad,               ///< 4 x 4 complex on two slots, `slot` less significant. Layout: (re im) per entry, row-major
  phase,              ///< x times a complex number of its own for each amplitude of the tile: phase number `data`
  scale,              ///< b x, b real. Layout: b
};

/// One action of a step.
struct TileOp {
  TileAction action{};
  std::uint8_t slot = 0, second_slot = 0;
  std::uint32_t loop_controls = 0;     ///< done where these bits of the tile count are 1
  std::uint64_t outside_controls = 0;  ///< done where these bits of the state's index are 1
  std::uint32_t data = 0;              ///< offset of the coefficients, or number of the phase
};

/// A factor of a phase that is there where all these bits are 1. Layout: (re im) per vector of the tile.
struct PhaseTerm {
  std::uint64_t outside = 0;
  std::uint32_t loop = 0;
  std::uint32_t data = 0;
};
/// A diagonal: base times its terms.
struct Phase {
  std::uint32_t rows = ~std::uint32_t{0};        ///< vectors of the tile that it may change
  bool is_real = false;                          ///< all its numbers are
  std::uint32_t base = 0;                        ///< offset; layout as of a term
  std::uint32_t first_term = 0, term_count = 0;  ///< sorted: those without loop bits, then by lowest bit falling
};

/// One pass over a block.
struct TileStep {
  std::array<std::uint8_t, 4> slots{};  ///< block bits
  std::vector<std::uint8_t> loop_bits;  ///< block bit that bit j of the tile count stands for
  std::uint32_t first_op = 0, op_count = 0;
  std::uint32_t first_phase = 0, phase_count = 0;
};

/// Memory for coefficients, on cache lines.
template <class T>
struct LineAllocator {
  using value_type = T;
  LineAllocator() = default;
  template <class U>
  LineAllocator(const LineAllocator<U>&) {}  // NOLINT(google-explicit-constructor): as allocators do
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* p, std::size_t) noexcept { ::operator delete(p, std::align_val_t{64}); }
  bool operator==(const LineAllocator&) const { return true; }
};

/// A factor of the whole block, there where these bits of the state's index are 1.
struct OutsideFactor {
  std::uint64_t mask = 0;
  std::complex<double> factor;
};

/// One sweep, with all its numbers. Built by sim/statevector; immutable while it is applied.
template <class T>
struct Sweep {
  int wires = 0;                        ///< of the state, at least those of a tile
  std::vector<std::uint8_t> local;      ///< state wire of each block bit; the lane wires are 0, 1, …
  std::vector<std::uint8_t> stored_at;  ///< state wire that each block bit is written to: a permutation of `local`
  std::vector<TileStep> steps;
  std::vector<TileOp> ops;
  std::vector<Phase> phases;
  std::vector<PhaseTerm> terms;
  std::vector<OutsideFactor> factors;  ///< mask 0: of all blocks
  std::vector<T, LineAllocator<T>> data;

  std::size_t block_size() const noexcept { return std::size_t{1} << local.size(); }
  std::uint64_t local_mask() const noexcept;
  /// Block bits beyond the lanes whose wires are among these.
  std::uint64_t zero_bits(std::uint64_t zero_wires) const noexcept;
  /// Numbers that one thread needs beside the state: the block and the levels of its phases.
  std::size_t scratch_size() const noexcept;
};

/// Buffers for the threads of a run. One object per run; its slots are taken and given back by the threads.
template <class T>
class SweepScratch {
 public:
  SweepScratch() = default;
  /// numbers: the largest scratch_size(). Errors: budget_exceeded.
  SweepScratch(std::size_t numbers, int threads, base::MemoryBudget budget);
  static std::uint64_t bytes(std::size_t numbers, int threads) noexcept;

  /// How many buffers there are, and one of them, while nobody holds a lease.
  std::size_t slots() const noexcept { return count_; }
  T* slot(std::size_t i) const noexcept { return numbers_ + i * stride_; }

  /// Holds one buffer for a scope.
  class Lease {
   public:
    explicit Lease(SweepScratch& owner);
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();
    T* data() const noexcept { return data_; }

   private:
    SweepScratch& owner_;
    std::size_t slot_;
    T* data_;
  };

 private:
  std::size_t stride_ = 0;
  std::size_t count_ = 0;
  base::Buffer buffer_;
  T* numbers_ = nullptr;  ///< of the buffer
  std::unique_ptr<std::atomic_flag[]> taken_;
};

/// Bits of `number` dealt out to the places of `mask`, lowest first.
std::uint64_t deal(std::uint64_t number, std::uint64_t mask);

/// Wires that are held at a value: the part of a state that is worked on.
struct HeldWires {
  std::uint64_t wires = 0;
  std::uint64_t values = 0;  ///< bits of the index
};

/// Gives the bytes of the state that were read and written. Applies the sweep in place on up to thread_budget()
/// threads; no bit of the result depends on their number. held: outside wires; nothing beyond is read or written.
/// zero_wires: wires known to be in |0> before the sweep, all amplitudes beyond being 0; they cost nothing outside, and
/// those amplitudes are not read but for neighbours of others within one vector. Errors: what control.check() throws;
/// the state is then of no use.
template <class T>
std::uint64_t apply(const Sweep<T>& sweep, StateView<T> state, std::uint64_t zero_wires, SweepScratch<T>& scratch,
                    const RunControl& control, HeldWires held = {});

}  // namespace skerry::kernels
