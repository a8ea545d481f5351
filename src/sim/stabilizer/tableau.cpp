#include "sim/stabilizer/tableau.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "kernels/stabilizer/pauli.hpp"

namespace skerry::sim {
namespace {

bool bit(const std::uint64_t* words, std::size_t i) {
  return (words[i / 64] >> (i % 64) & 1) != 0;
}
void toggle(std::uint64_t* words, std::size_t i) {
  words[i / 64] ^= std::uint64_t{1} << (i % 64);
}

/// The lowest wire with an X or a Y, or 64 * words.
std::size_t first_x(const std::uint64_t* row, std::size_t words) {
  for (std::size_t i = 0; i < words; ++i)
    if (row[i] != 0) return 64 * i + static_cast<std::size_t>(std::countr_zero(row[i]));
  return 64 * words;
}

/// Power of i in (letter of P on k) * Z: X Z = -i Y, Y Z = i X.
unsigned phase_with_z(const std::uint64_t* row, std::size_t words, std::size_t k) {
  return bit(row + words, k) ? 1 : 3;
}

}  // namespace

Tableau::Tableau(std::uint32_t wires, const base::MemoryBudget& budget)
    : wires_(wires), words_(kernels::row_words(wires)) {
  buffer_ = base::Buffer::allocate(bytes(wires), budget, "stabilizer tableau");
  rows_ = buffer_.as<std::uint64_t>().data();
  place_.resize(2 * std::size_t{wires});
  signs_.resize(2 * std::size_t{wires});
  listed_.reserve(2 * std::size_t{wires});
  clear();
}

std::uint64_t Tableau::bytes(std::uint64_t wires) noexcept {
  // The last term is what the vectors of places, signs and lists take.
  return std::uint64_t{8} * 2 * kernels::row_words(wires) * (2 * wires + 1) + 2 * wires * 9;
}

void Tableau::clear() {
  std::fill_n(rows_, 2 * words_ * (2 * std::size_t{wires_} + 1), 0);
  std::ranges::fill(signs_, 0);
  for (std::uint32_t wire = 0; wire < wires_; ++wire) {
    x_row(wire) = 2 * wire;
    z_row(wire) = 2 * wire + 1;
    toggle(row(2 * wire), wire);
    toggle(row(2 * wire + 1) + words_, wire);
  }
}

void Tableau::copy_from(const Tableau& other) {
  std::copy_n(other.rows_, 2 * words_ * 2 * std::size_t{wires_}, rows_);
  place_ = other.place_;
  signs_ = other.signs_;
}

void Tableau::write(std::span<std::uint64_t> rows, std::span<std::uint8_t> signs) const {
  const std::size_t each = (std::size_t{wires_} + 63) / 64;
  for (std::size_t r = 0; r < place_.size(); ++r) {
    const std::uint64_t* const from = row(place_[r]);
    std::copy_n(from, each, rows.data() + 2 * each * r);
    std::copy_n(from + words_, each, rows.data() + 2 * each * r + each);
    signs[r] = signs_[place_[r]];
  }
}

void Tableau::read(std::span<const std::uint64_t> rows, std::span<const std::uint8_t> signs) {
  const std::size_t each = (std::size_t{wires_} + 63) / 64;
  clear();
  for (std::uint32_t r = 0; r < place_.size(); ++r) {
    std::copy_n(rows.data() + 2 * each * r, each, row(r));
    std::copy_n(rows.data() + 2 * each * r + each, each, row(r) + words_);
    signs_[r] = signs[r];
  }
}

void Tableau::multiply(std::uint32_t to, std::uint32_t from, unsigned phase) {
  phase += kernels::multiply_pauli(row(to), row(from), words_) + 2U * signs_[from];
  signs_[to] = static_cast<std::uint8_t>(signs_[to] ^ (phase >> 1 & 1));
}

void Tableau::apply(const StabilizerStep& step) {
  const std::uint32_t a = step.a, b = step.b;
  switch (step.op) {
    case StabilizerOp::h:
      std::swap(x_row(a), z_row(a));
      break;
    case StabilizerOp::s:
      // S† X S = -Y = -i X Z.
      multiply(x_row(a), z_row(a), 3);
      break;
    case StabilizerOp::x:
      signs_[z_row(a)] ^= 1;
      break;
    case StabilizerOp::y:
      signs_[x_row(a)] ^= 1;
      signs_[z_row(a)] ^= 1;
      break;
    case StabilizerOp::z:
      signs_[x_row(a)] ^= 1;
      break;
    case StabilizerOp::cx:
      multiply(x_row(a), x_row(b), 0);
      multiply(z_row(b), z_row(a), 0);
      break;
    case StabilizerOp::cz:
      multiply(x_row(a), z_row(b), 0);
      multiply(x_row(b), z_row(a), 0);
      break;
    case StabilizerOp::swap:
      std::swap(x_row(a), x_row(b));
      std::swap(z_row(a), z_row(b));
      break;
    case StabilizerOp::measure:
    case StabilizerOp::reset:
    case StabilizerOp::x_if:
    case StabilizerOp::z_if:
    case StabilizerOp::invert_record:
    case StabilizerOp::noise1:
    case StabilizerOp::noise2:
    case StabilizerOp::noise_record:
      break;  // no gates: whoever runs the steps sees to them
  }
}

std::optional<bool> Tableau::outcome(std::uint32_t wire) const {
  const std::uint32_t r = z_row(wire);
  if (first_x(row(r), words_) < 64 * words_) return std::nullopt;
  return signs_[r] != 0;
}

/// Writes the letters of B A behind the last row and gives k; phase: the power of i in front of them.
std::uint32_t Tableau::factor_for(std::uint32_t wire, bool found, unsigned& phase) {
  const std::uint32_t measured = z_row(wire);
  std::uint64_t* const factor = row(2 * wires_);
  std::copy_n(row(measured), 2 * words_, factor);
  const std::size_t k = first_x(factor, words_);
  phase = 2U * signs_[measured] + 2U * static_cast<unsigned>(found) + phase_with_z(factor, words_, k);
  toggle(factor + words_, k);
  return static_cast<std::uint32_t>(k);
}

void Tableau::project(std::uint32_t wire, bool found) {
  unsigned phase = 0;
  const std::uint32_t k = factor_for(wire, found, phase);
  const std::uint64_t* const factor = row(2 * wires_);
  const std::uint32_t measured = z_row(wire), partner = x_row(wire);
  listed_.clear();
  for (std::uint32_t r = 0; r < 2 * wires_; ++r)
    if (r != measured && r != partner) listed_.push_back(r);
  kernels::multiply_rows_where(rows_, words_, listed_, k, factor, phase, signs_);
  // The partner anticommutes with B: with A as well it only changes its sign, else it takes A B = -B A.
  if (bit(row(partner), k)) {
    signs_[partner] ^= 1;
  } else {
    const unsigned power = kernels::multiply_pauli(row(partner), factor, words_) + phase + 2;
    signs_[partner] = static_cast<std::uint8_t>(signs_[partner] ^ (power >> 1 & 1));
  }
  std::fill_n(row(measured), 2 * words_, 0);
  toggle(row(measured) + words_, k);
  signs_[measured] = static_cast<std::uint8_t>(found);
}

void Tableau::project_last(std::uint32_t wire, bool found, std::span<const std::uint32_t> later) {
  unsigned phase = 0;
  const std::uint32_t k = factor_for(wire, found, phase);
  listed_.clear();
  for (const std::uint32_t other : later) listed_.push_back(z_row(other));
  kernels::multiply_rows_where(rows_, words_, listed_, k, row(2 * wires_), phase, signs_);
}

int Tableau::expectation(std::span<const std::uint64_t> x, std::span<const std::uint64_t> z) const {
  std::vector<std::uint64_t> product(2 * words_);
  unsigned phase = 0;
  const auto take = [&](std::uint32_t r) {
    phase += kernels::multiply_pauli(product.data(), row(r), words_) + 2U * signs_[r];
  };
  for (std::uint32_t wire = 0; wire < wires_; ++wire) {
    const bool has_x = bit(x.data(), wire), has_z = bit(z.data(), wire);
    if (has_x) take(x_row(wire));
    if (has_z) take(z_row(wire));
    if (has_x && has_z) ++phase;  // Y = i X Z
  }
  if (first_x(product.data(), words_) < 64 * words_) return 0;
  return (phase & 2) != 0 ? -1 : 1;
}

Tableau::Outcomes Tableau::outcomes(std::span<const std::uint32_t> wires) const {
  const auto count = static_cast<std::uint32_t>(wires.size());
  std::vector<std::uint64_t> table(2 * words_ * count), factor(2 * words_);
  std::vector<std::uint8_t> signs(count);
  Outcomes out;
  out.masks.resize(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::copy_n(row(z_row(wires[i])), 2 * words_, table.data() + 2 * words_ * i);
    signs[i] = signs_[z_row(wires[i])];
  }
  std::vector<std::uint32_t> later;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t* const measured = table.data() + 2 * words_ * i;
    const std::size_t k = first_x(measured, words_);
    if (k == 64 * words_) {
      out.base |= std::uint64_t{signs[i]} << i;
      continue;
    }
    // Found in 0 if the new coin is 0: the sign of what later rows take from this one depends on its coins alone.
    const unsigned phase = 2U * signs[i] + phase_with_z(measured, words_, k);
    std::copy_n(measured, 2 * words_, factor.begin());
    toggle(factor.data() + words_, k);
    const std::uint64_t coin = std::uint64_t{1} << out.coins++;
    later.clear();
    for (std::uint32_t j = i + 1; j < count; ++j) {
      if (!bit(table.data() + 2 * words_ * j, k)) continue;
      later.push_back(j);
      out.masks[j] ^= out.masks[i] ^ coin;
    }
    kernels::multiply_rows_where(table.data(), words_, later, k, factor.data(), phase, signs);
    out.masks[i] = coin;
  }
  return out;
}

}  // namespace skerry::sim
