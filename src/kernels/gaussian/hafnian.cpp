#include "kernels/gaussian/hafnian.hpp"

#include <cmath>
#include <skerry/error.hpp>
#include <string>
#include <type_traits>
#include <vector>

namespace skerry::kernels::gaussian {
namespace {

/// A complex number that multiplies without the NaN rules of std::complex.
struct Complex {
  double re = 0, im = 0;
  Complex() = default;
  Complex(double real) : re(real) {}                               // NOLINT(google-explicit-constructor): numbers mix
  Complex(std::complex<double> z) : re(z.real()), im(z.imag()) {}  // NOLINT(google-explicit-constructor)
  friend Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
  friend Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
  friend Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
  Complex& operator+=(Complex b) { return *this = *this + b; }

 private:
  Complex(double real, double imaginary) : re(real), im(imaginary) {}
};

/// Vertices 2i and 2i + 1 are a pair. A matching and the pairs together are cycles (and, with loops, paths between two
/// loops). Pairs are eliminated one by one, either left out or used: edge (j, k) then also counts the ways from j
/// through the pair to k. Each way through a pair multiplies by t, so that only what passes through n pairs reaches
/// t^n, and the alternating sum over used and left-out pairs keeps what passes through each of them once.
///
/// A polynomial after d eliminations has degree d at most. Edge (j, k), k < j, of a level is entry j (j-1) / 2 + k.
template <class S, bool HasLoops>
class Matchings {
 public:
  explicit Matchings(std::size_t pairs) : pairs_(pairs), length_(pairs + 1), levels_(pairs + 1) {
    for (std::size_t used = 0; used <= pairs; ++used) {
      const std::size_t vertices = 2 * (pairs - used);
      levels_[used].edges.resize(vertices * (vertices + 1) / 2 * length_);
      levels_[used].loops.resize(HasLoops ? vertices * length_ : 0);
      levels_[used].closed.resize(length_);
    }
  }

  template <class Number>
  S sum(std::span<const Number> matrix, std::span<const Number> loops) {
    const std::size_t n = 2 * pairs_;
    Level& level = levels_[0];
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < j; ++k) level.edges[(j * (j - 1) / 2 + k) * length_] = matrix[j * n + k];
      if constexpr (HasLoops) level.loops[j * length_] = loops[j];
    }
    level.closed[0] = 1.0;
    return walk(0, 0);
  }

 private:
  struct Level {
    std::vector<S> edges, loops, closed;  // closed: product over the cycles and paths that are complete
  };

  /// to[u + v + 1] += a[u] b[v], u and v up to `degree`, cut at t^pairs.
  void multiply(const S* a, const S* b, std::size_t degree, S* to) const {
    for (std::size_t u = 0; u <= degree; ++u) {
      const S factor = a[u];
      const std::size_t most = std::min(degree + 1, pairs_ - u);
      for (std::size_t v = 0; v < most; ++v) to[u + v + 1] += factor * b[v];
    }
  }

  /// Sum with level `depth` as it stands; polynomials in it have degree `degree` at most.
  S walk(std::size_t depth, std::size_t degree) {
    Level& here = levels_[depth];
    if (depth == pairs_) return here.closed[pairs_];
    const std::size_t vertices = 2 * (pairs_ - depth);
    S cycle[kMaxHafnian / 2 + 2];  // ways that the first pair closes
    for (std::size_t u = 0; u <= pairs_; ++u) cycle[u] = u <= degree ? here.edges[u] : S();
    if constexpr (HasLoops)
      for (std::size_t u = 0; u <= degree; ++u)
        for (std::size_t v = 0; v <= degree && u + v <= pairs_; ++v)
          cycle[u + v] += here.loops[u] * here.loops[length_ + v];
    if (vertices == 2) {
      // With and without the last pair: what is left of the difference.
      S sum{};
      for (std::size_t u = 0; u < pairs_; ++u) sum += here.closed[u] * cycle[pairs_ - 1 - u];
      return sum;
    }
    Level& next = levels_[depth + 1];
    copy_rest(here, next, vertices, degree);
    next.closed = here.closed;
    const S without = walk(depth + 1, degree);
    copy_rest(here, next, vertices, degree);
    for (std::size_t u = 0; u <= pairs_; ++u) next.closed[u] = here.closed[u];
    for (std::size_t u = 0; u < pairs_; ++u)
      for (std::size_t v = 0; u + v < pairs_; ++v) next.closed[u + v + 1] += here.closed[u] * cycle[v];
    use_pair(here, next, vertices, degree);
    return walk(depth + 1, std::min(2 * degree + 1, pairs_)) - without;
  }

  /// The other vertices, as if the first pair were not there; room above `degree` is cleared.
  void copy_rest(const Level& from, Level& to, std::size_t vertices, std::size_t degree) const {
    const std::size_t cleared = std::min(2 * degree + 1, pairs_);
    S* out = to.edges.data();
    for (std::size_t j = 3; j < vertices; ++j)
      for (std::size_t k = 2; k < j; ++k, out += length_) {
        const S* in = from.edges.data() + (j * (j - 1) / 2 + k) * length_;
        for (std::size_t u = 0; u <= degree; ++u) out[u] = in[u];
        for (std::size_t u = degree + 1; u <= cleared; ++u) out[u] = S();
      }
    if constexpr (HasLoops)
      for (std::size_t j = 2; j < vertices; ++j)
        for (std::size_t u = 0; u <= cleared; ++u)
          to.loops[(j - 2) * length_ + u] = u <= degree ? from.loops[j * length_ + u] : S();
  }

  /// Adds the ways through the first pair.
  void use_pair(const Level& from, Level& to, std::size_t vertices, std::size_t degree) const {
    const auto edge = [&from, this](std::size_t j, std::size_t k) {
      return from.edges.data() + (j * (j - 1) / 2 + k) * length_;
    };
    S* out = to.edges.data();
    for (std::size_t j = 3; j < vertices; ++j)
      for (std::size_t k = 2; k < j; ++k, out += length_) {
        multiply(edge(j, 0), edge(k, 1), degree, out);
        multiply(edge(k, 0), edge(j, 1), degree, out);
      }
    if constexpr (HasLoops)
      for (std::size_t j = 2; j < vertices; ++j) {
        multiply(from.loops.data(), edge(j, 1), degree, to.loops.data() + (j - 2) * length_);
        multiply(from.loops.data() + length_, edge(j, 0), degree, to.loops.data() + (j - 2) * length_);
      }
  }

  std::size_t pairs_, length_;
  std::vector<Level> levels_;
};

template <class Number>
void check(std::size_t n, std::span<const Number> matrix, std::size_t loops) {
  if (n > kMaxHafnian)
    throw Error(ErrorCode::limit_exceeded, "a hafnian of " + std::to_string(n) + " rows", "hafnian",
                "take at most " + std::to_string(kMaxHafnian));
  if (matrix.size() != n * n || loops != n)
    throw Error(ErrorCode::invalid_argument,
                "a matrix of " + std::to_string(matrix.size()) + " numbers for " + std::to_string(n) + " rows",
                "hafnian", "pass a square matrix, and one loop for each row");
}

double number(double value) {
  return value;
}
std::complex<double> number(Complex value) {
  return {value.re, value.im};
}

template <class Number>
Number sum_matchings(std::size_t n, std::span<const Number> matrix) {
  check(n, matrix, n);
  if (n % 2 == 1) return 0.0;
  if (n == 0) return 1.0;
  using S = std::conditional_t<std::is_same_v<Number, double>, double, Complex>;
  return number(Matchings<S, false>(n / 2).sum(matrix, matrix));
}

template <class Number>
Number sum_loop_matchings(std::size_t n, std::span<const Number> matrix, std::span<const Number> loops) {
  check(n, matrix, loops.size());
  if (n == 0) return 1.0;
  using S = std::conditional_t<std::is_same_v<Number, double>, double, Complex>;
  if (n % 2 == 0) return number(Matchings<S, true>(n / 2).sum(matrix, loops));
  // One more vertex that has a loop of weight 1 and no edges.
  std::vector<Number> padded((n + 1) * (n + 1)), more(loops.begin(), loops.end());
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k < n; ++k) padded[j * (n + 1) + k] = matrix[j * n + k];
  more.push_back(1.0);
  return number(Matchings<S, true>((n + 1) / 2).sum(std::span<const Number>(padded), std::span<const Number>(more)));
}

}  // namespace

double hafnian(std::size_t n, std::span<const double> matrix) {
  return sum_matchings(n, matrix);
}
std::complex<double> hafnian(std::size_t n, std::span<const std::complex<double>> matrix) {
  return sum_matchings(n, matrix);
}
double loop_hafnian(std::size_t n, std::span<const double> matrix, std::span<const double> loops) {
  return sum_loop_matchings(n, matrix, loops);
}
std::complex<double> loop_hafnian(std::size_t n, std::span<const std::complex<double>> matrix,
                                  std::span<const std::complex<double>> loops) {
  return sum_loop_matchings(n, matrix, loops);
}

}  // namespace skerry::kernels::gaussian
