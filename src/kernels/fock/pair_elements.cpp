#include <algorithm>
#include <cmath>

#include "kernels/fock/elements.hpp"

namespace skerry::kernels::fock {
namespace {

double root(std::size_t n) {
  return std::sqrt(static_cast<double>(n));
}

/// sqrt(n choose k); in long double, so that 126 factors cost no digits.
double root_binomial(std::size_t n, std::size_t k) {
  long double product = 1.0L;
  for (std::size_t i = 1; i <= std::min(k, n - k); ++i)
    product *= static_cast<long double>(n + 1 - i) / static_cast<long double>(i);
  return static_cast<double>(std::sqrt(product));
}

double number(std::size_t n) {
  return static_cast<double>(n);
}

}  // namespace

BeamSplitter::BeamSplitter(std::size_t cutoff1, std::size_t cutoff2)
    : cutoff1_(cutoff1), cutoff2_(cutoff2), cosines_(cutoff1 + cutoff2 + 1), sines_(cutoff1 + cutoff2 + 1) {
  for (std::size_t total = 0; total + 1 < cutoff1 + cutoff2; ++total) {
    PairBlock block;
    block.first = total < cutoff2 ? 0 : total - cutoff2 + 1;
    block.size = std::min(total, cutoff1 - 1) + 1 - block.first;
    block.row_first = total <= cutoff2 ? 0 : total - cutoff2;
    block.rows = std::min(total, cutoff1) + 1 - block.row_first;
    block.at = elements_;
    block.invariant = static_cast<std::ptrdiff_t>(total);
    elements_ += block.rows * block.size;
    blocks_.push_back(block);
  }
  // Every element lies on one chain, which starts where one of the four numbers is 0.
  for (const PairBlock& block : blocks_) {
    const auto total = static_cast<std::size_t>(block.invariant);
    for (std::size_t m = block.row_first; m < block.row_first + block.rows; ++m)
      for (std::size_t p = block.first; p < block.first + block.size; ++p) {
        const std::size_t n = total - m, k = total - p;
        if (k == 0) {
          add_chain(m, n, p, k, root_binomial(p, m));
        } else if (p == 0) {
          add_chain(m, n, p, k, (m % 2 == 0 ? 1 : -1) * root_binomial(k, m));
        } else if (m == 0) {
          add_chain(m, n, p, k, root_binomial(n, p));
        } else if (n == 0) {
          add_chain(m, n, p, k, (k % 2 == 0 ? 1 : -1) * root_binomial(m, p));
        }
      }
  }
}

std::size_t BeamSplitter::place(std::size_t m1, std::size_t m2, std::size_t n1) const {
  const PairBlock& block = blocks_[m1 + m2];
  return block.at + (m1 - block.row_first) * block.size + n1 - block.first;
}

void BeamSplitter::add_chain(std::size_t m1, std::size_t m2, std::size_t n1, std::size_t n2, double start) {
  const std::size_t a = m1 > n1 ? m1 - n1 : n1 - m1, b = m1 > n2 ? m1 - n2 : n2 - m1;
  const std::size_t length =
      std::min({cutoff1_ + 1 - m1, cutoff2_ + 1 - m2, cutoff1_ - n1, cutoff2_ - n2});  // elements on the chain
  chains_.push_back({start, a, b, places_.size(), length - 1, place(m1, m2, n1)});
  // Orthonormal Jacobi functions f_j of degree j: x f_j = A_j f_{j+1} + B_j f_j + A_{j-1} f_{j-1}
  // (Gautschi, Orthogonal Polynomials, 2004, table 1.1); an element is f_j sqrt(2 / (2j + a + b + 1)).
  const auto up = [a, b](std::size_t j) {
    const double sum = number(2 * j + a + b);
    const double under = j == 0 ? number((a + 1) * (b + 1)) / (sum + 3)
                                : number(j + 1) * number(j + a + 1) * number(j + b + 1) * number(j + a + b + 1) /
                                      ((sum + 1) * (sum + 3));
    return 2 / (sum + 2) * std::sqrt(under);
  };
  const auto norm = [a, b](std::size_t j) { return std::sqrt(2 / number(2 * j + a + b + 1)); };
  double last[2] = {1, 1};
  for (std::size_t j = 0; j + 1 < length; ++j) {
    const double scale = norm(j + 1) / (up(j) * norm(j));
    const double previous = j == 0 ? 0.0 : norm(j + 1) / up(j) * up(j - 1) / norm(j - 1);
    // element_{j+1} = (scale x + a constant) element_j - previous element_{j-1}; the growth at x = ±1 is the ratio of
    // the polynomials' values there, (j + a over j) and (-1)^j (j + b over j), times that of their norms.
    for (const int end : {0, 1}) {
      const double x = end == 0 ? 1 : -1;
      const double with = number(j + 1 + (end == 0 ? a : b)), without = number(j + 1 + (end == 0 ? b : a));
      const double grow = x * std::sqrt(with / without * (number(j + 1 + a + b) / number(j + 1)));
      steps_[end].push_back({previous / (grow * last[end]), x * scale / grow, grow});
      last[end] = grow;
    }
    places_.push_back(place(m1 + j + 1, m2 + j + 1, n1 + j + 1));
  }
}

void BeamSplitter::evaluate(double t, std::span<double> out) {
  const double c = std::cos(t), s = std::sin(t);
  cosines_[0] = sines_[0] = 1.0;
  for (std::size_t i = 1; i < cosines_.size(); ++i) {
    cosines_[i] = cosines_[i - 1] * c;
    sines_[i] = sines_[i - 1] * s;
  }
  const bool from_minus = std::abs(c) < std::abs(s);
  const double distance = from_minus ? 2 * c * c : 2 * s * s;
  const Step* steps = steps_[from_minus ? 1 : 0].data();
  for (const Chain& chain : chains_) {
    double p = 1.0, difference = 0.0, factor = chain.start * cosines_[chain.b] * sines_[chain.a];
    out[chain.at] = factor;
    for (std::size_t i = chain.step; i < chain.step + chain.steps; ++i) {
      difference = steps[i].keep * difference - steps[i].turn * distance * p;
      p += difference;
      factor *= steps[i].grow;
      out[places_[i]] = factor * p;
    }
  }
}

TwoModeSqueezing::TwoModeSqueezing(std::size_t cutoff1, std::size_t cutoff2) {
  for (std::ptrdiff_t difference = 1 - static_cast<std::ptrdiff_t>(cutoff2);
       difference < static_cast<std::ptrdiff_t>(cutoff1); ++difference) {
    PairBlock block;
    block.first = difference > 0 ? static_cast<std::size_t>(difference) : 0;
    const std::size_t second = block.first - static_cast<std::size_t>(difference);
    block.size = std::min(cutoff1 - block.first, cutoff2 - second);
    block.row_first = block.first;
    block.rows = block.size + 1;
    block.at = elements_;
    block.invariant = difference;
    elements_ += block.rows * block.size;
    blocks_.push_back(block);
  }
}

void TwoModeSqueezing::evaluate(double r, std::span<double> out) const {
  const double c = std::cosh(r), t = std::tanh(r);
  std::size_t longest = 0;
  for (const PairBlock& block : blocks_) longest = std::max(longest, block.size);
  std::vector<double> powers(longest + 1, 1.0);
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * t;
  for (const PairBlock& block : blocks_) {
    const auto gap = static_cast<std::size_t>(std::abs(block.invariant));
    const std::size_t size = block.size;
    // As for squeezing(): the column's number is the eigenvalue of a three-term recurrence in the row, and `value` is
    // the element without its factor t^{k - j}.
    double start = std::pow(1 / c, number(gap + 1));  // sech^{gap+1} (-1)^k sqrt(gap + k over k)
    for (std::size_t k = 0; k <= size; ++k) {
      if (k > 0) start *= -root(gap + k) / root(k);
      double before = 0.0, value = start;
      for (std::size_t j = 0; j <= k; ++j) {
        const double element = value * powers[k - j];
        if (k < size) out[block.at + j * size + k] = element;
        if (j < size) out[block.at + k * size + j] = (k - j) % 2 == 0 ? element : -element;
        const double middle = t * t * number(j + k + gap + 1) - number(k - j);
        const double next = (middle * value - root(j * (j + gap)) * t * t * before) / root((j + 1) * (j + 1 + gap));
        before = value;
        value = next;
      }
    }
  }
}

}  // namespace skerry::kernels::fock
