#include "frontend/openqasm/angle.hpp"

#include "frontend/openqasm/functions.hpp"
#include "frontend/openqasm/parser.hpp"

namespace skerry::frontend::openqasm {
namespace {

class Angle {
 public:
  Angle(const Ast& ast, ExprPool& pool, const std::function<Value(std::string_view)>& name)
      : ast_(ast), pool_(pool), name_(name) {}

  // As deep as the text is long at most, and that is bounded by max_name_bytes.
  Value value(Node node) const {
    const Expr& e = ast_.exprs[node];
    switch (e.kind) {
      case ExprKind::integer:
        return Value::of(static_cast<double>(e.integer));
      case ExprKind::real:
        return Value::of(e.real);
      case ExprKind::name: {
        if (const std::optional<double> constant = built_in_constant(e.text)) return Value::of(*constant);
        return name_(e.text);
      }
      case ExprKind::unary:
        return unary(pool_, e.op, value(e.a));
      case ExprKind::binary:
        return binary(pool_, e.op, value(e.a), value(e.b));
      case ExprKind::call:
        return call(e);
      case ExprKind::boolean:
      case ExprKind::bitstring:
      case ExprKind::duration:
      case ExprKind::hardware:
      case ExprKind::cast:
      case ExprKind::index:
      case ExprKind::range:
      case ExprKind::set:
      case ExprKind::concat:
      case ExprKind::measure:
        break;
    }
    throw Error(ErrorCode::semantic_error, "this is not an angle");
  }

 private:
  Value call(const Expr& e) const {
    const Function* function = find_function(e.text);
    const std::span<const Node> arguments = ast_.list(e.list);
    if (function == nullptr || function->arguments != arguments.size())
      throw Error(ErrorCode::semantic_error, "'" + std::string(e.text) + "' is not a function of " +
                                                 std::to_string(arguments.size()) + " arguments");
    const Value a = value(arguments[0]);
    return arguments.size() == 1 ? unary(pool_, function->op, a) : binary(pool_, function->op, a, value(arguments[1]));
  }

  const Ast& ast_;
  ExprPool& pool_;
  const std::function<Value(std::string_view)>& name_;
};

}  // namespace

Value read_angle(std::string_view text, ExprPool& pool, const ImportLimits& limits,
                 const std::function<Value(std::string_view)>& name) {
  if (text.size() > limits.max_name_bytes)
    throw Error(ErrorCode::limit_exceeded, "an angle of " + std::to_string(text.size()) + " bytes, max_name_bytes is " +
                                               std::to_string(limits.max_name_bytes));
  try {
    Sources sources(limits);
    Ast ast;
    Parser parser(sources, ast, sources.add({}, text, {}));
    const Node node = parser.lone_expression();
    return Angle(ast, pool, name).value(node);
  } catch (const Error& e) {  // places inside so short a text say nothing
    throw Error(e.code(), e.message() + " in '" + std::string(text.substr(0, 60)) + "'", {}, e.hint());
  }
}

}  // namespace skerry::frontend::openqasm
