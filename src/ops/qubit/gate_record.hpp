/// \file
/// What each gate of gates.def means: one record per gate, read by frontends, passes, simulators, printers and docs.
#pragma once

#include <complex>
#include <optional>
#include <skerry/circuit.hpp>
#include <span>
#include <string_view>

namespace skerry::ops {

/// Where a gate's matrix may differ from zero, whatever its parameters; kernels specialise by it. permutation: one
/// entry in each row and column, not all of them on one of the two diagonals.
enum class Structure : std::uint8_t { dense, diagonal, permutation, antidiagonal };

/// A spelling that implies controls and is not the usual one: `toffoli` is x with two.
struct ControlledAlias {
  std::string_view spelling;
  std::uint16_t controls = 0;
};

/// One parameter of the inverse gate, so that symbolic parameters are inverted like numbers.
struct InverseParam {
  int source = -1;      ///< which of our parameters it comes from, -1: none
  double factor = 1.0;  ///< times that parameter; the value itself when there is no source
};

/// How an expectation value depends on one parameter of a gate, all else fixed: a trigonometric polynomial whose
/// frequencies are base, 2 base, ..., count * base. They are the differences of the generator's eigenvalues (Wierichs
/// et al. 2021, arXiv:2107.12390, sec. 2).
struct Spectrum {
  double base = 1.0;
  int count = 1;
};

/// One gate. A record is constant data in src/ops/qubit/<name>.cpp and a row of gates.def.
struct GateRecord {
  Op op;
  std::string_view name;
  /// Other spellings without controls (`phase`, `u1` for p; `not` for x), lower case.
  std::span<const std::string_view> aliases{};
  /// Spellings with 1, 2, 3, ... controls: {"cx", "ccx", "c3x", "c4x"}; an empty one: no such spelling.
  std::span<const std::string_view> controlled{};
  std::span<const ControlledAlias> controlled_aliases{};
  Structure structure = Structure::dense;
  bool is_real = false;  ///< matrix real for every parameter value
  bool is_hermitian = false;
  /// Writes the 2^k x 2^k matrix, row-major, first target least significant. params in radians.
  void (*matrix)(std::span<const double> params, std::span<std::complex<double>> out) = nullptr;
  /// Writes d matrix / d params[which]. Null for a gate with a generator G, where it is half the matrix at theta + pi,
  /// and for gates without parameters; gate_derivative() knows.
  void (*derivative)(std::span<const double> params, int which, std::span<std::complex<double>> out) = nullptr;
  /// One per parameter; with any number of controls.
  std::span<const Spectrum> spectra{}, controlled_spectra{};
  /// The inverse gate and where its parameters come from, one entry per parameter of inverse_op.
  Op inverse_op{};
  std::span<const InverseParam> inverse_params{};
  bool inverse_reverses_targets = false;  ///< the inverse acts on our targets in reverse order
  /// Pauli letters G with gate = exp(-i theta/2 G) (first target first letter), empty when there is no such form.
  std::string_view generator{};
  std::string_view formula;  ///< for reference pages: `exp(-i θ/2 X)`
  std::string_view source;   ///< paper or specification
};

/// The record of a gate. Precondition: op < kGateCount.
const GateRecord& gate_record(Op op);

/// Writes d matrix / d params[which] of a gate, row-major as matrix. Precondition: which < gate_parameters(op).
void gate_derivative(const GateRecord& record, std::span<const double> params, int which,
                     std::span<std::complex<double>> out);

/// A spelling found in some record: the gate and how many controls the spelling implies.
struct GateName {
  Op op;
  std::uint16_t controls = 0;
};
/// Case-insensitive over names, aliases and controlled spellings; empty when unknown.
std::optional<GateName> find_gate(std::string_view spelling);
/// The known spelling nearest to a wrong one (edit distance <= 2), for "did you mean"; empty when none is near.
std::string_view nearest_gate_name(std::string_view spelling);

/// Matrix of a gate instruction on its targets (controls left out) with constant parameters; unitary included.
std::vector<std::complex<double>> instruction_matrix(const Circuit& circuit, const Instruction& instruction);

}  // namespace skerry::ops
