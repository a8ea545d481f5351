#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <skerry/profile.hpp>

#include "base/file.hpp"
#include "base/trace.hpp"
#include "cli/control.hpp"
#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  ProgramFlags program;
  InputFlags input;
  std::uint64_t repeat = 11;
  std::string html, trace;
};

nlohmann::json profile_json(const Profile& profile) {
  auto rows = nlohmann::json::array();
  for (const ProfiledStep& step : profile.steps) {
    rows.push_back({{"node", step.node},
                    {"op", step.op},
                    {"kernel", step.kernel},
                    {"output", step.output},
                    {"seconds", step.seconds},
                    {"predicted_seconds", step.predicted_seconds},
                    {"bytes", step.bytes},
                    {"flops", step.flops},
                    {"share_of_peak", step.share_of_peak},
                    {"share_of_roof", step.share_of_roof},
                    {"bound_by", step.memory_bound ? "bytes" : "arithmetic"}});
  }
  const Peaks& peaks = profile.peaks;
  return {{"ok", true},
          {"seconds", profile.seconds},
          {"flops", profile.flops},
          {"bytes", profile.bytes},
          {"runs", profile.runs},
          {"peaks",
           {{"threads", peaks.threads},
            {"measured", peaks.measured},
            {"flops_per_second", peaks.flops_per_second},
            {"int8_per_second", peaks.int8_per_second},
            {"bytes_per_second", peaks.bytes_per_second},
            {"cached_bytes_per_second", peaks.cached_bytes_per_second}}},
          {"steps", std::move(rows)}};
}

// One run with every step as a span, after the measurement: spans cost time.
void write_trace(const Graph& graph, const NamedTensors& inputs, const Limits& limits, const std::string& path) {
  Session session(std::make_shared<const Graph>(graph), limits);
  session.run(inputs);
  base::set_trace_file(path);
  session.run(inputs);
  base::set_trace_file({});
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  flags->input.declare(command);
  command.add_count("--repeat", flags->repeat, "Measured runs after one that warms up; 11 when left out");
  command.add_option("--html", flags->html, "Write a page with the table and the roofline").type_name("FILE.html");
  command.add_option("--trace", flags->trace, "Write the steps of one run for ui.perfetto.dev or chrome://tracing")
      .type_name("FILE.json");
  return [flags](Context& context) {
    const Interruptible interruptible(context.terminal);
    const Program program = flags->program.load();
    flags->input.check(program);
    const Graph* graph = std::get_if<Graph>(&program);
    if (graph == nullptr) {
      throw Error(ErrorCode::invalid_argument, "a circuit has no operators to time", "file",
                  "skerry bench times it, and SKERRY_TRACE=FILE writes its spans");
    }
    Limits limits = context.settings.limits();
    limits.control = interruptible.control();
    const NamedTensors inputs = flags->input.filled(*graph);
    const Profile profile = skerry::profile(*graph, inputs, limits, static_cast<std::size_t>(flags->repeat));
    if (!flags->html.empty()) {
      const std::string page = profile.html();
      const std::array<std::span<const std::byte>, 1> parts = {std::as_bytes(std::span(page))};
      base::write_file_atomically(flags->html, parts);
    }
    if (!flags->trace.empty()) write_trace(*graph, inputs, limits, flags->trace);
    if (context.json) {
      print_json(profile_json(profile));
    } else {
      std::fputs(profile.text().c_str(), stdout);
    }
    return 0;
  };
}

}  // namespace

extern const Verb profile_verb;
const Verb profile_verb = {
    "profile",
    "Time a model step by step, beside what this machine can do",
    "skerry profile model.onnx --input x=x.npy\n"
    "skerry profile model.onnx --shape x=8,3,224,224 --threads 1 --html profile.html --trace trace.json\n",
    true,
    declare,
};

}  // namespace skerry::cli
