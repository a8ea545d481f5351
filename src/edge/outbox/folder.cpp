#include "edge/outbox/folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <skerry/error.hpp>
#include <system_error>

#include "base/file.hpp"
#include "base/private_file.hpp"

namespace skerry::edge::outbox {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kSuffix = {".job", ".done", ".failed"};
constexpr std::size_t kIdDigits = 32;

[[noreturn]] void no_folder(const fs::path& path, const char* doing) {
  throw Error(ErrorCode::io_error, std::string("cannot ") + doing + ": " + std::generic_category().message(errno),
              path.string());
}

bool is_id(std::string_view text) {
  return text.size() == kIdDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<Kind> kind_of(std::string_view suffix) {
  const auto found = std::ranges::find(kSuffix, suffix);
  if (found == kSuffix.end()) return std::nullopt;
  return static_cast<Kind>(found - kSuffix.begin());
}

}  // namespace

Folder::Folder(fs::path path, std::uint64_t max_bytes) : path_(std::move(path)), max_bytes_(max_bytes) {
  std::error_code ignored;
  if (path_.has_parent_path()) fs::create_directories(path_.parent_path(), ignored);  // mkdir tells what is wrong
  if (::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST) no_folder(path_, "make the outbox");
  struct stat found {};
  if (::stat(path_.c_str(), &found) != 0) no_folder(path_, "look at the outbox");
  if (!S_ISDIR(found.st_mode)) throw Error(ErrorCode::io_error, "the outbox is no folder", path_.string());
  if ((found.st_mode & 022) != 0 || (found.st_uid != ::geteuid() && ::geteuid() != 0)) {
    throw Error(ErrorCode::permission_denied, "others may write into the outbox", path_.string(),
                "take it for yourself: chmod 700");
  }
  base::remove_left_over(path_);
}

std::vector<Item> Folder::items() const {
  std::map<std::string, Item> all;
  std::error_code failed;
  for (fs::directory_iterator at(path_, failed), end; !failed && at != end; at.increment(failed)) {
    const std::string id = at->path().stem().string();
    const auto kind = kind_of(at->path().extension().string());
    std::error_code gone;
    const std::uint64_t bytes = at->file_size(gone);
    if (!is_id(id) || !kind || gone) continue;
    Item& item = all.try_emplace(id, Item{.id = id}).first->second;
    item.kind = std::max(item.kind, *kind);  // killed after it had written the answer: the job is over
    item.bytes += bytes;
  }
  if (failed) throw Error(ErrorCode::io_error, "cannot read the outbox: " + failed.message(), path_.string());
  std::vector<Item> out;
  for (auto& [id, item] : all) out.push_back(std::move(item));
  return out;
}

std::optional<Item> Folder::find(std::string_view id) const {
  if (!is_id(id)) return std::nullopt;
  for (const Kind kind : {Kind::failed, Kind::done, Kind::job}) {
    std::error_code missing;
    const std::uint64_t bytes = fs::file_size(file(id, kind), missing);
    if (!missing) return Item{std::string(id), kind, bytes};
  }
  return std::nullopt;
}

Record Folder::read(const Item& item) const {
  const fs::path path = file(item.id, item.kind);
  try {
    return decode_record(base::read_file(path, std::uint64_t{1} << 40));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt && error.code() != ErrorCode::version_too_new) throw;
    throw error.at(path.string());
  }
}

std::optional<Item> Folder::waiting(std::string_view question, std::string_view endpoint) const {
  if (question.empty()) return std::nullopt;
  for (const Item& item : items()) {
    if (item.kind != Kind::job) continue;
    try {
      const Record record = read(item);
      if (record.question == question && record.endpoint == endpoint) return item;
    } catch (const Error&) {  // damaged, or sent meanwhile
      continue;
    }
  }
  return std::nullopt;
}

std::string Folder::add(const std::string& id, const Record& job) const {
  const base::Descriptor lock = locked();
  if (const auto known = waiting(job.question, job.endpoint)) return known->id;
  write(file(id, Kind::job), job, 0);
  return id;
}

void Folder::answer(const std::string& id, Kind kind, const Record& answer) const {
  const base::Descriptor lock = locked();
  std::error_code ignored;
  const fs::path job = file(id, Kind::job);
  const std::uint64_t freed = fs::file_size(job, ignored);
  write(file(id, kind), answer, ignored ? 0 : freed);
  fs::remove(job, ignored);
  sync();
}

void Folder::remove(const std::string& id) const {
  const base::Descriptor lock = locked();
  for (const Kind kind : {Kind::job, Kind::done, Kind::failed}) {
    std::error_code failed;
    fs::remove(file(id, kind), failed);
    if (failed) throw Error(ErrorCode::io_error, "cannot drop it: " + failed.message(), file(id, kind).string());
  }
  sync();
}

std::optional<base::Descriptor> Folder::claim(const std::string& id) const {
  base::Descriptor held(::open(file(id, Kind::job).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!held || ::flock(held.get(), LOCK_EX | LOCK_NB) != 0) return std::nullopt;
  struct stat found {};
  if (::fstat(held.get(), &found) != 0 || found.st_nlink == 0) return std::nullopt;  // answered since it was opened
  return held;
}

fs::path Folder::file(std::string_view id, Kind kind) const {
  return path_ / std::string(id).append(kSuffix[static_cast<std::size_t>(kind)]);
}

base::Descriptor Folder::locked() const {
  base::Descriptor lock(::open((path_ / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) no_folder(path_, "lock the outbox");
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) no_folder(path_, "lock the outbox");
  }
  return lock;
}

// Under the lock. freed: bytes that go once it is written.
void Folder::write(const fs::path& target, const Record& record, std::uint64_t freed) const {
  const std::string head = head_of(record);
  std::uint64_t held = 0;
  for (const Item& item : items()) held += item.bytes;
  held -= std::min(held, freed);
  const std::uint64_t need = head.size() + record.body.bytes.size();
  if (held + need > max_bytes_) {
    throw Error(ErrorCode::limit_exceeded,
                "the outbox holds " + std::to_string(held) + " of " + std::to_string(max_bytes_) +
                    " bytes, and this takes " + std::to_string(need),
                path_.string(), "raise outbox_size_mb, or send or drop what is there");
  }
  const std::array<std::span<const std::byte>, 2> parts = {std::as_bytes(std::span(head)),
                                                           std::as_bytes(std::span(record.body.bytes))};
  base::write_private_file_atomically(target, parts);
}

void Folder::sync() const {
  const base::Descriptor folder(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());
}

}  // namespace skerry::edge::outbox
