// <psi|P|psi> = sum over i of conj(psi[i ^ x]) i^{|x & z|} (-1)^{|i & z|} psi[i]: X flips the bits of x, Z signs by z,
// and each Y = i X Z adds a factor i. The products conj(psi[i ^ x]) psi[i] serve every string of the same x.

#include <algorithm>
#include <array>
#include <bit>

#include "base/threads.hpp"
#include "kernels/statevec/pauli_run.hpp"
#include "kernels/statevec/reduce.hpp"

namespace skerry::kernels {
namespace {

constexpr std::size_t kShared = 32;      // strings to a pass
constexpr std::size_t kMaxPieces = 256;  // partial sums to a pass
// Amplitudes that stay in the first-level cache while all strings of a pass go over them.
constexpr std::size_t kPiece = std::size_t{1} << 11;

/// Strings that look at the state together: each piece is brought into the cache once for all whose x stays in it, and
/// those of one x share their products.
template <class T>
class SharedPass {
 public:
  SharedPass(ConstStateView<T> state, std::span<const PauliMasks> strings) : state_(state), strings_(strings) {
    for (std::size_t s = 0; s < strings.size(); ++s) {
      const int turns = std::popcount(strings[s].x & strings[s].z) & 3;
      z_[s] = strings[s].z;
      // Re(i^turns (re + i im)): re, -im, -re, im.
      imaginary_[s] = (turns & 1) != 0;
      factors_[s] = turns == 1 || turns == 2 ? -1 : 1;
      const std::uint64_t highest = std::bit_floor(strings[s].x);
      skips_[s] = highest >= pauli_vector<T>() ? highest : 0;
      if (skips_[s] != 0) factors_[s] *= 2;
    }
  }

  /// sums[s] += contribution of the basis states [begin, end).
  void add(std::size_t begin, std::size_t end, std::array<double, kShared>& sums) const {
    for (std::size_t first = 0; first < strings_.size();) {
      std::size_t count = 1;
      while (first + count < strings_.size() && strings_[first + count].x == strings_[first].x) ++count;
      // Beyond a piece's size the bit is the same for all of it.
      const std::uint64_t skip = skips_[first];
      if (skip < end - begin || (begin & skip) == 0) {
        add_pauli_run<T>({.amplitudes = state_.amplitudes,
                          .begin = begin,
                          .end = end,
                          .x = strings_[first].x,
                          .skip = skip < end - begin ? skip : 0,
                          .z = z_.data() + first,
                          .imaginary = imaginary_.data() + first,
                          .count = count},
                         sums.data() + first);
      }
      first += count;
    }
  }

  double factor(std::size_t s) const { return factors_[s]; }

 private:
  ConstStateView<T> state_;
  std::span<const PauliMasks> strings_;
  std::array<std::uint64_t, kShared> z_{}, skips_{};
  std::array<bool, kShared> imaginary_{};
  std::array<double, kShared> factors_{};
};

/// As many amplitudes as a vector has, where the state has fewer: the others are 0 and their wires in |0>.
template <class T>
struct Padded {
  explicit Padded(ConstStateView<T> state) : amplitudes(pauli_vector<T>()) {
    std::copy_n(state.amplitudes, state.size(), amplitudes.begin());
  }
  ConstStateView<T> view() const { return {amplitudes.data(), std::countr_zero(amplitudes.size())}; }
  std::vector<std::complex<T>> amplitudes;
};

template <class T>
void run_pass(ConstStateView<T> state, std::span<const PauliMasks> strings, std::span<double> out,
              const RunControl& control) {
  const SharedPass<T> pass(state, strings);
  const std::size_t piece = std::max(8 * kPiece, state.size() / kMaxPieces);
  std::array<std::array<double, kShared>, kMaxPieces> partial;
  base::parallel_for(0, state.size(), piece, [&](std::size_t begin, std::size_t end) {
    auto& sums = partial[begin / piece];
    sums.fill(0);
    for (std::size_t at = begin; at < end; at += kPiece) {
      if (at % (8 * kPiece) == 0) control.check("expectation values");
      pass.add(at, std::min(at + kPiece, end), sums);
    }
  });
  for (std::size_t s = 0; s < strings.size(); ++s) {
    out[s] = 0;
    for (std::size_t p = 0; p * piece < state.size(); ++p) out[s] += partial[p][s];
    out[s] *= pass.factor(s);
  }
}

}  // namespace

template <class T>
std::vector<double> pauli_expectations(ConstStateView<T> state, std::span<const PauliMasks> strings,
                                       const RunControl& control) {
  if (state.size() < pauli_vector<T>()) {
    const Padded<T> padded(state);
    return pauli_expectations(padded.view(), strings, control);
  }
  std::vector<double> values(strings.size());
  for (std::size_t first = 0; first < strings.size(); first += kShared) {
    const std::size_t count = std::min(kShared, strings.size() - first);
    run_pass(state, strings.subspan(first, count), std::span(values).subspan(first, count), control);
  }
  return values;
}

template std::vector<double> pauli_expectations<float>(ConstStateView<float>, std::span<const PauliMasks>,
                                                       const RunControl&);
template std::vector<double> pauli_expectations<double>(ConstStateView<double>, std::span<const PauliMasks>,
                                                        const RunControl&);

}  // namespace skerry::kernels
