#include <gtest/gtest.h>

#include <skerry/error.hpp>

#include "frontend/json/gate_list.hpp"
#include "frontend/openqasm/test_program.hpp"

namespace skerry::frontend {
namespace {

using testing::read;
using testing::statements;

TEST(Json, TheMissionsFormIsRead) {
  const Circuit c = read(
      R"([{"type": "single_qubit", "gate": "H", "qubit": 0}, {"type": "two_qubit", "gate": "CNOT", "control": 0, "target": 1}])");
  EXPECT_EQ(c.num_wires(), 2U);
  EXPECT_EQ(statements(c), "h q[0]; ctrl @ x q[0], q[1];");
}

TEST(Json, EverySpellingOfAnyCaseIsAGate) {
  EXPECT_EQ(
      statements(read(R"([{"gate": "toffoli", "controls": [0, 1], "target": 2}, {"gate": "CCX", "qubits": [0, 1, 2]},
      {"gate": "Swap", "qubits": [1, 0]}, {"gate": "FREDKIN", "control": 2, "targets": [0, 1]}, {"gate": "PHASE", "qubit": 1, "angle": 0.5},
      {"gate": "U1", "qubit": 1, "theta": 1}, {"gate": "u3", "qubit": 0, "theta": 1, "phi": 2, "lambda": 3}, {"gate": "U2", "qubit": 0, "params": [1, 2]},
      {"gate": "X", "controls": [0, 1], "target": 2}, {"gate": "CRZ", "control": 0, "target": 1, "params": 0.25}])")),
      "ctrl(2) @ x q[0], q[1], q[2]; ctrl(2) @ x q[0], q[1], q[2]; swap q[1], q[0]; ctrl @ swap q[2], q[0], q[1]; "
      "p(0.5) q[1]; p(1.0) q[1]; "
      "u(1.0, 2.0, 3.0) q[0]; u(1.5707963267948966, 1.0, 2.0) q[0]; ctrl(2) @ x q[0], q[1], q[2]; ctrl @ rz(0.25) "
      "q[0], q[1];");
}

TEST(Json, TextsAreParametersAndExpressions) {
  const Circuit c = read(
      R"([{"gate": "RX", "qubit": 0, "params": ["theta"]}, {"gate": "RY", "qubit": 0, "theta": "2*theta + phi/4"}, {"gate": "RZ", "qubit": 0, "angle": "pi/2"}])");
  ASSERT_EQ(c.parameters().size(), 2U);
  EXPECT_EQ(c.body()[2].params[0].value, 1.5707963267948966);
  const double values[] = {0.5, 2.0};
  EXPECT_NEAR(c.bind(values).body()[1].params[0].value, 1.5, 1e-15);
}

TEST(Json, StructureAndSizes) {
  const Circuit c = read(
      R"({"qubits": 4, "bits": 3, "gates": [{"gate": "h", "qubits": [0, 1]}, {"type": "barrier"}, {"type": "reset", "qubit": 3},
      {"type": "measure", "qubits": [0, 1], "bits": [2, 0]}, {"gate": "measure", "qubit": 1}]})");
  EXPECT_EQ(c.num_wires(), 4U);
  EXPECT_EQ(c.num_bits(), 3U);
  EXPECT_EQ(statements(c),
            "h q[0]; h q[1]; barrier; reset q[3]; measure q[0] -> c[2]; measure q[1] -> c[0]; measure q[1] -> c[1];");
  EXPECT_EQ(read("[]").num_wires(), 0U);
}

struct BadGates {
  const char *text, *what;
};
class JsonRefusal : public ::testing::TestWithParam<BadGates> {};
TEST_P(JsonRefusal, NamesTheEntryAndTheReason) {
  const std::string what = testing::refusal(GetParam().text).what();
  EXPECT_EQ(what.substr(0, std::string_view(GetParam().what).size()), GetParam().what);
}
INSTANTIATE_TEST_SUITE_P(
    All, JsonRefusal,
    ::testing::Values(
        BadGates{R"([{"gate": "HH", "qubit": 0}])", "t.qasm:gate 0: unknown gate 'HH'; did you mean 'H'?"},
        BadGates{R"([{"gate": "H", "qubit": 0}, {"gate": "H", "qbit": 0}])",
                 "t.qasm:gate 1: unknown key 'qbit'; did you mean 'qubit'?"},
        BadGates{R"([{"qubit": 0}])", "t.qasm:gate 0: no 'gate'"},
        BadGates{R"([{"type": "singel_qubit", "qubit": 0}])",
                 "t.qasm:gate 0: unknown type 'singel_qubit'; did you mean 'single_qubit'?"},
        BadGates{R"([{"type": "single_qubit", "gate": "CNOT", "control": 0, "target": 1}])",
                 "t.qasm:gate 0: type is 'single_qubit' but 'CNOT' acts on 2 qubits"},
        BadGates{R"([{"gate": "CNOT", "control": 0, "target": 0}])", "t.qasm:gate 0: qubit 0 is used twice"},
        BadGates{R"([{"gate": "CNOT", "control": 0}])", "t.qasm:gate 0: 'CNOT' acts on 2 qubits, not 1"},
        BadGates{R"([{"gate": "RX", "qubit": 0}])", "t.qasm:gate 0: 'RX' takes 1 parameter, not 0"},
        BadGates{R"([{"gate": "H", "qubit": -1}])", "t.qasm:gate 0: 'qubit' is -1"},
        BadGates{R"([{"gate": "H", "qubit": 1.5}])", "t.qasm:gate 0: 'qubit' is not a whole number"},
        BadGates{R"([{"gate": "H", "qubit": 4000000000}])", "t.qasm:gate 0: 'qubit' is 4000000000, at most"},
        BadGates{R"([{"gate": "RX", "qubit": 0, "params": ["1/0"]}])", "t.qasm:gate 0: division by zero"},
        BadGates{R"([{"gate": "RX", "qubit": 0, "params": ["2*"]}])", "t.qasm:gate 0: an expression is missing"},
        BadGates{R"([{"gate": "RX", "qubit": 0, "params": [true]}])", "t.qasm:gate 0: a value is neither"},
        BadGates{R"([3])", "t.qasm:gate 0: an entry is not a dictionary"},
        BadGates{R"({"qubits": 1, "gates": [{"gate": "H", "qubit": 1}]})",
                 "t.qasm:gate 0: qubit 1 is outside the 1 of the circuit"},
        BadGates{R"({"gates": 3})", "t.qasm: 'gates' is not a list"},
        BadGates{R"({"qubits": 2})", "t.qasm: there is no list of gates"},
        BadGates{R"({"qubits": 1e9, "gates": []})", "t.qasm: 'qubits' is not a whole number"},
        BadGates{R"([{"gate": "H", "qubit": 0])", "t.qasm:1:1: this is not JSON"}));

TEST(Json, DeepAndLargeTextsAreRefusedByLimits) {
  EXPECT_EQ(testing::refusal(std::string(1'000, '[') + std::string(1'000, ']')).code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(testing::refusal("[" + std::string(100, ' ') + "]", {.max_text_bytes = 64}).code(),
            ErrorCode::limit_exceeded);
}

TEST(Json, EntriesNeedNoText) {
  GateList list;
  list.set_qubits(2);
  list.add(
      std::vector<EntryField>{{"gate", "RX"}, {"qubit", std::int64_t{1}}, {"params", std::vector<EntryScalar>{0.5}}});
  EXPECT_EQ(statements(list.finish()), "rx(0.5) q[1];");
}

TEST(Json, ChannelsAreNamedOrGivenByTheirOperators) {
  const Circuit c = read(
      R"([{"gate": "H", "qubit": 0}, {"type": "channel", "gate": "depolarizing", "qubits": [1, 0], "params": [0.02]},
      {"type": "channel", "qubit": 1, "kraus": [1,0, 0,0, 0,0, 0.6,0, 0,0, 0.8,0, 0,0, 0,0]}])");
  Circuit expected(2);
  const std::vector<Wire> two = {1, 0}, one = {1};
  const Matrix keep{1, {1, 0, 0, 0.6}}, fall{1, {0, 0.8, 0, 0}};
  expected.h(0).channel(Channel::depolarizing(0.02, 2), two).channel(Channel::kraus({keep, fall}), one);
  EXPECT_EQ(c, expected);
  for (const char* wrong : {R"([{"type": "channel", "gate": "depolarising", "qubit": 0, "params": [0.1]}])",
                            R"([{"type": "channel", "gate": "bit_flip", "qubit": 0, "params": [1.1]}])",
                            R"([{"type": "channel", "qubit": 0, "kraus": [1, 0, 0]}])",
                            R"([{"type": "channel", "qubit": 0, "kraus": [1,0, 0,0, 0,0, 0.6,0]}])",
                            R"([{"type": "channel", "gate": "bit_flip", "params": [0.1]}])",
                            R"([{"gate": "X", "qubit": 0, "kraus": [1,0, 0,0, 0,0, 1,0]}])"})
    EXPECT_THROW(read(wrong), Error) << wrong;
}

}  // namespace
}  // namespace skerry::frontend
