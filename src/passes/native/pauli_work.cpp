#include "passes/native/pauli_work.hpp"

#include <algorithm>

namespace skerry::passes::native {

PauliWork::PauliWork(const PauliProgram& program, const std::vector<std::uint8_t>& measured)
    : program_(program),
      measured_(measured),
      count_(program.rotations.size()),
      table_(program.wires, count_ + std::size_t{3} * program.wires),
      out_(program.wires),
      standing_(table_.words(), 0),
      rows_(table_.words(), 0) {
  for (std::size_t k = 0; k < count_; ++k) {
    table_.set(k, program.rotations[k].x, program.rotations[k].z, false);
    set(standing_, k);
  }
  for (Wire w = 0; w < program.wires; ++w) {
    const Pauli &x = program.x_rows[w], &z = program.z_rows[w];
    table_.set(z_row(w), z.x, z.z, z.is_negative());
    if (is_measured(w)) continue;
    // With the product the three rows weigh the same whatever stands before the wire.
    const Pauli product = x * z;
    table_.set(x_row(w), x.x, x.z, x.is_negative());
    table_.set(product_row(w), product.x, product.z, false);
  }
  mark_rows();
  find_order();
}

void PauliWork::mark_rows() {
  for (Wire w = 0; w < wires(); ++w) {
    set(rows_, z_row(w));
    if (is_measured(w)) continue;
    set(rows_, x_row(w));
    set(rows_, product_row(w));
  }
}

// Conjugation keeps who commutes with whom, so the order is found once.
void PauliWork::find_order() {
  left_ = count_;
  blocked_by_.assign(count_, 0);
  blocks_.resize(count_);
  for (std::size_t k = 0; k < count_; ++k) {
    for (std::size_t j = 0; j < k; ++j) {
      const auto &a = program_.rotations[j], &b = program_.rotations[k];
      if ((std::popcount(a.x & b.z) + std::popcount(a.z & b.x)) % 2 == 0) continue;
      ++blocked_by_[k];
      blocks_[j].push_back(static_cast<std::uint32_t>(k));
    }
  }
  layers_.assign(kPauliLayers, Mask(table_.words(), 0));
  find_layers();
}

void PauliWork::find_layers() {
  for (Mask& mask : layers_) std::ranges::fill(mask, 0);
  front_.clear();
  std::vector<std::uint32_t> now, next, taken;
  for (std::uint32_t k = 0; k < count_; ++k) {
    if (has(standing_, k) && blocked_by_[k] == 0) now.push_back(k);
  }
  front_ = now;
  for (std::size_t layer = 0; layer < kPauliLayers && !now.empty(); ++layer) {
    next.clear();
    for (const std::uint32_t k : now) {
      set(layers_[layer], k);
      if (layer + 1 == kPauliLayers) continue;
      for (const std::uint32_t later : blocks_[k]) {
        taken.push_back(later);
        if (--blocked_by_[later] == 0) next.push_back(later);
      }
    }
    now = next;
  }
  for (const std::uint32_t k : taken) ++blocked_by_[k];
}

void PauliWork::emit_ready() {
  bool again = true;
  while (again) {
    again = false;
    for (const std::uint32_t k : std::vector<std::uint32_t>(front_)) {
      const auto support = table_.support(k);
      if (support.size() > 1) continue;
      emit(k, support);
      standing_[k / 64] &= ~(std::uint64_t{1} << (k % 64));
      --left_;
      for (const std::uint32_t later : blocks_[k]) --blocked_by_[later];
      again = true;
    }
    if (again) find_layers();
  }
}

void PauliWork::emit(std::size_t k, const std::vector<Wire>& wires) {
  if (wires.empty()) return;  // a global phase
  const Wire w = wires[0];
  const double sign = table_.negative(k) ? -1 : 1;
  const Param& angle = program_.rotations[k].angle;
  const Letter letter = table_.letter(k, w);
  if (angle.is_constant()) {
    const double value = sign * angle.value;
    out_.one(w, letter == Letter::x ? rx_matrix(value) : letter == Letter::y ? ry_matrix(value) : rz_matrix(value));
    return;
  }
  // The letter is turned to plus Z around the symbolic turn; X and Y before it change the sign.
  const U2 before = letter == Letter::x   ? h_matrix()
                    : letter == Letter::y ? rx_matrix(1.57079632679489661923)
                                          : U2::identity();
  out_.one(w, sign < 0 ? x_matrix() * before : before);
  out_.turn(w, angle);
  out_.one(w, adjoint(sign < 0 ? x_matrix() * before : before));
}

void PauliWork::apply(const PauliMove& move) {
  into(move.a, move.p, Letter::z);
  into(move.b, move.q, Letter::x);
  table_.cx(move.a, move.b);
  out_.cx(move.a, move.b);
}

// Turns a wire so that one letter becomes another, up to sign.
void PauliWork::into(Wire w, Letter from, Letter to) {
  if (from == to) return;
  if (from == Letter::y) {  // S: Y -> -X
    gate_s(w);
    from = Letter::x;
  }
  if (from != to) gate_h(w);
}

void PauliWork::gate_h(Wire w) {
  table_.h(w);
  out_.one(w, h_matrix());
}

void PauliWork::gate_s(Wire w) {
  table_.s(w);
  out_.one(w, {{1, 0, 0, Complex(0, 1)}});
}

bool PauliWork::row_done(Wire w) const {
  return table_.weight(z_row(w)) == 1 &&
         (is_measured(w) || (table_.weight(x_row(w)) == 1 && table_.weight(product_row(w)) == 1));
}

void PauliWork::keep_rows_only() {
  const std::size_t count = std::size_t{3} * wires();
  PauliTable rows(wires(), count);
  for (std::size_t k = 0; k < count; ++k) {
    std::uint64_t x = 0, z = 0;
    for (Wire w = 0; w < wires(); ++w) {
      const auto letter = static_cast<unsigned>(table_.letter(count_ + k, w));
      x |= std::uint64_t{letter & 1U} << w;
      z |= std::uint64_t{letter >> 1U} << w;
    }
    rows.set(k, x, z, table_.negative(count_ + k));
  }
  table_ = std::move(rows);
  count_ = 0;
  rows_.assign(table_.words(), 0);
  for (Mask& layer : layers_) layer.assign(table_.words(), 0);
  mark_rows();
}

Flat PauliWork::last_gates() {
  std::vector<Wire> places(wires());
  for (Wire w = 0; w < wires(); ++w) {
    const Wire q = table_.support(z_row(w)).front();
    places[w] = q;
    into(q, table_.letter(z_row(w), q), Letter::z);
    if (!is_measured(w) && table_.letter(x_row(w), q) == Letter::y) gate_s(q);
    if (table_.negative(z_row(w))) {
      table_.pauli_x(q);
      out_.one(q, x_matrix());
    }
    if (!is_measured(w) && table_.negative(x_row(w))) {
      table_.pauli_z(q);
      out_.one(q, {{1, 0, 0, -1}});
    }
  }
  Flat flat = out_.finish();
  flat.places = std::move(places);
  return flat;
}

}  // namespace skerry::passes::native
