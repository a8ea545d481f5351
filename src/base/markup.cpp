#include "base/markup.hpp"

#include <algorithm>

namespace skerry::base {

std::string escaped_markup(std::string_view text) {
  constexpr std::string_view kSpecial = "&<>\"'";
  constexpr std::string_view kNames[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  std::string out;
  for (const char letter : text) {
    if (const std::size_t at = kSpecial.find(letter); at != std::string_view::npos) {
      out += kNames[at];
    } else {
      out += static_cast<unsigned char>(letter) < 0x20 ? ' ' : letter;
    }
  }
  return out;
}

}  // namespace skerry::base
