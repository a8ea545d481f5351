#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <skerry/gradient.hpp>
#include <utility>

#include "base/file.hpp"
#include "cli/control.hpp"
#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"
#include "data/npy.hpp"
#include "plan/budget.hpp"

namespace skerry::cli {
namespace {

constexpr std::uint64_t kDefaultShots = 1024;
constexpr double kMuchLost = 1e-2;  // of the norm, by cutoffs

struct Flags {
  ProgramFlags program;
  InputFlags input;
  std::uint64_t shots = 0, max_bond_dimension = 0, cutoff = 0;
  bool exact = false, probabilities = false, profile = false;
  AnswerFlags answers;
  OutputFlags output;
  std::string memory;  ///< file for each shot's bits
  std::string disk;    ///< folder for a state vector
  bool checkpoint = false;
  std::string gradient;  ///< method; empty: none

  // What the other kind of program alone understands is refused, not overlooked.
  void check(const Program& program) const {
    input.check(program);
    const auto refuse = [](bool given, const char* flag, const char* message) {
      if (given) throw Error(ErrorCode::invalid_argument, message, flag, "leave it out");
    };
    if (std::holds_alternative<Circuit>(program)) {
      refuse(!output.outputs.empty(), "--output", "a circuit has no tensors to write");
      refuse(profile, "--profile", "a circuit has no operators to time");
      return;
    }
    constexpr const char* kNoCircuit = "the program is a model, not a circuit";
    refuse(shots != 0, "--shots", kNoCircuit);
    refuse(cutoff != 0, "--cutoff", kNoCircuit);
    refuse(exact, "--exact", kNoCircuit);
    refuse(probabilities, "--probabilities", kNoCircuit);
    refuse(!memory.empty(), "--memory", kNoCircuit);
    refuse(!disk.empty(), "--disk", kNoCircuit);
    refuse(checkpoint, "--checkpoint", kNoCircuit);
    refuse(!gradient.empty(), "--gradient", kNoCircuit);
    refuse(!answers.observables.empty(), "--observable", kNoCircuit);
    refuse(!answers.amplitudes.empty(), "--amplitude", kNoCircuit);
  }
};

void print(const Context& context, const Result& result) {
  if (context.json) return print_json(result_json(result));
  if (result.counts.size() > 0) std::fputs(histogram(result.counts).c_str(), stdout);
  for (std::size_t i = 0; i < result.expectations.size(); ++i) {
    std::printf("expectation %.12g", result.expectations[i]);
    if (i < result.standard_errors.size()) std::printf(" +- %.2g", result.standard_errors[i]);
    std::printf("\n");
  }
  for (const std::complex<double> amplitude : result.amplitudes)
    std::printf("amplitude %.12g%+.12gi\n", amplitude.real(), amplitude.imag());
  if (result.probabilities) std::printf("probabilities %s\n", tensor_text(*result.probabilities).c_str());
  if (result.error_bound > 0.0) std::printf("error bound %.3g\n", result.error_bound);
  for (const auto& [name, value] : result.outputs) std::printf("%s %.12g\n", name.c_str(), value);
  for (const auto& [name, tensor] : result.tensors) std::printf("%s %s\n", name.c_str(), tensor_text(tensor).c_str());
  if (result.report.method == "fock" && result.discarded_weight > kMuchLost) {
    std::fprintf(stderr, "warning: the cutoff lost %.2g of the norm; raise --cutoff\n", result.discarded_weight);
  }
  std::fprintf(stderr, "%s\n", report_text(result.report).c_str());
}

// The steps of a model, the slowest first, with their share of the whole.
void print_profile(const Context& context, std::vector<StepTime> steps) {
  double total = 0.0;
  for (const StepTime& step : steps) total += step.seconds;
  if (context.json) {
    auto rows = nlohmann::json::array();
    for (const StepTime& step : steps) {
      rows.push_back({{"node", step.node},
                      {"op", step.op},
                      {"kernel", step.kernel},
                      {"output", step.output},
                      {"seconds", step.seconds},
                      {"predicted_seconds", step.predicted_seconds},
                      {"bytes", step.bytes}});
    }
    return print_json({{"ok", true}, {"seconds", total}, {"steps", std::move(rows)}});
  }
  std::ranges::stable_sort(steps, std::greater(), &StepTime::seconds);
  std::printf("%10s %6s %10s %10s  step\n", "time", "share", "predicted", "GB/s");
  for (const StepTime& step : steps) {
    const double rate = step.seconds > 0.0 ? static_cast<double>(step.bytes) / step.seconds / 1e9 : 0.0;
    std::printf("%10s %5.1f%% %10s %10.1f  %s %s, %s -> %s\n", planning::seconds_text(step.seconds).c_str(),
                total > 0.0 ? 100.0 * step.seconds / total : 0.0,
                planning::seconds_text(step.predicted_seconds).c_str(), rate, step.op.c_str(), step.node.c_str(),
                step.kernel.c_str(), step.output.c_str());
  }
  std::printf("%10s in %zu steps\n", planning::seconds_text(total).c_str(), steps.size());
}

/// Writes each shot as a line of bits, highest first, or the whole as an array u64 [shots, words].
void write_memory(ShotStream& stream, const std::string& path) {
  constexpr std::size_t stretch = std::size_t{1} << 16;
  std::vector<std::uint64_t> room(stretch * std::max<std::size_t>(stream.words(), 1));
  const bool is_array = path.ends_with(".npy");
  const auto shots = static_cast<std::int64_t>(stream.remaining());
  std::string text;
  if (is_array) text = data::npy_front(DType::u64, {shots, static_cast<std::int64_t>(stream.words())}, path);
  bool is_front = is_array;
  base::write_file_atomically(path, [&]() -> std::span<const std::byte> {
    if (std::exchange(is_front, false)) return std::as_bytes(std::span(text));
    if (is_array) return std::as_bytes(std::span(room).first(stream.next(room) * stream.words()));
    const std::uint64_t count = stream.next(room);
    const std::size_t line = stream.bits() + std::size_t{1};
    text.assign(count * line, '\n');
    for (std::uint64_t shot = 0; shot < count; ++shot) {
      for (std::uint32_t bit = 0; bit < stream.bits(); ++bit) {
        const std::uint64_t word = room[shot * stream.words() + bit / 64];
        text[shot * line + stream.bits() - 1 - bit] = (word >> (bit % 64) & 1) != 0 ? '1' : '0';
      }
    }
    return std::as_bytes(std::span(text));
  });
}

RunOptions circuit_options(const Circuit& circuit, const Flags& flags, const Context& context,
                           const RunControl& control) {
  RunOptions options = context.settings.run_options();
  options.limits.control = control;
  flags.input.apply(options);
  options.want_probabilities = flags.probabilities;
  options.limits.disk_folder = flags.disk;
  options.limits.checkpoint = flags.checkpoint;
  options.max_bond_dimension =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(flags.max_bond_dimension, 0xffffffffU));
  options.cutoff = static_cast<std::uint32_t>(std::min<std::uint64_t>(flags.cutoff, 0xffffffffU));
  flags.answers.apply(circuit, options);
  const bool wants_exact = flags.exact || flags.probabilities || flags.answers.any();
  options.shots = flags.shots != 0 || wants_exact ? flags.shots : kDefaultShots;
  return options;
}

/// Values of the observables and their derivatives by each parameter.
void print_gradient(const Circuit& circuit, const Flags& flags, const Context& context, const RunControl& control) {
  const RunOptions options = circuit_options(circuit, flags, context, control);
  const GradientMethod method = gradient_method(flags.gradient);
  if (flags.answers.observables.empty() || flags.shots != 0) {
    throw Error(ErrorCode::invalid_argument, "a gradient is that of exact expectation values", "--gradient",
                "give --observable, without --shots");
  }
  const GradientProgram program(circuit, options.observables, options.precision);
  const auto found = program.value_and_grad(parameter_values(circuit, options), method, options.limits);
  const auto& parameters = circuit.parameters();
  const auto derivative = [&](std::size_t o, std::size_t p) { return found.derivatives[o * parameters.size() + p]; };
  if (context.json) {
    nlohmann::json gradients = nlohmann::json::array();
    for (std::size_t o = 0; o < found.values.size(); ++o) {
      gradients.push_back(nlohmann::json::object());
      for (std::size_t p = 0; p < parameters.size(); ++p) gradients[o][parameters[p].name] = derivative(o, p);
    }
    return print_json({{"ok", true}, {"expectations", found.values}, {"gradients", std::move(gradients)}});
  }
  for (std::size_t o = 0; o < found.values.size(); ++o) {
    std::printf("expectation %.12g\n", found.values[o]);
    for (std::size_t p = 0; p < parameters.size(); ++p)
      std::printf("  d/d %s %.12g\n", parameters[p].name.c_str(), derivative(o, p));
  }
}

void stream_memory(const Circuit& circuit, const Flags& flags, const Context& context, const RunControl& control) {
  const RunOptions options = circuit_options(circuit, flags, context, control);
  ShotStream stream = stream_shots(circuit, options);
  write_memory(stream, flags.memory);
  if (context.json)
    return print_json({{"ok", true},
                       {"memory", flags.memory},
                       {"shots", options.shots},
                       {"bits", stream.bits()},
                       {"method", stream.method()}});
  std::printf("%llu shots of %u bits in %s\n", static_cast<unsigned long long>(options.shots), stream.bits(),
              flags.memory.c_str());
}

Result run_graph(const Graph& graph, const Flags& flags, const Context& context, const RunControl& control) {
  Limits limits = context.settings.limits();
  limits.control = control;
  flags.output.check(graph);
  Result result = skerry::run(graph, flags.input.tensors(), limits, context.settings.run_options().seed);
  flags.output.write(result.tensors);
  return result;
}

/// A circuit in the stim format that says more than a Program can: noise, detectors or observables.
std::optional<StabilizerCircuit> noisy_circuit(const Flags& flags) {
  if (flags.program.file.empty() || flags.program.file == "-") return std::nullopt;
  const base::MappedFile file = base::MappedFile::open(flags.program.file);
  if (!is_stabilizer_text({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}))
    return std::nullopt;
  StabilizerCircuit circuit = load_stabilizer(flags.program.file);
  if (circuit.channels().empty() && circuit.num_detectors() == 0 && circuit.num_observables() == 0) return std::nullopt;
  return circuit;
}

void run_noisy(const StabilizerCircuit& circuit, const Flags& flags, const Context& context,
               const RunControl& control) {
  const auto refuse = [](bool given, const char* flag) {
    if (given)
      throw Error(ErrorCode::invalid_argument, "a circuit with noise or detectors gives counts of events alone", flag,
                  "leave it out");
  };
  refuse(flags.exact, "--exact");
  refuse(flags.probabilities, "--probabilities");
  refuse(!flags.memory.empty(), "--memory");
  refuse(!flags.disk.empty(), "--disk");
  refuse(flags.checkpoint, "--checkpoint");
  refuse(!flags.gradient.empty(), "--gradient");
  refuse(!flags.answers.observables.empty(), "--observable");
  refuse(!flags.answers.amplitudes.empty(), "--amplitude");
  refuse(!flags.output.outputs.empty(), "--output");
  refuse(!flags.input.parameters.empty(), "--param");
  refuse(!flags.input.inputs.empty(), "--input");
  refuse(!flags.input.shapes.empty(), "--shape");
  refuse(!flags.program.trusted.empty(), "--trust");
  Limits limits = context.settings.limits();
  limits.control = control;
  const bool has_events = circuit.num_detectors() != 0 || circuit.num_observables() != 0;
  const auto sampler = has_events ? StabilizerSampler::of_detectors(circuit, limits)
                                  : StabilizerSampler::of_measurements(circuit, limits);
  const auto counts =
      sampler.count(flags.shots != 0 ? flags.shots : kDefaultShots, context.settings.run_options().seed, limits);
  print_stabilizer(counts, has_events, context.json);
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  flags->input.declare(command);
  command.add_count(
      "--shots", flags->shots,
      "Samples of a circuit; 1024 when left out, none with --exact, --probabilities, --observable or --amplitude");
  command.add_count(
      "--max-bond-dimension", flags->max_bond_dimension,
      "Widest bond of method mps; narrower than the circuit needs, its results are off by the error bound told");
  command.add_count("--cutoff", flags->cutoff,
                    "Photon numbers kept of each optical mode; 0: what the circuit says, else 10");
  command.add_flag("--exact", flags->exact, "No samples, exact results only");
  command.add_flag("--probabilities", flags->probabilities, "Probabilities of all basis states");
  flags->answers.declare(command);
  command
      .add_option("--gradient", flags->gradient,
                  "Derivatives of each --observable by each parameter: adjoint, parameter_shift or finite_difference")
      .type_name("METHOD");
  command
      .add_option("--memory", flags->memory,
                  "Write each shot's bits to this file and nothing else, in constant memory: a line each, or an array "
                  "if it ends in .npy")
      .type_name("FILE");
  command
      .add_option("--disk", flags->disk,
                  "Keep a state vector that does not fit into the memory in a file of this folder")
      .type_name("FOLDER");
  command.add_flag("--checkpoint", flags->checkpoint,
                   "Keep the state in --disk, so that the same run goes on where it was killed");
  command.add_flag("--profile", flags->profile, "Times of a model's steps instead of its outputs, the slowest first");
  flags->output.declare(command);
  return [flags](Context& context) {
    const Interruptible interruptible(context.terminal);
    if (const auto noisy = noisy_circuit(*flags)) {
      run_noisy(*noisy, *flags, context, interruptible.control());
      return 0;
    }
    const Program program = flags->program.load();
    flags->check(program);
    const auto* circuit = std::get_if<Circuit>(&program);
    const RunControl control = interruptible.control();
    if (circuit != nullptr && !flags->gradient.empty()) {
      print_gradient(*circuit, *flags, context, control);
      return 0;
    }
    if (circuit != nullptr && !flags->memory.empty()) {
      stream_memory(*circuit, *flags, context, control);
      return 0;
    }
    if (flags->profile) {
      Limits limits = context.settings.limits();
      limits.control = control;
      Session session(std::make_shared<const Graph>(std::get<Graph>(program)), limits);
      session.seed(context.settings.run_options().seed);
      print_profile(context, session.profile(flags->input.tensors()));
      return 0;
    }
    print(context, circuit != nullptr ? skerry::run(*circuit, circuit_options(*circuit, *flags, context, control))
                                      : run_graph(std::get<Graph>(program), *flags, context, control));
    return 0;
  };
}

}  // namespace

extern const Verb run_verb;
const Verb run_verb = {
    "run",
    "Run a circuit, a model or a package",
    "skerry run ghz.qasm --shots 1000 --seed 7\n"
    "skerry run vqe.qasm --param theta=0.3 --observable '0.5*Z0 Z1 - X2'\n"
    "skerry run wide.qasm --amplitude 0110 --method tensor_network\n"
    "skerry run ghz.qasm --shots 1000 --noise device.json\n"
    "skerry run surface.stim --shots 100000\n"
    "skerry run boson.xbb --cutoff 8 --shots 1000\n"
    "skerry run model.skerry --input x=x.npy --output y=y.npy --trust team.pub\n"
    "cat ghz.qasm | skerry run - --json\n",
    true,
    declare,
};

}  // namespace skerry::cli
