#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <skerry/compression.hpp>

#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/samples.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  ProgramFlags program;
  std::string output, judged;
  PruneOptions options;
  bool each = false;
};

int run(const Flags& flags, const Context& context) {
  const Graph model = load_model(flags.program);
  PruneOptions options = flags.options;
  options.global = !flags.each;
  const Pruned made = prune(model, options);
  write_model(made.graph, flags.output, true);
  const auto before = std::filesystem::file_size(flags.program.file), after = std::filesystem::file_size(flags.output);
  std::optional<Agreement> judged;
  if (!flags.judged.empty())
    judged = compare(model, made.graph, read_samples(model, flags.judged), context.settings.limits());
  if (context.json) {
    auto layers = nlohmann::json::array();
    for (const PrunedLayer& layer : made.layers)
      layers.push_back({{"node", layer.node}, {"op", layer.op}, {"before", layer.before}, {"left", layer.left}});
    nlohmann::json object = {{"ok", true},
                             {"output", flags.output},
                             {"bytes_before", before},
                             {"bytes", after},
                             {"weight_bytes_before", made.weight_bytes_before},
                             {"weight_bytes", made.weight_bytes},
                             {"layers", layers}};
    if (judged) object["score_before"] = judged->score_before, object["score"] = judged->score;
    print_json(object);
    return 0;
  }
  std::printf("%-28s %-8s %12s %12s\n", "layer", "op", options.structured ? "outputs" : "weights", "left");
  for (const PrunedLayer& layer : made.layers)
    std::printf("%-28s %-8s %12llu %12llu\n", layer.node.c_str(), layer.op.c_str(),
                static_cast<unsigned long long>(layer.before), static_cast<unsigned long long>(layer.left));
  if (judged) std::printf("right %.2f %% -> %.2f %%\n", 100 * judged->score_before, 100 * judged->score);
  std::printf("%s %llu -> %llu bytes (%.2fx)\n", flags.output.c_str(), static_cast<unsigned long long>(before),
              static_cast<unsigned long long>(after), static_cast<double>(after) / static_cast<double>(before));
  return 0;
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  command.add_option("-o,--output", flags->output, "What to write: an ONNX file, else a compressed package")
      .type_name("FILE.onnx|FILE.skerry")
      .required();
  command.add_option("--ratio", flags->options.ratio, "Share of the weights, or of each layer's outputs")
      .type_name("SHARE")
      .show_default();
  command.add_flag("--structured", flags->options.structured, "Whole channels leave, wherever they are used");
  command.add_flag("--each", flags->each, "Each layer loses its share, instead of the model as a whole");
  command.add_option("--multiple", flags->options.multiple, "Channels that are left are a multiple of this")
      .type_name("N")
      .show_default();
  command.add_option("--judge", flags->judged, "Samples that the result is judged on").type_name("FILE.npz");
  command.add_option("--keep", flags->options.keep, "Layer that stays as it is; again for each").type_name("NAME");
  return [flags](Context& context) { return run(*flags, context); };
}

}  // namespace

extern const Verb prune_verb;
const Verb prune_verb = {
    "prune",
    "Remove the weights or channels of a model that matter least, and tell what that does",
    "skerry prune model.onnx --ratio 0.5 -o sparse.skerry\n"
    "skerry prune model.onnx --structured --ratio 0.25 --judge test.npz -o thin.onnx\n",
    true,
    declare,
};

}  // namespace skerry::cli
