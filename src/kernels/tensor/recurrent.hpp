/// \file
/// Recurrent layers over sequences: LSTM, GRU and the plain one with every attribute of ONNX, one direction at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace skerry::kernels {

/// An activation with its constants; `f(x, alpha, beta)`.
struct Activation {
  double (*f)(double x, double alpha, double beta) = nullptr;
  double alpha = 0.0, beta = 0.0;
  bool takes_alpha = false, takes_beta = false;
};
/// ONNX's spelling in any case: Relu, Tanh, Sigmoid, Affine, LeakyRelu, ThresholdedRelu, ScaledTanh, HardSigmoid, Elu,
/// Softsign, Softplus, with ONNX's default constants. Empty when unknown.
std::optional<Activation> find_activation(std::string_view name);

/// Extents of one layer and what its equations leave open. Gates of an LSTM: i, o, f, c; of a GRU: z, r, h; of
/// an RNN: h alone.
struct RecurrentShape {
  std::size_t steps = 0, batch = 0, inputs = 0, hidden = 0, gates = 0;
  bool reverse = false;
  std::array<Activation, 3> activations;  ///< f, g, h (a GRU has f and g, an RNN f)
  std::optional<double> clip;             ///< bound on what goes into an activation
  bool couple_input_forget = false;       ///< LSTM: f = 1 - i
  bool linear_before_reset = false;       ///< GRU: r multiplies H R^T + b rather than H
};

/// Where one direction's sequence and results lie. Element (t, b) of x begins at t * x_step + b * x_batch; likewise y.
template <class T>
struct RecurrentData {
  const T* x = nullptr;
  std::size_t x_step = 0, x_batch = 0;
  const T* weights = nullptr;             ///< transposed: [inputs, gates * hidden]
  const T* recurrence = nullptr;          ///< transposed: [hidden, gates * hidden]
  const T* bias = nullptr;                ///< [2 * gates * hidden]: of x, then of h; or null
  const T* peepholes = nullptr;           ///< LSTM [3 * hidden]: i, o, f; or null
  std::span<const std::int32_t> lengths;  ///< per batch row; empty: all `steps`
  T* y = nullptr;                         ///< or null
  std::size_t y_step = 0, y_batch = 0;
  T* h = nullptr;        ///< [batch, hidden]: initial state in, last state out
  T* c = nullptr;        ///< LSTM, likewise
  std::span<T> scratch;  ///< recurrent_scratch() elements
};

/// Elements of scratch that lstm(), gru() and rnn() need.
std::size_t recurrent_scratch(const RecurrentShape& shape);

/// out += x A for one row of f32; A is [rows, columns], its rows `stride` apart.
void add_row_times_matrix(const float* x, const float* a, std::size_t rows, std::size_t columns, std::size_t stride,
                          float* out);

/// out[column, row] = in[row, column].
template <class T>
void transpose(const T* in, std::size_t rows, std::size_t columns, T* out);

/// i = f(x Wi + h Ri + Pi c + b), f likewise, c' = g(x Wc + h Rc + b), C = f c + i c', o = f(x Wo + h Ro + Po C + b),
/// H = o h(C). Past a row's length y is 0 and the state stays. T: float or double.
/// Source: ONNX operator LSTM; Hochreiter and Schmidhuber 1997; peepholes: Gers and Schmidhuber 2000.
template <class T>
void lstm(const RecurrentShape& shape, const RecurrentData<T>& data);

/// z = f(x Wz + h Rz + b), r = f(x Wr + h Rr + b), h' = g(x Wh + (r h) Rh + b) or g(x Wh + r (h Rh + b_h) + b_x),
/// H = (1 - z) h' + z h. Source: ONNX operator GRU; Cho et al. 2014.
template <class T>
void gru(const RecurrentShape& shape, const RecurrentData<T>& data);

/// H = f(x W + h R + b). Source: ONNX operator RNN; Elman 1990.
template <class T>
void rnn(const RecurrentShape& shape, const RecurrentData<T>& data);

}  // namespace skerry::kernels
