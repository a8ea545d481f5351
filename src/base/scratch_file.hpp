/// \file
/// Files mapped for reading and writing: memory that may be larger than the machine's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <thread>

#include "base/descriptor.hpp"

namespace skerry::base {

/// A mapped file of which this process keeps only some pages mapped at a time; the system writes the others back when
/// it wants their memory.
class ScratchFile {
 public:
  /// Zeros in a file of `folder` without a name, which ends with its owner however that ends. Its place on the disk is
  /// taken now. Errors: not_found, io_error (no room, no permission).
  static ScratchFile unnamed(const std::filesystem::path& folder, std::uint64_t bytes);
  /// The file at `path`, made of zeros if it is not there, has another size, or `fresh`. It stays when its owner ends.
  /// Errors: as above; io_error while another ScratchFile has it.
  static ScratchFile named(const std::filesystem::path& path, std::uint64_t bytes, bool fresh);
  ScratchFile() = default;
  ScratchFile(ScratchFile&& other) noexcept;
  ScratchFile& operator=(ScratchFile&& other) noexcept;
  ~ScratchFile();

  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  /// Keeps what of all files is mapped into this process below about this many bytes more than now, looking every few
  /// milliseconds: pages of this file are given back, whoever reads them next brings them in again.
  void bound_residence(std::uint64_t bytes);
  /// Returns when the content is on the disk. Errors: io_error.
  void sync() const;
  /// Takes the name away; the content stays until the owner ends.
  void unlink() noexcept;

 private:
  static ScratchFile map(Descriptor file, std::filesystem::path path, std::uint64_t bytes);
  void swap(ScratchFile& other) noexcept;

  Descriptor file_;
  std::filesystem::path path_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::jthread watcher_;  // ends before the map does
};

}  // namespace skerry::base
