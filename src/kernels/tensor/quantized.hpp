/// \file
/// Arithmetic on quantised tensors, element by element: between f32 and 8 bits, sums, products, tables, pools.
#pragma once

#include <array>
#include <cstdint>
#include <skerry/tensor.hpp>

#include "kernels/tensor/conv_i8.hpp"
#include "kernels/tensor/window.hpp"

namespace skerry::kernels {

/// real = scale * (q - zero); u8 or i8 as the tensor's dtype says.
struct QuantI8 {
  float scale = 1.0F;
  std::int32_t zero = 0;
};

/// q = saturate(round(x / scale) + zero), ties to even. q: u8 or i8. Not-a-number becomes the lowest value.
void quantize_run(const float* x, std::int64_t count, QuantI8 to, bool is_signed, std::uint8_t* q);
/// x = (q - zero) * scale.
void dequantize_run(ElementsI8 q, std::int64_t count, QuantI8 from, float* x);
/// y = saturate(round(scale * (sums + add)) + end.zero) within [end.low, end.high], sums being integers.
void requantize_run(const float* sums, std::int64_t count, std::int32_t add, float scale, const EndI8& end,
                    std::uint8_t* y);

/// How levels a and b become the level of their sum: round(a * left + (b * right + fixed)).
struct AddI8 {
  float left, right, fixed;
};
AddI8 add_of(QuantI8 of_a, QuantI8 of_b, QuantI8 of_y);

/// y = saturate(round(a + b) + zero) of the real values; a and b broadcast to y's shape. One dtype.
void quantized_add(TensorView a, QuantI8 of_a, TensorView b, QuantI8 of_b, MutableTensorView y, QuantI8 of_y);
/// The same of the product.
void quantized_mul(TensorView a, QuantI8 of_a, TensorView b, QuantI8 of_b, MutableTensorView y, QuantI8 of_y);

/// y[i] = table[x[i]], elements taken as u8.
using TableI8 = std::array<std::uint8_t, 256>;
void map_bytes(const std::uint8_t* x, std::int64_t count, const TableI8& table, std::uint8_t* y);
/// The table of y = f(x): f of each real value, rounded. f(x) is float -> float.
template <class F>
TableI8 table_i8(QuantI8 of_x, QuantI8 of_y, bool is_signed, F&& f) {
  TableI8 table{};
  std::array<float, 256> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int32_t q = is_signed ? static_cast<std::int8_t>(i) : static_cast<std::int32_t>(i);
    values[i] = f(of_x.scale * static_cast<float>(q - of_x.zero));
  }
  quantize_run(values.data(), 256, of_y, is_signed, table.data());
  return table;
}

/// y[p] = mean of plane p, `size` elements each; summed as integers.
void quantized_global_average(ElementsI8 x, QuantI8 of_x, std::int64_t planes, std::int64_t size, QuantI8 of_y,
                              std::uint8_t* y);

/// Largest element of each window; padding is no element. Planes one after the other.
void max_pool_i8(const Window& window, std::int64_t planes, ElementsI8 x, std::uint8_t* y);

/// Rows of `length` elements: y = softmax of the real values. Exponentials come from a table of 256.
void quantized_softmax(ElementsI8 x, float x_scale, std::int64_t rows, std::int64_t length, QuantI8 of_y,
                       std::uint8_t* y);

}  // namespace skerry::kernels
