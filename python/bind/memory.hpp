/// \file
/// A memory manager as Python holds it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <skerry/memory.hpp>
#include <utility>

#include "bind.hpp"

namespace skerry::python {

/// With the callables that it calls: the manager, which lives as long as anything that is charged to it, knows them
/// only while this lives, so that they may refer to it. Made, used and destroyed with the GIL held.
class PyMemoryManager : public MemoryManager {
 public:
  explicit PyMemoryManager(MemoryManager manager) : MemoryManager(std::move(manager)) {}
  PyMemoryManager(const PyMemoryManager&) = delete;
  PyMemoryManager& operator=(const PyMemoryManager&) = delete;
  ~PyMemoryManager();

  /// As MemoryManager's; what `relieve` raises is told and dropped.
  std::uint64_t on_pressure(double share, nb::object relieve);
  void remove_pressure(std::uint64_t number);

  void held(auto visit) {
    for (auto& [number, callback] : callbacks_) visit(*callback);
  }

 private:
  std::map<std::uint64_t, std::shared_ptr<nb::object>> callbacks_;  // shared: with whoever calls one of them
};

}  // namespace skerry::python
