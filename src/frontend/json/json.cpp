/// \file
/// JSON text as a gate list: `[entry, ...]` or `{"qubits": n, "bits": m, "gates": [entry, ...]}`, and over optical
/// modes `{"modes": n, "cutoff": d, "gates": [{"gate": "Sgate", "params": [0.3], "modes": [0]}, ...]}`.
#include <simdjson.h>

#include <algorithm>
#include <skerry/error.hpp>
#include <string>

#include "frontend/blackbird/parser.hpp"
#include "frontend/frontend.hpp"
#include "frontend/json/gate_list.hpp"
#include "frontend/json/syntax.hpp"
#include "frontend/refuse.hpp"
#include "frontend/suggest.hpp"

namespace skerry::frontend {
namespace {

namespace dom = simdjson::dom;

std::string_view without_mark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

bool sniff_json(const Source& source) {
  const std::string_view text = without_mark(source.text());
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '[' || text[first] == '{');
}

EntryScalar scalar(dom::element e) {
  switch (e.type()) {
    case dom::element_type::INT64:
      return std::int64_t{e.get_int64()};
    case dom::element_type::UINT64:
      return static_cast<double>(std::uint64_t{e.get_uint64()});
    case dom::element_type::DOUBLE:
      return double{e.get_double()};
    case dom::element_type::STRING:
      return std::string_view{e.get_string()};
    case dom::element_type::ARRAY:
    case dom::element_type::OBJECT:
    case dom::element_type::BOOL:
    case dom::element_type::NULL_VALUE:
      break;
  }
  refuse("a value is neither a number nor a text");
}

EntryValue value(dom::element e) {
  if (e.type() != dom::element_type::ARRAY) return std::visit([](auto v) -> EntryValue { return v; }, scalar(e));
  std::vector<EntryScalar> list;
  for (const dom::element item : dom::array(e)) list.push_back(scalar(item));
  return list;
}

void read_entries(dom::element gates, GateList& list) {
  if (!gates.is_array()) refuse("'gates' is not a list");
  std::vector<EntryField> fields;
  std::size_t index = 0;
  for (const dom::element entry : dom::array(gates)) {
    const std::string where = "gate " + std::to_string(index++);
    if (!entry.is_object())
      throw Error(ErrorCode::semantic_error, "an entry is not a dictionary", where,
                  "write {\"gate\": \"H\", \"qubit\": 0}");
    fields.clear();
    try {
      for (const auto& [key, v] : dom::object(entry)) fields.push_back({key, value(v)});
    } catch (const Error& e) {
      throw e.at(where);
    }
    list.add(fields);
  }
}

std::int64_t count_of(std::string_view key, dom::element e) {
  std::int64_t count = 0;
  if (e.get_int64().get(count) != simdjson::SUCCESS) refuse("'" + std::string(key) + "' is not a whole number");
  return count;
}

void read_object(const dom::object& object, GateList& list) {
  dom::element gates;
  bool has_gates = false;
  constexpr std::string_view kQubits[] = {"qubits", "num_qubits"};
  constexpr std::string_view kBits[] = {"bits", "num_bits", "num_clbits"};
  constexpr std::string_view kGates[] = {"gates", "circuit"};
  const auto is_one_of = [](std::string_view key, std::span<const std::string_view> names) {
    return std::find(names.begin(), names.end(), key) != names.end();
  };
  for (const auto& [key, v] : object) {
    if (is_one_of(key, kQubits))
      list.set_qubits(count_of(key, v));
    else if (is_one_of(key, kBits))
      list.set_bits(count_of(key, v));
    else if (is_one_of(key, kGates))
      gates = v, has_gates = true;
    else if (key != "name") {
      Nearest near(key);
      for (const std::string_view name : {"qubits", "bits", "gates", "name"}) near.offer(name);
      refuse("unknown key '" + std::string(key.substr(0, 60)) + "'", near.hint("use qubits, bits and gates"));
    }
  }
  if (!has_gates) refuse("there is no list of gates", "add \"gates\": [...]");
  read_entries(gates, list);
}

/// An argument over modes: a number, an expression, or an array of numbers (complex ones as [re, im]).
blackbird::Value mode_value(dom::element e, blackbird::ModeWriter& writer, const ImportLimits& limits) {
  using blackbird::Value;
  if (e.type() != dom::element_type::ARRAY) {
    return std::visit(
        [&](auto v) -> Value {
          if constexpr (std::is_same_v<decltype(v), std::string_view>) {
            return blackbird::parse_expression(v, writer, limits);
          } else {
            return Value::of(static_cast<double>(v));
          }
        },
        scalar(e));
  }
  Value array;
  array.kind = Value::Kind::array;
  const auto add_row = [&](const dom::array& row) {
    for (const dom::element item : row) {
      std::complex<double> number;
      if (item.type() == dom::element_type::ARRAY) {
        const dom::array parts = item;
        if (parts.size() != 2 || !parts.at(0).is_number() || !parts.at(1).is_number())
          refuse("an element of an array is neither a number nor [re, im]");
        number = {double{parts.at(0).get_double()}, double{parts.at(1).get_double()}};
      } else {
        const blackbird::Value value = mode_value(item, writer, limits);
        if (value.kind != Value::Kind::number) refuse("an element of an array is not a number");
        number = value.number;
      }
      array.elements.push_back(number);
    }
  };
  const auto is_row = [](dom::element item) {
    return item.type() == dom::element_type::ARRAY &&
           (dom::array(item).size() != 2 || !dom::array(item).at(0).is_number());
  };
  const dom::array all = e;
  const bool is_matrix = all.size() > 0 && (is_row(all.at(0)) || (all.size() == 2 && all.at(0).is_array()));
  if (!is_matrix) {
    add_row(all);
  } else {
    for (const dom::element row : all) {
      if (!row.is_array()) refuse("a row of a matrix is not a list");
      add_row(row);
    }
  }
  array.shape = {static_cast<std::uint32_t>(array.elements.size())};
  return array;
}

std::uint32_t mode_index(dom::element e) {
  std::uint64_t mode = 0;
  if (e.get_uint64().get(mode) != simdjson::SUCCESS || mode > 0xffffffffU) refuse("a mode is a whole number from 0 on");
  return static_cast<std::uint32_t>(mode);
}

void read_mode_entry(const dom::object& entry, blackbird::ModeWriter& writer, const ImportLimits& limits) {
  std::string_view name;
  std::vector<std::uint32_t> modes;
  std::vector<blackbird::Argument> placed, named;
  for (const auto& [key, v] : entry) {
    if (key == "gate" || key == "op") {
      if (v.get_string().get(name) != simdjson::SUCCESS) refuse("'" + std::string(key) + "' is not a name");
    } else if (key == "modes" || key == "mode") {
      if (!v.is_array()) {
        modes.push_back(mode_index(v));
        continue;
      }
      for (const dom::element mode : dom::array(v)) modes.push_back(mode_index(mode));
    } else if (key == "params") {
      if (!v.is_array()) refuse("'params' is not a list");
      for (const dom::element param : dom::array(v)) placed.push_back({{}, mode_value(param, writer, limits)});
    } else {
      named.push_back({key, mode_value(v, writer, limits)});
    }
  }
  if (name.empty()) refuse("an entry names no gate", "write {\"gate\": \"Sgate\", \"params\": [0.3], \"modes\": [0]}");
  placed.insert(placed.end(), named.begin(), named.end());
  writer.operation(name, placed, modes);
}

Circuit read_modes(const dom::object& object, const ImportLimits& limits) {
  blackbird::ModeWriter writer(limits);
  std::string name;
  dom::element gates;
  bool has_gates = false;
  for (const auto& [key, v] : object) {
    if (key == "modes") {
      const std::int64_t count = count_of(key, v);
      writer.set_modes(count < 0 ? 0 : static_cast<std::uint64_t>(count));
    } else if (key == "cutoff") {
      if (!v.is_array()) {
        writer.set_cutoff(static_cast<double>(count_of(key, v)));
        continue;
      }
      std::vector<double> cutoffs;
      for (const dom::element each : dom::array(v)) cutoffs.push_back(static_cast<double>(count_of(key, each)));
      writer.set_cutoffs(std::move(cutoffs));
    } else if (key == "gates" || key == "circuit") {
      gates = v, has_gates = true;
    } else if (key == "name") {
      std::string_view text;
      if (v.get_string().get(text) != simdjson::SUCCESS) refuse("'name' is not a text");
      name = text;
    } else {
      Nearest near(key);
      for (const std::string_view known : {"modes", "cutoff", "gates", "name"}) near.offer(known);
      refuse("unknown key '" + std::string(key.substr(0, 60)) + "'", near.hint("use modes, cutoff and gates"));
    }
  }
  if (!has_gates || !gates.is_array()) refuse("there is no list of gates", "add \"gates\": [...]");
  std::size_t index = 0;
  for (const dom::element entry : dom::array(gates)) {
    const std::string where = "gate " + std::to_string(index++);
    try {
      if (!entry.is_object()) refuse("an entry is not a dictionary");
      read_mode_entry(entry, writer, limits);
    } catch (const Error& e) {
      throw e.at(where);
    }
  }
  return writer.finish(std::move(name));
}

// Where the parser of a whole document stops is not told, so the reason is all that can be given.
Imported import_json(const Source& source, const ImportLimits& limits) {
  const std::string_view text = without_mark(source.text());
  if (text.size() > limits.max_text_bytes || text.size() >= simdjson::SIMDJSON_MAXSIZE_BYTES)
    throw Error(ErrorCode::limit_exceeded,
                "the text has " + std::to_string(text.size()) + " bytes, max_text_bytes is " +
                    std::to_string(limits.max_text_bytes),
                source.name, "raise max_text_bytes");
  dom::parser parser;
  if (const auto code = parser.allocate(text.size(), limits.max_nesting); code != simdjson::SUCCESS) refuse_json(code);
  dom::element root;
  if (const auto code = parser.parse(text.data(), text.size()).get(root); code != simdjson::SUCCESS) refuse_json(code);
  GateList list(limits);
  if (root.is_array()) {
    read_entries(root, list);
  } else if (root.is_object()) {
    if (root["modes"].error() == simdjson::SUCCESS) return read_modes(root, limits);
    read_object(root, list);
  } else {
    refuse("neither a list of gates nor a dictionary with one");
  }
  return list.finish();
}

}  // namespace

extern const Frontend json_frontend;
const Frontend json_frontend = {"json", "a JSON gate list", sniff_json, import_json};

}  // namespace skerry::frontend
