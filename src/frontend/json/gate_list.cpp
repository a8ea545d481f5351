#include "frontend/json/gate_list.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <string>

#include "frontend/openqasm/angle.hpp"
#include "frontend/refuse.hpp"
#include "frontend/suggest.hpp"
#include "ops/qubit/gate_record.hpp"

namespace skerry::frontend {
namespace {

enum class Key : std::uint8_t { type, gate, qubits, controls, targets, params, param, bits, kraus };

struct KeyRow {
  std::string_view name;
  Key key;
  std::size_t slot = 0;  ///< of a named parameter
};
constexpr std::array kKeys = {
    KeyRow{"type", Key::type},         KeyRow{"gate", Key::gate},          KeyRow{"name", Key::gate},
    KeyRow{"qubit", Key::qubits},      KeyRow{"qubits", Key::qubits},      KeyRow{"control", Key::controls},
    KeyRow{"controls", Key::controls}, KeyRow{"target", Key::targets},     KeyRow{"targets", Key::targets},
    KeyRow{"params", Key::params},     KeyRow{"parameters", Key::params},  KeyRow{"angles", Key::params},
    KeyRow{"param", Key::param, 0},    KeyRow{"parameter", Key::param, 0}, KeyRow{"angle", Key::param, 0},
    KeyRow{"theta", Key::param, 0},    KeyRow{"phi", Key::param, 1},       KeyRow{"lambda", Key::param, 2},
    KeyRow{"lam", Key::param, 2},      KeyRow{"gamma", Key::param, 3},     KeyRow{"bit", Key::bits},
    KeyRow{"kraus", Key::kraus},       KeyRow{"bits", Key::bits},          KeyRow{"cbit", Key::bits},
    KeyRow{"clbit", Key::bits}};

// What a type says about the number of qubits, controls included; 0: nothing.
struct TypeRow {
  std::string_view name;
  std::size_t least = 0, most = 0;
};
constexpr std::size_t kAny = ~std::size_t{0};
constexpr std::array kTypes = {
    TypeRow{"single_qubit", 1, 1},     TypeRow{"one_qubit", 1, 1},      TypeRow{"two_qubit", 2, 2},
    TypeRow{"three_qubit", 3, 3},      TypeRow{"multi_qubit", 1, kAny}, TypeRow{"controlled", 2, kAny},
    TypeRow{"parameterized", 1, kAny}, TypeRow{"parametric", 1, kAny},  TypeRow{"rotation", 1, kAny},
    TypeRow{"gate", 0, kAny},          TypeRow{"global_phase", 0, kAny}};

// Entries that are not gates; a type of the same name needs no `gate`.
struct StructuralRow {
  std::string_view name;
  Op op;
};
constexpr std::array kStructural = {StructuralRow{"measure", Op::measure}, StructuralRow{"measurement", Op::measure},
                                    StructuralRow{"m", Op::measure}, StructuralRow{"reset", Op::reset},
                                    StructuralRow{"barrier", Op::barrier}};

std::string lowered(std::string_view text) {
  std::string out(text.substr(0, 64));
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

template <class Rows>
const auto* find_row(const Rows& rows, std::string_view name) {
  const auto found = std::find_if(rows.begin(), rows.end(), [name](const auto& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

template <class Rows>
std::string nearest_row(const Rows& rows, std::string_view name, std::string_view otherwise) {
  Nearest near(name);
  for (const auto& row : rows) near.offer(row.name);
  return near.hint(otherwise);
}

// The known spelling nearest to a wrong one, in the case in which it was written; of equals the gate with fewest
// controls.
std::string gate_hint(std::string_view name) {
  const std::string word = lowered(name);
  Nearest near(word);
  constexpr std::size_t kMostControls = 4;
  for (std::size_t controls = 0; controls <= kMostControls; ++controls) {
    for (std::size_t op = 0; op < kGateCount; ++op) {
      const ops::GateRecord& record = ops::gate_record(static_cast<Op>(op));
      if (controls == 0) near.offer(record.name);
      if (controls == 0)
        for (const std::string_view alias : record.aliases) near.offer(alias);
      if (controls > 0 && controls <= record.controlled.size()) near.offer(record.controlled[controls - 1]);
      for (const ops::ControlledAlias& alias : record.controlled_aliases)
        if (alias.controls == controls) near.offer(alias.spelling);
    }
  }
  std::string found(near.found());
  if (found.empty()) return "see the list of gates";
  if (std::isupper(static_cast<unsigned char>(name.front())) != 0)
    std::transform(found.begin(), found.end(), found.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return "did you mean '" + found + "'?";
}

std::string_view text_of(const EntryField& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) return *text;
  refuse("the value of " + quoted(field.key) + " is not a text");
}

}  // namespace

struct GateList::Decoded {
  std::string_view type, gate;
  std::vector<std::uint32_t> qubits, controls, targets, bits;
  std::vector<Param> params;
  std::array<std::optional<Param>, 4> named;
  std::vector<double> kraus;  ///< entries of all operators, real and imaginary part in turn
};

void GateList::add(std::span<const EntryField> entry) {
  try {
    add_decoded(entry);
  } catch (const Error& e) {
    throw e.at("gate " + std::to_string(entries_));
  }
  ++entries_;
}

void GateList::add_decoded(std::span<const EntryField> entry) {
  Decoded d = decode(entry);
  if (lowered(d.type) == "channel") return add_channel(d);
  if (!d.kraus.empty()) refuse("'kraus' is given to a gate", "add \"type\": \"channel\"");
  const StructuralRow* structural = find_row(kStructural, lowered(d.gate.empty() ? d.type : d.gate));
  if (structural == nullptr && d.gate.empty()) {
    if (!d.type.empty() && find_row(kTypes, lowered(d.type)) == nullptr)
      refuse("unknown type " + quoted(d.type),
             nearest_row(kTypes, lowered(d.type), "use single_qubit, two_qubit, multi_qubit or measure"));
    refuse("no 'gate'", "name one, as \"gate\": \"H\"");
  }
  if (structural == nullptr) return add_gate(d);
  if (structural->op == Op::measure) return add_measure(d);
  std::vector<std::uint32_t> wires = d.qubits;
  wires.insert(wires.end(), d.targets.begin(), d.targets.end());
  if (structural->op == Op::barrier) return append(Op::barrier, wires, {}, 0);
  if (wires.empty()) refuse("reset without a qubit", "add \"qubit\"");
  for (const Wire& w : wires) append(Op::reset, std::span(&w, 1), {}, 0);
}

GateList::Decoded GateList::decode(std::span<const EntryField> entry) {
  Decoded d;
  for (const EntryField& field : entry) read_field(field, d);
  bool ended = false;
  for (std::size_t i = 0; i < d.named.size(); ++i) {
    if (!d.named[i]) {
      ended = true;
      continue;
    }
    if (!d.params.empty() && i == 0 && !ended) refuse("parameters are given twice", "use params alone");
    d.params.push_back(*d.named[i]);
  }
  return d;
}

void GateList::read_field(const EntryField& field, Decoded& into) {
  const KeyRow* row = find_row(kKeys, field.key);
  if (row == nullptr)
    refuse("unknown key " + quoted(field.key),
           nearest_row(kKeys, field.key, "use type, gate, qubit, control, target, params or bit"));
  switch (row->key) {
    case Key::type:
      into.type = text_of(field);
      break;
    case Key::gate:
      into.gate = text_of(field);
      break;
    case Key::qubits:
      read_indices(field, into.qubits, limits_.max_qubits);
      break;
    case Key::controls:
      read_indices(field, into.controls, limits_.max_qubits);
      break;
    case Key::targets:
      read_indices(field, into.targets, limits_.max_qubits);
      break;
    case Key::bits:
      read_indices(field, into.bits, limits_.max_bits);
      break;
    case Key::params:
      read_params(field, into, 0);
      break;
    case Key::kraus:
      if (const auto* list = std::get_if<std::vector<EntryScalar>>(&field.value)) {
        for (const EntryScalar& v : *list) {
          const Param entry = angle(v);
          if (!entry.is_constant()) refuse("an entry of 'kraus' is no number");
          into.kraus.push_back(entry.value);
        }
      } else {
        refuse("'kraus' is not a list of numbers");
      }
      break;
    case Key::param:
      if (std::holds_alternative<std::vector<EntryScalar>>(field.value))
        read_params(field, into, row->slot);
      else
        into.named[row->slot] = std::visit(
            [this](const auto& v) -> Param {
              if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::vector<EntryScalar>>)
                return {};
              else
                return angle(EntryScalar(v));
            },
            field.value);
      break;
  }
}

void GateList::read_indices(const EntryField& field, std::vector<std::uint32_t>& into, std::uint64_t limit) const {
  const auto add = [&](const EntryScalar& v) {
    const auto* index = std::get_if<std::int64_t>(&v);
    if (index == nullptr) refuse(quoted(field.key) + " is not a whole number");
    if (*index < 0)
      refuse(quoted(field.key) + " is " + std::to_string(*index), "indices start at 0", ErrorCode::out_of_range);
    if (static_cast<std::uint64_t>(*index) >= limit)
      refuse(
          quoted(field.key) + " is " + std::to_string(*index) + ", at most " + std::to_string(limit) + " are allowed",
          "raise max_qubits or max_bits", ErrorCode::limit_exceeded);
    into.push_back(static_cast<std::uint32_t>(*index));
  };
  if (const auto* list = std::get_if<std::vector<EntryScalar>>(&field.value)) {
    for (const EntryScalar& v : *list) add(v);
  } else if (const auto* whole = std::get_if<std::int64_t>(&field.value)) {
    add(*whole);
  } else {
    refuse(quoted(field.key) + " is not a whole number or a list of them");
  }
}

void GateList::read_params(const EntryField& field, Decoded& into, std::size_t slot) {
  if (slot != 0) refuse(quoted(field.key) + " is a list", "use params for a list");
  if (const auto* list = std::get_if<std::vector<EntryScalar>>(&field.value)) {
    for (const EntryScalar& v : *list) into.params.push_back(angle(v));
  } else if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    into.params.push_back(angle(*text));
  } else if (const auto* whole = std::get_if<std::int64_t>(&field.value)) {
    into.params.push_back(angle(*whole));
  } else {
    into.params.push_back(angle(std::get<double>(field.value)));
  }
}

Param GateList::angle(const EntryScalar& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return symbolic(*text);
  const double number = std::holds_alternative<double>(value) ? std::get<double>(value)
                                                              : static_cast<double>(std::get<std::int64_t>(value));
  if (!std::isfinite(number)) refuse("a parameter is not a finite number");
  return {number, kNoExpr};
}

// A name or an expression over names; each name is a parameter of the circuit.
Param GateList::symbolic(std::string_view text) {
  const auto parameter = [this](std::string_view name) {
    const Param p = circuit_.param(circuit_.parameter(name));
    return openqasm::Value{{}, p.expr, openqasm::kReal, false};
  };
  const openqasm::Value v = openqasm::read_angle(text, circuit_.expressions(), limits_, parameter);
  return v.is_constant() ? Param{v.constant.as_real(), kNoExpr} : Param{0.0, v.expr};
}

void GateList::add_gate(const Decoded& d) {
  const std::string name = lowered(d.gate);
  std::optional<ops::GateName> gate = ops::find_gate(name);
  std::vector<Param> params = d.params;
  if (name == "u2" && params.size() == 2) {
    gate = ops::GateName{Op::u, 0};
    params.insert(params.begin(), Param{std::numbers::pi / 2, kNoExpr});
  }
  if (!gate) refuse("unknown gate " + quoted(d.gate), d.gate.empty() ? "" : gate_hint(d.gate));
  const auto targets = static_cast<std::size_t>(gate_targets(gate->op));
  const std::size_t controls = std::max<std::size_t>(gate->controls, d.controls.size());
  const auto wanted = static_cast<std::size_t>(gate_parameters(gate->op));
  if (params.size() != wanted)
    refuse(quoted(d.gate) + " takes " + std::to_string(wanted) +
               (wanted == 1 ? " parameter, not " : " parameters, not ") + std::to_string(params.size()),
           wanted > params.size() ? "add \"params\"" : "");
  std::vector<Wire> wires = d.controls;
  wires.insert(wires.end(), d.qubits.begin(), d.qubits.end());
  wires.insert(wires.end(), d.targets.begin(), d.targets.end());
  const bool is_each = targets == 1 && controls == 0 && wires.size() > 1;
  if (!is_each && wires.size() != controls + targets)
    refuse(quoted(d.gate) + " acts on " + std::to_string(controls + targets) +
           (controls + targets == 1 ? " qubit, not " : " qubits, not ") + std::to_string(wires.size()));
  if (!d.type.empty()) {
    const TypeRow* type = find_row(kTypes, lowered(d.type));
    if (type == nullptr)
      refuse("unknown type " + quoted(d.type),
             nearest_row(kTypes, lowered(d.type), "use single_qubit, two_qubit, multi_qubit or measure"));
    const std::size_t acts_on = controls + targets;
    if (acts_on < type->least || acts_on > type->most)
      refuse("type is " + quoted(d.type) + " but " + quoted(d.gate) + " acts on " + std::to_string(acts_on) +
             (acts_on == 1 ? " qubit" : " qubits"));
  }
  if (!is_each) return append(gate->op, wires, params, static_cast<std::uint16_t>(controls));
  for (const Wire& w : wires) append(gate->op, std::span(&w, 1), params, 0);
}

/// `{"type": "channel", "gate": "depolarizing", "qubits": [0], "params": [0.01]}`, or `kraus` with the entries of the
/// operators one after another, row by row.
void GateList::add_channel(const Decoded& d) {
  std::vector<std::uint32_t> wires = d.qubits;
  wires.insert(wires.end(), d.targets.begin(), d.targets.end());
  if (wires.empty()) refuse("a channel without a qubit", "add \"qubit\"");
  if (wires.size() > Channel::kMaxWires)
    refuse("a channel on " + std::to_string(wires.size()) + " qubits, at most " + std::to_string(Channel::kMaxWires));
  if (!d.controls.empty()) refuse("a channel cannot be controlled");
  const auto count = static_cast<std::uint32_t>(wires.size());
  if (!d.kraus.empty()) {
    if (!d.params.empty() || !(d.gate.empty() || lowered(d.gate) == "kraus"))
      refuse("a channel is given by its name and by 'kraus'", "leave one of them out");
    const std::size_t entries = std::size_t{2} << (2 * count);
    if (d.kraus.size() % entries != 0)
      refuse("'kraus' has " + std::to_string(d.kraus.size()) + " numbers, no multiple of the " +
             std::to_string(entries) + " of an operator on " + std::to_string(count) + " qubits");
    std::vector<Matrix> operators(d.kraus.size() / entries, Matrix{count, {}});
    for (std::size_t i = 0; i < d.kraus.size(); i += 2)
      operators[i / entries].values.emplace_back(d.kraus[i], d.kraus[i + 1]);
    return append(Op::channel, wires, {}, 0, circuit_.add_channel(Channel::kraus(std::move(operators))));
  }
  if (d.gate.empty()) refuse("a channel without a name", "name one, as \"gate\": \"depolarizing\"");
  std::vector<double> numbers;
  for (const Param& param : d.params) {
    if (!param.is_constant()) refuse("a parameter of a channel is no number");
    numbers.push_back(param.value);
  }
  append(Op::channel, wires, {}, 0, circuit_.add_channel(Channel::named(lowered(d.gate), numbers, count)));
}

void GateList::add_measure(const Decoded& d) {
  std::vector<std::uint32_t> wires = d.qubits;
  wires.insert(wires.end(), d.targets.begin(), d.targets.end());
  if (wires.empty()) refuse("measure without a qubit", "add \"qubit\"");
  if (!d.bits.empty() && d.bits.size() != wires.size())
    refuse(std::to_string(wires.size()) + " qubits are measured into " + std::to_string(d.bits.size()) + " bits");
  for (std::size_t i = 0; i < wires.size(); ++i) {
    const std::uint32_t bit = d.bits.empty() ? wires[i] : d.bits[i];
    if (bits_ && bit >= *bits_)
      refuse("bit " + std::to_string(bit) + " is outside the " + std::to_string(*bits_) + " of the circuit",
             "raise \"bits\"", ErrorCode::out_of_range);
    used_bits_ = std::max(used_bits_, bit + 1);
    append(Op::measure, std::span(&wires[i], 1), {}, 0, bit);
  }
}

void GateList::append(Op op, std::span<const Wire> wires, std::span<const Param> params, std::uint16_t controls,
                      std::uint32_t aux) {
  for (std::size_t i = 0; i < wires.size(); ++i) {
    if (std::find(wires.begin(), wires.begin() + static_cast<std::ptrdiff_t>(i), wires[i]) !=
        wires.begin() + static_cast<std::ptrdiff_t>(i))
      refuse("qubit " + std::to_string(wires[i]) + " is used twice");
    if (qubits_ && wires[i] >= *qubits_)
      refuse("qubit " + std::to_string(wires[i]) + " is outside the " + std::to_string(*qubits_) + " of the circuit",
             "raise \"qubits\"", ErrorCode::out_of_range);
    used_qubits_ = std::max(used_qubits_, wires[i] + 1);
  }
  if (++instructions_ > limits_.max_instructions)
    refuse("more than max_instructions = " + std::to_string(limits_.max_instructions) + " instructions",
           "raise max_instructions", ErrorCode::limit_exceeded);
  block_.append(op, wires, params, controls, aux);
}

void GateList::set_qubits(std::int64_t count) {
  if (count < 0) refuse("the number of qubits is " + std::to_string(count), {}, ErrorCode::out_of_range);
  if (static_cast<std::uint64_t>(count) > limits_.max_qubits)
    refuse(std::to_string(count) + " qubits are more than max_qubits = " + std::to_string(limits_.max_qubits),
           "raise max_qubits", ErrorCode::limit_exceeded);
  qubits_ = static_cast<std::uint32_t>(count);
}

void GateList::set_bits(std::int64_t count) {
  if (count < 0) refuse("the number of bits is " + std::to_string(count), {}, ErrorCode::out_of_range);
  if (static_cast<std::uint64_t>(count) > limits_.max_bits)
    refuse(std::to_string(count) + " bits are more than max_bits = " + std::to_string(limits_.max_bits),
           "raise max_bits", ErrorCode::limit_exceeded);
  bits_ = static_cast<std::uint32_t>(count);
}

Circuit GateList::finish() {
  if (const std::uint32_t n = qubits_.value_or(used_qubits_); n != 0) circuit_.add_wires("q", n);
  if (const std::uint32_t n = bits_.value_or(used_bits_); n != 0) circuit_.add_bits("c", n);
  circuit_.replace_block(0, std::move(block_));
  return std::move(circuit_);
}

}  // namespace skerry::frontend
