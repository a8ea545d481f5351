#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <skerry/error.hpp>
#include <string>
#include <vector>

#include "ops/qubit/gate_record.hpp"

namespace skerry::ops {
namespace {

using Complex = std::complex<double>;
using Dense = std::vector<Complex>;

constexpr double kTolerance = 1e-14;

std::vector<Op> all_gates() {
  std::vector<Op> gates;
  for (std::uint16_t i = 0; i < kGateCount; ++i) gates.push_back(static_cast<Op>(i));
  return gates;
}
std::size_t rows(Op op) {
  return std::size_t{1} << gate_targets(op);
}
std::vector<double> random_params(Op op, std::mt19937& random) {
  std::uniform_real_distribution<double> angle(-7.0, 7.0);
  std::vector<double> params(static_cast<std::size_t>(gate_parameters(op)));
  for (double& p : params) p = angle(random);
  return params;
}
Dense matrix_of(Op op, const std::vector<double>& params) {
  Dense matrix(rows(op) * rows(op));
  gate_record(op).matrix(params, matrix);
  return matrix;
}
Dense product(const Dense& a, const Dense& b, std::size_t n) {
  Dense c(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < n; ++k) c[i * n + j] += a[i * n + k] * b[k * n + j];
  return c;
}
double distance(const Dense& a, const Dense& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}
Dense identity(std::size_t n) {
  Dense one(n * n);
  for (std::size_t i = 0; i < n; ++i) one[i * n + i] = 1;
  return one;
}
Dense adjoint(const Dense& a, std::size_t n) {
  Dense out(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) out[j * n + i] = std::conj(a[i * n + j]);
  return out;
}

/// Runs a check on every gate with a few random parameter sets.
template <class Check>
void for_each_gate(Check check) {
  std::mt19937 random(7);
  for (Op op : all_gates()) {
    for (int round = 0; round < 5; ++round) {
      const auto params = random_params(op, random);
      SCOPED_TRACE(std::string(gate_record(op).name) + " round " + std::to_string(round));
      check(gate_record(op), params, matrix_of(op, params), rows(op));
    }
  }
}

nlohmann::json qiskit_matrices() {
  std::ifstream file(std::string(SKERRY_TEST_DATA) + "/gates/qiskit.json");
  return nlohmann::json::parse(file);
}
Dense dense_of(const nlohmann::json& row) {
  Dense out;
  for (std::size_t i = 0; i < row["re"].size(); ++i)
    out.emplace_back(row["re"][i].get<double>(), row["im"][i].get<double>());
  return out;
}
/// The gate with its controls as the lowest bits, as Qiskit orders them.
Dense with_controls(const Dense& gate, std::size_t n, int controls) {
  const std::size_t low = std::size_t{1} << controls;
  Dense out = identity(n * low);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) out[(i * low + low - 1) * n * low + j * low + low - 1] = gate[i * n + j];
  return out;
}

TEST(Gates, RecordsStandWhereTheirOpSays) {
  for (Op op : all_gates()) {
    EXPECT_EQ(gate_record(op).op, op);
    EXPECT_EQ(gate_record(op).name, op_name(op));
    EXPECT_FALSE(gate_record(op).formula.empty());
    EXPECT_FALSE(gate_record(op).source.empty());
  }
}

TEST(Gates, AreUnitary) {
  for_each_gate([](const GateRecord&, const auto&, const Dense& m, std::size_t n) {
    EXPECT_LT(distance(product(m, adjoint(m, n), n), identity(n)), kTolerance);
  });
}

TEST(Gates, InverseUndoesThem) {
  for_each_gate([](const GateRecord& record, const std::vector<double>& params, const Dense& m, std::size_t n) {
    ASSERT_EQ(record.inverse_params.size(), static_cast<std::size_t>(gate_parameters(record.inverse_op)));
    std::vector<double> inverse_params;
    for (const InverseParam& p : record.inverse_params)
      inverse_params.push_back(p.source < 0 ? p.factor : p.factor * params[static_cast<std::size_t>(p.source)]);
    Dense inverse = matrix_of(record.inverse_op, inverse_params);
    if (record.inverse_reverses_targets) {
      const Dense swap = matrix_of(Op::swap, {});
      inverse = product(swap, product(inverse, swap, n), n);
    }
    EXPECT_LT(distance(product(inverse, m, n), identity(n)), kTolerance);
  });
}

TEST(Gates, HaveTheStructureTheyClaim) {
  for_each_gate([](const GateRecord& record, const auto&, const Dense& m, std::size_t n) {
    bool diagonal = true, antidiagonal = true, permutation = true;
    for (std::size_t i = 0; i < n; ++i) {
      std::size_t filled = 0;
      for (std::size_t j = 0; j < n; ++j) {
        if (m[i * n + j] == 0.0) continue;
        ++filled;
        diagonal = diagonal && i == j;
        antidiagonal = antidiagonal && i + j == n - 1;
      }
      permutation = permutation && filled == 1;
    }
    const Structure found = diagonal       ? Structure::diagonal
                            : antidiagonal ? Structure::antidiagonal
                            : permutation  ? Structure::permutation
                                           : Structure::dense;
    EXPECT_EQ(static_cast<int>(record.structure), static_cast<int>(found));
  });
}

TEST(Gates, AreRealAndHermitianWhereTheyClaimIt) {
  std::map<Op, bool> real, hermitian;
  for (Op op : all_gates()) real[op] = hermitian[op] = true;
  for_each_gate([&](const GateRecord& record, const auto&, const Dense& m, std::size_t n) {
    for (const Complex& z : m) real[record.op] = real[record.op] && z.imag() == 0.0;
    hermitian[record.op] = hermitian[record.op] && distance(m, adjoint(m, n)) < kTolerance;
  });
  for (Op op : all_gates()) {
    EXPECT_EQ(gate_record(op).is_real, real[op]) << op_name(op);
    EXPECT_EQ(gate_record(op).is_hermitian, hermitian[op]) << op_name(op);
  }
}

TEST(Gates, EqualTheExponentialOfTheirGenerator) {
  const std::map<char, Dense> pauli = {
      {'X', {0, 1, 1, 0}}, {'Y', {0, Complex(0, -1), Complex(0, 1), 0}}, {'Z', {1, 0, 0, -1}}};
  int generators = 0;
  for_each_gate([&](const GateRecord& record, const std::vector<double>& params, const Dense& m, std::size_t n) {
    if (record.generator.empty()) return;
    ++generators;
    ASSERT_EQ(std::size_t{1} << record.generator.size(), n);
    // The Pauli string squares to one, so the exponential is cos - i sin times the string.
    Dense expected(n * n);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        Complex entry = Complex(0, -1) * std::sin(params[0] / 2);
        for (std::size_t wire = 0; wire < record.generator.size(); ++wire)
          entry *= pauli.at(record.generator[wire])[((i >> wire) & 1) * 2 + ((j >> wire) & 1)];
        expected[i * n + j] = entry + (i == j ? std::cos(params[0] / 2) : 0.0);
      }
    }
    EXPECT_LT(distance(m, expected), kTolerance);
  });
  EXPECT_GT(generators, 0);
}

TEST(Gates, DerivativesAreLimitsOfDifferences) {
  for_each_gate([](const GateRecord& record, const std::vector<double>& params, const Dense& m, std::size_t) {
    ASSERT_EQ(record.spectra.size(), params.size());
    ASSERT_EQ(record.controlled_spectra.size(), params.size());
    for (std::size_t which = 0; which < params.size(); ++which) {
      Dense derivative(m.size());
      gate_derivative(record, params, static_cast<int>(which), derivative);
      const double step = 1e-5;
      std::vector<double> up = params, down = params;
      up[which] += step;
      down[which] -= step;
      Dense difference = matrix_of(record.op, up);
      const Dense below = matrix_of(record.op, down);
      for (std::size_t i = 0; i < m.size(); ++i) difference[i] = (difference[i] - below[i]) / (2 * step);
      // The third derivative is below 1/4, so the difference is wrong by 4e-12 and by rounding of 1e-11.
      EXPECT_LT(distance(derivative, difference), 1e-10) << record.name << " parameter " << which;
    }
  });
}

TEST(Gates, EqualQiskitsMatrices) {
  std::set<std::string> seen;
  const auto document = qiskit_matrices();
  for (const auto& row : document["gates"]) {
    const auto name = row["gate"].get<std::string>();
    const auto op = op_from_name(name);
    ASSERT_TRUE(op.has_value()) << name;
    ASSERT_EQ(row["params"].size(), static_cast<std::size_t>(gate_parameters(*op))) << name;
    EXPECT_LT(distance(matrix_of(*op, row["params"].get<std::vector<double>>()), dense_of(row)), kTolerance) << name;
    seen.insert(name);
  }
  for (Op op : all_gates()) EXPECT_TRUE(seen.contains(std::string(op_name(op)))) << op_name(op) << " has no reference";
}

TEST(Gates, ControlledSpellingsEqualQiskitsMatrices) {
  const auto document = qiskit_matrices();
  for (const auto& row : document["controlled"]) {
    const auto name = row["gate"].get<std::string>();
    const auto gate = find_gate(name);
    ASSERT_TRUE(gate.has_value()) << name;
    ASSERT_EQ(row["params"].size(), static_cast<std::size_t>(gate_parameters(gate->op))) << name;
    const Dense m = matrix_of(gate->op, row["params"].get<std::vector<double>>());
    // Qiskit writes c3sx's matrix from a decomposition, hence the wider tolerance.
    EXPECT_LT(distance(with_controls(m, rows(gate->op), gate->controls), dense_of(row)), 1e-13) << name;
  }
}

TEST(FindGate, SpellingsAreLowerCaseAndUnique) {
  std::set<std::string_view> seen;
  const auto add = [&](std::string_view spelling) {
    EXPECT_TRUE(seen.insert(spelling).second) << spelling << " is spelled twice";
    for (char c : spelling) EXPECT_FALSE(c >= 'A' && c <= 'Z') << spelling;
  };
  for (Op op : all_gates()) {
    const GateRecord& record = gate_record(op);
    add(record.name);
    for (auto alias : record.aliases) add(alias);
    for (auto spelling : record.controlled)
      if (!spelling.empty()) add(spelling);
    for (const auto& alias : record.controlled_aliases) add(alias.spelling);
  }
}

TEST(FindGate, KnowsTheUsualSpellings) {
  const std::vector<std::tuple<std::string, Op, int>> expected = {
      {"h", Op::h, 0},          {"Hadamard", Op::h, 0}, {"CNOT", Op::x, 1}, {"toffoli", Op::x, 2},  {"ccnot", Op::x, 2},
      {"fredkin", Op::swap, 1}, {"cswap", Op::swap, 1}, {"u1", Op::p, 0},   {"phase", Op::p, 0},    {"u3", Op::u, 0},
      {"cu1", Op::p, 1},        {"c3x", Op::x, 3},      {"c4x", Op::x, 4},  {"c3sqrtx", Op::sx, 3}, {"c3sx", Op::sx, 3},
      {"csx", Op::sx, 1},       {"crx", Op::rx, 1},     {"not", Op::x, 0},  {"cu3", Op::u, 1},      {"CZ", Op::z, 1}};
  for (const auto& [spelling, op, controls] : expected) {
    const auto found = find_gate(spelling);
    ASSERT_TRUE(found.has_value()) << spelling;
    EXPECT_EQ(found->op, op) << spelling;
    EXPECT_EQ(found->controls, controls) << spelling;
  }
  EXPECT_FALSE(find_gate("").has_value());
  EXPECT_FALSE(find_gate("cxx").has_value());
  EXPECT_FALSE(find_gate(std::string(100'000, 'x')).has_value());
}

TEST(NearestGateName, CorrectsAMisspelling) {
  EXPECT_EQ(nearest_gate_name("hadamrd"), "hadamard");
  EXPECT_EQ(nearest_gate_name("tofoli"), "toffoli");
  EXPECT_EQ(nearest_gate_name("CNOTT"), "cnot");
  EXPECT_EQ(nearest_gate_name("quaternion"), "");
  EXPECT_EQ(nearest_gate_name(""), "");
  EXPECT_EQ(nearest_gate_name(std::string(100'000, 'x')), "");
}

TEST(InstructionMatrix, BindsConstantsAndRefusesSymbols) {
  Circuit circuit(2);
  circuit.rx(0.3, 0).rx(circuit.parameter("theta"), 1);
  EXPECT_LT(distance(instruction_matrix(circuit, circuit.body()[0]), matrix_of(Op::rx, {0.3})), kTolerance);
  EXPECT_THROW(instruction_matrix(circuit, circuit.body()[1]), Error);
}

TEST(InstructionMatrix, GivesAUnitaryAsItIs) {
  Circuit circuit(1);
  const Wire wires[] = {0};
  circuit.unitary({1, matrix_of(Op::h, {})}, wires);
  EXPECT_EQ(instruction_matrix(circuit, circuit.body()[0]), matrix_of(Op::h, {}));
}

}  // namespace
}  // namespace skerry::ops
