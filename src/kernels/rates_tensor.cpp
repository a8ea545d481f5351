// Measured prices of the tensor rows of rates.def, a few hundredths of a second for all of them.

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "base/memory.hpp"
#include "base/threads.hpp"
#include "kernels/rates.hpp"
#include "kernels/tensor/binary.hpp"
#include "kernels/tensor/conv.hpp"
#include "kernels/tensor/conv_i8.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/product.hpp"
#include "kernels/tensor/unary.hpp"

namespace skerry::kernels {
namespace {

constexpr int kRepeats = 5;

/// Median of a few runs; the first one, which finds everything cold, does not count.
template <class Run>
double seconds_of(Run run) {
  run();
  std::array<double, kRepeats> times{};
  for (double& time : times) {
    const auto start = std::chrono::steady_clock::now();
    run();
    time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  std::ranges::sort(times);
  return times[kRepeats / 2];
}

/// Floats of one value, which no kernel finds easier than others.
class Floats {
 public:
  explicit Floats(std::size_t count)
      : buffer_(base::Buffer::allocate_for<float>(count, base::MemoryBudget(), "calibration")) {
    std::ranges::fill(buffer_.as<float>(), 0.7F);
  }
  std::span<float> values() { return buffer_.as<float>(); }
  float* data() { return values().data(); }

 private:
  base::Buffer buffer_;
};

/// Seconds per byte of an element-wise pass over `count` elements, `rounds` times.
double seconds_per_streamed_byte(std::size_t count, int rounds) {
  Floats x(count), y(count);
  const double seconds = seconds_of([&] {
    for (int round = 0; round < rounds; ++round) unary_f32(Unary::relu, {}, x.values(), y.values());
  });
  return seconds / (rounds * 2.0 * sizeof(float) * static_cast<double>(count));
}

}  // namespace

double measure_step(int threads, const RunControl& /*control*/) {
  // Everything of a step but the arithmetic: dispatch of a kernel on views of one element.
  const base::ThreadLimit limit(threads);
  constexpr int kSteps = 4000;
  float x = 1.0F, y = 0.0F;
  const double seconds = seconds_of([&] {
    for (int i = 0; i < kSteps; ++i) unary_f32(Unary::relu, {}, std::span(&x, 1), std::span(&y, 1));
  });
  // The executor's own part (a span of the trace, the check for cancellation, the call of the kernel) and what comes
  // into the caches anew is three times as much again: fitted to models of a few microseconds.
  return 4.0 * seconds / kSteps;
}

double measure_stream(int threads, const RunControl& /*control*/) {
  const base::ThreadLimit limit(threads);
  return seconds_per_streamed_byte(std::size_t{2} << 20, 1);  // 8 MiB in, 8 MiB out
}

double measure_stream_cached(int threads, const RunControl& /*control*/) {
  const base::ThreadLimit limit(threads);
  return seconds_per_streamed_byte(std::size_t{64} << 10, 8);  // 256 KiB in, 256 KiB out
}

double measure_gemm_f32(int threads, const RunControl& /*control*/) {
  const base::ThreadLimit limit(threads);
  constexpr std::size_t kSide = 256;
  Floats a(kSide * kSide), b(kSide * kSide), c(kSide * kSide);
  ProductShape shape;
  shape.rows = shape.columns = shape.depth = shape.left_row = shape.right_row = kSide;
  const ProductF32 product(shape, b.values());
  auto scratch = base::Buffer::allocate(product.scratch_bytes(), base::MemoryBudget(), "calibration");
  const double seconds =
      seconds_of([&] { product.run(a.data(), b.data(), GemmStart::zero, nullptr, c.data(), scratch.as<std::byte>()); });
  return seconds / gemm_effective_flops(kSide, kSide, kSide);
}

double measure_conv_f32(int threads, const RunControl& /*control*/) {
  const base::ThreadLimit limit(threads);
  constexpr std::int64_t kChannels = 64, kSide = 28;
  ConvShape shape{1, kChannels, kChannels, 1, {}};
  shape.window.input = shape.window.output = {1, kSide, kSide};
  shape.window.kernel = {1, 3, 3};
  shape.window.pad_begin = shape.window.pad_end = {0, 1, 1};
  Floats x(kChannels * kSide * kSide), y(kChannels * kSide * kSide), w(kChannels * kChannels * 9);
  const ConvF32 conv(shape, w.values());
  auto scratch = base::Buffer::allocate(conv.scratch_bytes(), base::MemoryBudget(), "calibration");
  const double seconds = seconds_of([&] { conv.run(x.data(), w.data(), nullptr, y.data(), scratch.as<std::byte>()); });
  return seconds / gemm_effective_flops(kChannels, kSide * kSide, kChannels * 9);
}

double measure_gemm_i8(int threads, const RunControl& /*control*/) {
  const base::ThreadLimit limit(threads);
  constexpr std::size_t kSide = 384;
  std::vector<std::uint8_t> a(kSide * kSide, 77), b(kSide * kSide, 33), c(kSide * kSide);
  const ElementsI8 right{b.data(), true};
  const ProductI8 product({kSide, kSide, kSide, kSide, 1}, right);
  auto scratch = base::Buffer::allocate(product.scratch_bytes(), base::MemoryBudget(), "calibration");
  EndI8 end;
  end.to = EndI8::To::u8;
  end.scale = 1e-4F;
  end.high = 255;
  const double seconds = seconds_of([&] {
    product.run({a.data(), false}, 3, right, {}, nullptr, end, c.data(), scratch.as<std::byte>());
  });
  return seconds / (2.0 * gemm_i8_effective_steps(kSide, kSide, kSide));
}

double measure_transcendental(int threads, const RunControl& /*control*/) {
  const base::ThreadLimit limit(threads);
  constexpr std::size_t kCount = std::size_t{64} << 10;
  Floats x(kCount), y(kCount);
  const double exponential = seconds_of([&] { unary_f32(Unary::exp_, {}, x.values(), y.values()); });
  const double tanh = seconds_of([&] { unary_f32(Unary::tanh_, {}, x.values(), y.values()); });
  const double erf = seconds_of([&] { unary_f32(Unary::erf_, {}, x.values(), y.values()); });
  return (exponential + tanh + erf) / (3.0 * static_cast<double>(kCount));
}

double measure_scalar(int threads, const RunControl& /*control*/) {
  // A reference loop as most of them are: converted, multiplied, summed in f64.
  const base::ThreadLimit limit(threads);
  constexpr std::int64_t kSide = 64;
  ProductShape shape;
  shape.rows = shape.columns = shape.depth = shape.left_row = shape.right_row = static_cast<std::size_t>(kSide);
  Floats a(kSide * kSide), b(kSide * kSide), c(kSide * kSide);
  const Shape matrix{kSide, kSide};
  const auto view = [&matrix](Floats& floats) {
    return MutableTensorView(DType::f32, matrix, reinterpret_cast<std::byte*>(floats.data()));
  };
  const double seconds = seconds_of([&] { product_ref(shape, view(a), view(b), false, view(c)); });
  return seconds / static_cast<double>(kSide * kSide * kSide);
}

double measure_serial(int /*threads*/, const RunControl& control) {
  return measure_scalar(1, control);
}

}  // namespace skerry::kernels
