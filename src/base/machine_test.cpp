#include "base/machine.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sched.h>

#include <fstream>
#include <string>

#include "base/temporary_folder.hpp"

namespace skerry::base {
namespace {

namespace fs = std::filesystem;

TEST(CgroupText, CpuMaxIsQuotaOverPeriod) {
  EXPECT_EQ(parse_cpu_max("150000 100000\n"), 1.5);
  EXPECT_EQ(parse_cpu_max("50000 100000"), 0.5);
  for (const char* none : {"max 100000\n", "", "max", "100000", "1 0", "0 100000", "-1 100000", "x y"}) {
    EXPECT_EQ(parse_cpu_max(none), std::nullopt) << none;
  }
}

TEST(CgroupText, MemoryLimitMayBeAbsent) {
  EXPECT_EQ(parse_memory_limit("536870912\n"), 536870912u);
  EXPECT_EQ(parse_memory_limit("max\n"), std::nullopt);
  EXPECT_EQ(parse_memory_limit("9223372036854771712\n"), std::nullopt);
  EXPECT_EQ(parse_memory_limit("99999999999999999999999\n"), std::nullopt);
  EXPECT_EQ(parse_memory_limit(""), std::nullopt);
}

TEST(CgroupText, PathIsThatOfTheController) {
  const std::string text = "5:devices:/\n4:memory:/a/b\n2:cpu,cpuacct:/c:d\n1:name=systemd:/s\n0::/u\n";
  EXPECT_EQ(parse_cgroup_path(text, "memory"), "/a/b");
  EXPECT_EQ(parse_cgroup_path(text, "cpu"), "/c:d");
  EXPECT_EQ(parse_cgroup_path(text, "cpuacct"), "/c:d");
  EXPECT_EQ(parse_cgroup_path(text, ""), "/u");
  EXPECT_EQ(parse_cgroup_path(text, "cp"), std::nullopt);
  EXPECT_EQ(parse_cgroup_path("4:memory:/a\n", ""), std::nullopt);
}

TEST(CgroupText, FieldsAreFoundByTheirWholeName) {
  const std::string text = "MemTotal:       16384 kB\nMemAvailable:    1000 kB\nHuge: 7\ninactive_file 4096\n";
  EXPECT_EQ(parse_field(text, "MemAvailable"), 1024000u);
  EXPECT_EQ(parse_field(text, "Huge"), 7u);
  EXPECT_EQ(parse_field(text, "inactive_file"), 4096u);
  EXPECT_EQ(parse_field(text, "active_file"), std::nullopt);
  EXPECT_EQ(parse_field(text, "Mem"), std::nullopt);
  EXPECT_EQ(parse_field("VmRSS: 18446744073709551615 kB\n", "VmRSS"), std::nullopt);
}

TEST(CgroupText, NoTextBreaksAParser) {
  EXPECT_TRUE(rc::check("parsers return", [](const std::string& text) {
    parse_cpu_max(text);
    parse_memory_limit(text);
    parse_cgroup_path(text, "cpu");
    parse_cgroup_path(text, "");
    parse_field(text, "key");
  }));
}

/// A file system as a container sees it.
class CgroupRoot : public testing::Test {
 protected:
  void write(const fs::path& path, const std::string& text) {
    fs::create_directories((root_.path() / path).parent_path());
    std::ofstream(root_.path() / path) << text;
  }
  CgroupLimits limits() const { return read_cgroup_limits(root_.path()); }

  TemporaryFolder root_;
};

TEST_F(CgroupRoot, NoFilesMeanNoLimits) {
  EXPECT_EQ(limits().cpus, std::nullopt);
  EXPECT_EQ(limits().memory_bytes, std::nullopt);
  EXPECT_EQ(limits().memory_free_bytes, std::nullopt);
}

TEST_F(CgroupRoot, VersionTwoTakesTheSmallestLimitOnTheWayUp) {
  write("proc/self/cgroup", "0::/pod/box\n");
  write("sys/fs/cgroup/pod/cpu.max", "150000 100000\n");
  write("sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/pod/memory.max", "1000000\n");
  write("sys/fs/cgroup/pod/memory.current", "950000\n");
  write("sys/fs/cgroup/pod/memory.stat", "file 500000\nactive_file 1\ninactive_file 200000\n");
  write("sys/fs/cgroup/pod/box/memory.max", "800000\n");
  write("sys/fs/cgroup/pod/box/memory.current", "300000\n");
  EXPECT_EQ(limits().cpus, 1.5);
  EXPECT_EQ(limits().memory_bytes, 800000u);
  EXPECT_EQ(limits().memory_free_bytes, 250000u);  // pod: 1000000 - (950000 - 200000), box: 500000
}

TEST_F(CgroupRoot, PathOfTheHostFallsBackToTheMount) {
  write("proc/self/cgroup", "0::/host/only/path\n");
  write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(limits().cpus, 2.0);
}

TEST_F(CgroupRoot, VersionOneIsRead) {
  write("proc/self/cgroup", "4:memory:/a\n3:cpu,cpuacct:/b\n");
  write("sys/fs/cgroup/cpu,cpuacct/b/cpu.cfs_quota_us", "50000\n");
  write("sys/fs/cgroup/cpu,cpuacct/b/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "123\n");
  write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096\n");
  write("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "5000\n");
  write("sys/fs/cgroup/memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 3000\n");
  EXPECT_EQ(limits().cpus, 0.5);
  EXPECT_EQ(limits().memory_bytes, 4096u);
  EXPECT_EQ(limits().memory_free_bytes, 2096u);
}

TEST_F(CgroupRoot, MixedHierarchiesAreBothRead) {
  write("proc/self/cgroup", "4:memory:/\n0::/box\n");
  write("sys/fs/cgroup/unified/box/cpu.max", "300000 100000\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n");
  EXPECT_EQ(limits().cpus, 3.0);
  EXPECT_EQ(limits().memory_bytes, 1048576u);
}

TEST(Machine, DescribesThisOne) {
  const Machine& here = machine();
  EXPECT_FALSE(here.cpu_model.empty());
  EXPECT_GE(here.usable_cpus, 1);
  EXPECT_LE(here.usable_cpus, here.logical_cpus);
  EXPECT_GT(here.memory_bytes, std::uint64_t{64} << 20);
  EXPECT_GT(here.available_memory_bytes, 0u);
  EXPECT_LE(here.available_memory_bytes, here.memory_bytes);
  EXPECT_EQ(here.page_bytes & (here.page_bytes - 1), 0u);
  EXPECT_EQ(&machine(), &here);
  EXPECT_LE(available_memory_bytes(), here.memory_bytes);
}

#if defined(__x86_64__)
TEST(Machine, FlagsAreThoseOfTheKernel) {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("flags")) {
  }
  ASSERT_TRUE(line.starts_with("flags"));
  line += ' ';
  for (const char* name : {"sse4_2", "avx", "avx2", "fma", "bmi2", "avx512f", "avx512bw", "avx512dq", "avx512vl",
                           "avx512vbmi", "avx512_vnni", "avx512_bf16"}) {
    EXPECT_EQ(machine().has(name), line.find(" " + std::string(name) + " ") != std::string::npos) << name;
  }
}
#endif

TEST(Machine, FollowsTheAffinityMask) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &before)) continue;
    CPU_SET(cpu, &one);
    break;
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_cpus(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

TEST(Machine, FingerprintKnowsHardwareAndNotBudgets) {
  Machine other = machine();
  EXPECT_EQ(other.fingerprint().size(), 32u);
  other.available_memory_bytes = 1;
  other.memory_bytes = 1;
  other.cgroup_cpus = 0.5;
  other.usable_cpus = 1;
  EXPECT_EQ(other.fingerprint(), machine().fingerprint());
  other.l2_bytes += 1;
  EXPECT_NE(other.fingerprint(), machine().fingerprint());
  other = machine();
  other.isa.push_back("new");
  EXPECT_NE(other.fingerprint(), machine().fingerprint());
}

}  // namespace
}  // namespace skerry::base
