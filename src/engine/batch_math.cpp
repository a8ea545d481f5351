#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <skerry/batch_math.hpp>
#include <skerry/error.hpp>

#include "base/memory.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/unary.hpp"

namespace skerry {
namespace {

using kernels::GemmStart;

struct MatrixExtents {
  std::size_t rows, columns;
};

MatrixExtents matrix_of(const Tensor& tensor, const char* what) {
  if (tensor.dtype() != DType::f32 || tensor.shape().rank() != 2) {
    throw Error(ErrorCode::type_mismatch,
                "it is " + std::string(dtype_name(tensor.dtype())) + tensor.shape().text() + ", not a matrix of f32",
                what);
  }
  return {static_cast<std::size_t>(tensor.shape()[0]), static_cast<std::size_t>(tensor.shape()[1])};
}

void require_agreeing(std::size_t left, std::size_t right) {
  if (left == right) return;
  throw Error(ErrorCode::type_mismatch,
              "a depth of " + std::to_string(left) + " against one of " + std::to_string(right), "matrices");
}

Tensor new_matrix(std::size_t rows, std::size_t columns) {
  return Tensor(DType::f32, Shape{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
}

kernels::BlockEnd activation_of(std::string_view name) {
  kernels::BlockEnd end;
  if (name == "relu") {
    end.low = 0.0F;
  } else if (name == "sigmoid") {
    end.function = kernels::Unary::sigmoid;
  } else if (name == "tanh") {
    end.function = kernels::Unary::tanh_;
  } else if (name == "gelu") {
    end.function = kernels::Unary::gelu;
  } else if (name != "none") {
    throw Error(ErrorCode::invalid_argument, "there is no activation '" + std::string(name) + "'", "activation",
                "use none, relu, sigmoid, tanh or gelu");
  }
  return end;
}

// (x - mean) * factor for each column; the factor of a column of equal elements is 0.
struct ColumnScale {
  std::vector<float> mean, factor;
};

ColumnScale column_scales(std::span<const float> x, std::size_t rows, std::size_t columns) {
  constexpr std::size_t kStrip = 64;
  ColumnScale out{std::vector<float>(columns), std::vector<float>(columns)};
  base::parallel_for(0, columns, kStrip, [&](std::size_t begin, std::size_t end) {
    std::array<double, kStrip> sum{}, squares{};
    const std::size_t width = end - begin;
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < width; ++c) sum[c] += static_cast<double>(x[r * columns + begin + c]);
    for (std::size_t c = 0; c < width; ++c) sum[c] /= static_cast<double>(std::max<std::size_t>(rows, 1));
    std::array<bool, kStrip> varies{};
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < width; ++c) {
        const float value = x[r * columns + begin + c];
        const double distance = static_cast<double>(value) - sum[c];
        squares[c] += distance * distance;
        varies[c] = varies[c] || value != x[begin + c];
      }
    }
    for (std::size_t c = 0; c < width; ++c) {
      const double deviation = std::sqrt(squares[c] / static_cast<double>(std::max<std::size_t>(rows, 1)));
      out.mean[begin + c] = static_cast<float>(varies[c] ? sum[c] : static_cast<double>(x[begin + c]));
      out.factor[begin + c] = varies[c] && deviation > 0.0 ? static_cast<float>(1.0 / deviation) : 0.0F;
    }
  });
  return out;
}

base::Buffer floats_for(std::size_t count, const char* what) {
  return base::Buffer::allocate_for<float>(std::max<std::size_t>(count, 1), base::MemoryBudget(), what);
}

}  // namespace

Tensor process_batch_optimized(const Tensor& x, const Tensor& w, const Tensor* b, std::string_view activation) {
  const auto [rows, features] = matrix_of(x, "x");
  const auto [depth, outputs] = matrix_of(w, "w");
  require_agreeing(features, depth);
  if (b != nullptr && (b->dtype() != DType::f32 || b->shape().elements() != w.shape()[1]))
    throw Error(ErrorCode::type_mismatch,
                "it has " + std::to_string(b->shape().elements()) + " elements for " + std::to_string(outputs), "b");
  const kernels::BlockEnd end = activation_of(activation);
  Tensor y = new_matrix(rows, outputs);
  if (rows == 0 || outputs == 0) return y;
  const auto in = x.as<float>();
  const auto out = y.mutable_view().as<float>();
  const ColumnScale scale = column_scales(in, rows, features);
  base::Buffer packed = floats_for(kernels::packed_right_floats(features, outputs), "packed weights");
  kernels::pack_right({w.as<float>().data(), outputs, 1}, features, outputs, packed.as<float>().data());

  // A block of rows is normalised and multiplied while it is in the cache.
  constexpr std::size_t kRows = 96;
  base::parallel_for(0, rows, kRows, [&](std::size_t begin, std::size_t last) {
    base::Buffer block = floats_for((last - begin) * features, "a block of the batch");
    float* normal = block.as<float>().data();
    for (std::size_t r = begin; r < last; ++r, normal += features)
      for (std::size_t c = 0; c < features; ++c) normal[c] = (in[r * features + c] - scale.mean[c]) * scale.factor[c];
    kernels::gemm_packed(last - begin, outputs, features, block.as<float>().data(), features, packed.as<float>().data(),
                         b == nullptr ? GemmStart::zero : GemmStart::column_bias,
                         b == nullptr ? nullptr : b->as<float>().data(), out.data() + begin * outputs, end);
  });
  return y;
}

CacheOptimizedProcessor::CacheOptimizedProcessor(std::size_t block_size) : block_size_(block_size) {
  if (block_size == 0 || block_size > kMostBlock)
    throw Error(ErrorCode::invalid_argument, "a block of " + std::to_string(block_size), "block_size",
                "give 1 to " + std::to_string(kMostBlock));
}

Tensor CacheOptimizedProcessor::blocked_matrix_multiplication(const Tensor& a, const Tensor& b) const {
  const auto [rows, depth] = matrix_of(a, "a");
  const auto [other, columns] = matrix_of(b, "b");
  require_agreeing(depth, other);
  Tensor c = new_matrix(rows, columns);
  if (rows == 0 || columns == 0 || depth == 0) return c;
  const float *left = a.as<float>().data(), *right = b.as<float>().data();
  float* out = c.mutable_view().as<float>().data();
  const std::size_t side = block_size_;
  const auto blocks = [side](std::size_t extent) { return (extent + side - 1) / side; };
  // A piece is a column of blocks of b, which is packed once and meets all blocks of a.
  base::parallel_for(0, blocks(columns), 1, [&](std::size_t begin, std::size_t end) {
    base::Buffer packed = floats_for(kernels::packed_right_floats(side, side), "a packed block");
    for (std::size_t j = begin * side; j < std::min(end * side, columns); j += side) {
      const std::size_t wide = std::min(side, columns - j);
      const std::size_t width = kernels::packed_right_floats(1, wide);
      for (std::size_t k = 0; k < depth; k += side) {
        const std::size_t deep = std::min(side, depth - k);
        kernels::pack_right({right + k * columns + j, columns, 1}, deep, wide, packed.as<float>().data());
        for (std::size_t i = 0; i < rows; i += side) {
          kernels::gemm_block({0, std::min(side, rows - i), 0, wide, deep, left + i * depth + k, depth,
                               packed.as<float>().data(), width, true, out + i * columns + j, columns,
                               k == 0 ? GemmStart::zero : GemmStart::accumulate, nullptr, false});
        }
      }
    }
  });
  return c;
}

std::size_t CacheOptimizedProcessor::tune(const Tensor& a, const Tensor& b, std::span<const std::size_t> sizes,
                                          const Measure& measure) {
  constexpr int kRuns = 5;
  if (sizes.empty()) throw Error(ErrorCode::invalid_argument, "there are no sizes to try", "sizes");
  const auto seconds = [&](const CacheOptimizedProcessor& processor) {
    const auto begin = std::chrono::steady_clock::now();
    processor.blocked_matrix_multiplication(a, b);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  double least = HUGE_VAL;
  std::size_t best = block_size_;
  for (const std::size_t size : sizes) {
    const CacheOptimizedProcessor processor(size);
    if (!measure) seconds(processor);  // warms up
    for (int run = 0; run < kRuns; ++run) {
      const double cost = measure ? measure(processor) : seconds(processor);
      if (cost >= least) continue;
      least = cost;
      best = size;
    }
  }
  return block_size_ = best;
}

Tensor CacheOptimizedProcessor::cache_friendly_data_layout(const Tensor& data) const {
  const auto [rows, columns] = matrix_of(data, "data");
  Tensor out = new_matrix(columns, rows);
  const auto from = data.as<float>();
  const auto to = out.mutable_view().as<float>();
  const std::size_t side = block_size_;
  base::parallel_for(0, (rows + side - 1) / side, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin * side; i < std::min(end * side, rows); i += side) {
      for (std::size_t j = 0; j < columns; j += side) {
        for (std::size_t r = i; r < std::min(i + side, rows); ++r)
          for (std::size_t c = j; c < std::min(j + side, columns); ++c) to[c * rows + r] = from[r * columns + c];
      }
    }
  });
  return out;
}

}  // namespace skerry
