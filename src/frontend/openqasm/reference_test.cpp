#include <gtest/gtest.h>
#include <simdjson.h>

#include <filesystem>
#include <fstream>
#include <skerry/error.hpp>

#include "frontend/frontend.hpp"
#include "frontend/openqasm/dense_oracle.hpp"

namespace skerry::frontend {
namespace {

namespace dom = simdjson::dom;
const std::filesystem::path kFolder = std::filesystem::path(SKERRY_TEST_DATA) / "circuits";
constexpr std::uint64_t kLargestDense = 16;  // qubits; a second for all of them together

Circuit without_measurements(const Circuit& c) {
  Circuit copy = c;
  Block block;
  for (std::size_t i = 0; i < c.body().size(); ++i)
    if (is_gate(c.body()[i].op)) block.append(c.body()[i]);
  copy.replace_block(0, std::move(block));
  return copy;
}

std::vector<double> parameter_values(const Circuit& c, dom::element entry) {
  std::vector<double> values;
  for (const Parameter& p : c.parameters()) values.push_back(double{entry["inputs"][p.name].get_double()});
  return values;
}

// tests/data/circuits/manifest.json holds amplitudes and distributions by another simulator and another importer.
TEST(OpenQasmReferences, EveryProgramMeansWhatItsManifestSays) {
  dom::parser parser;
  const dom::element manifest = parser.load((kFolder / "manifest.json").string());
  int checked = 0;
  for (const dom::element entry : dom::array(manifest["circuits"])) {
    const std::string file{std::string_view(entry["file"])};
    SCOPED_TRACE(file);
    Circuit circuit = std::get<Circuit>(import(open_source(kFolder / file)));
    EXPECT_EQ(circuit.num_wires(), std::uint64_t(entry["qubits"]));
    EXPECT_EQ(circuit.num_bits(), std::uint64_t(entry["clbits"]));
    if (circuit.num_wires() > kLargestDense) continue;
    if (!circuit.parameters().empty()) circuit = circuit.bind(parameter_values(circuit, entry));
    dom::array states;
    if (entry["ref_clbit_probs"].get_array().get(states) == simdjson::SUCCESS) {
      std::map<std::string, double> got = testing::DenseOracle(circuit).distribution();
      for (const dom::element pair : states)
        EXPECT_NEAR(got[std::string(std::string_view(pair.at(0)))], double(pair.at(1)), 1e-9);
    } else if (entry["ref_top16_qubit_probs"].get_array().get(states) == simdjson::SUCCESS) {
      const Circuit gates = without_measurements(circuit);
      const testing::DenseOracle oracle(gates);
      for (const dom::element pair : states) {
        const std::size_t index = std::stoull(std::string(std::string_view(pair.at(0))), nullptr, 2);
        EXPECT_NEAR(std::norm(oracle.branches()[0].state[index]), double(pair.at(1)), 1e-9);
      }
    } else {
      continue;
    }
    ++checked;
  }
  EXPECT_GE(checked, 25);
}

TEST(OpenQasmReferences, EveryInvalidProgramIsRefusedAtItsLine) {
  dom::parser parser;
  const dom::element manifest = parser.load((kFolder / "invalid" / "manifest.json").string());
  const std::map<std::string_view, std::vector<ErrorCode>> codes = {
      {"syntax", {ErrorCode::syntax_error}},
      {"undefined", {ErrorCode::semantic_error}},
      {"range", {ErrorCode::out_of_range, ErrorCode::semantic_error}},
      {"duplicate", {ErrorCode::semantic_error}},
      {"resource", {ErrorCode::limit_exceeded}},
      {"include", {ErrorCode::not_found, ErrorCode::permission_denied}},
      {"arithmetic", {ErrorCode::semantic_error}},
      {"recursion", {ErrorCode::semantic_error}},
      {"arity", {ErrorCode::semantic_error}},
      {"encoding", {ErrorCode::syntax_error}},
      {"redefinition", {ErrorCode::semantic_error}},
      {"type", {ErrorCode::semantic_error}}};
  int refused = 0;
  for (const dom::element entry : dom::array(manifest["cases"])) {
    const std::string file{std::string_view(entry["file"])};
    SCOPED_TRACE(file);
    const std::filesystem::path path = kFolder / "invalid" / file;
    try {
      (void)import(open_source(path));
      EXPECT_EQ(std::string_view(entry["expect"]), "either");
    } catch (const Error& e) {
      const std::string place = file + ":" + std::to_string(std::int64_t(entry["line"])) + ":";
      EXPECT_EQ(e.where().substr(0, place.size()), place);
      const auto& allowed = codes.at(std::string_view(entry["error_class"]));
      EXPECT_NE(std::find(allowed.begin(), allowed.end(), e.code()), allowed.end()) << e.what();
      ++refused;
    }
  }
  EXPECT_GE(refused, 20);
}

}  // namespace
}  // namespace skerry::frontend
