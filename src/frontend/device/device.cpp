#include "frontend/device/device.hpp"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <skerry/error.hpp>
#include <string>

#include "frontend/refuse.hpp"

namespace skerry::frontend {
namespace {

namespace dom = simdjson::dom;

constexpr std::uint32_t kMaxQubits = 1U << 20;
constexpr std::size_t kMaxBytes = 64U << 20;

class DeviceReader {
 public:
  explicit DeviceReader(dom::object root) : root_(root) {}

  Target read() {
    read_name();
    read_qubits();
    read_coupling();
    read_basis();
    read_times("t1_us", target_.t1_seconds);
    read_times("t2_us", target_.t2_seconds);
    read_figures("duration_ns", 1e-9, true);
    read_figures("error", 1.0, false);
    return std::move(target_);
  }

 private:
  std::optional<dom::element> field(std::string_view key) const {
    dom::element found;
    if (root_[key].get(found) != simdjson::SUCCESS) return std::nullopt;
    return found;
  }

  void read_name() {
    std::string_view name;
    if (const auto e = field("name"); e && e->get_string().get(name) == simdjson::SUCCESS) target_.name = name;
  }

  void read_qubits() {
    const auto e = field("qubits");
    std::int64_t count = 0;
    if (!e) refuse("a device without 'qubits'", "give the number of its qubits");
    if (e->get_int64().get(count) != simdjson::SUCCESS || count < 1) {
      refuse("'qubits' is not a positive whole number", "give the number of the device's qubits");
    }
    if (count > kMaxQubits) {
      refuse("a device of " + std::to_string(count) + " qubits", "at most " + std::to_string(kMaxQubits) + " are read",
             ErrorCode::limit_exceeded);
    }
    target_.qubits = static_cast<std::uint32_t>(count);
  }

  Wire wire(dom::element e) const {
    std::int64_t index = 0;
    if (e.get_int64().get(index) != simdjson::SUCCESS) refuse("a qubit is not a whole number", "[[0, 1], [1, 2]]");
    return checked(index);
  }
  Wire checked(std::int64_t index) const {
    if (index < 0 || index >= target_.qubits) {
      refuse("qubit " + std::to_string(index) + " of a device that has " + std::to_string(target_.qubits),
             "qubits are counted from 0", ErrorCode::out_of_range);
    }
    return static_cast<Wire>(index);
  }

  void read_coupling() {
    const auto e = field("coupling");
    if (!e) return;
    dom::array pairs;
    if (e->get_array().get(pairs) != simdjson::SUCCESS) refuse("'coupling' is not a list", "[[0, 1], [1, 2]]");
    target_.all_to_all = false;
    for (const dom::element pair : pairs) {
      dom::array both;
      if (pair.get_array().get(both) != simdjson::SUCCESS || both.size() != 2) {
        refuse("an entry of 'coupling' is not a pair", "[[0, 1], [1, 2]]");
      }
      const Wire a = wire(both.at(0)), b = wire(both.at(1));
      if (a == b) refuse("qubit " + std::to_string(a) + " is coupled with itself", "a pair names two qubits");
      target_.coupling.emplace_back(a, b);
    }
    bool directed = false;
    if (const auto d = field("directed"); d && d->get_bool().get(directed) == simdjson::SUCCESS) {
      target_.directed = directed;
    }
  }

  void read_basis() {
    const auto e = field("basis");
    if (!e) return;
    dom::array names;
    if (e->get_array().get(names) != simdjson::SUCCESS) refuse("'basis' is not a list", R"(["rz", "sx", "cx"])");
    target_.basis.clear();
    for (const dom::element item : names) {
      std::string_view name;
      if (item.get_string().get(name) != simdjson::SUCCESS) refuse("a gate of 'basis' is no name", "\"cx\"");
      target_.basis.emplace_back(name);
    }
  }

  void read_times(std::string_view key, std::vector<double>& into) {
    const auto e = field(key);
    if (!e) return;
    dom::array list;
    if (e->get_array().get(list) != simdjson::SUCCESS || list.size() != target_.qubits) {
      refuse(
          "'" + std::string(key) + "' has not one number for each of the " + std::to_string(target_.qubits) + " qubits",
          "give microseconds, by qubit");
    }
    for (const dom::element item : list) into.push_back(1e-6 * number(item, key));
  }

  static double number(dom::element e, std::string_view key) {
    double value = 0;
    if (e.get_double().get(value) != simdjson::SUCCESS || !std::isfinite(value) || value < 0) {
      refuse("'" + std::string(key) + "' holds something that is no number, or a negative one",
             "durations and errors are numbers, 0 or more");
    }
    return value;
  }

  // "3-5" or "3".
  std::vector<Wire> wires_of(std::string_view key) const {
    std::vector<Wire> wires;
    const char* at = key.data();
    const char* const end = at + key.size();
    while (true) {
      std::int64_t index = -1;
      const auto [next, status] = std::from_chars(at, end, index);
      if (status != std::errc()) refuse("'" + std::string(key) + "' names no qubits", "write \"3\" or \"3-5\"");
      wires.push_back(checked(index));
      if (next == end) return wires;
      if (*next != '-') refuse("'" + std::string(key) + "' names no qubits", "write \"3\" or \"3-5\"");
      at = next + 1;
    }
  }

  void read_figures(std::string_view key, double unit, bool is_duration) {
    const auto e = field(key);
    if (!e) return;
    dom::object by_gate;
    if (e->get_object().get(by_gate) != simdjson::SUCCESS) {
      refuse("'" + std::string(key) + "' is not an object by gate", R"({"cx": {"0-1": 300}})");
    }
    for (const auto [gate, value] : by_gate) {
      std::string_view like;
      if (value.get_string().get(like) == simdjson::SUCCESS) continue;
      GateFigures& figures = target_.gates[std::string(gate)];
      read_one(value, key, unit, is_duration ? figures.duration_seconds : figures.error,
               is_duration ? figures.durations_seconds : figures.errors);
    }
    for (const auto [gate, value] : by_gate) {
      std::string_view like;
      if (value.get_string().get(like) != simdjson::SUCCESS) continue;
      constexpr std::string_view kLike = "as ";
      const auto source =
          like.starts_with(kLike) ? target_.gates.find(std::string(like.substr(kLike.size()))) : target_.gates.end();
      if (source == target_.gates.end()) {
        refuse("'" + std::string(like) + "' names no gate with a value", "write \"as sx\"");
      }
      const GateFigures from = source->second;
      GateFigures& figures = target_.gates[std::string(gate)];
      if (is_duration) {
        figures.duration_seconds = from.duration_seconds;
        figures.durations_seconds = from.durations_seconds;
      } else {
        figures.error = from.error;
        figures.errors = from.errors;
      }
    }
  }

  void read_one(dom::element value, std::string_view key, double unit, double& all,
                std::map<std::vector<Wire>, double>& some) const {
    dom::array list;
    dom::object by_wires;
    if (value.get_array().get(list) == simdjson::SUCCESS) {
      std::int64_t index = 0;
      for (const dom::element item : list) some[{checked(index++)}] = unit * number(item, key);
    } else if (value.get_object().get(by_wires) == simdjson::SUCCESS) {
      for (const auto [wires, item] : by_wires) some[wires_of(wires)] = unit * number(item, key);
    } else {
      all = unit * number(value, key);
    }
  }

  dom::object root_;
  Target target_;
};

}  // namespace

Target read_target(std::string_view json) {
  if (json.size() > kMaxBytes) {
    refuse("a device of " + std::to_string(json.size()) + " bytes",
           "at most " + std::to_string(kMaxBytes) + " are read", ErrorCode::limit_exceeded);
  }
  dom::parser parser;
  dom::element root;
  constexpr std::size_t kDepth = 16;
  if (const auto code = parser.allocate(json.size(), kDepth); code != simdjson::SUCCESS) {
    refuse(std::string("this device cannot be read: ") + simdjson::error_message(code), {}, ErrorCode::limit_exceeded);
  }
  if (const auto code = parser.parse(json.data(), json.size()).get(root); code != simdjson::SUCCESS) {
    refuse(std::string("this is not JSON: ") + simdjson::error_message(code),
           R"(a device is {"qubits": 3, "coupling": [[0, 1], [1, 2]]})", ErrorCode::syntax_error);
  }
  dom::object object;
  if (root.get_object().get(object) != simdjson::SUCCESS) {
    refuse("a device is a JSON object", R"({"qubits": 3, "coupling": [[0, 1], [1, 2]]})");
  }
  return DeviceReader(object).read();
}

}  // namespace skerry::frontend
