#include <algorithm>
#include <charconv>

#include "frontend/openqasm/lower.hpp"

namespace skerry::frontend::openqasm {

std::int64_t Lowering::constant_integer(Node node, std::string_view what) {
  const Expr& e = expr(node);
  if (e.kind == ExprKind::integer && e.integer <= 0x7fffffffffffffffU) return static_cast<std::int64_t>(e.integer);
  const Value v = value(node);
  if (!v.is_constant())
    fail(ErrorCode::unsupported, e.place, std::string(what) + " is known only when the program runs",
         "make it a constant or the variable of a loop over constants");
  if (v.type.kind >= ScalarKind::real && v.constant.as_real() != static_cast<double>(v.constant.as_integer()))
    fail(ErrorCode::semantic_error, e.place, std::string(what) + " is not a whole number");
  return v.constant.as_integer();
}

std::uint32_t Lowering::position(std::int64_t index, std::uint32_t size, std::string_view name, Place place) const {
  const std::int64_t from_end = index < 0 && version_ >= 3 ? index + size : index;
  if (from_end < 0 || from_end >= size)
    fail(ErrorCode::out_of_range, place,
         "index " + std::to_string(index) + " is outside " + std::string(name.substr(0, 60)) + "[" +
             std::to_string(size) + "]",
         "indices go from 0 to " + std::to_string(size - 1));
  return static_cast<std::uint32_t>(from_end);
}

// Start, start + step, ... up to and with the stop; negative ends count from the end of what is indexed.
std::vector<std::int64_t> Lowering::range_values(const Expr& range, std::int64_t size) {
  const std::int64_t step = range.b == kNone ? 1 : constant_integer(range.b, "the step of a range");
  if (step == 0) fail(ErrorCode::semantic_error, range.place, "the step of a range is 0");
  const auto end = [&](Node n, std::int64_t otherwise) {
    if (n == kNone) return otherwise;
    const std::int64_t i = constant_integer(n, "the end of a range");
    return size > 0 && i < 0 ? i + size : i;
  };
  if ((range.a == kNone || range.c == kNone) && size == 0)
    fail(ErrorCode::semantic_error, range.place, "a range without an end");
  const std::int64_t first = end(range.a, step > 0 ? 0 : size - 1);
  const std::int64_t last = end(range.c, step > 0 ? size - 1 : 0);
  std::vector<std::int64_t> values;
  if (step > 0 ? first > last : first < last) return values;
  const std::uint64_t distance = step > 0 ? static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first)
                                          : static_cast<std::uint64_t>(first) - static_cast<std::uint64_t>(last);
  const std::uint64_t stride = step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  const std::uint64_t count = distance / stride;
  gates_.count(count == ~std::uint64_t{0} ? count : count + 1, range.place);
  values.reserve(count + 1);
  for (std::uint64_t i = 0; i <= count; ++i)
    values.push_back(
        static_cast<std::int64_t>(static_cast<std::uint64_t>(first) + i * static_cast<std::uint64_t>(step)));
  return values;
}

Run Lowering::selected(const Run& run, std::string_view name, const Expr& index) {
  const std::span<const Node> items = ast_.list(index.list);
  if (items.size() != 1)
    fail(ErrorCode::semantic_error, index.place, "a register has one index, not " + std::to_string(items.size()));
  if (run.is_scalar && version_ == 2)
    fail(ErrorCode::semantic_error, index.place, "'" + std::string(name) + "' is a single qubit and has no index");
  const Expr& item = expr(items[0]);
  const auto at = [&](std::int64_t i) { return run[position(i, run.size, name, item.place)]; };
  if (item.kind != ExprKind::range && item.kind != ExprKind::set)
    return {at(constant_integer(items[0], "the index of a register")), 1, true, nullptr};
  std::vector<std::int64_t> positions;
  if (item.kind == ExprKind::range) {
    positions = range_values(item, run.size);
  } else {
    for (const Node n : ast_.list(item.list)) positions.push_back(constant_integer(n, "an index"));
  }
  auto chosen = std::make_shared<std::vector<std::uint32_t>>();
  for (const std::int64_t i : positions) chosen->push_back(at(i));
  Run made{0, static_cast<std::uint32_t>(chosen->size()), false, chosen};
  bool neighbours = !chosen->empty();
  for (std::size_t i = 1; i < chosen->size(); ++i) neighbours = neighbours && (*chosen)[i] == (*chosen)[0] + i;
  if (neighbours) {
    made.first = (*chosen)[0];
    made.selection = nullptr;
  }
  return made;
}

// a ++ b ++ c hangs to the left, so it is walked and not recursed into.
std::vector<Node> Lowering::concatenated(Node node) const {
  std::vector<Node> parts;
  for (; expr(node).kind == ExprKind::concat; node = expr(node).a) parts.push_back(expr(node).b);
  parts.push_back(node);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Run Lowering::joined(std::span<const Run> runs, std::uint32_t limit, Place place) const {
  auto chosen = std::make_shared<std::vector<std::uint32_t>>();
  for (const Run& run : runs) {
    if (chosen->size() + run.size > limit)
      fail(ErrorCode::semantic_error, place, "an alias names a qubit or bit twice",
           "join registers that do not overlap");
    for (std::uint32_t i = 0; i < run.size; ++i) chosen->push_back(run[i]);
  }
  const auto size = static_cast<std::uint32_t>(chosen->size());
  return {0, size, false, std::move(chosen)};
}

// `$3`: the wires of a program's physical qubits lie in their order, so the largest number that the text holds is
// looked for when the first of them is used.
Run Lowering::physical_qubit(const Expr& e) {
  if (first_physical_ == kNoSlot) {
    const std::uint32_t room =
        sources_.limits().max_qubits - std::min(sources_.limits().max_qubits, circuit_.num_wires());
    std::uint64_t count = e.integer + 1;
    const std::string_view text = sources_.text(parser_.file());
    for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
      std::uint64_t number = 0;
      const auto [end, error] = std::from_chars(text.data() + at + 1, text.data() + text.size(), number);
      if (error == std::errc{} && number < room) count = std::max(count, number + 1);
    }
    if (count > room)
      fail(ErrorCode::limit_exceeded, e.place,
           "physical qubit " + std::to_string(e.integer) +
               " is past max_qubits = " + std::to_string(sources_.limits().max_qubits),
           "use lower numbers or raise max_qubits");
    physical_qubits_ = static_cast<std::uint32_t>(count);
    first_physical_ = circuit_.add_wires("$", physical_qubits_);
  }
  if (e.integer >= physical_qubits_)
    fail(ErrorCode::out_of_range, e.place,
         "physical qubit " + std::to_string(e.integer) + " is outside the " + std::to_string(physical_qubits_) +
             " of this program",
         "use it in the main file first");
  return {first_physical_ + static_cast<std::uint32_t>(e.integer), 1, true, nullptr};
}

const Symbol* Lowering::run_symbol(Node node) const {
  const Expr& e = expr(node);
  return e.kind == ExprKind::name ? scope_.find(e.text) : nullptr;
}

Run Lowering::qubits(Node node) {
  const Expr& e = expr(node);
  if (e.kind == ExprKind::hardware) {
    only_outside_gates("a physical qubit", e.place);
    return physical_qubit(e);
  }
  if (e.kind == ExprKind::concat) {
    std::vector<Run> runs;
    for (const Node part : concatenated(node)) runs.push_back(qubits(part));
    return joined(runs, circuit_.num_wires(), e.place);
  }
  if (e.kind == ExprKind::index) {
    const Run run = qubits(e.a);
    return selected(run, expr(e.a).kind == ExprKind::name ? expr(e.a).text : "the selection", e);
  }
  if (e.kind != ExprKind::name) fail(ErrorCode::semantic_error, e.place, "this is not a qubit or register");
  const Symbol* symbol = scope_.find(e.text);
  if (symbol == nullptr) fail_unknown("qubit", e.text, e.place);
  if (symbol->kind != SymbolKind::qubits || (body_ != nullptr && symbol->level == 0))
    fail(ErrorCode::semantic_error, e.place,
         "'" + std::string(e.text.substr(0, 60)) + "' is not a qubit" + (body_ != nullptr ? " of this gate" : ""));
  return symbol->run;
}

std::optional<Run> Lowering::bits(Node node) {
  const Expr& e = expr(node);
  if (e.kind == ExprKind::name) {
    const Symbol* symbol = run_symbol(node);
    if (symbol == nullptr || symbol->kind != SymbolKind::bits) return std::nullopt;
    return symbol->run;
  }
  if (e.kind == ExprKind::index) {
    if (expr(e.a).kind != ExprKind::name && expr(e.a).kind != ExprKind::index) return std::nullopt;
    const std::optional<Run> run = bits(e.a);
    if (!run) return std::nullopt;
    return selected(*run, expr(e.a).kind == ExprKind::name ? expr(e.a).text : "the selection", e);
  }
  if (e.kind == ExprKind::concat) {
    std::vector<Run> runs;
    for (const Node part : concatenated(node)) {
      std::optional<Run> run = bits(part);
      if (!run) return std::nullopt;
      runs.push_back(std::move(*run));
    }
    return joined(runs, circuit_.num_bits(), e.place);
  }
  return std::nullopt;
}

}  // namespace skerry::frontend::openqasm
