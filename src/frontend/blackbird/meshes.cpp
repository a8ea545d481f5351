// Operations that a matrix describes, as squeezers between meshes of beam splitters.
#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>

#include "frontend/blackbird/gates.hpp"
#include "frontend/refuse.hpp"

namespace skerry::frontend::blackbird {
namespace {

using Complex = std::complex<double>;
using ComplexMatrix = Eigen::MatrixXcd;
constexpr double kOff = 1e-6;           // what a written-out matrix may be off by
constexpr std::size_t kMaxMesh = 1024;  // modes of a unitary; its check takes their third power
constexpr std::size_t kMaxGaussian = 128;

/// The square matrix of an argument. Errors: semantic_error (another shape), limit_exceeded.
ComplexMatrix square(const Value& value, std::size_t size, std::size_t most, const std::string& what) {
  if (value.kind != Value::Kind::array || value.elements.size() != size * size)
    refuse(what + " needs a matrix of " + std::to_string(size) + " x " + std::to_string(size));
  if (size > most)
    refuse(what + " of " + std::to_string(size) + " rows, " + std::to_string(most) + " are the most", {},
           ErrorCode::limit_exceeded);
  using RowMajor = Eigen::Matrix<Complex, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto rows = static_cast<Eigen::Index>(size);
  return Eigen::Map<const RowMajor>(value.elements.data(), rows, rows);
}

bool is_unitary(const ComplexMatrix& u) {
  return (u * u.adjoint() - ComplexMatrix::Identity(u.rows(), u.cols())).cwiseAbs().maxCoeff() <= kOff;
}

/// What a -> U a does to x0, x1, ..., p0, p1, ...
Eigen::MatrixXd passive(const ComplexMatrix& u) {
  Eigen::MatrixXd moved(2 * u.rows(), 2 * u.cols());
  moved << u.real(), -u.imag(), u.imag(), u.real();
  return moved;
}

/// A = U diag(values) U^T with values >= 0, falling.
struct Takagi {
  Eigen::VectorXd values;
  ComplexMatrix unitary;
};

// A conj(u) = value u is an eigenvalue problem of the real and imaginary parts of u, whose eigenvalues come in pairs of
// both signs; u of the positive ones is orthonormal. Directions of value 0 are any that are orthogonal to those.
// Source: Houde, McCutcheon, Quesada, Matrix decompositions in quantum optics, Can. J. Phys. 102, 497, 2024, sec. 4.
Takagi takagi(const ComplexMatrix& a) {
  const Eigen::Index n = a.rows();
  Eigen::MatrixXd parts(2 * n, 2 * n);
  parts << a.real(), a.imag(), a.imag(), -a.real();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved((parts + parts.transpose()) / 2);
  Takagi result{Eigen::VectorXd::Zero(n), ComplexMatrix::Zero(n, n)};
  const double least = 1e-12 * std::max(solved.eigenvalues().cwiseAbs().maxCoeff(), 1e-300);
  Eigen::Index found = 0;
  const auto offer = [&](Eigen::VectorXcd u, double value) {
    for (int pass = 0; pass < 2; ++pass)
      u -= result.unitary.leftCols(found) * (result.unitary.leftCols(found).adjoint() * u);
    if (u.norm() < 1e-3) return;
    result.values[found] = value;
    result.unitary.col(found++) = u.normalized();
  };
  for (Eigen::Index i = 2 * n; i-- > 0 && found < n;) {
    const double value = solved.eigenvalues()[i];
    if (value <= least) break;
    offer(solved.eigenvectors().col(i).head(n) + Complex(0, 1) * solved.eigenvectors().col(i).tail(n), value);
  }
  for (Eigen::Index i = 0; i < n && found < n; ++i) offer(ComplexMatrix::Identity(n, n).col(i), 0.0);
  return result;
}

}  // namespace

// Zeroes the last row's elements from the left by beam splitters on neighbouring columns, then the row before: what is
// left is a diagonal of phases. Source: Reck et al., Phys. Rev. Lett. 73, 58, 1994.
void ModeWriter::mesh(std::vector<Complex> u, std::span<const std::uint32_t> modes) {
  const std::size_t n = modes.size();
  // u = D B_last ... B_first as it acts on the modes' operators; columns (j, j + 1) times B^ make u[row][j] vanish.
  for (std::size_t row = n; row-- > 1;)
    for (std::size_t j = 0; j < row; ++j) {
      const Complex a = u[row * n + j], b = u[row * n + j + 1];
      if (a == 0.0) continue;
      const double theta = std::atan2(std::abs(a), std::abs(b)), phase = std::arg(a) - std::arg(b);
      // BS: a1 -> c a1 - q* a2, a2 -> q a1 + c a2, q = e^{i f} s; its inverse from the right.
      const double c = std::cos(theta);
      const Complex q = std::polar(std::sin(theta), phase);
      for (std::size_t k = 0; k <= row; ++k) {
        const Complex left = u[k * n + j], right = u[k * n + j + 1];
        u[k * n + j] = left * c - right * q;
        u[k * n + j + 1] = left * std::conj(q) + right * c;
      }
      put(Op::beam_splitter, {modes[j], modes[j + 1]}, {Value::of(theta), Value::of(phase)});
    }
  for (std::size_t i = 0; i < n; ++i)
    if (const double turn = std::arg(u[i * n + i]); turn != 0) put(Op::rotation, {modes[i]}, {Value::of(turn)});
}

namespace {

/// Row-major elements; nothing for the identity, which needs no mesh.
std::vector<Complex> rows_of(const ComplexMatrix& u) {
  std::vector<Complex> rows;
  if ((u - ComplexMatrix::Identity(u.rows(), u.cols())).cwiseAbs().maxCoeff() < 1e-14) return rows;
  for (Eigen::Index i = 0; i < u.rows(); ++i)
    for (Eigen::Index j = 0; j < u.cols(); ++j) rows.push_back(u(i, j));
  return rows;
}

}  // namespace

void ModeWriter::interferometer(const Value& matrix, std::span<const std::uint32_t> modes) {
  const ComplexMatrix u =
      square(matrix, modes.size(), kMaxMesh, "an interferometer on " + std::to_string(modes.size()) + " modes");
  const ComplexMatrix identity = ComplexMatrix::Identity(u.rows(), u.cols());
  if (!((u * u.adjoint() - identity).cwiseAbs().maxCoeff() <= kOff))
    refuse("the interferometer's matrix is not unitary");
  mesh(matrix.elements, modes);
}

// S S^T - (S S^T)^-1 = O (2 sinh 2r, -2 sinh 2r) O^T has the form that takagi() takes apart, so that O is symplectic:
// S = O diag(e^r, e^-r) O', a mesh, squeezers, and a mesh. Source: Braunstein, Phys. Rev. A 71, 055801, 2005.
void ModeWriter::gaussian_transform(const Value& matrix, bool of_vacuum, std::span<const std::uint32_t> modes) {
  const std::string what = "a Gaussian transformation of " + std::to_string(modes.size()) + " modes";
  const ComplexMatrix given = square(matrix, 2 * modes.size(), 2 * kMaxGaussian, what);
  const auto n = static_cast<Eigen::Index>(modes.size());
  const Eigen::MatrixXd s = given.real();
  Eigen::MatrixXd form = Eigen::MatrixXd::Zero(2 * n, 2 * n);
  form.topRightCorner(n, n).setIdentity();
  form.bottomLeftCorner(n, n) = -Eigen::MatrixXd::Identity(n, n);
  if (given.imag().cwiseAbs().maxCoeff() != 0 || !((s * form * s.transpose() - form).cwiseAbs().maxCoeff() <= kOff))
    refuse("the matrix of " + what + " is not symplectic", "order its rows x0, x1, ..., p0, p1, ...");
  const Eigen::MatrixXd stretch = s * s.transpose();
  const Eigen::MatrixXd odd = stretch - form * stretch * form.transpose();  // (S S^T)^-1 = form S S^T form^T
  ComplexMatrix a = odd.topLeftCorner(n, n).cast<Complex>();
  a += Complex(0, 1) * odd.topRightCorner(n, n).cast<Complex>();
  const Takagi apart = takagi((a + a.transpose()) / 2);
  const Eigen::MatrixXd outer = passive(apart.unitary);
  Eigen::VectorXd r(n), scale(2 * n);
  for (Eigen::Index i = 0; i < n; ++i) r[i] = std::asinh(apart.values[i] / 2) / 2;
  scale << (-r).array().exp(), r.array().exp();
  const Eigen::MatrixXd inner = scale.asDiagonal() * outer.transpose() * s;
  ComplexMatrix first = inner.topLeftCorner(n, n).cast<Complex>();
  first += Complex(0, 1) * inner.bottomLeftCorner(n, n).cast<Complex>();
  // Beside e^{4r} of one mode the others' squeezing is lost in rounding.
  if (!((inner - passive(first)).cwiseAbs().maxCoeff() <= kOff) || !is_unitary(first))
    refuse("the matrix of " + what + " squeezes too strongly to be taken apart", "write its gates");
  if (std::vector<Complex> rows = rows_of(first); !rows.empty() && !of_vacuum) mesh(std::move(rows), modes);
  for (Eigen::Index i = 0; i < n; ++i)
    if (r[i] != 0) put(Op::squeezing, {modes[static_cast<std::size_t>(i)]}, {Value::of(-r[i]), Value::of(0.0)});
  if (std::vector<Complex> rows = rows_of(apart.unitary); !rows.empty()) mesh(std::move(rows), modes);
}

// Squeezed by tanh r = c value and sent through the unitary, the vacuum becomes exp(c a^ A a^ / 2)|0>: amplitudes are
// hafnians of A. Source: Bradler et al., Phys. Rev. A 98, 032310, 2018.
void ModeWriter::graph_embed(const Value& matrix, double mean_photons, std::span<const std::uint32_t> modes) {
  const std::string what = "a graph of " + std::to_string(modes.size()) + " modes";
  ComplexMatrix a = square(matrix, modes.size(), kMaxGaussian, what);
  const double scale = a.cwiseAbs().maxCoeff();  // the number of photons sets another
  if (!(scale > 0)) return;
  a /= scale;
  if (!((a - a.transpose()).cwiseAbs().maxCoeff() <= kOff)) refuse("the matrix of " + what + " is not symmetric");
  if (!(mean_photons > 0) || !(mean_photons <= 1e6))
    refuse("a mean number of " + std::to_string(mean_photons) + " photons a mode", "take a positive number");
  const Takagi apart = takagi((a + a.transpose()) / 2);
  const double largest = apart.values.maxCoeff();
  if (!(largest > 0) || !is_unitary(apart.unitary)) refuse("the matrix of " + what + " cannot be taken apart");
  const auto photons = [&](double c) {
    double sum = 0;
    for (const double value : apart.values) sum += std::pow(c * value, 2) / (1 - std::pow(c * value, 2));
    return sum;
  };
  double low = 0, high = 1 / largest;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (photons(middle) < mean_photons * static_cast<double>(modes.size()) ? low : high) = middle;
  }
  for (std::size_t i = 0; i < modes.size(); ++i)
    if (const double value = apart.values[static_cast<Eigen::Index>(i)]; value != 0)
      put(Op::squeezing, {modes[i]}, {Value::of(-std::atanh(low * value)), Value::of(0.0)});
  if (std::vector<Complex> rows = rows_of(apart.unitary); !rows.empty()) mesh(std::move(rows), modes);
}

}  // namespace skerry::frontend::blackbird
