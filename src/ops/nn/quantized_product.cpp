#include "ops/nn/quantized_product.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/lines.hpp"
#include "kernels/tensor/product.hpp"
#include "ops/nn/dense.hpp"

namespace skerry::ops {
namespace {

using kernels::EndI8;
using kernels::ProductShape;

bool is_gemm(const Node& node) {
  return node.op == "com.microsoft.QGemm";
}

ProductShape shape_of(const QuantizedProduct& at, const Node& node, const NodeTypes& types) {
  const Shape a = *types.inputs[at.a].static_shape(), b = *types.inputs[at.b].static_shape();
  if (!is_gemm(node)) return ProductShape::matmul(a, b);
  const bool trans_a = node.integer("transA", 0) != 0, trans_b = node.integer("transB", 0) != 0;
  ProductShape s;
  s.rows = static_cast<std::size_t>(a[trans_a ? 1 : 0]);
  s.depth = static_cast<std::size_t>(a[trans_a ? 0 : 1]);
  s.columns = static_cast<std::size_t>(b[trans_b ? 0 : 1]);
  s.left_row = trans_a ? 1 : s.depth;
  s.left_column = trans_a ? s.rows : 1;
  s.right_row = trans_b ? 1 : s.columns;
  s.right_column = trans_b ? s.depth : 1;
  s.alpha = node.real("alpha", 1.0);
  return s;
}

std::int64_t count_of(const NodeTypes& types, std::size_t index) {
  return index < types.inputs.size() && types.present[index] ? elements(types.inputs[index]) : 1;
}

// Numbers of input `index` as float, or its zero points as integers, into memory of the run.
void write_reals(TensorView view, std::span<float> out) {
  if (view.empty()) {
    std::ranges::fill(out, 1.0F);
    return;
  }
  kernels::visit(kernels::Reals{}, view.dtype(), [&]<class T>() {
    const auto values = view.as<T>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = kernels::convert<float>(values[values.size() == 1 ? 0 : i]);
  });
}
void write_zeros(TensorView view, std::span<std::int32_t> out) {
  if (view.empty()) {
    std::ranges::fill(out, 0);
    return;
  }
  kernels::visit(kernels::Integers{}, view.dtype(), [&]<class T>() {
    const auto values = view.as<T>();
    // NOLINTNEXTLINE(bugprone-signed-char-misuse): numbers, no letters
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::int32_t>(values[values.size() == 1 ? 0 : i]);
  });
}

bool biased(const QuantizedProduct& at, const Node& node) {
  return has_input(node, at.bias);
}

template <class T>
T number(TensorView view, std::size_t i, T otherwise) {
  if (view.empty()) return otherwise;
  T out = otherwise;
  kernels::visit(kernels::Numbers{}, view.dtype(), [&]<class E>() { out = kernels::convert<T>(view.as<E>()[i]); });
  return out;
}

// alpha a_scale b_scale / y_scale; without a y_scale the result stays real.
float scale_of(const KernelArguments& a, const QuantizedProduct& at, float b_scale, double alpha) {
  const TensorView y = optional_view(a, at.y_scale);
  float out = static_cast<float>(alpha) * number<float>(optional_view(a, at.a_scale), 0, 1.0F) * b_scale;
  if (!y.empty()) out /= number<float>(y, 0, 1.0F);
  return out;
}

struct PackedRun {
  QuantizedProduct at;
  ProductShape shape;
  EndI8 end;
  std::shared_ptr<const kernels::ProductI8> product;  // shared: std::function copies its target
  std::uint64_t column_bytes = 0;

  void operator()(const KernelArguments& a) const {
    const std::size_t columns = shape.columns;
    const std::span<float> scales(reinterpret_cast<float*>(a.scratch.data()), columns);
    const std::span<std::int32_t> zeros(reinterpret_cast<std::int32_t*>(a.scratch.data() + column_bytes), columns);
    EndI8 now = end;
    write_zeros(optional_view(a, at.b_zero), zeros);
    if (end.to != EndI8::To::i32) {
      write_reals(optional_view(a, at.b_scale), scales);
      for (float& scale : scales) scale = scale_of(a, at, scale, shape.alpha);
      now.column_scale = scales.data();
      now.zero = number<std::int32_t>(optional_view(a, at.y_zero), 0, 0);
      const TensorView real_bias = optional_view(a, at.real_bias);
      if (!real_bias.empty()) now.column_bias = real_bias.as<float>().data();
    }
    const TensorView bias = optional_view(a, at.bias);
    const auto a_zero = number<std::int32_t>(optional_view(a, at.a_zero), 0, 0);
    const std::size_t element = static_cast<std::size_t>(dtype_bits(a.outputs[0].dtype())) / 8;
    for (std::size_t i = 0; i < shape.batch; ++i) {
      auto left = elements_of(a.inputs[at.a]), right = elements_of(a.inputs[at.b]);
      if (shape.batch > 1) {
        const auto [l, r] = shape.matrices(i);
        left.data += l * shape.rows * shape.depth;
        right.data += r * shape.columns * shape.depth;
      }
      product->run(left, a_zero, right, zeros, bias.empty() ? nullptr : bias.as<std::int32_t>().data(), now,
                   a.outputs[0].data() + i * shape.rows * columns * element, a.scratch.subspan(2 * column_bytes));
    }
  }
};

std::int32_t element_at(const kernels::ElementsI8& e, std::size_t i) {
  return e.is_signed ? static_cast<std::int32_t>(static_cast<std::int8_t>(e.data[i]))
                     : static_cast<std::int32_t>(e.data[i]);
}

// Which of `count` numbers belongs to row (or column) `i` of matrix `m`: one for all, one per row, one per row of each.
std::size_t pick(std::int64_t count, std::size_t per_matrix, std::size_t m, std::size_t i) {
  if (count == 1) return 0;
  const auto n = static_cast<std::size_t>(count);
  return n == per_matrix ? i : std::min(m * per_matrix + i, n - 1);
}

void run_ref(const QuantizedProduct& at, const ProductShape& s, EndI8 end, const KernelArguments& a) {
  const auto view = [&a](std::size_t index) { return optional_view(a, index); };
  const auto count = [&](std::size_t index) { return view(index).empty() ? 1 : view(index).elements(); };
  const auto left = elements_of(a.inputs[at.a]), right = elements_of(a.inputs[at.b]);
  const TensorView bias = view(at.bias);
  std::size_t to = 0;
  for (std::size_t m = 0; m < s.batch; ++m) {
    std::array<std::size_t, 2> matrix{};
    if (s.batch > 1) matrix = s.matrices(m);
    for (std::size_t i = 0; i < s.rows; ++i) {
      for (std::size_t j = 0; j < s.columns; ++j, ++to) {
        const std::size_t ra = pick(count(at.a_zero), s.rows, m, i), rb = pick(count(at.b_zero), s.columns, m, j);
        const auto a_zero = number<std::int32_t>(view(at.a_zero), ra, 0);
        const auto b_zero = number<std::int32_t>(view(at.b_zero), rb, 0);
        std::uint32_t sum = 0;
        for (std::size_t k = 0; k < s.depth; ++k) {
          const std::size_t l = matrix[0] * s.rows * s.depth + i * s.left_row + k * s.left_column;
          const std::size_t r = matrix[1] * s.columns * s.depth + k * s.right_row + j * s.right_column;
          sum += static_cast<std::uint32_t>((element_at(left, l) - a_zero) * (element_at(right, r) - b_zero));
        }
        if (!bias.empty()) {
          const auto n = static_cast<std::size_t>(bias.elements());
          sum += static_cast<std::uint32_t>(
              bias.as<std::int32_t>()[n == 1           ? 0
                                      : n == s.columns ? j
                                                       : std::min(i * s.columns + j, n - 1)]);
        }
        const auto v = static_cast<std::int32_t>(sum);
        if (end.to == EndI8::To::i32) {
          a.outputs[0].as<std::int32_t>()[to] = v;
          continue;
        }
        const float y_scale = number<float>(view(at.y_scale), pick(count(at.y_scale), s.rows, m, i), 1.0F);
        const auto zero = number<std::int32_t>(view(at.y_zero), pick(count(at.y_zero), s.rows, m, i), 0);
        const float scale = static_cast<float>(s.alpha) *
                            number<float>(view(at.a_scale), pick(count(at.a_scale), s.rows, m, i), 1.0F) *
                            number<float>(view(at.b_scale), pick(count(at.b_scale), s.columns, m, j), 1.0F) / y_scale;
        const float scaled = static_cast<float>(v) * scale;
        if (end.to == EndI8::To::f32) {
          a.outputs[0].as<float>()[to] = scaled + number<float>(view(at.real_bias), j, 0.0F);
          continue;
        }
        const auto low = static_cast<float>(end.low - zero), high = static_cast<float>(end.high - zero);
        const float inside = std::min(scaled > low ? scaled : low, high);
        bytes_of(a.outputs[0])[to] =
            static_cast<std::uint8_t>(static_cast<std::int32_t>(std::nearbyint(inside)) + zero);
      }
    }
  }
}

EndI8 end_of(const Node& node, const NodeTypes& types) {
  EndI8 end = end_at(types.outputs[0].dtype, 0);
  end.low = std::max(end.low, static_cast<std::int32_t>(node.integer("low", end.low)));
  end.high = std::min(end.high, static_cast<std::int32_t>(node.integer("high", end.high)));
  return end;
}

double steps_of(const ProductShape& s) {
  return static_cast<double>(s.batch) * kernels::gemm_i8_effective_steps(s.rows, s.columns, s.depth);
}

}  // namespace

void infer_quantized_product(TypeContext& context, const QuantizedProduct& at, DType result) {
  require(context, at.a, Bytes{});
  require(context, at.b, Bytes{});
  infer_matmul(context, at.a, at.b, result);
}

Cost can_quantized_product(const QuantizedProduct& at, const Node& node, const NodeTypes& types) {
  const ProductShape s = shape_of(at, node, types);
  if (s.left_column != 1 || s.left_row != s.depth) return Unexpected{"the left side is transposed"};
  if (count_of(types, at.a_zero) != 1 || count_of(types, at.a_scale) != 1 || count_of(types, at.y_scale) != 1 ||
      count_of(types, at.y_zero) != 1)
    return Unexpected{"the rows have zero points or scales of their own"};
  for (const std::size_t index : {at.b_zero, at.b_scale}) {
    const std::int64_t count = count_of(types, index);
    if (count != 1 && count != static_cast<std::int64_t>(s.columns)) return Unexpected{"scales of a stack"};
  }
  if (biased(at, node) && count_of(types, at.bias) != static_cast<std::int64_t>(s.columns))
    return Unexpected{"the bias is not one number per column"};
  auto work = steps_i8(types, steps_of(s));
  const bool packed = types.constants[at.b] != nullptr && s.batch == 1;
  if (!packed)
    work.push_back({kernels::Rate::stream_cached, 16.0 * static_cast<double>(s.batch * s.columns * s.depth)});
  work.push_back({kernels::Rate::stream_cached, 4.0 * static_cast<double>(s.batch * s.rows * s.depth)});
  work.push_back({kernels::Rate::stream_cached, 12.0 * static_cast<double>(s.batch * s.rows * s.columns)});
  return work;
}

Prepared prepare_quantized_product(const QuantizedProduct& at, const Node& node, const NodeTypes& types) {
  PackedRun run{at, shape_of(at, node, types), end_of(node, types), nullptr, 0};
  const ProductShape& s = run.shape;
  kernels::ElementsI8 right;
  if (types.constants[at.b] != nullptr && s.batch == 1) right = elements_of(types.constants[at.b]->view());
  run.product = std::make_shared<const kernels::ProductI8>(
      kernels::ProductI8::Shape{s.rows, s.columns, s.depth, s.right_row, s.right_column}, right);
  run.column_bytes = base::whole_lines(4 * s.columns);
  return {run, 2 * run.column_bytes + run.product->scratch_bytes(), run.product->packed_bytes()};
}

Cost can_quantized_product_ref(const QuantizedProduct& at, const Node& node, const NodeTypes& types) {
  const ProductShape s = shape_of(at, node, types);
  return scalar_steps(types, 4.0 * static_cast<double>(s.batch * s.rows * s.columns) * static_cast<double>(s.depth));
}

Prepared prepare_quantized_product_ref(const QuantizedProduct& at, const Node& node, const NodeTypes& types) {
  return {[at, shape = shape_of(at, node, types), end = end_of(node, types)](const KernelArguments& a) {
    run_ref(at, shape, end, a);
  }};
}

}  // namespace skerry::ops
