/// \file
/// The gates of a device as the translator needs them: how one-wire matrices and CX are spelled.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/target.hpp>
#include <vector>

#include "passes/native/matrix.hpp"

namespace skerry::passes::native {

/// One gate of a device without its wires.
struct Spelled {
  Op op{};
  std::uint16_t controls = 0;
  std::uint8_t params = 0;
  std::array<double, 3> values{};
};

/// How a basis writes what every circuit is made of.
class Basis {
 public:
  /// Errors: invalid_argument for a name that is no gate, unsupported for a set that cannot write every circuit; the
  /// message says what is missing.
  explicit Basis(const std::vector<std::string>& names);

  /// Appends gates in time order whose product is `u` up to the phase that is returned.
  double spell(const U2& u, std::vector<Spelled>& out) const;
  /// Rz of a symbolic angle: the gate (rz, p or u) takes it as its last parameter.
  const Spelled& turn() const noexcept { return turn_; }
  /// The gate of two wires. CX (control first) is before_first x before_second, the gate, after_first x after_second.
  const Spelled& entangler() const noexcept { return entangler_; }
  bool entangler_is_cx() const noexcept { return is_cx_; }
  bool entangler_is_symmetric() const noexcept { return is_symmetric_; }
  const U2& before_first() const noexcept { return before_first_; }
  const U2& before_second() const noexcept { return before_second_; }
  const U2& after_first() const noexcept { return after_first_; }
  const U2& after_second() const noexcept { return after_second_; }
  /// True for a gate of the set.
  bool has(Op op, std::uint16_t controls) const noexcept;

 private:
  enum class Style : std::uint8_t { rz_sx, u, rz_ry, rz_rx };
  void choose_style();
  void choose_entangler();
  void spell_rz(double angle, double& phase, std::vector<Spelled>& out) const;

  std::vector<Spelled> gates_;
  Style style_{};
  bool has_x_ = false, is_cx_ = false, is_symmetric_ = false;
  Spelled turn_, entangler_;
  U2 before_first_, before_second_, after_first_, after_second_;
};

}  // namespace skerry::passes::native
