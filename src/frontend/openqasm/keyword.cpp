#include "frontend/openqasm/keyword.hpp"

#include <array>
#include <cstddef>

namespace skerry::frontend::openqasm {
namespace {

struct Row {
  std::string_view word;
  Keyword keyword{};
  bool in_version_2 = false;
};

constexpr std::array kRows = {
#define SKERRY_KEYWORD(word, in_version_2) Row{#word, Keyword::word##_, in_version_2},
#include "frontend/openqasm/keywords.def"
#undef SKERRY_KEYWORD
};

// Open addressing over a hash of length, first and last letter: one or two comparisons a name.
constexpr std::size_t kSlots = 256;
constexpr std::size_t slot_of(std::string_view word) {
  const std::size_t first = static_cast<unsigned char>(word.front());
  const std::size_t last = static_cast<unsigned char>(word.back());
  return (word.size() * 53 + first * 7 + last * 31) % kSlots;
}

constexpr std::array<Row, kSlots> make_slots() {
  std::array<Row, kSlots> slots{};
  for (const Row& row : kRows) {
    std::size_t at = slot_of(row.word);
    while (!slots[at].word.empty()) at = (at + 1) % kSlots;
    slots[at] = row;
  }
  return slots;
}
constexpr std::array<Row, kSlots> kTable = make_slots();

}  // namespace

Keyword keyword(std::string_view word, int version) {
  if (word.empty()) return Keyword::none;
  for (std::size_t at = slot_of(word); !kTable[at].word.empty(); at = (at + 1) % kSlots)
    if (kTable[at].word == word) return version >= 3 || kTable[at].in_version_2 ? kTable[at].keyword : Keyword::none;
  return Keyword::none;
}

}  // namespace skerry::frontend::openqasm
