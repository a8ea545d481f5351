/// \file
/// From a circuit's parameters to the angles of its gates, and back: values, first and second derivatives.
///
/// A *slot* is one symbolic parameter of one gate instruction. Slots that hold the same expression share its value; an
/// expression is differentiated once, in one walk back over the nodes that are needed (reverse mode; for second
/// derivatives forward over reverse: Pearlmutter 1994, Neural Computation 6(1), 147).
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <span>
#include <vector>

namespace skerry::sim {

class ParameterMap {
 public:
  /// Errors: unsupported for a parameter or an expression that is not real.
  explicit ParameterMap(const Circuit& circuit);

  std::size_t parameters() const noexcept { return parameters_; }
  std::size_t slots() const noexcept { return slot_expressions_.size(); }
  /// Declares the next slot. Precondition: not constant.
  std::uint32_t add_slot(ExprId expression);

  /// Values of all slots. Errors: semantic_error for arithmetic without a finite result.
  void evaluate(std::span<const double> parameters, std::span<double> slots) const;
  /// out[p] += sum over slots of weights[s] * d slot s / d parameter p at `parameters`.
  void pull_back(std::span<const double> parameters, std::span<const double> weights, std::span<double> out) const;
  /// out[s] = sum over p of d slot s / d parameter p * direction[p].
  void push_forward(std::span<const double> parameters, std::span<const double> direction, std::span<double> out) const;
  /// out[p] += sum over s and q of weights[s] * d^2 slot s / (d parameter p d parameter q) * direction[q].
  void curve(std::span<const double> parameters, std::span<const double> weights, std::span<const double> direction,
             std::span<double> out) const;

 private:
  struct Node {
    ExprNode expression;
    std::uint32_t a = 0, b = 0;  ///< operands among nodes_
  };
  /// Derivatives of a node by its operands.
  struct Partials {
    double a = 0, b = 0, aa = 0, ab = 0, bb = 0;
  };

  std::uint32_t add_node(ExprId id);
  std::vector<Scalar> node_values(std::span<const double> parameters) const;
  Partials partials(const Node& node, std::span<const Scalar> values) const;
  std::vector<double> tangents(std::span<const Scalar> values, std::span<const double> direction) const;

  const ExprPool& pool_;
  std::size_t parameters_ = 0;
  std::vector<ScalarType> types_;
  std::vector<std::uint32_t> slot_expressions_;  ///< node of each slot
  std::vector<Node> nodes_;                      ///< in topological order
  std::vector<std::uint32_t> node_of_;           ///< by expression id, kNoExpr: none yet
  bool is_affine_ = true;                        ///< every slot is a parameter times a number plus a number
  struct Affine {
    std::uint32_t parameter = kNoExpr;
    double scale = 0, offset = 0;
  };
  std::vector<Affine> affine_;  ///< of each node, meant while is_affine_
};

}  // namespace skerry::sim
