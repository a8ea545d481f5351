#include "kernels/tensor/recurrent.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <type_traits>

#include "kernels/tensor/unary.hpp"

namespace skerry::kernels {
namespace {

struct ActivationRow {
  std::string_view name;
  Activation activation;
};

// Constants where ONNX gives defaults; Affine and ScaledTanh have none, their identity is used.
constexpr ActivationRow kActivations[] = {
    {"relu", {[](double x, double, double) { return x > 0 ? x : 0; }}},
    {"tanh", {[](double x, double, double) { return std::tanh(x); }}},
    {"sigmoid", {[](double x, double, double) { return 1 / (1 + std::exp(-x)); }}},
    {"affine", {[](double x, double a, double b) { return a * x + b; }, 1.0, 0.0, true, true}},
    {"leakyrelu", {[](double x, double a, double) { return x >= 0 ? x : a * x; }, 0.01, 0.0, true}},
    {"thresholdedrelu", {[](double x, double a, double) { return x > a ? x : 0; }, 1.0, 0.0, true}},
    {"scaledtanh", {[](double x, double a, double b) { return a * std::tanh(b * x); }, 1.0, 1.0, true, true}},
    {"hardsigmoid",
     {[](double x, double a, double b) { return std::min(std::max(a * x + b, 0.0), 1.0); }, 0.2, 0.5, true, true}},
    {"elu", {[](double x, double a, double) { return x >= 0 ? x : a * std::expm1(x); }, 1.0, 0.0, true}},
    {"softsign", {[](double x, double, double) { return x / (1 + std::abs(x)); }}},
    {"softplus",
     {[](double x, double, double) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }}},
};

// The usual two have vectors for f32.
std::optional<Unary> vectors_of(const Activation& activation) {
  if (activation.f == find_activation("sigmoid")->f) return Unary::sigmoid;
  if (activation.f == find_activation("tanh")->f) return Unary::tanh_;
  return std::nullopt;
}

// An activation of a whole row of gates, in place.
template <class T>
class Gate {
 public:
  Gate(const Activation& activation, const std::optional<double>& clip)
      : activation_(activation), clip_(clip), vectors_(clip ? std::nullopt : vectors_of(activation)) {}

  void operator()(T* values, std::size_t count) const {
    if constexpr (std::is_same_v<T, float>) {
      if (vectors_) return unary_f32(*vectors_, {}, {values, count}, {values, count});
    }
    for (std::size_t j = 0; j < count; ++j) {
      double value = static_cast<double>(values[j]);
      if (clip_) value = std::clamp(value, -*clip_, *clip_);
      values[j] = static_cast<T>(activation_.f(value, activation_.alpha, activation_.beta));
    }
  }

 private:
  Activation activation_;
  std::optional<double> clip_;
  std::optional<Unary> vectors_;
};

// gate += peephole * state
template <class T>
void look_at(const T* peephole, const T* state, std::size_t count, T* gate) {
  for (std::size_t j = 0; j < count; ++j) gate[j] += peephole[j] * state[j];
}

// out += x A for one row; A is [rows, columns]. Each column is its own sum, so vectors change nothing in the result.
template <class T>
void accumulate(const T* x, const T* a, std::size_t rows, std::size_t columns, std::size_t stride, T* out) {
  if constexpr (std::is_same_v<T, float>) return add_row_times_matrix(x, a, rows, columns, stride, out);
  for (std::size_t k = 0; k < rows; ++k) {
    const T factor = x[k];
    const T* row = a + k * stride;
    for (std::size_t j = 0; j < columns; ++j) out[j] += factor * row[j];
  }
}

// Calls step(t, b) for each element of the sequence in the direction's order, rows past their length left out.
template <class T, class Step>
void for_each_step(const RecurrentShape& shape, const RecurrentData<T>& data, Step step) {
  for (std::size_t b = 0; b < shape.batch; ++b) {
    const std::size_t length =
        data.lengths.empty()
            ? shape.steps
            : std::min(shape.steps, static_cast<std::size_t>(std::max(data.lengths[b], std::int32_t{0})));
    for (std::size_t i = 0; i < length; ++i) step(shape.reverse ? length - 1 - i : i, b);
    if (data.y == nullptr) continue;
    for (std::size_t t = length; t < shape.steps; ++t) {
      std::fill_n(data.y + t * data.y_step + b * data.y_batch, shape.hidden, T(0));
    }
  }
}

template <class T>
void write_state(const RecurrentShape& shape, const RecurrentData<T>& data, std::size_t t, std::size_t b) {
  if (data.y == nullptr) return;
  std::copy_n(data.h + b * shape.hidden, shape.hidden, data.y + t * data.y_step + b * data.y_batch);
}

}  // namespace

std::optional<Activation> find_activation(std::string_view name) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  for (const ActivationRow& row : kActivations) {
    if (std::ranges::equal(name, row.name, same)) return row.activation;
  }
  return std::nullopt;
}

std::size_t recurrent_scratch(const RecurrentShape& shape) {
  return (shape.gates + 1) * shape.hidden;
}

template <class T>
void transpose(const T* in, std::size_t rows, std::size_t columns, T* out) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) out[column * rows + row] = in[row * columns + column];
  }
}

template <class T>
void lstm(const RecurrentShape& shape, const RecurrentData<T>& data) {
  const std::size_t hidden = shape.hidden, width = 4 * hidden;
  const Gate<T> f(shape.activations[0], shape.clip), g(shape.activations[1], shape.clip);
  const Gate<T> out(shape.activations[2], std::nullopt);
  T* gate = data.scratch.data();
  for_each_step(shape, data, [&](std::size_t t, std::size_t b) {
    T* h = data.h + b * hidden;
    T* c = data.c + b * hidden;
    for (std::size_t j = 0; j < width; ++j) gate[j] = data.bias == nullptr ? T(0) : data.bias[j] + data.bias[width + j];
    accumulate(data.x + t * data.x_step + b * data.x_batch, data.weights, shape.inputs, width, width, gate);
    accumulate(h, data.recurrence, hidden, width, width, gate);
    T *in = gate, *open = gate + hidden, *forget = gate + 2 * hidden, *fresh = gate + 3 * hidden;
    const T* p = data.peepholes;
    if (p != nullptr) {
      look_at(p, c, hidden, in);
      look_at(p + 2 * hidden, c, hidden, forget);
    }
    f(in, hidden);
    if (shape.couple_input_forget) {
      for (std::size_t j = 0; j < hidden; ++j) forget[j] = T(1) - in[j];
    } else {
      f(forget, hidden);
    }
    g(fresh, hidden);
    for (std::size_t j = 0; j < hidden; ++j) c[j] = forget[j] * c[j] + in[j] * fresh[j];
    if (p != nullptr) look_at(p + hidden, c, hidden, open);
    f(open, hidden);
    std::copy_n(c, hidden, fresh);
    out(fresh, hidden);
    for (std::size_t j = 0; j < hidden; ++j) h[j] = open[j] * fresh[j];
    write_state(shape, data, t, b);
  });
}

template <class T>
void gru(const RecurrentShape& shape, const RecurrentData<T>& data) {
  const std::size_t hidden = shape.hidden, width = 3 * hidden;
  const Gate<T> f(shape.activations[0], shape.clip), g(shape.activations[1], shape.clip);
  T* gate = data.scratch.data();  // z, r, h
  T* linear = gate + width;       // what r multiplies, or r * h
  for_each_step(shape, data, [&](std::size_t t, std::size_t b) {
    T* h = data.h + b * hidden;
    const T* bias = data.bias;
    for (std::size_t j = 0; j < width; ++j) {
      const bool with_h = j < 2 * hidden || !shape.linear_before_reset;
      gate[j] = bias == nullptr ? T(0) : bias[j] + (with_h ? bias[width + j] : T(0));
    }
    accumulate(data.x + t * data.x_step + b * data.x_batch, data.weights, shape.inputs, width, width, gate);
    accumulate(h, data.recurrence, hidden, 2 * hidden, width, gate);
    f(gate, 2 * hidden);
    const T* reset = gate + hidden;
    T* candidate = gate + 2 * hidden;
    if (shape.linear_before_reset) {
      for (std::size_t j = 0; j < hidden; ++j) linear[j] = bias == nullptr ? T(0) : bias[width + 2 * hidden + j];
      accumulate(h, data.recurrence + 2 * hidden, hidden, hidden, width, linear);
      for (std::size_t j = 0; j < hidden; ++j) candidate[j] += reset[j] * linear[j];
    } else {
      for (std::size_t j = 0; j < hidden; ++j) linear[j] = reset[j] * h[j];
      accumulate(linear, data.recurrence + 2 * hidden, hidden, hidden, width, candidate);
    }
    g(candidate, hidden);
    for (std::size_t j = 0; j < hidden; ++j) h[j] = (T(1) - gate[j]) * candidate[j] + gate[j] * h[j];
    write_state(shape, data, t, b);
  });
}

template <class T>
void rnn(const RecurrentShape& shape, const RecurrentData<T>& data) {
  const std::size_t hidden = shape.hidden;
  const Gate<T> f(shape.activations[0], shape.clip);
  T* gate = data.scratch.data();
  for_each_step(shape, data, [&](std::size_t t, std::size_t b) {
    T* h = data.h + b * hidden;
    for (std::size_t j = 0; j < hidden; ++j)
      gate[j] = data.bias == nullptr ? T(0) : data.bias[j] + data.bias[hidden + j];
    accumulate(data.x + t * data.x_step + b * data.x_batch, data.weights, shape.inputs, hidden, hidden, gate);
    accumulate(h, data.recurrence, hidden, hidden, hidden, gate);
    f(gate, hidden);
    std::copy_n(gate, hidden, h);
    write_state(shape, data, t, b);
  });
}

template void transpose(const float*, std::size_t, std::size_t, float*);
template void transpose(const double*, std::size_t, std::size_t, double*);
template void lstm(const RecurrentShape&, const RecurrentData<float>&);
template void lstm(const RecurrentShape&, const RecurrentData<double>&);
template void gru(const RecurrentShape&, const RecurrentData<float>&);
template void gru(const RecurrentShape&, const RecurrentData<double>&);
template void rnn(const RecurrentShape&, const RecurrentData<float>&);
template void rnn(const RecurrentShape&, const RecurrentData<double>&);

}  // namespace skerry::kernels
