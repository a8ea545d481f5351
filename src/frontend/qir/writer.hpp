/// \file
/// The circuit that a QIR module becomes, and what the functions of QIR's instruction set and runtime write into it.
#pragma once

#include <map>
#include <set>
#include <skerry/circuit.hpp>
#include <skerry/limits.hpp>
#include <string>
#include <vector>

#include "frontend/qir/arithmetic.hpp"
#include "frontend/qir/module.hpp"

namespace skerry::frontend::qir {

struct Counts {
  std::uint32_t qubits = 0, results = 0;
  /// Wires of qubits and bits of results that the program allocates, behind those that it names.
  std::uint32_t allocated = 0, allocated_results = 0;
};

/// Thrown where a measurement decides what numbers a memory holds: begin again, and keep those of the alloca at this
/// place in variables of the circuit.
struct KeepMemory {
  Place place;
};

/// Errors of all: without a place; who calls knows it.
class Writer {
 public:
  Writer(const Module& module, const ImportLimits& limits, Counts counts);

  Circuit& circuit() { return circuit_; }
  ExprPool& pool() { return circuit_.expressions(); }
  /// Qubits and results that were named so far.
  Counts used() const { return used_; }

  /// A block of the circuit, which outcomes decide to run: qubits that it does not itself allocate stay until its end.
  BlockId open_block();
  void close_block();
  std::uint32_t new_variable(Type type);
  void assign(std::uint32_t variable, ExprId value);
  Value read(std::uint32_t variable, Type type);
  /// A call of a function that the module only declares. Errors: unsupported for one that is not known, semantic_error
  /// for wrong arguments, out_of_range for a qubit or result beyond those declared.
  Value call(const Instruction& instruction, const std::vector<Value>& values);
  Value select(Type type, const std::vector<Value>& values);

  /// What an operand that is no value of a function means.
  Value constant(const Operand& operand);
  /// New places for values, without values: as they are known now, or numbers in variables of the circuit. origin: of
  /// the alloca.
  Value allocate_memory(Type type, std::uint64_t count, Place origin, bool in_variables);
  /// The place `offset` places behind another of the same memory, or bytes where the unit is i8 and the places are
  /// wider. Errors: out_of_range; unsupported for places that are no multiple of the unit.
  Value element(const Value& from, std::int64_t offset, Type unit = {});
  /// A number that is known now. Errors: unsupported for one that only a run knows.
  std::int64_t known(const Value& value);
  Value load(Type type, const Value& from);
  /// In a block that outcomes decide to run, for memory from outside of it that is not in variables: throws KeepMemory
  /// for numbers, unsupported for pointers.
  void store(const Value& value, const Value& to);

 private:
  Value call_quantum(std::string_view name, const std::vector<Value>& values);
  Value call_runtime(std::string_view name, const std::vector<Value>& values);
  void gate(std::string_view name, const std::vector<Value>& values);
  Value read_result(const std::vector<Value>& values);
  void record(const Value& value, const Value& label);
  Value allocate(const std::vector<Value>& values);
  void release(const std::vector<Value>& values);
  Value allocate_result(const std::vector<Value>& values);
  bool call_for_array(std::string_view name, const std::vector<Value>& values);
  Wire qubit(const Value& value);
  std::uint32_t result(const Value& value);
  void find_rewritten();

  const Module& module_;
  const ImportLimits& limits_;
  const Counts counts_;
  Circuit circuit_;
  Counts used_;
  std::set<std::uint64_t> rewritten_;
  bool is_all_rewritten_ = false;
  std::set<std::string> outputs_;

  struct Allocation {
    Wire wire = 0;
    std::uint32_t block = 0;  ///< where it was allocated
    bool is_released = false;
  };
  /// A place of a memory.
  struct Cell {
    Type type;
    Value value;
    std::size_t first = 0, end = 0;  ///< of its memory
    std::uint32_t block = 0;         ///< where that was allocated
    bool is_constant = false;
    std::uint32_t variable = kNone;  ///< of the circuit, which holds its number
    Place origin = 0;
  };
  Value in_memory(const Value& pointer);
  Cell& cell(const Value& pointer);

  std::vector<Cell> cells_;
  std::map<std::string_view, Value> arrays_;  // constant arrays that were looked into
  std::vector<Allocation> allocations_;
  std::vector<Wire> free_;                     // released, the latest last
  std::vector<std::uint32_t> open_blocks_{0};  // numbers that no other block has
  std::uint32_t blocks_ = 0;
};

/// For what names a qubit or result that only a run knows.
[[noreturn]] void fail_dynamic();

}  // namespace skerry::frontend::qir
