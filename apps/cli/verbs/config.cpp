#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

Action declare(const Command& command) {
  auto sources = std::make_shared<bool>(false);  // shared: std::function copies its target
  command.add_flag("--sources", *sources, "Show where each value comes from");
  return [sources](Context& context) {
    if (context.json) {
      nlohmann::json object = {{"ok", true}, {"settings", nlohmann::json::object()}};
      for (const auto& [name, setting] : context.settings.all())
        object["settings"][name] = {{"value", setting.value}, {"source", setting.source}};
      print_json(object);
      return 0;
    }
    for (const SettingInfo& info : setting_infos()) {
      const Setting& setting = context.settings[info.name];
      const std::string value = setting.value.empty() ? "(none)" : setting.value;
      std::printf("%-20s %-12s %s\n", std::string(info.name).c_str(), value.c_str(),
                  *sources ? setting.source.c_str() : std::string(info.help).c_str());
    }
    return 0;
  };
}

}  // namespace

extern const Verb config_verb;
const Verb config_verb = {
    "config",
    "Show the settings: defaults < file < environment < flags",
    "skerry config --sources\n"
    "SKERRY_THREADS=2 skerry config --sources --seed 7\n",
    true,
    declare,
};

}  // namespace skerry::cli
