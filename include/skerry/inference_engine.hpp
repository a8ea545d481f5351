/// \file
/// Several models behind one door: each file loaded once, buffers used again, memory counted by model, idle models made
/// small.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <skerry/memory.hpp>
#include <skerry/runtime.hpp>
#include <skerry/session.hpp>
#include <skerry/tensor_pool.hpp>
#include <span>
#include <string>
#include <vector>

namespace skerry {

struct EngineOptions {
  Limits limits;                           ///< of every run
  MemoryManager memory = MemoryManager();  ///< what models and buffers are counted in
  std::size_t max_buffers = TensorPool::kMaxBuffers;
};

/// What became of models that nobody used.
struct RestReport {
  std::size_t models = 0;              ///< that rest now and did not before
  std::uint64_t released_bytes = 0;    ///< of the manager's count: arenas, packed weights, weights as they were
  std::uint64_t compressed_bytes = 0;  ///< what is held of their weights in their stead
};

/// Loads models once and runs them. From any thread; runs of one model take turns.
///
///     skerry::InferenceEngine engine({.memory = skerry::MemoryManager(512 << 20)});
///     const auto model = engine.load_model("detector.onnx");   // maps; packs at the first run
///     const auto outputs = engine.run_inference(*model, inputs);
class InferenceEngine {
 public:
  class Model;
  using ModelPtr = std::shared_ptr<Model>;  // shared: the cache and its users

  explicit InferenceEngine(EngineOptions options = {});
  ~InferenceEngine();
  InferenceEngine(InferenceEngine&&) noexcept;
  InferenceEngine& operator=(InferenceEngine&&) noexcept;

  /// The model of a file. A file that was loaded before and is the same (device, inode, size, time of change) is not
  /// read again. Weights stay in the mapped file until a kernel wants them otherwise; the pool gets buffers of its
  /// shapes where they are numbers. Errors: as load(), and unsupported for a circuit.
  ModelPtr load_model(const std::filesystem::path& path, const LoadOptions& options = {});
  /// A model that is in memory already; its tag is `name`.
  ModelPtr add_model(std::string name, std::shared_ptr<const Graph> graph);

  /// inputs in the graph's order. The outputs lie in buffers of the pool, which no other run gets while somebody holds
  /// them, and which come back when nobody does, after an error as well. Errors: as Session::run().
  std::vector<Tensor> run_inference(Model& model, std::span<const Tensor> inputs);
  /// The same into the caller's buffers.
  void run_inference(Model& model, std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs);

  /// A session of its own over the model's weights, for runs at the same time; they share weights and threads.
  Session session(Model& model);

  /// Makes models small that were not used for so long and are not used now: arenas, plans and packed weights go,
  /// mapped pages go back to their file, weights that are in no file are compressed. The next run restores them; its
  /// answer is the same. A manager that would refuse calls it by itself.
  RestReport rest(std::chrono::duration<double> unused_for = std::chrono::duration<double>(0));

  const TensorPool& pool() const noexcept;
  const MemoryManager& memory() const noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared: the manager's callback looks whether it is still there
};

/// A model of an engine.
class InferenceEngine::Model {
 public:
  struct State;
  explicit Model(std::unique_ptr<State> state);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const std::string& name() const noexcept;
  /// As it was loaded; wakes a model that rests.
  std::shared_ptr<const Graph> graph();
  bool rests() const;

 private:
  friend class InferenceEngine;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
