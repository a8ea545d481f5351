#include <package_schema/index_generated.h>

#include <algorithm>
#include <cstring>
#include <skerry/error.hpp>
#include <string>

#include "package/fields.hpp"
#include "package/reader.hpp"

namespace skerry::package {
namespace {

/// Up to here Check::automatic hashes everything: 5 ms at the 0.4 GB/s of SHA-256 without special instructions. Where
/// the signer matters, a fifth of a second is spent before weights are left unread.
constexpr std::uint64_t kAlwaysHashedBytes = std::uint64_t{2} << 20, kHashedOfTrustedBytes = std::uint64_t{64} << 20;

[[noreturn]] void damaged(std::string message, std::string where) {
  throw Error(ErrorCode::corrupt, std::move(message), std::move(where));
}

std::vector<PlaneRegion> plane_regions_of(const fbs::Section& table, Fields& fields, const std::string& name) {
  std::vector<PlaneRegion> regions;
  std::uint64_t end = 0;
  for (const fbs::PlaneRegion& row : fields.list(table.planes())) {
    const bool is_width = row.width() == 2 || row.width() == 4 || row.width() == 8;
    if (!is_width || row.bytes() % row.width() != 0) damaged("byte planes of an impossible width", name);
    if (row.offset() < end || row.offset() > table.bytes() || row.bytes() > table.bytes() - row.offset()) {
      damaged("byte planes are not inside the section", name);
    }
    regions.push_back({row.offset(), row.bytes(), row.width()});
    end = row.offset() + row.bytes();
  }
  return regions;
}

bool is_program_name(std::string_view name) {
  return name == kCircuitSection || name == kGraphSection;
}

bool is_known_name(std::string_view name) {
  return is_program_name(name) || name == kWeightsSection || name.starts_with(kPlanPrefix);
}

Encoding encoding_of(const fbs::Section& table, const std::string& name) {
  if (table.encoding() == static_cast<std::uint8_t>(Encoding::plain)) {
    if (table.bytes() != table.stored_bytes()) damaged("a plain section of two sizes", name);
    if (table.planes() != nullptr && table.planes()->size() != 0) damaged("a plain section with byte planes", name);
    return Encoding::plain;
  }
  if (table.encoding() > static_cast<std::uint8_t>(Encoding::zstd)) {
    throw Error(ErrorCode::version_too_new,
                "encoding " + std::to_string(table.encoding()) + " is not known to this program", name,
                "update this program");
  }
  return Encoding::zstd;
}

/// Known names, once each; of those that are not known, only the optional.
void check_name(const Section& section, const std::vector<Section>& before) {
  const auto& name = section.name;
  const bool is_program = is_program_name(name);
  const bool is_known = is_known_name(name);
  if (!is_known && section.required) {
    throw Error(ErrorCode::version_too_new, "the package needs a section that is not known to this program", name,
                "update this program");
  }
  for (const Section& other : before) {
    const bool is_second_program = is_program && is_program_name(other.name);
    if (is_known && (other.name == name || is_second_program)) damaged("there are two of this section", name);
  }
}

std::string short_text(const std::string& name) {
  return name.substr(0, 64);  // a hostile name must not fill the terminal
}

/// A row of the index: inside the file, aligned, encoded as we know. Of an optional section whose name is not known,
/// only the place matters.
Section section_of(const fbs::Section& table, Fields& fields, std::span<const std::byte> file) {
  Section section;
  section.name = fields.text(table.name());
  section.required = table.required();
  const std::string where = short_text(section.name);
  const bool is_opaque = !is_known_name(section.name) && !section.required;
  section.encoding = is_opaque && table.encoding() > static_cast<std::uint8_t>(Encoding::zstd)
                         ? Encoding::plain
                         : encoding_of(table, where);
  const std::uint64_t alignment =
      is_opaque ? kSectionAlignment : section_alignment(section.encoding, table.stored_bytes());
  if (table.offset() % alignment != 0) damaged("the section is not aligned", where);
  if (table.offset() > file.size() || table.stored_bytes() > file.size() - table.offset()) {
    damaged("the section's " + std::to_string(table.stored_bytes()) + " bytes at " + std::to_string(table.offset()) +
                " are not inside the file",
            where);
  }
  section.offset = table.offset();
  section.stored = file.subspan(table.offset(), table.stored_bytes());
  section.bytes = table.bytes();
  section.planes = plane_regions_of(table, fields, where);
  const auto sha = fields.list(table.sha256());
  if (sha.size() != kDigestBytes) damaged("a SHA-256 of " + std::to_string(sha.size()) + " bytes", where);
  std::memcpy(section.sha256.data(), sha.data(), kDigestBytes);
  return section;
}

}  // namespace

Container::Container(std::span<const std::byte> file, const ReadOptions& options, Hashes hashes)
    : file_(file), header_(parse_header(file)) {
  const auto index = file_.subspan(kHeaderBytes, header_.index_bytes);
  if (hashes == Hashes::check) {
    if (sha256(index) != header_.index_sha256) damaged("the index does not match its SHA-256", "index");
    check_signature(options);
  }
  info_.format_version = kFormatVersion;
  info_.content_id = hex(header_.index_sha256);
  if (header_.is_signed()) info_.signer = header_.signer;
  read_index(options);
  check_gaps();
  if (hashes == Hashes::check) check_hashes(options);
}

void Container::check_signature(const ReadOptions& options) const {
  const auto refuse = [](std::string message, std::string hint) {
    throw Error(ErrorCode::bad_signature, std::move(message), "signature", std::move(hint));
  };
  if (header_.is_signed() && !is_signed_by(file_.first(kSignedBytes), header_.signature, header_.signer)) {
    refuse("the signature does not match", "get the package again from its maker");
  }
  if (options.trusted.empty()) return;
  if (!header_.is_signed()) refuse("the package is not signed", "ask for one signed by a key you trust");
  if (std::ranges::find(options.trusted, header_.signer) == options.trusted.end()) {
    refuse("the package is signed by " + hex(sha256(header_.signer)).substr(0, 16) + ", which is not a trusted key",
           "add the key if you trust it");
  }
}

void Container::read_index(const ReadOptions& options) {
  constexpr std::uint32_t kDepth = 8;
  const auto bytes = file_.subspan(kHeaderBytes, header_.index_bytes);
  try {
    const auto& index = verified_root<fbs::Index>(bytes, kIndexIdentifier, kDepth);
    Fields fields(bytes.size());
    info_.writer = fields.text(index.writer());
    for (std::uint32_t i = 0, n = fields.count(index.metadata()); i < n; ++i) {
      const auto& pair = *index.metadata()->Get(i);
      const bool is_new = info_.metadata.emplace(fields.text(pair.key()), fields.text(pair.value())).second;
      if (!is_new) damaged("a key stands twice", "metadata");
    }
    const std::uint32_t sections = fields.count(index.sections());
    if (sections > kMaxSections) {
      throw Error(ErrorCode::limit_exceeded,
                  std::to_string(sections) + " sections, at most " + std::to_string(kMaxSections) + " are possible");
    }
    for (std::uint32_t i = 0; i < sections; ++i) add_section(section_of(*index.sections()->Get(i), fields, file_));
  } catch (const Error& error) {
    throw error.where().empty() ? error.at("index") : error;
  }
  if (end_of_sections() != file_.size()) damaged("the file goes on after its last section", "index");
  const bool has_zstd = std::ranges::find(sections_, Encoding::zstd, &Section::encoding) != sections_.end();
  if (has_zstd != ((header_.features & kFeatureZstd) != 0)) {
    damaged("the features are not those of the sections", "header");
  }
  check_unpacked_bytes(options.max_unpacked_bytes);
}

void Container::add_section(Section section) {
  const std::string where = short_text(section.name);
  const std::uint64_t end = end_of_sections();
  if (section.offset < end || section.offset - end > kMaxGapBytes) {
    damaged("the section begins at " + std::to_string(section.offset) + " and the one before it ends at " +
                std::to_string(end),
            where);
  }
  check_name(section, sections_);
  info_.sections.push_back({section.name, section.offset, section.stored.size(), section.bytes,
                            section.encoding != Encoding::plain, hex(section.sha256)});
  sections_.push_back(std::move(section));
}

std::uint64_t Container::end_of_sections() const noexcept {
  return sections_.empty() ? kHeaderBytes + header_.index_bytes
                           : sections_.back().offset + sections_.back().stored.size();
}

void Container::check_unpacked_bytes(std::uint64_t limit) const {
  std::uint64_t left = limit;
  for (const Section& section : sections_) {
    if (section.encoding == Encoding::plain) continue;
    if (section.bytes > left) {
      throw Error(ErrorCode::limit_exceeded,
                  "unpacking takes more than the " + std::to_string(limit) + " bytes that are allowed",
                  short_text(section.name), "raise max_unpacked_bytes if you trust the package");
    }
    left -= section.bytes;
  }
}

void Container::check_gaps() const {
  std::uint64_t end = kHeaderBytes + header_.index_bytes;
  for (const Section& section : sections_) {
    if (!all_zero(file_.subspan(end, section.offset - end))) {
      damaged("bytes between sections are not zero", short_text(section.name));
    }
    end = section.offset + section.stored.size();
  }
}

void Container::check_hashes(const ReadOptions& options) const {
  const std::uint64_t limit = options.trusted.empty() ? kAlwaysHashedBytes : kHashedOfTrustedBytes;
  for (const Section& section : sections_) {
    const bool is_mapped_weights = section.name == kWeightsSection && section.encoding == Encoding::plain;
    if (options.check == Check::automatic && is_mapped_weights && file_.size() > limit) continue;
    if (sha256(section.stored) != section.sha256) {
      damaged("the section does not match its SHA-256", short_text(section.name));
    }
  }
}

}  // namespace skerry::package
