/// \file
/// What a block may do before it is lowered: which names it assigns, and whether it is left depending on something that
/// is known only when the circuit runs.
#pragma once

#include <functional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "frontend/openqasm/ast.hpp"

namespace skerry::frontend::openqasm {

struct FlowFacts {
  std::vector<std::string_view> assigned;  ///< in order of first appearance; array arguments of calls among them
  bool breaks = false, continues = false;  ///< out of the block itself, under a condition known at run time only
  bool returns = false;                    ///< likewise, from anywhere inside
};

/// Over-estimates: a name that is assigned anything that depends on a run-time value counts as one everywhere in the
/// block. `is_runtime` answers for names of the scopes around it.
class FlowScan {
 public:
  FlowScan(const Ast& ast, std::function<bool(std::string_view)> is_runtime)
      : ast_(ast), is_runtime_(std::move(is_runtime)) {}

  FlowFacts scan(List body);
  bool depends_on_runtime(Node expression) const;
  /// True when the expression calls anything of these names' kind.
  bool calls_any(Node expression, const std::function<bool(std::string_view)>& is_wanted) const;
  /// True when the expression mentions one of these names.
  bool mentions(Node expression, const std::vector<std::string_view>& names) const;

 private:
  struct Context {
    bool is_runtime = false;  ///< under a condition that is
    bool is_inner_loop = false;
  };
  void block(List body, Context context);
  void statement(const Stmt& stmt, Context context);
  void assigns(Node target, bool is_tainted);
  void calls(Node expression);
  template <class Visit>
  void walk(Node root, Visit visit) const;

  const Ast& ast_;
  std::function<bool(std::string_view)> is_runtime_;
  std::unordered_set<std::string_view> tainted_, seen_;
  FlowFacts facts_;
  bool changed_ = false;
};

}  // namespace skerry::frontend::openqasm
