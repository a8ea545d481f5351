#include <package_schema/index_generated.h>

#include <algorithm>
#include <cstring>
#include <skerry/error.hpp>
#include <string>

#include "package/fields.hpp"
#include "package/reader.hpp"

namespace skerry::package {
namespace {

/// Up to here Check::automatic hashes everything: a fifth of a second at the 0.4 GB/s of SHA-256 without special
/// instructions.
constexpr std::uint64_t kAlwaysHashedBytes = std::uint64_t{64} << 20;

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

Encoding encoding_of(const fbs::Section& table, const std::string& name) {
  if (table.encoding() == static_cast<std::uint8_t>(Encoding::plain)) {
    if (table.bytes() != table.stored_bytes()) damaged("a plain section of two sizes", name);
    if (table.planes() != nullptr && table.planes()->size() != 0) damaged("a plain section with byte planes", name);
    return Encoding::plain;
  }
  if (table.encoding() != static_cast<std::uint8_t>(Encoding::zstd)) {
    throw Error(ErrorCode::version_too_new,
                "encoding " + std::to_string(table.encoding()) + " is not known to this program", name,
                "update this program");
  }
  return Encoding::zstd;
}

/// Known names, once each; of those that are not known, only the optional.
void check_name(const Section& section, const std::vector<Section>& before) {
  const auto& name = section.name;
  const bool is_program = name == kCircuitSection || name == kGraphSection;
  const bool is_known = is_program || name == kWeightsSection || name.starts_with(kPlanPrefix);
  if (!is_known && section.required) {
    throw Error(ErrorCode::version_too_new, "the package needs a section that is not known to this program", name,
                "update this program");
  }
  for (const Section& other : before) {
    const bool is_second_program = is_program && (other.name == kCircuitSection || other.name == kGraphSection);
    if (is_known && (other.name == name || is_second_program)) damaged("there are two of this section", name);
  }
}

std::string short_text(const std::string& name) {
  return name.substr(0, 64);  // a hostile name must not fill the terminal
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
  if (hashes == Hashes::check) check_hashes(options.check);
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
      info_.metadata.emplace(fields.text(pair.key()), fields.text(pair.value()));
    }
    std::uint64_t end = kHeaderBytes + header_.index_bytes;
    std::uint64_t unpacked = 0;
    for (std::uint32_t i = 0, n = fields.count(index.sections()); i < n; ++i) {
      const auto& table = *index.sections()->Get(i);
      Section section;
      section.name = fields.text(table.name());
      const std::string where = short_text(section.name);
      if (table.offset() % section_alignment(section.name) != 0) damaged("the section is not aligned", where);
      if (table.offset() < end || table.offset() - end > kMaxGapBytes || table.offset() > file_.size() ||
          table.stored_bytes() > file_.size() - table.offset()) {
        damaged("the section's place, " + std::to_string(table.stored_bytes()) + " bytes at " +
                    std::to_string(table.offset()) + ", is not after the one before it and inside the file",
                where);
      }
      section.offset = table.offset();
      section.stored = file_.subspan(table.offset(), table.stored_bytes());
      section.bytes = table.bytes();
      section.encoding = encoding_of(table, where);
      section.planes = plane_regions_of(table, fields, where);
      section.required = table.required();
      const auto sha = fields.list(table.sha256());
      if (sha.size() != kDigestBytes) damaged("a SHA-256 of " + std::to_string(sha.size()) + " bytes", where);
      std::memcpy(section.sha256.data(), sha.data(), kDigestBytes);
      if (section.encoding != Encoding::plain) {
        if (section.bytes > options.max_unpacked_bytes - unpacked) {
          throw Error(ErrorCode::limit_exceeded,
                      "unpacking takes more than the " + std::to_string(options.max_unpacked_bytes) +
                          " bytes that are allowed",
                      where, "raise max_unpacked_bytes if you trust the package");
        }
        unpacked += section.bytes;
      }
      check_name(section, sections_);
      end = section.offset + section.stored.size();
      info_.sections.push_back({section.name, section.offset, section.stored.size(), section.bytes,
                                section.encoding != Encoding::plain, hex(section.sha256)});
      sections_.push_back(std::move(section));
    }
    if (end != file_.size()) damaged("the file goes on after its last section", "index");
    const bool has_zstd = std::ranges::find(sections_, Encoding::zstd, &Section::encoding) != sections_.end();
    if (has_zstd != ((header_.features & kFeatureZstd) != 0)) {
      damaged("the header's features are not those of the sections", "header");
    }
  } catch (const Error& error) {
    throw error.where().empty() ? error.at("index") : error;
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

void Container::check_hashes(Check check) const {
  for (const Section& section : sections_) {
    const bool is_mapped_weights = section.name == kWeightsSection && section.encoding == Encoding::plain;
    if (check == Check::automatic && is_mapped_weights && file_.size() > kAlwaysHashedBytes) continue;
    if (sha256(section.stored) != section.sha256) {
      damaged("the section does not match its SHA-256", short_text(section.name));
    }
  }
}

}  // namespace skerry::package
