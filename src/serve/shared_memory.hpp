/// \file
/// System shared memory: regions that a client made on this machine and named, for tensors that are not sent.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/descriptor.hpp"
#include "wire/infer.hpp"
#include "wire/region.hpp"

namespace skerry::serve {

using wire::SharedRegion;

/// From any thread. Each region is its owner's, who registered it: to others it is not there, and they may use its
/// name for their own. Regions are read and written, never mapped: a client that makes its region smaller gets an error
/// where a map would end the server (SIGBUS), and one that writes while it is read hurts its own answer alone.
class SharedMemory {
 public:
  /// key: as given to shm_open. Errors: invalid_argument (the name is taken, the key is no plain name, the stretch lies
  /// outside the segment), not_found (no such segment).
  void add(const std::string& owner, const SharedRegion& region);
  /// An empty name: all of the owner's. A name that is not known is no error: it is gone, as was wanted.
  void remove(const std::string& owner, const std::string& name);
  /// Errors: not_found (an empty name: all, and no error).
  std::vector<SharedRegion> regions(const std::string& owner, const std::string& name) const;

  /// A tensor of its own with the elements that lie there, of texts as wire/texts.hpp has them. Errors: not_found,
  /// invalid_argument, out_of_range.
  Tensor read(const std::string& owner, const wire::SharedStretch& stretch, DType dtype, const Shape& shape) const;
  /// Writes the elements there. Errors: as read.
  void write(const std::string& owner, const wire::SharedStretch& stretch, const TensorView& tensor) const;
  /// Errors: as read; nothing is moved.
  void check(const std::string& owner, const wire::SharedStretch& stretch, std::uint64_t bytes) const {
    place(owner, stretch, bytes);
  }

 private:
  struct Open {
    SharedRegion region;
    base::Descriptor file;
  };
  struct Place {
    std::shared_ptr<const Open> open;
    std::uint64_t offset;
  };
  void read(const std::string& owner, const wire::SharedStretch& stretch, std::span<std::byte> to) const;
  Place place(const std::string& owner, const wire::SharedStretch& stretch, std::uint64_t bytes) const;

  mutable std::mutex mutex_;
  using Name = std::pair<std::string, std::string>;      // owner, name
  std::map<Name, std::shared_ptr<const Open>> regions_;  // shared: removed while somebody reads
};

}  // namespace skerry::serve
