#include "base/proc_text.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace skerry::base {

std::string proc_text(const std::filesystem::path& path) {
  // Plain read: a stream would cost a locale and a buffer in programs that start within milliseconds.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  constexpr std::size_t kMost = 64 << 10;
  std::string text;
  char piece[4096];
  while (text.size() < kMost) {
    const ssize_t got = ::read(file, piece, sizeof piece);
    if (got <= 0) break;
    text.append(piece, static_cast<std::size_t>(got));
  }
  ::close(file);
  return text;
}

}  // namespace skerry::base
