#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/control.hpp"
#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"
#include "plan/budget.hpp"

namespace skerry::cli {
namespace {

constexpr std::uint64_t kMostRuns = 100000;

struct Flags {
  ProgramFlags program;
  InputFlags input;
  std::uint64_t shots = 0;
  std::uint64_t repeat = 11;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  flags->input.declare(command);
  command.add_count("--shots", flags->shots, "Samples of a circuit; none when left out");
  command.add_count("--repeat", flags->repeat, "Measured runs after one that warms up; 11 when left out");
  return [flags](Context& context) {
    const Interruptible interruptible(context.terminal);
    if (flags->repeat == 0 || flags->repeat > kMostRuns) {
      throw Error(ErrorCode::invalid_argument, std::to_string(flags->repeat) + " runs cannot be measured", "--repeat",
                  "give 1 to " + std::to_string(kMostRuns));
    }
    const Program program = flags->program.load();
    flags->input.check(program);
    std::vector<double> seconds;
    RunReport report;
    if (const auto* circuit = std::get_if<Circuit>(&program)) {
      RunOptions options = context.settings.run_options();
      options.limits.control = interruptible.control();
      options.shots = flags->shots;
      flags->input.apply(options);
      plan(*circuit, options);  // measures the machine, if that was not done yet
      for (std::size_t i = 0; i <= flags->repeat; ++i)
        seconds.push_back((report = run(*circuit, options).report).seconds);
    } else {
      Limits limits = context.settings.limits();
      limits.control = interruptible.control();
      const Graph& graph = std::get<Graph>(program);
      plan(graph, flags->input.types(graph), limits);
      Session session(std::make_shared<const Graph>(graph), limits);
      const NamedTensors inputs = flags->input.filled(graph);
      for (std::size_t i = 0; i <= flags->repeat; ++i) seconds.push_back((report = session.run(inputs).report).seconds);
    }
    seconds.erase(seconds.begin());
    const auto [least, most] = std::minmax_element(seconds.begin(), seconds.end());
    if (context.json) {
      auto object = report_json(report);
      object.update({{"ok", true}, {"median", median(seconds)}, {"min", *least}, {"max", *most}, {"runs", seconds}});
      print_json(object);
    } else {
      std::printf("median %s, min %s, max %s over %zu runs; predicted %s and %s, took %s\n",
                  planning::seconds_text(median(seconds)).c_str(), planning::seconds_text(*least).c_str(),
                  planning::seconds_text(*most).c_str(), seconds.size(),
                  planning::seconds_text(report.predicted_seconds).c_str(),
                  planning::bytes_text(report.predicted_bytes).c_str(),
                  planning::bytes_text(report.peak_bytes).c_str());
    }
    return 0;
  };
}

}  // namespace

extern const Verb bench_verb;
const Verb bench_verb = {
    "bench",
    "Time a program: median and spread beside the prediction",
    "skerry bench ghz.qasm --repeat 21\n"
    "skerry bench model.onnx --shape x=8,1,28,28 --threads 2 --json\n",
    true,
    declare,
};

}  // namespace skerry::cli
