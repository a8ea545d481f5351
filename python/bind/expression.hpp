/// \file
/// Angles in Python: trees of symbolic parameters and numbers that exist before any circuit does.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "bind.hpp"

namespace skerry::python {

/// An immutable angle. Built by Python's operators, lowered into a circuit's pool where a gate uses it.
class Expression {
 public:
  /// Lowering recurses, so trees are no deeper than this.
  static constexpr int kMaxDepth = 200;

  static Expression number(double value);
  static Expression parameter(std::string name);
  /// Errors: limit_exceeded past kMaxDepth.
  static Expression apply(ExprOp op, std::vector<Expression> operands);

  /// The same in `circuit`; parameters that it lacks are declared. Errors: as ExprPool.
  Param lower(Circuit& circuit) const;
  /// `(2 * theta + 0.1)`.
  std::string text() const;

  /// A node as a pickle keeps it: the operation's name, a number's value or a parameter's name, places of the operands.
  using Record = std::tuple<std::string, double, std::string, std::vector<std::uint32_t>>;
  /// Every node once, operands before what is made of them, this one last.
  std::vector<Record> records() const;
  /// Errors: corrupt, or those of apply().
  static Expression from_records(const std::vector<Record>& records);

 private:
  struct Node {
    ExprOp op = ExprOp::constant;
    double value = 0.0;
    std::string name;
    std::vector<Expression> operands;
    int depth = 1;
  };
  explicit Expression(Node node) : node_(std::make_shared<const Node>(std::move(node))) {}
  ExprId lower_into(Circuit& circuit) const;
  std::uint32_t record_into(std::vector<Record>& records, std::map<const Node*, std::uint32_t>& known) const;

  std::shared_ptr<const Node> node_;  // shared: subtrees stand in many angles and never change
};

/// What gate methods take as an angle.
using PyAngle = std::variant<double, Expression>;
Param lowered(const PyAngle& angle, Circuit& circuit);

}  // namespace skerry::python
