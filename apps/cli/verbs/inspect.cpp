#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"
#include "ir/text/text.hpp"
#include "package/keys.hpp"
#include "package/package.hpp"
#include "plan/budget.hpp"

namespace skerry::cli {
namespace {

using nlohmann::json;

struct Flags {
  ProgramFlags program;
  bool ir = false;
};

json package_json(const package::Info& info) {
  json sections = json::array();
  for (const auto& section : info.sections) {
    sections.push_back({{"name", section.name},
                        {"offset", section.offset},
                        {"stored_bytes", section.stored_bytes},
                        {"bytes", section.bytes},
                        {"compressed", section.compressed},
                        {"sha256", section.sha256}});
  }
  json out = {{"format_version", info.format_version},
              {"writer", info.writer},
              {"content_id", info.content_id},
              {"metadata", info.metadata},
              {"sections", std::move(sections)}};
  if (info.signer) out["signer"] = package::key_name(*info.signer);
  return out;
}

json program_json(const Circuit& circuit) {
  std::map<std::string, std::uint64_t> ops;
  for (const Block& block : circuit.blocks()) {
    for (std::size_t i = 0; i < block.size(); ++i) {
      std::string name;
      for (int c = 0; c < block[i].controls; ++c) name += "c";
      ++ops[name + std::string(op_name(block[i].op))];
    }
  }
  json parameters = json::array();
  for (const auto& parameter : circuit.parameters()) parameters.push_back(parameter.name);
  return {{"kind", "circuit"},          {"name", circuit.name},     {"wires", circuit.num_wires()},
          {"bits", circuit.num_bits()}, {"parameters", parameters}, {"operations", ops}};
}

json program_json(const Graph& graph) {
  std::map<std::string, std::uint64_t> ops;
  for (const Node& node : graph.nodes()) ++ops[node.op];
  std::uint64_t weights = 0;
  for (const Value& value : graph.values()) weights += value.constant ? value.constant->view().bytes() : 0;
  const auto signature = [&graph](const std::vector<ValueId>& ids) {
    json out = json::object();
    for (const ValueId id : ids) out[graph.value(id).name] = graph.value(id).type.text();
    return out;
  };
  return {{"kind", "graph"},
          {"name", graph.name},
          {"inputs", signature(graph.inputs())},
          {"outputs", signature(graph.outputs())},
          {"weight_bytes", weights},
          {"operations", ops}};
}

std::string plain(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// `name value` lines, deeper ones indented; what has no value is left out.
void print_text(const json& object, int depth) {  // NOLINT(misc-no-recursion): as deep as package_json nests, three
  for (const auto& [key, value] : object.items()) {
    const auto* text = value.get_ptr<const std::string*>();
    if (value.empty() || (text != nullptr && text->empty())) continue;
    // A list of names on one line; a list of sections one below the other.
    if (value.is_array() && !value.front().is_structured()) {
      std::string joined;
      for (const json& element : value) joined += (joined.empty() ? "" : ", ") + plain(element);
      std::printf("%*s%-16s %s\n", depth, "", key.c_str(), joined.c_str());
    } else if (value.is_structured()) {
      std::printf("%*s%s\n", depth, "", key.c_str());
      print_text(value, depth + 2);
    } else {
      std::printf("%*s%-16s %s\n", depth, "", key.c_str(), plain(value).c_str());
    }
  }
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  command.add_flag("--ir", flags->ir, "Print the program itself in Skerry's text form; large tensors as a hash");
  return [flags](Context& context) {
    const Program program = flags->program.load();
    if (flags->ir) {
      constexpr std::size_t kShownElements = 16;
      const auto* circuit = std::get_if<Circuit>(&program);
      const std::string text =
          circuit != nullptr ? ir::print(*circuit) : ir::print(std::get<Graph>(program), kShownElements);
      if (context.json) {
        print_json({{"ok", true}, {"ir", text}});
      } else {
        std::fputs(text.c_str(), stdout);
      }
      return 0;
    }
    json object = std::visit([](const auto& held) { return program_json(held); }, program);
    if (flags->program.file != "-" && package::is_package(base::MappedFile::open(flags->program.file).bytes())) {
      object["package"] = package_json(package::inspect(flags->program.file));
    }
    if (context.json) {
      object["ok"] = true;
      print_json(object);
    } else {
      print_text(object, 0);
    }
    return 0;
  };
}

}  // namespace

extern const Verb inspect_verb;
const Verb inspect_verb = {
    "inspect",
    "Show what a file holds",
    "skerry inspect model.skerry\n"
    "skerry inspect ghz.qasm --ir\n",
    false,
    declare,
};

}  // namespace skerry::cli
