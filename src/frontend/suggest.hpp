/// \file
/// "did you mean": the known word nearest to an unknown one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace skerry::frontend {

/// Keeps the nearest of the words it is shown. A word counts as near when at most a third of its letters (at least one,
/// at most two) are inserted, dropped, changed or swapped with a neighbour; letter case is a change of less weight.
class Nearest {
 public:
  explicit Nearest(std::string_view word);
  void offer(std::string_view candidate);
  /// Empty when nothing was near.
  std::string_view found() const { return found_; }
  /// `did you mean 'h'?` or `otherwise`.
  std::string hint(std::string_view otherwise = {}) const;

 private:
  std::string_view word_, found_;
  std::size_t best_;
};

}  // namespace skerry::frontend
