#include "edge/machine_state.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <mutex>
#include <string>

namespace skerry::edge {
namespace {

std::string word(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string text;
  in >> text;
  return text;
}

std::optional<double> number(const std::filesystem::path& file) {
  std::ifstream in(file);
  double value = 0.0;
  if (in >> value) return value;
  return std::nullopt;
}

template <class F>
void each_entry(const std::filesystem::path& folder, F visit) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    visit(at->path());
}

void read_batteries(MachineState& state, const std::filesystem::path& root) {
  bool is_discharging = false, has_supply = false;
  each_entry(root / "sys/class/power_supply", [&](const std::filesystem::path& entry) {
    const std::string type = word(entry / "type");
    if (type == "Battery" && word(entry / "scope") != "Device") {  // a mouse's battery is not the machine's
      is_discharging |= word(entry / "status") == "Discharging";
      if (const auto percent = number(entry / "capacity"))
        state.battery_percent = std::max(state.battery_percent.value_or(0.0), *percent);
    } else if (type == "Mains" || type == "USB") {
      has_supply |= number(entry / "online").value_or(0.0) != 0.0;
    }
  });
  state.on_battery = is_discharging && !has_supply;
}

void read_heat(MachineState& state, const std::filesystem::path& root) {
  constexpr double kNear = 5.0;
  each_entry(root / "sys/class/thermal", [&](const std::filesystem::path& entry) {
    if (!entry.filename().string().starts_with("thermal_zone")) return;
    const auto millidegrees = number(entry / "temp");
    if (!millidegrees || *millidegrees < -50e3 || *millidegrees > 200e3) return;  // a sensor that is not there
    const double celsius = *millidegrees / 1000;
    state.celsius = std::max(state.celsius.value_or(celsius), celsius);
    for (int trip = 0; trip < 16; ++trip) {
      const std::string name = "trip_point_" + std::to_string(trip);
      const std::string type = word(entry / (name + "_type"));
      if (type.empty()) break;
      const auto limit = number(entry / (name + "_temp"));
      const bool slows = type == "passive" || type == "hot" || type == "critical";
      if (slows && limit && *limit > 0 && celsius > *limit / 1000 - kNear) state.too_hot = true;
    }
  });
}

}  // namespace

MachineState read_machine_state(const std::filesystem::path& root) {
  MachineState state;
  read_batteries(state, root);
  read_heat(state, root);
  return state;
}

MachineState recent_machine_state() {
  using Clock = std::chrono::steady_clock;
  static std::mutex mutex;
  static MachineState state;
  static std::optional<Clock::time_point> read_at;
  const std::scoped_lock lock(mutex);
  const auto now = Clock::now();
  if (!read_at || now - *read_at > std::chrono::seconds(1)) {
    state = read_machine_state();
    read_at = now;
  }
  return state;
}

}  // namespace skerry::edge
