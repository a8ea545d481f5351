#include "frontend/suggest.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace skerry::frontend {
namespace {

constexpr std::size_t kLongest = 48;  // longer names are not compared: nobody mistypes one by two letters only
constexpr std::size_t kEdit = 2;      // an edit; a change of case costs half of it

std::size_t letter_cost(char a, char b) {
  if (a == b) return 0;
  const bool same_letter = std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  return same_letter ? kEdit / 2 : kEdit;
}

// Optimal string alignment distance, in half edits.
std::size_t distance(std::string_view a, std::string_view b) {
  std::array<std::array<std::size_t, kLongest + 1>, 3> rows{};
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j * kEdit;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    const auto& two_above = rows[(i + 1) % 3];
    row[0] = i * kEdit;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + kEdit, row[j - 1] + kEdit, above[j - 1] + letter_cost(a[i - 1], b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], two_above[j - 2] + kEdit);
    }
  }
  return rows[a.size() % 3][b.size()];
}

}  // namespace

Nearest::Nearest(std::string_view word)
    : word_(word), best_(kEdit * std::clamp<std::size_t>(word.size() / 3, 1, 2) + 1) {}

void Nearest::offer(std::string_view candidate) {
  const std::size_t longer = std::max(candidate.size(), word_.size());
  const std::size_t shorter = std::min(candidate.size(), word_.size());
  if (longer > kLongest || (longer - shorter) * kEdit >= best_ || candidate == word_) return;
  const std::size_t d = distance(word_, candidate);
  if (d >= best_) return;
  best_ = d;
  found_ = candidate;
}

std::string Nearest::hint(std::string_view otherwise) const {
  if (found_.empty()) return std::string(otherwise);
  return "did you mean '" + std::string(found_) + "'?";
}

}  // namespace skerry::frontend
