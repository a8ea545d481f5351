#include "train/dense.hpp"

#include <algorithm>

namespace skerry::train {

DenseNetwork::DenseNetwork(std::vector<std::size_t> widths) : widths_(std::move(widths)), activations_(widths_.size()) {
  std::size_t count = 0;
  for (std::size_t layer = 0; layer < layers(); ++layer) {
    begins_.push_back(count);
    count += widths_[layer + 1] * (widths_[layer] + 1);
  }
  parameters_.assign(count, 0.0);
}

std::span<double> DenseNetwork::weight(std::size_t layer) noexcept {
  return std::span(parameters_).subspan(begins_[layer], widths_[layer + 1] * widths_[layer]);
}

std::span<const double> DenseNetwork::forward(std::size_t batch, std::span<const double> x) {
  batch_ = batch;
  activations_[0].assign(x.begin(), x.end());
  for (std::size_t layer = 0; layer < layers(); ++layer) {
    const std::size_t in = widths_[layer], out = widths_[layer + 1];
    const std::span<const double> w = weight(layer);
    const double* bias = w.data() + w.size();
    transposed_.resize(in * out);  // so that the inner loop runs along outputs, which lie side by side
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t i = 0; i < in; ++i) transposed_[i * out + o] = w[o * in + i];
    const bool is_last = layer + 1 == layers();
    activations_[layer + 1].resize(batch * out);
    for (std::size_t sample = 0; sample < batch; ++sample) {
      const double* from = activations_[layer].data() + sample * in;
      double* to = activations_[layer + 1].data() + sample * out;
      std::copy(bias, bias + out, to);
      for (std::size_t i = 0; i < in; ++i) {
        const double value = from[i];
        const double* row = transposed_.data() + i * out;
        for (std::size_t o = 0; o < out; ++o) to[o] += value * row[o];
      }
      if (is_last) continue;
      for (std::size_t o = 0; o < out; ++o) to[o] = to[o] > 0 ? to[o] : kSlope * to[o];
    }
  }
  return activations_.back();
}

void DenseNetwork::backward(std::span<const double> by_output, std::span<double> by_parameters,
                            std::span<double> by_x) {
  back_.assign(by_output.begin(), by_output.end());
  for (std::size_t layer = layers(); layer-- > 0;) {
    const std::size_t in = widths_[layer], out = widths_[layer + 1];
    const std::span<const double> w = weight(layer);
    double* by_weight = by_parameters.data() + begins_[layer];
    double* by_bias = by_weight + w.size();
    further_.assign(batch_ * in, 0.0);
    for (std::size_t sample = 0; sample < batch_; ++sample) {
      const double* from = activations_[layer].data() + sample * in;
      double* further = further_.data() + sample * in;
      for (std::size_t o = 0; o < out; ++o) {
        const double slope = back_[sample * out + o];
        by_bias[o] += slope;
        double* row = by_weight + o * in;
        const double* weights = w.data() + o * in;
        for (std::size_t i = 0; i < in; ++i) row[i] += slope * from[i];
        for (std::size_t i = 0; i < in; ++i) further[i] += slope * weights[i];
      }
      if (layer > 0)
        for (std::size_t i = 0; i < in; ++i) further[i] *= from[i] > 0 ? 1.0 : kSlope;
    }
    back_.swap(further_);
  }
  if (!by_x.empty()) std::copy(back_.begin(), back_.end(), by_x.begin());
}

}  // namespace skerry::train
