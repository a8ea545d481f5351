#include "sim/density/passes.hpp"

#include <algorithm>
#include <bit>
#include <complex>

namespace skerry::sim {
namespace {

using Complex = std::complex<double>;
constexpr std::array<double, 16> kIdentity = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};

/// A Pauli string as it acts: P |c> = phase (-1)^(z . c) |c ^ x>.
struct String {
  std::size_t x = 0, z = 0;
  Complex phase;
  Complex entry(std::size_t column) const { return std::popcount(z & column) % 2 == 0 ? phase : -phase; }
};

String string_of(std::size_t index, std::uint32_t wires) {
  String out;
  for (std::uint32_t w = 0; w < wires; ++w) {
    out.x |= (index >> (2 * w) & 1U) << w;
    out.z |= (index >> (2 * w + 1) & 1U) << w;
  }
  out.phase = kPowersOfI[std::popcount(out.x & out.z) % 4];
  return out;
}

/// a b for n x n matrices.
std::vector<double> product(std::span<const double> a, std::span<const double> b, std::size_t n) {
  std::vector<double> out(n * n);
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t m = 0; m < n; ++m) {
      if (a[r * n + m] == 0.0) continue;
      for (std::size_t c = 0; c < n; ++c) out[r * n + c] += a[r * n + m] * b[m * n + c];
    }
  return out;
}

/// A matrix on two digits with the digits exchanged.
std::vector<double> exchanged(std::span<const double> matrix) {
  const auto swap = [](std::size_t i) { return i >> 2 | (i & 3U) << 2; };
  std::vector<double> out(256);
  for (std::size_t r = 0; r < 16; ++r)
    for (std::size_t c = 0; c < 16; ++c) out[swap(r) * 16 + swap(c)] = matrix[r * 16 + c];
  return out;
}

}  // namespace

std::vector<double> pauli_transfer(std::span<const Matrix> operators) {
  const std::uint32_t wires = operators.front().wires;
  const std::size_t n = std::size_t{1} << wires, strings = n * n;
  std::vector<double> out(strings * strings);
  std::vector<Complex> image(n * n), moved(n * n);
  for (std::size_t q = 0; q < strings; ++q) {
    const String in = string_of(q, wires);
    std::ranges::fill(image, 0.0);
    for (const Matrix& k : operators) {
      for (std::size_t r = 0; r < n; ++r)
        for (std::size_t c = 0; c < n; ++c) moved[r * n + c] = k.values[r * n + (c ^ in.x)] * in.entry(c);
      for (std::size_t r = 0; r < n; ++r)
        for (std::size_t c = 0; c < n; ++c) {
          Complex sum = 0;
          for (std::size_t m = 0; m < n; ++m) sum += moved[r * n + m] * std::conj(k.values[c * n + m]);
          image[r * n + c] += sum;
        }
    }
    for (std::size_t p = 0; p < strings; ++p) {
      const String of = string_of(p, wires);
      Complex trace = 0;
      for (std::size_t c = 0; c < n; ++c) trace += of.entry(c) * image[c * n + (c ^ of.x)];
      out[p * strings + q] = trace.real() / static_cast<double>(n);
    }
  }
  return out;
}

void Passes::begin_pass(std::span<const int> digits, std::vector<double> rows) {
  Pass pass{{digits.begin(), digits.end()}, {}, std::move(rows)};
  const auto waits = [&](int d) { return waiting_[static_cast<std::size_t>(d)].has_value(); };
  const bool any = std::ranges::any_of(digits, waits);
  for (const int d : digits) {
    auto& waiting = waiting_[static_cast<std::size_t>(d)];
    if (any) pass.before.push_back(waiting.value_or(kIdentity));
    waiting.reset();
    last_[static_cast<std::size_t>(d)] = passes_.size();
  }
  passes_.push_back(std::move(pass));
}

bool Passes::joins_last(std::span<const int> digits, std::span<const double> matrix) {
  if (digits.size() != 2) return false;
  const auto a = static_cast<std::size_t>(digits[0]), b = static_cast<std::size_t>(digits[1]);
  if (waiting_[a] || waiting_[b] || last_[a] == kNone || last_[a] != last_[b]) return false;
  Pass& pass = passes_[last_[a]];
  if (pass.digits.size() != 2) return false;
  const bool same = pass.digits[0] == digits[0];
  pass.rows = product(same ? std::vector<double>(matrix.begin(), matrix.end()) : exchanged(matrix), pass.rows, 16);
  return true;
}

void Passes::add(std::span<const int> digits, std::span<const double> matrix) {
  if (digits.size() == 1) {
    auto& waiting = waiting_[static_cast<std::size_t>(digits[0])];
    const std::vector<double> both = waiting ? product(matrix, *waiting, 4) : std::vector(matrix.begin(), matrix.end());
    std::ranges::copy(both, waiting.emplace().begin());
    return;
  }
  if (!joins_last(digits, matrix)) begin_pass(digits, {matrix.begin(), matrix.end()});
}

void Passes::flush() {
  std::vector<int> left;
  for (std::size_t d = 0; d < waiting_.size(); ++d)
    if (waiting_[d]) left.push_back(static_cast<int>(d));
  for (std::size_t i = 0; i < left.size(); i += 2)
    begin_pass(std::span(left).subspan(i, std::min<std::size_t>(2, left.size() - i)), {});
}

template <class T>
std::vector<kernels::Transfer<T>> Passes::take() {
  flush();
  std::vector<kernels::Transfer<T>> out;
  out.reserve(passes_.size());
  for (Pass& pass : passes_) out.emplace_back(std::move(pass.digits), pass.before, pass.rows);
  passes_.clear();
  std::ranges::fill(last_, kNone);
  return out;
}

template std::vector<kernels::Transfer<float>> Passes::take<float>();
template std::vector<kernels::Transfer<double>> Passes::take<double>();

}  // namespace skerry::sim
