/// \file
/// A generative network of photonic layers: latents are encoded as coherent states, quadratures come out.
///
///     skerry::photonic::Generator generator({.modes = 2, .latent = 4, .layers = 2, .cutoff = 8});
///     generator.set_parameters(parameters);
///     generator.generate(batch, z, x);                       // x: [batch][modes]
#pragma once

#include <cstdint>
#include <memory>
#include <skerry/options.hpp>
#include <skerry/photonic.hpp>
#include <span>
#include <vector>

namespace skerry::photonic {

/// How a latent vector z becomes coherent amplitudes alpha.
enum class Encoding : std::uint8_t {
  coherent_state,       ///< q[j mod 2N] += z[j], alpha_k = scale (q[2k] + i q[2k+1])
  direct_displacement,  ///< q[j mod N] += z[j], alpha_k = scale q[k]
  classical_neural,     ///< o = amplitude tanh(W2 tanh(W1 z + b1) + b2), alpha_k = o[2k] + i o[2k+1]; trained
};

/// How a batch is worked through. The numbers are the same bits whichever is taken.
enum class Strategy : std::uint8_t {
  sequential,  ///< one sample after the other
  cpu_batch,   ///< samples side by side in vector lanes, one thread
  threading,   ///< that, shared among threads
};

struct GeneratorOptions {
  std::uint32_t modes = 2, latent = 4, layers = 2, cutoff = 8;
  Encoding encoding = Encoding::coherent_state;
  double scale = 0.5;        ///< of coherent_state and direct_displacement
  std::uint32_t hidden = 6;  ///< width of classical_neural
  double amplitude = 1.0;    ///< of classical_neural
  Precision precision = Precision::single_precision;
};

/// The network and its gradients. A movable handle for one thread at a time.
class Generator {
 public:
  /// Errors: out_of_range (sizes of 0, more than kMaxWidth), and those of FockSimulator.
  explicit Generator(const GeneratorOptions& options);
  static constexpr std::uint32_t kMaxWidth = 65536;

  const GeneratorOptions& options() const noexcept { return options_; }
  /// Of the photonic layers, in the order of Circuit::layer(); then W1, b1, W2, b2 of classical_neural, row-major.
  std::span<const double> parameters() const noexcept { return parameters_; }
  std::uint32_t layer_parameters() const noexcept { return simulator_.weights(); }
  /// Errors: invalid_argument (count, not finite).
  void set_parameters(std::span<const double> parameters);

  /// z: [batch][latent] to alphas: [batch][modes].
  void encode(std::size_t batch, std::span<const double> z, std::span<double> re, std::span<double> im) const;

  /// z: [batch][latent] to x: [batch][modes], position means. threads: for Strategy::threading, 0 for the process's
  /// budget. Gives the greatest truncation leak 1 - norm of the batch (0 if empty).
  double generate(std::size_t batch, std::span<const double> z, std::span<double> x,
                  Strategy strategy = Strategy::threading, int threads = 0);
  /// The same, and the gradients for dL/dx = cotangent: by parameters (summed over the batch) and by z.
  double gradient(std::size_t batch, std::span<const double> z, std::span<const double> cotangent, std::span<double> x,
                  std::span<double> by_parameters, std::span<double> by_z, Strategy strategy = Strategy::threading,
                  int threads = 0);
  /// generate() that keeps the kets, and the gradients after it.
  double record(std::size_t batch, std::span<const double> z, std::span<double> x);
  void backward(std::size_t batch, std::span<const double> z, std::span<const double> cotangent,
                std::span<double> by_parameters, std::span<double> by_z);

 private:
  struct NetworkView;
  NetworkView network() const;
  void check(std::size_t batch, std::span<const double> z, std::span<const double> x) const;
  void make_room(std::size_t batch);
  double greatest_leak(std::size_t batch) const;
  void encode_backward(std::size_t batch, std::span<const double> z, std::span<double> by_parameters,
                       std::span<double> by_z) const;

  GeneratorOptions options_;
  FockSimulator simulator_;
  std::vector<double> parameters_;
  std::vector<double> re_, im_, by_re_, by_im_, norms_, sample_;  // working memory of a batch
};

}  // namespace skerry::photonic
