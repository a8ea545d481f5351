// <psi|P|psi> = sum over i of conj(psi[i ^ x]) i^{|x & z|} (-1)^{|i & z|} psi[i]: X flips the bits of x, Z signs by z,
// and each Y = i X Z adds a factor i. The products conj(psi[i ^ x]) psi[i] serve every string of the same x.

#include <algorithm>
#include <array>
#include <bit>

#include "base/threads.hpp"
#include "kernels/statevec/reduce.hpp"

namespace skerry::kernels {
namespace {

constexpr std::size_t kShared = 16;      // strings to a pass
constexpr std::size_t kBlock = 64;       // amplitudes whose sign by the low six wires is looked up
constexpr std::size_t kMaxPieces = 256;  // partial sums to a pass
constexpr std::size_t kPiece = std::size_t{1} << 14;

double sign(std::uint64_t bits) {
  return (std::popcount(bits) & 1) != 0 ? -1.0 : 1.0;
}

/// Strings of one x, prepared for blocks of amplitudes.
class SharedPass {
 public:
  explicit SharedPass(std::span<const PauliMasks> strings) : strings_(strings) {
    for (std::size_t s = 0; s < strings.size(); ++s)
      for (std::size_t b = 0; b < kBlock; ++b) signs_[s][b] = sign(b & strings[s].z);
  }

  /// sums[s] += contribution of the basis states [begin, end).
  template <class T>
  void add(ConstStateView<T> state, std::size_t begin, std::size_t end, std::array<double, kShared>& sums) const {
    const std::uint64_t x = strings_[0].x;
    for (std::size_t block = begin; block < end; block += kBlock) {
      std::array<double, kBlock> re{}, im{};
      const std::size_t length = std::min(kBlock, end - block);
      for (std::size_t b = 0; b < length; ++b) {
        const std::complex<double> here(state.amplitudes[block + b]), there(state.amplitudes[(block + b) ^ x]);
        re[b] = there.real() * here.real() + there.imag() * here.imag();
        im[b] = there.real() * here.imag() - there.imag() * here.real();
      }
      for (std::size_t s = 0; s < strings_.size(); ++s) sums[s] += block_value(s, block, re, im);
    }
  }

 private:
  double block_value(std::size_t s, std::size_t block, const std::array<double, kBlock>& re,
                     const std::array<double, kBlock>& im) const {
    const int turns = std::popcount(strings_[s].x & strings_[s].z) & 3;
    // Re(i^turns (re + i im)): re, -im, -re, im.
    const auto& part = (turns & 1) == 0 ? re : im;
    double sum = 0;
    for (std::size_t b = 0; b < kBlock; ++b) sum += part[b] * signs_[s][b];
    const bool negative = turns == 1 || turns == 2;
    return sum * sign(block & strings_[s].z & ~(kBlock - 1)) * (negative ? -1.0 : 1.0);
  }

  std::span<const PauliMasks> strings_;
  std::array<std::array<double, kBlock>, kShared> signs_{};
};

template <class T>
void run_pass(ConstStateView<T> state, std::span<const PauliMasks> strings, std::span<double> out,
              const RunControl& control) {
  const SharedPass pass(strings);
  const std::size_t piece = std::max(kPiece, state.size() / kMaxPieces);
  std::array<std::array<double, kShared>, kMaxPieces> partial{};
  base::parallel_for(0, state.size(), piece, [&](std::size_t begin, std::size_t end) {
    for (std::size_t at = begin; at < end; at += kPiece) {
      control.check("expectation values");
      pass.add(state, at, std::min(at + kPiece, end), partial[begin / piece]);
    }
  });
  for (std::size_t s = 0; s < strings.size(); ++s) {
    out[s] = 0;
    for (const auto& sums : partial) out[s] += sums[s];
  }
}

}  // namespace

template <class T>
std::vector<double> pauli_expectations(ConstStateView<T> state, std::span<const PauliMasks> strings,
                                       const RunControl& control) {
  std::vector<double> values(strings.size());
  for (std::size_t first = 0; first < strings.size();) {
    std::size_t count = 1;
    while (count < kShared && first + count < strings.size() && strings[first + count].x == strings[first].x) ++count;
    run_pass(state, strings.subspan(first, count), std::span(values).subspan(first, count), control);
    first += count;
  }
  return values;
}

template std::vector<double> pauli_expectations<float>(ConstStateView<float>, std::span<const PauliMasks>,
                                                       const RunControl&);
template std::vector<double> pauli_expectations<double>(ConstStateView<double>, std::span<const PauliMasks>,
                                                        const RunControl&);

}  // namespace skerry::kernels
