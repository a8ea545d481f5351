/// \file
/// Memory that an accelerator and the processor both see.
#pragma once

#include <memory>
#include <skerry/memory.hpp>

namespace skerry::base {

/// CUDA's managed memory, by the driver's library, which is opened here and nowhere before. Errors: unavailable without
/// a driver or a device, with the reason. Source: NVIDIA, CUDA Driver API, section "Memory Management".
std::shared_ptr<MemoryAllocator> unified_memory();

}  // namespace skerry::base
