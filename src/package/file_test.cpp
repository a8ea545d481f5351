// What needs a real file: mapping, atomic replacement, kills, several writers.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <skerry/error.hpp>
#include <thread>

#include "base/memory_usage.hpp"
#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "package/package.hpp"
#include "package/testing.hpp"

namespace skerry::package {
namespace {

using base::thrown_by;
using testing::bell;

constexpr std::uint64_t kMegabyte = 1 << 20;

/// A tensor of zeros that takes no memory until it is read: pages of the kernel's.
Tensor sparse_tensor(std::uint64_t bytes) {
  void* pages = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  const Shape shape{static_cast<std::int64_t>(bytes / 4)};
  return Tensor(TensorView(DType::f32, shape, static_cast<const std::byte*>(pages)),
                std::shared_ptr<const void>(pages, [bytes](const void* p) { ::munmap(const_cast<void*>(p), bytes); }));
}

Contents with_weights(const Tensor& tensor) {
  Graph graph;
  graph.name = "large";
  graph.add_constant("w", tensor);
  return {graph, {}, {}};
}

std::string name_in(const std::filesystem::path& path) {
  const Loaded loaded = read(path);
  const auto* circuit = std::get_if<Circuit>(&loaded.contents.program);
  return circuit != nullptr ? circuit->name : std::get<Graph>(loaded.contents.program).name;
}

/// Seconds of the fastest of several calls.
template <class Call>
double best_seconds(int tries, Call&& call) {
  double best = 1e9;
  for (int i = 0; i < tries; ++i) {
    const auto start = std::chrono::steady_clock::now();
    call();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

TEST(MappedWeights, AreNotReadByLoading) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "large.skerry";
  write(path, with_weights(sparse_tensor(200 * kMegabyte)));
  ASSERT_GT(std::filesystem::file_size(path), 200 * kMegabyte);
  const std::uint64_t before = base::resident_bytes();
  const Loaded loaded = read(path);
  const std::uint64_t after = base::resident_bytes();
  EXPECT_LT(after, before + 20 * kMegabyte);
  EXPECT_EQ(std::get<Graph>(loaded.contents.program).value(0).constant->view().bytes(), 200 * kMegabyte);
  EXPECT_LT(best_seconds(5, [&] { read(path); }), 0.05);
  RecordProperty("rss_rise_kb", std::to_string((after - std::min(before, after)) / 1024));
}

TEST(MappedWeights, AreHashedWhereEverythingMustBeChecked) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "large.skerry";
  write(path, with_weights(sparse_tensor(5 * kMegabyte)));
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(3 * kMegabyte));
    file.put('x');
  }
  EXPECT_NO_THROW(read(path)) << "weights past 2 MiB are left to Check::full";
  const Error error = thrown_by([&] { read(path, {.check = Check::full}); });
  EXPECT_EQ(error.code(), ErrorCode::corrupt);
  EXPECT_EQ(error.where(), path.string() + ":weights");
  EXPECT_EQ(thrown_by([&] { inspect(path, {.check = Check::full}); }).code(), ErrorCode::corrupt);
}

TEST(MappedWeights, OfSmallFilesAreAlwaysHashed) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "small.skerry";
  write(path, with_weights(sparse_tensor(kMegabyte)));
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('x');
  }
  EXPECT_EQ(thrown_by([&] { read(path); }).code(), ErrorCode::corrupt);
}

TEST(Writing, KilledAtAnyMomentLeavesTheOldFileOrTheNewOne) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "x.skerry";
  const Contents large = with_weights(sparse_tensor(48 * kMegabyte));
  const auto start = std::chrono::steady_clock::now();
  write(path, large);
  const auto whole = std::chrono::steady_clock::now() - start;
  constexpr int kKills = 24;
  int killed_before_the_end = 0;
  for (int i = 0; i < kKills; ++i) {
    write(path, {bell(), {}, {}});
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      write(path, large);
      ::_exit(0);
    }
    std::this_thread::sleep_for(whole * i / kKills);
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    const std::string name = name_in(path);
    if (WIFSIGNALED(status)) {
      ASSERT_TRUE(name == "bell" || name == "large") << name;
      killed_before_the_end += name == "bell" ? 1 : 0;
    } else {
      ASSERT_EQ(name, "large");
    }
  }
  EXPECT_GE(killed_before_the_end, kKills / 4) << "the kills came too late to say anything";
}

TEST(Writing, WhichRunsOutOfRoomLeavesTheOldFileAndNothingElse) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "x.skerry";
  write(path, {bell(), {}, {}});
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{kMegabyte, kMegabyte};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Error error = thrown_by([&] { write(path, with_weights(sparse_tensor(4 * kMegabyte))); });
    ::_exit(error.code() == ErrorCode::io_error ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(name_in(path), "bell");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Writing, TwoWritersAtOnceNeverMix) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "x.skerry";
  Circuit other = bell();
  other.name = "other";
  write(path, {bell(), {}, {}});
  {
    const auto write_often = [&path](const Circuit& circuit) {
      for (int i = 0; i < 40; ++i) write(path, {circuit, {}, {}});
    };
    const std::jthread one(write_often, bell());
    const std::jthread two(write_often, other);
    for (int i = 0; i < 200; ++i) {
      const std::string name = name_in(path);
      ASSERT_TRUE(name == "bell" || name == "other");
    }
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Writing, WhereItIsNotAllowedSaysSo) {
  const Error missing = thrown_by([] { write("/nowhere/at/all/x.skerry", {bell(), {}, {}}); });
  EXPECT_EQ(missing.code(), ErrorCode::not_found);
  // /proc refuses new files to everybody, also to root, whom permissions do not stop.
  const Error refused = thrown_by([] { write("/proc/x.skerry", {bell(), {}, {}}); });
  EXPECT_TRUE(refused.code() == ErrorCode::io_error || refused.code() == ErrorCode::not_found) << refused.what();
  const base::TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  if (::geteuid() != 0) {
    const Error read_only = thrown_by([&] { write(folder.path() / "x.skerry", {bell(), {}, {}}); });
    EXPECT_EQ(read_only.code(), ErrorCode::io_error);
  }
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
}

TEST(Reading, WhatIsNotAPackageSaysWhere) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "a.skerry";
  EXPECT_EQ(thrown_by([&] { read(path); }).code(), ErrorCode::not_found);
  EXPECT_EQ(thrown_by([&] { read(folder.path()); }).code(), ErrorCode::io_error);
  std::ofstream(path) << "";
  EXPECT_EQ(thrown_by([&] { read(path); }).code(), ErrorCode::corrupt);
  std::ofstream(path) << "OPENQASM 3.0;";
  const Error error = thrown_by([&] { read(path); });
  EXPECT_EQ(error.code(), ErrorCode::corrupt);
  EXPECT_EQ(error.where(), path.string() + ":header");
}

}  // namespace
}  // namespace skerry::package
