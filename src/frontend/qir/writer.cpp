#include "frontend/qir/writer.hpp"

#include <algorithm>
#include <skerry/error.hpp>

#include "frontend/qir/flow.hpp"
#include "frontend/qir/lexer.hpp"
#include "frontend/suggest.hpp"

namespace skerry::frontend::qir {
namespace {

struct Quantum {
  std::string_view spelling;
  Op op;
  std::uint16_t controls;
};
constexpr Quantum kQuantum[] = {
#define SKERRY_QIS(spelling, op, controls) {#spelling, Op::op, controls},
#include "frontend/qir/qis.def"
#undef SKERRY_QIS
};
constexpr std::string_view kSet = "__quantum__qis__", kRuntime = "__quantum__rt__";
constexpr Type kBit{Type::integer, 1};
/// Pointers from here on are allocations, by number; what a program writes as a number lies below.
constexpr std::uint64_t kAllocated = std::uint64_t{1} << 48, kAllocatedResult = std::uint64_t{1} << 56,
                        kMemory = std::uint64_t{1} << 60;

bool is_measurement(std::string_view name) {
  return name == "mz__body" || name == "m__body" || name == "measure__body" || name == "mresetz__body";
}

[[noreturn]] void fail_unknown(std::string_view name) {
  Nearest nearest(name);
  for (const Quantum& row : kQuantum) nearest.offer(row.spelling);
  throw Error(ErrorCode::unsupported, "the function '" + shown_word(name) + "' is not known", {},
              nearest.hint("gates and functions of the base and the adaptive profile are"));
}

void check_arguments(const std::vector<Value>& values, std::size_t reals, std::size_t pointers) {
  if (values.size() != reals + pointers)
    throw Error(ErrorCode::semantic_error,
                std::to_string(values.size()) + " arguments instead of " + std::to_string(reals + pointers));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].type.kind != (i < reals ? Type::real : Type::pointer) || !values[i].global.empty())
      throw Error(ErrorCode::semantic_error, "argument " + std::to_string(i) + " has another type than the function's");
  }
}

std::uint32_t place_of(const Value& value, std::uint32_t limit, std::uint32_t& used, const std::string& what) {
  if (value.pointer >= limit)
    throw Error(ErrorCode::out_of_range,
                what + " " + std::to_string(value.pointer) + " of " + std::to_string(limit) + ", counted from 0", {},
                "raise required_num_" + what + "s of the entry point");
  used = std::max(used, static_cast<std::uint32_t>(value.pointer) + 1);
  return static_cast<std::uint32_t>(value.pointer);
}

}  // namespace

void fail_dynamic() {
  throw Error(ErrorCode::unsupported, "which qubit or result is meant is decided by a measurement", {},
              "branch on it and name them in each branch");
}

Writer::Writer(const Module& module, const ImportLimits& limits, Counts counts)
    : module_(module), limits_(limits), counts_(counts) {
  if (counts.qubits > 0) circuit_.add_wires("q", counts.qubits);
  if (counts.allocated > 0) circuit_.add_wires("allocated", counts.allocated);
  if (counts.results > 0) circuit_.add_bits("c", counts.results);
  if (counts.allocated_results > 0) circuit_.add_bits("allocated", counts.allocated_results);
  find_rewritten();
}

// Results that are measured in several places, or perhaps again and again: what was read of them is kept apart.
void Writer::find_rewritten() {
  std::set<std::uint64_t> seen;
  for (const Function& function : module_.functions) {
    const bool repeats = !function.is_entry || !back_edges(function).empty();
    for (const Block& block : function.blocks) {
      for (const Instruction& i : block.instructions) {
        if (i.kind != Kind::call || !i.word.starts_with(kSet) || i.operands.size() != 2) continue;
        if (!is_measurement(i.word.substr(kSet.size()))) continue;
        const Operand& measured = i.operands[1];
        if (measured.kind != Operand::pointer || repeats)
          is_all_rewritten_ = is_all_rewritten_ || measured.type.kind == Type::pointer;
        else if (!seen.insert(measured.bits).second)
          rewritten_.insert(measured.bits);
      }
    }
  }
}

BlockId Writer::open_block() {
  open_blocks_.push_back(++blocks_);
  return circuit_.open_block();
}

void Writer::close_block() {
  open_blocks_.pop_back();
  circuit_.close_block();
}

std::uint32_t Writer::new_variable(Type type) {
  const auto number = std::to_string(circuit_.variables().size());
  return circuit_.add_variable({"v" + number, scalar_type(type), false});
}

void Writer::assign(std::uint32_t variable, ExprId value) {
  circuit_.assign({.to_bits = false, .first = variable, .count = 1, .index = kNoExpr, .value = value});
}

Value Writer::read(std::uint32_t variable, Type type) {
  return {.type = type, .expr = pool().leaf(ExprOp::variable, variable, scalar_type(type))};
}

Value Writer::select(Type type, const std::vector<Value>& values) {
  if (values[0].type != kBit || values[1].type != values[2].type)
    throw Error(ErrorCode::semantic_error, "a select needs an i1 and two values of one type");
  if (pool().is_constant(values[0].expr)) return pool()[values[0].expr].value.integer != 0 ? values[1] : values[2];
  if (type.kind != Type::integer && type.kind != Type::real) fail_dynamic();
  const std::uint32_t variable = new_variable(type);
  const BlockId then_block = open_block();
  assign(variable, values[1].expr);
  close_block();
  const BlockId else_block = open_block();
  assign(variable, values[2].expr);
  close_block();
  circuit_.if_else(values[0].expr, then_block, else_block);
  return read(variable, type);
}

Value Writer::call(const Instruction& instruction, const std::vector<Value>& values) {
  const std::string_view word = instruction.word;
  Value made;
  if (word.starts_with(kSet))
    made = call_quantum(word.substr(kSet.size()), values);
  else if (word.starts_with(kRuntime))
    made = call_runtime(word.substr(kRuntime.size()), values);
  else if (!word.starts_with("llvm."))  // assumptions and debugging
    fail_unknown(word);
  if (made.type != instruction.type)
    throw Error(ErrorCode::semantic_error, "the function returns another type than is expected of it");
  return made;
}

Value Writer::call_quantum(std::string_view name, const std::vector<Value>& values) {
  if (name == "read_result__body") return read_result(values);
  if (is_measurement(name)) {
    check_arguments(values, 0, 2);
    circuit_.measure(qubit(values[0]), result(values[1]));
    if (name == "mresetz__body") circuit_.reset(qubit(values[0]));
  } else if (name == "reset__body") {
    check_arguments(values, 0, 1);
    circuit_.reset(qubit(values[0]));
  } else if (name == "barrier__body") {
    circuit_.barrier();
  } else {
    gate(name, values);
  }
  return {};
}

void Writer::gate(std::string_view name, const std::vector<Value>& values) {
  const auto* const row = std::ranges::find(kQuantum, name, &Quantum::spelling);
  if (row == std::end(kQuantum)) fail_unknown(name);
  const auto reals = static_cast<std::size_t>(gate_parameters(row->op));
  check_arguments(values, reals, static_cast<std::size_t>(gate_targets(row->op)) + row->controls);
  std::vector<Param> angles;
  std::vector<Wire> wires;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i >= reals)
      wires.push_back(qubit(values[i]));
    else if (pool().is_constant(values[i].expr))
      angles.push_back({.value = pool()[values[i].expr].value.real});
    else
      angles.push_back({.expr = values[i].expr});
  }
  circuit_.append(row->op, wires, angles, row->controls);
}

Value Writer::read_result(const std::vector<Value>& values) {
  check_arguments(values, 0, 1);
  const std::uint32_t bit = result(values[0]);
  const Value now{.type = kBit, .expr = pool().leaf(ExprOp::bit, bit, {})};
  if (!is_all_rewritten_ && !rewritten_.contains(bit)) return now;
  const std::uint32_t kept = new_variable(kBit);
  assign(kept, now.expr);
  return read(kept, kBit);
}

Value Writer::call_runtime(std::string_view name, const std::vector<Value>& values) {
  if (name == "read_result") return read_result(values);
  if (name == "qubit_allocate") return allocate(values);
  if (name == "result_allocate") return allocate_result(values);
  if (name == "qubit_release") {
    release(values);
  } else if (name == "result_release") {
    check_arguments(values, 0, 1);  // a bit costs nothing, and stays what it is for the counts
    (void)result(values[0]);
  } else if (name == "bool_record_output" || name == "int_record_output" || name == "double_record_output") {
    if (values.size() != 2 || (values[0].type.kind != Type::integer && values[0].type.kind != Type::real))
      throw Error(ErrorCode::semantic_error, "a number and a label are recorded");
    record(values[0], values[1]);
  } else if (name == "result_record_output") {
    if (values.empty() || values[0].type.kind != Type::pointer)
      throw Error(ErrorCode::semantic_error, "a result and a label are recorded");
    (void)result(values[0]);
  } else if (!call_for_array(name, values) && name != "array_record_output" && name != "tuple_record_output" &&
             name != "initialize" &&
             name != "message") {  // their shape is told by the results' numbers; messages are for people
    fail_unknown(name);
  }
  return {};
}

void Writer::record(const Value& value, const Value& label) {
  const auto text = module_.strings.find(label.global);
  std::string name = text == module_.strings.end() ? "" : text->second.substr(0, limits_.max_name_bytes);
  if (name.empty()) name = "output";
  const std::string stem = name;
  for (int next = 2; !outputs_.insert(name).second; ++next) name = stem + "_" + std::to_string(next);
  assign(circuit_.add_variable({name, scalar_type(value.type), true}), value.expr);
}

// A place for an error code may be given, which none is ever written to.
Value Writer::allocate(const std::vector<Value>& values) {
  if (values.size() > 1) check_arguments(values, 0, 1);
  if (used_.allocated == counts_.allocated && free_.empty())
    throw Error(ErrorCode::limit_exceeded,
                "more qubits are allocated than max_qubits = " + std::to_string(limits_.max_qubits), {},
                "release qubits, or raise max_qubits");
  const bool is_fresh = free_.empty();
  const Wire wire = is_fresh ? counts_.qubits + used_.allocated++ : free_.back();
  if (!is_fresh) free_.pop_back();
  // A wire that had another use, or has this one again in a loop.
  if (!is_fresh || open_blocks_.size() > 1) circuit_.reset(wire);
  allocations_.push_back({wire, open_blocks_.back(), false});
  return {.type = {Type::pointer}, .pointer = kAllocated + allocations_.size() - 1};
}

// A wire is free again where nobody can mean it any more: outside of blocks, or in the block that allocated it.
void Writer::release(const std::vector<Value>& values) {
  check_arguments(values, 0, 1);
  const Wire wire = qubit(values[0]);
  if (values[0].pointer < kAllocated)
    throw Error(ErrorCode::semantic_error, "a qubit is released that was not allocated");
  Allocation& one = allocations_[values[0].pointer - kAllocated];
  if (open_blocks_.size() > 1 && open_blocks_.back() != one.block) return;
  one.is_released = true;
  free_.push_back(wire);
}

Value Writer::allocate_result(const std::vector<Value>& values) {
  if (values.size() > 1) check_arguments(values, 0, 1);
  if (used_.allocated_results == counts_.allocated_results)
    throw Error(ErrorCode::limit_exceeded,
                "more results are allocated than max_bits = " + std::to_string(limits_.max_bits), {}, "raise max_bits");
  return {.type = {Type::pointer}, .pointer = kAllocatedResult + used_.allocated_results++};
}

// (i64 count, ptr array, ...) of qubits and results, of which the array holds the pointers.
bool Writer::call_for_array(std::string_view name, const std::vector<Value>& values) {
  const bool is_ours = name == "qubit_array_allocate" || name == "result_array_allocate" ||
                       name == "qubit_array_release" || name == "result_array_release" ||
                       name == "result_array_record_output";
  if (!is_ours) return false;
  if (values.size() < 2 || values[0].type.kind != Type::integer || values[1].type.kind != Type::pointer)
    throw Error(ErrorCode::semantic_error, "the extent of an array and the array are expected");
  const std::int64_t count = known(values[0]);
  for (std::int64_t i = 0; i < count; ++i) {
    const Value place = element(values[1], i);
    if (name == "qubit_array_allocate")
      store(allocate({}), place);
    else if (name == "result_array_allocate")
      store(allocate_result({}), place);
    else if (name == "qubit_array_release")
      release({load({Type::pointer}, place)});
    else
      (void)result(load({Type::pointer}, place));
  }
  return true;
}

Value Writer::constant(const Operand& operand) {
  Value made{operand.type};
  const bool is_number = operand.type.kind == Type::integer || operand.type.kind == Type::real;
  switch (operand.kind) {
    case Operand::local:
      throw Error(ErrorCode::internal, "a value of a function is no constant");
    case Operand::integer:
      made.expr = pool().constant(Scalar::of(static_cast<std::int64_t>(operand.bits), scalar_type(operand.type)));
      return made;
    case Operand::real:
      made.expr = pool().constant(operand.number);
      return made;
    case Operand::pointer:
      made.pointer = operand.bits;
      return made;
    case Operand::global:
      if (is_number) throw Error(ErrorCode::semantic_error, "a global is no number");
      made.global = operand.name;
      made.pointer = operand.bits;
      return made;
    case Operand::undefined:
      // Any value will do.
      if (is_number) made.expr = pool().cast(pool().constant(0.0), scalar_type(operand.type));
      return made;
  }
  return made;
}

Value Writer::allocate_memory(Type type, std::uint64_t count, Place origin, bool in_variables) {
  if (type.kind != Type::integer && type.kind != Type::real && type.kind != Type::pointer)
    throw Error(ErrorCode::unsupported, "memory holds numbers and pointers, and arrays of them");
  const std::size_t first = cells_.size();
  if (count > limits_.max_bits || first + count > limits_.max_bits)
    throw Error(ErrorCode::limit_exceeded, "memory has more places than max_bits = " + std::to_string(limits_.max_bits),
                {}, "raise max_bits");
  const Cell one{
      .type = type, .value = {}, .first = first, .end = first + count, .block = open_blocks_.back(), .origin = origin};
  cells_.resize(first + count, one);
  for (std::size_t i = first; in_variables && i < cells_.size(); ++i) cells_[i].variable = new_variable(type);
  return {.type = {Type::pointer}, .pointer = kMemory + first};
}

// A constant array becomes memory that nobody writes where it is first looked into.
Value Writer::in_memory(const Value& pointer) {
  if (pointer.global.empty()) return pointer;
  const auto array = module_.arrays.find(pointer.global);
  if (array == module_.arrays.end())
    throw Error(ErrorCode::unsupported, "a global is looked into that is no array of numbers or pointers");
  const auto [found, is_new] = arrays_.try_emplace(pointer.global);
  if (is_new) {
    found->second = allocate_memory(array->second[0].type, array->second.size(), 0, false);
    for (std::size_t i = 0; i < array->second.size(); ++i) {
      Cell& made = cells_[found->second.pointer - kMemory + i];
      made.value = constant(array->second[i]);
      made.is_constant = true;
    }
  }
  return element(found->second, static_cast<std::int64_t>(pointer.pointer));
}

Value Writer::element(const Value& from, std::int64_t offset, Type unit) {
  const Value base = in_memory(from);
  const std::size_t at = base.pointer - kMemory;
  if (base.type.kind != Type::pointer || base.pointer < kMemory || at >= cells_.size())
    throw Error(ErrorCode::unsupported, "elements are those of arrays of numbers and pointers");
  const Type& own = cells_[at].type;
  if (unit.kind != Type::nothing && unit != own) {
    const bool is_wide = own.kind != Type::integer || own.width == 64;
    if (unit != Type{Type::integer, 8} || !is_wide || offset % 8 != 0)
      throw Error(ErrorCode::unsupported, "an array is looked into as another type than it has");
    offset /= 8;
  }
  const auto before = static_cast<std::int64_t>(at - cells_[at].first);
  const auto behind = static_cast<std::int64_t>(cells_[at].end - at);
  if (offset < -before || offset >= behind)
    throw Error(ErrorCode::out_of_range, "element " + std::to_string(before + offset) + " of an array of " +
                                             std::to_string(cells_[at].end - cells_[at].first));
  return {.type = base.type, .pointer = kMemory + static_cast<std::uint64_t>(static_cast<std::int64_t>(at) + offset)};
}

Writer::Cell& Writer::cell(const Value& pointer) {
  return cells_[element(pointer, 0).pointer - kMemory];
}

std::int64_t Writer::known(const Value& value) {
  if (value.type.kind != Type::integer) throw Error(ErrorCode::semantic_error, "an index is no integer");
  if (!pool().is_constant(value.expr)) fail_dynamic();
  return pool()[value.expr].value.integer;
}

Value Writer::load(Type type, const Value& from) {
  const Cell& place = cell(from);
  if (place.variable != kNone && place.type == type) {
    const std::uint32_t kept = new_variable(type);  // what is there now
    assign(kept, read(place.variable, type).expr);
    return read(kept, type);
  }
  if (place.variable == kNone && !place.value.is_set())
    throw Error(ErrorCode::semantic_error, "memory is read before it is written");
  if (place.type != type) throw Error(ErrorCode::semantic_error, "memory is read as another type than it holds");
  return place.value;
}

void Writer::store(const Value& value, const Value& to) {
  Cell& place = cell(to);
  if (place.is_constant) throw Error(ErrorCode::semantic_error, "a constant is written");
  if (place.type != value.type)
    throw Error(ErrorCode::semantic_error, "memory is written with another type than its own");
  if (place.variable != kNone) return assign(place.variable, value.expr);
  if (place.block != open_blocks_.back()) {
    if (place.type.kind != Type::pointer) throw KeepMemory{place.origin};
    throw Error(ErrorCode::unsupported, "a measurement decides which qubit or result this memory holds", {},
                "branch on it and name them in each branch");
  }
  place.value = value;
}

Wire Writer::qubit(const Value& value) {
  if (value.pointer >= kAllocated && value.pointer - kAllocated < allocations_.size()) {
    const Allocation& one = allocations_[value.pointer - kAllocated];
    if (one.is_released) throw Error(ErrorCode::semantic_error, "a qubit is used after its release");
    return one.wire;
  }
  return place_of(value, counts_.qubits, used_.qubits, "qubit");
}

std::uint32_t Writer::result(const Value& value) {
  if (value.pointer >= kAllocatedResult && value.pointer - kAllocatedResult < used_.allocated_results)
    return counts_.results + static_cast<std::uint32_t>(value.pointer - kAllocatedResult);
  return place_of(value, counts_.results, used_.results, "result");
}

}  // namespace skerry::frontend::qir
