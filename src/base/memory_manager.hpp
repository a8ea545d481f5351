/// \file
/// The ledgers behind a MemoryManager, for rooms that carry one from thread to thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <skerry/memory.hpp>
#include <string>

#include "base/account.hpp"

namespace skerry {

struct MemoryManager::State {
  std::shared_ptr<base::Account> total;
  std::mutex mutex;  // of tags
  std::map<std::string, std::shared_ptr<base::Account>, std::less<>> tags;

  std::shared_ptr<base::Account> account(std::string_view tag);
};

}  // namespace skerry
