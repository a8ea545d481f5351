#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>
#include <skerry/generator.hpp>
#include <string>

#include "base/threads.hpp"

namespace skerry::photonic {
namespace {

Circuit network_circuit(const GeneratorOptions& options) {
  const auto within = [](std::uint32_t value, const char* what) {
    if (value == 0 || value > Generator::kMaxWidth)
      throw Error(ErrorCode::out_of_range, std::string(what) + " of " + std::to_string(value), "photonic generator",
                  "take 1 to " + std::to_string(Generator::kMaxWidth));
  };
  within(options.latent, "latent");
  within(options.hidden, "hidden");
  if (options.layers > Generator::kMaxWidth) within(options.layers, "layers");
  const Circuit modes(options.modes);  // refuses modes before they are multiplied
  const std::uint64_t weights = std::uint64_t{options.layers} * Circuit::layer_weights(options.modes);
  if (options.modes > 64 || weights > 1U << 24U)
    throw Error(ErrorCode::limit_exceeded,
                std::to_string(weights) + " weights on " + std::to_string(options.modes) + " modes",
                "photonic generator", "take fewer modes or layers");
  Circuit circuit(options.modes, static_cast<std::uint32_t>(weights));
  for (std::uint32_t layer = 0; layer < options.layers; ++layer)
    circuit.layer(layer * Circuit::layer_weights(options.modes));
  return circuit;
}

}  // namespace

/// W1, b1, W2, b2 of classical_neural.
struct Generator::NetworkView {
  std::size_t hidden, latent, outputs;
  std::span<const double> w1, b1, w2, b2;

  /// h and o of one sample.
  void forward(std::span<const double> z, double amplitude, std::span<double> h, std::span<double> o) const {
    for (std::size_t i = 0; i < hidden; ++i) {
      double sum = b1[i];
      for (std::size_t j = 0; j < latent; ++j) sum += w1[i * latent + j] * z[j];
      h[i] = std::tanh(sum);
    }
    for (std::size_t i = 0; i < outputs; ++i) {
      double sum = b2[i];
      for (std::size_t j = 0; j < hidden; ++j) sum += w2[i * hidden + j] * h[j];
      o[i] = amplitude * std::tanh(sum);
    }
  }
};

Generator::Generator(const GeneratorOptions& options)
    : options_(options),
      simulator_(network_circuit(options), std::vector<std::uint32_t>(options.modes, options.cutoff),
                 options.precision) {
  std::size_t count = simulator_.weights();
  if (options.encoding == Encoding::classical_neural)
    count += std::size_t{options.hidden} * (options.latent + 1) + 2 * std::size_t{options.modes} * (options.hidden + 1);
  parameters_.assign(count, 0.0);
}

Generator::NetworkView Generator::network() const {
  NetworkView view{options_.hidden, options_.latent, 2 * std::size_t{options_.modes}, {}, {}, {}, {}};
  std::span<const double> rest(parameters_);
  rest = rest.subspan(simulator_.weights());
  const auto take = [&rest](std::size_t count) {
    const std::span<const double> part = rest.first(count);
    rest = rest.subspan(count);
    return part;
  };
  view.w1 = take(view.hidden * view.latent);
  view.b1 = take(view.hidden);
  view.w2 = take(view.outputs * view.hidden);
  view.b2 = take(view.outputs);
  return view;
}

void Generator::set_parameters(std::span<const double> parameters) {
  if (parameters.size() != parameters_.size())
    throw Error(
        ErrorCode::invalid_argument,
        std::to_string(parameters.size()) + " parameters for a generator of " + std::to_string(parameters_.size()),
        "photonic generator", "pass one for each");
  for (const double value : parameters)
    if (!std::isfinite(value))
      throw Error(ErrorCode::invalid_argument, "a parameter that is not finite", "photonic generator", "pass numbers");
  simulator_.set_weights(parameters.first(simulator_.weights()));
  std::copy(parameters.begin(), parameters.end(), parameters_.begin());
}

void Generator::check(std::size_t batch, std::span<const double> z, std::span<const double> x) const {
  if (z.size() != batch * options_.latent || x.size() != batch * options_.modes)
    throw Error(
        ErrorCode::invalid_argument,
        "a batch of " + std::to_string(batch) + " with " + std::to_string(z.size()) + " latents and " +
            std::to_string(x.size()) + " results",
        "photonic generator",
        "pass " + std::to_string(options_.latent) + " and " + std::to_string(options_.modes) + " for each sample");
}

void Generator::encode(std::size_t batch, std::span<const double> z, std::span<double> re, std::span<double> im) const {
  const std::size_t modes = options_.modes, latent = options_.latent;
  if (options_.encoding == Encoding::classical_neural) {
    const NetworkView net = network();
    std::vector<double> h(net.hidden), o(net.outputs);
    for (std::size_t i = 0; i < batch; ++i) {
      net.forward(z.subspan(i * latent, latent), options_.amplitude, h, o);
      for (std::size_t k = 0; k < modes; ++k) re[i * modes + k] = o[2 * k], im[i * modes + k] = o[2 * k + 1];
    }
    return;
  }
  const bool pairs = options_.encoding == Encoding::coherent_state;
  std::fill(re.begin(), re.end(), 0.0);
  std::fill(im.begin(), im.end(), 0.0);
  for (std::size_t i = 0; i < batch; ++i)
    for (std::size_t j = 0; j < latent; ++j) {
      const std::size_t q = pairs ? j % (2 * modes) : 2 * (j % modes);
      (q % 2 == 0 ? re : im)[i * modes + q / 2] += options_.scale * z[i * latent + j];
    }
}

void Generator::encode_backward(std::size_t batch, std::span<const double> z, std::span<double> by_parameters,
                                std::span<double> by_z) const {
  const std::size_t modes = options_.modes, latent = options_.latent;
  if (options_.encoding != Encoding::classical_neural) {
    const bool pairs = options_.encoding == Encoding::coherent_state;
    if (by_z.empty()) return;
    for (std::size_t i = 0; i < batch; ++i)
      for (std::size_t j = 0; j < latent; ++j) {
        const std::size_t q = pairs ? j % (2 * modes) : 2 * (j % modes);
        by_z[i * latent + j] = options_.scale * (q % 2 == 0 ? by_re_ : by_im_)[i * modes + q / 2];
      }
    return;
  }
  const NetworkView net = network();
  std::vector<double> h(net.hidden), o(net.outputs), by_h(net.hidden);
  double* w1 = by_parameters.data() + simulator_.weights();
  double *b1 = w1 + net.w1.size(), *w2 = b1 + net.b1.size(), *b2 = w2 + net.w2.size();
  std::fill(by_parameters.begin() + simulator_.weights(), by_parameters.end(), 0.0);
  if (!by_z.empty()) std::fill(by_z.begin(), by_z.end(), 0.0);
  for (std::size_t i = 0; i < batch; ++i) {
    const std::span<const double> sample = z.subspan(i * latent, latent);
    net.forward(sample, options_.amplitude, h, o);
    std::fill(by_h.begin(), by_h.end(), 0.0);
    for (std::size_t r = 0; r < net.outputs; ++r) {
      const double t = o[r] / options_.amplitude;
      const double slope = (r % 2 == 0 ? by_re_ : by_im_)[i * modes + r / 2] * options_.amplitude * (1 - t * t);
      b2[r] += slope;
      for (std::size_t j = 0; j < net.hidden; ++j) {
        w2[r * net.hidden + j] += slope * h[j];
        by_h[j] += slope * net.w2[r * net.hidden + j];
      }
    }
    for (std::size_t r = 0; r < net.hidden; ++r) {
      const double slope = by_h[r] * (1 - h[r] * h[r]);
      b1[r] += slope;
      for (std::size_t j = 0; j < latent; ++j) {
        w1[r * latent + j] += slope * sample[j];
        if (!by_z.empty()) by_z[i * latent + j] += slope * net.w1[r * latent + j];
      }
    }
  }
}

void Generator::make_room(std::size_t batch) {
  for (std::vector<double>* room : {&re_, &im_, &by_re_, &by_im_}) room->resize(batch * options_.modes);
  norms_.resize(batch);
}

double Generator::greatest_leak(std::size_t batch) const {
  double leak = 0;
  for (std::size_t i = 0; i < batch; ++i) leak = std::max(leak, 1 - norms_[i]);
  return leak;
}

double Generator::generate(std::size_t batch, std::span<const double> z, std::span<double> x, Strategy strategy,
                           int threads) {
  check(batch, z, x);
  make_room(batch);
  encode(batch, z, re_, im_);
  const base::ThreadLimit limit(strategy != Strategy::threading ? 1 : (threads > 0 ? threads : base::thread_budget()));
  const std::size_t modes = options_.modes,
                    step = strategy == Strategy::sequential ? 1 : std::max<std::size_t>(batch, 1);
  for (std::size_t i = 0; i < batch; i += step) {
    FockOutputs out;
    out.x = x.subspan(i * modes, step * modes);
    out.norm = std::span(norms_).subspan(i, step);
    simulator_.forward(
        step, {std::span(re_).subspan(i * modes, step * modes), std::span(im_).subspan(i * modes, step * modes), {}},
        out);
  }
  return greatest_leak(batch);
}

double Generator::gradient(std::size_t batch, std::span<const double> z, std::span<const double> cotangent,
                           std::span<double> x, std::span<double> by_parameters, std::span<double> by_z,
                           Strategy strategy, int threads) {
  check(batch, z, x);
  check(batch, z, cotangent);
  make_room(batch);
  encode(batch, z, re_, im_);
  const base::ThreadLimit limit(strategy != Strategy::threading ? 1 : (threads > 0 ? threads : base::thread_budget()));
  const std::size_t modes = options_.modes,
                    step = strategy == Strategy::sequential ? 1 : std::max<std::size_t>(batch, 1);
  const std::span<double> by_weights = by_parameters.first(simulator_.weights());
  std::fill(by_weights.begin(), by_weights.end(), 0.0);
  sample_.resize(by_weights.size());
  for (std::size_t i = 0; i < batch; i += step) {
    const auto part = [&](auto& all) { return std::span(all).subspan(i * modes, step * modes); };
    FockOutputs out;
    out.x = part(x);
    out.norm = std::span(norms_).subspan(i, step);
    FockCotangents given;
    given.x = part(cotangent);
    simulator_.gradient(step, {part(re_), part(im_), {}}, out, given, {sample_, part(by_re_), part(by_im_), {}});
    for (std::size_t w = 0; w < sample_.size(); ++w) by_weights[w] += sample_[w];
  }
  encode_backward(batch, z, by_parameters, by_z);
  return greatest_leak(batch);
}

double Generator::record(std::size_t batch, std::span<const double> z, std::span<double> x) {
  check(batch, z, x);
  make_room(batch);
  encode(batch, z, re_, im_);
  FockOutputs out;
  out.x = x;
  out.norm = norms_;
  simulator_.record(batch, {re_, im_, {}}, out);
  return greatest_leak(batch);
}

void Generator::backward(std::size_t batch, std::span<const double> z, std::span<const double> cotangent,
                         std::span<double> by_parameters, std::span<double> by_z) {
  check(batch, z, cotangent);
  FockCotangents given;
  given.x = cotangent;
  simulator_.backward(batch, given, {by_parameters.first(simulator_.weights()), by_re_, by_im_, {}});
  encode_backward(batch, z, by_parameters, by_z);
}

}  // namespace skerry::photonic
