/// \file
/// Many Pauli strings, wire by wire: bit k of a wire's masks belongs to string k, so a gate changes all at once.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "passes/native/flat.hpp"

namespace skerry::passes::native {

using Mask = std::vector<std::uint64_t>;

/// A letter of a Pauli string: bit 0 for X, bit 1 for Z.
enum class Letter : std::uint8_t { i = 0, x = 1, z = 2, y = 3 };

/// Conjugates strings by Clifford gates. Signs as Aaronson & Gottesman, quant-ph/0406196, keep them.
class PauliTable {
 public:
  PauliTable(std::uint32_t wires, std::size_t strings)
      : wires_(wires), words_((strings + 63) / 64), x_(wires * words_, 0), z_(wires * words_, 0), signs_(words_, 0) {}

  std::uint32_t wires() const noexcept { return wires_; }
  std::size_t words() const noexcept { return words_; }

  void set(std::size_t string, std::uint64_t x, std::uint64_t z, bool negative) {
    for (std::uint32_t w = 0; w < wires_; ++w) {
      if (((x >> w) & 1) != 0) x_[w * words_ + string / 64] |= bit(string);
      if (((z >> w) & 1) != 0) z_[w * words_ + string / 64] |= bit(string);
    }
    if (negative) signs_[string / 64] |= bit(string);
  }
  Letter letter(std::size_t string, Wire w) const {
    const std::size_t at = w * words_ + string / 64;
    return static_cast<Letter>(((x_[at] & bit(string)) != 0 ? 1 : 0) | ((z_[at] & bit(string)) != 0 ? 2 : 0));
  }
  bool negative(std::size_t string) const { return (signs_[string / 64] & bit(string)) != 0; }
  std::vector<Wire> support(std::size_t string) const {
    std::vector<Wire> wires;
    for (Wire w = 0; w < wires_; ++w) {
      if (letter(string, w) != Letter::i) wires.push_back(w);
    }
    return wires;
  }
  int weight(std::size_t string) const {
    int count = 0;
    for (Wire w = 0; w < wires_; ++w) count += letter(string, w) != Letter::i ? 1 : 0;
    return count;
  }

  void h(Wire w) {
    std::uint64_t *const x = &x_[w * words_], *const z = &z_[w * words_];
    for (std::size_t k = 0; k < words_; ++k) {
      signs_[k] ^= x[k] & z[k];
      std::swap(x[k], z[k]);
    }
  }
  void s(Wire w) {
    const std::uint64_t* const x = &x_[w * words_];
    std::uint64_t* const z = &z_[w * words_];
    for (std::size_t k = 0; k < words_; ++k) {
      signs_[k] ^= x[k] & z[k];
      z[k] ^= x[k];
    }
  }
  void pauli_x(Wire w) {
    for (std::size_t k = 0; k < words_; ++k) signs_[k] ^= z_[w * words_ + k];
  }
  void pauli_z(Wire w) {
    for (std::size_t k = 0; k < words_; ++k) signs_[k] ^= x_[w * words_ + k];
  }
  void cx(Wire control, Wire target) {
    std::uint64_t *const xc = &x_[control * words_], *const zc = &z_[control * words_];
    std::uint64_t *const xt = &x_[target * words_], *const zt = &z_[target * words_];
    for (std::size_t k = 0; k < words_; ++k) {
      signs_[k] ^= xc[k] & zt[k] & ~(xt[k] ^ zc[k]);
      xt[k] ^= xc[k];
      zc[k] ^= zt[k];
    }
  }

  /// Change of the number of letters beside I on wires a and b, over the strings of each mask, when the controlled
  /// Pauli C(p, q), p on a and q on b, is applied.
  template <std::size_t n>
  void changes(Wire a, Letter p, Wire b, Letter q, const std::array<const Mask*, n>& masks,
               std::array<int, n>& out) const {
    const std::uint64_t *const xa = &x_[a * words_], *const za = &z_[a * words_];
    const std::uint64_t *const xb = &x_[b * words_], *const zb = &z_[b * words_];
    out.fill(0);
    for (std::size_t k = 0; k < words_; ++k) {
      const std::uint64_t on_a = xa[k] | za[k], on_b = xb[k] | zb[k];
      const std::uint64_t against_a = against(p, xa[k], za[k]), against_b = against(q, xb[k], zb[k]);
      // s_a becomes s_a p where s_b anticommutes with q; it vanishes where it was p.
      const std::uint64_t new_a = (against_b & ~(on_a & ~against_a)) | (~against_b & on_a);
      const std::uint64_t new_b = (against_a & ~(on_b & ~against_b)) | (~against_a & on_b);
      for (std::size_t m = 0; m < n; ++m) {
        const std::uint64_t mask = (*masks[m])[k];
        out[m] += std::popcount(new_a & mask) + std::popcount(new_b & mask) - std::popcount(on_a & mask) -
                  std::popcount(on_b & mask);
      }
    }
  }

  /// Strings 64 k to 64 k + 63 whose letter on a (on b) comes or goes when C(p, q) is applied.
  struct Toggled {
    std::uint64_t on_a = 0, on_b = 0;
  };
  Toggled toggled(Wire a, Letter p, Wire b, Letter q, std::size_t k) const {
    const std::uint64_t xa = x_[a * words_ + k], za = z_[a * words_ + k];
    const std::uint64_t xb = x_[b * words_ + k], zb = z_[b * words_ + k];
    const std::uint64_t on_a = xa | za, on_b = xb | zb;
    const std::uint64_t against_a = against(p, xa, za), against_b = against(q, xb, zb);
    return {against_b & (~on_a | ~against_a), against_a & (~on_b | ~against_b)};
  }

 private:
  static std::uint64_t bit(std::size_t string) { return std::uint64_t{1} << (string % 64); }
  static std::uint64_t against(Letter p, std::uint64_t x, std::uint64_t z) {
    return ((static_cast<unsigned>(p) & 2U) != 0 ? x : 0) ^ ((static_cast<unsigned>(p) & 1U) != 0 ? z : 0);
  }

  std::uint32_t wires_;
  std::size_t words_;
  std::vector<std::uint64_t> x_, z_, signs_;
};

}  // namespace skerry::passes::native
