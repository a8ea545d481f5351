/// \file
/// Battery and heat of the machine at this moment, as Linux tells them.
#pragma once

#include <filesystem>
#include <optional>

namespace skerry::edge {

struct MachineState {
  std::optional<double> battery_percent;  ///< of the fullest battery
  bool on_battery = false;                ///< some battery is discharging and no supply from outside is online
  std::optional<double> celsius;          ///< of the hottest zone
  bool too_hot = false;                   ///< a zone is within 5 degrees of its passive, hot or critical trip point
};

/// Reads sys/class/power_supply and sys/class/thermal below root. What is missing or no number is left out.
MachineState read_machine_state(const std::filesystem::path& root = "/");

/// The same, read at most once a second: some sensors take milliseconds. From any thread.
MachineState recent_machine_state();

}  // namespace skerry::edge
