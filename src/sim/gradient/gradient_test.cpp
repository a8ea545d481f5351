#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <skerry/error.hpp>
#include <skerry/gradient.hpp>
#include <vector>

#include "base/thrown_by.hpp"
#include "sim/statevector/dense_oracle.hpp"

namespace skerry {
namespace {

using sim::Dense;

/// Random circuits of every gate, with and without controls, whose angles are constants, parameters and expressions
/// of parameters that several gates share.
class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  Circuit circuit(std::uint32_t wires, std::size_t gates, std::size_t parameters) {
    Circuit out(wires);
    for (std::size_t p = 0; p < parameters; ++p)
      leaves_.push_back(leaf(out, out.add_parameter("p" + std::to_string(p))));
    while (out.body().size() < gates) add_gate(out);
    leaves_.clear();
    return out;
  }
  Observable observable(std::uint32_t wires, std::size_t terms) {
    Observable out(wires);
    for (std::size_t t = 0; t < terms; ++t) {
      std::string letters;
      std::vector<std::uint32_t> on;
      for (std::uint32_t wire = 0; wire < wires; ++wire) {
        if (below(2) == 0) continue;
        letters += "XYZ"[below(3)];
        on.push_back(wire);
      }
      out.add(letters, on, real());
    }
    return out;
  }
  std::vector<double> reals(std::size_t count) {
    std::vector<double> out(count);
    for (double& x : out) x = real();
    return out;
  }

 private:
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  double real() { return std::uniform_real_distribution<double>(-2, 2)(random_); }
  static ExprId leaf(Circuit& circuit, std::uint32_t parameter) {
    return circuit.expressions().leaf(ExprOp::parameter, parameter, {});
  }
  ExprId expression(Circuit& circuit, int depth) {
    ExprPool& pool = circuit.expressions();
    if (depth == 0) return leaves_[below(leaves_.size())];
    switch (below(6)) {
      case 0:
        return pool.binary(ExprOp::mul, pool.constant(real()), expression(circuit, depth - 1));
      case 1:
        return pool.binary(ExprOp::add, expression(circuit, depth - 1), expression(circuit, depth - 1));
      case 2:
        return pool.binary(ExprOp::mul, expression(circuit, depth - 1), expression(circuit, depth - 1));
      case 3:
        return pool.unary(ExprOp::sin, expression(circuit, depth - 1));
      case 4:
        return pool.unary(ExprOp::exp, pool.unary(ExprOp::cos, expression(circuit, depth - 1)));
      default:
        return pool.binary(ExprOp::sub, expression(circuit, depth - 1), pool.constant(real()));
    }
  }
  void add_gate(Circuit& circuit) {
    const auto op = static_cast<Op>(below(kGateCount));
    const std::size_t wires = circuit.num_wires();
    const auto targets = static_cast<std::size_t>(gate_targets(op));
    if (targets > wires) return;
    const std::size_t controls = std::min(below(3), wires - targets);
    std::vector<Wire> order(wires);
    for (std::size_t i = 0; i < wires; ++i) order[i] = static_cast<Wire>(i);
    std::shuffle(order.begin(), order.end(), random_);
    std::vector<Param> params;
    for (int i = 0; i < gate_parameters(op); ++i) {
      const bool constant = leaves_.empty() || below(4) == 0;
      params.push_back(constant ? Param{real()} : Param{0.0, expression(circuit, static_cast<int>(below(3)))});
    }
    circuit.append(op, std::span(order).first(targets + controls), params, static_cast<std::uint16_t>(controls));
  }

  std::mt19937_64 random_;
  std::vector<ExprId> leaves_;
};

/// O|psi> letter by letter.
Dense times(const Observable& observable, const Dense& psi) {
  Dense out(psi.size());
  for (const PauliTerm& term : observable.terms()) {
    for (std::size_t j = 0; j < psi.size(); ++j) {
      std::size_t to = j;
      std::complex<double> value = term.coefficient * psi[j];
      for (std::uint32_t wire = 0; wire < observable.num_wires(); ++wire) {
        const bool x = (term.x[0] >> wire & 1) != 0, z = (term.z[0] >> wire & 1) != 0, one = (j >> wire & 1) != 0;
        if (x) to ^= std::size_t{1} << wire;
        if (x && z) value *= one ? std::complex<double>(0, -1) : std::complex<double>(0, 1);
        if (!x && z && one) value = -value;
      }
      out[to] += value;
    }
  }
  return out;
}
std::complex<double> inner(const Dense& a, const Dense& b) {
  std::complex<double> sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::conj(a[i]) * b[i];
  return sum;
}
double energy(const Circuit& circuit, const Observable& observable, std::span<const double> parameters) {
  const Dense psi = sim::run_dense(circuit.bind(parameters));
  return inner(psi, times(observable, psi)).real();
}
double farthest(std::span<const double> a, std::span<const double> b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

TEST(GradientProgram, ValuesAreThoseOfDenseMatrices) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Maker maker(seed);
    const auto wires = static_cast<std::uint32_t>(1 + seed % 7);
    const Circuit circuit = maker.circuit(wires, 25, 4);
    const std::vector<Observable> observables = {maker.observable(wires, 6), maker.observable(wires, 1)};
    const auto parameters = maker.reals(4);
    const GradientProgram program(circuit, observables), single(circuit, observables, Precision::single_precision);
    const auto values = program.values(parameters), rough = single.values(parameters);
    for (std::size_t o = 0; o < 2; ++o) {
      EXPECT_NEAR(values[o], energy(circuit, observables[o], parameters), 1e-12) << "seed " << seed;
      EXPECT_NEAR(rough[o], values[o], 2e-5) << "seed " << seed;
    }
  }
}

TEST(GradientProgram, AdjointEqualsParameterShiftAndDifferences) {
  for (std::uint64_t seed = 100; seed < 160; ++seed) {
    Maker maker(seed);
    const auto wires = static_cast<std::uint32_t>(1 + seed % 7);
    const Circuit circuit = maker.circuit(wires, 30, 5);
    const GradientProgram program(circuit, {maker.observable(wires, 5), maker.observable(wires, 3)});
    const auto parameters = maker.reals(5);
    const auto adjoint = program.value_and_grad(parameters);
    const auto shifted = program.value_and_grad(parameters, GradientMethod::parameter_shift);
    EXPECT_LT(farthest(adjoint.values, shifted.values), 1e-12) << "seed " << seed;
    EXPECT_LT(farthest(adjoint.derivatives, shifted.derivatives), 1e-10) << "seed " << seed;
    // The third derivative by an expression of depth 3 may be some thousands.
    const auto differences = program.value_and_grad(parameters, GradientMethod::finite_difference);
    EXPECT_LT(farthest(adjoint.derivatives, differences.derivatives), 1e-6) << "seed " << seed;
  }
}

TEST(GradientProgram, AllWaysAgreeToEightDigitsForScaledAndSharedAngles) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Maker maker(seed);
    Circuit circuit(5);
    const Affine a = circuit.parameter("a"), b = circuit.parameter("b");
    circuit.h(0).h(1).rx(a, 0).ry(2 * b + 0.3, 1).cx(0, 2).append(Op::rx, {0, 3}, {0.5 * a}, 1);
    circuit.append(Op::u, {3, 4}, {a, b, -1 * a}, 1).rzz(b, 0, 4).xx_plus_yy(a, b, 1, 3).cp(3 * b, 4, 0);
    circuit.append(Op::gphase, {2}, {a}, 1).append(Op::ryy, {1, 2, 4}, {b}, 1).r(a, b, 2);
    const GradientProgram program(circuit, {maker.observable(5, 4)});
    const auto parameters = maker.reals(2);
    const auto adjoint = program.value_and_grad(parameters).derivatives;
    for (const auto method : {GradientMethod::parameter_shift, GradientMethod::finite_difference})
      EXPECT_LT(farthest(adjoint, program.value_and_grad(parameters, method).derivatives), 1e-8);
  }
}

TEST(GradientProgram, ManyBlocksAndThreadsGiveTheSameAsDenseDifferences) {
  Maker maker(5);
  constexpr std::uint32_t wires = 14;
  Circuit circuit(wires);
  const Affine a = circuit.parameter("a"), b = circuit.parameter("b");
  for (Wire w = 0; w < wires; ++w) circuit.ry(a + 0.1 * w, w).rz(0.3 * w, w);
  for (Wire w = 0; w < wires; ++w) circuit.cx(w, (w + 1) % wires);
  for (Wire w = 0; w < wires; ++w) circuit.append(Op::rx, {w, (w + 5) % wires}, {0.7 * b}, 1);
  circuit.swap(0, 13).rxx(a, 13, 2).rzz(b, 1, 12).rxx(b, 11, 12).cp(a, 13, 3);
  const std::vector<Observable> observables = {maker.observable(wires, 7), maker.observable(wires, 2)};
  const GradientProgram program(circuit, observables);
  const std::vector<double> parameters = {0.4, -0.9};
  const auto adjoint = program.value_and_grad(parameters);
  const auto differences = program.value_and_grad(parameters, GradientMethod::finite_difference);
  EXPECT_LT(farthest(adjoint.derivatives, differences.derivatives), 1e-8);
  Limits one;
  one.threads = 1;
  EXPECT_EQ(program.value_and_grad(parameters, GradientMethod::adjoint, one).derivatives, adjoint.derivatives);
  const GradientProgram single(circuit, observables, Precision::single_precision);
  EXPECT_LT(farthest(single.value_and_grad(parameters).derivatives, adjoint.derivatives), 1e-3);
}

TEST(GradientProgram, ABatchIsItsRows) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Maker maker(seed);
    const auto wires = static_cast<std::uint32_t>(1 + seed % 6);
    const Circuit circuit = maker.circuit(wires, 25, 3);
    const GradientProgram program(circuit, {maker.observable(wires, 4), maker.observable(wires, 2)});
    const std::size_t rows = 1 + seed * 7;
    const auto parameters = maker.reals(3 * rows);
    const auto all = program.value_and_grad(parameters);
    const auto probabilities = program.probabilities(parameters);
    for (std::size_t r = 0; r < rows; ++r) {
      const auto own = std::span(parameters).subspan(3 * r, 3);
      const auto one = program.value_and_grad(own);
      EXPECT_LT(farthest(one.values, std::span(all.values).subspan(2 * r, 2)), 1e-12);
      EXPECT_LT(farthest(one.derivatives, std::span(all.derivatives).subspan(6 * r, 6)), 1e-11);
      const Dense psi = sim::run_dense(circuit.bind(own));
      for (std::size_t i = 0; i < psi.size(); ++i)
        EXPECT_NEAR(probabilities[r * psi.size() + i], std::norm(psi[i]), 1e-12);
    }
  }
}

TEST(GradientProgram, MarginalsFollowTheOrderOfTheWiresListed) {
  Maker maker(3);
  const Circuit circuit = maker.circuit(5, 30, 2);
  const GradientProgram program(circuit, {});
  const std::vector<double> parameters = {0.3, 1.1};
  const std::vector<std::uint32_t> wires = {4, 1};
  const auto found = program.probabilities(parameters, wires);
  const Dense psi = sim::run_dense(circuit.bind(parameters));
  std::vector<double> expected(4);
  for (std::size_t i = 0; i < psi.size(); ++i) expected[(i >> 4 & 1) | (i >> 1 & 1) << 1] += std::norm(psi[i]);
  EXPECT_LT(farthest(found, expected), 1e-13);
}

TEST(GradientProgram, AVectorJacobianProductIsTheWeightedSumOfGradients) {
  Maker maker(8);
  const Circuit circuit = maker.circuit(6, 40, 4);
  const GradientProgram program(circuit, {maker.observable(6, 4), maker.observable(6, 2), maker.observable(6, 1)});
  const auto parameters = maker.reals(8), weights = maker.reals(6);
  const auto all = program.value_and_grad(parameters), product = program.vector_jacobian(parameters, weights);
  EXPECT_LT(farthest(all.values, product.values), 1e-12);
  for (std::size_t row = 0; row < 2; ++row) {
    for (std::size_t p = 0; p < 4; ++p) {
      double expected = 0;
      for (std::size_t o = 0; o < 3; ++o) expected += weights[row * 3 + o] * all.derivatives[(row * 3 + o) * 4 + p];
      EXPECT_NEAR(product.derivatives[row * 4 + p], expected, 1e-11);
    }
  }
}

TEST(GradientProgram, AHessianVectorProductIsTheChangeOfTheGradient) {
  for (std::uint64_t seed = 200; seed < 215; ++seed) {
    Maker maker(seed);
    const Circuit circuit = maker.circuit(4, 20, 3);
    const GradientProgram program(circuit, {maker.observable(4, 4), maker.observable(4, 2)});
    const auto parameters = maker.reals(3), direction = maker.reals(3);
    const auto product = program.hessian_vector(parameters, direction);
    const double step = 1e-5;
    std::vector<double> up = parameters, down = parameters;
    for (std::size_t p = 0; p < 3; ++p) {
      up[p] += step * direction[p];
      down[p] -= step * direction[p];
    }
    const auto above = program.value_and_grad(up).derivatives, below = program.value_and_grad(down).derivatives;
    double scale = 1;
    for (const double value : product) scale = std::max(scale, std::abs(value));
    for (std::size_t i = 0; i < product.size(); ++i)
      EXPECT_NEAR(product[i], (above[i] - below[i]) / (2 * step), 1e-5 * scale) << "seed " << seed;
  }
}

TEST(GradientProgram, FisherInformationIsThatOfDerivativeStates) {
  for (std::uint64_t seed = 300; seed < 312; ++seed) {
    Maker maker(seed);
    const std::size_t count = 2 + seed % 10;
    const Circuit circuit = maker.circuit(4, 30, count);
    const GradientProgram program(circuit, {});
    const auto parameters = maker.reals(count);
    const auto fisher = program.fisher_information(parameters);
    const Dense psi = sim::run_dense(circuit.bind(parameters));
    // Differences of fourth order, so that 1e-8 can be asked.
    std::vector<Dense> slopes;
    for (std::size_t p = 0; p < count; ++p) {
      const double step = 2e-4;
      const auto at = [&](double moved) {
        std::vector<double> x = parameters;
        x[p] += moved * step;
        return sim::run_dense(circuit.bind(x));
      };
      const Dense p1 = at(1), m1 = at(-1), p2 = at(2), m2 = at(-2);
      Dense slope(psi.size());
      for (std::size_t i = 0; i < psi.size(); ++i) slope[i] = (8.0 * (p1[i] - m1[i]) - (p2[i] - m2[i])) / (12 * step);
      slopes.push_back(slope);
    }
    double scale = 1;
    for (const double entry : fisher) scale = std::max(scale, std::abs(entry));
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < count; ++j) {
        const auto expected =
            4.0 * (inner(slopes[i], slopes[j]) - inner(slopes[i], psi) * inner(psi, slopes[j])).real();
        EXPECT_NEAR(fisher[i * count + j], expected, 1e-8 * scale) << "seed " << seed;
        EXPECT_EQ(fisher[i * count + j], fisher[j * count + i]);
      }
    }
  }
}

TEST(GradientProgram, FisherInformationInLittleMemoryIsTheSame) {
  Maker maker(1);
  Circuit circuit(7);
  for (int p = 0; p < 60; ++p) {
    const auto wire = static_cast<Wire>(p % 7);
    circuit.u(circuit.parameter("p" + std::to_string(p)), 0.1 * p, 0.2, wire).cx(wire, (wire + 2) % 7);
  }
  const GradientProgram program(circuit, {});
  const auto parameters = maker.reals(60);
  const auto all = program.fisher_information(parameters);
  Limits tight;
  tight.max_memory_bytes = std::uint64_t{160} << 10;
  EXPECT_LT(farthest(program.fisher_information(parameters, tight), all), 1e-12);
  tight.max_memory_bytes = 4096;
  EXPECT_THROW(program.fisher_information(parameters, tight), Error);
}

TEST(GradientProgram, TheMatricesOfManyGatesAreChargedToTheBudget) {
  Circuit circuit(4);
  for (Wire p = 0; p < 2000; ++p) circuit.rx(circuit.parameter("p" + std::to_string(p)), 0).rzz(0.1, 0, 1 + p % 3);
  const GradientProgram program(circuit, {Observable::parse("Z0", 4)});
  const std::vector<double> parameters(2000, 0.1);
  Limits limits;
  limits.max_memory_bytes = std::uint64_t{8} << 20;
  EXPECT_NO_THROW((void)program.value_and_grad(parameters, GradientMethod::adjoint, limits));
  // Enough for the states, a few KiB; less than 4000 matrices take.
  limits.max_memory_bytes = std::uint64_t{64} << 10;
  EXPECT_THROW((void)program.value_and_grad(parameters, GradientMethod::adjoint, limits), Error);
}

TEST(GradientProgram, UnitariesOfAnySizeAreWalkedBack) {
  Maker maker(4);
  Circuit circuit(5);
  const Affine a = circuit.parameter("a");
  circuit.ry(a, 0).rx(2 * a, 3);
  Circuit inside(3);
  inside.h(0).cx(0, 1).rxx(0.7, 1, 2).t(2).cx(2, 0);
  Dense matrix(64);
  for (std::size_t c = 0; c < 8; ++c) {
    Dense basis(8);
    basis[c] = 1;
    const Dense column = sim::run_dense(inside, basis);
    for (std::size_t r = 0; r < 8; ++r) matrix[r * 8 + c] = column[r];
  }
  const Wire wires[] = {4, 0, 2, 3};
  circuit.unitary({3, matrix}, wires, 1).rz(a, 2).ry(a, 4);
  const Observable observable = maker.observable(5, 4);
  const GradientProgram program(circuit, {observable});
  const std::vector<double> parameters = {0.6};
  const auto adjoint = program.value_and_grad(parameters);
  EXPECT_NEAR(adjoint.values[0], energy(circuit, observable, parameters), 1e-13);
  const auto shifted = program.value_and_grad(parameters, GradientMethod::parameter_shift);
  EXPECT_LT(farthest(adjoint.derivatives, shifted.derivatives), 1e-12);
}

TEST(GradientProgram, SaysWhatABatchTakesBeforehandAndWhatItTook) {
  Circuit circuit(8);
  for (Wire wire = 0; wire < 8; ++wire) circuit.ry(circuit.parameter("a"), wire).cx(wire, (wire + 1) % 8);
  const GradientProgram program(circuit, {Observable::parse("Z0 Z7", 8)});
  const std::vector<double> rows = {0.1, 0.2, 0.3};
  for (const std::size_t count : {std::size_t{1}, std::size_t{3}}) {
    const std::uint64_t need = program.values_bytes(count);
    const auto some = std::span(rows).first(count);
    RunReport report;
    EXPECT_EQ(program.values(some, {.threads = 1, .max_memory_bytes = need}, report), program.values(some));
    EXPECT_EQ(report.peak_bytes, need);
    EXPECT_EQ(base::thrown_by([&] { program.values(some, {.threads = 1, .max_memory_bytes = need - 1}); }).code(),
              ErrorCode::budget_exceeded);
  }
  EXPECT_GT(program.values_bytes(3), program.values_bytes(1));
}

TEST(GradientProgram, RefusesWhatHasNoGradientAndSaysWhere) {
  Circuit measured(1, 1);
  measured.h(0).measure(0, 0);
  const Error error = base::thrown_by([&] { GradientProgram(measured, {}); });
  EXPECT_NE(std::string(error.what()).find("instruction 1"), std::string::npos);
  Circuit circuit(2);
  circuit.rx(circuit.parameter("a"), 0);
  EXPECT_THROW(GradientProgram(circuit, {Observable::parse("Z0", 3)}), Error);
  const GradientProgram program(circuit, {Observable::parse("Z0", 2)});
  EXPECT_THROW(program.values({}), Error);
  const std::vector<double> endless = {INFINITY}, weights(2);
  EXPECT_THROW(program.values(endless), Error);
  EXPECT_THROW(program.vector_jacobian(std::vector<double>{0.1}, weights), Error);
  EXPECT_THROW(program.hessian_vector(std::vector<double>{0.1}, weights), Error);
  EXPECT_THROW(gradient_method("backprop"), Error);
  Circuit whole(1);
  whole.add_parameter("k", {ScalarKind::integer, 32});
  EXPECT_THROW(GradientProgram(whole, {}), Error);
}

TEST(GradientProgram, StopsWhenItIsTold) {
  Circuit circuit(3);
  circuit.rx(circuit.parameter("a"), 0).h(1);
  const GradientProgram program(circuit, {Observable::parse("Z0", 3)});
  std::stop_source source;
  source.request_stop();
  Limits limits;
  limits.control.stop = source.get_token();
  EXPECT_THROW(program.value_and_grad(std::vector<double>{0.1}, GradientMethod::adjoint, limits), Error);
}

}  // namespace
}  // namespace skerry
