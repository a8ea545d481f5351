#include <algorithm>
#include <skerry/error.hpp>
#include <skerry/state.hpp>

namespace skerry {
namespace {

std::size_t words_for(std::uint32_t bits) {
  return (std::size_t{bits} + 63) / 64;
}

/// Order of outcomes as numbers: the last word counts most.
bool less(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
  return std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}

}  // namespace

Counts::Counts(std::uint32_t bits, std::vector<std::uint64_t> outcomes, std::vector<std::uint64_t> times)
    : bits_(bits), outcomes_(std::move(outcomes)), times_(std::move(times)) {}

std::span<const std::uint64_t> Counts::outcome(std::size_t i) const noexcept {
  return std::span(outcomes_).subspan(i * words_for(bits_), words_for(bits_));
}

std::string Counts::text(std::size_t i) const {
  std::string out(bits_, '0');
  const auto words = outcome(i);
  for (std::uint32_t bit = 0; bit < bits_; ++bit) {
    if ((words[bit / 64] >> (bit % 64) & 1) != 0) out[bits_ - 1 - bit] = '1';
  }
  return out;
}

std::uint64_t Counts::shots() const noexcept {
  std::uint64_t sum = 0;
  for (const std::uint64_t times : times_) sum += times;
  return sum;
}

std::uint64_t Counts::operator[](std::string_view outcome_text) const {
  if (outcome_text.size() != bits_) {
    throw Error(ErrorCode::invalid_argument,
                "an outcome of " + std::to_string(outcome_text.size()) + " bits was asked of counts of " +
                    std::to_string(bits_) + " bits",
                {}, "write one 0 or 1 per bit, the highest bit first");
  }
  std::vector<std::uint64_t> wanted(words_for(bits_));
  for (std::uint32_t bit = 0; bit < bits_; ++bit) {
    const char letter = outcome_text[bits_ - 1 - bit];
    if (letter != '0' && letter != '1') {
      throw Error(ErrorCode::invalid_argument, "'" + std::string(1, letter) + "' is not a bit", {},
                  "write outcomes in 0 and 1");
    }
    if (letter == '1') wanted[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
  std::size_t low = 0;
  std::size_t high = size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (less(outcome(middle), wanted))
      low = middle + 1;
    else
      high = middle;
  }
  return low < size() && std::ranges::equal(outcome(low), wanted) ? times_[low] : 0;
}

}  // namespace skerry
