// Numbers for a plan of sweeps: matrices become the coefficients of tile actions, factors become the tables of phases.

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/trace.hpp"
#include "sim/statevector/sweeps.hpp"

namespace skerry::sim {
namespace {

using Complex = std::complex<double>;
using kernels::TileAction;

/// A product of pulled-out scalars smaller than this is put back before numbers grow out of range.
constexpr double kSmallestScale = 0x1p-40;
/// Two units in the last place of a number near 1.
constexpr double kRounding = 0x1p-51;

std::uint64_t bit(unsigned i) {
  return std::uint64_t{1} << i;
}

/// Matrices of the gates, each made when it is first asked for; pieces of a gate are neighbours.
class Matrices {
 public:
  Matrices(const GateList& gates, const ParamValue& value) : gates_(gates), value_(value) {}

  std::span<const Complex> matrix(std::uint32_t gate) {
    if (gate != current_) {
      gate_matrix(gates_, gate, value_, matrix_);
      current_ = gate;
    }
    return matrix_;
  }
  SingleForm form(const Piece& piece) {
    SingleForm form = single_form(matrix(piece.gate));
    // The plan has no place for phases around a gate of this kind; rounding made them.
    if (piece.kind == PieceKind::single && piece.subset == 0 && (form.before != 1.0 || form.after != 1.0)) return {};
    return form;
  }
  Complex factor(const Piece& piece) {
    switch (piece.role) {
      case FactorRole::subset:
        return subset_factor(monomial_entries(matrix(piece.gate)), piece.subset);
      case FactorRole::before:
        return form(piece).before;
      case FactorRole::after:
        return form(piece).after;
    }
    return 1;
  }

 private:
  const GateList& gates_;
  const ParamValue& value_;
  std::uint32_t current_ = 0xffffffffU;
  std::vector<Complex> matrix_;
};

/// Builds one sweep.
template <class T>
class SweepBinder {
 public:
  SweepBinder(const SweepPlan& plan, const ItemPlan& item, Matrices& matrices)
      : plan_(plan), item_(item), matrices_(matrices), lanes_(plan.shape.lanes()), vectors_(plan.shape.vectors()) {}

  kernels::Sweep<T> run() {
    sweep_.wires = std::max(plan_.wires, plan_.shape.bits());
    sweep_.local = item_.local;
    sweep_.stored_at = item_.stored_at;
    for (const StepPlan& step : item_.steps) add_step(step);
    for (const std::uint32_t index : item_.outside) {
      const Piece& piece = plan_.pieces[index];
      sweep_.factors.push_back({piece.z, matrices_.factor(piece)});
    }
    sweep_.factors.push_back({0, scalar_});
    return std::move(sweep_);
  }

 private:
  /// A factor that waits for the next gate that would not let it pass.
  struct Pending {
    std::uint64_t z, outside;
    Complex factor;
  };

  bool is_lane(unsigned block_bit) const { return block_bit < static_cast<unsigned>(plan_.shape.lane_bits); }
  std::size_t slot_of(unsigned block_bit) const {
    return static_cast<std::size_t>(std::ranges::find(step_->slots, block_bit) - step_->slots.begin());
  }

  void add_step(const StepPlan& step) {
    step_ = &step;
    kernels::TileStep out;
    out.slots = step.slots;
    out.loop_bits = step.loop_bits;
    out.first_op = static_cast<std::uint32_t>(sweep_.ops.size());
    out.first_phase = static_cast<std::uint32_t>(sweep_.phases.size());
    tile_bits_ = bit(static_cast<unsigned>(plan_.shape.lane_bits)) - 1;
    for (int s = 0; s < plan_.shape.slot_bits; ++s) tile_bits_ |= bit(step.slots[static_cast<std::size_t>(s)]);
    for (const std::uint32_t index : step.pieces) add_piece(item_.pieces[index]);
    flush_phase();
    out.op_count = static_cast<std::uint32_t>(sweep_.ops.size()) - out.first_op;
    out.phase_count = static_cast<std::uint32_t>(sweep_.phases.size()) - out.first_phase;
    if (out.op_count != 0) sweep_.steps.push_back(std::move(out));
  }

  void add_piece(const LocalPiece& local) {
    if (local.kind == PieceKind::factor) {
      const Complex factor = matrices_.factor(plan_.pieces[local.piece]);
      if (factor != 1.0) pending_.push_back({local.z, local.outside, factor});
      return;
    }
    if (std::ranges::any_of(pending_, [&](const Pending& p) { return (p.z & local.x) != 0; })) flush_phase();
    switch (local.kind) {
      case PieceKind::single:
        return single(local);
      case PieceKind::controlled:
        return two_by_two(local, matrices_.matrix(plan_.pieces[local.piece].gate));
      case PieceKind::exchange:
        return exchange(local);
      case PieceKind::quad:
        return quad(local);
      case PieceKind::swap:
        return swap(local);
      case PieceKind::factor:
      case PieceKind::whole:
        return;
    }
  }

  // Coefficients ----------------------------------------------------------------------------------------------------

  std::uint32_t here() const { return static_cast<std::uint32_t>(sweep_.data.size()); }
  template <class Value>
  void put(Value value) {
    for (std::size_t lane = 0; lane < lanes_; ++lane) sweep_.data.push_back(static_cast<T>(value(lane)));
  }
  void put_same(double value) {
    put([value](std::size_t) { return value; });
  }
  template <class Source>
  void put_sources(Source source) {
    using Index = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    for (std::size_t lane = 0; lane < lanes_; ++lane)
      sweep_.data.push_back(std::bit_cast<T>(static_cast<Index>(source(lane))));
  }
  void put_partners(unsigned lane_bit) {
    put_sources([&](std::size_t lane) { return lane ^ bit(lane_bit); });
  }

  /// Loop bits (of the tile count) among block bits.
  std::uint32_t loop_mask(std::uint64_t bits) const {
    std::uint32_t mask = 0;
    for (std::size_t j = 0; j < step_->loop_bits.size(); ++j)
      if ((bits >> step_->loop_bits[j] & 1) != 0) mask |= std::uint32_t{1} << j;
    return mask;
  }
  /// Block bits that are 1 in a lane of a vector of the tile.
  std::uint64_t tile_index(std::size_t vector, std::size_t lane) const {
    std::uint64_t index = lane;
    for (int s = 0; s < plan_.shape.slot_bits; ++s)
      if ((vector >> s & 1) != 0) index |= bit(step_->slots[static_cast<std::size_t>(s)]);
    return index;
  }
  /// The lower vector of a pair.
  static std::size_t lower(std::size_t slot, std::size_t pair) {
    const std::size_t below = (std::size_t{1} << slot) - 1;
    return ((pair & ~below) << 1) | (pair & below);
  }

  void push(const LocalPiece& local, TileAction action, std::uint32_t data, std::size_t slot = 0,
            std::size_t second = 0) {
    sweep_.ops.push_back({.action = action,
                          .slot = static_cast<std::uint8_t>(slot),
                          .second_slot = static_cast<std::uint8_t>(second),
                          .loop_controls = loop_mask(local.z),
                          .outside_controls = local.outside,
                          .data = data});
  }

  // Gates -----------------------------------------------------------------------------------------------------------

  void single(const LocalPiece& local) {
    const Piece& piece = plan_.pieces[local.piece];
    const SingleForm form = matrices_.form(piece);
    if (form.kind == SingleForm::Kind::any) return two_by_two(local, matrices_.matrix(piece.gate));
    pull_out(form.scalar, local);
    if (form.kind == SingleForm::Kind::real && form.b == 0 && form.c == 0 && !form.reflects) return;
    const bool real = form.kind == SingleForm::Kind::real;
    const std::uint32_t data = here();
    if (is_lane(local.target)) {
      const auto is_one = [&](std::size_t lane) { return (lane >> local.target & 1) != 0; };
      put_partners(local.target);
      if (form.reflects) put([&](std::size_t lane) { return is_one(lane) ? -1.0 : 1.0; });
      put([&](std::size_t lane) { return is_one(lane) ? form.c : form.b; });
      return push(local,
                  !real           ? TileAction::lane_imaginary
                  : form.reflects ? TileAction::lane_reflect
                                  : TileAction::lane_real,
                  data);
    }
    // A quarter turn, but for the rounding of the sine and the cosine that made it.
    const auto is_one = [](double value) { return std::abs(value - 1) < kRounding; };
    if (!form.reflects && is_one(-form.b) && is_one(real ? form.c : -form.c))
      return push(local, real ? TileAction::quarter_real : TileAction::quarter_imaginary, data, slot_of(local.target));
    put_same(form.b);
    put_same(form.c);
    push(local,
         !real           ? TileAction::pair_imaginary
         : form.reflects ? TileAction::pair_reflect
                         : TileAction::pair_real,
         data, slot_of(local.target));
  }

  /// What a form left out is made good for all amplitudes at once; now and then on the way, lest they overflow.
  void pull_out(Complex scalar, const LocalPiece& local) {
    scalar_ *= scalar;
    pulled_ *= std::abs(scalar);
    if (pulled_ >= kSmallestScale) return;
    const std::uint32_t data = here();
    put_same(pulled_);
    LocalPiece everywhere = local;
    everywhere.z = everywhere.outside = 0;
    push(everywhere, TileAction::scale, data);
    scalar_ /= pulled_;
    pulled_ = 1;
  }

  /// Entries of a 2 x 2 matrix, or of the identity where the controls within the tile do not hold.
  Complex entry(std::span<const Complex> matrix, std::size_t i, std::uint64_t controls, std::uint64_t index) const {
    return (index & controls) == controls ? matrix[i] : Complex(i == 0 || i == 3 ? 1 : 0);
  }

  void two_by_two(const LocalPiece& local, std::span<const Complex> matrix) {
    const std::uint64_t controls = local.z & tile_bits_;
    const std::uint32_t data = here();
    if (is_lane(local.target)) {
      put_partners(local.target);
      for (std::size_t vector = 0; vector < vectors_; ++vector) {
        const auto own = [&](std::size_t lane) {
          return entry(matrix, (lane >> local.target & 1) * 3, controls, tile_index(vector, lane));
        };
        const auto other = [&](std::size_t lane) {
          return entry(matrix, (lane >> local.target & 1) + 1, controls, tile_index(vector, lane));
        };
        put([&](std::size_t lane) { return own(lane).real(); });
        put([&](std::size_t lane) { return own(lane).imag(); });
        put([&](std::size_t lane) { return other(lane).real(); });
        put([&](std::size_t lane) { return other(lane).imag(); });
      }
      return push(local, TileAction::lane_any, data);
    }
    const std::size_t slot = slot_of(local.target);
    for (std::size_t pair = 0; pair < vectors_ / 2; ++pair) {
      for (std::size_t i = 0; i < 4; ++i) {
        const auto at = [&](std::size_t lane) {
          return entry(matrix, i, controls, tile_index(lower(slot, pair), lane));
        };
        put([&](std::size_t lane) { return at(lane).real(); });
        put([&](std::size_t lane) { return at(lane).imag(); });
      }
    }
    push(local, TileAction::pair_any, data, slot);
  }

  void exchange(const LocalPiece& local) {
    const std::uint64_t controls = local.z & tile_bits_;
    const auto holds = [&](std::size_t vector, std::size_t lane) {
      return (tile_index(vector, lane) & controls) == controls;
    };
    const std::uint32_t data = here();
    if (is_lane(local.target)) {
      for (std::size_t vector = 0; vector < vectors_; ++vector)
        put_sources([&](std::size_t lane) { return holds(vector, lane) ? lane ^ bit(local.target) : lane; });
      return push(local, TileAction::lane_permute, data);
    }
    const std::size_t slot = slot_of(local.target);
    if ((controls & (bit(static_cast<unsigned>(plan_.shape.lane_bits)) - 1)) == 0) {
      std::uint32_t pairs = 0;
      for (std::size_t pair = 0; pair < vectors_ / 2; ++pair)
        if (holds(lower(slot, pair), 0)) pairs |= std::uint32_t{1} << pair;
      return push(local, TileAction::exchange_rows, pairs, slot);
    }
    for (std::size_t pair = 0; pair < vectors_ / 2; ++pair)
      put([&](std::size_t lane) { return holds(lower(slot, pair), lane) ? 1.0 : 0.0; });
    push(local, TileAction::exchange, data, slot);
  }

  void quad(const LocalPiece& local) {
    const auto matrix = matrices_.matrix(plan_.pieces[local.piece].gate);
    std::size_t slot = slot_of(local.target), second = slot_of(local.second);
    const bool reversed = slot > second;
    if (reversed) std::swap(slot, second);
    const std::uint32_t data = here();
    const auto place = [&](std::size_t r) { return reversed ? (r >> 1 | (r & 1) << 1) : r; };
    for (std::size_t row = 0; row < 4; ++row) {
      for (std::size_t column = 0; column < 4; ++column) {
        put_same(matrix[place(row) * 4 + place(column)].real());
        put_same(matrix[place(row) * 4 + place(column)].imag());
      }
    }
    push(local, TileAction::quad, data, slot, second);
  }

  /// Moves amplitudes: target is a lane wire.
  void swap(const LocalPiece& local) {
    const std::uint32_t data = here();
    if (is_lane(local.second)) {
      const auto exchanged = [&](std::size_t lane) {
        const std::size_t a = lane >> local.target & 1, b = lane >> local.second & 1;
        return a == b ? lane : lane ^ bit(local.target) ^ bit(local.second);
      };
      for (std::size_t vector = 0; vector < vectors_; ++vector) put_sources(exchanged);
      return push(local, TileAction::lane_permute, data);
    }
    put_partners(local.target);
    put([&](std::size_t lane) { return static_cast<double>(lane >> local.target & 1); });
    push(local, TileAction::lane_swap, data, slot_of(local.second));
  }

  // Phases ----------------------------------------------------------------------------------------------------------

  /// Whether a factor may be there somewhere in a vector of the tile.
  bool touches(const Pending& p, std::size_t vector) const {
    const std::uint64_t slots = p.z & tile_bits_ & ~(bit(static_cast<unsigned>(plan_.shape.lane_bits)) - 1);
    return (tile_index(vector, 0) & slots) == slots;
  }

  std::uint32_t put_table(std::span<const Pending> factors) {
    std::vector<Complex> table(vectors_ * lanes_, 1.0);
    for (const Pending& p : factors) {
      const std::uint64_t wanted = p.z & tile_bits_;
      for (std::size_t vector = 0; vector < vectors_; ++vector)
        for (std::size_t lane = 0; lane < lanes_; ++lane)
          if ((tile_index(vector, lane) & wanted) == wanted) table[vector * lanes_ + lane] *= p.factor;
    }
    const std::uint32_t data = here();
    for (std::size_t vector = 0; vector < vectors_; ++vector) {
      put([&](std::size_t lane) { return table[vector * lanes_ + lane].real(); });
      put([&](std::size_t lane) { return table[vector * lanes_ + lane].imag(); });
    }
    return data;
  }

  void flush_phase() {
    if (pending_.empty()) return;
    // By what a factor depends on beyond the tile: first nothing, then outside wires alone, then loop bits.
    const auto key = [&](const Pending& p) { return std::pair(loop_mask(p.z), p.outside); };
    std::ranges::stable_sort(pending_, {}, key);
    kernels::Phase phase;
    phase.rows = 0;
    for (std::size_t vector = 0; vector < vectors_; ++vector)
      if (std::ranges::any_of(pending_, [&](const Pending& p) { return touches(p, vector); }))
        phase.rows |= 1U << vector;
    // Few vectors that it leaves alone are not worth being looked for in every tile.
    if (4 * static_cast<std::size_t>(std::popcount(phase.rows)) > 2 * vectors_) phase.rows = (1U << vectors_) - 1;
    phase.is_real = std::ranges::all_of(pending_, [](const Pending& p) { return p.factor.imag() == 0; });
    phase.first_term = static_cast<std::uint32_t>(sweep_.terms.size());
    std::size_t begin = 0;
    const auto group = [&](std::pair<std::uint32_t, std::uint64_t> wanted) {
      std::size_t end = begin;
      while (end < pending_.size() && key(pending_[end]) == wanted) ++end;
      const std::uint32_t data = put_table(std::span(pending_).subspan(begin, end - begin));
      begin = end;
      return data;
    };
    phase.base = group({0, 0});
    while (begin < pending_.size()) {
      const auto [loop, outside] = key(pending_[begin]);
      sweep_.terms.push_back({outside, loop, group({loop, outside})});
    }
    phase.term_count = static_cast<std::uint32_t>(sweep_.terms.size()) - phase.first_term;
    sweep_.ops.push_back({.action = TileAction::phase, .data = static_cast<std::uint32_t>(sweep_.phases.size())});
    sweep_.phases.push_back(phase);
    pending_.clear();
  }

  const SweepPlan& plan_;
  const ItemPlan& item_;
  Matrices& matrices_;
  std::size_t lanes_, vectors_;
  const StepPlan* step_ = nullptr;
  std::uint64_t tile_bits_ = 0;
  std::vector<Pending> pending_;
  Complex scalar_ = 1;
  double pulled_ = 1;
  kernels::Sweep<T> sweep_;
};

}  // namespace

template <class T>
BoundSweeps<T>::BoundSweeps(const SweepPlan& plan, const GateList& gates, const ParamValue& value, std::size_t begin,
                            std::size_t end, const RunControl& control) {
  Matrices matrices(gates, value);
  items_.reserve(end - begin);
  for (const ItemPlan& item : std::span(plan.items).subspan(begin, end - begin)) {
    control.check("simulation");
    if (!item.is_whole) {
      items_.push_back({SweepBinder<T>(plan, item, matrices).run(), item.wires});
      continue;
    }
    const std::vector<int> targets = gates.targets(item.whole_gate);
    items_.push_back(
        {kernels::Gate<T>(plan.wires, gates.controls(item.whole_gate), targets, matrices.matrix(item.whole_gate)),
         item.wires});
  }
}

template <class T>
std::uint64_t BoundSweeps<T>::apply_item(std::size_t i, kernels::StateView<T> state, std::uint64_t zero_wires,
                                         kernels::SweepScratch<T>& scratch, const RunControl& control,
                                         kernels::HeldWires held) const {
  const Item& item = items_[i];
  base::TraceSpan span("sweep", "sim");
  std::uint64_t moved = 2 * sizeof(std::complex<T>) * state.size();
  if (const auto* sweep = std::get_if<kernels::Sweep<T>>(&item.what))
    moved = kernels::apply(*sweep, state, zero_wires, scratch, control, held);
  else
    std::get<kernels::Gate<T>>(item.what).apply(state, control);
  span.add("bytes_moved", moved);
  return zero_wires & ~item.wires;
}

template <class T>
void BoundSweeps<T>::apply(kernels::StateView<T> state, std::uint64_t zero_wires, kernels::SweepScratch<T>& scratch,
                           const RunControl& control) const {
  for (std::size_t i = 0; i < size(); ++i) zero_wires = apply_item(i, state, zero_wires, scratch, control);
}

template <class T>
std::size_t BoundSweeps<T>::scratch_size() const noexcept {
  std::size_t most = 0;
  for (const Item& item : items_)
    if (const auto* sweep = std::get_if<kernels::Sweep<T>>(&item.what)) most = std::max(most, sweep->scratch_size());
  return most;
}

template class BoundSweeps<float>;
template class BoundSweeps<double>;

}  // namespace skerry::sim
