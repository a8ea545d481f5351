#include "serve/releases.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <skerry/error.hpp>
#include <span>
#include <string_view>

#include "base/file.hpp"

namespace skerry::serve {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{16} << 20;

std::optional<std::uint64_t> release_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Releases::Releases(std::filesystem::path file) : file_(std::move(file)) {
  if (!std::filesystem::exists(file_)) return;
  const std::string text = base::read_file(file_, kMostBytes);
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view row(text.data() + at, end - at);
    const std::size_t space = row.find(' ');
    const auto number = space == std::string_view::npos ? std::nullopt : release_number(row.substr(space + 1));
    ++line;
    if (!number)
      throw Error(ErrorCode::corrupt, "a line wants NAME N", file_.string() + ":" + std::to_string(line),
                  "restore the file; without it packages that were withdrawn would be served again");
    floors_[std::string(row.substr(0, space))] = *number;
    at = end + 1;
  }
}

std::uint64_t Releases::release_of(const std::string& model, const std::map<std::string, std::string>& metadata) {
  const auto of = metadata.find(kReleaseOf), number = metadata.find(kRelease);
  const auto release = number == metadata.end() ? std::nullopt : release_number(number->second);
  if (of == metadata.end() || !release)
    throw Error(ErrorCode::permission_denied, "the package tells no release", model,
                "write it by skerry compile --release " + model + "=N --sign FILE.key");
  if (of->second == model) return *release;
  throw Error(ErrorCode::permission_denied,
              "the package is a release of another model, '" + of->second.substr(0, 128) + "'", model);
}

void Releases::check(const std::string& model, std::uint64_t release) const {
  const std::lock_guard lock(mutex_);
  const auto floor = floors_.find(model);
  if (floor == floors_.end() || release >= floor->second) return;
  throw Error(ErrorCode::permission_denied,
              "release " + std::to_string(release) + " is older than release " + std::to_string(floor->second) +
                  ", which was served before",
              model, "if that is meant, sign it as a new release");
}

void Releases::raise(const std::string& model, std::uint64_t release) {
  const std::lock_guard lock(mutex_);
  std::uint64_t& floor = floors_[model];
  if (release <= floor) return;
  floor = release;
  std::string text;
  for (const auto& [name, number] : floors_) text += name + " " + std::to_string(number) + "\n";
  const std::array<std::span<const std::byte>, 1> parts = {std::as_bytes(std::span(text))};
  base::write_file_atomically(file_, parts);
}

}  // namespace skerry::serve
