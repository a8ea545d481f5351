#include <array>

#include "cli/verb.hpp"

namespace skerry::cli {

#define SKERRY_VERB(name) extern const Verb name##_verb;
#include "cli/verbs.def"
#undef SKERRY_VERB

std::span<const Verb* const> verbs() {
  static constexpr std::array kRows = {
#define SKERRY_VERB(name) &name##_verb,
#include "cli/verbs.def"
#undef SKERRY_VERB
  };
  return kRows;
}

}  // namespace skerry::cli
