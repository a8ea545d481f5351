#include "frontend/openqasm/source.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>

namespace skerry::frontend::openqasm {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// Length of the well-formed UTF-8 sequence at text[i], 0 when there is none (Unicode 15, table 3-7).
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const auto at = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  const unsigned b0 = at(i);
  const unsigned b1 = at(i + 1);
  if (b0 < 0x80U) return 1;
  if (b0 >= 0xC2U && b0 <= 0xDFU) return is_continuation(static_cast<char>(b1)) ? 2 : 0;
  const bool third = (at(i + 2) & 0xC0U) == 0x80U;
  const bool fourth = (at(i + 3) & 0xC0U) == 0x80U;
  const auto between = [&](unsigned low, unsigned high) { return b1 >= low && b1 <= high; };
  if (b0 == 0xE0U) return between(0xA0, 0xBF) && third ? 3 : 0;
  if (b0 == 0xEDU) return between(0x80, 0x9F) && third ? 3 : 0;
  if (b0 >= 0xE1U && b0 <= 0xEFU) return between(0x80, 0xBF) && third ? 3 : 0;
  if (b0 == 0xF0U) return between(0x90, 0xBF) && third && fourth ? 4 : 0;
  if (b0 >= 0xF1U && b0 <= 0xF3U) return between(0x80, 0xBF) && third && fourth ? 4 : 0;
  if (b0 == 0xF4U) return between(0x80, 0x8F) && third && fourth ? 4 : 0;
  return 0;
}

// True when `path` lies below `folder`; both are canonical.
bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

}  // namespace

std::size_t Sources::add(std::string name, std::string_view text, std::filesystem::path folder) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::uint64_t limit = std::min<std::uint64_t>(limits_.max_text_bytes, 0xfffffff0U);
  if (text.size() > limit - std::min(limit, total_))
    throw Error(ErrorCode::limit_exceeded,
                "the program has " + std::to_string(total_ + text.size()) + " bytes, max_text_bytes is " +
                    std::to_string(limits_.max_text_bytes),
                name + ":1:1", "raise max_text_bytes");
  files_.push_back({std::move(name), text, std::move(folder), static_cast<std::uint32_t>(total_)});
  total_ += text.size() + 1;  // one more, so that the end of a text is a place of its own
  check_utf8(files_.back());
  return files_.size() - 1;
}

void Sources::check_utf8(const File& file) const {
  const std::string_view text = file.text;
  for (std::size_t i = 0; i < text.size();) {
    std::uint64_t eight = 0;
    if (i + sizeof eight <= text.size()) std::memcpy(&eight, text.data() + i, sizeof eight);
    if (i + sizeof eight <= text.size() && (eight & 0x8080808080808080U) == 0) {
      i += sizeof eight;
      continue;
    }
    const std::size_t length = sequence_length(text, i);
    if (length == 0)
      fail(ErrorCode::syntax_error, {file.first + static_cast<std::uint32_t>(i)}, "this byte is not UTF-8 text",
           "save the file as UTF-8");
    i += length;
  }
}

std::size_t Sources::include(std::string_view path, std::size_t from, Place place) {
  namespace fs = std::filesystem;
  const fs::path& folder = files_[from].folder;
  const std::string quoted = "'" + std::string(path) + "'";
  const fs::path asked(path);
  if (asked.is_absolute() || std::find(asked.begin(), asked.end(), "..") != asked.end())
    fail(ErrorCode::permission_denied, place, "include " + quoted + " leads out of the program's folder",
         "put the file beside the program");
  if (folder.empty())
    fail(ErrorCode::not_found, place, "there is no include file " + quoted,
         "this program has no folder; only qelib1.inc and stdgates.inc are built in");
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  const fs::path real = error ? fs::path() : fs::canonical(root / asked, error);
  if (error) fail(ErrorCode::not_found, place, "there is no include file " + quoted, "put the file beside the program");
  if (!is_below(real, root) || !fs::is_regular_file(real, error))
    fail(ErrorCode::permission_denied, place, "include " + quoted + " is not a plain file in the program's folder",
         "put the file itself beside the program");
  const std::uint64_t bytes = fs::file_size(real, error);
  if (error || bytes > limits_.max_text_bytes)
    fail(ErrorCode::limit_exceeded, place,
         "include " + quoted + " has " + std::to_string(bytes) + " bytes, max_text_bytes is " +
             std::to_string(limits_.max_text_bytes),
         "raise max_text_bytes");
  std::ifstream file(real, std::ios::binary);
  std::string text(static_cast<std::size_t>(bytes), '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(bytes)))
    fail(ErrorCode::io_error, place, "include " + quoted + " cannot be read");
  owned_.push_back(std::move(text));
  return add(std::string(path), owned_.back(), folder);
}

std::string Sources::where(Place place) const {
  auto file = std::find_if(files_.rbegin(), files_.rend(), [&](const File& f) { return f.first <= place.offset; });
  if (file == files_.rend()) return {};
  const std::string_view before = file->text.substr(0, place.offset - file->first);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n') + 1;  // npos + 1 is 0: the first line
  const auto column = 1 + std::count_if(before.begin() + static_cast<std::ptrdiff_t>(start), before.end(),
                                        [](char c) { return !is_continuation(c); });
  return file->name + ":" + std::to_string(line) + ":" + std::to_string(column);
}

void Sources::fail(ErrorCode code, Place place, std::string message, std::string hint) const {
  throw Error(code, std::move(message), where(place), std::move(hint));
}

}  // namespace skerry::frontend::openqasm
