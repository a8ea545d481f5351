#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "frontend/noise/noise.hpp"
#include "ir/noise/matrices.hpp"

namespace skerry::frontend {
namespace {

std::string shown(double value) {
  if (std::isinf(value)) return "\"inf\"";  // which JSON has no number for
  std::array<char, 40> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

template <class List, class Function>
std::string list(const List& items, Function each) {
  std::string out = "[";
  for (const auto& item : items) out += (out.size() == 1 ? "" : ", ") + each(item);
  return out + "]";
}

std::string numbers(const std::vector<std::uint32_t>& items) {
  return list(items, [](std::uint32_t v) { return std::to_string(v); });
}

std::string matrix_text(const Matrix& m) {
  const std::size_t rows = std::size_t{1} << m.wires;
  std::string out = "[";
  for (std::size_t r = 0; r < rows; ++r) {
    const std::span row = std::span(m.values).subspan(r * rows, rows);
    out += (r == 0 ? "" : ", ") + list(row, [](std::complex<double> v) {
             return v.imag() == 0 ? shown(v.real()) : "[" + shown(v.real()) + ", " + shown(v.imag()) + "]";
           });
  }
  return out + "]";
}

std::string channel(const Channel& c) {
  const auto kinds = channel_kinds();
  const auto row = std::ranges::find(kinds, c.kind(), &ChannelKind::name);
  if (row == kinds.end()) return R"({"kind": "kraus", "operators": )" + list(c.operators(), matrix_text) + "}";
  std::string out = R"({"kind": ")" + c.kind() + '"';
  for (std::size_t i = 0; i < row->numbers.size(); ++i)
    out += ", \"" + std::string(row->numbers[i]) + "\": " + shown(c.numbers()[i]);
  if (row->any_wires) out += ", \"wires\": " + std::to_string(c.wires());
  return out + "}";
}

std::string json_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::string write_noise(const NoiseModel& model) {
  std::string out = "{\"skerry_noise\": 1,\n \"rules\": [";
  for (std::size_t i = 0; i < model.rules().size(); ++i) {
    const NoiseRule& rule = model.rules()[i];
    out += (i == 0 ? "\n  {\"gate\": " : ",\n  {\"gate\": ") + json_text(rule.gate);
    if (!rule.wires.empty()) out += ", \"wires\": " + numbers(rule.wires);
    if (!rule.on.empty()) out += ", \"on\": " + numbers(rule.on);
    out += ", \"channels\": [" + channel(rule.channel) + "]}";
  }
  out += "],\n \"readout\": [";
  for (std::size_t i = 0; i < model.readout_rules().size(); ++i) {
    const ReadoutRule& rule = model.readout_rules()[i];
    const Confusion& p = rule.confusion;
    out += i == 0 ? "\n  {" : ",\n  {";
    if (!rule.wires.empty()) out += "\"wires\": " + numbers(rule.wires) + ", ";
    out += "\"confusion\": [[" + shown(p[0]) + ", " + shown(p[1]) + "], [" + shown(p[2]) + ", " + shown(p[3]) + "]]}";
  }
  return out + "]}\n";
}

}  // namespace skerry::frontend
