#include "package/checkpoint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstring>
#include <fstream>
#include <numbers>
#include <sstream>
#include <vector>

#include "base/thrown_by.hpp"

namespace skerry::package {
namespace {

constexpr std::uint64_t kMost = std::uint64_t{1} << 30;

Checkpoint some(std::size_t wires, bool is_single) {
  std::vector<std::complex<double>> amplitudes(std::size_t{1} << wires);
  for (std::size_t i = 0; i < amplitudes.size(); ++i)
    amplitudes[i] = std::polar(1.0 / static_cast<double>(1 + i), 0.1 * static_cast<double>(i));
  Checkpoint out{.method = "statevector", .gates = 17, .shots = 5};
  const Shape shape = {static_cast<std::int64_t>(amplitudes.size())};
  const std::vector<std::complex<float>> narrow(amplitudes.begin(), amplitudes.end());
  if (is_single)
    out.parts = {Tensor::from<std::complex<float>>(narrow, shape)};
  else
    out.parts = {Tensor::from<std::complex<double>>(amplitudes, shape)};
  return out;
}

bool same(const Checkpoint& a, const Checkpoint& b) {
  return a.method == b.method && a.gates == b.gates && a.shots == b.shots &&
         std::ranges::equal(a.parts, b.parts, [](const Tensor& p, const Tensor& q) {
           const TensorView x = p.view(), y = q.view();
           return x.dtype() == y.dtype() && x.shape() == y.shape() && std::memcmp(x.data(), y.data(), x.bytes()) == 0;
         });
}

TEST(Checkpoint, ComesBackBitForBit) {
  for (const bool is_single : {false, true}) {
    for (const std::size_t wires : {std::size_t{0}, std::size_t{1}, std::size_t{9}, std::size_t{17}}) {
      const Checkpoint given = some(wires, is_single);
      EXPECT_TRUE(same(decode_checkpoint(encode(given, "a"), "a", kMost), given)) << wires;
    }
  }
  Checkpoint empty{.method = "statevector", .gates = 3, .parts = {Tensor(DType::c128, {1 << 16})}};
  EXPECT_LT(encode(empty, "a").size(), 1000U) << "zeros are packed";
}

TEST(Checkpoint, PartsOfAnyWidthComeBackInTheirPlaces) {
  const std::array<std::uint8_t, 3> bytes = {1, 2, 255};
  const std::array<std::uint32_t, 5> words = {7, 0, 0xffffffffU, 5, 6};
  const std::array<double, 2> numbers = {-0.5, 1e300};
  const Checkpoint given{.method = "mps",
                         .gates = 2,
                         .parts = {Tensor::from<std::uint8_t>(bytes, {3}), Tensor::from<std::uint32_t>(words, {5, 1}),
                                   Tensor(DType::f32, {0, 4}), Tensor::from<double>(numbers, {2}),
                                   Tensor::from<double>(std::span(numbers).first(1), {})}};
  EXPECT_TRUE(same(decode_checkpoint(encode(given, "a"), "a", kMost), given));
  const Checkpoint none{.method = "stabilizer", .gates = 1};
  EXPECT_TRUE(same(decode_checkpoint(encode(none, "a"), "a", kMost), none));
  Checkpoint many = given;
  many.parts.resize(17, Tensor(DType::u8, {1}));
  EXPECT_EQ(base::thrown_by([&] { encode(many, "a"); }).code(), ErrorCode::unsupported);
  EXPECT_EQ(base::thrown_by([&] { encode({.method = "mps", .parts = {Tensor(DType::u4, {3})}}, "a"); }).code(),
            ErrorCode::unsupported);
}

TEST(Checkpoint, EveryFlippedByteIsRefused) {
  const std::string good = encode(some(5, false), "a");
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    const ErrorCode code = base::thrown_by([&] { decode_checkpoint(bad, "a", kMost); }).code();
    EXPECT_TRUE(code == ErrorCode::corrupt || code == ErrorCode::version_too_new) << i;
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    EXPECT_EQ(base::thrown_by([&] { decode_checkpoint(good.substr(0, i), "a", kMost); }).code(), ErrorCode::corrupt);
  }
}

const std::array<std::string, 2> kObservables = {"Z0", "X1"};

TEST(Checkpoint, AnotherWayAndATooLargeStateAreRefusedWithTheirNumbers) {
  const std::string good = encode(some(10, false), way_of("program", std::array{0.5}, kObservables));
  EXPECT_NE(way_of("program", std::array{0.5}, kObservables), way_of("program", std::array{0.25}, kObservables));
  EXPECT_NE(way_of("program", std::array{0.5}, kObservables), way_of("programm", std::array{0.5}, kObservables));
  EXPECT_NE(way_of("program", std::array{0.5}, kObservables), way_of("program", std::array{0.5}, {}));
  const std::array<std::string, 2> turned = {kObservables[1], kObservables[0]};
  EXPECT_NE(way_of("program", std::array{0.5}, kObservables), way_of("program", std::array{0.5}, turned));
  const Error other =
      base::thrown_by([&] { decode_checkpoint(good, way_of("program", std::array{0.25}, kObservables), kMost); });
  EXPECT_EQ(other.code(), ErrorCode::invalid_argument);
  EXPECT_EQ(other.where(), "checkpoint");
  const Error large =
      base::thrown_by([&] { decode_checkpoint(good, way_of("program", std::array{0.5}, kObservables), 1000); });
  EXPECT_EQ(large.code(), ErrorCode::limit_exceeded);
  EXPECT_NE(large.message().find("c128[1024] and the limit is 1000 bytes"), std::string::npos) << large.what();
}

TEST(Checkpoint, TheKeptOnesAreReadAsTheirNamesSay) {
  const auto text_of = [](const std::string& name) {
    std::ifstream in(std::string(SKERRY_TEST_DATA) + "/../fuzz/corpus/checkpoint/" + name, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  };
  const Checkpoint good = decode_checkpoint(text_of("good.bin"), "here", kMost);
  EXPECT_EQ(good.gates, 3U);
  EXPECT_EQ(good.method, "statevector");
  ASSERT_EQ(good.parts.size(), 1U);
  const auto state = good.parts[0].as<std::complex<double>>();
  ASSERT_EQ(state.size(), 4U);
  EXPECT_NEAR(state[3].real(), std::numbers::sqrt2 / 2, 1e-15);
  EXPECT_EQ(base::thrown_by([&] { decode_checkpoint(text_of("newer.bin"), "here", kMost); }).code(),
            ErrorCode::version_too_new);
  for (const char* name : {"bomb.bin", "two_frames.bin", "no_head.bin", "no_numbers.bin", "many_parts.bin"})
    EXPECT_EQ(base::thrown_by([&] { decode_checkpoint(text_of(name), "here", kMost); }).code(), ErrorCode::corrupt)
        << name;
  for (const char* name : {"huge.bin", "huge_sum.bin"})
    EXPECT_EQ(base::thrown_by([&] { decode_checkpoint(text_of(name), "here", kMost); }).code(),
              ErrorCode::limit_exceeded)
        << name;
}

}  // namespace
}  // namespace skerry::package
