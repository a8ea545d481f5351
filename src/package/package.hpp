/// \file
/// The `.skerry` file: IR, weights and plans in one mapped, checked and optionally signed file. Layout: FORMAT.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <skerry/program.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace skerry::package {

/// Ed25519 keys (libsodium). A secret key's first 32 bytes are its seed.
using PublicKey = std::array<std::byte, 32>;
using SecretKey = std::array<std::byte, 64>;

/// A plan kept with the program: bytes that only `plan` understands, found by machine fingerprint and options.
struct StoredPlan {
  std::string key;
  std::vector<std::byte> bytes;
  bool operator==(const StoredPlan&) const = default;
};

/// What a package holds.
struct Contents {
  Program program;
  std::map<std::string, std::string> metadata;  ///< free text: producer, source name, compile level
  std::vector<StoredPlan> plans;
};

struct WriteOptions {
  bool compress = false;  ///< zstd per section, weights in byte planes first; compressed sections are not mapped
  int compression_level = 9;
  std::optional<SecretKey> key{};  ///< signs the index
};

/// When section hashes are checked: `automatic` checks everything in files up to 2 MiB (64 MiB where a signer is
/// trusted) and beyond that all but mapped weights, which are then checked by `full`; the index is always checked.
enum class Check : std::uint8_t { automatic, full };

struct ReadOptions {
  Check check = Check::automatic;
  std::vector<PublicKey> trusted{};  ///< non-empty: an unsigned package or another signer is bad_signature
  std::uint64_t max_unpacked_bytes = std::uint64_t{16} << 30;
};

/// One section, for `inspect`.
struct SectionInfo {
  std::string name;
  std::uint64_t offset = 0, stored_bytes = 0, bytes = 0;
  bool compressed = false;
  std::string sha256;
};

/// What a package says about itself without its program being built.
struct Info {
  std::uint32_t format_version = 0;
  std::string writer;
  std::map<std::string, std::string> metadata;
  std::vector<SectionInfo> sections;
  std::optional<PublicKey> signer;  ///< of a signature that was checked
  std::string content_id;           ///< hex SHA-256 of the index: equal contents, equal id
};

struct Loaded {
  Contents contents;
  Info info;
};

/// True for bytes that begin like a package.
bool is_package(std::span<const std::byte> bytes) noexcept;

/// The file's bytes; the same contents and options give the same bytes on every machine.
std::vector<std::byte> encode(const Contents& contents, const WriteOptions& options = {});
/// Writes atomically: a kill at any moment leaves the old file or the new one. Sections are streamed, not copied
/// together.
void write(const std::filesystem::path& path, const Contents& contents, const WriteOptions& options = {});

/// Opens and maps. Plain sections are used in place: tensors of the result point into the mapping.
/// Errors: corrupt, version_too_new, bad_signature, limit_exceeded, io_error, each naming the section.
Loaded read(const std::filesystem::path& path, const ReadOptions& options = {});
/// The same from bytes that `owner` keeps alive. `name` starts every `where`.
Loaded read(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const ReadOptions& options = {},
            std::string_view name = "<package>");
Info inspect(const std::filesystem::path& path, const ReadOptions& options = {});

}  // namespace skerry::package
