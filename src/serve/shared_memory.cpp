#include "serve/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>
#include <skerry/error.hpp>

#include "wire/texts.hpp"

namespace skerry::serve {
namespace {

constexpr std::size_t kMaxRegions = 1024;

std::uint64_t file_bytes(int file) {
  struct stat status {};
  return ::fstat(file, &status) == 0 && status.st_size > 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

bool lies_inside(std::uint64_t offset, std::uint64_t bytes, std::uint64_t whole) {
  return offset <= whole && bytes <= whole - offset;
}

// Calls step(done) until `bytes` were moved. Errors: out_of_range when the segment ends before.
template <class Step>
void move_all(std::uint64_t bytes, const std::string& name, Step&& step) {
  for (std::uint64_t done = 0; done < bytes;) {
    const ssize_t moved = step(done);
    if (moved < 0 && errno == EINTR) continue;
    if (moved <= 0) throw Error(ErrorCode::out_of_range, "the shared memory has become too small", name);
    done += static_cast<std::uint64_t>(moved);
  }
}

}  // namespace

void SharedMemory::add(const std::string& owner, const SharedRegion& region) {
  const std::string plain = region.key.starts_with('/') ? region.key.substr(1) : region.key;
  if (region.name.empty() || plain.empty() || plain.find('/') != std::string::npos || plain == "..") {
    throw Error(ErrorCode::invalid_argument, "'" + region.key.substr(0, 200) + "' is not the name of a segment", "key");
  }
  auto open = std::make_shared<Open>();
  open->region = region;
  open->file = base::Descriptor(::shm_open(("/" + plain).c_str(), O_RDWR | O_CLOEXEC, 0));
  if (!open->file)
    throw Error(ErrorCode::not_found, std::string("cannot open the segment: ") + std::strerror(errno), region.key);
  const std::uint64_t whole = file_bytes(open->file.get());
  if (region.bytes == 0 || !lies_inside(region.offset, region.bytes, whole)) {
    throw Error(ErrorCode::invalid_argument,
                std::to_string(region.bytes) + " bytes from " + std::to_string(region.offset) +
                    " do not lie in a segment of " + std::to_string(whole),
                region.name);
  }
  const std::lock_guard lock(mutex_);
  if (regions_.size() >= kMaxRegions)
    throw Error(ErrorCode::limit_exceeded, "too many regions are registered", region.name);
  if (!regions_.emplace(Name(owner, region.name), std::move(open)).second)
    throw Error(ErrorCode::invalid_argument, "this name is registered already", region.name, "unregister it first");
}

void SharedMemory::remove(const std::string& owner, const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::erase_if(regions_, [&](const auto& row) {
    return row.first.first == owner && (name.empty() || row.first.second == name);
  });
}

std::vector<SharedRegion> SharedMemory::regions(const std::string& owner, const std::string& name) const {
  const std::lock_guard lock(mutex_);
  std::vector<SharedRegion> all;
  for (const auto& [key, open] : regions_) {
    if (key.first == owner && (name.empty() || name == key.second)) all.push_back(open->region);
  }
  if (all.empty() && !name.empty()) throw Error(ErrorCode::not_found, "no such shared memory region", name);
  return all;
}

SharedMemory::Place SharedMemory::place(const std::string& owner, const wire::SharedStretch& stretch,
                                        std::uint64_t bytes) const {
  std::shared_ptr<const Open> open;
  {
    const std::lock_guard lock(mutex_);
    const auto found = regions_.find({owner, stretch.region});
    if (found == regions_.end())
      throw Error(ErrorCode::not_found, "no such shared memory region", stretch.region.substr(0, 200));
    open = found->second;
  }
  if (bytes > stretch.bytes || !lies_inside(stretch.offset, stretch.bytes, open->region.bytes)) {
    throw Error(ErrorCode::invalid_argument,
                "a tensor of " + std::to_string(bytes) + " bytes does not fit " + std::to_string(stretch.bytes) +
                    " bytes from " + std::to_string(stretch.offset) + " in a region of " +
                    std::to_string(open->region.bytes),
                stretch.region);
  }
  const std::uint64_t offset = open->region.offset + stretch.offset;
  if (!lies_inside(offset, bytes, file_bytes(open->file.get())))
    throw Error(ErrorCode::out_of_range, "the shared memory has become too small", stretch.region);
  return {std::move(open), offset};
}

void SharedMemory::read(const std::string& owner, const wire::SharedStretch& stretch, std::span<std::byte> to) const {
  const Place from = place(owner, stretch, to.size());
  move_all(to.size(), stretch.region, [&](std::uint64_t done) {
    return ::pread(from.open->file.get(), to.data() + done, to.size() - done, static_cast<off_t>(from.offset + done));
  });
}

Tensor SharedMemory::read(const std::string& owner, const wire::SharedStretch& stretch, DType dtype,
                          const Shape& shape) const {
  if (dtype == DType::string) {
    check(owner, stretch, stretch.bytes);  // before anything is allocated
    std::string bytes(stretch.bytes, '\0');
    read(owner, stretch, std::as_writable_bytes(std::span(bytes)));
    return wire::texts_of_bytes(shape, bytes, stretch.region);
  }
  const std::uint64_t bytes = tensor_bytes(dtype, shape);
  if (bytes != stretch.bytes) {
    throw Error(ErrorCode::invalid_argument,
                "the tensor has " + std::to_string(bytes) + " bytes, the stretch " + std::to_string(stretch.bytes),
                stretch.region);
  }
  check(owner, stretch, bytes);
  Tensor tensor(dtype, shape);
  read(owner, stretch, {tensor.mutable_view().data(), bytes});
  return tensor;
}

void SharedMemory::write(const std::string& owner, const wire::SharedStretch& stretch, const TensorView& tensor) const {
  const std::string texts = tensor.dtype() == DType::string ? wire::bytes_of(wire::texts_of(tensor)) : std::string();
  const std::span from =
      tensor.dtype() == DType::string ? std::as_bytes(std::span(texts)) : std::span(tensor.data(), tensor.bytes());
  const Place to = place(owner, stretch, from.size());
  move_all(from.size(), stretch.region, [&](std::uint64_t done) {
    return ::pwrite(to.open->file.get(), from.data() + done, from.size() - done, static_cast<off_t>(to.offset + done));
  });
}

}  // namespace skerry::serve
