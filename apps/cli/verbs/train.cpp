#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <skerry/training.hpp>

#include "base/file.hpp"
#include "base/threads.hpp"
#include "cli/control.hpp"
#include "cli/output.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

using nlohmann::json;

struct Flags {
  std::string what, encoding = "coherent_state", checkpoint, resume, plot;
  train::GanOptions options;
  std::uint64_t steps = 300, every = 50;
};

/// One line of the table: a step, its losses, and how near the points are.
struct Row {
  std::uint64_t step;
  train::GanLosses losses;
  train::GanMetrics metrics;
};

json row_json(const Row& row) {
  return {{"step", row.step},
          {"sliced_w1", row.metrics.sliced_w1},
          {"mmd2", row.metrics.mmd2},
          {"modes_hit", row.metrics.modes_hit},
          {"discriminator_loss", row.losses.discriminator},
          {"generator_loss", row.losses.generator},
          {"leak", row.losses.leak}};
}

/// Sliced W1 over steps, and the points themselves over the task's, side by side.
std::string plot_svg(const std::vector<Row>& rows, const std::vector<double>& fake, const std::vector<double>& real) {
  std::string svg = R"(<svg xmlns="http://www.w3.org/2000/svg" width="820" height="400" font-family="sans-serif">)"
                    "\n<rect width=\"820\" height=\"400\" fill=\"white\"/>\n";
  char line[160];
  double highest = 0;
  for (const Row& row : rows) highest = std::max(highest, row.metrics.sliced_w1);
  const auto last = static_cast<double>(std::max<std::uint64_t>(rows.back().step, 1));
  svg += "<polyline fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"2\" points=\"";
  for (const Row& row : rows) {
    std::snprintf(line, sizeof line, "%.1f,%.1f ", 40 + 340 * static_cast<double>(row.step) / last,
                  370 - 320 * row.metrics.sliced_w1 / std::max(highest, 1e-9));
    svg += line;
  }
  std::snprintf(line, sizeof line, "\"/>\n<text x=\"40\" y=\"30\">sliced W1, from %.3f to %.3f in %llu steps</text>\n",
                rows.front().metrics.sliced_w1, rows.back().metrics.sliced_w1,
                static_cast<unsigned long long>(rows.back().step));
  svg += line;
  for (const auto& [points, colour] : {std::pair(&real, "#bbbbbb"), std::pair(&fake, "#c0392b")})
    for (std::size_t i = 0; i + 1 < points->size(); i += 2) {
      std::snprintf(line, sizeof line, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.5\" fill=\"%s\"/>\n",
                    620 + 110 * (*points)[i], 200 - 110 * (*points)[i + 1], colour);
      svg += line;
    }
  return svg + "<text x=\"440\" y=\"30\">task (grey) and generated (red)</text>\n</svg>\n";
}

photonic::Encoding encoding_of(const std::string& name) {
  if (name == "coherent_state") return photonic::Encoding::coherent_state;
  if (name == "direct_displacement") return photonic::Encoding::direct_displacement;
  if (name == "classical_neural") return photonic::Encoding::classical_neural;
  throw Error(ErrorCode::invalid_argument, "no encoding is called '" + name + "'", "--encoding",
              "take coherent_state, direct_displacement or classical_neural");
}

int run_qgan(const Flags& flags, Context& context) {
  train::GanOptions options = flags.options;
  options.generator.encoding = encoding_of(flags.encoding);
  options.seed = context.settings.run_options().seed;
  const int threads = context.settings.limits().threads;
  const base::ThreadLimit limit(threads > 0 ? threads : base::thread_budget());
  train::GanTrainer trainer = flags.resume.empty() ? train::GanTrainer(options) : train::GanTrainer::load(flags.resume);
  const Interruptible interruptible(context.terminal);
  const RunControl control = interruptible.control();
  std::vector<Row> rows;
  train::GanLosses losses;
  const auto report = [&] {
    const Row& row = rows.emplace_back(Row{trainer.steps(), losses, trainer.metrics()});
    if (context.json) return;
    std::printf("%8llu  sliced W1 %.4f  MMD² %.4f  modes %u/%u  losses %.3f %.3f  leak %.1e\n",
                static_cast<unsigned long long>(row.step), row.metrics.sliced_w1, row.metrics.mmd2,
                row.metrics.modes_hit, row.metrics.modes, losses.discriminator, losses.generator, losses.leak);
    std::fflush(stdout);
  };
  report();
  double seconds = 0;
  const std::uint64_t first = trainer.steps();
  while (trainer.steps() < flags.steps) {
    control.check("training");
    const auto start = std::chrono::steady_clock::now();
    losses = trainer.step();
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    control.report(static_cast<double>(trainer.steps()) / static_cast<double>(flags.steps), "training");
    if (trainer.steps() % flags.every == 0 || trainer.steps() == flags.steps) {
      report();
      if (!flags.checkpoint.empty()) trainer.save(flags.checkpoint);
    }
  }
  if (!flags.plot.empty()) {
    const std::string svg =
        plot_svg(rows, trainer.sample(1024, 424242), train::draw_task(trainer.options().task, 991, 1024));
    const std::span<const std::byte> part = std::as_bytes(std::span(svg));
    base::write_file_atomically(flags.plot, std::span(&part, 1));
  }
  const double rate = seconds > 0 ? static_cast<double>(trainer.steps() - first) / seconds : 0;
  if (!context.json) {
    std::printf("%.0f steps per second\n", rate);
    return 0;
  }
  json history = json::array();
  for (const Row& row : rows) history.push_back(row_json(row));
  print_json({{"ok", true}, {"steps", trainer.steps()}, {"steps_per_second", rate}, {"history", history}});
  return 0;
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  command.add_option("what", flags->what, "What to train: qgan").type_name("WHAT").required();
  command.add_option("--task", flags->options.task, "ring, two_blob or four_blob").type_name("TASK");
  command.add_option("--batch", flags->options.batch, "Points in a step");
  command.add_count("--steps", flags->steps, "Steps in all, those of a resumed run included");
  command.add_option("--rate", flags->options.rate, "Learning rate of both networks");
  command.add_option("--layers", flags->options.generator.layers, "Photonic layers");
  command.add_option("--cutoff", flags->options.generator.cutoff, "Photon numbers kept in each mode");
  command.add_option("--latent", flags->options.generator.latent, "Numbers in a latent");
  command.add_option("--encoding", flags->encoding, "coherent_state, direct_displacement or classical_neural")
      .type_name("NAME");
  command.add_count("--every", flags->every, "Steps between metrics and checkpoints").between(1, 1e9);
  command.add_option("--checkpoint", flags->checkpoint, "File that is written with every metrics line")
      .type_name("FILE");
  command.add_option("--resume", flags->resume, "Checkpoint to go on from (its options count)").type_name("FILE");
  command.add_option("--plot", flags->plot, "SVG file of the metric and the points").type_name("FILE.svg");
  return [flags](Context& context) {
    if (flags->what != "qgan")
      throw Error(ErrorCode::invalid_argument, "there is no training called '" + flags->what + "'", "train",
                  "take qgan");
    return run_qgan(*flags, context);
  };
}

}  // namespace

extern const Verb train_verb;
const Verb train_verb = {
    "train",
    "Train a photonic generative adversarial network",
    "skerry train qgan --task ring --steps 300\n"
    "skerry train qgan --checkpoint ring.txt --plot ring.svg --json\n"
    "skerry train qgan --resume ring.txt --steps 1000\n",
    true,
    declare,
};

}  // namespace skerry::cli
