/// \file
/// Devices that run parts of a model: a small interface, two of them, a registry that picks, and a model routed over
/// it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <skerry/compile.hpp>
#include <skerry/graph.hpp>
#include <skerry/memory.hpp>
#include <skerry/options.hpp>
#include <skerry/result.hpp>
#include <skerry/session.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

/// What a backend says of its device.
struct BackendInfo {
  std::string kind;                ///< `cpu`, `gpu`, `npu`, ...
  std::string device;              ///< for people
  std::uint64_t memory_bytes = 0;  ///< 0: not known
};

/// A part of a model made ready on a device. One run at a time.
class BackendProgram {
 public:
  virtual ~BackendProgram() = default;
  /// inputs: in the order of the part's graph; gives its outputs in order. Errors: unavailable (the device is lost),
  /// budget_exceeded (its memory), internal: then the part is moved elsewhere. All others reach the caller.
  virtual std::vector<Tensor> run(std::span<const Tensor> inputs, const RunControl& control) = 0;
};

/// A way to run operators. The whole of what a third party implements.
class ExecutionBackend {
 public:
  virtual ~ExecutionBackend() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual BackendInfo info() const = 0;
  /// Why it does not take such a node; nothing if it does. Types in the graph may be symbolic.
  virtual std::optional<std::string> declines(const Graph& graph, const Node& node) const = 0;
  /// A graph of nodes that it takes, made ready. Errors: as BackendProgram::run.
  virtual std::unique_ptr<BackendProgram> compile(Graph part) = 0;
};

/// The default: this machine's CPU by plans and kernels. Takes every operator there is a record of.
class CPUBackend : public ExecutionBackend {
 public:
  explicit CPUBackend(Limits limits = {}, Level level = Level::high, std::string name = "cpu");
  std::string_view name() const noexcept override { return name_; }
  BackendInfo info() const override;
  std::optional<std::string> declines(const Graph& graph, const Node& node) const override;
  std::unique_ptr<BackendProgram> compile(Graph part) override;

 private:
  Limits limits_;
  Level level_;
  std::string name_;
};

/// A device as MockGPUBackend simulates it. A kernel takes launch_seconds plus the longer of its arithmetic and its
/// bytes; what crosses the link takes its bytes over link_bytes_per_second.
struct MockDevice {
  std::string name = "mock_gpu";
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;
  double flops_per_second = 1e12, bytes_per_second = 1e11, link_bytes_per_second = 1e10, launch_seconds = 5e-6;
  std::vector<std::string> operators;  ///< those it takes; empty: all
};

/// What goes wrong, and when; counted from the backend's beginning.
struct MockFaults {
  std::optional<std::uint64_t> lost_at_kernel;           ///< the device is gone in the middle of a run
  std::optional<std::uint64_t> out_of_memory_at;         ///< so many allocations succeed
  std::optional<std::uint64_t> wrong_driver_at_compile;  ///< so many compilations succeed, then `internal`
};

/// What the simulated device did.
struct MockCounters {
  std::uint64_t kernels = 0, allocations = 0, compilations = 0;
  std::uint64_t used_bytes = 0, peak_bytes = 0, uploaded_bytes = 0, downloaded_bytes = 0;
  double seconds = 0.0;  ///< simulated: the same on every machine
};

/// A deterministic device for drills: right answers (computed on the CPU), memory of its own, simulated time, faults
/// when they are wanted. What memory pressure, slow links and lost devices do to a program is tested with it.
class MockGPUBackend : public ExecutionBackend {
 public:
  explicit MockGPUBackend(MockDevice device = {}, MockFaults faults = {});
  ~MockGPUBackend() override;
  std::string_view name() const noexcept override;
  BackendInfo info() const override;
  std::optional<std::string> declines(const Graph& graph, const Node& node) const override;
  std::unique_ptr<BackendProgram> compile(Graph part) override;

  /// The device's memory: what is allocated there counts against it, and nothing more is given than it has. A model
  /// that runs in a MemoryScope over it has its tensors and packed weights there.
  std::shared_ptr<MemoryAllocator> memory() const;
  MockCounters counters() const;
  /// Faults from now on, on a device that is there again.
  void set_faults(MockFaults faults);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared: its programs may outlive it
};

/// One backend as the registry knows it.
struct BackendRow {
  std::string name;
  int priority = 0;
  bool healthy = true;
  std::uint64_t failures = 0;
  std::string last_error;
  BackendInfo info;
};

/// The backends of a process, by priority. From any thread.
class BackendRegistry {
 public:
  BackendRegistry();
  ~BackendRegistry();
  BackendRegistry(const BackendRegistry&) = delete;
  BackendRegistry& operator=(const BackendRegistry&) = delete;

  /// priority: higher is asked first. Errors: invalid_argument for a name that is taken.
  void add(std::shared_ptr<ExecutionBackend> backend, int priority = 0);
  /// Errors: not_found.
  void remove(std::string_view name);
  std::shared_ptr<ExecutionBackend> find(std::string_view name) const;
  /// The highest priority first.
  std::vector<BackendRow> rows() const;
  /// Nodes of this operator go to that backend if it takes them, whatever the priorities; an empty name takes that
  /// back. Errors: not_found.
  void route(const std::string& op, const std::string& backend);

  /// The first healthy backend that takes the node, and why each one before it did not. Errors: unsupported with every
  /// reason. without: names that are not asked.
  struct Choice {
    std::shared_ptr<ExecutionBackend> backend;
    std::vector<std::string> reasons;  ///< `name: why not`
  };
  Choice select(const Graph& graph, const Node& node, std::span<const std::string> without = {}) const;

  /// A lost device gets no more parts until it is restored. Errors: not_found.
  void report_failure(std::string_view name, std::string error, bool lost);
  void restore(std::string_view name);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Some nodes on one backend.
struct RoutedPart {
  std::string backend;
  std::vector<std::string> nodes;  ///< names, or the operator where a node has none
};
/// A part that had to be moved.
struct Recovery {
  std::string from, error;
  std::vector<std::string> to;
};
struct RouteReport {
  std::vector<RoutedPart> parts;
  std::uint64_t boundary_copies = 0, boundary_bytes = 0;  ///< of the last run: tensors that went between backends
  std::vector<Recovery> recoveries;                       ///< of the last run
  std::vector<std::string> reasons;                       ///< why nodes are not on a backend that is asked before
};

/// A model whose nodes run where the registry says. Neighbours on one backend are one part. When a device fails in the
/// middle of a run, the nodes that are not done are routed anew without it and the run goes on from the tensors that
/// are there. One run at a time.
class RoutedModel {
 public:
  RoutedModel(Graph graph, std::shared_ptr<BackendRegistry> registry);
  ~RoutedModel();
  RoutedModel(RoutedModel&&) noexcept;
  RoutedModel& operator=(RoutedModel&&) noexcept;

  /// Errors: as Session::run; unsupported when no backend takes a node.
  NamedTensors run(const NamedTensors& inputs, const RunControl& control = {});
  /// Where the nodes are, and what the last run did.
  const RouteReport& report() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
