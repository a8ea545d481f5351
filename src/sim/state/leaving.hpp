/// \file
/// What all methods that can be left between gates have in common.
#pragma once

#include <cstdint>
#include <skerry/checkpoint.hpp>
#include <skerry/options.hpp>
#include <span>
#include <string>

namespace skerry::sim {

// None of these is inlined: they are called in many places, and a device's program has to stay small.

/// Errors: invalid_argument, always.
[[noreturn, gnu::cold, gnu::noinline]] inline void refuse_checkpoint(const std::string& what) {
  throw Error(ErrorCode::invalid_argument, what, "checkpoint",
              "give the circuit and the options that it was made with");
}

/// Errors: invalid_argument, unless it holds.
[[gnu::noinline]] inline void require_checkpoint(bool holds, const char* what) {
  if (!holds) refuse_checkpoint(what);
}

/// How many of the steps that come first a checkpoint is behind. Errors: invalid_argument for more than there are.
[[gnu::noinline]] inline std::uint32_t behind(const Checkpoint& from, std::uint32_t leading) {
  if (from.gates > leading) {
    refuse_checkpoint("it is behind " + std::to_string(from.gates) + " gates and the circuit begins with " +
                      std::to_string(leading));
  }
  return static_cast<std::uint32_t>(from.gates);
}

/// The elements of a part. Errors: invalid_argument for another dtype, or another number of elements than `count`.
[[gnu::noinline]] inline const std::byte* checkpoint_bytes(const Checkpoint& from, std::size_t part, DType dtype,
                                                           std::uint64_t count) {
  const bool fits = part < from.parts.size() && from.parts[part].dtype() == dtype &&
                    static_cast<std::uint64_t>(from.parts[part].shape().elements()) == count;
  if (!fits) {
    refuse_checkpoint("part " + std::to_string(part) + " is not " + std::string(dtype_name(dtype)) + "[" +
                      std::to_string(count) + "]");
  }
  return from.parts[part].view().data();
}
template <class T>
std::span<const T> checkpoint_part(const Checkpoint& from, std::size_t part, std::uint64_t count) {
  return {reinterpret_cast<const T*>(checkpoint_bytes(from, part, dtype_of<T>(), count)),
          static_cast<std::size_t>(count)};
}

}  // namespace skerry::sim
