/// \file
/// A program's meaning: statements, one after the other, become instructions of a circuit. What is known while reading
/// is computed while reading (constants, loops over ranges, subroutines are written out); what a measurement or an
/// input decides becomes expressions, assignments, branches and loops of the circuit.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "frontend/openqasm/ast.hpp"
#include "frontend/openqasm/flow_scan.hpp"
#include "frontend/openqasm/gates.hpp"
#include "frontend/openqasm/library.hpp"
#include "frontend/openqasm/parser.hpp"
#include "frontend/openqasm/scope.hpp"

namespace skerry::frontend::openqasm {

class Lowering {
 public:
  /// Reads text `file` of the sources.
  Lowering(Sources& sources, std::size_t file);
  /// Errors: everything that Parser and GateTable give, and semantic_error, out_of_range, unsupported, all with a
  /// place.
  Circuit run();

 private:
  /// How a statement went on. stopped: what follows in this block is never reached.
  enum class Flow : std::uint8_t { next, break_loop, continue_loop, return_value, stopped, end };

  /// A scalar variable or an element of an array.
  struct Cell {
    ScalarType type;
    bool is_duration = false;
    bool is_known = true;
    Scalar value;
    std::uint32_t region = 0;  ///< of its declaration: only there may it become known again
    std::uint32_t group = 0;
  };
  /// Cells that were declared together; they get circuit variables side by side once one of them is not known.
  struct Group {
    std::uint32_t first_cell = 0, count = 1;
    std::uint32_t slot = kNoSlot;
    std::string name;
    Place place;
    bool is_output = false;
  };
  static constexpr std::uint32_t kNoSlot = 0xffffffffU;

  struct Loop {
    enum Kind : std::uint8_t { unrolled, emitted, wrapped, subroutine } kind = unrolled;
    std::uint32_t region = 0;
    bool wraps_iterations = false;      ///< wrapped: `continue` leaves the loop around one iteration
    std::uint32_t left_flag = kNoSlot;  ///< wrapped, both: variable that says that the whole loop is to be left
  };
  struct Frame {
    std::string_view name;
    Type type;
    std::uint32_t region = 0;
    bool is_wrapped = false;
    std::uint32_t emitted_loops = 0;
    std::uint32_t result_slot = kNoSlot;
    std::optional<Value> result;
    Place place;
  };
  struct Modifiers {
    std::uint64_t controls = 0;
    std::vector<std::uint8_t> negated;
    std::vector<double> exponents;
  };
  struct Subroutine {
    std::string_view name;
    Place place;
    std::vector<Formal> formals;
    Type type;
    List body;
    FlowFacts facts;  ///< whatever is known when it is called: the names it assigns, and whether it may return early
  };

  // lower.cpp
  struct Level;  // counts one level of recursion while it lives
  Flow statement(Node node);
  Flow lowered(const Stmt& stmt);
  Flow block(List body);
  Flow scoped_block(List body);
  void load(const Library& library);
  void include(const Stmt& stmt);
  void begin(int version);
  void finish();
  [[noreturn]] void fail(ErrorCode code, Place place, std::string message, std::string hint = {}) const {
    sources_.fail(code, place, std::move(message), std::move(hint));
  }
  [[noreturn]] void fail_unknown(std::string_view what, std::string_view name, Place place) const;
  template <class Work>
  auto at_place(Place place, Work work) const -> decltype(work());
  ExprPool& pool() { return body_ != nullptr ? body_->pool : circuit_.expressions(); }
  const Expr& expr(Node n) const { return ast_.exprs[n]; }
  void only_outside_gates(std::string_view what, Place place) const;

  // lower_declare.cpp
  void declare(const Stmt& stmt);
  void check_new(std::string_view name, Place place);
  void declare_qubits(const Stmt& stmt);
  void declare_bits(const Stmt& stmt);
  void declare_constant(const Stmt& stmt);
  void declare_input(const Stmt& stmt);
  void declare_variable(const Stmt& stmt);
  void declare_array(const Stmt& stmt);
  void fill_array(Node initial, std::uint32_t cell, std::span<const std::uint32_t> dimensions);
  void declare_alias(const Stmt& stmt);
  void declare_value(std::string_view name, Place place, const Value& value);
  Run new_bits(std::string_view name, std::uint32_t size, bool is_scalar, Place place);
  Run hidden_bits(const Run& wires, Place place);
  std::uint32_t new_cells(ScalarType type, bool is_duration, std::uint32_t count, std::string name, Place place);
  std::uint32_t size_of(Node node, std::string_view what);
  ScalarType scalar_type(const Type& type, Place place);

  // lower_operand.cpp
  Run qubits(Node node);
  std::optional<Run> bits(Node node);
  const Symbol* run_symbol(Node node) const;
  Run selected(const Run& run, std::string_view name, const Expr& index);
  std::vector<Node> concatenated(Node node) const;
  Run joined(std::span<const Run> runs, std::uint32_t limit, Place place) const;
  std::vector<std::int64_t> range_values(const Expr& range, std::int64_t size);
  std::uint32_t position(std::int64_t index, std::uint32_t size, std::string_view name, Place place) const;
  std::int64_t constant_integer(Node node, std::string_view what);
  Run physical_qubit(const Expr& e);

  // lower_expression.cpp
  Value value(Node node);
  Value literal(const Expr& e);
  Value name_value(const Expr& e);
  Value binary_value(Node node);
  Value combine(const Expr& e, const Value& a, const Value& b);
  Value compare_wide(const Expr& e, const Run& run, Node other);
  Value index_value(const Expr& e);
  Value call_value(const Expr& e);
  Value cast_value(const Expr& e);
  Value size_value(const Expr& e);
  Value bits_value(const Run& run, std::uint32_t first, std::uint32_t count, Place place);
  Value bits_value(const Run& run, Place place) { return bits_value(run, 0, run.size, place); }
  Value condition(Node node);
  Value numeric(Value v) const;

  // lower_assign.cpp
  void assign(const Stmt& stmt);
  Value assigned_value(const Stmt& stmt);
  template <class Old>
  Value new_value(const Stmt& stmt, Old old);
  void assign_bits(const Run& target, Node source, Place place);
  void assign_bitstring(const Run& target, const Expr& e, Place place);
  void assign_run(const Run& target, std::uint32_t first, std::uint32_t count, const Value& value, Place place);
  void assign_cell(std::uint32_t cell, const Value& value, Place place);
  void assign_element(const Symbol& array, const Stmt& stmt, const Expr& index);
  Value cell_value(std::uint32_t cell);
  Value element_value(const Symbol& array, const Expr& index, const std::vector<Value>& indices);
  std::vector<Value> index_values(const Symbol& array, const Expr& index);
  Value flat_index(const Symbol& array, const std::vector<Value>& indices, Place place);
  std::optional<std::uint32_t> known_cell(const Symbol& array, const std::vector<Value>& indices, Place place) const;
  void materialise(std::uint32_t cell);
  std::uint32_t slot(std::uint32_t cell);
  void enter_region(const FlowFacts& facts);

  // lower_gate.cpp
  void define_gate(const Stmt& stmt);
  void call_gate(const Stmt& stmt);
  void read_modifiers(const Stmt& stmt, Modifiers& made);
  std::uint32_t operand_runs(const Stmt& stmt);
  void broadcast(Application application, std::size_t first_run, std::uint32_t size);
  GateRef find_gate(const Stmt& stmt) const;
  void apply(const Application& application);
  void check_distinct(const Application& application) const;

  // lower_quantum.cpp
  void measure(const Stmt& stmt);
  void measure_into(const Run& wires, const Run& target, Place place);
  void reset(const Stmt& stmt);
  void barrier(const Stmt& stmt);
  void delay(const Stmt& stmt);
  Flow box(const Stmt& stmt);

  // lower_control.cpp
  FlowScan flow_scan() const;
  Flow if_else(const Stmt& stmt);
  Flow for_loop(const Stmt& stmt);
  std::optional<std::vector<Value>> loop_values(const Stmt& stmt);
  Flow unrolled_loop(const Stmt& stmt, const std::vector<Value>& values);
  Flow wrapped_loop(const Stmt& stmt, const std::vector<Value>& values, const FlowFacts& facts);
  Flow iteration(const Stmt& stmt, const Value& value);
  Flow counted_loop(const Stmt& stmt);
  Flow while_loop(const Stmt& stmt);
  void emitted_while(const Stmt& stmt, const FlowFacts& facts);
  bool calls_subroutine(Node expression) const;
  void calling_while(const Stmt& stmt, const FlowFacts& facts);
  Flow switch_case(const Stmt& stmt);
  Flow switch_runtime(const Stmt& stmt, const Value& subject, std::size_t first_case);
  Flow leave_loop(const Stmt& stmt);
  BlockId open_block();
  void close_block();
  ExprId always() { return circuit_.expressions().constant(Scalar::of(true)); }

  // lower_subroutine.cpp
  void define_subroutine(const Stmt& stmt);
  Value call_subroutine(const Expr& call, const Symbol& symbol);
  Symbol bound(const Formal& formal, Node argument, bool is_copied);
  Symbol bound_bits(const Formal& formal, Node argument, bool is_copied);
  Symbol bound_array(const Formal& formal, Node argument);
  Value inlined(const Subroutine& subroutine, Place place, const FlowFacts& facts);
  Flow return_value(const Stmt& stmt);
  Value returned(const Stmt& stmt);

  Sources& sources_;
  Ast ast_;
  Parser parser_;
  Circuit circuit_;
  GateTable gates_;
  Scope scope_;
  GateBody* body_ = nullptr;  ///< of the gate that is being defined
  std::string_view gate_name_;
  bool in_library_ = false, keeps_nodes_ = false;
  int version_ = 3;
  std::uint32_t depth_ = 0;
  std::uint32_t region_ = 0;         ///< how many run-time branches and loops are open
  std::uint32_t emitted_loops_ = 0;  ///< how many of them are loops of the circuit
  std::vector<Cell> cells_;
  std::vector<Group> groups_;
  std::vector<Loop> loops_;
  std::vector<Frame> frames_;
  std::vector<Subroutine> subroutines_;
  std::unordered_map<std::uint64_t, std::uint32_t> slots_, local_bits_;  ///< of declarations in loops, reused
  std::uint32_t first_physical_ = kNoSlot, physical_qubits_ = 0;
  // Scratch of call_gate, kept so that a call allocates nothing.
  std::vector<Run> runs_;
  std::vector<Value> values_;
  std::vector<Wire> wires_;
};

/// Blocks, expressions and inlined calls inside one another. Each is bounded by max_nesting alone; this bounds the
/// product.
struct Lowering::Level {
  Level(Lowering& lowering, Place place) : l(lowering) {
    constexpr std::uint32_t kTogether = 6;
    if (l.depth_ >= kTogether * l.sources_.limits().max_nesting)
      l.fail(ErrorCode::limit_exceeded, place, "calls, blocks and expressions are nested too deeply together",
             "nest less deeply or raise max_nesting");
    ++l.depth_;
  }
  ~Level() { --l.depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  Lowering& l;
};

// Errors of the IR know no place; this gives them one.
template <class Work>
auto Lowering::at_place(Place place, Work work) const -> decltype(work()) {
  try {
    return work();
  } catch (const Error& e) {
    if (!e.where().empty()) throw;
    sources_.fail(e.code(), place, e.message(), e.hint());
  }
}

// The value that an assignment gives, = or op=.
template <class Old>
Value Lowering::new_value(const Stmt& stmt, Old old) {
  const Value operand = assigned_value(stmt);
  if (stmt.op == ExprOp::constant) return operand;
  const Value before = old();
  return at_place(stmt.place, [&] { return binary(pool(), stmt.op, before, operand); });
}

}  // namespace skerry::frontend::openqasm
