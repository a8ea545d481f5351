#include "frontend/noise/noise.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <skerry/error.hpp>
#include <sstream>

#include "base/thrown_by.hpp"

namespace skerry::frontend {
namespace {

std::string noise_file(const std::string& name) {
  std::ifstream in(std::string(SKERRY_TEST_DATA) + "/noise/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(NoiseJson, ReadsRulesReadoutErrorsAndTheirPlaces) {
  const NoiseModel model = read_noise(noise_file("device.json"), "device.json");
  ASSERT_EQ(model.rules().size(), 5U);
  EXPECT_EQ(model.rules()[1].gate, "cx");
  EXPECT_EQ(model.rules()[1].channel, Channel::depolarizing(0.012, 2));
  EXPECT_EQ(model.rules()[2].channel, Channel::thermal_relaxation(80e-6, 60e-6, 300e-9));
  EXPECT_EQ(model.rules()[3].wires, (std::vector<Wire>{1, 2}));
  EXPECT_EQ(model.rules()[4].channel.kind(), "pauli");
  EXPECT_EQ(model.readout(0), (Confusion{0.98, 0.02, 0.04, 0.96}));
  EXPECT_EQ(model.readout(2), (Confusion{0.95, 0.05, 0.1, 0.9}));
}

TEST(NoiseJson, WritesWhatItReadsBackToTheLastDigit) {
  NoiseModel model = read_noise(noise_file("device.json"), "device.json");
  model.add("measure", Channel::bit_flip(1.0 / 3), {}, {0});
  model.add("*", Channel::amplitude_damping(0.1).then(Channel::unitary({1, {0, {0, -1}, {0, 1}, 0}})));
  const NoiseModel again = read_noise(write_noise(model), "again");
  ASSERT_EQ(again.rules().size(), model.rules().size());
  for (std::size_t i = 0; i < model.rules().size(); ++i) {
    EXPECT_EQ(again.rules()[i].channel.operators(), model.rules()[i].channel.operators()) << i;
    EXPECT_EQ(again.rules()[i].wires, model.rules()[i].wires);
    EXPECT_EQ(again.rules()[i].on, model.rules()[i].on);
  }
  EXPECT_EQ(again.readout_rules(), model.readout_rules());
}

struct BadNoise {
  const char* text;
  ErrorCode code;
  const char* says;
};

TEST(NoiseJson, NamesWhatIsWrongAndWhere) {
  const BadNoise refusals[] = {
      {"[", ErrorCode::syntax_error, "n.json:1:1: this is not JSON"},
      {"[]", ErrorCode::semantic_error, "the document is not a dictionary"},
      {"{}", ErrorCode::semantic_error, "has no 'skerry_noise'"},
      {R"({"skerry_noise": 2})", ErrorCode::version_too_new, "version 2"},
      {R"({"skerry_noise": 1, "rule": []})", ErrorCode::semantic_error, "did you mean 'rules'"},
      {R"({"skerry_noise": 1, "rules": [{"gate": "hh", "channels": []}]})", ErrorCode::not_found, "rules[0]: there is"},
      {R"({"skerry_noise": 1, "rules": [{"gate": "h", "channels": [{"kind": "depolarising", "p": 0}]}]})",
       ErrorCode::not_found, "did you mean 'depolarizing'"},
      {R"({"skerry_noise": 1, "rules": [{"gate": "h", "channels": [{"kind": "bit_flip", "p": 1.5}]}]})",
       ErrorCode::invalid_argument, "rules[0]:channels[0]:channel bit_flip: p is 1.5, outside 0 to 1"},
      {R"({"skerry_noise": 1, "rules": [{"gate": "h", "channels": [{"kind": "kraus", "operators": [[[1, 0], [0, 0.9]]]}]}]})",
       ErrorCode::invalid_argument,
       "channel kraus: does not preserve the trace: sum K^dagger K differs from 1 by 0.19"},
      {R"({"skerry_noise": 1, "rules": [{"gate": "h", "channels": [{"kind": "thermal_relaxation", "t1": 1, "t2": 3, "time": 1}]}]})",
       ErrorCode::invalid_argument, "t2 is 3, more than twice t1"},
      {R"({"skerry_noise": 1, "rules": [{"gate": "cx", "wires": [0, 1], "on": [2], "channels": [{"kind": "bit_flip", "p": 0}]}]})",
       ErrorCode::invalid_argument, "`on` lists a wire"},
      {R"({"skerry_noise": 1, "readout": [{"confusion": [[0.9, 0.2], [0, 1]]}]})", ErrorCode::invalid_argument,
       "readout[0]:readout error: row 0"},
      {R"({"skerry_noise": 1, "readout": [{"confusion": [1]}]})", ErrorCode::semantic_error, "'row' is not a list"},
  };
  for (const BadNoise& refusal : refusals) {
    const auto error = base::thrown_by([&] { read_noise(refusal.text, "n.json"); });
    EXPECT_EQ(error.code(), refusal.code) << error.what();
    EXPECT_NE(std::string(error.what()).find(refusal.says), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace skerry::frontend
