#include "arguments.hpp"

#include <charconv>
#include <optional>
#include <skerry/error.hpp>
#include <string_view>

#include "base/number_text.hpp"

namespace skerry::device {
namespace {

template <class T>
T number(std::string_view option, std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < T{}) {
    throw Error(ErrorCode::invalid_argument, "'" + std::string(text) + "' is not a whole number that fits",
                std::string(option), "give a whole number, zero or more");
  }
  return value;
}

std::pair<std::string, std::string> assignment(std::string_view option, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    throw Error(ErrorCode::invalid_argument, "'" + std::string(text) + "' is not NAME=VALUE", std::string(option),
                "write the name, an equals sign and the value, without spaces");
  }
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

double real(std::string_view option, std::string_view text) {
  double value = 0.0;
  const auto [end, error] = base::read_number(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorCode::invalid_argument, "'" + std::string(text) + "' is not a number", std::string(option));
  }
  return value;
}

constexpr double kMostMegabytes = 1e12;  // an exabyte
constexpr double kMostSeconds = 1e9;     // thirty years; nanoseconds of it fit in 64 bits

// Above zero and at most `most`, so that what it is turned into cannot overflow.
double positive(std::string_view option, std::string_view text, double most) {
  const double value = real(option, text);
  if (value > 0.0 && value <= most) return value;
  throw Error(ErrorCode::invalid_argument, "'" + std::string(text) + "' cannot be a limit", std::string(option),
              "give a number above 0");
}

// One row per option with a value.
struct OptionRow {
  std::string_view name;
  void (*apply)(Arguments&, std::string_view option, std::string_view value);
};

constexpr OptionRow kOptions[] = {
    {"--shots",
     [](Arguments& a, std::string_view o, std::string_view v) { a.options.shots = number<std::uint64_t>(o, v); }},
    {"--seed",
     [](Arguments& a, std::string_view o, std::string_view v) { a.options.seed = number<std::uint64_t>(o, v); }},
    {"--threads",
     [](Arguments& a, std::string_view o, std::string_view v) { a.options.limits.threads = number<int>(o, v); }},
    {"--method", [](Arguments& a, std::string_view, std::string_view v) { a.options.method = v; }},
    {"--precision",
     [](Arguments& a, std::string_view o, std::string_view v) {
       if (v != "single" && v != "double")
         throw Error(ErrorCode::invalid_argument, "there is no precision '" + std::string(v) + "'", std::string(o),
                     "use single or double");
       a.options.precision = v == "single" ? Precision::single_precision : Precision::double_precision;
     }},
    {"--max-memory-mb",
     [](Arguments& a, std::string_view o, std::string_view v) {
       a.options.limits.max_memory_bytes = static_cast<std::uint64_t>(positive(o, v, kMostMegabytes) * 1e6);
     }},
    {"--max-execution-time",
     [](Arguments& a, std::string_view o, std::string_view v) {
       a.options.limits.max_execution_time = std::chrono::duration<double>(positive(o, v, kMostSeconds));
     }},
    {"--param",
     [](Arguments& a, std::string_view o, std::string_view v) {
       const auto [name, value] = assignment(o, v);
       a.options.named_parameters[name] = real(o, value);
     }},
    {"--input", [](Arguments& a, std::string_view o, std::string_view v) { a.inputs.push_back(assignment(o, v)); }},
    {"--output", [](Arguments& a, std::string_view o, std::string_view v) { a.outputs.push_back(assignment(o, v)); }},
    {"--trust", [](Arguments& a, std::string_view, std::string_view v) { a.trusted_keys.emplace_back(v); }},
};

}  // namespace

const char* const kUsage =
    "usage: skerry-run PACKAGE [options]\n"
    "Runs a .skerry package.\n\n"
    "  --shots N                 samples of a circuit (default 1024 when it measures)\n"
    "  --seed N                  same seed, same counts\n"
    "  --param NAME=VALUE        value of a circuit's parameter; again for each\n"
    "  --input NAME=FILE.npy     input of a model; again for each\n"
    "  --output NAME=FILE.npy    where to write an output of a model\n"
    "  --method NAME             simulator (default auto)\n"
    "  --precision single|double width of amplitudes (default double)\n"
    "  --threads N               at most so many threads\n"
    "  --max-memory-mb N         refuse what needs more (1 MB = 10^6 bytes)\n"
    "  --max-execution-time S    refuse or stop what takes longer, in seconds\n"
    "  --trust KEY.pub           accept only packages signed by this key; again for each\n"
    "  --json                    one JSON object on stdout\n"
    "  --help, --version\n\n"
    "Exit codes: 0 ok, 2 usage, 3 bad input, 4 over budget, 5 remote unreachable, 6 refused, 70 internal.\n";

Arguments parse_arguments(int argc, const char* const* argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    if (word == "--help" || word == "-h") {
      arguments.help = true;
    } else if (word == "--version") {
      arguments.version = true;
    } else if (word == "--json") {
      arguments.json = true;
    } else if (word.starts_with("-")) {
      std::optional<std::string_view> value;
      if (const std::size_t equals = word.find('='); equals != std::string_view::npos) {
        value = word.substr(equals + 1);
        word = word.substr(0, equals);
      }
      const OptionRow* found = nullptr;
      for (const OptionRow& row : kOptions) found = row.name == word ? &row : found;
      if (found == nullptr)
        throw Error(ErrorCode::invalid_argument, "unknown option", std::string(word), "see skerry-run --help");
      if (!value && ++i == argc) throw Error(ErrorCode::invalid_argument, "a value is missing", std::string(word));
      found->apply(arguments, word, value ? *value : std::string_view(argv[i]));
    } else if (arguments.package.empty()) {
      arguments.package = word;
    } else {
      throw Error(ErrorCode::invalid_argument, "only one package can be run, '" + std::string(word) + "' is a second",
                  arguments.package);
    }
  }
  if (arguments.package.empty() && !arguments.help && !arguments.version) {
    throw Error(ErrorCode::invalid_argument, "no package is named", {}, "write skerry-run FILE.skerry; see --help");
  }
  return arguments;
}

}  // namespace skerry::device
