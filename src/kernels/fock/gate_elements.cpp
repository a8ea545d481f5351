// Where elements lie and how each follows from its predecessors: all that does not depend on a gate's parameter.

#include <algorithm>
#include <cmath>

#include "kernels/fock/elements.hpp"

namespace skerry::kernels::fock {
namespace {

double number(std::size_t n) {
  return static_cast<double>(n);
}

double root(std::size_t n) {
  return std::sqrt(number(n));
}

/// sqrt(n choose k); in long double, so that 126 factors cost no digits.
double root_binomial(std::size_t n, std::size_t k) {
  long double product = 1.0L;
  for (std::size_t i = 1; i <= std::min(k, n - k); ++i)
    product *= static_cast<long double>(n + 1 - i) / static_cast<long double>(i);
  return static_cast<double>(std::sqrt(product));
}

std::ptrdiff_t signed_of(std::size_t n) {
  return static_cast<std::ptrdiff_t>(n);
}

std::uint32_t narrow(std::size_t n) {
  return static_cast<std::uint32_t>(n);
}

}  // namespace

GateElements::GateElements(Kind kind, std::size_t cutoff1, std::size_t cutoff2)
    : kind_(kind), cutoffs_{cutoff1, cutoff2} {}

void GateElements::add_block(ElementBlock block) {
  block.at = elements_ + (block.has_low ? block.size : 0);
  elements_ = block.at + (block.size + (block.has_high ? 1 : 0)) * block.size;
  block.links = links_.size();
  for (std::size_t i = 0; i <= block.size; ++i) {
    const auto photons = [&](std::size_t mode) {
      const std::ptrdiff_t n = signed_of(block.first[mode]) + signed_of(i) * block.step[mode];
      return n < 0 ? 0.0 : static_cast<double>(n);
    };
    const double m = photons(0), n = photons(1);
    double link = 0;
    switch (kind_) {
      case Kind::displacement:
        link = std::sqrt(m);
        break;
      case Kind::squeezing:
        link = m < 2 ? 0.0 : -0.5 * std::sqrt(m * (m - 1));
        break;
      case Kind::beam_splitter:
        link = i == block.size && !block.has_high ? 0.0 : -std::sqrt(m * (n + 1));
        break;
      case Kind::two_mode_squeezing:
        link = std::sqrt(m * n);
        break;
    }
    links_.push_back(link);
  }
  blocks_.push_back(block);
}

std::uint32_t GateElements::place(const ElementBlock& block, std::ptrdiff_t row, std::ptrdiff_t column) const {
  const std::ptrdiff_t size = signed_of(block.size), at = signed_of(block.at);
  if (row < 0 || row >= size) return narrow(elements_);
  if (column >= 0 && column < size) return narrow(static_cast<std::size_t>(at + row * size + column));
  const bool is_padding = (column == -1 && block.has_low) || (column == size && block.has_high);
  return narrow(is_padding ? static_cast<std::size_t>(at + column * size + row) : elements_);
}

GateElements GateElements::displacement(std::size_t cutoff) {
  GateElements gate(Kind::displacement, cutoff, 1);
  ElementBlock block;
  block.step[0] = 1;
  block.size = cutoff;
  block.has_high = true;
  gate.add_block(block);
  gate.displacement_chains();
  return gate;
}

void GateElements::displacement_chains() {
  // Row k of the powers is r^k exp(-r²/2) / sqrt(k!). With the polynomial divided by its value at 0, the element is
  // that times sqrt(n + k over n) times p.
  const std::size_t cutoff = cutoffs_[0];
  rows_ = cutoff + 2;
  for (std::size_t k = 0; k <= cutoff; ++k) {
    const auto at = [&](std::size_t n) { return place(blocks_[0], signed_of(n + k), signed_of(n)); };
    const auto mirror = [&](std::size_t n) { return place(blocks_[0], signed_of(n), signed_of(n + k)); };
    chains_.push_back({1.0, narrow(k), narrow(cutoff + 1), narrow(steps_.size()), narrow(cutoff - k), at(0), mirror(0),
                       k % 2 == 0 ? 1.0 : -1.0});
    for (std::size_t n = 0; n + k < cutoff; ++n) {
      const double keep = number(n) / number(n + k + 1), turn = 1 / number(n + k + 1);
      const double grown = root_binomial(n + 1 + k, n + 1);
      steps_.push_back({{keep, keep}, {turn, turn}, {grown, grown}, at(n + 1), mirror(n + 1)});
    }
  }
}

GateElements GateElements::squeezing(std::size_t cutoff) {
  GateElements gate(Kind::squeezing, cutoff, 1);
  for (std::size_t parity = 0; parity < std::min<std::size_t>(2, cutoff); ++parity) {
    ElementBlock block;
    block.first[0] = parity;
    block.step[0] = 2;
    block.size = (cutoff + 1 - parity) / 2;
    block.has_high = true;
    gate.add_block(block);
  }
  gate.squeezing_columns();
  return gate;
}

void GateElements::squeezing_columns() {
  // Rows of the powers: sech^{1/2}, sech^{3/2}, then t^i. S n S^ = (c² + s²) n + s² + c s (a² + a^²).
  first_power_ = 2;
  rows_ = 2 + (cutoffs_[0] + 1) / 2 + 1;
  double starts[2] = {1, 1};  // <0|S|n> and <1|S|n> without their powers
  for (std::size_t n = 0; n < cutoffs_[0] + 2; ++n) {
    const std::size_t parity = n % 2;
    if (parity >= blocks_.size()) continue;
    double& start = starts[parity];
    if (n >= 2) start *= parity == 0 ? root(n - 1) / root(n) : root(n) / root(n - 1);
    const ElementBlock& block = blocks_[parity];
    const auto at = [&](std::size_t m) { return place(block, signed_of(m / 2), signed_of(n / 2)); };
    const auto mirror = [&](std::size_t m) { return place(block, signed_of(n / 2), signed_of(m / 2)); };
    const auto power = [&](std::size_t m) { return narrow(first_power_ + (n - m) / 2); };
    const auto sign = [&](std::size_t m) { return (n - m) % 4 == 0 ? 1.0 : -1.0; };
    chains_.push_back({start, narrow(parity), power(parity), narrow(squeeze_steps_.size()), narrow(n / 2), at(parity),
                       mirror(parity), sign(parity)});
    for (std::size_t m = parity; m + 2 <= n; m += 2) {
      const double over = root((m + 1) * (m + 2));
      squeeze_steps_.push_back({number(n - m) / over, number(n + m + 1) / over, root(m * (m == 0 ? 0 : m - 1)) / over,
                                sign(m + 2), power(m + 2), at(m + 2), mirror(m + 2)});
    }
  }
}

GateElements GateElements::beam_splitter(std::size_t cutoff1, std::size_t cutoff2) {
  GateElements gate(Kind::beam_splitter, cutoff1, cutoff2);
  for (std::size_t total = 0; total + 1 < cutoff1 + cutoff2; ++total) {
    ElementBlock block;
    block.first[0] = total < cutoff2 ? 0 : total - cutoff2 + 1;
    block.first[1] = total - block.first[0];
    block.step[0] = 1;
    block.step[1] = -1;
    block.size = std::min(total, cutoff1 - 1) + 1 - block.first[0];
    block.has_low = block.first[0] > 0;
    block.has_high = total >= cutoff1;
    gate.add_block(block);
  }
  gate.splitter_chains();
  return gate;
}

void GateElements::splitter_chains() {
  // Rows of the powers: cos^i, then sin^i. Every element lies on one chain, which starts where one of the four numbers
  // is 0; such elements are single binomials.
  first_power_ = cutoffs_[0] + cutoffs_[1];
  rows_ = 2 * first_power_;
  for (const ElementBlock& block : blocks_) {
    const std::size_t total = block.first[0] + block.first[1], end = block.first[0] + block.size;
    for (std::size_t m = block.first[0]; m < end; ++m)
      for (std::size_t p = block.first[0] - (block.has_low ? 1 : 0); p < end + (block.has_high ? 1 : 0); ++p) {
        const std::size_t n = total - m, k = total - p;
        if (k == 0) {
          splitter_chain(m, n, p, k, root_binomial(p, m));
        } else if (p == 0) {
          splitter_chain(m, n, p, k, (m % 2 == 0 ? 1 : -1) * root_binomial(k, m));
        } else if (m == 0) {
          splitter_chain(m, n, p, k, root_binomial(n, p));
        } else if (n == 0) {
          splitter_chain(m, n, p, k, (k % 2 == 0 ? 1 : -1) * root_binomial(m, p));
        }
      }
  }
}

void GateElements::splitter_chain(std::size_t m1, std::size_t m2, std::size_t n1, std::size_t n2, double start) {
  const std::size_t a = m1 > n1 ? m1 - n1 : n1 - m1, b = m1 > n2 ? m1 - n2 : n2 - m1;
  const std::size_t length =
      std::min({cutoffs_[0] - m1, cutoffs_[1] - m2, cutoffs_[0] + 1 - n1, cutoffs_[1] + 1 - n2});  // elements
  const auto at = [&](std::size_t j) {
    const ElementBlock& block = blocks_[m1 + m2 + 2 * j];
    return place(block, signed_of(m1 + j) - signed_of(block.first[0]), signed_of(n1 + j) - signed_of(block.first[0]));
  };
  chains_.push_back({start, narrow(first_power_ + a), narrow(b), narrow(steps_.size()), narrow(length - 1), at(0),
                     narrow(elements_), 1.0});
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
  double last[2] = {1, 1}, grown[2] = {1, 1};
  for (std::size_t j = 0; j + 1 < length; ++j) {
    const double scale = norm(j + 1) / (up(j) * norm(j));
    const double previous = j == 0 ? 0.0 : norm(j + 1) / up(j) * up(j - 1) / norm(j - 1);
    // element_{j+1} = (scale x + a constant) element_j - previous element_{j-1}; the growth at x = ±1 is the ratio of
    // the polynomials' values there, (j + a over j) and (-1)^j (j + b over j), times that of their norms.
    Step step{};
    for (const int end : {0, 1}) {
      const double x = end == 0 ? 1 : -1;
      const double with = number(j + 1 + (end == 0 ? a : b)), without = number(j + 1 + (end == 0 ? b : a));
      const double grow = x * std::sqrt(with / without * (number(j + 1 + a + b) / number(j + 1)));
      step.keep[end] = previous / (grow * last[end]);
      step.turn[end] = x * scale / grow;
      step.grown[end] = grown[end] *= grow;
      last[end] = grow;
    }
    step.at = at(j + 1);
    step.mirror = narrow(elements_);
    steps_.push_back(step);
  }
}

GateElements GateElements::two_mode_squeezing(std::size_t cutoff1, std::size_t cutoff2) {
  GateElements gate(Kind::two_mode_squeezing, cutoff1, cutoff2);
  for (std::ptrdiff_t gap = 1 - signed_of(cutoff2); gap < signed_of(cutoff1); ++gap) {
    ElementBlock block;
    block.first[0] = gap > 0 ? static_cast<std::size_t>(gap) : 0;
    block.first[1] = static_cast<std::size_t>(signed_of(block.first[0]) - gap);
    block.step[0] = block.step[1] = 1;
    block.size = std::min(cutoff1 - block.first[0], cutoff2 - block.first[1]);
    block.has_high = true;
    gate.add_block(block);
  }
  gate.pair_squeezing_columns();
  return gate;
}

void GateElements::pair_squeezing_columns() {
  // Rows of the powers: sech^{i+1}, then t^i. As for squeezing(); states are counted from the block's first.
  first_power_ = std::max(cutoffs_[0], cutoffs_[1]);
  rows_ = first_power_ + std::min(cutoffs_[0], cutoffs_[1]) + 1;
  for (const ElementBlock& block : blocks_) {
    const std::size_t gap = block.first[0] + block.first[1];
    double start = 1;  // (-1)^k sqrt(gap + k over k)
    for (std::size_t k = 0; k <= block.size; ++k) {
      if (k > 0) start *= -root(gap + k) / root(k);
      const auto at = [&](std::size_t j) { return place(block, signed_of(j), signed_of(k)); };
      const auto mirror = [&](std::size_t j) { return place(block, signed_of(k), signed_of(j)); };
      const auto power = [&](std::size_t j) { return narrow(first_power_ + k - j); };
      const auto sign = [&](std::size_t j) { return (k - j) % 2 == 0 ? 1.0 : -1.0; };
      chains_.push_back(
          {start, narrow(gap), power(0), narrow(squeeze_steps_.size()), narrow(k), at(0), mirror(0), sign(0)});
      for (std::size_t j = 0; j < k; ++j) {
        const double over = root((j + 1) * (j + 1 + gap));
        squeeze_steps_.push_back({-number(k - j) / over, -number(j + k + gap + 1) / over, root(j * (j + gap)) / over,
                                  sign(j + 1), power(j + 1), at(j + 1), mirror(j + 1)});
      }
    }
  }
}

}  // namespace skerry::kernels::fock
