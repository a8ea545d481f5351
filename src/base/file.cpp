#include "base/file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <skerry/error.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "base/descriptor.hpp"
#include "base/mapped.hpp"
#include "base/weighing.hpp"

namespace skerry::base {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_errno(const fs::path& path, const char* doing) {
  const int error = errno;
  const bool missing = error == ENOENT || error == ENOTDIR;
  throw Error(missing ? ErrorCode::not_found : ErrorCode::io_error,
              std::string("cannot ") + doing + ": " + std::generic_category().message(error), path.string(),
              missing ? "check the path" : "");
}

Descriptor open_to_read(const fs::path& path, int flags) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!file) throw_errno(path, "open the file");
  return file;
}

// Where files are mapped: memory that may be given back at any time belongs to nobody else.
class MappedRanges {
 public:
  void add(std::span<const std::byte> range) {
    const std::lock_guard lock(mutex_);
    ranges_.push_back(range);
  }
  void remove(const std::byte* begin) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase_if(ranges_, [begin](const auto& range) { return range.data() == begin; });
  }
  bool hold(std::span<const std::byte> bytes) noexcept {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(ranges_, [bytes](const auto& range) {
      return bytes.data() >= range.data() && bytes.data() + bytes.size() <= range.data() + range.size();
    });
  }

 private:
  std::mutex mutex_;
  std::vector<std::span<const std::byte>> ranges_;
};

// Never destroyed: files may be unmapped while the process ends.
MappedRanges& mapped_ranges() {
  static auto* const ranges = new MappedRanges;
  return *ranges;
}

struct stat status_of(const Descriptor& file, const fs::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_errno(path, "look at the file");
  return status;
}

void write_all(const Descriptor& file, std::span<const std::byte> bytes, const fs::path& path) {
  constexpr std::size_t kMost = std::size_t{1} << 30;  // one write takes at most 2 GiB - 4 KiB
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), std::min(bytes.size(), kMost));
    if (written < 0) {
      if (errno == EINTR) continue;
      throw_errno(path, "write the file");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

constexpr std::string_view kTemporaryFront = ".skerry-", kTemporaryBack = ".tmp";

/// A new file beside the one it will replace; removed unless it got there.
class TemporaryFile {
 public:
  TemporaryFile(const fs::path& folder, mode_t mode) : folder_(folder.empty() ? "." : folder) {
    // Named by process and number; O_EXCL steps over what a killed process with the same number left.
    static constinit std::atomic<unsigned> counter{0};
    constexpr int kTries = 1000;
    for (int i = 0; i < kTries; ++i) {
      std::string name(kTemporaryFront);
      name += std::to_string(::getpid()) + "-" + std::to_string(counter++);
      path_ = folder_ / name.append(kTemporaryBack);
      file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
      if (file_ || errno != EEXIST) break;
    }
    if (!file_) {
      path_.clear();
      throw_errno(folder_, "write into the folder");
    }
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  const Descriptor& file() const noexcept { return file_; }

  void replace(const fs::path& target) {
    if (::fsync(file_.get()) != 0) throw_errno(target, "write the file to the disk");
    if (::rename(path_.c_str(), target.c_str()) != 0) throw_errno(target, "replace the file");
    path_.clear();
    // The rename itself is on the disk once the folder is; some file systems cannot be asked, and then it was in order.
    const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder) ::fsync(folder.get());
  }

 private:
  fs::path folder_, path_;
  Descriptor file_;
};

/// The process that a temporary file's name begins with; 0 for other files.
pid_t writer_of(std::string_view name) {
  if (!name.starts_with(kTemporaryFront) || !name.ends_with(kTemporaryBack)) return 0;
  name.remove_prefix(kTemporaryFront.size());
  pid_t writer = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), writer);
  return error == std::errc() && *end == '-' && writer > 0 ? writer : 0;
}

/// The first of `$variable`/skerry and ~/`below_home`/skerry whose variable is an absolute path, as XDG asks.
fs::path user_dir(const char* variable, const char* below_home) {
  const char* chosen = std::getenv(variable);
  if (chosen != nullptr && *chosen == '/') return fs::path(chosen) / "skerry";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') {
    throw Error(ErrorCode::not_found, "there is no home folder", "HOME", std::string("set HOME or ") + variable);
  }
  return fs::path(home) / below_home / "skerry";
}

constinit thread_local bool copies_files = false;

/// Into memory of whole pages, to be unmapped as a map is. Errors: io_error, also for a file that ends before.
void* copied(const Descriptor& file, std::size_t size, const fs::path& path) {
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw_errno(path, "get memory for the file");
  for (std::size_t done = 0; done < size;) {
    const ssize_t got =
        ::pread(file.get(), static_cast<std::byte*>(memory) + done, size - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const int code = got == 0 ? EIO : errno;  // cut off meanwhile
      ::munmap(memory, size);
      errno = code;
      throw_errno(path, "read the file");
    }
    done += static_cast<std::size_t>(got);
  }
  return memory;
}

}  // namespace

CopiedFiles::CopiedFiles() noexcept : before_(std::exchange(copies_files, true)) {}

CopiedFiles::~CopiedFiles() {
  copies_files = before_;
}

MappedFile MappedFile::open(const fs::path& path) {
  const Descriptor file =
      open_to_read(path, O_NONBLOCK);  // a pipe without a writer must not block before it is refused
  const struct stat status = status_of(file, path);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::io_error, S_ISDIR(status.st_mode) ? "is a folder" : "is not a regular file", path.string(),
                "name a file");
  }
  MappedFile mapped;
  mapped.path_ = path;
  if (status.st_size == 0) return mapped;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = copies_files ? copied(file, size, path) : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) throw_errno(path, "map the file");
  mapped.data_ = static_cast<const std::byte*>(data);
  mapped.size_ = size;
  if (!copies_files) mapped_ranges().add(mapped.bytes());  // a copy cannot be had again from the file
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  mapped_ranges().remove(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

bool is_mapped(std::span<const std::byte> bytes) noexcept {
  return !bytes.empty() && mapped_ranges().hold(bytes);
}

void release_mapped(std::span<const std::byte> bytes) noexcept {
  if (is_weighing || !is_mapped(bytes)) return;  // who weighs has read nothing, and somebody will
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  // Whole pages inside; what shares a page with something else stays.
  const std::size_t into_page = reinterpret_cast<std::uintptr_t>(bytes.data()) % page;
  const std::size_t skipped = into_page == 0 ? 0 : page - into_page;
  if (bytes.size() < skipped + page) return;
  const std::size_t released = (bytes.size() - skipped) / page * page;
  ::madvise(const_cast<std::byte*>(bytes.data() + skipped), released, MADV_DONTNEED);
}

std::string read_file(const fs::path& path, std::uint64_t limit_bytes) {
  const Descriptor file = open_to_read(path, 0);
  const struct stat status = status_of(file, path);
  const auto too_large = [&](const std::string& size) {
    return Error(ErrorCode::limit_exceeded,
                 "the file has " + size + " bytes and the limit is " + std::to_string(limit_bytes), path.string(),
                 "raise the limit on file sizes");
  };
  const auto told = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
  if (told > limit_bytes) throw too_large(std::to_string(told));
  std::string content;
  constexpr std::size_t kPiece = 64 << 10;
  std::size_t filled = 0;
  for (;;) {
    // One byte more than is told: the end of a regular file is then seen without growing.
    content.resize(std::max(filled + kPiece, static_cast<std::size_t>(told) + 1));
    const ssize_t got = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno(path, "read the file");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
    if (filled > limit_bytes) throw too_large("more than " + std::to_string(limit_bytes));
  }
  content.resize(filled);
  return content;
}

void remove_left_over(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const pid_t writer = writer_of(entry.path().filename().string());
    if (writer != 0 && ::kill(writer, 0) != 0 && errno == ESRCH) fs::remove(entry.path(), ignored);
  }
}

namespace {

void write_atomically(const fs::path& path, const std::function<std::span<const std::byte>()>& next, mode_t mode) {
  std::error_code missing;
  const fs::path existing = fs::canonical(path, missing);
  const fs::path target = missing ? path : existing;
  struct stat old {};
  const bool replaces = ::stat(target.c_str(), &old) == 0;
  if (replaces && !S_ISREG(old.st_mode)) {
    throw Error(ErrorCode::io_error, "is not a regular file and cannot be replaced", path.string(), "name a file");
  }
  TemporaryFile temporary(target.parent_path(), mode);
  if (replaces && ::fchmod(temporary.file().get(), old.st_mode & 07777) != 0) throw_errno(path, "keep the permissions");
  for (auto part = next(); !part.empty(); part = next()) write_all(temporary.file(), part, path);
  temporary.replace(target);
}

// One part after the other, then nothing: empty parts would end it early.
std::function<std::span<const std::byte>()> one_by_one(std::span<const std::span<const std::byte>> parts) {
  return [parts, at = std::size_t{0}]() mutable -> std::span<const std::byte> {
    while (at < parts.size() && parts[at].empty()) ++at;
    return at < parts.size() ? parts[at++] : std::span<const std::byte>();
  };
}

}  // namespace

void write_file_atomically(const fs::path& path, const std::function<std::span<const std::byte>()>& next) {
  write_atomically(path, next, 0666);
}

void write_file_atomically(const fs::path& path, std::span<const std::span<const std::byte>> parts) {
  write_atomically(path, one_by_one(parts), 0666);
}

void write_private_file_atomically(const fs::path& path, std::span<const std::span<const std::byte>> parts) {
  write_atomically(path, one_by_one(parts), 0600);
}

fs::path config_dir() {
  return user_dir("XDG_CONFIG_HOME", ".config");
}

fs::path cache_dir() {
  const char* own = std::getenv("SKERRY_CACHE_DIR");
  if (own != nullptr && *own != '\0') return own;
  return user_dir("XDG_CACHE_HOME", ".cache");
}

}  // namespace skerry::base
