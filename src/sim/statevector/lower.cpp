#include "sim/statevector/lower.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <skerry/error.hpp>
#include <string>

#include "ops/qubit/gate_record.hpp"

namespace skerry::sim {
namespace {

using Complex = std::complex<double>;

/// Diagonals on more targets would make too many factors.
constexpr std::size_t kMaxFactorTargets = 5;
/// A matrix entry this much smaller than the others is not divided by.
constexpr double kSmallestPivot = 0x1p-6;
constexpr double kRounding = 0x1p-48;

std::size_t rows_of(std::span<const Complex> matrix) {
  return std::size_t{1} << (std::countr_zero(matrix.size()) / 2);
}

/// Column of the one entry of each row; empty where a row has another number of them.
std::vector<std::uint32_t> columns_of(std::span<const Complex> matrix) {
  const std::size_t rows = rows_of(matrix);
  std::vector<std::uint32_t> out;
  for (std::size_t r = 0; r < rows; ++r) {
    std::size_t filled = 0;
    for (std::size_t c = 0; c < rows; ++c) {
      if (matrix[r * rows + c] == 0.0) continue;
      if (filled++ == 0) out.push_back(static_cast<std::uint32_t>(c));
    }
    if (filled != 1) return {};
  }
  return out;
}

bool is_identity(const std::vector<std::uint32_t>& columns) {
  for (std::size_t r = 0; r < columns.size(); ++r)
    if (columns[r] != r) return false;
  return !columns.empty();
}

/// Takes gates apart one by one. Values of symbolic parameters only matter for what is 1 or 0 whatever they are.
class Lowering {
 public:
  Lowering(const GateList& gates, std::vector<Piece>& out) : gates_(gates), out_(out) {}

  void gate(std::uint32_t i) {
    gate_ = i;
    controls_ = gates_.controls(i);
    targets_ = gates_.targets(i);
    gate_matrix(
        gates_, i, [this](ExprId) { return generic_ *= 0.77; }, matrix_);
    generic_ = 1.9;
    const auto columns = columns_of(matrix_);
    if (is_identity(columns) && targets_.size() <= kMaxFactorTargets) return factors();
    if (targets_.size() == 1) return one_target(columns);
    if (columns == std::vector<std::uint32_t>{0, 2, 1, 3}) return swap();
    if (targets_.size() == 2 && controls_ == 0) {
      Piece& piece = add(PieceKind::quad, bit(0) | bit(1), 0);
      piece.second = static_cast<std::uint8_t>(targets_[1]);
      return;
    }
    std::uint64_t x = 0;
    for (const int target : targets_) x |= std::uint64_t{1} << target;
    add(PieceKind::whole, x, controls_);
  }

 private:
  std::uint64_t bit(std::size_t target) const { return std::uint64_t{1} << targets_[target]; }

  Piece& add(PieceKind kind, std::uint64_t x, std::uint64_t z) {
    Piece piece{.kind = kind, .gate = gate_, .x = x, .z = z};
    if (!targets_.empty()) piece.target = static_cast<std::uint8_t>(targets_[0]);
    out_.push_back(piece);
    return out_.back();
  }

  void factor(FactorRole role, std::uint64_t z, std::uint32_t subset = 0) {
    Piece& piece = add(PieceKind::factor, 0, z);
    piece.role = role;
    piece.subset = subset;
  }

  void factors() {
    const auto entries = monomial_entries(matrix_);
    for (std::uint32_t subset = 0; subset < entries.size(); ++subset) {
      if (subset_factor(entries, subset) == 1.0) continue;
      std::uint64_t z = controls_;
      for (std::size_t t = 0; t < targets_.size(); ++t)
        if ((subset >> t & 1) != 0) z |= bit(t);
      factor(FactorRole::subset, z, subset);
    }
  }

  void one_target(const std::vector<std::uint32_t>& columns) {
    if (!columns.empty()) {
      factors();
      add(PieceKind::exchange, bit(0), controls_);
      return;
    }
    if (controls_ != 0) {
      add(PieceKind::controlled, bit(0), controls_);
      return;
    }
    const SingleForm form = single_form(matrix_);
    const bool has_factors = form.before != 1.0 || form.after != 1.0;
    if (has_factors) factor(FactorRole::before, bit(0));
    add(PieceKind::single, bit(0), 0).subset = has_factors ? 1 : 0;
    if (has_factors) factor(FactorRole::after, bit(0));
  }

  void swap() {
    if (controls_ == 0) {
      Piece& piece = add(PieceKind::swap, bit(0) | bit(1), 0);
      piece.second = static_cast<std::uint8_t>(targets_[1]);
    } else {
      const auto x = [&](std::size_t from, std::size_t to, std::uint64_t controls) {
        Piece& piece = add(PieceKind::exchange, bit(to), controls | bit(from));
        piece.target = static_cast<std::uint8_t>(targets_[to]);
      };
      x(1, 0, 0);
      x(0, 1, controls_);
      x(1, 0, 0);
    }
    factors();
  }

  const GateList& gates_;
  std::vector<Piece>& out_;
  std::uint32_t gate_ = 0;
  std::uint64_t controls_ = 0;
  std::vector<int> targets_;
  std::vector<Complex> matrix_;
  double generic_ = 1.9;
};

}  // namespace

std::uint64_t GateList::controls(std::size_t i) const {
  std::uint64_t mask = 0;
  for (const Wire wire : (*this)[i].control_wires()) mask |= std::uint64_t{1} << positions[wire];
  return mask;
}

std::vector<int> GateList::targets(std::size_t i) const {
  std::vector<int> out;
  for (const Wire wire : (*this)[i].targets()) out.push_back(static_cast<int>(positions[wire]));
  return out;
}

std::vector<Piece> lower(const GateList& gates) {
  std::vector<Piece> out;
  out.reserve(2 * gates.gates.size());
  Lowering lowering(gates, out);
  for (std::size_t i = 0; i < gates.gates.size(); ++i) {
    const std::size_t which = gates.direction == Direction::forward ? i : gates.gates.size() - 1 - i;
    lowering.gate(static_cast<std::uint32_t>(which));
  }
  return out;
}

void gate_matrix(const GateList& gates, std::size_t i, const ParamValue& value, std::vector<Complex>& out) {
  const Instruction instruction = gates[i];
  if (instruction.op == Op::unitary) {
    out = gates.circuit->matrices()[instruction.aux].values;
  } else {
    std::array<double, 3> params{};
    for (std::size_t p = 0; p < instruction.params.size(); ++p) {
      const Param& param = instruction.params[p];
      params[p] = param.is_constant() ? param.value : value(param.expr);
      if (!std::isfinite(params[p])) {
        throw Error(ErrorCode::invalid_argument, "parameter " + std::to_string(p) + " of " +
                                                     std::string(op_name(instruction.op)) + " is not a finite number");
      }
    }
    out.assign(std::size_t{1} << (2 * instruction.targets().size()), 0);
    ops::gate_record(instruction.op).matrix(std::span(params).first(instruction.params.size()), out);
  }
  if (gates.direction == Direction::forward) return;
  const std::size_t rows = rows_of(out);
  for (std::size_t r = 0; r < rows; ++r) {
    out[r * rows + r] = std::conj(out[r * rows + r]);
    for (std::size_t c = 0; c < r; ++c) {
      const Complex kept = std::conj(out[r * rows + c]);
      out[r * rows + c] = std::conj(out[c * rows + r]);
      out[c * rows + r] = kept;
    }
  }
}

namespace {

/// Whether a form is the matrix that it was made from; a matrix that is not quite unitary has none.
bool is_exact(const SingleForm& form, std::span<const Complex> m) {
  const Complex unit = form.kind == SingleForm::Kind::imaginary ? Complex(0, 1) : Complex(1);
  const std::array<Complex, 4> made = {1.0, unit * form.b * form.before, unit * form.c * form.after,
                                       (form.reflects ? -1.0 : 1.0) * form.before * form.after};
  for (std::size_t i = 0; i < made.size(); ++i)
    if (std::abs(form.scalar * made[i] - m[i]) > kRounding) return false;
  return true;
}

SingleForm guessed_form(std::span<const Complex> m) {
  SingleForm form;
  const double cosine = std::abs(m[0]);
  if (cosine < kSmallestPivot) return form;
  const Complex b = m[1] / m[0], c = m[2] / m[0], d = m[3] / m[0];
  form.scalar = m[0];
  const bool is_real = std::abs(b.imag()) < kRounding && std::abs(c.imag()) < kRounding;
  if (is_real && std::abs(d.imag()) < kRounding) {
    form.kind = SingleForm::Kind::real;
    form.b = b.real();
    form.c = c.real();
    form.reflects = d.real() < 0;
    return form;
  }
  const bool is_imaginary = std::abs(b.real()) < kRounding && std::abs(c.real()) < kRounding;
  if (is_imaginary && std::abs(d - 1.0) < kRounding) {
    form.kind = SingleForm::Kind::imaginary;
    form.b = b.imag();
    form.c = c.imag();
    return form;
  }
  // m = m00 (1, -e^{iλ} t; e^{iφ} t, e^{i(φ+λ)}), t = tan: the real (1, -t; t, 1) between two phases.
  form.kind = SingleForm::Kind::real;
  const double tangent = std::abs(c);
  form.c = tangent;
  form.b = -tangent;
  form.after = tangent < kRounding ? d / std::abs(d) : c / tangent;
  form.before = d / (std::abs(d) * form.after);
  return form;
}

}  // namespace

SingleForm single_form(std::span<const Complex> matrix) {
  const SingleForm form = guessed_form(matrix);
  return form.kind != SingleForm::Kind::any && is_exact(form, matrix) ? form : SingleForm{};
}

Complex subset_factor(std::span<const Complex> diagonal, std::uint32_t subset) {
  Complex above = 1, below = 1;
  for (std::uint32_t part = subset;; part = (part - 1) & subset) {
    const bool is_odd = ((std::popcount(subset) - std::popcount(part)) & 1) != 0;
    (is_odd ? below : above) *= diagonal[part];
    if (part == 0) break;
  }
  return above == below ? 1.0 : above / below;
}

std::vector<Complex> monomial_entries(std::span<const Complex> matrix) {
  const std::size_t rows = rows_of(matrix);
  std::vector<Complex> out(rows);
  const bool is_antidiagonal = rows == 2 && matrix[0] == 0.0;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < rows; ++c)
      if (matrix[r * rows + c] != 0.0) out[is_antidiagonal ? c : r] = matrix[r * rows + c];
  }
  return out;
}

}  // namespace skerry::sim
