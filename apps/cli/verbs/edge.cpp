#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <skerry/outbox.hpp>

#include "cli/control.hpp"
#include "cli/output.hpp"
#include "cli/placing.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"
#include "plan/budget.hpp"

namespace skerry::cli {
namespace {

using nlohmann::json;

struct Flags {
  std::string action, target, id;
  PlacingFlags placing;
  InputFlags input;
  OutputFlags output;
  std::uint64_t shots = 0;
  bool exact = false;
  std::vector<std::string> observables;
};

int examine(const Flags& flags, const Context& context) {
  edge::EdgeExecutionConfig config = flags.placing.config(context.settings);
  config.cloud_endpoint = flags.target;
  const auto steps = edge::examine_endpoint(config);
  const bool well = steps.back().ok;
  json rows = json::array();
  for (const edge::DoctorStep& step : steps) {
    rows.push_back({{"name", step.name}, {"ok", step.ok}, {"finding", step.finding}, {"seconds", step.seconds}});
    if (!context.json) std::printf("%-8s %-4s %s\n", step.name.c_str(), step.ok ? "ok" : "NO", step.finding.c_str());
  }
  if (context.json) print_json({{"ok", well}, {"steps", rows}});
  return well ? 0 : error_info(ErrorCode::unavailable).exit_code;
}

// The answer of an execution, for a program or for people.
void print_result(const edge::ExecutionResult& done, const Context& context) {
  if (context.json) {
    json object = result_json(done.result);
    object["execution_method"] = edge::execution_method_name(done.method);
    object["placement"] = placement_json(done.placement);
    for (const edge::PartReport& part : done.parts) {
      object["parts"].push_back({{"place", edge::execution_method_name(part.place)},
                                 {"seconds", part.seconds},
                                 {"bytes_sent", part.bytes_sent},
                                 {"bytes_received", part.bytes_received}});
    }
    print_json(object);
    return;
  }
  if (done.result.counts.size() > 0) std::fputs(histogram(done.result.counts).c_str(), stdout);
  for (const double value : done.result.expectations) std::printf("expectation %.12g\n", value);
  for (const auto& [name, tensor] : done.result.tensors)
    std::printf("%s %s\n", name.c_str(), tensor_text(tensor).c_str());
  std::fputs(done.placement.explain().c_str(), stderr);
  for (const edge::PartReport& part : done.parts) {
    std::fprintf(stderr, "%s part: %s", std::string(edge::execution_method_name(part.place)).c_str(),
                 planning::seconds_text(part.seconds).c_str());
    if (part.place == edge::ExecutionMethod::cloud)
      std::fprintf(stderr, ", %s sent, %s received", planning::bytes_text(part.bytes_sent).c_str(),
                   planning::bytes_text(part.bytes_received).c_str());
    std::fputs("\n", stderr);
  }
  std::fprintf(stderr, "%s\n", report_text(done.result.report).c_str());
}

// Exit code: that of unavailable while something waits that should have been sent.
int print_entries(const std::vector<edge::OutboxEntry>& entries, bool should_be_sent, const Context& context) {
  json rows = json::array();
  bool waits = false;
  for (const edge::OutboxEntry& entry : entries) {
    const std::string state(edge::outbox_state_name(entry.state));
    waits = waits || entry.state == edge::OutboxState::waiting;
    rows.push_back({{"id", entry.id},
                    {"state", state},
                    {"circuit_id", entry.circuit_id},
                    {"endpoint", entry.endpoint},
                    {"kept", entry.kept},
                    {"answered", entry.answered},
                    {"bytes", entry.bytes},
                    {"finding", entry.finding}});
    if (context.json) continue;
    std::printf("%s %-8s %10llu bytes  %s%s%s\n", entry.id.c_str(), state.c_str(),
                static_cast<unsigned long long>(entry.bytes), entry.endpoint.c_str(), entry.finding.empty() ? "" : "  ",
                entry.finding.c_str());
  }
  if (entries.empty() && !context.json) std::fprintf(stderr, "the outbox is empty\n");
  const int code = waits && should_be_sent ? error_info(ErrorCode::unavailable).exit_code : 0;
  if (context.json) print_json({{"ok", code == 0}, {"entries", rows}});
  return code;
}

int outbox(const Flags& flags, const Context& context) {
  const Interruptible interruptible(context.terminal);
  if (flags.placing.outbox.empty())
    throw Error(ErrorCode::invalid_argument, "no outbox is named", "--outbox", "give its folder");
  if (flags.target == "send" && flags.placing.endpoint.empty())
    throw Error(ErrorCode::invalid_argument, "there is nobody to send to", "--cloud-endpoint", "give its URL");
  edge::Outbox box(flags.placing.config(context.settings));
  if (flags.target == "list") return print_entries(box.entries(), false, context);
  if (flags.target == "send") return print_entries(box.send(interruptible.control()), true, context);
  const bool is_drop = flags.target == "drop";
  if (!is_drop && flags.target != "result") {
    throw Error(ErrorCode::invalid_argument, "there is nothing to do called '" + flags.target + "'", "edge outbox",
                "list, send, result ID or drop ID");
  }
  if (flags.id.empty())
    throw Error(ErrorCode::invalid_argument, "no entry is named", "edge outbox " + flags.target, "give its id");
  if (!is_drop) {
    const edge::ResultPtr result = box.result(flags.id);
    flags.output.write(result->result.tensors);
    print_result(*result, context);
    return 0;
  }
  box.drop(flags.id);
  if (context.json) print_json({{"ok", true}, {"dropped", flags.id}});
  return 0;
}

void run_model(const Graph& graph, const Flags& flags, const Context& context, const RunControl& control) {
  const char* const other = flags.shots != 0             ? "--shots"
                            : flags.exact                ? "--exact"
                            : !flags.observables.empty() ? "--observable"
                                                         : nullptr;
  if (other != nullptr)
    throw Error(ErrorCode::invalid_argument, "the program is a model, not a circuit", other, "leave it out");
  flags.output.check(graph);
  const edge::EdgeExecutionConfig config = flags.placing.config(context.settings);
  edge::EdgeExecutor executor(config, std::make_shared<edge::CircuitCompiler>(config));
  const NamedTensors inputs = flags.input.shapes.empty() ? flags.input.tensors() : flags.input.filled(graph);
  const edge::ResultPtr done = executor.execute_model(graph, inputs, control);
  flags.output.write(done->result.tensors);
  print_result(*done, context);
}

int run(const Flags& flags, const Context& context) {
  const Interruptible interruptible(context.terminal);
  ProgramFlags file;
  file.file = flags.target;
  const Program program = file.load();
  flags.input.check(program);
  if (const auto* graph = std::get_if<Graph>(&program)) {
    run_model(*graph, flags, context, interruptible.control());
    return 0;
  }
  const auto* circuit = std::get_if<Circuit>(&program);
  if (!flags.output.outputs.empty())
    throw Error(ErrorCode::invalid_argument, "a circuit has no tensors to write", "--output", "leave it out");
  RunOptions options = context.settings.run_options();
  flags.input.apply(options);
  if (options.noise != nullptr)
    throw Error(ErrorCode::unsupported, "edge execution simulates no noise", "--noise", "use skerry run");
  edge::ExecutionInput input{
      .parameters = options.parameters,
      .named_parameters = options.named_parameters,
      .initial_state = std::nullopt,
      .shots = flags.shots != 0 || flags.exact || !flags.observables.empty() ? flags.shots : 1024,
      .seed = options.seed,
      .observables = {},
      .control = interruptible.control()};
  for (const std::string& text : flags.observables)
    input.observables.push_back(Observable::parse(text, circuit->num_wires()));
  const edge::EdgeExecutionConfig config = flags.placing.config(context.settings);
  const auto compiler = std::make_shared<edge::CircuitCompiler>(config);
  edge::EdgeExecutor executor(config, compiler);
  const edge::ResultPtr done = executor.execute(compiler->compile_circuit(*circuit), input);
  print_result(*done, context);
  return 0;
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  command
      .add_option("action", flags->action,
                  "run a circuit or model where it fits, doctor an endpoint, or look after the outbox")
      .type_name("")
      .required();
  command
      .add_option("target", flags->target,
                  "The circuit's or model's file (- for standard input), the endpoint's address, or what to do with "
                  "the outbox: "
                  "list, send, result, drop")
      .type_name("FILE|URL|WORD")
      .required();
  command.add_option("id", flags->id, "The entry whose result is wanted, or that is dropped").type_name("ID");
  flags->placing.declare(command);
  flags->placing.declare_outbox(command);
  flags->input.declare(command);
  flags->output.declare(command);
  command.add_count("--shots", flags->shots, "Samples; 1024 when left out, none with --exact or --observable");
  command.add_flag("--exact", flags->exact, "No samples");
  command
      .add_option("--observable", flags->observables, "Expectation value to compute, '0.5*Z0 Z1 - X2'; again for each")
      .type_name("SUM");
  return [flags](Context& context) {
    // Nothing runs here: a limit of edge execution alone, which other verbs refuse.
    const Setting memory = context.settings["max_memory_mb"];
    if (memory.value == "0" || memory.value == "0.0") {
      flags->placing.nothing_here = true;
      context.settings.set("max_memory_mb", "", memory.source);
    }
    if (!flags->id.empty() && flags->action != "outbox")
      throw Error(ErrorCode::invalid_argument, "'" + flags->id + "' is one word too many", "edge " + flags->action);
    if (flags->action == "doctor") return examine(*flags, context);
    if (flags->action == "outbox") return outbox(*flags, context);
    if (flags->action == "run") return run(*flags, context);
    throw Error(ErrorCode::invalid_argument, "there is nothing to do called '" + flags->action + "'", "edge",
                "skerry edge run FILE, skerry edge doctor URL, or skerry edge outbox list");
  };
}

}  // namespace

extern const Verb edge_verb;
const Verb edge_verb = {
    "edge",
    "Run a circuit or model here, in pieces or at an endpoint; examine an endpoint; send what waited for it",
    "skerry edge run big.qasm --max-memory-mb 64 --observable 'Z0 Z19'\n"
    "skerry edge run big.qasm --max-memory-mb 64 --shots 1000 --cloud-endpoint http://127.0.0.1:8000\n"
    "skerry edge run big.qasm --max-memory-mb 0 --cloud-endpoint http://127.0.0.1:8000\n"
    "skerry edge run model.onnx --input x=x.npy --output y=y.npy --max-memory-mb 4 --cloud-endpoint "
    "http://127.0.0.1:8000\n"
    "skerry edge doctor http://127.0.0.1:8000\n"
    "skerry edge outbox send --outbox /var/lib/skerry/outbox --cloud-endpoint http://127.0.0.1:8000\n",
    true,
    declare,
};

}  // namespace skerry::cli
