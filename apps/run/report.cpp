#include "report.hpp"

#include <cmath>
#include <skerry/graph.hpp>

#include "base/memory_usage.hpp"
#include "base/number_text.hpp"
#include "plan/budget.hpp"

namespace skerry::device {
namespace {

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr std::string_view kHex = "0123456789abcdef";
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4U];
      out += kHex[static_cast<unsigned char>(c) & 15U];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string number(double value) {
  return std::isfinite(value) ? base::number_text(value) : "null";
}

std::string report_json(const RunReport& report) {
  return "\"method\":" + in_quotes(report.method) + ",\"threads\":" + std::to_string(report.threads) +
         ",\"seconds\":" + number(report.seconds) + ",\"predicted_seconds\":" + number(report.predicted_seconds) +
         ",\"peak_bytes\":" + std::to_string(report.peak_bytes) +
         ",\"predicted_bytes\":" + std::to_string(report.predicted_bytes) +
         ",\"process_peak_bytes\":" + std::to_string(base::peak_resident_bytes());
}

}  // namespace

std::string text(const Result& result) {
  std::string out;
  for (std::size_t i = 0; i < result.counts.size(); ++i) {
    out += result.counts.text(i) + " " + std::to_string(result.counts.times(i)) + "\n";
  }
  for (const auto& [name, tensor] : result.tensors)
    out += name + " " + TensorType::of(tensor.dtype(), tensor.shape()).text() + "\n";
  for (const auto& [name, value] : result.outputs) out += name + " " + number(value) + "\n";
  out += result.report.method + ": " + planning::seconds_text(result.report.seconds) + ", " +
         planning::bytes_text(result.report.peak_bytes) + "\n";
  return out;
}

std::string json(const Result& result) {
  std::string out = "{\"ok\":true," + report_json(result.report);
  if (result.counts.size() > 0) {
    out += ",\"counts\":{";
    for (std::size_t i = 0; i < result.counts.size(); ++i) {
      out += (i == 0 ? "" : ",") + in_quotes(result.counts.text(i)) + ":" + std::to_string(result.counts.times(i));
    }
    out += "}";
  }
  if (!result.tensors.empty()) {
    out += ",\"tensors\":{";
    for (std::size_t i = 0; i < result.tensors.size(); ++i) {
      const auto& [name, tensor] = result.tensors[i];
      out += (i == 0 ? "" : ",") + in_quotes(name) + ":{\"dtype\":" + in_quotes(dtype_name(tensor.dtype())) +
             ",\"shape\":" + tensor.shape().text() + "}";
    }
    out += "}";
  }
  return out + "}\n";
}

std::string json(const Error& error) {
  return "{\"ok\":false,\"error\":{\"code\":" + in_quotes(error_info(error.code()).name) +
         ",\"message\":" + in_quotes(error.message()) + ",\"where\":" + in_quotes(error.where()) +
         ",\"hint\":" + in_quotes(error.hint()) +
         "},\"process_peak_bytes\":" + std::to_string(base::peak_resident_bytes()) + "}\n";
}

}  // namespace skerry::device
