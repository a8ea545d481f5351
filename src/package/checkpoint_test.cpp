#include "package/checkpoint.hpp"

#include <gtest/gtest.h>

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
  if (!is_single)
    return {17, Tensor::from<std::complex<double>>(amplitudes, {static_cast<std::int64_t>(amplitudes.size())})};
  const std::vector<std::complex<float>> narrow(amplitudes.begin(), amplitudes.end());
  return {17, Tensor::from<std::complex<float>>(narrow, {static_cast<std::int64_t>(narrow.size())})};
}

bool same(const Checkpoint& a, const Checkpoint& b) {
  const TensorView x = a.state.view(), y = b.state.view();
  return a.gates == b.gates && x.dtype() == y.dtype() && x.shape() == y.shape() &&
         std::memcmp(x.data(), y.data(), x.bytes()) == 0;
}

TEST(Checkpoint, ComesBackBitForBit) {
  for (const bool is_single : {false, true}) {
    for (const std::size_t wires : {std::size_t{0}, std::size_t{1}, std::size_t{9}, std::size_t{17}}) {
      const Checkpoint given = some(wires, is_single);
      EXPECT_TRUE(same(decode_checkpoint(encode(given, "a"), "a", kMost), given)) << wires;
    }
  }
  Checkpoint empty{3, Tensor(DType::c128, {1 << 16})};
  EXPECT_LT(encode(empty, "a").size(), 1000U) << "zeros are packed";
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

TEST(Checkpoint, AnotherWayAndATooLargeStateAreRefusedWithTheirNumbers) {
  const std::string good = encode(some(10, false), way_of("program", std::array{0.5}));
  EXPECT_NE(way_of("program", std::array{0.5}), way_of("program", std::array{0.25}));
  EXPECT_NE(way_of("program", std::array{0.5}), way_of("programm", std::array{0.5}));
  const Error other = base::thrown_by([&] { decode_checkpoint(good, way_of("program", std::array{0.25}), kMost); });
  EXPECT_EQ(other.code(), ErrorCode::invalid_argument);
  EXPECT_EQ(other.where(), "checkpoint");
  const Error large = base::thrown_by([&] { decode_checkpoint(good, way_of("program", std::array{0.5}), 1000); });
  EXPECT_EQ(large.code(), ErrorCode::limit_exceeded);
  EXPECT_NE(large.message().find("16384 bytes and 1000"), std::string::npos) << large.what();
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
  const auto state = good.state.as<std::complex<double>>();
  ASSERT_EQ(state.size(), 4U);
  EXPECT_NEAR(state[3].real(), std::numbers::sqrt2 / 2, 1e-15);
  EXPECT_EQ(base::thrown_by([&] { decode_checkpoint(text_of("newer.bin"), "here", kMost); }).code(),
            ErrorCode::version_too_new);
  for (const char* name : {"bomb.bin", "two_frames.bin", "no_head.bin"})
    EXPECT_EQ(base::thrown_by([&] { decode_checkpoint(text_of(name), "here", kMost); }).code(), ErrorCode::corrupt)
        << name;
  EXPECT_EQ(base::thrown_by([&] { decode_checkpoint(text_of("huge.bin"), "here", kMost); }).code(),
            ErrorCode::limit_exceeded);
}

}  // namespace
}  // namespace skerry::package
