#include "base/scratch_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <skerry/error.hpp>
#include <string>
#include <utility>

namespace skerry::base {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const char* doing, int code) {
  throw Error(code == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
              std::string("cannot ") + doing + ": " + std::strerror(code), path.string(),
              code == ENOSPC ? "make room, or name a folder on a larger disk" : "name a folder that can be written");
}

/// Takes the place on the disk now: a map of a file with holes would end the process when the disk is full.
void reserve(const Descriptor& file, const fs::path& path, std::uint64_t bytes) {
  const int code = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (code != 0) fail(path, "take room on the disk", code);
}

/// Bytes of files that are mapped into this process and in memory.
std::uint64_t resident_file_bytes(const Descriptor& statm) {
  std::array<char, 128> text{};
  if (::pread(statm.get(), text.data(), text.size() - 1, 0) <= 0) return 0;
  unsigned long long all = 0, resident = 0, shared = 0;
  if (std::sscanf(text.data(), "%llu %llu %llu", &all, &resident, &shared) != 3) return 0;
  return shared * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

ScratchFile ScratchFile::map(Descriptor file, fs::path path, std::uint64_t bytes) {
  ScratchFile out;
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) fail(path, "map the file", errno);
  out.file_ = std::move(file);
  out.path_ = std::move(path);
  out.data_ = static_cast<std::byte*>(data);
  out.size_ = bytes;
  return out;
}

ScratchFile ScratchFile::unnamed(const fs::path& folder, std::uint64_t bytes) {
  std::string path = (folder / ".skerry-state-XXXXXX").string();
  Descriptor file(::mkostemp(path.data(), O_CLOEXEC));
  if (!file) fail(folder, "make a file in the folder", errno);
  ::unlink(path.c_str());
  reserve(file, folder, bytes);
  return map(std::move(file), {}, bytes);
}

ScratchFile ScratchFile::named(const fs::path& path, std::uint64_t bytes, bool fresh) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) fail(path, "open the file", errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error(ErrorCode::io_error, "another run works with this file", path.string(),
                "wait for it, or name another folder");
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail(path, "look at the file", errno);
  const bool fits = static_cast<std::uint64_t>(status.st_size) == bytes;
  if ((fresh || !fits) && ::ftruncate(file.get(), 0) != 0) fail(path, "empty the file", errno);
  reserve(file, path, bytes);
  return map(std::move(file), path, bytes);
}

void ScratchFile::bound_residence(std::uint64_t bytes) {
  Descriptor statm(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  if (!statm) return;  // no such file system: the system alone decides
  const std::uint64_t most = resident_file_bytes(statm) + bytes;
  watcher_ = std::jthread([statm = std::move(statm), most, data = data_, size = size_](const std::stop_token& stop) {
    constexpr auto pause = std::chrono::milliseconds(2);
    while (!stop.stop_requested()) {
      // What was written stays in the file; only this process's view of it goes.
      if (resident_file_bytes(statm) > most) ::madvise(data, size, MADV_DONTNEED);
      std::this_thread::sleep_for(pause);
    }
  });
}

void ScratchFile::sync() const {
  if (::msync(data_, size_, MS_SYNC) != 0 || ::fsync(file_.get()) != 0)
    fail(path_, "write the file to the disk", errno);
}

void ScratchFile::unlink() noexcept {
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

void ScratchFile::swap(ScratchFile& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(watcher_, other.watcher_);
}

ScratchFile::ScratchFile(ScratchFile&& other) noexcept {
  swap(other);
}

ScratchFile& ScratchFile::operator=(ScratchFile&& other) noexcept {
  swap(other);
  return *this;
}

ScratchFile::~ScratchFile() {
  watcher_ = {};
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace skerry::base
