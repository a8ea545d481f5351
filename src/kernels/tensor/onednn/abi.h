/* The plain C door between the runtime and libskerry_onednn.so: the library is 40 MB and brings OpenMP, so it is loaded
   only when a plan chose it, and the runtime builds and runs without it. */
#ifndef SKERRY_KERNELS_ONEDNN_ABI_H
#define SKERRY_KERNELS_ONEDNN_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SKERRY_ONEDNN_ABI = 2 };

/* A 2-D convolution of float32, [batch, channels, height, width]; weights [outputs, channels / groups, kernel]. */
typedef struct {
  int64_t batch, channels, outputs, groups;
  int64_t input[2], kernel[2], stride[2], dilation[2], pad_begin[2], pad_end[2], output[2];
} skerry_onednn_conv;

typedef struct {
  uint32_t abi;
  /* Copies and reorders the weights (bias may be null) and gives a handle, or null with a sentence in `reason`. */
  void* (*make_conv)(const skerry_onednn_conv*, const float* weights, const float* bias, const char** reason);
  uint64_t (*scratch_bytes)(const void* handle);
  uint64_t (*packed_bytes)(const void* handle);
  /* x and out dense row-major, scratch 64-byte aligned. `threads` of OpenMP at most. Gives 0, or 1 when oneDNN failed.
   */
  int (*run)(const void* handle, const float* x, float* out, void* scratch, int threads);
  void (*free)(void* handle);
} skerry_onednn_api;

/* The one symbol of the library. */
const skerry_onednn_api* skerry_onednn(void);

#ifdef __cplusplus
}
#endif

#endif
