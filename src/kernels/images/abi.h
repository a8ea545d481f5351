/* The door between Skerry and the library that decodes images, which brings five others with it. Plain C: neither side
   sees the other's types, and no exception passes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SKERRY_IMAGES_ABI 1

enum skerry_images_outcome {
  SKERRY_IMAGES_DECODED,
  SKERRY_IMAGES_BROKEN,  /* not an image, or a damaged one */
  SKERRY_IMAGES_STOPPED, /* `begin` gave null */
  SKERRY_IMAGES_MISSING  /* of a format that was left out; *format says which */
};

typedef struct {
  int abi;
  /* Writes rows of red, green and blue, 8 bits each, into what begin(user, height, width) gives, once and before any
     pixel is decoded: height * width * 3 bytes. While it runs, up to 16 bytes more are taken for each pixel. */
  enum skerry_images_outcome (*decode)(const unsigned char* bytes, size_t size,
                                       unsigned char* (*begin)(void* user, uint64_t height, uint64_t width), void* user,
                                       const char** format);
} skerry_images_api;

const skerry_images_api* skerry_images(void);

#ifdef __cplusplus
}
#endif
