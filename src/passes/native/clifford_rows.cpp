#include "passes/native/clifford_rows.hpp"

#include <array>
#include <bit>
#include <utility>

namespace skerry::passes::native {
namespace {

constexpr std::uint32_t kMostWires = 8192;
constexpr double kTolerance = 1e-11;

void add_phase(PauliRow& row, unsigned by) {
  row.phase = static_cast<std::uint8_t>((row.phase + by) & 3U);
}

// a <- a b; Z X = -X Z where they meet.
void multiply(PauliRow& a, const PauliRow& b) {
  unsigned crossed = 0;
  for (std::size_t k = 0; k < a.x.size(); ++k) {
    crossed += static_cast<unsigned>(std::popcount(a.z[k] & b.x[k]));
    a.x[k] ^= b.x[k];
    a.z[k] ^= b.z[k];
  }
  add_phase(a, b.phase + 2 * crossed);
}

// One of plus and minus X, Y, Z.
struct SignedPauli {
  std::size_t letter = 0;
  bool negative = false;
};

const std::array<U2, 3>& letters() {
  static const std::array<U2, 3> kLetters = {U2{{0, 1, 1, 0}}, U2{{0, Complex(0, -1), Complex(0, 1), 0}},
                                             U2{{1, 0, 0, -1}}};
  return kLetters;
}

// g^dagger P g, where it is a Pauli again.
std::optional<SignedPauli> image(const U2& g, const U2& pauli) {
  const U2 turned = adjoint(g) * pauli * g;
  for (std::size_t letter = 0; letter < 3; ++letter) {
    for (const bool negative : {false, true}) {
      const U2 wanted = scaled(letters()[letter], negative ? -1 : 1);
      if (distance(turned, wanted) < kTolerance) return SignedPauli{letter, negative};
    }
  }
  return std::nullopt;
}

bool one(CliffordRows& rows, Wire w, const U2& g) {
  const auto x = image(g, letters()[0]), z = image(g, letters()[2]);
  if (!x || !z) return false;
  PauliRow y = rows.x[w];
  multiply(y, rows.z[w]);
  add_phase(y, 1);
  const std::array<PauliRow, 3> held = {rows.x[w], std::move(y), rows.z[w]};
  rows.x[w] = held[x->letter];
  add_phase(rows.x[w], x->negative ? 2 : 0);
  rows.z[w] = held[z->letter];
  add_phase(rows.z[w], z->negative ? 2 : 0);
  return true;
}

PauliRow nothing(std::uint32_t wires) {
  const std::size_t words = (std::size_t{wires} + 63) / 64;
  return {.x = std::vector<std::uint64_t>(words), .z = std::vector<std::uint64_t>(words)};
}

}  // namespace

PauliRow pauli_x_row(std::uint32_t wires, Wire wire) {
  PauliRow row = nothing(wires);
  row.x[wire / 64] |= std::uint64_t{1} << (wire % 64);
  return row;
}

PauliRow pauli_z_row(std::uint32_t wires, Wire wire) {
  PauliRow row = nothing(wires);
  row.z[wire / 64] |= std::uint64_t{1} << (wire % 64);
  return row;
}

std::optional<CliffordRows> clifford_rows(const Flat& flat) {
  if (flat.wires > kMostWires) return std::nullopt;
  CliffordRows rows;
  for (Wire w = 0; w < flat.wires; ++w) {
    rows.x.push_back(pauli_x_row(flat.wires, w));
    rows.z.push_back(pauli_z_row(flat.wires, w));
  }
  for (const Gate& gate : flat.gates) {
    switch (gate.kind) {
      case Kind::one:
        if (!one(rows, gate.a, flat.ones[gate.index])) return std::nullopt;
        break;
      case Kind::cx: {
        multiply(rows.x[gate.a], rows.x[gate.b]);
        PauliRow both = rows.z[gate.a];
        multiply(both, rows.z[gate.b]);
        rows.z[gate.b] = std::move(both);
        break;
      }
      case Kind::swap:
        std::swap(rows.x[gate.a], rows.x[gate.b]);
        std::swap(rows.z[gate.a], rows.z[gate.b]);
        break;
      case Kind::turn:
      case Kind::other:
        return std::nullopt;
    }
  }
  return rows;
}

}  // namespace skerry::passes::native
