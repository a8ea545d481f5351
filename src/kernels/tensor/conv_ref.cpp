#include "base/obey.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/conv.hpp"
#include "kernels/tensor/numeric.hpp"

namespace skerry::kernels {
namespace {

// Sum over one input plane for output position (oz, oy, ox).
template <class T>
double plane(const Window& s, const T* x, const T* w, std::int64_t oz, std::int64_t oy, std::int64_t ox) {
  double sum = 0.0;
  for (std::int64_t kz = 0; kz < s.kernel[0]; ++kz) {
    for (std::int64_t ky = 0; ky < s.kernel[1]; ++ky) {
      for (std::int64_t kx = 0; kx < s.kernel[2]; ++kx) {
        const std::int64_t z = s.position(0, oz, kz), y = s.position(1, oy, ky), column = s.position(2, ox, kx);
        if (z < 0 || y < 0 || column < 0 || z >= s.input[0] || y >= s.input[1] || column >= s.input[2]) continue;
        sum += convert<double>(x[(z * s.input[1] + y) * s.input[2] + column]) *
               convert<double>(w[(kz * s.kernel[1] + ky) * s.kernel[2] + kx]);
      }
    }
  }
  return sum;
}

template <class T>
void channel(const ConvShape& shape, const T* x, const T* w, double bias, T* y) {
  const Window& s = shape.window;
  for (std::int64_t o = 0; o < s.outputs(); ++o) {
    base::check_stop();
    double sum = bias;
    for (std::int64_t i = 0; i < shape.group_channels(); ++i) {
      sum += plane(s, x + i * s.inputs(), w + i * s.taps(), o / (s.output[1] * s.output[2]),
                   o / s.output[2] % s.output[1], o % s.output[2]);
    }
    y[o] = convert<T>(sum);
  }
}

}  // namespace

void conv_ref(const ConvShape& shape, TensorView x, TensorView w, TensorView bias, MutableTensorView y) {
  visit(Reals{}, x.dtype(), [&]<class T>() {
    const T* in = reinterpret_cast<const T*>(x.data());
    const T* weights = reinterpret_cast<const T*>(w.data());
    const T* shift = reinterpret_cast<const T*>(bias.data());
    T* out = reinterpret_cast<T*>(y.data());
    base::parallel_for(
        0, static_cast<std::size_t>(shape.batch * shape.outputs), 1, [&](std::size_t begin, std::size_t end) {
          for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t n = i / shape.outputs, o = i % shape.outputs;
            const std::int64_t first = n * shape.channels + o / shape.group_outputs() * shape.group_channels();
            channel(shape, in + first * shape.window.inputs(), weights + o * shape.depth(),
                    shift == nullptr ? 0.0 : convert<double>(shift[o]), out + i * shape.window.outputs());
          }
        });
  });
}

}  // namespace skerry::kernels
