#include <algorithm>
#include <charconv>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include "base/machine.hpp"
#include "base/proc_text.hpp"

namespace skerry::base {
namespace {

namespace fs = std::filesystem;

/// Splits off what stands before `separator`; all of it when there is none.
std::string_view take_until(std::string_view& text, char separator) {
  const auto at = text.find(separator);
  const std::string_view head = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
  return head;
}

std::string_view skip_space(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  text = skip_space(text);
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || rest == text.data()) return std::nullopt;
  return number;
}

template <class T>
void keep_smaller(std::optional<T>& best, std::optional<T> other) {
  if (other && (!best || *other < *best)) best = other;
}

/// `mount`/`path` and every folder above it up to `mount`. Inside a container the path told by /proc may be the host's
/// and not be there; the folders above it still are.
std::vector<fs::path> folders_up(const fs::path& mount, std::string path) {
  std::vector<fs::path> folders;
  while (!path.empty() && path.front() == '/') path.erase(0, 1);
  while (!path.empty()) {
    folders.push_back(mount / path);
    const auto slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
  folders.push_back(mount);
  return folders;
}

/// Memory that the kernel would give back before it refuses any: inactive file pages.
std::uint64_t reclaimable(const fs::path& folder, std::string_view key) {
  return parse_field(proc_text(folder / "memory.stat"), key).value_or(0);
}

void add_memory(CgroupLimits& limits, std::optional<std::uint64_t> limit, std::optional<std::uint64_t> used,
                const std::function<std::uint64_t()>& reclaim) {
  if (!limit) return;
  keep_smaller(limits.memory_bytes, limit);
  if (!used) return;
  const std::uint64_t held = *used - std::min(*used, reclaim());
  keep_smaller(limits.memory_free_bytes, std::optional<std::uint64_t>(*limit - std::min(*limit, held)));
}

void read_version2(CgroupLimits& limits, const fs::path& mount, const std::string& path) {
  for (const fs::path& folder : folders_up(mount, path)) {
    keep_smaller(limits.cpus, parse_cpu_max(proc_text(folder / "cpu.max")));
    add_memory(limits, parse_memory_limit(proc_text(folder / "memory.max")),
               parse_number(proc_text(folder / "memory.current")),
               [&] { return reclaimable(folder, "inactive_file"); });
  }
}

void read_version1_cpu(CgroupLimits& limits, const fs::path& mount, const std::string& path) {
  for (const fs::path& folder : folders_up(mount, path)) {
    const auto quota = parse_number(proc_text(folder / "cpu.cfs_quota_us"));  // "-1" is no number here: no limit
    const auto period = parse_number(proc_text(folder / "cpu.cfs_period_us"));
    if (!quota || !period || *quota == 0 || *period == 0) continue;
    keep_smaller(limits.cpus, std::optional(static_cast<double>(*quota) / static_cast<double>(*period)));
  }
}

void read_version1_memory(CgroupLimits& limits, const fs::path& mount, const std::string& path) {
  for (const fs::path& folder : folders_up(mount, path)) {
    add_memory(limits, parse_memory_limit(proc_text(folder / "memory.limit_in_bytes")),
               parse_number(proc_text(folder / "memory.usage_in_bytes")),
               [&] { return reclaimable(folder, "total_inactive_file"); });
  }
}

/// The first of these mounts that is there; version 1 has "cpu" alone or as a link to "cpu,cpuacct".
fs::path first_folder(const fs::path& root, std::initializer_list<const char*> names) {
  std::error_code ignored;
  for (const char* name : names) {
    if (fs::is_directory(root / name, ignored)) return root / name;
  }
  return root / *names.begin();
}

}  // namespace

std::optional<double> parse_cpu_max(std::string_view text) {
  const auto quota = parse_number(take_until(text, ' '));
  const auto period = parse_number(text);
  if (!quota || !period || *quota == 0 || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<std::uint64_t> parse_memory_limit(std::string_view text) {
  // Version 1 says "unlimited" by the largest number of whole pages, 2^63 - page.
  constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62;
  const auto limit = parse_number(text);
  return limit && *limit < kUnlimited ? limit : std::nullopt;
}

std::optional<std::string> parse_cgroup_path(std::string_view text, std::string_view controller) {
  while (!text.empty()) {
    std::string_view path = take_until(text, '\n');
    take_until(path, ':');  // the hierarchy's number
    std::string_view controllers = take_until(path, ':');
    if (path.empty()) continue;
    if (controller.empty() && controllers.empty()) return std::string(path);
    while (!controllers.empty()) {
      if (take_until(controllers, ',') == controller) return std::string(path);
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_field(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (!line.starts_with(key) || line.size() == key.size()) continue;
    line.remove_prefix(key.size());
    if (line.front() != ':' && line.front() != ' ') continue;
    line.remove_prefix(1);
    const auto number = parse_number(line);
    const bool kilo = number && line.ends_with("kB");
    if (kilo && *number > UINT64_MAX / 1024) return std::nullopt;
    return kilo ? std::optional(*number * 1024) : number;
  }
  return std::nullopt;
}

CgroupLimits read_cgroup_limits(const fs::path& root) {
  CgroupLimits limits;
  const std::string own = proc_text(root / "proc/self/cgroup");
  const fs::path mount = root / "sys/fs/cgroup";
  if (const auto path = parse_cgroup_path(own, "")) {
    // Version 2 is mounted alone, or beside version 1 as "unified".
    read_version2(limits, first_folder(mount, {"unified", "."}), *path);
  }
  if (const auto path = parse_cgroup_path(own, "cpu")) {
    read_version1_cpu(limits, first_folder(mount, {"cpu", "cpu,cpuacct"}), *path);
  }
  if (const auto path = parse_cgroup_path(own, "memory")) read_version1_memory(limits, mount / "memory", *path);
  return limits;
}

}  // namespace skerry::base
