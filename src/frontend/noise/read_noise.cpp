#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <skerry/error.hpp>
#include <vector>

#include "frontend/json/syntax.hpp"
#include "frontend/noise/noise.hpp"
#include "frontend/refuse.hpp"
#include "frontend/suggest.hpp"
#include "ops/qubit/gate_record.hpp"

namespace skerry::frontend {
namespace {

namespace dom = simdjson::dom;
using Names = std::initializer_list<std::string_view>;

constexpr std::int64_t kVersion = 1;

/// Calls fn(element) and puts `name[index]` before the place of what it throws.
template <class Function>
void each(dom::element list, std::string_view name, Function fn) {
  if (!list.is_array()) refuse(quoted(name) + " is not a list");
  std::size_t index = 0;
  for (const dom::element element : dom::array(list)) {
    try {
      fn(element);
    } catch (const Error& error) {
      throw error.at(std::string(name) + "[" + std::to_string(index) + "]");
    }
    ++index;
  }
}

/// An object whose keys are all known.
class Fields {
 public:
  Fields(dom::element element, std::string_view what) : what_(what) {
    if (!element.is_object()) refuse(std::string(what) + " is not a dictionary");
    for (const auto& [key, value] : dom::object(element)) fields_.emplace_back(key, value);
  }
  void allow(std::span<const std::string_view> names) const {
    for (const auto& [key, value] : fields_) {
      if (std::ranges::find(names, key) != names.end()) continue;
      Nearest near(key);
      std::string all;
      for (const std::string_view name : names) {
        near.offer(name);
        all += (all.empty() ? "" : ", ") + std::string(name);
      }
      refuse("unknown key " + quoted(key), near.hint("use " + all));
    }
  }
  void allow(Names names) const { allow(std::span(names.begin(), names.size())); }
  std::optional<dom::element> find(std::string_view name) const {
    for (const auto& [key, value] : fields_)
      if (key == name) return value;
    return std::nullopt;
  }
  dom::element at(std::string_view name) const {
    const auto found = find(name);
    if (!found) refuse(std::string(what_) + " has no " + quoted(name));
    return *found;
  }

 private:
  std::string_view what_;
  std::vector<std::pair<std::string_view, dom::element>> fields_;
};

double number(dom::element element, std::string_view name) {
  double value = 0;
  if (std::string_view word; element.get_string().get(word) == simdjson::SUCCESS && word == "inf")
    return std::numeric_limits<double>::infinity();
  if (element.get_double().get(value) != simdjson::SUCCESS) refuse(quoted(name) + " is not a number");
  return value;
}

std::string_view text(dom::element element, std::string_view name) {
  std::string_view value;
  if (element.get_string().get(value) != simdjson::SUCCESS) refuse(quoted(name) + " is not a text");
  return value;
}

std::vector<std::uint32_t> indices(dom::element element, std::string_view name, std::uint32_t limit) {
  std::vector<std::uint32_t> out;
  each(element, name, [&](dom::element item) {
    std::int64_t value = 0;
    if (item.get_int64().get(value) != simdjson::SUCCESS || value < 0 || value >= limit)
      refuse("a wire is not a whole number from 0 to " + std::to_string(limit - 1), {}, ErrorCode::out_of_range);
    out.push_back(static_cast<std::uint32_t>(value));
  });
  return out;
}

std::complex<double> entry(dom::element element) {
  if (!element.is_array()) return number(element, "an entry");
  const dom::array parts(element);
  if (parts.size() != 2) refuse("a complex entry is not [real, imaginary]");
  return {number(parts.at(0), "a real part"), number(parts.at(1), "an imaginary part")};
}

Matrix matrix(dom::element element) {
  if (!element.is_array()) refuse("a matrix is not a list of rows");
  const std::size_t rows = dom::array(element).size();
  Matrix out;
  while (out.wires <= Channel::kMaxWires && std::size_t{1} << out.wires < rows) ++out.wires;
  if (out.wires == 0 || std::size_t{1} << out.wires != rows || out.wires > Channel::kMaxWires)
    refuse("a matrix has " + std::to_string(rows) + " rows", "give 2^k rows for k = 1 to 4 wires");
  each(element, "row", [&](dom::element row) {
    if (!row.is_array() || dom::array(row).size() != rows) refuse("a row has not " + std::to_string(rows) + " entries");
    each(row, "column", [&](dom::element e) { out.values.push_back(entry(e)); });
  });
  return out;
}

Channel pauli(const Fields& fields) {
  fields.allow({"kind", "terms"});
  std::vector<std::pair<std::string, double>> terms;
  const Fields given(fields.at("terms"), "terms");
  if (!fields.at("terms").is_object()) refuse("'terms' is not a dictionary");
  for (const auto& [letters, p] : dom::object(fields.at("terms")))
    terms.emplace_back(std::string(letters), number(p, letters));
  return Channel::pauli(terms);
}

Channel mixed(const Fields& fields) {
  fields.allow({"kind", "terms"});
  std::vector<std::pair<double, Matrix>> terms;
  each(fields.at("terms"), "terms", [&](dom::element element) {
    const Fields term(element, "a term");
    term.allow({"p", "matrix"});
    terms.emplace_back(number(term.at("p"), "p"), matrix(term.at("matrix")));
  });
  return Channel::mixed_unitary(terms);
}

Channel named(const Fields& fields, std::string_view kind) {
  const auto kinds = channel_kinds();
  const auto row = std::ranges::find(kinds, kind, &ChannelKind::name);
  if (row == kinds.end()) {
    Nearest near(kind);
    std::string all;
    for (const ChannelKind& k : kinds) {
      near.offer(k.name);
      all += std::string(k.name) + ", ";
    }
    for (const std::string_view other : {"kraus", "mixed_unitary", "pauli", "unitary"}) near.offer(other);
    refuse("no channel is called " + quoted(kind),
           near.hint("use one of " + all + "kraus, mixed_unitary, pauli, unitary"), ErrorCode::not_found);
  }
  std::vector<std::string_view> keys = {"kind"};
  keys.insert(keys.end(), row->numbers.begin(), row->numbers.end());
  if (row->any_wires) keys.emplace_back("wires");
  fields.allow(keys);
  std::vector<double> numbers;
  for (std::size_t i = 0; i < row->numbers.size(); ++i) {
    const auto given = fields.find(row->numbers[i]);
    if (!given && i < row->required) fields.at(row->numbers[i]);
    numbers.push_back(given ? number(*given, row->numbers[i]) : row->otherwise[i - row->required]);
  }
  std::int64_t wires = 1;
  if (const auto given = fields.find("wires");
      given && (given->get_int64().get(wires) != simdjson::SUCCESS || wires < 1 || wires > Channel::kMaxWires))
    refuse("'wires' is not a whole number from 1 to 4");
  return Channel::named(kind, numbers, static_cast<std::uint32_t>(wires));
}

Channel channel(const Fields& fields) {
  const std::string_view kind = text(fields.at("kind"), "kind");
  if (kind == "pauli") return pauli(fields);
  if (kind == "mixed_unitary") return mixed(fields);
  if (kind == "unitary") {
    fields.allow({"kind", "matrix"});
    return Channel::unitary(matrix(fields.at("matrix")));
  }
  if (kind == "kraus") {
    fields.allow({"kind", "operators"});
    std::vector<Matrix> operators;
    each(fields.at("operators"), "operators", [&](dom::element e) { operators.push_back(matrix(e)); });
    return Channel::kraus(std::move(operators));
  }
  return named(fields, kind);
}

void check_gate(std::string_view gate) {
  for (const std::string_view other : {"*", "unitary", "measure", "reset", "delay"})
    if (gate == other) return;
  if (ops::find_gate(gate)) return;
  const std::string_view near = ops::nearest_gate_name(gate);
  refuse(
      "there is no gate " + quoted(gate),
      near.empty() ? "name a gate, unitary, measure, reset, delay or *" : "did you mean '" + std::string(near) + "'?",
      ErrorCode::not_found);
}

void read_rule(dom::element element, const ImportLimits& limits, NoiseModel& model) {
  const Fields rule(element, "a rule");
  rule.allow({"gate", "wires", "on", "channels"});
  const std::string_view gate = text(rule.at("gate"), "gate");
  check_gate(gate);
  std::vector<Wire> wires, on;
  if (const auto given = rule.find("wires")) wires = indices(*given, "wires", limits.max_qubits);
  if (const auto given = rule.find("on")) on = indices(*given, "on", limits.max_qubits);
  each(rule.at("channels"), "channels",
       [&](dom::element e) { model.add(std::string(gate), channel(Fields(e, "a channel")), wires, on); });
}

void read_readout(dom::element element, const ImportLimits& limits, NoiseModel& model) {
  const Fields rule(element, "a readout error");
  rule.allow({"wires", "confusion"});
  std::vector<Wire> wires;
  if (const auto given = rule.find("wires")) wires = indices(*given, "wires", limits.max_qubits);
  Confusion confusion{};
  std::size_t count = 0;
  each(rule.at("confusion"), "confusion", [&](dom::element row) {
    each(row, "row", [&](dom::element p) {
      if (count < confusion.size()) confusion[count] = number(p, "a probability");
      ++count;
    });
    if (count % 2 != 0) refuse("a row has not 2 probabilities");
  });
  if (count != confusion.size())
    refuse("'confusion' is not a 2 x 2 matrix", "give [[P(0|0), P(1|0)], [P(0|1), P(1|1)]]");
  model.add_readout(confusion, std::move(wires));
}

NoiseModel read(dom::element root, const ImportLimits& limits) {
  const Fields document(root, "the document");
  document.allow({"skerry_noise", "rules", "readout"});
  std::int64_t version = 0;
  if (document.at("skerry_noise").get_int64().get(version) != simdjson::SUCCESS || version < 1)
    refuse("'skerry_noise' is not a version", "write \"skerry_noise\": 1");
  if (version > kVersion)
    refuse("the noise model is of version " + std::to_string(version) + ", this reads 1", {},
           ErrorCode::version_too_new);
  NoiseModel model;
  if (const auto rules = document.find("rules"))
    each(*rules, "rules", [&](dom::element e) { read_rule(e, limits, model); });
  if (const auto readout = document.find("readout"))
    each(*readout, "readout", [&](dom::element e) { read_readout(e, limits, model); });
  return model;
}

}  // namespace

NoiseModel read_noise(std::string_view text, std::string_view name, const ImportLimits& limits) {
  try {
    if (text.size() > limits.max_text_bytes || text.size() >= simdjson::SIMDJSON_MAXSIZE_BYTES) {
      refuse("the text has " + std::to_string(text.size()) + " bytes, max_text_bytes is " +
                 std::to_string(limits.max_text_bytes),
             "raise max_text_bytes", ErrorCode::limit_exceeded);
    }
    dom::parser parser;
    if (const auto code = parser.allocate(text.size(), limits.max_nesting); code != simdjson::SUCCESS)
      refuse_json(code);
    dom::element root;
    if (const auto code = parser.parse(text.data(), text.size()).get(root); code != simdjson::SUCCESS)
      refuse_json(code);
    return read(root, limits);
  } catch (const Error& error) {
    throw error.at(name);
  }
}

}  // namespace skerry::frontend
