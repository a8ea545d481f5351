// libzstd's static library also reads the formats of zstd 0.5 to 0.7, of which no package is made: 80 kB that a device
// does not need. These stand before its own functions of the same names (lib/legacy/zstd_legacy.h), which are then not
// linked; a frame of these formats is an error.
#include <cstddef>

namespace {

constexpr std::size_t kUnsupported = static_cast<std::size_t>(-12);          // ZSTD_error_version_unsupported
constexpr unsigned long long kNoSize = static_cast<unsigned long long>(-2);  // ZSTD_CONTENTSIZE_ERROR

}  // namespace

// NOLINTBEGIN(readability-identifier-naming): these names are libzstd's.
#define SKERRY_NO_ZSTD(version)                                                                                        \
  extern "C" void* ZSTDv##version##_createDCtx() {                                                                     \
    return nullptr;                                                                                                    \
  }                                                                                                                    \
  extern "C" std::size_t ZSTDv##version##_freeDCtx(void*) {                                                            \
    return 0;                                                                                                          \
  }                                                                                                                    \
  extern "C" std::size_t ZSTDv##version##_decompress_usingDict(void*, void*, std::size_t, const void*, std::size_t,    \
                                                               const void*, std::size_t) {                             \
    return kUnsupported;                                                                                               \
  }                                                                                                                    \
  extern "C" void ZSTDv##version##_findFrameSizeInfoLegacy(const void*, std::size_t, std::size_t* size,                \
                                                           unsigned long long* bound) {                                \
    *size = kUnsupported;                                                                                              \
    *bound = kNoSize;                                                                                                  \
  }                                                                                                                    \
  extern "C" std::size_t ZSTDv##version##_getFrameParams(void*, const void*, std::size_t) {                            \
    return kUnsupported;                                                                                               \
  }                                                                                                                    \
  extern "C" void* ZBUFFv##version##_createDCtx() {                                                                    \
    return nullptr;                                                                                                    \
  }                                                                                                                    \
  extern "C" std::size_t ZBUFFv##version##_freeDCtx(void*) {                                                           \
    return 0;                                                                                                          \
  }                                                                                                                    \
  extern "C" std::size_t ZBUFFv##version##_decompressInitDictionary(void*, const void*, std::size_t) {                 \
    return kUnsupported;                                                                                               \
  }                                                                                                                    \
  extern "C" std::size_t ZBUFFv##version##_decompressContinue(void*, void*, std::size_t*, const void*, std::size_t*) { \
    return kUnsupported;                                                                                               \
  }

SKERRY_NO_ZSTD(05)
SKERRY_NO_ZSTD(06)
SKERRY_NO_ZSTD(07)
#undef SKERRY_NO_ZSTD
// NOLINTEND(readability-identifier-naming)
