// Every reference circuit from its file to its probabilities: frontends, records, simulator and kernels together.

#include <gtest/gtest.h>

#include <bitset>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "frontend/frontend.hpp"
#include "sim/method.hpp"

namespace skerry {
namespace {

const std::string kFolder = std::string(SKERRY_TEST_DATA) + "/circuits/";

struct Case {
  std::string name, file;
  nlohmann::json entry;
  Precision precision = Precision::double_precision;
};

nlohmann::json read(const std::string& name) {
  std::ifstream file(kFolder + name);
  return nlohmann::json::parse(file);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* list : {"manifest.json", "large_references.json"}) {
    const nlohmann::json document = read(list);
    for (const auto& entry : document["circuits"]) {
      for (Precision precision : {Precision::single_precision, Precision::double_precision})
        all.push_back({entry["name"], entry["file"], entry, precision});
    }
  }
  // No list of probabilities: in the manifest for completeness, or because another list has them.
  std::erase_if(all, [](const Case& c) {
    return !c.entry.contains("ref_top16_qubit_probs") && !c.entry.contains("ref_clbit_probs");
  });
  return all;
}

std::vector<double> inputs(const Circuit& circuit, const Case& c) {
  std::vector<double> values;
  for (const Parameter& parameter : circuit.parameters()) values.push_back(c.entry["inputs"][parameter.name]);
  return values;
}

std::vector<Case> cases_over_bits() {
  std::vector<Case> all = cases();
  std::erase_if(all, [](const Case& c) { return !c.entry.contains("ref_clbit_probs"); });
  return all;
}

class ReferenceCircuits : public testing::TestWithParam<Case> {
 protected:
  Circuit circuit() const {
    return std::get<Circuit>(frontend::import(frontend::open_source(kFolder + GetParam().file)));
  }
  double allowed() const { return GetParam().precision == Precision::single_precision ? 1e-5 : 1e-10; }
  RunOptions options() const {
    RunOptions options;
    options.precision = GetParam().precision;
    return options;
  }
  CircuitResult run(const Circuit& circuit, const RunOptions& options) const {
    base::MemoryBudget budget;
    const RunControl control;
    const auto program = sim::find_method("statevector").prepare(circuit, options);
    return program->run(inputs(circuit, GetParam()), {budget, control});
  }
  void expect_probabilities(const CircuitResult& result, const nlohmann::json& reference) const {
    const auto found = result.probabilities->as<double>();
    for (const auto& row : reference) {
      const auto outcome = std::bitset<64>(row[0].get<std::string>()).to_ullong();
      EXPECT_NEAR(found[outcome], row[1].get<double>(), allowed()) << row[0];
    }
  }
};

TEST_P(ReferenceCircuits, HaveTheProbabilitiesOfTheirReference) {
  const nlohmann::json& entry = GetParam().entry;
  const Circuit loaded = circuit();
  RunOptions wanted = options();
  wanted.want_probabilities = true;
  const CircuitResult result = run(loaded, wanted);
  if (entry.contains("ref_top16_qubit_probs")) expect_probabilities(result, entry["ref_top16_qubit_probs"]);
  // A circuit that only measures wire i into bit i at its end has its wires' distribution over the bits.
  if (entry.contains("ref_clbit_probs")) {
    ASSERT_EQ(result.probabilities->shape().elements(), std::int64_t{1} << loaded.num_bits());
    expect_probabilities(result, entry["ref_clbit_probs"]);
    double sum = 0;
    for (const auto& row : entry["ref_clbit_probs"]) sum += row[1].get<double>();
    EXPECT_NEAR(sum, 1.0, 1e-9);  // the list is whole, so nothing else can have a probability
  }
}

class ReferencePrograms : public ReferenceCircuits {};

TEST_P(ReferencePrograms, ShotsAgreeWithTheirReference) {
  const nlohmann::json& entry = GetParam().entry;
  const Circuit loaded = circuit();
  RunOptions wanted = options();
  wanted.shots = 20'000;
  wanted.seed = 5;
  const CircuitResult result = run(loaded, wanted);
  double total = 0;
  for (const auto& row : entry["ref_clbit_probs"]) {
    const double p = row[1];
    const double mean = p * static_cast<double>(wanted.shots);
    const auto times = static_cast<double>(result.counts[row[0].get<std::string>()]);
    EXPECT_NEAR(times, mean, 5 * std::sqrt(mean * (1 - p)) + 1e-6) << row[0];
    total += times;
  }
  EXPECT_EQ(total, static_cast<double>(wanted.shots));
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name + (info.param.precision == Precision::single_precision ? "_single" : "_double");
}
INSTANTIATE_TEST_SUITE_P(All, ReferenceCircuits, testing::ValuesIn(cases()), case_name);
INSTANTIATE_TEST_SUITE_P(All, ReferencePrograms, testing::ValuesIn(cases_over_bits()), case_name);

}  // namespace
}  // namespace skerry
