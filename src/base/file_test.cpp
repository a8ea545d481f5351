#include "base/file.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/mapped.hpp"
#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"

namespace skerry::base {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 40;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

void save(const fs::path& path, const std::string& text) {
  const std::span<const std::byte> part = bytes_of(text);
  write_file_atomically(path, {&part, 1});
}

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

class Files : public testing::Test {
 protected:
  fs::path at(const char* name) const { return folder_.path() / name; }
  std::size_t count() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }
  TemporaryFolder folder_;
};

TEST_F(Files, WhatIsWrittenIsMappedAndRead) {
  EXPECT_TRUE(rc::check("parts come back joined", [this](const std::vector<std::string>& parts) {
    std::vector<std::span<const std::byte>> views;
    std::string all;
    for (const std::string& part : parts) {
      views.push_back(bytes_of(part));
      all += part;
    }
    write_file_atomically(at("file"), views);
    RC_ASSERT(text_of(MappedFile::open(at("file"))) == all);
    RC_ASSERT(read_file(at("file"), all.size()) == all);
    RC_ASSERT(count() == 1u);
  }));
}

TEST_F(Files, MapMovesAndKeepsItsPath) {
  save(at("a"), "first");
  save(at("b"), "second");
  MappedFile a = MappedFile::open(at("a"));
  MappedFile b = MappedFile::open(at("b"));
  a = std::move(b);
  EXPECT_EQ(text_of(a), "second");
  EXPECT_EQ(a.path(), at("b"));
  const MappedFile c(std::move(a));
  EXPECT_EQ(text_of(c), "second");
  save(at("b"), "third");  // a map keeps the file that it opened
  EXPECT_EQ(text_of(c), "second");
}

// Pages of this process that are in memory.
std::uint64_t resident_pages(const std::byte* begin, std::uint64_t bytes) {
  std::ifstream maps("/proc/self/smaps");
  const auto from = reinterpret_cast<std::uintptr_t>(begin);
  std::string line;
  bool inside = false;
  std::uint64_t kib = 0;
  while (std::getline(maps, line)) {
    std::uintptr_t first = 0, last = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &first, &last) == 2)
      inside = first >= from && last <= from + bytes + 4096;
    if (inside && line.starts_with("Rss:")) kib += std::stoul(line.substr(4));
  }
  return kib / 4;
}

TEST_F(Files, ReleasedBytesLeaveMemoryAndComeAgain) {
  const std::string text(std::size_t{40} * 4096, 'x');
  save(at("large"), text);
  const MappedFile file = MappedFile::open(at("large"));
  EXPECT_EQ(text_of(file), text);
  ASSERT_EQ(resident_pages(file.bytes().data(), file.bytes().size()), 40U);
  release_mapped(file.bytes().subspan(4096 + 7, std::size_t{20} * 4096));
  EXPECT_EQ(resident_pages(file.bytes().data(), file.bytes().size()), 40U - 19U) << "whole pages inside";
  EXPECT_EQ(text_of(file), text);
  std::string own(std::size_t{40} * 4096, 'y');
  release_mapped(bytes_of(own));
  EXPECT_EQ(own, std::string(std::size_t{40} * 4096, 'y')) << "memory of somebody else";
}

TEST_F(Files, ACopyOutlivesWhatIsDoneToItsFile) {
  const std::string text(std::size_t{40} * 4096 + 7, 'x');
  save(at("served"), text);
  const MappedFile file = [this] {
    const CopiedFiles ours;
    return MappedFile::open(at("served"));
  }();
  const auto written = [this](const std::string& now) {
    std::ofstream(at("served"), std::ios::binary | std::ios::trunc) << now;  // in place: the same inode
  };
  written("");
  EXPECT_EQ(text_of(file), text);
  written(std::string(text.size(), 'y'));
  EXPECT_EQ(text_of(file), text);
  release_mapped(file.bytes());
  EXPECT_FALSE(is_mapped(file.bytes()));
  EXPECT_EQ(text_of(file), text) << "it cannot be had again from there";
  EXPECT_TRUE(is_mapped(MappedFile::open(at("served")).bytes())) << "the wish ends with its block";
}

TEST_F(Files, EmptyFileIsAnEmptySpan) {
  save(at("empty"), "");
  EXPECT_TRUE(MappedFile::open(at("empty")).bytes().empty());
  EXPECT_EQ(read_file(at("empty"), 0), "");
}

TEST_F(Files, MissingFilesAndFoldersAreTypedErrorsWithTheirPath) {
  ASSERT_EQ(mkfifo(at("pipe").c_str(), 0600), 0);
  const auto code = [](auto call, const fs::path& path) {
    const Error error = thrown_by(call);
    EXPECT_EQ(error.where(), path.string());
    return error.code();
  };
  EXPECT_EQ(code([&] { MappedFile::open(at("no")); }, at("no")), ErrorCode::not_found);
  EXPECT_EQ(code([&] { read_file(at("no"), kNoLimit); }, at("no")), ErrorCode::not_found);
  EXPECT_EQ(code([&] { MappedFile::open(folder_.path()); }, folder_.path()), ErrorCode::io_error);
  EXPECT_EQ(code([&] { read_file(folder_.path(), kNoLimit); }, folder_.path()), ErrorCode::io_error);
  EXPECT_EQ(code([&] { MappedFile::open(at("pipe")); }, at("pipe")), ErrorCode::io_error);
  EXPECT_EQ(code([&] { save(folder_.path(), "x"); }, folder_.path()), ErrorCode::io_error);
  EXPECT_EQ(code([&] { save(at("pipe"), "x"); }, at("pipe")), ErrorCode::io_error);
  EXPECT_EQ(code([&] { save(at("no/file"), "x"); }, at("no")), ErrorCode::not_found);
}

TEST_F(Files, ReadingStopsAtItsLimit) {
  save(at("file"), std::string(100000, 'x'));
  EXPECT_EQ(read_file(at("file"), 100000).size(), 100000u);
  EXPECT_EQ(thrown_by([&] { read_file(at("file"), 99999); }).code(), ErrorCode::limit_exceeded);
  // A device without an end tells no size.
  EXPECT_EQ(thrown_by([&] { read_file("/dev/zero", 1 << 20); }).code(), ErrorCode::limit_exceeded);
  EXPECT_GT(read_file("/proc/self/status", kNoLimit).size(), 100u);
}

TEST_F(Files, ReplacingKeepsPermissionsAndFollowsLinks) {
  save(at("file"), "old");
  ASSERT_EQ(chmod(at("file").c_str(), 0640), 0);
  fs::create_symlink("file", at("link"));
  save(at("link"), "new");
  EXPECT_TRUE(fs::is_symlink(at("link")));
  EXPECT_EQ(read_file(at("file"), kNoLimit), "new");
  EXPECT_EQ(fs::status(at("file")).permissions(), fs::perms(0640));
}

TEST_F(Files, RelativePathsWork) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_.path());
  save("here", "text");
  EXPECT_EQ(text_of(MappedFile::open("here")), "text");
  fs::current_path(before);
}

/// Waits until the child's temporary file has `bytes`.
bool wait_for_temporary(const fs::path& folder, std::uintmax_t bytes) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < limit) {
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".tmp" && fs::file_size(entry.path(), gone) >= bytes && !gone) return true;
    }
  }
  return false;
}

TEST_F(Files, KillInMidWriteLeavesTheOldFile) {
  save(at("file"), "old");
  const std::string piece(1 << 16, 'n');
  // 16 GiB, written again and again from one piece: the kill comes long before the end.
  const std::vector<std::span<const std::byte>> parts(1 << 18, bytes_of(piece));
  for (const std::uintmax_t written : {std::uintmax_t{0}, std::uintmax_t{1} << 16, std::uintmax_t{8} << 20}) {
    const pid_t child = fork();
    if (child == 0) {
      write_file_atomically(at("file"), parts);
      _exit(0);
    }
    EXPECT_TRUE(wait_for_temporary(folder_.path(), written));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(read_file(at("file"), kNoLimit), "old");
    remove_left_over(folder_.path());
    EXPECT_EQ(count(), 1U);
  }
  const fs::path mine = folder_.path() / (".skerry-" + std::to_string(getpid()) + "-7.tmp");
  save(mine, "of a living writer");
  remove_left_over(folder_.path());
  EXPECT_TRUE(fs::exists(mine));
  save(at("file"), "new");
  EXPECT_EQ(read_file(at("file"), kNoLimit), "new");
}

TEST_F(Files, ErrorInMidWriteLeavesTheOldFileAndNothingElse) {
  save(at("file"), "old");
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &small);
    try {
      save(at("file"), std::string(5000, 'n'));
    } catch (const Error& error) {
      _exit(error.code() == ErrorCode::io_error ? 0 : 2);
    }
    _exit(1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(read_file(at("file"), kNoLimit), "old");
  EXPECT_EQ(count(), 1u);
}

TEST(UserFolders, FollowTheEnvironment) {
  // In a child, so that the other tests keep their environment.
  const pid_t child = fork();
  if (child == 0) {
    bool right = true;
    for (const char* name : {"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "SKERRY_CACHE_DIR"}) unsetenv(name);
    setenv("HOME", "/home/someone", 1);
    right &= config_dir() == "/home/someone/.config/skerry" && cache_dir() == "/home/someone/.cache/skerry";
    setenv("XDG_CONFIG_HOME", "/x", 1);
    setenv("XDG_CACHE_HOME", "not/absolute", 1);
    right &= config_dir() == "/x/skerry" && cache_dir() == "/home/someone/.cache/skerry";
    setenv("SKERRY_CACHE_DIR", "/fast", 1);
    unsetenv("HOME");
    right &= cache_dir() == "/fast";
    unsetenv("XDG_CONFIG_HOME");
    right &= thrown_by([] { config_dir(); }).code() == ErrorCode::not_found;
    _exit(right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace skerry::base
