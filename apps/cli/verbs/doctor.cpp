#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/machine.hpp"
#include "base/threads.hpp"
#include "cli/output.hpp"
#include "cli/verb.hpp"
#include "kernels/rates.hpp"
#include "plan/budget.hpp"
#include "plan/planner.hpp"
#include "serve/sandbox/sandbox.hpp"

namespace skerry::cli {
namespace {

using nlohmann::json;

// One finding: what was looked at, whether it is well, and what to do if not.
struct Finding {
  std::string what, found, advice;
};

std::string isa_text(const base::Machine& machine) {
  std::string text;
  for (const std::string_view isa : machine.isa) text += (text.empty() ? "" : " ") + std::string(isa);
  return text.empty() ? "none" : text;
}

std::string cache_state(std::string& advice) {
  try {
    const auto folder = base::cache_dir();
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) advice = "make it writable or set SKERRY_CACHE_DIR; without it each process measures the machine anew";
    return folder.string() + (error ? ": " + error.message() : "");
  } catch (const Error& error) {
    advice = "set SKERRY_CACHE_DIR";
    return error.what();
  }
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets it
  return value == nullptr ? "" : value;
}

// Two libraries that each take every CPU make one another slow; ours follows SKERRY_NUM_THREADS first.
std::string thread_conflict() {
  const std::string ours = variable("SKERRY_NUM_THREADS");
  if (ours.empty()) return {};
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"})
    if (const std::string others = variable(name); !others.empty() && ours != others)
      return std::string("SKERRY_NUM_THREADS and ") + name +
             " differ; NumPy and PyTorch follow the second, so that both together take more CPUs than either says";
  return {};
}

// The compiled module of the Python package in a folder; empty if there is none.
std::string native_module(const std::filesystem::path& package) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(package, error))
    if (std::string name = entry.path().filename().string(); name.starts_with("_core.") && !name.ends_with(".pyi"))
      return name;
  return {};
}

// What `import skerry` would find by PYTHONPATH, in Python's order, and why it would fail.
Finding python_import() {
  const std::string path = variable("PYTHONPATH");
  std::error_code error;
  std::string missing;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const std::filesystem::path folder = path.substr(at, end - at);
    at = end + 1;
    if (folder.empty()) continue;
    if (!std::filesystem::exists(folder, error) && missing.empty()) missing = folder.string();
    const std::filesystem::path package = folder / "skerry";
    if (!std::filesystem::exists(package / "__init__.py", error)) continue;
    const std::string module = native_module(package);
    if (!module.empty()) return {"python package", package.string() + ", " + module, {}};
    return {"python package", package.string() + ", without its compiled module",
            "import skerry fails there; put the built package (build/release/python) before it in PYTHONPATH, or take "
            "that folder out and install the wheel"};
  }
  return {"python package", path.empty() ? "as installed" : "as installed, none in PYTHONPATH",
          missing.empty() ? "" : missing + " in PYTHONPATH does not exist; correct it"};
}

// Work of others that a run would wait for: processes that run or could, on the average of a minute.
Finding load(int cpus) {
  double average = 0;
  if (getloadavg(&average, 1) != 1) return {"load", "unknown", {}};
  char text[64];
  std::snprintf(text, sizeof text, "%.2f on %d cpus", average, cpus);
  return {"load", text,
          average > cpus ? "more work than CPUs: runs take longer than predicted; wait for the others or take fewer "
                           "threads"
                         : ""};
}

// How the clock of the first CPU is governed; Linux tells it where the machine lets it choose.
Finding clock_governor() {
  std::string governor;
  std::ifstream("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") >> governor;
  return {"clock", governor.empty() ? "not governed here" : governor,
          governor == "powersave" || governor == "conservative"
              ? "the clock rises late; for measurements: cpupower frequency-set -g performance"
              : ""};
}

Finding memory() {
  const std::uint64_t free = base::available_memory_bytes(), all = base::machine().memory_bytes;
  return {"memory", planning::bytes_text(free) + " free of " + planning::bytes_text(all),
          free < all / 20 ? "nearly full: runs will be refused or swapped out; close others or take smaller batches, "
                            "cutoffs or --max-memory-mb"
                          : ""};
}

// The devices of NVIDIA's driver; no kernel of this build runs on them.
std::string gpus() {
  std::size_t count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", error))
    count += entry.exists() ? 1 : 0;
  return count == 0 ? "none" : std::to_string(count) + ", not used: this build computes on CPUs";
}

// What a server could shut its worker processes in with (skerry serve --workers).
Finding sandbox() {
  try {
    const serve::SandboxState state = serve::probe_sandbox();
    return {"sandbox", state.text(),
            state.namespaces ? ""
                             : "no namespaces of their own for worker processes: allow them to users "
                               "(kernel.unprivileged_userns_clone, or the container's profile)"};
  } catch (const Error& error) {
    return {"sandbox", "none", std::string(error.message()) + "; skerry serve --workers will not start here"};
  }
}

std::vector<Finding> examine() {
  const base::Machine& machine = base::machine();
  std::vector<Finding> findings;
  findings.push_back({"version", std::string(version()), {}});
  findings.push_back({"cpu", machine.cpu_model, {}});
  findings.push_back({"instruction sets", isa_text(machine),
                      machine.has("avx2") || machine.has("neon") ? "" : "expect portable kernels' speed"});
  const bool throttled = machine.cgroup_cpus && *machine.cgroup_cpus < machine.usable_cpus;
  findings.push_back(
      {"cpus", std::to_string(machine.usable_cpus) + " of " + std::to_string(machine.logical_cpus) + " usable",
       throttled ? "the control group allows less than one CPU per thread; lower SKERRY_NUM_THREADS" : ""});
  findings.push_back({"threads", std::to_string(base::thread_budget()),
                      base::thread_budget() > machine.usable_cpus ? "more threads than CPUs; set SKERRY_NUM_THREADS"
                                                                  : thread_conflict()});
  findings.push_back({"gpu", gpus(), {}});
  findings.push_back(memory());
  findings.push_back(load(machine.usable_cpus));
  findings.push_back(clock_governor());
  findings.push_back(python_import());
  findings.push_back(sandbox());
  std::string advice;
  std::string cache = cache_state(advice);
  findings.push_back({"cache", std::move(cache), advice});
  return findings;
}

Action declare(const Command& command) {
  auto measure = std::make_shared<bool>(false);  // shared: std::function copies its target
  command.add_flag("--rates", *measure, "Measure this machine's speeds, or show those measured before");
  return [measure](Context& context) {
    const auto findings = examine();
    json object = {{"ok", true}, {"well", true}, {"findings", json::array()}};
    for (const Finding& finding : findings) {
      object["findings"].push_back({{"what", finding.what}, {"found", finding.found}, {"advice", finding.advice}});
      if (!finding.advice.empty()) object["well"] = false;
      if (!context.json) std::printf("%-18s %s\n", finding.what.c_str(), finding.found.c_str());
      if (!context.json && !finding.advice.empty()) std::printf("%-18s -> %s\n", "", finding.advice.c_str());
    }
    if (*measure) {
      const kernels::Rates rates = planning::machine_rates(base::thread_budget(), true);
      for (std::size_t row = 0; row < kernels::kRateCount; ++row) {
        const auto rate = static_cast<kernels::Rate>(row);
        object["rates"][std::string(kernels::rate_name(rate))] = rates[rate];
        if (!context.json)
          std::printf("%-24s %10.3g s per %s\n", std::string(kernels::rate_name(rate)).c_str(), rates[rate],
                      std::string(kernels::rate_unit(rate)).c_str());
      }
    }
    if (context.json) print_json(object);
    return 0;
  };
}

}  // namespace

extern const Verb doctor_verb;
const Verb doctor_verb = {
    "doctor",
    "Look at this machine and say what would slow a run down",
    "skerry doctor\n"
    "skerry doctor --rates\n",
    false,
    declare,
};

}  // namespace skerry::cli
