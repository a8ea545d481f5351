/// \file
/// Gates taken apart into what a sweep can do: mixing one wire, exchanging, and diagonal factors.
///
/// A diagonal gate is a product of factors, each there where some bits are all 1 (a Möbius transform of its diagonal):
/// diag(a, b, c, d) = a · (b/a)^[i0] · (c/a)^[i1] · (a d / b c)^[i0 i1]. Factors of many gates on the same bits merge.
/// A gate on one wire is e^{iα} · diag(1, e^{iφ}) · rotation · diag(1, e^{iλ}) (Nielsen & Chuang 2010, theorem 4.1), so
/// that only a real rotation is left to do.
#pragma once

#include <complex>
#include <cstdint>
#include <functional>
#include <skerry/circuit.hpp>
#include <span>
#include <vector>

namespace skerry::sim {

/// An instruction of a circuit that is a gate.
struct GateRef {
  BlockId block = 0;
  std::uint32_t index = 0;
};

/// Gates as they stand, or the inverse of each in reverse order.
enum class Direction : std::uint8_t { forward, inverse };

enum class PieceKind : std::uint8_t {
  single,      ///< one target, no control
  controlled,  ///< one target, controls
  exchange,    ///< x with any controls
  quad,        ///< two targets, no control
  swap,        ///< two wires change places
  factor,      ///< a number where all wires of z are 1
  whole,       ///< what no sweep does: a pass of its own
};

/// Which part of a gate a piece is; for factors, which of its factors.
enum class FactorRole : std::uint8_t { subset, before, after };

struct Piece {
  PieceKind kind{};
  FactorRole role{};
  std::uint8_t target = 0, second = 0;  ///< wires of the state
  std::uint32_t gate = 0;               ///< which of the gates
  std::uint32_t subset = 0;             ///< of a diagonal's targets
  std::uint64_t x = 0;                  ///< wires that must be local
  std::uint64_t z = 0;                  ///< wires that it looks at but does not mix
};

/// Where wires of a circuit stand in the simulated state, and its gates.
struct GateList {
  const Circuit* circuit = nullptr;
  std::span<const std::uint32_t> positions;  ///< of each wire of the circuit
  std::span<const GateRef> gates;
  Direction direction = Direction::forward;

  Instruction operator[](std::size_t i) const { return circuit->blocks()[gates[i].block][gates[i].index]; }
  std::uint64_t controls(std::size_t i) const;
  std::vector<int> targets(std::size_t i) const;
};

/// The pieces, in an order that does what the gates do. Parameters that are expressions may take any value later.
std::vector<Piece> lower(const GateList& gates);

/// Value of a symbolic gate parameter.
using ParamValue = std::function<double(ExprId)>;

/// The matrix of gate i in the list's direction; 4^targets entries. Errors: invalid_argument for a parameter that is
/// not finite, and those of value.
void gate_matrix(const GateList& gates, std::size_t i, const ParamValue& value, std::vector<std::complex<double>>& out);

/// What is left of a gate on one wire after its factors: see the top.
struct SingleForm {
  enum class Kind : std::uint8_t { real, imaginary, any } kind = Kind::any;
  double b = 0, c = 0;    ///< real: (1 b; c ±1), imaginary: (1 ib; ic 1)
  bool reflects = false;  ///< real with -1
  std::complex<double> scalar = 1, before = 1, after = 1;
};
/// Of a unitary 2 x 2 matrix, row-major.
SingleForm single_form(std::span<const std::complex<double>> matrix);

/// The factor of a diagonal that belongs to a subset of its targets.
std::complex<double> subset_factor(std::span<const std::complex<double>> diagonal, std::uint32_t subset);

/// The entries of a matrix that has one per row, as a diagonal to be multiplied: before an antidiagonal 2 x 2 (sources
/// 1 0) or after a swap (sources 0 2 1 3); or of a diagonal matrix.
std::vector<std::complex<double>> monomial_entries(std::span<const std::complex<double>> matrix);

}  // namespace skerry::sim
