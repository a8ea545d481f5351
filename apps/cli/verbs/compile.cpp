#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <skerry/fault_tolerance.hpp>
#include <skerry/schedule.hpp>
#include <span>

#include "base/file.hpp"
#include "cli/control.hpp"
#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"
#include "package/keys.hpp"
#include "plan/budget.hpp"
#include "serve/releases.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  ProgramFlags program;
  std::string level, output, key, device, layout, schedule, decouple = "none", diagram, release;
  std::vector<std::string> disabled, basis;
  std::uint64_t seed = 42;
  double error_budget = 1e-8, time_budget = 0;
  bool compress = false, report = false, outcomes_only = false, reuse_qubits = false, clifford_t = false;
  bool has_target() const { return !device.empty() || !basis.empty(); }
};

bool ends_in(const std::string& file, std::string_view suffix) {
  return file.size() > suffix.size() && std::string_view(file).substr(file.size() - suffix.size()) == suffix;
}

std::optional<Target> target_of(const Flags& flags) {
  if (!flags.has_target()) return std::nullopt;
  Target target = flags.device.empty() ? Target{} : load_target(flags.device);
  if (!flags.basis.empty()) target.basis = flags.basis;
  return target;
}

std::pair<std::string, std::uint64_t> release_in(const std::string& text) {
  const auto [model, number] = split_assignment("--release", text);
  std::uint64_t release = 0;
  const char* end = number.data() + number.size();
  if (!model.empty() && std::from_chars(number.data(), end, release) == std::from_chars_result{end, std::errc()})
    return {model, release};
  throw Error(ErrorCode::invalid_argument, "'" + text + "' is no release", "--release", "write NAME=N");
}

void write_text(const std::string& file, std::string_view text) {
  const std::array parts = {std::as_bytes(std::span(text))};
  base::write_file_atomically(file, parts);
}

// A circuit leaves as OpenQASM or Blackbird when its name says so, else everything is a package.
void write_program(const Flags& flags, const Compiled& compiled, const SaveOptions& options) {
  const auto* circuit = std::get_if<Circuit>(&compiled.program);
  const bool is_text =
      ends_in(flags.output, ".qasm") || ends_in(flags.output, ".qasm3") || ends_in(flags.output, ".xbb");
  if (ends_in(flags.output, ".onnx") || (circuit == nullptr && is_text)) {
    throw Error(
        ErrorCode::invalid_argument,
        std::string(circuit == nullptr ? "a model" : "a circuit") + " is not written in the format of this name",
        "--output", circuit == nullptr ? "name it .skerry: a package" : "name it .skerry, .qasm or .xbb");
  }
  if (circuit != nullptr && ends_in(flags.output, ".xbb"))
    return write_text(flags.output, emit_text(*circuit, "blackbird"));
  if (circuit != nullptr && ends_in(flags.output, ".qasm3"))
    return write_text(flags.output, emit_text(*circuit, "openqasm3"));
  if (circuit == nullptr || !ends_in(flags.output, ".qasm")) return save(compiled.program, flags.output, options);
  try {
    write_text(flags.output, emit_text(*circuit, "openqasm2"));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported || acts_on_modes(*circuit)) throw;
    write_text(flags.output, emit_text(*circuit, "openqasm3"));
  }
}

void write_layout(const Flags& flags, const Compiled& compiled, double wall_ms, double cpu_ms) {
  if (flags.layout.empty()) return;
  if (!compiled.mapping) {
    throw Error(ErrorCode::invalid_argument, "--layout is for a circuit compiled for a device", {},
                "add --basis, --coupling or --target");
  }
  write_text(flags.layout, nlohmann::json{{"initial", compiled.mapping->initial},
                                          {"final", compiled.mapping->final},
                                          {"compile_ms", wall_ms},
                                          {"cpu_ms", cpu_ms},
                                          {"spent_error", compiled.mapping->spent_error}}
                                   .dump() +
                               "\n");
}

nlohmann::json passes_json(const Compiled& compiled) {
  auto array = nlohmann::json::array();
  for (const PassReport& pass : compiled.passes) {
    array.push_back({{"name", pass.name}, {"seconds", pass.seconds}, {"before", pass.before}, {"after", pass.after}});
  }
  return array;
}

nlohmann::json estimate_json(const Estimate& found) {
  return {{"width", found.width},
          {"depth", found.depth},
          {"two_wire_depth", found.two_wire_depth},
          {"gates", found.gates},
          {"counts", found.counts},
          {"duration_seconds", found.duration_seconds},
          {"success_probability", found.success_probability}};
}

// Before and after side by side.
void print_report(const Estimate& before, const Estimate& after) {
  const auto row = [](const char* name, double a, double b) { std::printf("%-20s %12.6g %12.6g\n", name, a, b); };
  std::printf("%-20s %12s %12s\n", "", "before", "after");
  row("width", before.width, after.width);
  row("depth", static_cast<double>(before.depth), static_cast<double>(after.depth));
  row("two-qubit depth", static_cast<double>(before.two_wire_depth), static_cast<double>(after.two_wire_depth));
  row("gates", static_cast<double>(before.gates), static_cast<double>(after.gates));
  std::map<std::string, std::pair<double, double>> counts;
  for (const auto& [name, count] : before.counts) counts[name].first = static_cast<double>(count);
  for (const auto& [name, count] : after.counts) counts[name].second = static_cast<double>(count);
  for (const auto& [name, both] : counts) row(("  " + name).c_str(), both.first, both.second);
  std::printf("%-20s %12s %12s\n", "duration", "", planning::seconds_text(after.duration_seconds).c_str());
  std::printf("%-20s %12s %12.6g\n", "success probability", "", after.success_probability);
}

// Delays and pulses are written into the circuit that was compiled.
void write_schedule(const Flags& flags, const Target& target, Compiled& compiled) {
  if (flags.schedule.empty() && flags.decouple == "none") return;
  auto* circuit = std::get_if<Circuit>(&compiled.program);
  if (circuit == nullptr || !flags.has_target()) {
    throw Error(ErrorCode::invalid_argument, "--schedule is for a circuit compiled for a device", {},
                "add --target with the durations of its gates");
  }
  ScheduleOptions options{.decoupling = decoupling_from_name(flags.decouple)};
  if (!flags.schedule.empty()) options.alignment = alignment_from_name(flags.schedule);
  const std::uint64_t before = circuit->body().size();
  const auto begin = std::chrono::steady_clock::now();
  *circuit = schedule(*circuit, target, options).circuit;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  compiled.passes.push_back(
      {.name = "schedule", .seconds = seconds, .before = before, .after = circuit->body().size()});
}

// For error-corrected machines, before the passes of the level would write other gates.
void write_phases(const Flags& flags, Program& program) {
  if (!flags.clifford_t) return;
  auto* circuit = std::get_if<Circuit>(&program);
  if (circuit == nullptr || flags.has_target()) {
    throw Error(ErrorCode::invalid_argument, "--clifford-t is for a circuit without a device", {},
                "leave --target and --basis out");
  }
  *circuit = skerry::write_clifford_t(*circuit);
}

void write_diagram(const Flags& flags, const Program& program) {
  if (flags.diagram.empty()) return;
  const auto* circuit = std::get_if<Circuit>(&program);
  if (circuit == nullptr) throw Error(ErrorCode::invalid_argument, "--diagram draws circuits, and this is a model");
  write_text(flags.diagram, emit_text(*circuit, ends_in(flags.diagram, ".svg") ? "svg" : "diagram") + "\n");
}

// T gates and what they cost, for the report of a circuit that is written for an error-corrected machine.
void print_fault_tolerance(const Circuit& before, const Circuit& after) {
  const NonClifford first = count_non_clifford(before), second = count_non_clifford(after);
  std::printf("%-20s %12llu %12llu\n", "T gates", static_cast<unsigned long long>(first.t),
              static_cast<unsigned long long>(second.t));
  std::printf("%-20s %12llu %12llu\n", "other rotations", static_cast<unsigned long long>(first.rotations),
              static_cast<unsigned long long>(second.rotations));
  const SurfaceCode a = estimate_surface_code(before), b = estimate_surface_code(after);
  std::printf("%-20s %12u %12u\n", "code distance", a.distance, b.distance);
  std::printf("%-20s %12llu %12llu\n", "physical qubits", static_cast<unsigned long long>(a.physical_qubits),
              static_cast<unsigned long long>(b.physical_qubits));
  std::printf("%-20s %12s %12s\n", "time", planning::seconds_text(a.seconds).c_str(),
              planning::seconds_text(b.seconds).c_str());
}

// A device runs a model as it was compiled, so that is done well where nothing is said.
Level level_of(const Flags& flags, const Program& program) {
  if (flags.level.empty()) return std::holds_alternative<Graph>(program) ? Level::high : Level::medium;
  try {
    return level_from_name(flags.level);
  } catch (const Error& error) {
    throw error.at("--level");
  }
}

int compile_program(const Flags& flags, const Context& context) {
  const Interruptible interruptible(context.terminal);
  const Program program = flags.program.load();
  CompileOptions options{.level = level_of(flags, program),
                         .disabled_passes = flags.disabled,
                         .target = target_of(flags),
                         .seed = flags.seed,
                         .error_budget = flags.error_budget,
                         .time_budget_seconds = flags.time_budget,
                         .outcomes_only = flags.outcomes_only,
                         .reuse_qubits = flags.reuse_qubits,
                         .control = interruptible.control()};
  Program phases = program;
  write_phases(flags, phases);
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t cpu_begin = std::clock();
  Compiled compiled = compile(phases, options);
  const double cpu_ms = 1e3 * static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
  const double wall_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  write_schedule(flags, options.target.value_or(Target{}), compiled);
  SaveOptions save_options{.compress = flags.compress,
                           .metadata = {{"source", std::filesystem::path(flags.program.file).filename().string()},
                                        {"level", std::string(level_name(options.level))}}};
  if (!flags.release.empty()) {
    const auto [model, number] = release_in(flags.release);
    save_options.metadata[serve::kReleaseOf] = model;
    save_options.metadata[serve::kRelease] = std::to_string(number);
  }
  if (!flags.key.empty()) save_options.key = package::read_secret_key(flags.key);
  write_program(flags, compiled, save_options);
  write_layout(flags, compiled, wall_ms, cpu_ms);
  write_diagram(flags, compiled.program);
  const auto bytes = std::filesystem::file_size(flags.output);
  const auto* before = std::get_if<Circuit>(&program);
  const auto* after = std::get_if<Circuit>(&compiled.program);
  const bool circuits = before != nullptr && after != nullptr;
  const Target device = options.target.value_or(Target{});
  if (context.json) {
    nlohmann::json object = {
        {"ok", true}, {"output", flags.output}, {"bytes", bytes}, {"passes", passes_json(compiled)}};
    if (flags.report && circuits) {
      object["before"] = estimate_json(estimate(*before, device));
      object["after"] = estimate_json(estimate(*after, device));
    }
    print_json(object);
    return 0;
  }
  for (const PassReport& pass : compiled.passes) {
    std::printf("%-20s %8llu -> %8llu  %s\n", pass.name.c_str(), static_cast<unsigned long long>(pass.before),
                static_cast<unsigned long long>(pass.after), planning::seconds_text(pass.seconds).c_str());
  }
  if (flags.report && circuits) print_report(estimate(*before, device), estimate(*after, device));
  if (flags.report && flags.clifford_t) print_fault_tolerance(*before, *after);
  std::printf("%s %s\n", flags.output.c_str(), planning::bytes_text(bytes).c_str());
  return 0;
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  command.add_option("-O,--level", flags->level, "low, medium or high; of a model high, of a circuit medium")
      .type_name("LEVEL");
  command.add_option("-o,--output", flags->output, "Package to write; a circuit as OpenQASM where it ends in .qasm")
      .type_name("FILE.skerry")
      .required();
  command.add_option("--basis", flags->basis, "Gates of a device, for circuits")
      .type_name("GATE,GATE,...")
      .delimiter(',');
  command
      .add_option("--coupling,--target", flags->device, "Device: its qubits, which of them meet, what is known of it")
      .type_name("FILE.json");
  command.add_count("--seed", flags->seed, "Same seed, same circuit").show_default();
  command.add_option("--error-budget", flags->error_budget, "Infidelity that leaving out tiny rotations may cost")
      .type_name("E")
      .show_default();
  command
      .add_option("--time-budget", flags->time_budget, "Search of level high, counted so that it depends on no clock")
      .type_name("SECONDS");
  command.add_option("--layout", flags->layout, "Where the qubits lie at the start and at the end")
      .type_name("FILE.json");
  command.add_option("--schedule", flags->schedule, "Write delays where qubits wait: asap or alap").type_name("WHEN");
  command.add_option("--decouple", flags->decouple, "Pulses while qubits wait: none, x2 or xy4")
      .type_name("SEQUENCE")
      .show_default();
  command.add_option("--disable", flags->disabled, "Pass to leave out; again for each").type_name("PASS");
  command.add_flag("--outcomes-only", flags->outcomes_only, "Keep what the bits tell, leave out what they cannot");
  command.add_flag("--reuse-qubits", flags->reuse_qubits, "The same, and measured qubits are reset and used again");
  command.add_flag("--clifford-t", flags->clifford_t, "Write Toffoli gates in CX and T, and few of these");
  command.add_option("--diagram", flags->diagram, "Drawing of the result, SVG where the name ends in .svg")
      .type_name("FILE");
  command.add_flag("--report", flags->report, "Tell depth, counts, duration and success probability before and after");
  command.add_flag("--compress", flags->compress, "Smaller file; weights are unpacked on load instead of mapped");
  command
      .add_option(
          "--release", flags->release,
          "This is release N of that model; a server that knows a newer one refuses it (skerry serve --releases)")
      .type_name("NAME=N");
  command.add_option("--sign", flags->key, "Secret key file to sign with; see skerry keys").type_name("FILE.key");
  return [flags](Context& context) { return compile_program(*flags, context); };
}

}  // namespace

extern const Verb compile_verb;
const Verb compile_verb = {
    "compile",
    "Optimise a program and write it as a package",
    "skerry compile model.onnx -O high -o model.skerry\n"
    "skerry compile ghz.qasm -o ghz.skerry --sign team.key\n"
    "skerry compile qft.qasm --basis rz,sx,x,cx --coupling line28.json -O high -o out.qasm --layout layout.json\n"
    "skerry compile model.onnx -o small.skerry --compress --disable fold_constants\n",
    false,
    declare,
};

}  // namespace skerry::cli
