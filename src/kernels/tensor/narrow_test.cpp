// Elements to f32 and back in vectors, against the conversions of one element.
#include "kernels/tensor/narrow.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/tensor/convert.hpp"
#include "kernels/tensor/numeric.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

using Widening = Join<Reals, Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, bool>>;

template <class... Ts, class F>
void for_each_type(Types<Ts...>, F&& f) {
  (f.template operator()<Ts>(), ...);
}

// Numbers of every size, ends of ranges, halves between two numbers of a narrow type, and what is no number.
std::vector<float> telling_floats() {
  using Limits = std::numeric_limits<float>;
  std::vector<float> out = {0.0F,
                            -0.0F,
                            1.0F,
                            -1.0F,
                            0.5F,
                            -0.5F,
                            127.5F,
                            128.0F,
                            -128.5F,
                            255.5F,
                            256.0F,
                            32767.5F,
                            32768.0F,
                            -32769.F,
                            65504.F,
                            65519.9F,
                            65520.F,
                            65535.F,
                            65536.0F,
                            2.15e9F,
                            -2.15e9F,
                            1e30F,
                            -1e30F,
                            6e-8F,
                            5.9e-8F,
                            2.9e-8F,
                            3e-8F,
                            6.1e-5F,
                            6.104e-5F,
                            1e-40F,
                            Limits::infinity(),
                            -Limits::infinity(),
                            Limits::quiet_NaN(),
                            -Limits::quiet_NaN(),
                            2147483520.0F,
                            2147483648.0F,
                            -2147483648.0F,
                            0.99999994F};
  std::mt19937 random(5);
  std::uniform_int_distribution<std::uint32_t> bits;
  for (int i = 0; i < 4000; ++i) out.push_back(std::bit_cast<float>(bits(random)));
  for (int i = 0; i < 500; ++i) out.push_back(static_cast<float>(i - 250) / 2.0F);
  for (std::uint32_t half = 0; half < 0x8000; half += 7) {  // what lies in the middle between two short floats
    const float a = convert<float>(std::bit_cast<Float16>(static_cast<std::uint16_t>(half)));
    const float b = convert<float>(std::bit_cast<Float16>(static_cast<std::uint16_t>(half + 1)));
    if (b < std::numeric_limits<float>::infinity()) out.push_back(a / 2.0F + b / 2.0F);
  }
  return out;
}

TEST(Narrow, FloatsBecomeWhatEachOfThemWouldOnEveryInstructionSet) {
  const std::vector<float> x = telling_floats();
  testing::for_each_target([&](const char* target) {
    for_each_type(Widening(), [&]<class T>() {
      std::vector<std::byte> y(x.size() * sizeof(T));
      narrow(dtype_of<T>(), x.data(), x.size(), y.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const T wanted = convert<T>(x[i]);
        T found;
        std::memcpy(&found, y.data() + i * sizeof(T), sizeof(T));
        if constexpr (std::is_floating_point_v<T>) {
          if (wanted != wanted && found != found) continue;
        }
        ASSERT_EQ(std::memcmp(&wanted, &found, sizeof(T)), 0)
            << target << " " << dtype_name(dtype_of<T>()) << " of " << x[i];
      }
    });
  });
}

TEST(Narrow, EveryShortElementIsTheFloatItWas) {
  testing::for_each_target([&](const char* target) {
    for_each_type(Types<Float16, BFloat16, std::int16_t, std::uint16_t, std::int8_t, std::uint8_t>(), [&]<class T>() {
      const std::size_t count = std::size_t{1} << (8 * sizeof(T));
      std::vector<T> x(count);
      for (std::size_t i = 0; i < count; ++i) std::memcpy(static_cast<void*>(&x[i]), &i, sizeof(T));
      std::vector<float> y(count);
      widen(dtype_of<T>(), reinterpret_cast<const std::byte*>(x.data()), count, y.data());
      for (std::size_t i = 0; i < count; ++i) {
        const float wanted = convert<float>(x[i]);
        if (wanted != wanted && y[i] != y[i]) continue;
        ASSERT_EQ(std::bit_cast<std::uint32_t>(y[i]), std::bit_cast<std::uint32_t>(wanted))
            << target << " " << dtype_name(dtype_of<T>()) << " " << i;
      }
    });
  });
}

TEST(Cast, BetweenAnyTwoTypesIsWhatEachElementWouldBecome) {
  const std::vector<float> numbers = telling_floats();
  const Shape shape{std::ssize(numbers)};
  for_each_type(NumbersAndBool(), [&]<class From>() {
    for_each_type(NumbersAndBool(), [&]<class To>() {
      Tensor x(dtype_of<From>(), shape), y(dtype_of<To>(), shape);
      const auto in = x.mutable_view().as<From>();
      for (std::size_t i = 0; i < numbers.size(); ++i) in[i] = convert<From>(numbers[i]);
      cast(x.view(), y.mutable_view());
      const auto out = y.as<To>();
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const To wanted = convert<To>(in[i]);
        const auto value = [](To v) { return convert<double>(v); };
        // Threads flush what is too small for a normal number.
        if constexpr (is_real<To> || is_real<From>)
          if (std::abs(convert<double>(in[i])) < 1.2e-38) continue;
        if (value(wanted) != value(wanted) && value(out[i]) != value(out[i])) continue;
        ASSERT_EQ(std::memcmp(&wanted, &out[i], sizeof(To)), 0)
            << dtype_name(dtype_of<From>()) << " to " << dtype_name(dtype_of<To>()) << " of " << numbers[i];
      }
    });
  });
}

}  // namespace
}  // namespace skerry::kernels
