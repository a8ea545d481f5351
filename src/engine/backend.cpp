#include <algorithm>
#include <mutex>
#include <skerry/backend.hpp>
#include <skerry/edge_engine.hpp>
#include <skerry/error.hpp>
#include <utility>

#include "base/machine.hpp"
#include "ops/nn/flops.hpp"
#include "ops/nn/op_record.hpp"
#include "plan/planner.hpp"

namespace skerry {
namespace {

class EngineProgram : public BackendProgram {
 public:
  EngineProgram(Graph part, const Limits& limits, Level level)
      : engine_(std::make_shared<const Graph>(std::move(part)), limits, {.level = level}) {}

  std::vector<Tensor> run(std::span<const Tensor> inputs, const RunControl& control) override {
    return engine_.infer(inputs, control);
  }
  const Graph& graph() const { return engine_.graph(); }

 private:
  ModelRunner engine_;
};

std::uint64_t mock_weight_bytes(const Graph& graph) {
  std::uint64_t bytes = 0;
  for (const Value& value : graph.values())
    if (value.constant) bytes += value.constant->view().bytes();
  return bytes;
}

std::optional<std::string> unknown_operator(const Node& node) {
  if (node.op == "circuit" || ops::find_op(node.op) != nullptr) return std::nullopt;
  return "there is no operator " + node.op;
}

}  // namespace

CPUBackend::CPUBackend(Limits limits, Level level, std::string name)
    : limits_(std::move(limits)), level_(level), name_(std::move(name)) {}

BackendInfo CPUBackend::info() const {
  const base::Machine& machine = base::machine();
  return {"cpu", machine.cpu_model, machine.memory_bytes};
}

std::optional<std::string> CPUBackend::declines(const Graph& /*graph*/, const Node& node) const {
  return unknown_operator(node);
}

std::unique_ptr<BackendProgram> CPUBackend::compile(Graph part) {
  return std::make_unique<EngineProgram>(std::move(part), limits_, level_);
}

struct MockGPUBackend::State {
  MockDevice device;
  mutable std::mutex mutex;
  MockFaults faults;
  MockCounters counters;
  bool lost = false;

  void check_there() const {
    if (lost) throw Error(ErrorCode::unavailable, "the device is lost", device.name);
  }
  void allocate(std::uint64_t bytes, const char* what) {
    const std::lock_guard lock(mutex);
    check_there();
    const bool refused = faults.out_of_memory_at && counters.allocations >= *faults.out_of_memory_at;
    if (refused || bytes > device.memory_bytes - counters.used_bytes) {
      throw Error(ErrorCode::budget_exceeded,
                  std::string(what) + " of " + std::to_string(bytes) + " bytes beside " +
                      std::to_string(counters.used_bytes) + " of " + std::to_string(device.memory_bytes),
                  device.name);
    }
    ++counters.allocations;
    counters.used_bytes += bytes;
    counters.peak_bytes = std::max(counters.peak_bytes, counters.used_bytes);
  }
  void release(std::uint64_t bytes) {
    const std::lock_guard lock(mutex);
    counters.used_bytes -= bytes;
  }
  void copy(std::uint64_t bytes, std::uint64_t MockCounters::*direction) {
    const std::lock_guard lock(mutex);
    check_there();
    counters.*direction += bytes;
    counters.seconds += static_cast<double>(bytes) / device.link_bytes_per_second;
  }
  void kernel(double flops, double bytes) {
    const std::lock_guard lock(mutex);
    check_there();
    if (faults.lost_at_kernel && counters.kernels >= *faults.lost_at_kernel) {
      lost = true;
      check_there();
    }
    ++counters.kernels;
    counters.seconds +=
        device.launch_seconds + std::max(flops / device.flops_per_second, bytes / device.bytes_per_second);
  }
};

namespace {

// Bytes of the simulated memory for as long as it lives.
template <class State>
class MockMemory {
 public:
  MockMemory(std::shared_ptr<State> state, std::uint64_t bytes, const char* what)
      : state_(std::move(state)), bytes_(bytes) {
    state_->allocate(bytes, what);
  }
  MockMemory(const MockMemory&) = delete;
  MockMemory& operator=(const MockMemory&) = delete;
  ~MockMemory() { state_->release(bytes_); }

 private:
  std::shared_ptr<State> state_;
  std::uint64_t bytes_;
};

// Bytes of the host, counted as the device's.
template <class State>
class MockDeviceMemory final : public MemoryAllocator {
 public:
  explicit MockDeviceMemory(std::shared_ptr<State> state)
      : state_(std::move(state)), host_(memory_allocator(MemoryKind::system)) {}
  std::byte* allocate(std::uint64_t bytes) override {
    try {
      state_->allocate(bytes, "a block");
    } catch (const Error&) {
      return nullptr;
    }
    std::byte* const block = host_->allocate(bytes);
    if (block == nullptr) state_->release(bytes);
    return block;
  }
  void deallocate(std::byte* block, std::uint64_t bytes) noexcept override {
    host_->deallocate(block, bytes);
    state_->release(bytes);
  }

 private:
  std::shared_ptr<State> state_;
  std::shared_ptr<MemoryAllocator> host_;
};

template <class State>
class MockProgram : public BackendProgram {
 public:
  MockProgram(std::shared_ptr<State> state, Graph part)
      : state_(std::move(state)),
        program_(std::move(part), {}, Level::medium),
        weights_(state_, mock_weight_bytes(program_.graph()), "weights") {
    state_->copy(mock_weight_bytes(program_.graph()), &MockCounters::uploaded_bytes);
  }

  std::vector<Tensor> run(std::span<const Tensor> inputs, const RunControl& control) override {
    std::vector<TensorType> types;
    std::uint64_t in_bytes = 0, out_bytes = 0;
    for (const Tensor& tensor : inputs) {
      types.push_back(TensorType::of(tensor.dtype(), tensor.shape()));
      in_bytes += tensor.view().bytes();
    }
    const Graph concrete = ops::specialize(program_.graph(), types);
    std::uint64_t live = in_bytes;
    for (const Value& value : concrete.values())
      if (value.producer != kNoNode) live += bytes_of(value);
    const MockMemory<State> tensors(state_, live, "tensors");
    state_->copy(in_bytes, &MockCounters::uploaded_bytes);
    for (const Node& node : concrete.nodes()) {
      double bytes = 0.0;
      for (const auto* ids : {&node.inputs, &node.outputs}) {
        for (const ValueId id : *ids)
          if (id != kNoValue) bytes += static_cast<double>(bytes_of(concrete.value(id)));
      }
      state_->kernel(ops::flops(concrete, node), bytes);
      control.check(node.name);
    }
    std::vector<Tensor> outputs = program_.run(inputs, control);
    for (const Tensor& tensor : outputs) out_bytes += tensor.view().bytes();
    state_->copy(out_bytes, &MockCounters::downloaded_bytes);
    return outputs;
  }

 private:
  static std::uint64_t bytes_of(const Value& value) {
    const auto shape = value.type.static_shape();
    return shape ? tensor_bytes(value.type.dtype, *shape) : 0;
  }

  std::shared_ptr<State> state_;
  EngineProgram program_;
  MockMemory<State> weights_;
};

}  // namespace

MockGPUBackend::MockGPUBackend(MockDevice device, MockFaults faults) : state_(std::make_shared<State>()) {
  state_->device = std::move(device);
  state_->faults = faults;
}
MockGPUBackend::~MockGPUBackend() = default;

std::string_view MockGPUBackend::name() const noexcept {
  return state_->device.name;
}

BackendInfo MockGPUBackend::info() const {
  return {"gpu", "simulated", state_->device.memory_bytes};
}

std::optional<std::string> MockGPUBackend::declines(const Graph& /*graph*/, const Node& node) const {
  const auto& taken = state_->device.operators;
  if (!taken.empty() && std::ranges::find(taken, node.op) == taken.end()) return "it does not know " + node.op;
  if (node.op == "circuit") return "it runs no circuits";
  return unknown_operator(node);
}

std::unique_ptr<BackendProgram> MockGPUBackend::compile(Graph part) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->check_there();
    const auto& limit = state_->faults.wrong_driver_at_compile;
    if (limit && state_->counters.compilations >= *limit)
      throw Error(ErrorCode::internal, "the driver does not compile", state_->device.name);
    ++state_->counters.compilations;
  }
  return std::make_unique<MockProgram<State>>(state_, std::move(part));
}

std::shared_ptr<MemoryAllocator> MockGPUBackend::memory() const {
  return std::make_shared<MockDeviceMemory<State>>(state_);
}

MockCounters MockGPUBackend::counters() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counters;
}

void MockGPUBackend::set_faults(MockFaults faults) {
  const std::lock_guard lock(state_->mutex);
  state_->faults = faults;
  state_->lost = false;
}

struct BackendRegistry::State {
  struct Entry {
    std::shared_ptr<ExecutionBackend> backend;
    BackendRow row;
  };
  mutable std::mutex mutex;
  std::vector<Entry> entries;  ///< highest priority first
  std::vector<std::pair<std::string, std::string>> routes;

  Entry& at(std::string_view name) {
    const auto found = std::ranges::find_if(entries, [&](const Entry& entry) { return entry.row.name == name; });
    if (found == entries.end()) {
      std::string known;
      for (const Entry& entry : entries) known += (known.empty() ? "" : ", ") + entry.row.name;
      throw Error(ErrorCode::not_found, "there is no backend '" + std::string(name) + "'", "backends",
                  known.empty() ? "add one" : "there are " + known);
    }
    return *found;
  }
};

BackendRegistry::BackendRegistry() : state_(std::make_unique<State>()) {}
BackendRegistry::~BackendRegistry() = default;

void BackendRegistry::add(std::shared_ptr<ExecutionBackend> backend, int priority) {
  const std::lock_guard lock(state_->mutex);
  const std::string name(backend->name());
  auto& entries = state_->entries;
  if (std::ranges::any_of(entries, [&](const State::Entry& entry) { return entry.row.name == name; }))
    throw Error(ErrorCode::invalid_argument, "there is a backend '" + name + "' already", "backends");
  BackendRow row{.name = name, .priority = priority, .last_error = {}, .info = backend->info()};
  const auto lower =
      std::ranges::find_if(entries, [&](const State::Entry& entry) { return entry.row.priority < priority; });
  entries.insert(lower, {std::move(backend), std::move(row)});
}

void BackendRegistry::remove(std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  state_->at(name);
  std::erase_if(state_->entries, [&](const State::Entry& entry) { return entry.row.name == name; });
  std::erase_if(state_->routes, [&](const auto& route) { return route.second == name; });
}

std::shared_ptr<ExecutionBackend> BackendRegistry::find(std::string_view name) const {
  const std::lock_guard lock(state_->mutex);
  return state_->at(name).backend;
}

std::vector<BackendRow> BackendRegistry::rows() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<BackendRow> rows;
  for (const State::Entry& entry : state_->entries) rows.push_back(entry.row);
  return rows;
}

void BackendRegistry::route(const std::string& op, const std::string& backend) {
  const std::lock_guard lock(state_->mutex);
  if (!backend.empty()) state_->at(backend);
  std::erase_if(state_->routes, [&](const auto& route) { return route.first == op; });
  if (!backend.empty()) state_->routes.emplace_back(op, backend);
}

BackendRegistry::Choice BackendRegistry::select(const Graph& graph, const Node& node,
                                                std::span<const std::string> without) const {
  Choice choice;
  // What backends say is asked without the lock: it is code of others.
  std::vector<State::Entry> order;
  {
    const std::lock_guard lock(state_->mutex);
    order = state_->entries;
    const auto route = std::ranges::find_if(state_->routes, [&](const auto& r) { return r.first == node.op; });
    if (route != state_->routes.end()) {
      std::stable_partition(order.begin(), order.end(),
                            [&](const State::Entry& entry) { return entry.row.name == route->second; });
    }
  }
  for (const State::Entry& entry : order) {
    std::optional<std::string> why;
    if (std::ranges::find(without, entry.row.name) != without.end()) {
      why = "it failed in this run";
    } else if (!entry.row.healthy) {
      why = "it is lost: " + entry.row.last_error;
    } else {
      why = entry.backend->declines(graph, node);
    }
    if (!why) {
      choice.backend = entry.backend;
      return choice;
    }
    choice.reasons.push_back(entry.row.name + ": " + *why);
  }
  std::string reasons;
  for (const std::string& reason : choice.reasons) reasons += (reasons.empty() ? "" : "; ") + reason;
  throw Error(ErrorCode::unsupported, "no backend takes " + node.op + (reasons.empty() ? "" : "; " + reasons),
              node.place(), "add a backend that does");
}

void BackendRegistry::report_failure(std::string_view name, std::string error, bool lost) {
  const std::lock_guard lock(state_->mutex);
  BackendRow& row = state_->at(name).row;
  ++row.failures;
  row.last_error = std::move(error);
  if (lost) row.healthy = false;
}

void BackendRegistry::restore(std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  state_->at(name).row.healthy = true;
}

}  // namespace skerry
