#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  std::string first, second, layout;
};

Circuit circuit_of(const std::string& file) {
  ProgramFlags flags;
  flags.file = file;
  Program program = flags.load();
  if (auto* circuit = std::get_if<Circuit>(&program)) return std::move(*circuit);
  throw Error(ErrorCode::unsupported, "this is a model, not a circuit", file, "verify compares circuits");
}

Mapping mapping_of(const std::string& file) {
  const auto mapped = base::MappedFile::open(file);
  const auto bytes = mapped.bytes();
  try {
    const auto read = nlohmann::json::parse(reinterpret_cast<const char*>(bytes.data()),
                                            reinterpret_cast<const char*>(bytes.data()) + bytes.size());
    return {.initial = read.at("initial").get<std::vector<Wire>>(),
            .final = read.at("final").get<std::vector<Wire>>(),
            .spent_error = read.value("spent_error", 0.0)};
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::syntax_error, error.what(), file, "give the file that skerry compile --layout wrote");
  }
}

int verify(const Flags& flags, const Context& context) {
  const Circuit a = circuit_of(flags.first), b = circuit_of(flags.second);
  Equivalence found;
  if (flags.layout.empty()) {
    found = verify_equal(a, b);
  } else {
    const Mapping mapping = mapping_of(flags.layout);
    found = verify_equal(a, b, &mapping);
  }
  const std::string_view answer = answer_name(found.answer);
  if (context.json) {
    print_json({{"ok", true}, {"answer", answer}, {"reason", found.reason}});
  } else {
    std::printf("%s: %s\n", std::string(answer).c_str(), found.reason.c_str());
  }
  return found.answer == Equivalence::Answer::equal ? 0 : 1;
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  command.add_option("first", flags->first, "Circuit; - for standard input").type_name("FILE").required();
  command.add_option("second", flags->second, "Circuit that should mean the same").type_name("FILE").required();
  command.add_option("--layout", flags->layout, "Where the first's qubits lie on the second, as compile wrote it")
      .type_name("FILE.json");
  return [flags](Context& context) { return verify(*flags, context); };
}

}  // namespace

extern const Verb verify_verb;
const Verb verify_verb = {
    "verify",
    "Say whether two circuits mean the same; exit code 1 where they do not",
    "skerry verify in.qasm out.qasm --layout layout.json\n",
    false,
    declare,
};

}  // namespace skerry::cli
