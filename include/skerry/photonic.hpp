/// \file
/// Photonic circuits over modes and the batched, differentiable Fock simulator that runs them.
///
///     skerry::photonic::Circuit net(2, /*weights=*/28);
///     net.layer(0).layer(14);                              // two layers of a continuous-variable neural network
///     skerry::photonic::FockSimulator simulator(net, std::vector<std::uint32_t>{8, 8});
///     simulator.set_weights(weights);
///     simulator.forward(batch, encoded, outputs);
///
/// hbar = 2; x = a + a^, p = -i(a - a^), vacuum variance 1 (^ marks a dagger). Angles are radians. Modes count from 0
/// and mode 0 is the slowest index of a ket. Every gate matrix holds the exact infinite-dimensional elements below the
/// cutoffs; what leaves them is dropped after every gate, so gates are not unitary and the norm tells the loss.
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <memory>
#include <skerry/options.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace skerry::photonic {

/// What an instruction does. Source of the conventions: Killoran et al., Phys. Rev. Research 1, 033063, 2019.
enum class Gate : std::uint8_t {
  displacement,        ///< D(r, f) = exp(alpha a^ - h.c.), alpha = r e^{if}
  squeezing,           ///< S(r, f) = exp((z* a² - z a^²) / 2), z = r e^{if}
  rotation,            ///< R(f) = exp(i f n)
  kerr,                ///< K(k) = exp(i k n²)
  cross_kerr,          ///< CK(k) = exp(i k n1 n2)
  cubic_phase,         ///< V(g) = exp(i g x³ / 6)
  beam_splitter,       ///< BS(t, f) = exp(t (e^{if} a1 a2^ - h.c.))
  two_mode_squeezing,  ///< S2(r, f) = exp(r (e^{if} a1^ a2^ - h.c.))
  loss,       ///< a beam splitter of transmissivity T with the vacuum; density matrices and Gaussian states only
  amplifier,  ///< phase-insensitive gain G >= 1 with vacuum noise; density matrices and Gaussian states only
};

/// `displacement`, …: the enumerator's name, and how many modes and parameters it takes.
std::string_view gate_name(Gate gate) noexcept;
std::uint32_t gate_modes(Gate gate) noexcept;
std::uint32_t gate_parameters(Gate gate) noexcept;

/// A parameter of a gate: scale * weights[weight] + value, or value alone when weight is negative.
struct Param {
  double value = 0.0;
  std::int32_t weight = -1;
  double scale = 1.0;
  Param() = default;
  Param(double number) : value(number) {}  // NOLINT(google-explicit-constructor): a number is a parameter
  /// The trainable number of that index.
  static Param of(std::uint32_t index) {
    Param result;
    result.weight = static_cast<std::int32_t>(index);
    return result;
  }
  bool is_constant() const noexcept { return weight < 0; }
  double at(std::span<const double> weights) const {
    return is_constant() ? value : scale * weights[static_cast<std::size_t>(weight)] + value;
  }
  Param operator-() const;
};

struct Instruction {
  Gate gate{};
  std::array<std::uint32_t, 2> modes{};
  std::array<Param, 2> params{};
};

/// A list of gates on modes with numbered weights. A value.
class Circuit {
 public:
  /// Errors: out_of_range for no mode or more than kMaxModes.
  explicit Circuit(std::uint32_t modes, std::uint32_t weights = 0);
  static constexpr std::uint32_t kMaxModes = 4096;

  std::uint32_t modes() const noexcept { return modes_; }
  std::uint32_t weights() const noexcept { return weights_; }
  const std::vector<Instruction>& instructions() const noexcept { return instructions_; }

  /// Errors: out_of_range (mode, weight), invalid_argument (the same mode twice, a number that is not finite, a
  /// transmissivity outside [0, 1], a gain below 1).
  Circuit& append(Instruction instruction);

  Circuit& displacement(Param r, Param phase, std::uint32_t mode);
  Circuit& squeezing(Param r, Param phase, std::uint32_t mode);
  Circuit& rotation(Param angle, std::uint32_t mode);
  Circuit& kerr(Param kappa, std::uint32_t mode);
  Circuit& cubic_phase(Param gamma, std::uint32_t mode);
  Circuit& cross_kerr(Param kappa, std::uint32_t mode1, std::uint32_t mode2);
  Circuit& beam_splitter(Param angle, Param phase, std::uint32_t mode1, std::uint32_t mode2);
  Circuit& two_mode_squeezing(Param r, Param phase, std::uint32_t mode1, std::uint32_t mode2);
  Circuit& loss(Param transmissivity, std::uint32_t mode);
  Circuit& amplifier(Param gain, std::uint32_t mode);
  /// Loss into a thermal environment of `photons` photons: amplifier after loss with the same effect on means and
  /// covariances.
  Circuit& thermal_loss(double transmissivity, double photons, std::uint32_t mode);

  /// Rectangular mesh of beam splitters on neighbours and rotations, from weights[first …]: thetas, phis, rotations.
  Circuit& interferometer(std::uint32_t first);
  /// interferometer, squeezing, interferometer, then displacement and Kerr mode by mode, from weights[first …].
  /// Source: Killoran et al., eq. 10.
  Circuit& layer(std::uint32_t first);
  /// Weights that interferometer() and layer() take for so many modes: N(N-1) + max(1, N-1), and twice that + 4N.
  static std::uint32_t interferometer_weights(std::uint32_t modes) noexcept;
  static std::uint32_t layer_weights(std::uint32_t modes) noexcept;

 private:
  std::uint32_t modes_, weights_;
  std::vector<Instruction> instructions_;
};

/// Initial states of a batch, row-major, batch first: kets if given, else coherent states; all vacua if both are empty.
struct FockInputs {
  std::span<const double> alphas_re, alphas_im;  ///< [batch][modes]
  std::span<const std::complex<double>> kets;    ///< [batch][amplitudes]
};

/// Where results of a batch go; empty spans are not computed. Row-major, batch first.
struct FockOutputs {
  std::span<double> norm;                ///< [batch] <psi|psi>; 1 - norm is the truncation leak
  std::span<double> x, p;                ///< [batch][modes] quadrature means, not divided by the norm
  std::span<double> n, n2;               ///< [batch][modes] <n>, <n²>
  std::span<double> a2_re, a2_im;        ///< [batch][modes] <a²>; <x²> = 2 Re<a²> + 2<n> + norm
  std::span<std::complex<double>> kets;  ///< [batch][amplitudes]
};

/// dL/d(output) of a batch, same shapes; empty spans are zero. A ket's cotangent is dL/dRe + i dL/dIm.
struct FockCotangents {
  std::span<const double> norm, x, p, n, n2;
  std::span<const std::complex<double>> kets;
};

/// Gradients of L; empty spans are not computed.
struct FockGradients {
  std::span<double> weights;               ///< [weights], summed over the batch in order
  std::span<double> alphas_re, alphas_im;  ///< [batch][modes]: dL/dRe alpha, dL/dIm alpha; for coherent inputs
  std::span<std::complex<double>> kets;    ///< [batch][amplitudes]: dL/dRe + i dL/dIm of the initial ket
};

/// Runs one circuit on batches of coherent product states or kets. Gate matrices are kept while the
/// weights stay the same, and working memory is kept between calls. A movable handle for one thread at a time; a call
/// spreads its batch over base threads. A sample's bits depend on nothing but itself: not on batch, threads, or
/// neighbours.
class FockSimulator {
 public:
  /// cutoffs: for each mode, 1 to kMaxCutoff. Errors: unsupported (loss or amplifier: use density_form()),
  /// invalid_argument, budget_exceeded for more than max_memory_bytes.
  FockSimulator(const Circuit& circuit, std::span<const std::uint32_t> cutoffs,
                Precision precision = Precision::double_precision);
  /// For density matrices: a ket over 2 N modes, rows then columns of the matrix, of the same cutoffs; loss and
  /// amplifier work. Its inputs and outputs are `kets` alone: expectations are FockState's to ask.
  static FockSimulator density_form(const Circuit& circuit, std::span<const std::uint32_t> cutoffs,
                                    Precision precision = Precision::double_precision);
  FockSimulator(FockSimulator&&) noexcept;
  FockSimulator& operator=(FockSimulator&&) noexcept;
  ~FockSimulator();
  static constexpr std::uint32_t kMaxCutoff = 256;

  std::uint32_t modes() const noexcept;
  std::uint32_t weights() const noexcept;
  std::uint64_t amplitudes() const noexcept;
  Precision precision() const noexcept;
  /// Bytes that a call of that kind takes per thread, and in all for the matrices.
  std::uint64_t workspace_bytes(bool with_gradient) const noexcept;

  /// Builds the matrices, unless these weights are the present ones. Errors: invalid_argument (count, not finite).
  void set_weights(std::span<const double> weights);

  /// Errors: invalid_argument (sizes), budget_exceeded.
  void forward(std::size_t batch, const FockInputs& inputs, const FockOutputs& outputs);
  /// forward() that keeps every ket for backward().
  void record(std::size_t batch, const FockInputs& inputs, const FockOutputs& outputs);
  /// Reverse mode through the kets of the last record(), which must have had this batch and these weights.
  /// Errors: invalid_argument.
  void backward(std::size_t batch, const FockCotangents& cotangents, const FockGradients& gradients);
  /// Both in one pass, with less memory: kets are kept for the samples at work only.
  void gradient(std::size_t batch, const FockInputs& inputs, const FockOutputs& outputs,
                const FockCotangents& cotangents, const FockGradients& gradients);

  class Impl;

 private:
  FockSimulator(const Circuit& circuit, std::span<const std::uint32_t> cutoffs, Precision precision, bool is_density);

  std::unique_ptr<Impl> impl_;
};

}  // namespace skerry::photonic
