#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <skerry/batch_math.hpp>
#include <skerry/devices.hpp>
#include <skerry/error.hpp>
#include <sstream>
#include <thread>
#include <utility>

#include "base/machine.hpp"
#include "base/memory_usage.hpp"
#include "base/threads.hpp"

namespace skerry {
namespace {

std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string first_line(const std::filesystem::path& path) {
  std::string line = file_text(path);
  if (const std::size_t end = line.find('\n'); end != std::string::npos) line.resize(end);
  return line;
}

std::optional<double> number_in(const std::filesystem::path& path) {
  const std::string text = first_line(path);
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || text.empty()) return std::nullopt;
  return value;
}

std::vector<std::filesystem::path> entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) out.push_back(entry.path());
  std::ranges::sort(out);
  return out;
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

DeviceInfo describe_cpu(const std::filesystem::path& root) {
  const base::Machine& machine = base::machine();
  DeviceInfo cpu{.id = "cpu", .kind = "cpu", .model = machine.cpu_model, .isa = {}};
  std::set<std::string> sockets;
  std::set<std::pair<std::string, std::string>> cores;  ///< socket and number in it
  for (const auto& folder : entries(root / "sys/devices/system/cpu")) {
    const std::string name = folder.filename().string();
    if (!name.starts_with("cpu") || !all_digits(name.substr(3))) continue;
    const std::string socket = first_line(folder / "topology/physical_package_id"),
                      core = first_line(folder / "topology/core_id");
    if (socket.empty()) continue;  // offline
    ++cpu.threads;
    sockets.insert(socket);
    cores.emplace(socket, core);
  }
  cpu.sockets = static_cast<int>(sockets.size());
  cpu.cores = static_cast<int>(cores.size());
  cpu.usable_threads = machine.usable_cpus;
  cpu.cpu_quota = machine.cgroup_cpus;
  cpu.memory_bytes = machine.memory_bytes;
  cpu.available_bytes = base::available_memory_bytes();
  for (const std::string_view isa : machine.isa) cpu.isa.emplace_back(isa);
  return cpu;
}

// What NVIDIA's driver says in /proc, and cards of other drivers that tell their memory in /sys.
void find_gpus(const std::filesystem::path& root, std::vector<DeviceInfo>& devices) {
  int number = 0;
  const auto add = [&](std::string model, std::uint64_t bytes) {
    devices.push_back({.id = "gpu" + std::to_string(number++),
                       .kind = "gpu",
                       .model = std::move(model),
                       .memory_bytes = bytes,
                       .available_bytes = bytes,
                       .isa = {}});
  };
  for (const auto& folder : entries(root / "proc/driver/nvidia/gpus")) {
    std::istringstream lines(file_text(folder / "information"));
    std::string line, model = "NVIDIA";
    while (std::getline(lines, line)) {
      const std::size_t colon = line.find(':');
      if (line.starts_with("Model") && colon != std::string::npos)
        model = line.substr(std::min(line.find_first_not_of(" \t", colon + 1), line.size()));
    }
    add(std::move(model), 0);
  }
  for (const auto& card : entries(root / "sys/class/drm")) {
    const std::string name = card.filename().string();
    if (!name.starts_with("card") || !all_digits(name.substr(4))) continue;
    if (const auto bytes = number_in(card / "device/mem_info_vram_total")) {
      const std::string product = first_line(card / "device/product_name");
      add(product.empty() ? name : product, static_cast<std::uint64_t>(*bytes));
    }
  }
}

void find_npus(const std::filesystem::path& root, std::vector<DeviceInfo>& devices) {
  int number = 0;
  for (const auto& folder : entries(root / "sys/class/accel")) {
    const std::string driver = file_text(folder / "device/uevent");
    const std::size_t at = driver.find("DRIVER=");
    std::string model = at == std::string::npos ? folder.filename().string() : driver.substr(at + 7);
    if (const std::size_t end = model.find('\n'); end != std::string::npos) model.resize(end);
    devices.push_back({.id = "npu" + std::to_string(number++), .kind = "npu", .model = std::move(model), .isa = {}});
  }
}

struct CpuTimes {
  double busy = 0.0, total = 0.0;
};

// The line of all processors: user nice system idle iowait irq softirq steal.
std::optional<CpuTimes> cpu_times(const std::filesystem::path& root) {
  std::istringstream line(first_line(root / "proc/stat"));
  std::string name;
  if (!(line >> name) || name != "cpu") return std::nullopt;
  CpuTimes times;
  double value = 0.0;
  for (int field = 0; field < 8 && line >> value; ++field) {
    times.total += value;
    const bool idle = field == 3 || field == 4;
    if (!idle) times.busy += value;
  }
  return times;
}

std::optional<double> hottest(const std::filesystem::path& root) {
  std::optional<double> celsius;
  const auto take = [&](const std::filesystem::path& path) {
    if (const auto value = number_in(path)) celsius = std::max(celsius.value_or(-273.15), *value / 1000.0);
  };
  for (const auto& zone : entries(root / "sys/class/thermal"))
    if (zone.filename().string().starts_with("thermal_zone")) take(zone / "temp");
  for (const auto& monitor : entries(root / "sys/class/hwmon")) take(monitor / "temp1_input");
  return celsius;
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
  return cpus;
}

void keep_to(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (CPU_COUNT(&set) > 0) sched_setaffinity(0, sizeof set, &set);
}

// On as many threads as there are: each piece waits a while for the others, so that no thread takes two.
void everywhere(int threads, const std::vector<int>& cpus) {
  constexpr auto kPatience = std::chrono::milliseconds(20);
  const base::ThreadLimit limit(threads);
  const auto count = static_cast<std::size_t>(threads);
  std::atomic<std::size_t> arrived{0};
  const auto until = std::chrono::steady_clock::now() + kPatience;
  base::parallel_for(0, count, 1, [&](std::size_t begin, std::size_t end) {
    keep_to(cpus);
    arrived += end - begin;
    while (arrived < count && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  });
}

}  // namespace

struct DeviceReservation::Book {
  std::mutex mutex;
  std::map<std::string, double, std::less<>> shares;
  std::map<std::string, std::uint64_t, std::less<>> bytes;
};

DeviceReservation& DeviceReservation::operator=(DeviceReservation&& other) noexcept {
  if (this == &other) return *this;
  release();
  book_ = std::exchange(other.book_, nullptr);
  device_ = std::move(other.device_);
  tenant_ = std::move(other.tenant_);
  share_ = other.share_;
  memory_bytes_ = other.memory_bytes_;
  threads_ = other.threads_;
  return *this;
}

void DeviceReservation::release() noexcept {
  if (book_ == nullptr) return;
  {
    const std::lock_guard lock(book_->mutex);
    if (const auto share = book_->shares.find(device_); share != book_->shares.end()) share->second -= share_;
    if (const auto bytes = book_->bytes.find(device_); bytes != book_->bytes.end()) bytes->second -= memory_bytes_;
  }
  book_.reset();
}

struct DeviceManager::State {
  std::filesystem::path root;
  std::vector<DeviceInfo> devices;
  std::shared_ptr<DeviceReservation::Book> book = std::make_shared<DeviceReservation::Book>();
  std::mutex mutex;
  std::optional<CpuTimes> last;
};

DeviceManager::DeviceManager(std::filesystem::path root) : state_(std::make_unique<State>()) {
  state_->root = std::move(root);
  state_->devices.push_back(describe_cpu(state_->root));
  find_gpus(state_->root, state_->devices);
  find_npus(state_->root, state_->devices);
  state_->last = cpu_times(state_->root);
}
DeviceManager::~DeviceManager() = default;

const std::vector<DeviceInfo>& DeviceManager::devices() const noexcept {
  return state_->devices;
}

const DeviceInfo& DeviceManager::device(std::string_view id) const {
  std::string known;
  for (const DeviceInfo& device : state_->devices) {
    if (device.id == id) return device;
    known += (known.empty() ? "" : ", ") + device.id;
  }
  throw Error(ErrorCode::not_found, "there is no device '" + std::string(id) + "'", "devices", "there are " + known);
}

DeviceLoad DeviceManager::load(std::string_view id) {
  const DeviceInfo& device = this->device(id);
  DeviceLoad load;
  if (device.kind == "gpu") {
    int number = 0;
    for (const auto& card : entries(state_->root / "sys/class/drm")) {
      if (!number_in(card / "device/mem_info_vram_total") || "gpu" + std::to_string(number++) != id) continue;
      if (const auto used = number_in(card / "device/mem_info_vram_used"))
        load.used_bytes = static_cast<std::uint64_t>(*used);
      if (const auto busy = number_in(card / "device/gpu_busy_percent")) load.utilization = *busy / 100.0;
      for (const auto& monitor : entries(card / "device/hwmon"))
        if (const auto heat = number_in(monitor / "temp1_input")) load.celsius = *heat / 1000.0;
    }
    return load;
  }
  if (device.kind != "cpu") return load;
  const std::lock_guard lock(state_->mutex);
  const auto now = cpu_times(state_->root);
  if (now && state_->last && now->total > state_->last->total)
    load.utilization = (now->busy - state_->last->busy) / (now->total - state_->last->total);
  state_->last = now;
  const std::uint64_t available = std::min(base::available_memory_bytes(), device.memory_bytes);
  load.used_bytes = device.memory_bytes - available;
  load.own_bytes = base::resident_bytes();
  load.celsius = hottest(state_->root);
  return load;
}

DeviceReservation DeviceManager::reserve(std::string_view id, std::string tenant, double share,
                                         std::uint64_t memory_bytes) {
  const DeviceInfo& device = this->device(id);
  if (!(share > 0.0 && share <= 1.0))
    throw Error(ErrorCode::invalid_argument, "a share of " + std::to_string(share), "share", "give a part up to 1");
  constexpr double kRounding = 1e-9;
  DeviceReservation::Book& book = *state_->book;
  const std::lock_guard lock(book.mutex);
  double& shares = book.shares[device.id];
  std::uint64_t& bytes = book.bytes[device.id];
  if (shares + share > 1.0 + kRounding) {
    throw Error(ErrorCode::budget_exceeded,
                "a share of " + std::to_string(share) + " where " + std::to_string(1.0 - shares) + " is left",
                device.id, "release another reservation");
  }
  if (device.memory_bytes > 0 && memory_bytes > device.memory_bytes - std::min(bytes, device.memory_bytes)) {
    throw Error(
        ErrorCode::budget_exceeded,
        std::to_string(memory_bytes) + " bytes where " + std::to_string(device.memory_bytes - bytes) + " are left",
        device.id, "release another reservation");
  }
  shares += share;
  bytes += memory_bytes;
  DeviceReservation out;
  out.book_ = state_->book;
  out.device_ = device.id;
  out.tenant_ = std::move(tenant);
  out.share_ = share;
  out.memory_bytes_ = memory_bytes;
  if (device.kind == "cpu") out.threads_ = std::max(1, static_cast<int>(share * device.usable_threads + kRounding));
  return out;
}

double DeviceManager::unreserved_share(std::string_view id) const {
  const DeviceInfo& device = this->device(id);
  const std::lock_guard lock(state_->book->mutex);
  const auto found = state_->book->shares.find(device.id);
  return found == state_->book->shares.end() ? 1.0 : 1.0 - found->second;
}

CPUAccelerator::CPUAccelerator(int threads, std::vector<int> cpus)
    : threads_(threads == 0 ? base::thread_budget() : threads), cpus_(std::move(cpus)), before_(allowed_cpus()) {
  if (threads_ < 1 || threads_ > base::kMaxThreads)
    throw Error(ErrorCode::invalid_argument, "threads is " + std::to_string(threads), "threads");
  if (cpus_.empty()) {
    cpus_ = before_;
    return;
  }
  for (const int cpu : cpus_) {
    if (std::ranges::find(before_, cpu) == before_.end())
      throw Error(ErrorCode::invalid_argument, "processor " + std::to_string(cpu) + " is none of this process's",
                  "cpus");
  }
  everywhere(std::min(threads_, base::thread_budget()), cpus_);
}

CPUAccelerator::~CPUAccelerator() {
  if (cpus_ != before_) everywhere(std::min(threads_, base::thread_budget()), before_);
}

std::vector<std::string_view> CPUAccelerator::isa() const {
  return base::machine().isa;
}

Tensor CPUAccelerator::matmul(const Tensor& a, const Tensor& b) const {
  const base::ThreadLimit limit(threads_);
  return CacheOptimizedProcessor(CacheOptimizedProcessor::kMostBlock).blocked_matrix_multiplication(a, b);
}

}  // namespace skerry
