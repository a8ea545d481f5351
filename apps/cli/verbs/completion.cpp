#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

std::string words(const std::vector<std::string>& all) {
  std::string text;
  for (const auto& word : all) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

// Verbs first, then the verb's own flags, else files: generated from the parser, so it cannot fall behind.
std::string bash_script(const CLI::App& app) {
  std::vector<std::string> names;
  std::string cases;  // of the flags that every verb takes, the last two stand in no verb's own list
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
    cases += "    " + command->get_name() + ") words=\"" + words(flags_of(*command)) + " --json --config\" ;;\n";
  }
  return "_skerry() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"" +
         words(names) + " " + words(flags_of(app)) +
         "\" -- \"$word\"))\n    return\n  fi\n  case \"${COMP_WORDS[1]}\" in\n" + cases +
         "  esac\n  if [ \"${word#-}\" != \"$word\" ]; then\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "  else\n    COMPREPLY=($(compgen -f -- \"$word\"))\n  fi\n}\n";
}

Action declare(const Command& command) {
  auto shell = std::make_shared<std::string>();  // shared: std::function copies its target
  command.add_option("shell", *shell, "bash or zsh").type_name("").required();
  const CLI::App* app = command.app().get_parent();
  return [shell, app](Context& context) {
    if (*shell != "bash" && *shell != "zsh") {
      throw Error(ErrorCode::invalid_argument, "there is no completion for '" + *shell + "'", "completion",
                  "use bash or zsh");
    }
    const std::string begin = *shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "";
    const std::string script = begin + bash_script(*app) + "complete -o filenames -F _skerry skerry\n";
    if (context.json) {
      print_json({{"ok", true}, {"script", script}});
    } else {
      std::fputs(script.c_str(), stdout);
    }
    return 0;
  };
}

}  // namespace

extern const Verb completion_verb;
const Verb completion_verb = {
    "completion",
    "Print a completion script: source <(skerry completion bash)",
    "source <(skerry completion bash)\n",
    false,
    declare,
};

}  // namespace skerry::cli
