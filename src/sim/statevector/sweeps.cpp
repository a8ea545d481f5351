#include "sim/statevector/sweeps.hpp"

#include <algorithm>
#include <bit>

#include "base/machine.hpp"
#include "sim/statevector/partition.hpp"

namespace skerry::sim {
namespace {

/// Where the machine does not tell its caches.
constexpr std::uint64_t kUsualL2 = 1 << 20;
/// States of this many wires or fewer are one block: sharing them costs more than it brings.
constexpr int kOneBlock = 13;
/// Blocks at least, as powers of two, of larger states; and wires of a block at least, lest a state of 14 wires takes
/// more sweeps than its threads save.
constexpr int kMinBlockBits = 4;
constexpr int kSmallestBlock = 12;

std::uint64_t bit(unsigned i) {
  return std::uint64_t{1} << i;
}

std::uint64_t lowest(int wires) {
  return bit(static_cast<unsigned>(wires)) - 1;
}

kernels::TileShape shape_of(Precision precision) {
  return precision == Precision::single_precision ? kernels::tile_shape<float>() : kernels::tile_shape<double>();
}

/// Pieces of one sweep, from wires of the state to bits of its block. A swap only changes where a wire is; what the
/// lane wires hold is put back at the end, because a vector is written as a whole.
class Localizer {
 public:
  Localizer(const SweepPlan& plan, ItemPlan& item) : plan_(plan), item_(item), bit_of_(64, 0xff) {
    for (std::size_t b = 0; b < item.local.size(); ++b) bit_of_[item.local[b]] = static_cast<std::uint8_t>(b);
    wire_at_ = item.local;
  }

  void add(std::uint32_t index) {
    const Piece& piece = plan_.pieces[index];
    if (piece.kind == PieceKind::swap) return relabel(piece.target, piece.second);
    if (piece.kind == PieceKind::quad) {
      leave_lane(piece.target, piece.second);
      leave_lane(piece.second, piece.target);
    }
    LocalPiece local{.kind = piece.kind, .piece = index};
    local.x = move(piece.x, local.outside);
    local.z = move(piece.z, local.outside);
    if (piece.x != 0) local.target = bit_of_[piece.target];
    if (piece.kind == PieceKind::quad) local.second = bit_of_[piece.second];
    if (local.x == 0 && local.z == 0)
      item_.outside.push_back(index);
    else
      item_.pieces.push_back(local);
  }

  void finish() {
    for (std::uint8_t lane = 0; lane < plan_.shape.lane_bits; ++lane)
      if (bit_of_[lane] != lane) move_amplitudes(lane, bit_of_[lane]);
    item_.stored_at = wire_at_;
  }

 private:
  void relabel(std::uint8_t a, std::uint8_t b) {
    std::swap(bit_of_[a], bit_of_[b]);
    wire_at_[bit_of_[a]] = a;
    wire_at_[bit_of_[b]] = b;
  }
  void move_amplitudes(std::uint8_t a, std::uint8_t b) {
    item_.pieces.push_back({.kind = PieceKind::swap, .target = a, .second = b, .x = bit(a) | bit(b)});
    relabel(wire_at_[a], wire_at_[b]);
  }
  void leave_lane(std::uint8_t wire, std::uint8_t other) {
    if (bit_of_[wire] >= plan_.shape.lane_bits) return;
    auto free = static_cast<std::uint8_t>(item_.local.size() - 1);
    if (free == bit_of_[other]) --free;
    move_amplitudes(bit_of_[wire], free);
  }
  std::uint64_t move(std::uint64_t wires, std::uint64_t& outside) const {
    std::uint64_t bits = 0;
    for (std::uint64_t rest = wires; rest != 0; rest &= rest - 1) {
      const auto wire = static_cast<unsigned>(std::countr_zero(rest));
      if (bit_of_[wire] == 0xff)
        outside |= bit(wire);
      else
        bits |= bit(bit_of_[wire]);
    }
    return bits;
  }

  const SweepPlan& plan_;
  ItemPlan& item_;
  std::vector<std::uint8_t> bit_of_, wire_at_;
};

/// The same work in an order in which all that can be mixed comes before the next factors, so that these meet in few
/// phases.
std::vector<std::uint32_t> in_rounds(const ItemPlan& item, std::vector<std::uint32_t> todo) {
  std::vector<std::uint32_t> out, left;
  for (bool mixes = true; !todo.empty(); mixes = !mixes) {
    std::uint64_t x = 0, z = 0;  // of what is left behind
    left.clear();
    for (const std::uint32_t i : todo) {
      const LocalPiece& piece = item.pieces[i];
      const bool is_stopped = (piece.x & (x | z)) != 0 || (piece.z & x) != 0;
      if ((piece.x != 0) == mixes && !is_stopped) {
        out.push_back(i);
        continue;
      }
      x |= piece.x;
      z |= piece.z;
      left.push_back(i);
    }
    todo.swap(left);
  }
  return out;
}

StepPlan make_step(const SweepPlan& plan, const ItemPlan& item, const Part& part) {
  const int lane_bits = plan.shape.lane_bits, slot_bits = plan.shape.slot_bits;
  const auto bits = static_cast<int>(item.local.size());
  StepPlan step;
  step.pieces = in_rounds(item, part.taken);
  std::uint64_t slots = part.reach & ~(bit(static_cast<unsigned>(lane_bits)) - 1);
  for (int b = lane_bits; std::popcount(slots) < slot_bits; ++b) slots |= bit(static_cast<unsigned>(b));
  std::uint64_t crossing = 0;
  for (const std::uint32_t i : part.taken)
    if (item.pieces[i].kind == PieceKind::factor) crossing |= item.pieces[i].z;
  std::size_t slot = 0;
  for (int b = lane_bits; b < bits; ++b)
    if ((slots >> b & 1) != 0) step.slots[slot++] = static_cast<std::uint8_t>(b);
  // Bits that a phase depends on turn over slowest, so that its tables are made anew seldom.
  for (const bool crosses : {false, true})
    for (int b = lane_bits; b < bits; ++b)
      if ((slots >> b & 1) == 0 && ((crossing >> b & 1) != 0) == crosses)
        step.loop_bits.push_back(static_cast<std::uint8_t>(b));
  return step;
}

/// Tables that the phases of a step need at most: those that SweepBinder makes when no factor is 1.
std::size_t count_tables(const SweepPlan& plan, const ItemPlan& item, const StepPlan& step) {
  std::uint64_t tile = bit(static_cast<unsigned>(plan.shape.lane_bits)) - 1;
  for (int s = 0; s < plan.shape.slot_bits; ++s) tile |= bit(step.slots[static_cast<std::size_t>(s)]);
  std::size_t tables = 0;
  std::uint64_t pending = 0, loops = 0;
  const auto flush = [&] {
    if (pending != 0) tables += 1 + static_cast<std::size_t>(std::popcount(loops));
    pending = loops = 0;
  };
  for (const std::uint32_t i : step.pieces) {
    const LocalPiece& piece = item.pieces[i];
    if (piece.kind == PieceKind::factor) {
      pending |= piece.z;
      loops |= piece.z & ~tile;
    } else if ((piece.x & pending) != 0) {
      flush();
    }
  }
  flush();
  return tables;
}

void plan_steps(const SweepPlan& plan, ItemPlan& item) {
  std::vector<Reach> reaches;
  std::vector<std::uint32_t> todo;
  for (const LocalPiece& piece : item.pieces) {
    todo.push_back(static_cast<std::uint32_t>(reaches.size()));
    reaches.push_back({piece.x, piece.z});
  }
  const std::uint64_t lanes = bit(static_cast<unsigned>(plan.shape.lane_bits)) - 1;
  while (!todo.empty()) {
    item.steps.push_back(make_step(plan, item, take_part(reaches, todo, lanes, plan.shape.bits())));
    item.tables = std::max(item.tables, count_tables(plan, item, item.steps.back()));
  }
}

/// mixed: wires that the part mixes. Others that are in |0> are made local last: each would double the work.
ItemPlan plan_item(const SweepPlan& plan, const Part& part, std::uint64_t mixed, std::uint64_t zero_wires, int block) {
  ItemPlan item;
  std::uint64_t local = mixed | lowest(plan.shape.lane_bits);
  for (const std::uint64_t left : {zero_wires, std::uint64_t{0}})
    for (int wire = 0; wire < plan.wires && std::popcount(local) < block; ++wire)
      local |= bit(static_cast<unsigned>(wire)) & ~left;
  for (int wire = plan.wires; std::popcount(local) < block; ++wire) local |= bit(static_cast<unsigned>(wire));
  for (std::uint64_t rest = local; rest != 0; rest &= rest - 1)
    item.local.push_back(static_cast<std::uint8_t>(std::countr_zero(rest)));
  item.wires = mixed;
  Localizer localizer(plan, item);
  for (const std::uint32_t index : part.taken) localizer.add(index);
  localizer.finish();
  plan_steps(plan, item);
  return item;
}

ItemPlan whole_item(const Piece& piece) {
  ItemPlan item;
  item.is_whole = true;
  item.whole_gate = piece.gate;
  item.wires = piece.x;
  return item;
}

}  // namespace

int block_wires(int wires, Precision precision) {
  const int least = shape_of(precision).bits();
  if (wires <= kOneBlock) return std::max(wires, least);
  const std::uint64_t known = base::machine().l2_bytes;
  const std::uint64_t l2 = known != 0 ? known : kUsualL2;
  const std::uint64_t amplitude = precision == Precision::single_precision ? 8 : 16;
  const int most = std::max(least, static_cast<int>(std::bit_width(l2 / amplitude)) - 1);
  return std::max(least, std::min(std::max(wires - kMinBlockBits, kSmallestBlock), most));
}

namespace {

/// The pieces of all gates, what each needs, and a plan still without items.
struct Taken {
  SweepPlan plan;
  std::vector<Reach> reaches;
  std::vector<std::uint32_t> todo;
};
Taken take_apart(const GateList& gates, int wires, Precision precision) {
  Taken out;
  out.plan.wires = wires;
  out.plan.shape = shape_of(precision);
  out.plan.pieces = lower(gates);
  // What no sweep does mixes everything, so that nothing passes it.
  for (const Piece& piece : out.plan.pieces) {
    out.todo.push_back(static_cast<std::uint32_t>(out.reaches.size()));
    out.reaches.push_back(piece.kind == PieceKind::whole ? Reach{~std::uint64_t{0}, 0} : Reach{piece.x, piece.z});
  }
  return out;
}

/// Sweeps for some pieces, one after the other, on a state some of whose wires are in |0>.
void add_items(Taken& taken, std::vector<std::uint32_t> todo, int block, std::uint64_t zero_wires = 0,
               const RunControl& control = {}) {
  SweepPlan& plan = taken.plan;
  while (!todo.empty()) {
    control.check("planning");
    const Piece& first = plan.pieces[todo.front()];
    if (first.kind == PieceKind::whole) {
      plan.items.push_back(whole_item(first));
      zero_wires &= ~first.x;
      todo.erase(todo.begin());
      continue;
    }
    const std::uint64_t reach =
        choose_reach(taken.reaches, todo, lowest(plan.shape.lane_bits), block, plan.wires, zero_wires);
    const Part part = take_part(taken.reaches, todo, reach, std::popcount(reach));
    const std::uint64_t mixed = mixed_bits(taken.reaches, part.taken);
    plan.items.push_back(plan_item(plan, part, mixed, zero_wires, block));
    zero_wires &= ~mixed;
  }
}

}  // namespace

SweepPlan plan_sweeps(const GateList& gates, int wires, Precision precision, int block, std::uint64_t zero_wires,
                      const RunControl& control) {
  Taken taken = take_apart(gates, wires, precision);
  const int least = taken.plan.shape.bits();
  if (block == 0) block = block_wires(wires, precision);
  add_items(taken, taken.todo, std::max(std::min(block, wires), least), zero_wires, control);
  return std::move(taken.plan);
}

WindowedPlan plan_windows(const GateList& gates, int wires, Precision precision, int window_wires) {
  Taken taken = take_apart(gates, wires, precision);
  // Stretches of this many amplitudes are read and written as one; the rest of the window may be any wires.
  constexpr int free_wires = 8, longest_stretch = 16;
  const int least = taken.plan.shape.bits();
  const int window = std::max(std::min(window_wires, wires), std::min(least, wires));
  const int stretch = std::min(window, std::max(least, std::min(longest_stretch, window - free_wires)));
  const int block = std::max(least, std::min(block_wires(wires, precision), stretch));
  WindowedPlan out;
  std::vector<std::uint32_t> todo = taken.todo;
  while (!todo.empty()) {
    WindowPass pass{.window = lowest(wires), .begin = taken.plan.items.size(), .end = 0};
    if (taken.plan.pieces[todo.front()].kind == PieceKind::whole) {
      add_items(taken, {todo.front()}, block);
      todo.erase(todo.begin());
    } else {
      Part part = take_part(taken.reaches, todo, lowest(stretch), window);
      // Wires that are still free make the window as large as it may be.
      for (int wire = 0; wire < wires && std::popcount(part.reach) < window; ++wire)
        part.reach |= bit(static_cast<unsigned>(wire));
      pass.window = part.reach;
      add_items(taken, std::move(part.taken), block);
    }
    pass.end = taken.plan.items.size();
    out.passes.push_back(pass);
  }
  out.sweeps = std::move(taken.plan);
  return out;
}

SweepPlan plan_one_by_one(const GateList& gates, int wires, Precision precision) {
  SweepPlan plan;
  plan.wires = wires;
  plan.shape = shape_of(precision);
  const auto size = static_cast<std::uint32_t>(gates.gates.size());
  plan.items.resize(size);
  for (std::uint32_t i = 0; i < size; ++i) {
    const std::uint32_t gate = gates.direction == Direction::forward ? i : size - 1 - i;
    std::uint64_t targets = 0;
    for (const Wire wire : gates[gate].targets()) targets |= bit(gates.positions[wire]);
    plan.items[i].is_whole = true;
    plan.items[i].whole_gate = gate;
    plan.items[i].wires = targets;
  }
  return plan;
}

std::size_t SweepPlan::scratch_size() const noexcept {
  std::size_t most = 0;
  const std::size_t table = 2 * shape.lanes() * shape.vectors();
  for (const ItemPlan& item : items)
    if (!item.is_whole) most = std::max(most, (std::size_t{2} << item.local.size()) + item.tables * table);
  return most;
}

std::size_t SweepPlan::blocks() const noexcept {
  std::size_t most = 1;
  for (const ItemPlan& item : items) {
    const int outside = wires - static_cast<int>(item.local.size());
    if (!item.is_whole && outside > 0) most = std::max(most, std::size_t{1} << outside);
  }
  return most;
}

}  // namespace skerry::sim
