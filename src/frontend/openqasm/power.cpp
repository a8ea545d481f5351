#include <Eigen/Eigenvalues>
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <skerry/error.hpp>

#include "frontend/openqasm/gates.hpp"
#include "ops/qubit/gate_record.hpp"

namespace skerry::frontend::openqasm {
namespace {

using Dense = Eigen::Matrix<std::complex<double>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Complex = std::complex<double>;

// Gates exp(i t G) of their first parameter: a power scales it.
bool scales(Op op) {
  constexpr std::array kScaled = {Op::gphase, Op::p,   Op::rx,  Op::ry,  Op::rz,         Op::r,
                                  Op::rxx,    Op::ryy, Op::rzz, Op::rzx, Op::xx_plus_yy, Op::xx_minus_yy};
  return std::find(kScaled.begin(), kScaled.end(), op) != kScaled.end();
}

// Gates diag(1, exp(i k pi/4)) in the basis of the row's axis; k is in (-4, 4], the principal branch.
struct Turn {
  Op op;
  char axis;
  int eighths;
};
constexpr std::array kTurns = {Turn{Op::z, 'z', 4},  Turn{Op::s, 'z', 2},     Turn{Op::sdg, 'z', -2},
                               Turn{Op::t, 'z', 1},  Turn{Op::tdg, 'z', -1},  Turn{Op::x, 'x', 4},
                               Turn{Op::sx, 'x', 2}, Turn{Op::sxdg, 'x', -2}, Turn{Op::y, 'y', 4}};

// The gate with a name of its own that turns by so many eighths about the axis, if there is one.
const Turn* named_turn(char axis, int eighths) {
  const int folded = ((eighths + 3) % 8 + 8) % 8 - 3;  // into (-4, 4]
  const auto* found =
      std::find_if(kTurns.begin(), kTurns.end(), [&](const Turn& t) { return t.axis == axis && t.eighths == folded; });
  return found == kTurns.end() ? nullptr : found;
}

// Rows of `m` as a state of 2^n amplitudes each: multiplies from the left by `gate` on `wires`, controls first.
void multiply(Dense& m, std::span<const Complex> gate, std::span<const Wire> wires, std::size_t controls) {
  const std::size_t targets = wires.size() - controls;
  const std::size_t size = std::size_t{1} << targets;
  std::size_t control_mask = 0;
  for (const Wire w : wires.first(controls)) control_mask |= std::size_t{1} << w;
  const auto spread = [&](std::size_t k) {
    std::size_t bits = 0;
    for (std::size_t t = 0; t < targets; ++t) bits |= ((k >> t) & 1U) << wires[controls + t];
    return bits;
  };
  const std::size_t target_mask = spread(size - 1);
  std::vector<Complex> in(size);
  for (Eigen::Index column = 0; column < m.cols(); ++column) {
    for (std::size_t base = 0; base < static_cast<std::size_t>(m.rows()); ++base) {
      if ((base & target_mask) != 0 || (base & control_mask) != control_mask) continue;
      for (std::size_t k = 0; k < size; ++k) in[k] = m(static_cast<Eigen::Index>(base | spread(k)), column);
      for (std::size_t r = 0; r < size; ++r) {
        Complex sum = 0;
        for (std::size_t k = 0; k < size; ++k) sum += gate[r * size + k] * in[k];
        m(static_cast<Eigen::Index>(base | spread(r)), column) = sum;
      }
    }
  }
}

Matrix to_matrix(std::uint32_t wires, const Dense& dense) {
  return {wires, std::vector<Complex>(dense.data(), dense.data() + dense.size())};
}

}  // namespace

Matrix circuit_matrix(const Circuit& circuit) {
  const auto rows = Eigen::Index{1} << circuit.num_wires();
  Dense m = Dense::Identity(rows, rows);
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction instruction = circuit.body()[i];
    if (instruction.op == Op::barrier) continue;
    const std::vector<Complex> gate = ops::instruction_matrix(circuit, instruction);
    multiply(m, gate, instruction.wires, instruction.controls);
  }
  return to_matrix(circuit.num_wires(), m);
}

Matrix unitary_power(const Matrix& matrix, std::span<const double> exponents) {
  const auto rows = Eigen::Index{1} << matrix.wires;
  const Eigen::Map<const Dense> u(matrix.values.data(), rows, rows);
  // A unitary is normal, so its Schur form is diagonal and the Schur vectors are orthonormal eigenvectors.
  const Eigen::ComplexSchur<Dense> schur(u);
  Eigen::VectorXcd values = schur.matrixT().diagonal();
  for (const double e : exponents) {
    for (Complex& value : values) {
      double angle = std::arg(value);
      constexpr double kBranch = 1e-12;  // rounding must not put an eigenvalue -1 on the other side of the cut
      if (angle < -std::numbers::pi + kBranch) angle = std::numbers::pi;
      value = std::polar(1.0, e * angle);
    }
  }
  const Dense power = schur.matrixU() * values.asDiagonal() * schur.matrixU().adjoint();
  return to_matrix(matrix.wires, power);
}

bool GateTable::native_power(Op op, std::span<const Value> params, std::span<const Wire> wires, std::size_t controls,
                             double exponent) {
  if (op == Op::id) return true;
  if (scales(op)) {
    std::array<Value, 3> scaled;
    std::copy(params.begin(), params.end(), scaled.begin());
    ExprPool& pool = circuit_.expressions();
    scaled[0] = binary(pool, ExprOp::mul, Value::of(exponent), cast(pool, params[0], kReal));
    native(op, std::span<const Value>(scaled).first(params.size()), wires, controls);
    return true;
  }
  if (std::any_of(kTurns.begin(), kTurns.end(), [op](const Turn& t) { return t.op == op; })) {
    quarter_turns(op, exponent, wires, controls);
    return true;
  }
  if (std::trunc(exponent) == exponent && ops::gate_record(op).is_hermitian) {
    if (std::fmod(exponent, 2.0) != 0.0) native(op, params, wires, controls);
    return true;
  }
  return false;
}

// A turn about x or y is one about z between changes of basis, which need no controls.
void GateTable::quarter_turns(Op op, double exponent, std::span<const Wire> wires, std::size_t controls) {
  const Turn turn = *std::find_if(kTurns.begin(), kTurns.end(), [op](const Turn& t) { return t.op == op; });
  const double eighths = std::fmod(turn.eighths * exponent, 8.0);
  if (eighths == 0.0) return;
  const int whole = static_cast<int>(eighths);
  if (whole == eighths) {
    if (const Turn* named = named_turn(turn.axis, whole)) {
      native(named->op, {}, wires, controls);
      return;
    }
  }
  const std::span<const Wire> target = wires.subspan(controls);
  if (turn.axis == 'y') native(Op::sdg, {}, target, 0);
  if (turn.axis != 'z') native(Op::h, {}, target, 0);
  const Value angle = Value::of(eighths * std::numbers::pi / 4);
  native(Op::p, std::span(&angle, 1), wires, controls);
  if (turn.axis != 'z') native(Op::h, {}, target, 0);
  if (turn.axis == 'y') native(Op::s, {}, target, 0);
}

void GateTable::matrix_power(const Application& application, std::span<const Wire> wires, std::uint16_t controls,
                             std::span<const double> exponents) {
  const std::uint32_t n = qubits(application.gate);
  if (n > kMaxPowerQubits || n == 0)
    throw Error(ErrorCode::unsupported,
                "a fractional power of a gate on " + std::to_string(n) + " qubits; up to " +
                    std::to_string(kMaxPowerQubits) + " are",
                {}, "raise the gates inside it instead");
  if (!std::all_of(application.params.begin(), application.params.end(),
                   [](const Value& v) { return v.is_constant(); }))
    throw Error(ErrorCode::unsupported, "a fractional power of a gate whose parameters are not known yet", {},
                "give the gate numbers, or raise a rotation, whose angle is scaled");
  // What multiplying and diagonalising matrices of 2^n rows takes, in gates.
  count(std::uint64_t{2} << (3 * n - 3), application.place);
  Circuit alone(n);
  GateTable table(sources_, alone, definitions_);
  std::vector<Wire> operands(n);
  for (std::uint32_t i = 0; i < n; ++i) operands[i] = i;
  Application plain;
  plain.gate = application.gate;
  plain.place = application.place;
  plain.params = application.params;
  plain.wires = operands;
  table.apply(plain);
  count(table.counted_, application.place);
  table.close_phase();
  circuit_.unitary(unitary_power(circuit_matrix(alone), exponents), wires, controls);
}

}  // namespace skerry::frontend::openqasm
