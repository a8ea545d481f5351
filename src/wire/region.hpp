/// \file
/// The message that registers a region of shared memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::wire {

/// A stretch of a named segment, under a name of the client's.
struct SharedRegion {
  std::string name, key;  ///< key: as given to shm_open
  std::uint64_t offset = 0, bytes = 0;
};

/// `{"key": "/segment", "offset": 0, "byte_size": 4096}`. Errors: syntax_error, invalid_argument.
SharedRegion decode_shared_region(std::string_view json, std::string name);

}  // namespace skerry::wire
