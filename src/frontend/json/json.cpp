/// \file
/// JSON text as a gate list: `[entry, ...]` or `{"qubits": n, "bits": m, "gates": [entry, ...]}`.
#include <simdjson.h>

#include <algorithm>
#include <skerry/error.hpp>
#include <string>

#include "frontend/frontend.hpp"
#include "frontend/json/gate_list.hpp"
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

[[noreturn]] void refuse(std::string message, std::string hint = {}) {
  throw Error(ErrorCode::semantic_error, std::move(message), {}, std::move(hint));
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

// Where the parser of a whole document stops is not told, so the reason is all that can be given.
[[noreturn]] void fail_syntax(simdjson::error_code code) {
  throw Error(code == simdjson::CAPACITY || code == simdjson::MEMALLOC || code == simdjson::DEPTH_ERROR
                  ? ErrorCode::limit_exceeded
                  : ErrorCode::syntax_error,
              std::string("this is not JSON: ") + simdjson::error_message(code), "1:1");
}

Imported import_json(const Source& source, const ImportLimits& limits) {
  const std::string_view text = without_mark(source.text());
  if (text.size() > limits.max_text_bytes || text.size() >= simdjson::SIMDJSON_MAXSIZE_BYTES)
    throw Error(ErrorCode::limit_exceeded,
                "the text has " + std::to_string(text.size()) + " bytes, max_text_bytes is " +
                    std::to_string(limits.max_text_bytes),
                source.name, "raise max_text_bytes");
  dom::parser parser;
  if (const auto code = parser.allocate(text.size(), limits.max_nesting); code != simdjson::SUCCESS) fail_syntax(code);
  dom::element root;
  if (const auto code = parser.parse(text.data(), text.size()).get(root); code != simdjson::SUCCESS) fail_syntax(code);
  GateList list(limits);
  if (root.is_array()) {
    read_entries(root, list);
  } else if (root.is_object()) {
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
