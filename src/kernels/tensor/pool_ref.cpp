#include <algorithm>
#include <array>
#include <limits>

#include "base/obey.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/numeric.hpp"
#include "kernels/tensor/pool.hpp"

namespace skerry::kernels {
namespace {

struct Place {
  std::int64_t z, y, x;
};

// Taps [first, last) through which output `o` sees an input: of a window that is mostly padding, few.
std::array<std::int64_t, 2> taps_inside(const Window& s, std::size_t axis, std::int64_t o) {
  const std::int64_t begin = s.position(axis, o, 0), step = s.dilation[axis];
  const auto up = [step](std::int64_t distance) { return distance <= 0 ? 0 : (distance + step - 1) / step; };
  return {std::min(up(-begin), s.kernel[axis]), std::min(up(s.input[axis] - begin), s.kernel[axis])};
}

// Calls f(place in the input) for the elements that output `o` of a plane sees, in row-major order.
template <class F>
void for_each_tap(const Window& s, std::int64_t o, F&& f) {
  const std::int64_t oz = o / (s.output[1] * s.output[2]), oy = o / s.output[2] % s.output[1], ox = o % s.output[2];
  const auto planes = taps_inside(s, 0, oz), rows = taps_inside(s, 1, oy), columns = taps_inside(s, 2, ox);
  for (std::int64_t kz = planes[0]; kz < planes[1]; ++kz) {
    base::check_stop();
    for (std::int64_t ky = rows[0]; ky < rows[1]; ++ky) {
      for (std::int64_t kx = columns[0]; kx < columns[1]; ++kx)
        f(Place{s.position(0, oz, kz), s.position(1, oy, ky), s.position(2, ox, kx)});
    }
  }
}

std::int64_t row_index(const Window& s, const Place& at) {
  return (at.z * s.input[1] + at.y) * s.input[2] + at.x;
}
std::int64_t column_index(const Window& s, const Place& at) {
  return (at.x * s.input[1] + at.y) * s.input[0] + at.z;
}

template <class T>
T lowest() {
  if constexpr (is_real<T>) return convert<T>(-std::numeric_limits<double>::infinity());
  if constexpr (!is_real<T>) return std::numeric_limits<T>::lowest();
}

template <class F>
void for_each_plane(std::int64_t planes, F&& f) {
  base::parallel_for(0, static_cast<std::size_t>(planes), 1, [&](std::size_t begin, std::size_t end) {
    for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) f(i);
  });
}

}  // namespace

void max_pool_ref(const Window& window, std::int64_t planes, bool column_major, TensorView x, MutableTensorView y,
                  MutableTensorView indices) {
  visit(Join<Reals, Types<std::int8_t, std::uint8_t>>{}, x.dtype(), [&]<class T>() {
    for_each_plane(planes, [&](std::int64_t plane) {
      const T* in = reinterpret_cast<const T*>(x.data()) + plane * window.inputs();
      for (std::int64_t o = 0; o < window.outputs(); ++o) {
        T best = lowest<T>();
        std::int64_t index = -1;
        for_each_tap(window, o, [&](const Place& at) {
          const T value = in[row_index(window, at)];
          if (index >= 0 && !(convert<Compute<T>>(value) > convert<Compute<T>>(best))) return;
          best = value;
          index = plane * window.inputs() + (column_major ? column_index(window, at) : row_index(window, at));
        });
        const auto to = static_cast<std::size_t>(plane * window.outputs() + o);
        if (!y.empty()) y.as<T>()[to] = best;
        if (!indices.empty()) indices.as<std::int64_t>()[to] = index;
      }
    });
  });
}

void average_pool_ref(const Window& window, std::int64_t planes, bool count_padding, TensorView x,
                      MutableTensorView y) {
  visit(Reals{}, x.dtype(), [&]<class T>() {
    for_each_plane(planes, [&](std::int64_t plane) {
      const T* in = reinterpret_cast<const T*>(x.data()) + plane * window.inputs();
      for (std::int64_t o = 0; o < window.outputs(); ++o) {
        double sum = 0.0;
        for_each_tap(window, o, [&](const Place& at) { sum += convert<double>(in[row_index(window, at)]); });
        const std::int64_t count = counted_taps(window, 0, o / (window.output[1] * window.output[2]), count_padding) *
                                   counted_taps(window, 1, o / window.output[2] % window.output[1], count_padding) *
                                   counted_taps(window, 2, o % window.output[2], count_padding);
        y.as<T>()[static_cast<std::size_t>(plane * window.outputs() + o)] =
            convert<T>(sum / static_cast<double>(count));
      }
    });
  });
}

}  // namespace skerry::kernels
