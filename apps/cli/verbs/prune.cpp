#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <skerry/compression.hpp>
#include <skerry/fine_tuning.hpp>

#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/samples.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  ProgramFlags program;
  std::string output, judged, trained;
  std::uint32_t epochs = 2;
  double rate = 1e-3;
  double importance = 0.0;  // none
  PruneOptions options;
  bool each = false;
};

/// The model after epochs of training, in which what is zero stays zero.
Graph fine_tuned(const Graph& model, const Flags& flags) {
  const Samples samples = read_samples(model, flags.trained);
  if (samples.labels.empty())
    throw Error(ErrorCode::invalid_argument, "there are no labels to train on", flags.trained,
                "put an array 'labels' into the archive");
  train::FineTuner tuner(model, {.rate = flags.rate, .keep_zeros = true});
  for (std::uint32_t epoch = 0; epoch < flags.epochs; ++epoch)
    for (std::size_t i = 0; i < samples.inputs.size(); ++i) tuner.step(samples.inputs[i], samples.labels[i]);
  return tuner.model();
}

int run(const Flags& flags, const Context& context) {
  const Graph model = load_model(flags.program);
  PruneOptions options = flags.options;
  options.global = !flags.each;
  if (flags.importance != 0.0) options.importance_threshold = flags.importance;
  Pruned made = prune(model, options);
  if (!flags.trained.empty()) made.graph = fine_tuned(made.graph, flags);
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
  const Option ratio =
      command.add_option("--ratio", flags->options.ratio, "Share of the weights, or of each layer's outputs")
          .type_name("SHARE")
          .show_default();
  const Option structured =
      command.add_flag("--structured", flags->options.structured, "Whole channels leave, wherever they are used");
  command.add_flag("--each", flags->each, "Each layer loses its share, instead of the model as a whole")
      .excludes(structured);
  command.add_option("--multiple", flags->options.multiple, "Channels that are left are a multiple of this")
      .type_name("N")
      .show_default()
      .needs(structured);
  command
      .add_option("--importance-threshold", flags->importance,
                  "Instead of --ratio: channels leave whose squared magnitude is below this share of the mean of those "
                  "they hang together with")
      .type_name("SHARE")
      .needs(structured)
      .excludes(ratio);
  command.add_option("--judge", flags->judged, "Samples that the result is judged on").type_name("FILE.npz");
  const Option train =
      command.add_option("--train", flags->trained, "Samples with labels that what is left is trained on")
          .type_name("FILE.npz");
  command.add_option("--epochs", flags->epochs, "How often --train goes through its samples")
      .type_name("N")
      .show_default()
      .needs(train);
  command.add_option("--rate", flags->rate, "Learning rate of --train").type_name("RATE").show_default().needs(train);
  command.add_option("--keep", flags->options.keep, "Layer that stays as it is; again for each").type_name("NAME");
  return [flags](Context& context) { return run(*flags, context); };
}

}  // namespace

extern const Verb prune_verb;
const Verb prune_verb = {
    "prune",
    "Remove the weights or channels of a model that matter least, and tell what that does",
    "skerry prune model.onnx --ratio 0.5 -o sparse.skerry\n"
    "skerry prune model.onnx --structured --ratio 0.25 --judge test.npz -o thin.onnx\n"
    "skerry prune model.onnx --structured --importance-threshold 0.3 -o thin.onnx\n"
    "skerry prune model.onnx --ratio 0.7 --train samples.npz --epochs 5 --judge test.npz -o sparse.skerry\n",
    true,
    declare,
};

}  // namespace skerry::cli
