/// \file
/// Random circuits for property tests: every operation, nested blocks, expressions, matrices, odd names.
#pragma once

#include <rapidcheck.h>

#include <ostream>
#include <random>
#include <skerry/circuit.hpp>
#include <skerry/error.hpp>

#include "ir/text/text.hpp"

namespace skerry::ir::testing {

/// What a random circuit may contain. The defaults are everything.
struct CircuitTraits {
  std::uint32_t wires = 5, bits = 6;
  std::size_t instructions = 30;  ///< at most, in the body and in each block
  bool gates_only = false;        ///< no measurement, reset, delay, assignment, control flow
  bool parameters = true;         ///< symbolic angles
  bool matrices = true;
  bool odd_names = true;  ///< names of any bytes, empty and twice the same
  std::size_t depth = 3;  ///< of nested blocks
};

/// One random circuit per seed. It verifies.
class CircuitMaker {
 public:
  CircuitMaker(std::uint64_t seed, const CircuitTraits& traits) : random_(seed), traits_(traits) {}

  Circuit make() {
    circuit_ = Circuit();
    circuit_.name = name("");
    declare();
    statements(traits_.depth, false);
    return circuit_;
  }

  std::uint64_t below(std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  double real() {
    static constexpr double kSpecial[] = {0.0, -0.0, 1.0, -1.0, 0.1, 1e-300, 5e-324, 1.7e308, 3.141592653589793, 1e22};
    if (one_in(4)) return kSpecial[below(std::size(kSpecial))];
    return std::uniform_real_distribution<double>(-10, 10)(random_);
  }

  std::string name(const std::string& usual) {
    if (!traits_.odd_names || !one_in(4)) return usual;
    static const std::string kOdd[] = {"",    "q", "if", "sin", "a b", "\"\\\n", std::string("\0\x01\xff", 3),
                                       "end", "/x"};
    return kOdd[below(std::size(kOdd))];
  }

  ExprId expression(int depth) {
    ExprPool& pool = circuit_.expressions();
    for (int attempt = 0; depth > 0 && attempt < 4; ++attempt) {
      const auto op = static_cast<ExprOp>(below(static_cast<std::uint64_t>(ExprOp::rotr) + 1));
      try {
        if (op >= ExprOp::add) {
          const ExprId left = expression(depth - 1);
          return pool.binary(op, left, one_in(5) ? left : expression(depth - 1));
        }
        if (op > ExprOp::cast) return pool.unary(op, expression(depth - 1));
        if (op == ExprOp::cast) return pool.cast(expression(depth - 1), type());
        if (op == ExprOp::element && array_ > 1) {
          const ExprId index = pool.cast(expression(depth - 1), {ScalarKind::integer, 32});
          return pool.leaf(op, 0, circuit_.variables()[0].type, index, array_);
        }
      } catch (const Error&) {
        continue;  // these types do not have this operation, or constants divided by zero
      }
    }
    return leaf();
  }

 private:
  ScalarType type() {
    const auto kind = static_cast<ScalarKind>(below(5));
    if (kind == ScalarKind::boolean) return {kind, 1};
    return {kind, static_cast<std::uint8_t>(one_in(2) ? 64 : 1 + below(64))};
  }

  void declare() {
    for (std::uint32_t left = traits_.wires; left != 0;) {
      const auto size = static_cast<std::uint32_t>(1 + below(left));
      circuit_.add_wires(name("q" + std::to_string(left)), size);
      left -= size;
      if (one_in(8)) circuit_.add_wires(name("none"), 0);
    }
    for (std::uint32_t left = traits_.bits; left != 0;) {
      const auto size = static_cast<std::uint32_t>(1 + below(left));
      circuit_.add_bits(name("c" + std::to_string(left)), size);
      left -= size;
      if (one_in(8)) circuit_.add_bits(name("nobits"), 0);
    }
    if (traits_.parameters) {
      circuit_.add_parameter(name("theta"));
      circuit_.add_parameter(name("phi"), type());
    }
    if (!traits_.gates_only) {
      array_ = static_cast<std::uint32_t>(1 + below(3));
      const ScalarType of_array = type();
      for (std::uint32_t i = 0; i < array_; ++i)
        circuit_.add_variable({name("a" + std::to_string(i)), of_array, false});
      circuit_.add_variable({name("r"), type(), true});
    }
    for (std::uint32_t k = 0; traits_.matrices && k < 3 && k <= traits_.wires; ++k) circuit_.add_matrix(matrix(k));
  }

  /// Gram-Schmidt on Gaussian rows, twice for orthogonality to rounding.
  Matrix matrix(std::uint32_t wires) {
    const std::size_t n = std::size_t{1} << wires;
    std::normal_distribution<double> normal;
    Matrix m{wires, std::vector<std::complex<double>>(n * n)};
    for (auto& v : m.values) v = {normal(random_), normal(random_)};
    for (std::size_t i = 0; i < n; ++i) {
      for (int pass = 0; pass < 2; ++pass) {
        for (std::size_t j = 0; j < i; ++j) {
          std::complex<double> dot = 0;
          for (std::size_t k = 0; k < n; ++k) dot += m.values[i * n + k] * std::conj(m.values[j * n + k]);
          for (std::size_t k = 0; k < n; ++k) m.values[i * n + k] -= dot * m.values[j * n + k];
        }
        double norm = 0;
        for (std::size_t k = 0; k < n; ++k) norm += std::norm(m.values[i * n + k]);
        for (std::size_t k = 0; k < n; ++k) m.values[i * n + k] /= std::sqrt(norm);
      }
    }
    return m;
  }

  ExprId leaf() {
    ExprPool& pool = circuit_.expressions();
    const auto parameters = circuit_.parameters().size();
    const auto variables = circuit_.variables().size();
    const bool may_read = !traits_.gates_only && circuit_.num_bits() != 0;
    const std::uint64_t choice = below(6);
    if (choice <= 1 && parameters != 0) {
      const auto index = static_cast<std::uint32_t>(below(parameters));
      return pool.leaf(ExprOp::parameter, index, circuit_.parameters()[index].type);
    }
    if (choice == 2 && may_read)
      return pool.leaf(ExprOp::bit, static_cast<std::uint32_t>(below(circuit_.num_bits())), {});
    if (choice == 3 && may_read) {
      const auto first = static_cast<std::uint32_t>(below(circuit_.num_bits()));
      return pool.leaf(ExprOp::bits, first, {}, static_cast<std::uint32_t>(1 + below(circuit_.num_bits() - first)));
    }
    if (choice == 4 && variables != 0) {
      const auto index = static_cast<std::uint32_t>(below(variables));
      return pool.leaf(ExprOp::variable, index, circuit_.variables()[index].type);
    }
    if (one_in(2)) return pool.constant(real());
    const ScalarType of = type();
    if (of.kind >= ScalarKind::real) {
      Scalar value = Scalar::of(real()).cast(of);
      return pool.constant(value);
    }
    return pool.constant(
        Scalar::of(one_in(2) ? static_cast<std::int64_t>(random_()) : static_cast<std::int64_t>(below(9)) - 4, of));
  }

  std::vector<Wire> some_wires(std::size_t count) {
    std::vector<Wire> all(circuit_.num_wires());
    for (Wire w = 0; w < all.size(); ++w) all[w] = w;
    std::shuffle(all.begin(), all.end(), random_);
    all.resize(count);
    return all;
  }

  Param angle() {
    if (!traits_.parameters || one_in(2)) return {real()};
    return {0.0, expression(one_in(10) ? 6 : 3)};
  }

  void statements(std::size_t depth, bool in_loop) {
    const std::size_t count = below(traits_.instructions + 1);
    for (std::size_t i = 0; i < count; ++i) {
      if (traits_.gates_only || !one_in(3)) {
        gate();
      } else {
        structural(depth, in_loop);
      }
    }
  }

  void gate() {
    const auto op = static_cast<Op>(below(std::uint64_t{kGateCount} + 1));
    const bool is_matrix = op == Op::unitary;
    if (is_matrix && circuit_.matrices().empty()) return;
    const auto aux = is_matrix ? static_cast<std::uint32_t>(below(circuit_.matrices().size())) : 0;
    const std::size_t targets = is_matrix ? circuit_.matrices()[aux].wires : static_cast<std::size_t>(gate_targets(op));
    if (targets > circuit_.num_wires()) return;
    const std::size_t controls = below(circuit_.num_wires() - targets + 1);
    std::vector<Param> params;
    for (int i = 0; !is_matrix && i < gate_parameters(op); ++i) params.push_back(angle());
    circuit_.append(op, some_wires(controls + targets), params, static_cast<std::uint16_t>(controls), aux);
  }

  void structural(std::size_t depth, bool in_loop) {
    const std::uint64_t choice = below(10);
    const bool has_wire = circuit_.num_wires() != 0;
    const bool has_bit = circuit_.num_bits() != 0;
    const auto wire = [this] { return static_cast<Wire>(below(circuit_.num_wires())); };
    const auto bit = [this] { return static_cast<std::uint32_t>(below(circuit_.num_bits())); };
    if (choice == 0 && has_wire && has_bit) circuit_.measure(wire(), bit());
    if (choice == 1 && has_wire) circuit_.reset(wire());
    if (choice == 2) circuit_.append(Op::barrier, some_wires(below(circuit_.num_wires() + 1)), {});
    if (choice == 3)
      circuit_.append(Op::delay, some_wires(below(circuit_.num_wires() + 1)), std::vector<Param>{angle()});
    if (choice == 4 && has_bit) {
      const std::uint32_t first = bit();
      const auto count = static_cast<std::uint32_t>(1 + below(circuit_.num_bits() - first));
      circuit_.assign({true, first, count, kNoExpr, expression(3)});
    }
    if (choice == 5) {
      circuit_.assign(
          {false, static_cast<std::uint32_t>(below(circuit_.variables().size())), 1, kNoExpr, expression(3)});
    }
    if (choice == 6) {
      const ExprId index = circuit_.expressions().cast(expression(2), {ScalarKind::unsigned_integer, 8});
      circuit_.assign({false, 0, array_, index, expression(2)});
    }
    if (choice == 7 && in_loop) circuit_.append(one_in(2) ? Op::break_loop : Op::continue_loop, {});
    if (choice == 8 && one_in(5)) circuit_.append(Op::end, {});
    if (choice == 9 && depth != 0) branch(depth - 1, in_loop);
  }

  void branch(std::size_t depth, bool in_loop) {
    const ExprId condition = expression(3);
    const bool is_loop = one_in(2);
    const auto block = [&] {
      const BlockId id = circuit_.open_block();
      statements(depth, in_loop || is_loop);
      circuit_.close_block();
      return id;
    };
    const BlockId first = block();
    if (is_loop) {
      circuit_.while_loop(condition, first);
    } else {
      circuit_.if_else(condition, first, one_in(2) ? kNoBlock : block());
    }
  }

  std::mt19937_64 random_;
  CircuitTraits traits_;
  Circuit circuit_;
  std::uint32_t array_ = 0;
};

inline Circuit random_circuit(std::uint64_t seed, const CircuitTraits& traits = {}) {
  return CircuitMaker(seed, traits).make();
}

/// A RapidCheck generator over random_circuit(); counterexamples shrink in wires and instructions.
inline rc::Gen<Circuit> any_circuit(CircuitTraits traits = {}) {
  return rc::gen::map(rc::gen::tuple(rc::gen::noShrink(rc::gen::arbitrary<std::uint64_t>()),
                                     rc::gen::inRange<std::uint32_t>(0, traits.wires + 1),
                                     rc::gen::inRange<std::size_t>(0, traits.instructions + 1)),
                      [traits](const std::tuple<std::uint64_t, std::uint32_t, std::size_t>& draw) {
                        CircuitTraits smaller = traits;
                        smaller.wires = std::get<1>(draw);
                        smaller.instructions = std::get<2>(draw);
                        return random_circuit(std::get<0>(draw), smaller);
                      });
}

}  // namespace skerry::ir::testing

namespace skerry {
/// How RapidCheck shows a counterexample; found by argument-dependent lookup.
// NOLINTNEXTLINE(readability-identifier-naming): RapidCheck looks for this name
inline void showValue(const Circuit& circuit, std::ostream& out) {
  out << ir::print(circuit);
}
}  // namespace skerry
