#include "serve/audit.hpp"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <skerry/error.hpp>

#include "base/file.hpp"
#include "package/digest.hpp"
#include "serve/log.hpp"
#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

constexpr std::uint64_t kMaxAudit = std::uint64_t{4} << 30;
constexpr std::string_view kHash = ",\"hash\":\"";

std::string chained(const std::string& before, std::string_view line) {
  const std::string text = before + std::string(line);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return package::hex(std::as_bytes(std::span(digest)));
}

}  // namespace

AuditState verify_audit(const std::filesystem::path& file) {
  const std::string all = base::read_file(file, kMaxAudit);
  AuditState state;
  std::string_view rest = all;
  while (!rest.empty()) {
    const std::string where = file.string() + ":" + std::to_string(state.lines + 1);
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
      throw Error(ErrorCode::corrupt, "the last line is cut off", where,
                  "keep a copy, then cut the file after line " + std::to_string(state.lines));
    }
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const std::size_t at = line.rfind(kHash);
    const std::string front = "{\"n\":" + std::to_string(state.lines + 1) + ",";
    if (at == std::string_view::npos || !line.starts_with(front))
      throw Error(ErrorCode::corrupt, "a line is missing, moved or was not written by this log", where);
    const std::string hash = chained(state.head, line.substr(0, at));
    if (line.substr(at) != std::string(kHash) + hash + "\"}")
      throw Error(ErrorCode::corrupt, "the line or one before it was changed", where);
    state.head = hash;
    ++state.lines;
  }
  return state;
}

AuditLog::AuditLog(const std::filesystem::path& file)
    : path_(file), file_(::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {
  if (!file_) throw Error(ErrorCode::io_error, std::strerror(errno), file.string());
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw Error(ErrorCode::unavailable, "another server writes this audit log", file.string(),
                "give each server a file of its own");
  }
  const AuditState state = verify_audit(file);
  lines_ = state.lines;
  head_ = state.head;
}

// What is not on the disk whole is taken back: half a line would break the chain for all that follow.
void AuditLog::append(std::string_view line) {
  const off_t end = ::lseek(file_.get(), 0, SEEK_END);
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t done = ::write(file_.get(), rest.data(), rest.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(done));
  }
  if (rest.empty() && ::fdatasync(file_.get()) == 0) return;
  const int code = errno;
  if (end < 0 || ::ftruncate(file_.get(), end) != 0) log_line("error", "audit", {{"error", "half a line stays"}});
  throw Error(ErrorCode::io_error, std::string("the audit log cannot be written: ") + std::strerror(code),
              path_.string());
}

void AuditLog::write(std::string_view event, std::string_view key, std::string_view what, int status) {
  using std::chrono::system_clock;
  const double now = std::chrono::duration<double>(system_clock::now().time_since_epoch()).count();
  const std::lock_guard lock(mutex_);
  wire::JsonWriter json;
  json.open('{').field("n", lines_ + 1).field("time", now).field("event", event).field("key", key);
  json.field("what", what).field("status", status);
  const std::string hash = chained(head_, json.text());
  const std::string line = json.text() + std::string(kHash) + hash + "\"}\n";
  append(line);
  head_ = hash;
  ++lines_;
}

}  // namespace skerry::serve
