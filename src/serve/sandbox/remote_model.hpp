/// \file
/// A model that is read and run in a worker process of its own.
#pragma once

#include <filesystem>
#include <mutex>
#include <skerry/session.hpp>
#include <string>
#include <vector>

#include "serve/sandbox/process.hpp"
#include "serve/served_graph.hpp"
#include "serve/statistics.hpp"

namespace skerry::serve {

/// Its bytes are never looked at in this process. One run at a time; from any thread. When
/// the process dies it is replaced, and the run in it begun again once.
class RemoteModel {
 public:
  /// Starts the process, which loads the file. Errors: those of skerry::loads() and start_worker(), io_error;
  /// budget_exceeded, deadline_exceeded, unavailable, internal for a process that died of it.
  RemoteModel(std::string name, const std::filesystem::path& file, const Limits& limits, const LoadOptions& loading);

  const std::string& kind() const noexcept { return kind_; }
  const std::vector<TensorInfo>& inputs() const noexcept { return inputs_; }
  const std::vector<TensorInfo>& outputs() const noexcept { return outputs_; }

  /// times: what the process says of the run, as far as it can be true. Errors: those of Session::run(), and as above.
  NamedTensors run(const NamedTensors& inputs, ApartTimes& times);

 private:
  void load();
  void take_up(std::string told);
  Frame ask(FrameKind kind, std::string_view head, std::string_view bytes);

  std::string name_, file_bytes_, head_;
  std::string told_;      // by the first process; empty: none has loaded the model yet
  double seconds_ = 0.0;  // that a run may take
  int threads_ = 0;
  std::uint64_t data_bytes_ = 0;
  std::string kind_;
  std::vector<TensorInfo> inputs_, outputs_;
  std::mutex mutex_;
  WorkerPtr process_;
};

}  // namespace skerry::serve
