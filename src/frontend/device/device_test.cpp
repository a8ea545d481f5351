#include "frontend/device/device.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <skerry/error.hpp>
#include <sstream>

namespace skerry::frontend {
namespace {

std::string file(const std::string& name) {
  std::ifstream in(SKERRY_TEST_DATA "/devices/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Device, ReadsFiguresByGateWireAndPair) {
  const Target line = read_target(file("line28.json"));
  EXPECT_EQ(line.qubits, 28U);
  EXPECT_EQ(line.coupling.size(), 27U);
  EXPECT_FALSE(line.all_to_all);
  EXPECT_DOUBLE_EQ(line.duration_seconds("cx", {1, 2}), 399.9e-9);
  EXPECT_DOUBLE_EQ(line.duration_seconds("cx", {2, 1}), 399.9e-9);
  EXPECT_DOUBLE_EQ(line.duration_seconds("sx", {5}), 35.56e-9);
  EXPECT_DOUBLE_EQ(line.error("sx", {2}), 0.000164);
  EXPECT_DOUBLE_EQ(line.error("x", {2}), 0.000164);
  EXPECT_DOUBLE_EQ(line.t1_seconds[1], 126e-6);
  EXPECT_EQ(line.error("iswap", {0, 1}), 0);
}

TEST(Device, WithoutCouplingLetsEveryPairMeet) {
  const Target target = read_target(R"({"qubits": 4})");
  EXPECT_TRUE(target.all_to_all);
  EXPECT_EQ(target.basis, Target{}.basis);
}

TEST(Device, RefusesWhatItCannotMean) {
  for (const char* text : {"", "[]", "{}", R"({"qubits": 0})", R"({"qubits": 1e3})", R"({"qubits": 99999999999})",
                           R"({"qubits": 2, "coupling": [[0, 2]]})", R"({"qubits": 2, "coupling": [[0, 0]]})",
                           R"({"qubits": 2, "coupling": [[0]]})", R"({"qubits": 2, "coupling": 3})",
                           R"({"qubits": 2, "t1_us": [1]})", R"({"qubits": 2, "error": {"cx": {"0-": 1}}})",
                           R"({"qubits": 2, "error": {"cx": {"0-7": 1}}})", R"({"qubits": 2, "error": {"x": "as y"}})",
                           R"({"qubits": 2, "error": {"x": -1}})", R"({"qubits": 2, "basis": [1]})"}) {
    EXPECT_THROW(read_target(text), Error) << text;
  }
}

}  // namespace
}  // namespace skerry::frontend
