#include "passes/native/pauli_program.hpp"

#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

#include "passes/native/angle.hpp"
#include "passes/native/euler.hpp"

namespace skerry::passes::native {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr std::uint32_t kMostWires = 64;
constexpr double kTolerance = 1e-11;

// Quarter turns in the angle, when it is made of them.
std::optional<int> quarters(double angle) {
  const double count = angle / (kPi / 2);
  const double whole = std::round(count);
  if (std::abs(count - whole) > kTolerance) return std::nullopt;
  return static_cast<int>(static_cast<long long>(whole) & 3);
}

class Extractor {
 public:
  Extractor(const Flat& flat, ExprPool& pool, std::size_t most) : flat_(flat), pool_(pool), most_(most) {
    out_.wires = flat.wires;
    for (std::uint32_t w = 0; w < flat.wires; ++w) {
      out_.x_rows.push_back({.x = std::uint64_t{1} << w});
      out_.z_rows.push_back({.z = std::uint64_t{1} << w});
    }
  }

  std::optional<PauliProgram> run() {
    for (const Gate& gate : flat_.gates) {
      switch (gate.kind) {
        case Kind::one: {
          const Euler e = euler_zyz(flat_.ones[gate.index]);
          turn_z(gate.a, {e.lambda});
          turn_y(gate.a, e.theta);
          turn_z(gate.a, {e.phi});
          break;
        }
        case Kind::turn:
          turn_z(gate.a, flat_.turns[gate.index]);
          break;
        case Kind::cx:
          out_.x_rows[gate.a] = out_.x_rows[gate.a] * out_.x_rows[gate.b];
          out_.z_rows[gate.b] = out_.z_rows[gate.a] * out_.z_rows[gate.b];
          break;
        case Kind::swap:
          std::swap(out_.x_rows[gate.a], out_.x_rows[gate.b]);
          std::swap(out_.z_rows[gate.a], out_.z_rows[gate.b]);
          break;
        case Kind::other:
          return std::nullopt;
      }
      if (out_.rotations.size() > most_) return std::nullopt;
    }
    absorb_quarters();
    return std::move(out_);
  }

 private:
  static Pauli negated(Pauli p) {
    p.phase = (p.phase + 2) & 3;
    return p;
  }
  static Pauli times_i(Pauli p, unsigned power) {
    p.phase = static_cast<std::uint8_t>((p.phase + power) & 3);
    return p;
  }

  // C^dagger (g^dagger P g) C for g = Rz(pi/2): X -> -Y.
  void turn_z(Wire w, const Param& angle) {
    if (angle.is_constant()) {
      if (const auto count = quarters(angle.value)) {
        for (int k = 0; k < *count; ++k) out_.x_rows[w] = times_i(out_.x_rows[w] * out_.z_rows[w], 3);
        return;
      }
    }
    rotate(out_.z_rows[w], angle);
  }

  // g = Ry(pi/2): Z -> -X, X -> Z.
  void turn_y(Wire w, double angle) {
    if (const auto count = quarters(angle)) {
      for (int k = 0; k < *count; ++k) {
        const Pauli x = out_.x_rows[w];
        out_.x_rows[w] = out_.z_rows[w];
        out_.z_rows[w] = negated(x);
      }
      return;
    }
    rotate(times_i(out_.x_rows[w] * out_.z_rows[w], 1), {angle});
  }

  void rotate(const Pauli& pauli, const Param& angle) {
    const Param signed_angle = pauli.is_negative() ? scaled(pool_, angle, -1) : angle;
    for (std::size_t k = out_.rotations.size(); k-- > 0;) {
      PauliRotation& earlier = out_.rotations[k];
      if (earlier.x == pauli.x && earlier.z == pauli.z) {
        earlier.angle = sum(pool_, earlier.angle, signed_angle);
        return;
      }
      if ((std::popcount(earlier.x & pauli.z) + std::popcount(earlier.z & pauli.x)) % 2 != 0) break;
    }
    out_.rotations.push_back({pauli.x, pauli.z, signed_angle});
  }

  // What has become a quarter turn moves behind all others, which it changes.
  void absorb_quarters() {
    std::vector<PauliRotation> rotations = std::move(out_.rotations);
    out_.rotations.clear();
    for (std::size_t k = 0; k < rotations.size(); ++k) {
      const PauliRotation& at = rotations[k];
      const auto count = at.angle.is_constant() ? quarters(at.angle.value) : std::nullopt;
      if (!count) {
        rotate(hermitian(at), at.angle);
        continue;
      }
      for (int turn = 0; turn < *count; ++turn) {
        const Pauli axis = hermitian(at);
        // K^dagger Q K for K = exp(-i pi/4 P) and Q that anticommutes: i P Q.
        const auto conjugate = [&](const Pauli& q) { return axis.commutes(q) ? q : times_i(axis * q, 1); };
        for (std::size_t later = k + 1; later < rotations.size(); ++later) {
          const Pauli moved = conjugate(hermitian(rotations[later]));
          rotations[later].x = moved.x;
          rotations[later].z = moved.z;
          if (moved.is_negative()) rotations[later].angle = scaled(pool_, rotations[later].angle, -1);
        }
        for (Pauli& row : out_.x_rows) row = conjugate(row);
        for (Pauli& row : out_.z_rows) row = conjugate(row);
      }
    }
  }

  static Pauli hermitian(const PauliRotation& r) {
    return {r.x, r.z, static_cast<std::uint8_t>(std::popcount(r.x & r.z) & 3)};
  }

  const Flat& flat_;
  ExprPool& pool_;
  std::size_t most_;
  PauliProgram out_;
};

}  // namespace

bool Pauli::is_negative() const noexcept {
  return ((phase - std::popcount(x & z)) & 3) == 2;
}

bool Pauli::commutes(const Pauli& other) const noexcept {
  return (std::popcount(x & other.z) + std::popcount(z & other.x)) % 2 == 0;
}

Pauli operator*(const Pauli& a, const Pauli& b) noexcept {
  return {a.x ^ b.x, a.z ^ b.z, static_cast<std::uint8_t>((a.phase + b.phase + 2 * std::popcount(a.z & b.x)) & 3)};
}

std::optional<PauliProgram> pauli_program(const Flat& flat, ExprPool& pool, std::size_t most) {
  if (flat.wires > kMostWires) return std::nullopt;
  return Extractor(flat, pool, most).run();
}

}  // namespace skerry::passes::native
