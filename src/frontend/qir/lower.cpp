#include "frontend/qir/lower.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <skerry/error.hpp>

#include "frontend/qir/flow.hpp"
#include "frontend/qir/lexer.hpp"
#include "frontend/qir/writer.hpp"

namespace skerry::frontend::qir {
namespace {

/// A loop whose end a measurement decides was found while it was being written out: begin again and keep it.
struct KeepLoop {
  const Function* function;
  std::uint32_t head;
};
/// What stays for the run to decide: loops, and memory (by the places of its allocas).
struct Kept {
  std::set<std::pair<const Function*, std::uint32_t>> loops;
  std::set<Place> memory;
};

/// Where a walk stops, and which variables take the values of that block's phis (of the end: the returned value).
struct End {
  std::uint32_t block = 0;
  std::vector<std::uint32_t> variables;
  std::vector<std::uint32_t> flags;  ///< set to false on arrival: the loops that are left
  bool is_direct = false;            ///< the function's own end: its value goes to the frame
};

/// A function that is being run.
struct Frame {
  const Function* function = nullptr;
  std::vector<std::uint32_t> meets;
  std::vector<Edge> back;
  std::vector<Value> values;
  std::optional<Value> returned;
  std::vector<std::uint32_t> undecided;  ///< branches on run-time values that are being written
  std::vector<std::uint32_t> heads;      ///< of loops, as they were gone round
  std::uint32_t end() const { return static_cast<std::uint32_t>(function->blocks.size()); }
};

class Lowering {
 public:
  Lowering(const Module& module, std::string_view text, const ImportLimits& limits, const std::string& name,
           Counts counts, const Kept& kept)
      : module_(module), text_(text), limits_(limits), name_(name), kept_(kept), writer_(module, limits, counts) {}

  Circuit run(const Function& entry) {
    if (!entry.parameters.empty()) fail(ErrorCode::unsupported, entry.place, "the entry point has parameters");
    (void)call(entry, {}, entry.place);
    return std::move(circuit());
  }
  Counts used() const { return writer_.used(); }

 private:
  [[noreturn]] void fail(ErrorCode code, Place place, std::string message, std::string hint = {}) const {
    fail_at(text_, name_, code, place, std::move(message), std::move(hint));
  }
  Circuit& circuit() { return writer_.circuit(); }
  ExprPool& pool() { return writer_.pool(); }

  /// Everything that is gone through counts, so that no module takes longer than its limit allows.
  void count_work(Place place, std::uint64_t amount = 1) {
    work_ += amount;
    if (work_ <= limits_.max_instructions) return;
    fail(ErrorCode::limit_exceeded, place,
         "the program takes more than max_instructions = " + std::to_string(limits_.max_instructions) +
             " instructions, loops and calls written out",
         "raise max_instructions");
  }
  void check_nesting(Place place) const {
    if (nesting_ <= limits_.max_nesting) return;
    fail(ErrorCode::limit_exceeded, place,
         "branches and calls are nested deeper than max_nesting = " + std::to_string(limits_.max_nesting),
         "raise max_nesting");
  }

  Value read(const Frame& frame, const Operand& operand) {
    if (operand.kind != Operand::local) return at_place(operand.place, [&] { return writer_.constant(operand); });
    const Value& value = frame.values[operand.index];
    if (!value.is_set())
      fail(ErrorCode::semantic_error, operand.place, "a value is used that was not computed on the way here");
    if (value.type != operand.type)
      fail(ErrorCode::semantic_error, operand.place, "a value is used with another type than it has");
    return value;
  }

  // ------------------------------------------------------------------ control flow

  Value call(const Function& function, std::vector<Value> arguments, Place place) {
    if (arguments.size() != function.parameters.size())
      fail(ErrorCode::semantic_error, place, "the call has another number of arguments than the function");
    ++nesting_;
    check_nesting(place);
    count_work(place, function.num_values + function.blocks.size());
    Frame frame;
    frame.function = &function;
    at_place(function.place, [&] {
      frame.meets = meeting_places(function, limits_.max_instructions);
      return Value{};
    });
    frame.back = back_edges(function);
    frame.values = std::move(arguments);
    for (std::size_t i = 0; i < frame.values.size(); ++i)
      if (frame.values[i].type != function.parameters[i])
        fail(ErrorCode::semantic_error, place, "an argument has another type than the function's parameter");
    frame.values.resize(function.num_values);
    walk(frame, {0}, {{.block = frame.end(), .variables = {}, .flags = {}, .is_direct = true}});
    --nesting_;
    if (frame.returned) return *frame.returned;
    if (function.result.kind != Type::nothing)
      fail(ErrorCode::semantic_error, function.place, "the function does not return on every way");
    return {};
  }

  /// A block to go on with, and the one that led there (none: its phis have their values).
  struct Step {
    std::uint32_t at = 0, from = kNone;
  };

  /// Runs until one of the ends. is_body: the first block is the head of a loop that is being written.
  void walk(Frame& frame, Step step, const std::vector<End>& ends, bool is_body = false) {
    for (;;) {
      if (step.from != kNone) {
        note_loop(frame, step);
        if (const End* end = find(ends, step.at)) return arrive(frame, *end, step.from);
        take_phis(frame, step.at, step.from);
      }
      std::optional<Step> next;
      if (!is_body && kept_.loops.contains({frame.function, step.at})) {
        next = keep_loop(frame, step.at, ends);
      } else {
        run_block(frame, step.at);
        next = leave(frame, step.at, ends);
      }
      is_body = false;
      if (!next) return;
      step = *next;
    }
  }

  void note_loop(Frame& frame, Step step) const {
    const auto ends_of = [](const Edge& edge) { return std::pair(edge.from, edge.to); };
    if (!std::ranges::binary_search(frame.back, std::pair(step.from, step.at), {}, ends_of)) return;
    std::erase(frame.heads, step.at);
    if (frame.heads.size() == limits_.max_nesting) frame.heads.erase(frame.heads.begin());
    frame.heads.push_back(step.at);
  }

  void run_block(Frame& frame, std::uint32_t at) {
    const Block& block = frame.function->blocks[at];
    for (const Instruction& i : block.instructions) {
      count_work(i.place, 1 + i.operands.size() / 4);
      if (i.kind == Kind::phi || &i == &block.instructions.back()) continue;
      const Value made = at_place(i.place, [&] { return compute(frame, i); });
      if (i.result != kNone) frame.values[i.result] = made;
    }
  }

  static const End* find(const std::vector<End>& ends, std::uint32_t block) {
    const auto found = std::ranges::find(ends, block, &End::block);
    return found == ends.end() ? nullptr : &*found;
  }

  /// Does what the last instruction of a block says: the block to go on with, or nothing when an end was reached.
  std::optional<Step> leave(Frame& frame, std::uint32_t at, const std::vector<End>& ends) {
    const Instruction& last = frame.function->blocks[at].instructions.back();
    if (last.kind == Kind::branch) return Step{last.blocks[0], at};
    if (last.kind == Kind::ret) {
      const End* end = find(ends, frame.end());
      if (end == nullptr)
        fail(ErrorCode::unsupported, last.place,
             "the function returns from the middle of a loop or branch in a way "
             "that has no structured form");
      arrive(frame, *end, at);
      return std::nullopt;
    }
    const Value decides = read(frame, last.operands[0]);
    if (decides.type.kind != Type::integer)
      fail(ErrorCode::semantic_error, last.place, "a branch is decided by something else than an integer");
    if (last.kind == Kind::branch_if && decides.type.width != 1)
      fail(ErrorCode::semantic_error, last.place, "a branch is decided by something else than an i1");
    if (pool().is_constant(decides.expr)) return Step{chosen(frame, last, decides), at};
    return part(frame, at, decides, ends);
  }

  std::uint32_t chosen(Frame& frame, const Instruction& last, const Value& decides) {
    const std::int64_t value = pool()[decides.expr].value.integer;
    if (last.kind == Kind::branch_if) return last.blocks[value != 0 ? 0 : 1];
    for (std::size_t i = 1; i < last.operands.size(); ++i) {
      const Value wanted = read(frame, last.operands[i]);
      if (wanted.expr == decides.expr) return last.blocks[i];
    }
    return last.blocks[0];
  }

  /// Writes a branch that is decided at run time, up to where its ways meet again.
  std::optional<Step> part(Frame& frame, std::uint32_t at, const Value& decides, const std::vector<End>& ends) {
    const Instruction& last = frame.function->blocks[at].instructions.back();
    if (std::ranges::find(frame.undecided, at) != frame.undecided.end()) fail_loop(frame, last.place);
    frame.undecided.push_back(at);
    ++nesting_;
    check_nesting(last.place);
    const std::uint32_t meets = frame.meets[at];
    const End* outer = find(ends, meets);
    const bool passes_on = outer != nullptr && !outer->is_direct;
    std::vector<End> inner = ends;
    if (!passes_on) inner = {{.block = meets, .variables = variables_of(frame, meets), .flags = {}}};
    choose(frame, at, decides, 0, inner);
    --nesting_;
    frame.undecided.pop_back();
    if (passes_on) return std::nullopt;
    return met(frame, inner[0]);
  }

  /// Where to go on when ways have met.
  std::optional<Step> met(Frame& frame, const End& end) {
    take_variables(frame, end);
    if (end.block == frame.end()) return std::nullopt;
    return Step{end.block};
  }

  /// The case `number` of a branch and those after it: an if for each.
  void choose(Frame& frame, std::uint32_t at, const Value& decides, std::size_t number, const std::vector<End>& ends) {
    const Instruction& last = frame.function->blocks[at].instructions.back();
    ExprId condition = decides.expr;
    std::uint32_t target = last.blocks[0];
    if (last.kind == Kind::switch_to) {
      if (++number == last.operands.size()) return walk(frame, {last.blocks[0], at}, ends);
      condition = pool().binary(ExprOp::eq, decides.expr, read(frame, last.operands[number]).expr);
      target = last.blocks[number];
    }
    count_work(last.place);
    nesting_ += last.kind == Kind::switch_to ? 1 : 0;
    check_nesting(last.place);
    const BlockId then_block = writer_.open_block();
    walk(frame, {target, at}, ends);
    writer_.close_block();
    const BlockId else_block = writer_.open_block();
    if (last.kind == Kind::switch_to)
      choose(frame, at, decides, number, ends);
    else
      walk(frame, {last.blocks[1], at}, ends);
    writer_.close_block();
    circuit().if_else(condition, then_block, else_block);
    nesting_ -= last.kind == Kind::switch_to ? 1 : 0;
  }

  [[noreturn]] void fail_loop(const Frame& frame, Place place) const {
    for (auto head = frame.heads.rbegin(); head != frame.heads.rend(); ++head)
      if (!kept_.loops.contains({frame.function, *head})) throw KeepLoop{frame.function, *head};
    fail(ErrorCode::unsupported, place, "a loop that a measurement ends has no structured form",
         "let one branch lead back and one lead out");
  }

  /// Writes a loop whose end is decided at run time, up to where it is left; the phis of its head have their values.
  std::optional<Step> keep_loop(Frame& frame, std::uint32_t head, const std::vector<End>& ends) {
    const auto& instructions = frame.function->blocks[head].instructions;
    ++nesting_;
    check_nesting(instructions.front().place);
    const End again{.block = head, .variables = variables_of(frame, head), .flags = {}};
    for (std::size_t i = 0; i < again.variables.size(); ++i)
      if (instructions[i].result != kNone)
        writer_.assign(again.variables[i], frame.values[instructions[i].result].expr);
    take_variables(frame, again);
    const std::uint32_t going = writer_.new_variable({Type::integer, 1});
    writer_.assign(going, pool().constant(Scalar::of(true)));
    const std::uint32_t meets = frame.meets[head];
    const End* outer = find(ends, meets);
    const bool passes_on = outer != nullptr && !outer->is_direct;
    End out{.block = meets, .variables = passes_on ? outer->variables : variables_of(frame, meets), .flags = {going}};
    if (passes_on) out.flags.insert(out.flags.end(), outer->flags.begin(), outer->flags.end());
    const BlockId body = writer_.open_block();
    walk(frame, {head}, {again, out}, true);
    writer_.close_block();
    circuit().while_loop(pool().leaf(ExprOp::variable, going, {ScalarKind::boolean, 1}), body);
    --nesting_;
    if (passes_on) return std::nullopt;
    return met(frame, out);
  }

  // ------------------------------------------------------------------ values that ways bring along

  /// Types of what a block's phis (the end: the function) take from the way that leads there.
  static std::vector<Type> taken(const Frame& frame, std::uint32_t block) {
    if (block == frame.end())
      return frame.function->result.kind == Type::nothing ? std::vector<Type>{} : std::vector{frame.function->result};
    std::vector<Type> types;
    for (const Instruction& i : frame.function->blocks[block].instructions)
      if (i.kind == Kind::phi) types.push_back(i.type);
    return types;
  }

  std::vector<std::uint32_t> variables_of(const Frame& frame, std::uint32_t block) {
    std::vector<std::uint32_t> made;
    for (const Type type : taken(frame, block)) {
      if (type.kind != Type::integer && type.kind != Type::real)
        at_place(frame.function->place, []() -> Value { fail_dynamic(); });
      made.push_back(writer_.new_variable(type));
    }
    return made;
  }

  /// The values that come along the way from a block.
  std::vector<Value> brought(Frame& frame, std::uint32_t block, std::uint32_t from) {
    std::vector<Value> values;
    if (block == frame.end()) {
      const Instruction& last = frame.function->blocks[from].instructions.back();
      if (last.type != frame.function->result)
        fail(ErrorCode::semantic_error, last.place, "the function returns another type than it says");
      if (!last.operands.empty()) values.push_back(read(frame, last.operands[0]));
      return values;
    }
    for (const Instruction& i : frame.function->blocks[block].instructions) {
      if (i.kind != Kind::phi) break;
      const auto origin = std::ranges::find(i.blocks, from);
      if (origin == i.blocks.end()) fail(ErrorCode::semantic_error, i.place, "the phi does not name the block before");
      values.push_back(read(frame, i.operands[static_cast<std::size_t>(origin - i.blocks.begin())]));
    }
    return values;
  }

  void take_phis(Frame& frame, std::uint32_t block, std::uint32_t from) {
    const std::vector<Value> values = brought(frame, block, from);
    const auto& instructions = frame.function->blocks[block].instructions;
    for (std::size_t i = 0; i < values.size(); ++i)
      if (instructions[i].result != kNone) frame.values[instructions[i].result] = values[i];
  }

  void arrive(Frame& frame, const End& end, std::uint32_t from) {
    const std::vector<Value> values = brought(frame, end.block, from);
    if (end.is_direct) {
      if (!values.empty()) frame.returned = values[0];
      return;
    }
    // All are computed before the first is changed: in a loop they may read one another.
    std::vector<ExprId> computed;
    for (std::size_t i = 0; i < values.size(); ++i) {
      count_work(frame.function->place);
      ExprId value = values[i].expr;
      if (values.size() > 1 && !pool().is_constant(value)) {
        const std::uint32_t kept = writer_.new_variable(values[i].type);
        writer_.assign(kept, value);
        value = writer_.read(kept, values[i].type).expr;
      }
      computed.push_back(value);
    }
    for (std::size_t i = 0; i < computed.size(); ++i) writer_.assign(end.variables[i], computed[i]);
    for (const std::uint32_t flag : end.flags) writer_.assign(flag, pool().constant(Scalar::of(false)));
  }

  /// Where ways have met: the block's phis are the variables that each of them has set.
  void take_variables(Frame& frame, const End& end) {
    const std::vector<Type> types = taken(frame, end.block);
    for (std::size_t i = 0; i < types.size(); ++i) {
      const Value value = writer_.read(end.variables[i], types[i]);
      if (end.block == frame.end()) {
        frame.returned = value;
        continue;
      }
      const std::uint32_t result = frame.function->blocks[end.block].instructions[i].result;
      if (result != kNone) frame.values[result] = value;
    }
  }

  // ------------------------------------------------------------------ instructions

  template <class F>
  Value at_place(Place place, const F& compute) {
    try {
      return compute();
    } catch (const Error& e) {
      if (!e.where().empty()) throw;
      fail(e.code(), place, e.message(), e.hint());
    }
  }

  Value compute(Frame& frame, const Instruction& i) {
    std::vector<Value> values;
    for (const Operand& operand : i.operands) values.push_back(read(frame, operand));
    switch (i.kind) {
      case Kind::call:
        return call(i, std::move(values));
      case Kind::select:
        return writer_.select(i.type, values);
      case Kind::compare:
        return compare(pool(), i.word, values[0], values[1]);
      case Kind::compare_reals:
        return compare_reals(pool(), i.word, values[0], values[1]);
      case Kind::arithmetic:
        return arithmetic(pool(), i.word, values[0], values[1]);
      case Kind::cast:
        return cast(pool(), i.word, values[0], i.type);
      case Kind::memory:
        count_work(i.place, i.count);
        return writer_.allocate_memory(i.type, i.count, i.place, kept_.memory.contains(i.place));
      case Kind::element:
        return element(i, values);
      case Kind::load:
        return writer_.load(i.type, values[0]);
      case Kind::store:
        writer_.store(values[0], values[1]);
        return {};
      case Kind::branch:
      case Kind::branch_if:
      case Kind::switch_to:
      case Kind::ret:
      case Kind::phi:
        break;
    }
    throw Error(ErrorCode::internal, "an instruction that computes nothing");
  }

  Value element(const Instruction& i, const std::vector<Value>& values) {
    std::int64_t offset = writer_.known(values[1]);
    if (values.size() == 3) {
      // The first index goes over whole arrays.
      if (offset != 0) throw Error(ErrorCode::out_of_range, "array " + std::to_string(offset) + " behind an array");
      offset = writer_.known(values[2]);
    }
    return writer_.element(values[0], offset, i.type);
  }

  Value call(const Instruction& i, std::vector<Value> values) {
    const auto own = module_.by_name.find(i.word);
    if (own == module_.by_name.end()) return writer_.call(i, values);
    const Function& function = module_.functions[own->second];
    if (i.type != function.result)
      fail(ErrorCode::semantic_error, i.place, "the function returns another type than is expected of it");
    return call(function, std::move(values), i.place);
  }

  const Module& module_;
  std::string_view text_;
  const ImportLimits& limits_;
  const std::string& name_;
  const Kept& kept_;
  Writer writer_;
  std::uint64_t work_ = 0;
  std::uint32_t nesting_ = 0;
};

/// What the entry point says that it needs, in the spellings of the specification's versions.
std::optional<std::uint32_t> declared(const Module& module, std::initializer_list<std::string_view> spellings) {
  for (const std::string_view spelling : spellings) {
    const auto found = module.attributes.find(spelling);
    if (found == module.attributes.end()) continue;
    std::uint32_t count = 0;
    const std::string_view text = found->second;
    if (std::from_chars(text.data(), text.data() + text.size(), count).ptr == text.data() + text.size() &&
        !text.empty())
      return count;
  }
  return std::nullopt;
}

bool allocates(const Module& module) {
  return std::ranges::any_of(module.functions, [](const Function& function) {
    return std::ranges::any_of(function.blocks, [](const Block& block) {
      return std::ranges::any_of(block.instructions, [](const Instruction& i) {
        return i.kind == Kind::call &&
               (i.word == "__quantum__rt__qubit_allocate" || i.word == "__quantum__rt__result_allocate" ||
                i.word == "__quantum__rt__qubit_array_allocate" || i.word == "__quantum__rt__result_array_allocate");
      });
    });
  });
}

}  // namespace

Circuit lower(const Module& module, std::string_view text, const ImportLimits& limits, const std::string& name) {
  const Function& entry = *std::ranges::find(module.functions, true, &Function::is_entry);
  const auto qubits = declared(module, {"required_num_qubits", "requiredQubits", "num_required_qubits"});
  const auto results = declared(module, {"required_num_results", "requiredResults", "num_required_results"});
  if (qubits.value_or(0) > limits.max_qubits || results.value_or(0) > limits.max_bits)
    fail_at(text, name, ErrorCode::limit_exceeded, entry.place,
            "the entry point requires " + std::to_string(qubits.value_or(0)) + " qubits and " +
                std::to_string(results.value_or(0)) + " results; max_qubits = " + std::to_string(limits.max_qubits) +
                ", max_bits = " + std::to_string(limits.max_bits),
            "raise the limit");
  Kept kept;
  Counts counts{qubits.value_or(limits.max_qubits), results.value_or(limits.max_bits), limits.max_qubits,
                limits.max_bits};
  for (bool is_counted = qubits && results && !allocates(module);;) {
    if (is_counted && !allocates(module)) counts.allocated = counts.allocated_results = 0;
    Lowering lowering(module, text, limits, name, counts, kept);
    try {
      Circuit circuit = lowering.run(entry);
      if (is_counted) return circuit;
      // Nothing was declared, or qubits are allocated: once more with as many as were used.
      const Counts used = lowering.used();
      counts = {qubits.value_or(used.qubits), results.value_or(used.results), used.allocated, used.allocated_results};
      const auto check = [&](std::uint64_t count, std::uint32_t most, const std::string& what, const char* limit) {
        if (count > most)
          fail_at(
              text, name, ErrorCode::limit_exceeded, entry.place,
              std::to_string(count) + " " + what + " are named and allocated; " + limit + " = " + std::to_string(most),
              "release qubits, or raise the limit");
      };
      check(std::uint64_t{counts.qubits} + counts.allocated, limits.max_qubits, "qubits", "max_qubits");
      check(std::uint64_t{counts.results} + counts.allocated_results, limits.max_bits, "results", "max_bits");
      is_counted = true;
    } catch (const KeepLoop& loop) {
      if (kept.loops.size() >= limits.max_nesting)
        fail_at(text, name, ErrorCode::limit_exceeded, loop.function->place,
                "more loops than max_nesting = " + std::to_string(limits.max_nesting) + " are ended by measurements");
      kept.loops.insert({loop.function, loop.head});
    } catch (const KeepMemory& memory) {
      if (kept.memory.size() >= limits.max_nesting)
        fail_at(text, name, ErrorCode::limit_exceeded, memory.place,
                "measurements decide what more than max_nesting = " + std::to_string(limits.max_nesting) +
                    " memories hold");
      kept.memory.insert(memory.place);
    }
  }
}

}  // namespace skerry::frontend::qir
