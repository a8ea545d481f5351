/// \file
/// oneDNN as a provider of dense float32 kernels, when its library is there; loaded at the first use.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/expected.hpp"
#include "kernels/tensor/onednn/abi.h"

namespace skerry::kernels {

/// Whether the provider could be loaded; the answer is found without loading it. False, with the reason, when
/// SKERRY_ONEDNN=off or libskerry_onednn.so is neither in $SKERRY_PLUGIN_DIR, beside this program or library, nor in
/// ../lib or ../../lib (the build tree's) of it.
Expected<bool> onednn_available();

/// A primitive with its weights repacked. run() may be called from one thread at a time.
class OnednnPrimitive {
 public:
  /// Errors: the reason why oneDNN does not take the shape.
  static Expected<std::shared_ptr<OnednnPrimitive>> convolution(const skerry_onednn_conv& shape,
                                                                std::span<const float> weights,
                                                                std::span<const float> bias);
  explicit OnednnPrimitive(void* handle) : handle_(handle) {}
  ~OnednnPrimitive();
  OnednnPrimitive(const OnednnPrimitive&) = delete;
  OnednnPrimitive& operator=(const OnednnPrimitive&) = delete;

  std::uint64_t scratch_bytes() const;
  std::uint64_t packed_bytes() const;
  /// On thread_budget() threads. Errors: internal when oneDNN fails.
  void run(const float* x, float* out, std::span<std::byte> scratch) const;

 private:
  void* handle_;
};

}  // namespace skerry::kernels
