#include "frontend/openqasm/flow_scan.hpp"

namespace skerry::frontend::openqasm {

// Without recursion: a sum of a million terms is a million levels deep.
template <class Visit>
void FlowScan::walk(Node root, Visit visit) const {
  std::vector<Node> pending;
  if (root != kNone) pending.push_back(root);
  while (!pending.empty()) {
    const Expr& e = ast_.exprs[pending.back()];
    pending.pop_back();
    visit(e);
    const bool b_is_type = e.kind == ExprKind::cast;
    if (e.a != kNone) pending.push_back(e.a);
    if (e.b != kNone && !b_is_type) pending.push_back(e.b);
    if (e.c != kNone) pending.push_back(e.c);
    for (const Node n : ast_.list(e.list)) pending.push_back(n);
  }
}

bool FlowScan::depends_on_runtime(Node expression) const {
  bool depends = false;
  walk(expression, [&](const Expr& e) {
    if (e.kind == ExprKind::measure) depends = true;
    if (e.kind == ExprKind::name || e.kind == ExprKind::call)
      depends |= tainted_.contains(e.text) || is_runtime_(e.text);
  });
  return depends;
}

bool FlowScan::mentions(Node expression, const std::vector<std::string_view>& names) const {
  const std::unordered_set<std::string_view> set(names.begin(), names.end());
  bool found = false;
  walk(expression, [&](const Expr& e) { found |= e.kind == ExprKind::name && set.contains(e.text); });
  return found;
}

bool FlowScan::calls_any(Node expression, const std::function<bool(std::string_view)>& is_wanted) const {
  bool found = false;
  walk(expression, [&](const Expr& e) { found |= e.kind == ExprKind::call && is_wanted(e.text); });
  return found;
}

FlowFacts FlowScan::scan(List body) {
  do {  // taint grows with each round and is bounded by the names there are
    changed_ = false;
    facts_ = {};
    seen_.clear();
    block(body, {});
  } while (changed_);
  return facts_;
}

void FlowScan::block(List body, Context context) {
  for (const Node n : ast_.list(body)) statement(ast_.stmts[n], context);
}

void FlowScan::assigns(Node target, bool is_tainted) {
  while (target != kNone && ast_.exprs[target].kind == ExprKind::index) target = ast_.exprs[target].a;
  if (target == kNone || ast_.exprs[target].kind != ExprKind::name) return;
  const std::string_view name = ast_.exprs[target].text;
  if (seen_.insert(name).second) facts_.assigned.push_back(name);
  if (is_tainted && tainted_.insert(name).second) changed_ = true;
}

// A subroutine may change the arrays that it is given.
void FlowScan::calls(Node expression) {
  walk(expression, [&](const Expr& e) {
    if (e.kind != ExprKind::call) return;
    for (const Node argument : ast_.list(e.list)) assigns(argument, false);
  });
}

void FlowScan::statement(const Stmt& stmt, Context context) {
  calls(stmt.value);
  if (stmt.kind == StmtKind::call)
    for (const Node n : ast_.list(stmt.parameters)) calls(n);
  const bool by_value = stmt.value != kNone && depends_on_runtime(stmt.value);
  switch (stmt.kind) {
    case StmtKind::assign:
      assigns(stmt.target, context.is_runtime || by_value);
      break;
    case StmtKind::measure:
      assigns(stmt.target, true);
      break;
    case StmtKind::declare: {
      const bool tainted = by_value || stmt.type.kind == TypeKind::bit;
      if (tainted && tainted_.insert(stmt.name).second) changed_ = true;
      break;
    }
    case StmtKind::if_else:
      block(stmt.body, {context.is_runtime || by_value, context.is_inner_loop});
      block(stmt.orelse, {context.is_runtime || by_value, context.is_inner_loop});
      break;
    case StmtKind::switch_case:
      for (const Case& c : Ast::items(ast_.cases, stmt.cases))
        block(c.body, {context.is_runtime || by_value, context.is_inner_loop});
      break;
    case StmtKind::for_loop:
    case StmtKind::while_loop:
      block(stmt.body, {context.is_runtime || by_value, true});
      break;
    case StmtKind::scope:
    case StmtKind::box:
      block(stmt.body, context);
      break;
    case StmtKind::break_loop:
      facts_.breaks |= context.is_runtime && !context.is_inner_loop;
      break;
    case StmtKind::continue_loop:
      facts_.continues |= context.is_runtime && !context.is_inner_loop;
      break;
    case StmtKind::return_value:
      facts_.returns |= context.is_runtime;
      break;
    case StmtKind::empty:
    case StmtKind::version:
    case StmtKind::include:
    case StmtKind::alias:
    case StmtKind::gate:
    case StmtKind::opaque:
    case StmtKind::subroutine:
    case StmtKind::call:
    case StmtKind::expression:
    case StmtKind::reset:
    case StmtKind::barrier:
    case StmtKind::delay:
    case StmtKind::end:
      break;
  }
}

}  // namespace skerry::frontend::openqasm
