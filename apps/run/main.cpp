// skerry-run: package in, answer out, on a machine that has nothing else.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>

#include "arguments.hpp"
#include "base/file.hpp"
#include "base/legacy_random.hpp"
#include "data/npy.hpp"
#include "exec/executor.hpp"
#include "package/keys.hpp"
#include "package/package.hpp"
#include "plan/planner.hpp"
#include "report.hpp"

// libstdc++'s own tells the name of an exception that nobody caught, for which it brings 45 kB of demangler. Whatever
// leaves main() is caught there.
namespace __gnu_cxx {
void __verbose_terminate_handler() {
  std::abort();
}
}  // namespace __gnu_cxx

// Set by the linker: where this program's constants and code lie, which nothing is written into.
extern "C" const char __executable_start[], etext[];  // NOLINT(bugprone-reserved-identifier): its names

namespace skerry::device {
namespace {

constexpr std::uint64_t kDefaultShots = 1024;

// Of the code that read a package and planned, a model's run needs little, but it counts as memory until it ends. What
// is needed comes back from the file: a quarter of a millisecond, which is nothing to a large model.
void let_go_of_code(std::uint64_t run_bytes) noexcept {
  constexpr std::uint64_t kLarge = std::uint64_t{16} << 20;
  if (run_bytes < kLarge) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(__executable_start) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(etext) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

// A name that nothing has is a slip of the pen, not a wish to ignore it.
void check_name(const std::string& what, const std::string& name, const std::vector<std::string>& known,
                const char* option) {
  std::string list;
  for (const std::string& word : known) list += (list.empty() ? "" : ", ") + word;
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  throw Error(ErrorCode::invalid_argument, "the package has no " + what + " '" + name + "'", option,
              known.empty() ? "it has none" : "there are " + list);
}

std::vector<std::string> names_of(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> names;
  for (const ValueId id : ids) names.push_back(graph.value(id).name);
  return names;
}

Result run_circuit(const Circuit& circuit, Arguments& arguments) {
  RunOptions& options = arguments.options;
  if (options.shots == 0) options.shots = kDefaultShots;
  if (!arguments.inputs.empty() || !arguments.outputs.empty()) {
    throw Error(ErrorCode::invalid_argument, "a circuit has no tensors",
                arguments.inputs.empty() ? "--output" : "--input", "leave it out");
  }
  std::vector<std::string> names;
  for (const Parameter& parameter : circuit.parameters()) names.push_back(parameter.name);
  for (const auto& [name, value] : options.named_parameters) check_name("parameter", name, names, "--param");
  std::vector<double> values;
  for (const std::string& name : names) {
    const auto found = options.named_parameters.find(name);
    if (found == options.named_parameters.end()) {
      throw Error(ErrorCode::invalid_argument, "parameter '" + name + "' has no value", "--param",
                  "give --param " + name + "=VALUE");
    }
    values.push_back(found->second);
  }
  return exec::run(planning::plan_circuit(circuit, options), values, options.limits);
}

Result run_graph(const Graph& graph, const Arguments& arguments) {
  if (!arguments.options.named_parameters.empty() || arguments.options.shots != 0) {
    throw Error(ErrorCode::invalid_argument, "the package holds a model, not a circuit",
                arguments.options.shots != 0 ? "--shots" : "--param", "leave it out");
  }
  for (const auto& [name, file] : arguments.inputs)
    check_name("input", name, names_of(graph, graph.inputs()), "--input");
  for (const auto& [name, file] : arguments.outputs)
    check_name("output", name, names_of(graph, graph.outputs()), "--output");
  std::vector<Tensor> inputs;
  std::vector<TensorView> views;
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) {
    const Value& value = graph.value(id);
    const std::pair<std::string, std::string>* given = nullptr;
    for (const auto& input : arguments.inputs) given = input.first == value.name ? &input : given;
    if (given == nullptr)
      throw Error(ErrorCode::invalid_argument, "input '" + value.name + "' is missing", "--input",
                  "give --input " + value.name + "=FILE.npy");
    inputs.push_back(data::read_npy(given->second));
    views.push_back(inputs.back().view());
    types.push_back(TensorType::of(views.back().dtype(), views.back().shape()));
  }
  const Limits& limits = arguments.options.limits;
  exec::GraphExecutor executor(std::make_shared<const planning::GraphPlan>(planning::plan_graph(graph, types, limits)),
                               limits);
  const RunControl control = exec::started(limits);
  const base::RunDraws draws(arguments.options.seed);
  let_go_of_code(executor.plan().report.peak_bytes);
  auto outputs = executor.run(views, control);
  Result result;
  const Plan& plan = executor.plan().report;
  result.report = {.method = plan.method,
                   .predicted_bytes = plan.peak_bytes,
                   .peak_bytes = executor.peak_bytes(),
                   .predicted_seconds = plan.seconds,
                   .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - control.started).count(),
                   .threads = plan.threads};
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = graph.value(graph.outputs()[i]).name;
    for (const auto& [wanted, path] : arguments.outputs) {
      if (wanted == name) data::write_npy(path, outputs[i].view());
    }
    result.tensors.emplace_back(name, std::move(outputs[i]));
  }
  return result;
}

int run(Arguments& arguments) {
  package::ReadOptions read;
  for (const std::string& key : arguments.trusted_keys) read.trusted.push_back(package::read_public_key(key));
  if (!package::is_package(base::MappedFile::open(arguments.package).bytes())) {
    throw Error(ErrorCode::corrupt, "the file is not a package", arguments.package,
                "make one with skerry compile FILE -o FILE.skerry");
  }
  const package::Loaded loaded = package::read(arguments.package, read);
  const auto* circuit = std::get_if<Circuit>(&loaded.contents.program);
  const Result result = circuit != nullptr ? run_circuit(*circuit, arguments)
                                           : run_graph(std::get<Graph>(loaded.contents.program), arguments);
  const std::string out = arguments.json ? json(result) : text(result);
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);  // whoever waits need not wait until a large package's pages are given back
  return 0;
}

int report_error(const Error& error, bool as_json) {
  if (as_json) std::fputs(json(error).c_str(), stdout);
  std::fprintf(stderr, "skerry-run: %s\n", error.what());
  return error_info(error.code()).exit_code;
}

}  // namespace
}  // namespace skerry::device

int main(int argc, char** argv) {
  using namespace skerry;
  bool as_json = false;
  for (int i = 1; i < argc; ++i) as_json = as_json || std::string_view(argv[i]) == "--json";
  try {
    device::Arguments arguments = device::parse_arguments(argc, argv);
    if (arguments.help || arguments.version) {
      std::fputs(arguments.help ? device::kUsage : "skerry-run " SKERRY_VERSION "\n", stdout);
      return 0;
    }
    return device::run(arguments);
  } catch (const Error& error) {
    return device::report_error(error, as_json);
  } catch (const std::bad_alloc&) {
    return device::report_error(Error(ErrorCode::budget_exceeded, "the system has no memory left"), as_json);
  } catch (const std::exception& error) {
    return device::report_error(Error(ErrorCode::internal, error.what()), as_json);
  }
}
