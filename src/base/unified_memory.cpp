#include "base/unified_memory.hpp"

#include <dlfcn.h>

#include <skerry/error.hpp>
#include <string>

namespace skerry::base {
namespace {

// The few functions of the driver, by their signatures in its documentation; a CUdevice is an int, a CUdeviceptr
// as wide as a pointer, which managed memory may be used as, and 0 means success.
struct Driver {
  int (*init)(unsigned);
  int (*get_device)(int*, int);
  int (*retain_context)(void**, int);
  int (*release_context)(int);
  int (*set_context)(void*);
  int (*allocate)(std::byte**, std::size_t, unsigned);
  int (*free)(std::byte*);
};

[[noreturn]] void refuse_unified(const std::string& why) {
  throw Error(ErrorCode::unavailable, "there is no unified memory: " + why, "unified",
              "use system or pool memory on this machine");
}

template <class F>
void look_up(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  if (function == nullptr) refuse_unified(std::string("the driver has no ") + name);
}

class UnifiedMemory final : public MemoryAllocator {
 public:
  UnifiedMemory(const Driver& driver, int device, void* context)
      : driver_(driver), device_(device), context_(context) {}
  ~UnifiedMemory() override { driver_.release_context(device_); }

  std::byte* allocate(std::uint64_t bytes) override {
    constexpr unsigned kVisibleToAll = 1;  // CU_MEM_ATTACH_GLOBAL
    std::byte* address = nullptr;
    if (driver_.set_context(context_) != 0) return nullptr;
    if (driver_.allocate(&address, static_cast<std::size_t>(bytes), kVisibleToAll) != 0) return nullptr;
    return address;
  }
  void deallocate(std::byte* block, std::uint64_t) noexcept override {
    driver_.set_context(context_);
    driver_.free(block);
  }

 private:
  Driver driver_;
  int device_;
  void* context_;
};

}  // namespace

std::shared_ptr<MemoryAllocator> unified_memory() {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);  // stays open: its threads outlive any owner
  if (library == nullptr) refuse_unified("no accelerator's driver is installed (libcuda.so.1)");
  Driver driver{};
  look_up(library, "cuInit", driver.init);
  look_up(library, "cuDeviceGet", driver.get_device);
  look_up(library, "cuDevicePrimaryCtxRetain", driver.retain_context);
  look_up(library, "cuDevicePrimaryCtxRelease_v2", driver.release_context);
  look_up(library, "cuCtxSetCurrent", driver.set_context);
  look_up(library, "cuMemAllocManaged", driver.allocate);
  look_up(library, "cuMemFree_v2", driver.free);
  int device = 0;
  void* context = nullptr;
  if (const int code = driver.init(0); code != 0)
    refuse_unified("the driver refuses with code " + std::to_string(code));
  if (driver.get_device(&device, 0) != 0 || driver.retain_context(&context, device) != 0)
    refuse_unified("the driver finds no device");
  return std::make_shared<UnifiedMemory>(driver, device, context);
}

}  // namespace skerry::base
