#include "frontend/frontend.hpp"

#include <algorithm>
#include <array>
#include <skerry/error.hpp>

#include "base/file.hpp"
#include "ir/verify.hpp"

namespace skerry::frontend {

#define SKERRY_FRONTEND(name) extern const Frontend name##_frontend;
#include "frontend/frontends.def"
#undef SKERRY_FRONTEND

namespace {

// A copy of each row, made when first asked for: rows of other files are set up before main, but in no known order.
const auto& rows() {
  static const std::array all = {
#define SKERRY_FRONTEND(name) name##_frontend,
#include "frontend/frontends.def"
#undef SKERRY_FRONTEND
  };
  return all;
}

std::string known_formats() {
  std::string list;
  for (const Frontend& row : rows())
    list += (list.empty() ? "" : &row == &rows().back() ? " or " : ", ") + std::string(row.what);
  return list;
}

// True for `name:line:column`: the place says its file, which may be an included one.
bool names_a_text(std::string_view where) {
  for (int part = 0; part < 2; ++part) {
    const std::size_t digits = where.find_last_not_of("0123456789");
    if (digits == std::string_view::npos || where[digits] != ':' || digits + 1 == where.size()) return false;
    where.remove_suffix(where.size() - digits);
  }
  return !where.empty();
}

}  // namespace

std::span<const Frontend> frontends() {
  return rows();
}

Imported import(const Source& source, const ImportLimits& limits) {
  if (source.bytes.size() > limits.max_file_bytes)
    throw Error(ErrorCode::limit_exceeded,
                "the file has " + std::to_string(source.bytes.size()) + " bytes, max_file_bytes is " +
                    std::to_string(limits.max_file_bytes),
                source.name, "raise max_file_bytes");
  const auto row = std::find_if(rows().begin(), rows().end(), [&](const Frontend& f) { return f.sniff(source); });
  if (row == rows().end())
    throw Error(ErrorCode::syntax_error,
                source.bytes.empty() ? "the file is empty" : "the content is of no known format", source.name + ":1:1",
                "give " + known_formats());
  try {
    Imported imported = row->import(source, limits);
    std::visit([](const auto& value) { ir::verify(value); }, imported);
    return imported;
  } catch (const Error& e) {
    if (e.where().starts_with(source.name) || names_a_text(e.where())) throw;
    throw e.at(source.name);
  }
}

Source open_source(const std::filesystem::path& path) {
  auto file = std::make_shared<const base::MappedFile>(base::MappedFile::open(path));
  return {.bytes = file->bytes(),
          .name = path.filename().string(),
          .folder = std::filesystem::absolute(path).parent_path(),
          .owner = file};
}

}  // namespace skerry::frontend
