#include "package/image.hpp"

#include <package_schema/index_generated.h>

#include <algorithm>
#include <skerry/error.hpp>
#include <unordered_set>
#include <utility>

#include "base/file.hpp"
#include "ir/verify.hpp"
#include "package/circuit_codec.hpp"
#include "package/compress.hpp"
#include "package/graph_codec.hpp"

namespace skerry::package {
namespace {

constexpr std::array<std::byte, kPageAlignment> kZeros{};

flatbuffers::Offset<fbs::Index> encode_pairs_and(flatbuffers::FlatBufferBuilder& builder,
                                                 const std::map<std::string, std::string>& metadata,
                                                 const std::vector<flatbuffers::Offset<fbs::Section>>& sections) {
  std::vector<flatbuffers::Offset<fbs::Pair>> pairs;
  for (const auto& [key, value] : metadata) {
    const auto key_text = builder.CreateString(key);
    const auto value_text = builder.CreateString(value);
    pairs.push_back(fbs::CreatePair(builder, key_text, value_text));
  }
  const auto pair_list = builder.CreateVector(pairs);
  const auto section_list = builder.CreateVector(sections);
  const auto writer = builder.CreateString("skerry " SKERRY_VERSION);
  return fbs::CreateIndex(builder, writer, pair_list, section_list);
}

/// A bound on the index from what grows with the contents, so that FlatBuffers never comes near its own.
void check_index_size(const Contents& contents) {
  constexpr std::size_t kMaxPlans = kMaxSections - 2;  // beside the program and the weights
  if (contents.plans.size() > kMaxPlans) {
    throw Error(ErrorCode::limit_exceeded,
                std::to_string(contents.plans.size()) + " plans, a package holds at most " + std::to_string(kMaxPlans),
                "plans");
  }
  std::uint64_t bytes = 0;
  for (const auto& [key, value] : contents.metadata) bytes += key.size() + value.size() + 64;
  for (const StoredPlan& plan : contents.plans) bytes += plan.key.size() + 256;
  if (bytes < kMaxIndexBytes / 2) return;
  throw Error(ErrorCode::limit_exceeded,
              "metadata and plan keys take " + std::to_string(bytes) + " bytes, an index at most " +
                  std::to_string(kMaxIndexBytes / 2),
              "metadata");
}

}  // namespace

Image::Image(const Contents& contents, const WriteOptions& options) {
  if (options.key) header_.signer = public_half(*options.key);
  check_index_size(contents);
  add_program(contents, options);
  std::unordered_set<std::string_view> keys;
  for (const StoredPlan& plan : contents.plans) {
    if (!keys.insert(plan.key).second) {
      throw Error(ErrorCode::invalid_argument, "two plans have the key '" + plan.key + "'", "plans");
    }
    const Piece piece{plan.bytes};
    add_section(std::string(kPlanPrefix) + plan.key, std::span(&piece, 1), options);
  }
  if (weights_.bytes() != 0) add_section(std::string(kWeightsSection), weights_.pieces(), options);
  place_sections(contents);
  if (options.key) {
    const auto unsigned_bytes = package::header_bytes(header_);
    header_.signature = sign(std::span(unsigned_bytes).first(kSignedBytes), *options.key);
  }
  header_bytes_ = package::header_bytes(header_);
  list_parts();
}

void Image::add_program(const Contents& contents, const WriteOptions& options) {
  ProgramBuilder builder;
  const auto* circuit = std::get_if<Circuit>(&contents.program);
  if (circuit != nullptr) {
    ir::verify(*circuit);
    const auto root = encode_circuit(*circuit, builder);
    owned_.push_back(builder.finish(root, kCircuitIdentifier));
  } else {
    const auto& graph = std::get<Graph>(contents.program);
    ir::verify(graph);
    if (has_wraps(graph)) header_.features |= kFeatureWraps;
    const auto root = encode_graph(graph, builder, weights_);
    owned_.push_back(builder.finish(root, kGraphIdentifier));
  }
  const Piece piece{owned_.back()};
  add_section(std::string(circuit != nullptr ? kCircuitSection : kGraphSection), std::span(&piece, 1), options);
}

void Image::add_section(std::string name, std::span<const Piece> pieces, const WriteOptions& options) {
  Section section;
  section.name = std::move(name);
  for (const Piece& piece : pieces) section.bytes += piece.bytes.size();
  section.stored_bytes = section.bytes;
  if (options.compress && section.bytes != 0) {
    auto packed = compress(pieces, options.compression_level);
    if (packed.size() < section.bytes) {  // what does not get smaller stays plain, and so can be mapped
      section.encoding = Encoding::zstd;
      section.planes = plane_regions(pieces);
      section.stored_bytes = packed.size();
      owned_.push_back(std::move(packed));
      section.stored.emplace_back(owned_.back());
      header_.features |= kFeatureZstd;
    }
  }
  if (section.encoding == Encoding::plain) {
    for (const Piece& piece : pieces) section.stored.push_back(piece.bytes);
  }
  section.sha256 = sha256(section.stored);
  sections_.push_back(std::move(section));
}

std::vector<std::byte> Image::encode_index(const Contents& contents) const {
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceDefaults(true);  // so that its size does not depend on the offsets that depend on its size
  std::vector<flatbuffers::Offset<fbs::Section>> tables;
  for (const Section& section : sections_) {
    std::vector<fbs::PlaneRegion> planes;
    for (const PlaneRegion& region : section.planes) planes.emplace_back(region.offset, region.bytes, region.width);
    const auto name = builder.CreateString(section.name);
    const auto plane_list = planes.empty() ? flatbuffers::Offset<flatbuffers::Vector<const fbs::PlaneRegion*>>(0)
                                           : builder.CreateVectorOfStructs(planes);
    const auto sha = builder.CreateVector(reinterpret_cast<const std::uint8_t*>(section.sha256.data()), kDigestBytes);
    tables.push_back(fbs::CreateSection(builder, name, section.offset, section.stored_bytes, section.bytes,
                                        static_cast<std::uint8_t>(section.encoding), plane_list, sha, true));
    if (builder.GetSize() > kMaxIndexBytes) {
      throw Error(ErrorCode::limit_exceeded, "the index takes more than " + std::to_string(kMaxIndexBytes) + " bytes");
    }
  }
  builder.Finish(encode_pairs_and(builder, contents.metadata, tables), kIndexIdentifier);
  const auto* bytes = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return {bytes, bytes + builder.GetSize()};
}

void Image::place_sections(const Contents& contents) {
  header_.index_bytes = encode_index(contents).size();
  std::uint64_t end = kHeaderBytes + header_.index_bytes;
  for (Section& section : sections_) {
    section.offset = aligned(end, section_alignment(section.encoding, section.stored_bytes));
    end = section.offset + section.stored_bytes;
  }
  header_.file_bytes = end;
  index_ = encode_index(contents);
  header_.index_sha256 = sha256(index_);
}

void Image::list_parts() {
  parts_.emplace_back(header_bytes_);
  parts_.emplace_back(index_);
  std::uint64_t end = kHeaderBytes + index_.size();
  for (const Section& section : sections_) {
    if (section.offset != end) parts_.push_back(std::span(kZeros).first(section.offset - end));
    parts_.insert(parts_.end(), section.stored.begin(), section.stored.end());
    end = section.offset + section.stored_bytes;
  }
}

std::vector<std::byte> encode(const Contents& contents, const WriteOptions& options) {
  const Image image(contents, options);
  std::vector<std::byte> bytes;
  bytes.reserve(image.bytes());
  for (const auto part : image.parts()) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

void write(const std::filesystem::path& path, const Contents& contents, const WriteOptions& options) {
  const Image image(contents, options);
  base::write_file_atomically(path, image.parts());
}

}  // namespace skerry::package
