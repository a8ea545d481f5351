/// \file
/// The inside of reading, for the fuzz target and hostile tests: the same checks with hashes and signature left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "package/format.hpp"
#include "package/package.hpp"
#include "package/planes.hpp"

namespace skerry::package {

/// A row of the index that was checked: it lies in the file, aligned, after the one before it.
struct Section {
  std::string name;
  std::uint64_t offset = 0;
  std::span<const std::byte> stored;
  std::uint64_t bytes = 0;
  Encoding encoding = Encoding::plain;
  std::vector<PlaneRegion> planes;
  Digest sha256{};
  bool required = false;
};

/// Whether hashes and signature are looked at. `skip` exists because a fuzzer cannot find a SHA-256.
enum class Hashes : std::uint8_t { check, skip };

/// A file whose header, index, layout and (by Hashes and ReadOptions::check) hashes and signature were found right.
class Container {
 public:
  /// file: 64-byte aligned; both must outlive this. Errors: corrupt, version_too_new, bad_signature, limit_exceeded.
  Container(std::span<const std::byte> file, const ReadOptions& options, Hashes hashes);

  const Info& info() const noexcept { return info_; }
  std::uint32_t features() const noexcept { return header_.features; }
  const std::vector<Section>& sections() const noexcept { return sections_; }

 private:
  void check_signature(const ReadOptions& options) const;
  void read_index(const ReadOptions& options);
  void add_section(Section section);
  std::uint64_t end_of_sections() const noexcept;
  void check_unpacked_bytes(std::uint64_t limit) const;
  void check_gaps() const;
  void check_hashes(const ReadOptions& options) const;

  std::span<const std::byte> file_;
  Header header_;
  std::vector<Section> sections_;
  Info info_;
};

/// read() of bytes, with or without hashes.
Loaded read_file(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const ReadOptions& options,
                 std::string_view name, Hashes hashes);

/// The program in the bytes of a section `circuit` or `graph`, verified.
Circuit read_circuit(std::span<const std::byte> section);
Graph read_graph(std::span<const std::byte> section, std::span<const std::byte> weights,
                 std::shared_ptr<const void> weights_owner);

}  // namespace skerry::package
