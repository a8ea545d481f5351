#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <skerry/compression.hpp>

#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/samples.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  ProgramFlags program;
  std::string data, judged, output, kind = "int8", calibration = "min-max";
  double percentile = 99.99, max_loss = -1.0;
  std::int64_t block = 32;
  bool per_tensor = false;
  std::vector<std::string> keep;
};

// A score that no rows were there for is none.
nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

void print(const Quantized& made, const Flags& flags, const Context& context, std::uint64_t before,
           std::uint64_t after) {
  if (context.json) {
    auto layers = nlohmann::json::array();
    for (const QuantizedLayer& layer : made.layers)
      layers.push_back({{"node", layer.node},
                        {"op", layer.op},
                        {"weights", dtype_name(layer.weights)},
                        {"bytes_before", layer.bytes_before},
                        {"bytes", layer.bytes}});
    print_json({{"ok", true},
                {"output", flags.output},
                {"bytes_before", before},
                {"bytes", after},
                {"weight_bytes_before", made.weight_bytes_before},
                {"weight_bytes", made.weight_bytes},
                {"score_before", number(made.score_before)},
                {"score", number(made.score)},
                {"snr_db", number(made.snr_db)},
                {"layers", layers}});
    return;
  }
  std::printf("%-28s %-8s %-5s %12s %12s\n", "layer", "op", "is", "bytes before", "bytes");
  for (const QuantizedLayer& layer : made.layers)
    std::printf("%-28s %-8s %-5s %12llu %12llu\n", layer.node.c_str(), layer.op.c_str(),
                std::string(dtype_name(layer.weights)).c_str(), static_cast<unsigned long long>(layer.bytes_before),
                static_cast<unsigned long long>(layer.bytes));
  if (std::isfinite(made.score))
    std::printf("right %.2f %% -> %.2f %%, error of the output %.1f dB below it\n", 100 * made.score_before,
                100 * made.score, made.snr_db);
  std::printf("%s %llu -> %llu bytes (%.2fx)\n", flags.output.c_str(), static_cast<unsigned long long>(before),
              static_cast<unsigned long long>(after), static_cast<double>(after) / static_cast<double>(before));
}

int run(const Flags& flags, const Context& context) {
  const Graph model = load_model(flags.program);
  QuantizeOptions options{.kind = quantization_from_name(flags.kind),
                          .calibration = calibration_from_name(flags.calibration),
                          .percentile = flags.percentile,
                          .per_channel = !flags.per_tensor,
                          .block = flags.block,
                          .keep = flags.keep,
                          .max_loss = {},
                          .limits = context.settings.limits()};
  if (flags.max_loss >= 0.0) options.max_loss = flags.max_loss;
  const Samples data = flags.data.empty() ? Samples() : read_samples(model, flags.data);
  const Samples judged = flags.judged.empty() ? data : read_samples(model, flags.judged);
  const Quantized made = quantize(model, data, judged, options);
  write_model(made.graph, flags.output, false);
  print(made, flags, context, std::filesystem::file_size(flags.program.file), std::filesystem::file_size(flags.output));
  return 0;
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  command.add_option("-o,--output", flags->output, "What to write: an ONNX file, else a package")
      .type_name("FILE.onnx|FILE.skerry")
      .required();
  command.add_option("--data", flags->data, "Samples that ranges are seen on: an array for each input, maybe `labels`")
      .type_name("FILE.npz");
  command.add_option("--judge", flags->judged, "Samples that the result is judged on; those of --data without it")
      .type_name("FILE.npz");
  command.add_option("--kind", flags->kind, "int8, int8-weights or int4-weights").type_name("KIND").show_default();
  command.add_option("--calibration", flags->calibration, "min-max, percentile, entropy or mse")
      .type_name("METHOD")
      .show_default();
  command.add_option("--percentile", flags->percentile, "What percentile keeps").type_name("P").show_default();
  command.add_option("--block", flags->block, "Weights of int4 that share a scale").type_name("N").show_default();
  command.add_flag("--per-tensor", flags->per_tensor, "One scale for a layer's weights instead of one for each output");
  command.add_option("--keep", flags->keep, "Layer that stays as it is; again for each").type_name("NAME");
  command
      .add_option("--max-loss", flags->max_loss,
                  "Share of right answers that may be lost; layers that hurt most stay wider until it holds")
      .type_name("SHARE");
  return [flags](Context& context) { return run(*flags, context); };
}

}  // namespace

extern const Verb quantize_verb;
const Verb quantize_verb = {
    "quantize",
    "Write a model in small integers, and tell what that does to size and answers",
    "skerry quantize model.onnx --data samples.npz -o small.onnx\n"
    "skerry quantize model.onnx --kind int4-weights --judge test.npz --max-loss 0.005 -o small.skerry\n",
    true,
    declare,
};

}  // namespace skerry::cli
