// Packages whose hashes are right and whose content lies: what a maker with bad intentions would send.
#include <gtest/gtest.h>
#include <package_schema/circuit_generated.h>
#include <package_schema/graph_generated.h>
#include <package_schema/index_generated.h>

#include <functional>
#include <limits>
#include <skerry/error.hpp>

#include "base/thrown_by.hpp"
#include "package/compress.hpp"
#include "package/format.hpp"
#include "package/keys.hpp"
#include "package/reader.hpp"
#include "package/testing.hpp"
#include "package/unpack.hpp"

namespace skerry::package {
namespace {

using base::thrown_by;
using testing::bell;

std::vector<std::byte> finished(flatbuffers::FlatBufferBuilder& builder) {
  const auto* bytes = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return {bytes, bytes + builder.GetSize()};
}

std::vector<std::byte> bell_section() {
  const auto bytes = encode({bell(), {}, {}});
  const Info info = read(bytes, nullptr).info;
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(info.sections[0].offset);
  return {begin, begin + static_cast<std::ptrdiff_t>(info.sections[0].stored_bytes)};
}

/// A row of an index, free to lie. The offset is where the section's bytes are put, unless `says` lies about it.
struct Row {
  std::string name;
  std::vector<std::byte> stored;
  std::function<void(std::uint64_t& offset, std::uint64_t& stored_bytes, std::uint64_t& bytes)> says = [](auto&, auto&,
                                                                                                          auto&) {};
  std::uint8_t encoding = 0;
  bool required = true;
  std::vector<fbs::PlaneRegion> planes{};
  std::size_t digest_bytes = 32;
};

/// A file of these sections with right hashes, right sizes and right padding.
std::vector<std::byte> forged(const std::vector<Row>& rows, std::uint64_t index_bytes = 0) {
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceDefaults(true);
  std::vector<std::byte> body;
  std::vector<flatbuffers::Offset<fbs::Section>> tables;
  const std::uint64_t start = kHeaderBytes + index_bytes;
  std::uint32_t features = 0;
  for (const Row& row : rows) {
    std::uint64_t offset =
        aligned(start + body.size(), section_alignment(static_cast<Encoding>(row.encoding), row.stored.size()));
    std::uint64_t stored_bytes = row.stored.size();
    std::uint64_t bytes = row.stored.size();
    body.resize(offset - start);
    body.insert(body.end(), row.stored.begin(), row.stored.end());
    row.says(offset, stored_bytes, bytes);
    const Digest digest = sha256(row.stored);
    const auto name = builder.CreateString(row.name);
    const auto planes = builder.CreateVectorOfStructs(row.planes);
    const auto sha = builder.CreateVector(reinterpret_cast<const std::uint8_t*>(digest.data()), row.digest_bytes);
    tables.push_back(
        fbs::CreateSection(builder, name, offset, stored_bytes, bytes, row.encoding, planes, sha, row.required));
    if (row.encoding == 1) features |= kFeatureZstd;
  }
  const auto list = builder.CreateVector(tables);
  const auto writer = builder.CreateString("forger");
  builder.Finish(fbs::CreateIndex(builder, writer, 0, list), kIndexIdentifier);
  const auto index = finished(builder);
  if (index.size() != index_bytes) return forged(rows, index.size());
  Header header;
  header.features = features;
  header.index_bytes = index.size();
  header.file_bytes = start + body.size();
  header.index_sha256 = sha256(index);
  const auto head = header_bytes(header);
  std::vector<std::byte> file(head.begin(), head.end());
  file.insert(file.end(), index.begin(), index.end());
  file.insert(file.end(), body.begin(), body.end());
  return file;
}

ErrorCode code_of(const std::vector<std::byte>& file, const ReadOptions& options = {}) {
  const Error error = thrown_by([&] { read(file, nullptr, options); });
  EXPECT_FALSE(error.where().empty()) << error.what();
  return error.code();
}

TEST(Forged, HonestFilesAreRead) {
  EXPECT_NO_THROW(read(forged({{"circuit", bell_section()}}), nullptr)) << "or else the tests below say nothing";
}

TEST(Forged, LiesAboutPlacesAreRefused) {
  constexpr auto kHuge = std::numeric_limits<std::uint64_t>::max();
  using Lie = std::function<void(std::uint64_t&, std::uint64_t&, std::uint64_t&)>;
  const std::vector<Lie> lies = {
      [](auto& offset, auto&, auto&) { offset = 0; },
      [](auto& offset, auto&, auto&) { offset += 8; },
      [](auto& offset, auto&, auto&) { offset -= 64; },
      [](auto& offset, auto&, auto&) { offset += 4096 * 64; },
      [](auto& offset, auto&, auto&) { offset = kHuge - 63; },
      [](auto& offset, auto& stored, auto& bytes) {
        offset = kHuge - 63;
        stored = bytes = 128;
      },
      [](auto&, auto& stored, auto&) { ++stored; },
      [](auto&, auto& stored, auto& bytes) { stored = bytes = kHuge; },
      [](auto&, auto& stored, auto& bytes) { stored = bytes = stored - 1; },
      [](auto&, auto&, auto& bytes) { bytes = kHuge; },
      [](auto&, auto& stored, auto& bytes) { stored = bytes = 0; },
  };
  for (std::size_t i = 0; i < lies.size(); ++i) {
    EXPECT_EQ(code_of(forged({{"circuit", bell_section(), lies[i]}})), ErrorCode::corrupt) << "lie " << i;
  }
}

TEST(Forged, OverlappingSectionsAreRefused) {
  std::uint64_t first = 0;
  const Row one{"plan/a", std::vector<std::byte>(64), [&first](auto& offset, auto&, auto&) { first = offset; }};
  const Row two{"plan/b", std::vector<std::byte>(64), [&first](auto& offset, auto&, auto&) { offset = first; }};
  EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, one, two})), ErrorCode::corrupt);
}

TEST(Forged, SectionsTwiceOrMissingAreRefused) {
  EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, {"circuit", bell_section()}})), ErrorCode::corrupt);
  EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, {"graph", bell_section()}})), ErrorCode::corrupt);
  EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, {"plan/a", {}}, {"plan/a", {}}})), ErrorCode::corrupt);
  EXPECT_EQ(code_of(forged({{"plan/a", {}}})), ErrorCode::corrupt);
  EXPECT_EQ(code_of(forged({})), ErrorCode::corrupt);
  EXPECT_EQ(code_of(forged({{"graph", bell_section()}})), ErrorCode::corrupt);
}

TEST(Forged, UnknownSectionsAreSkippedUnlessTheyAreNeeded) {
  Row unknown{"hologram", std::vector<std::byte>(10)};
  unknown.required = false;
  const auto file = forged({{"circuit", bell_section()}, unknown});
  const Loaded loaded = read(file, nullptr);
  EXPECT_EQ(std::get<Circuit>(loaded.contents.program), bell());
  EXPECT_EQ(loaded.info.sections.size(), 2U);
  unknown.encoding = 9;
  EXPECT_NO_THROW(read(forged({{"circuit", bell_section()}, unknown}), nullptr));
  unknown.required = true;
  EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, unknown})), ErrorCode::version_too_new);
  unknown.name = "plan/a";
  EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, unknown})), ErrorCode::version_too_new);
}

TEST(Forged, TooManySectionsAreRefused) {
  std::vector<Row> rows{{"circuit", bell_section()}};
  for (int i = 0; i < 5000; ++i) rows.push_back({"plan/" + std::to_string(i), {}});
  EXPECT_EQ(code_of(forged(rows)), ErrorCode::limit_exceeded);
}

TEST(Forged, DigestsOfAnotherLengthAreRefused) {
  Row row{"circuit", bell_section()};
  row.digest_bytes = 31;
  EXPECT_EQ(code_of(forged({row})), ErrorCode::corrupt);
}

TEST(Forged, BombsAreRefusedBeforeTheyAreUnpacked) {
  const std::vector<std::byte> zeros(std::size_t{8} << 20);
  const Piece piece{zeros};
  const auto packed = compress(std::span(&piece, 1), 19);
  ASSERT_LT(packed.size(), 2000U);
  const auto says = [](std::uint64_t bytes) { return [bytes](auto&, auto&, auto& unpacked) { unpacked = bytes; }; };
  const Row honest{"plan/a", packed, says(zeros.size()), 1};
  EXPECT_NO_THROW(read(forged({{"circuit", bell_section()}, honest}), nullptr));
  EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, honest}), {.max_unpacked_bytes = zeros.size() - 1}),
            ErrorCode::limit_exceeded);
  const Row twice{"plan/b", packed, says(zeros.size()), 1};
  EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, honest, twice}), {.max_unpacked_bytes = zeros.size() + 1}),
            ErrorCode::limit_exceeded);
  // A size that a kilobyte cannot hold, one that overflows, one too small, one too large.
  for (const std::uint64_t bytes : {std::uint64_t{1} << 33, ~std::uint64_t{0}, zeros.size() - 1, zeros.size() + 1}) {
    const Row lying{"plan/a", packed, says(bytes), 1};
    EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, lying}), {.max_unpacked_bytes = ~std::uint64_t{0}}),
              ErrorCode::corrupt)
        << bytes;
  }
}

TEST(Forged, FramesThatAreDamagedOrNotAloneAreRefused) {
  const std::vector<std::byte> zeros(1000);
  const Piece piece{zeros};
  const auto packed = compress(std::span(&piece, 1), 3);
  const auto says = [](auto&, auto&, auto& bytes) { bytes = 1000; };
  auto twice = packed;
  twice.insert(twice.end(), packed.begin(), packed.end());
  auto cut = packed;
  cut.pop_back();
  for (const auto& stored : {twice, cut, std::vector<std::byte>(20), std::vector<std::byte>()}) {
    EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, {"plan/a", stored, says, 1}})), ErrorCode::corrupt);
  }
}

TEST(Forged, PlanesOutsideTheirSectionAreRefused) {
  const std::vector<std::byte> zeros(1000);
  const Piece piece{zeros};
  const auto packed = compress(std::span(&piece, 1), 3);
  const auto says = [](auto&, auto&, auto& bytes) { bytes = 1000; };
  constexpr auto kHuge = std::numeric_limits<std::uint64_t>::max();
  const std::vector<std::vector<fbs::PlaneRegion>> lies = {
      {{996, 8, 4}}, {{kHuge - 3, 4, 4}}, {{0, kHuge - 3, 4}},    {{0, 10, 4}},
      {{0, 8, 0}},   {{0, 9, 3}},         {{0, 8, 4}, {4, 8, 4}}, {{0, 1000, 1000}}};
  for (std::size_t i = 0; i < lies.size(); ++i) {
    EXPECT_EQ(code_of(forged({{"circuit", bell_section()}, {"plan/a", packed, says, 1, true, lies[i]}})),
              ErrorCode::corrupt)
        << "lie " << i;
  }
}

using CircuitLie = std::function<flatbuffers::Offset<fbs::Circuit>(flatbuffers::FlatBufferBuilder&)>;

Error refusal_of(const CircuitLie& lie) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(lie(builder), "SKCI");
  const auto section = finished(builder);
  return thrown_by([&] { read_circuit(section); });
}

/// A circuit of one block with this instruction on `num_wires` wires.
CircuitLie one_instruction(const char* op, fbs::Instruction row, const std::vector<std::uint32_t>& wires,
                           std::uint32_t num_wires = 2) {
  return [=](flatbuffers::FlatBufferBuilder& b) {
    const auto block = fbs::CreateBlock(b, b.CreateVectorOfStructs(&row, 1), b.CreateVector(wires));
    const auto blocks = b.CreateVector(&block, 1);
    const auto name = b.CreateString(op);
    const auto names = b.CreateVector(&name, 1);
    const auto r = fbs::CreateRegister(b, 0, num_wires);
    const auto registers = b.CreateVector(&r, 1);
    return fbs::CreateCircuit(b, 0, num_wires, 0, registers, 0, 0, 0, names, 0, 0, blocks);
  };
}

TEST(ForgedCircuit, WhatPointsNowhereIsRefused) {
  EXPECT_EQ(refusal_of(one_instruction("h", {0, 0, 0, 1, 0}, {2})).code(), ErrorCode::corrupt);
  EXPECT_EQ(refusal_of(one_instruction("h", {1, 0, 0, 1, 0}, {0})).code(), ErrorCode::corrupt);
  EXPECT_EQ(refusal_of(one_instruction("h", {0, 0, 0, 2, 0}, {0})).code(), ErrorCode::corrupt);
  EXPECT_EQ(refusal_of(one_instruction("h", {0, 0, 0, 1, 0}, {0, 1})).code(), ErrorCode::corrupt);
  EXPECT_EQ(refusal_of(one_instruction("h", {0, 9, 0, 1, 0}, {0})).code(), ErrorCode::corrupt);
  EXPECT_EQ(refusal_of(one_instruction("x", {0, 1, 0, 2, 0}, {1, 1})).code(), ErrorCode::corrupt);
  EXPECT_EQ(refusal_of(one_instruction("h", {0, 0, 0, 1, 0xffffffff}, {0})).code(), ErrorCode::corrupt);
  EXPECT_EQ(refusal_of(one_instruction("measure", {0, 0, 0, 1, 0}, {0})).code(), ErrorCode::corrupt);
  EXPECT_EQ(refusal_of(one_instruction("unitary", {0, 0, 3, 1, 0}, {0})).code(), ErrorCode::corrupt);
  EXPECT_EQ(refusal_of(one_instruction("if_else", {0, 0, 3, 0, 0}, {})).code(), ErrorCode::corrupt);
}

TEST(ForgedCircuit, UnknownGatesAreFromANewerProgram) {
  const Error error = refusal_of(one_instruction("warp", {0, 0, 0, 1, 0}, {0}));
  EXPECT_EQ(error.code(), ErrorCode::version_too_new);
  EXPECT_NE(error.message().find("'warp'"), std::string::npos);
}

TEST(ForgedCircuit, HugeRegistersAreRefused) {
  EXPECT_EQ(refusal_of(one_instruction("h", {0, 0, 0, 1, 0}, {0}, 0xffffffff)).code(), ErrorCode::limit_exceeded);
}

TEST(ForgedCircuit, CannotGrowBySharing) {
  // A thousand blocks that are one: a small section must not become a large program.
  const Error error = refusal_of([](flatbuffers::FlatBufferBuilder& b) {
    const std::vector<std::uint32_t> wires(1000);
    const auto block = fbs::CreateBlock(b, 0, b.CreateVector(wires));
    const std::vector<flatbuffers::Offset<fbs::Block>> many(1000, block);
    return fbs::CreateCircuit(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b.CreateVector(many));
  });
  EXPECT_EQ(error.code(), ErrorCode::corrupt);
}

TEST(ForgedCircuit, ExpressionsThatAreNotThereOrNotSimpleAreRefused) {
  const auto lie = [](std::vector<std::string> names, std::vector<fbs::Expression> rows) {
    return refusal_of([&](flatbuffers::FlatBufferBuilder& b) {
             const auto block = fbs::CreateBlock(b);
             const auto blocks = b.CreateVector(&block, 1);
             const auto name_list = b.CreateVectorOfStrings(names);
             const auto row_list = b.CreateVectorOfStructs(rows);
             return fbs::CreateCircuit(b, 0, 0, 0, 0, 0, 0, 0, 0, name_list, row_list, blocks);
           })
        .code();
  };
  const fbs::ScalarType real(3, 64);
  const fbs::ScalarType integer(1, 64);
  const fbs::Expression one(0, real, 0, 0, 0, 0x3ff0000000000000);
  EXPECT_EQ(lie({"constant"}, {one, one}), ErrorCode::corrupt) << "twice the same";
  EXPECT_EQ(lie({"constant", "sin"}, {one, {1, real, 1, 0, 0, 0}}), ErrorCode::corrupt) << "of itself";
  EXPECT_EQ(lie({"constant", "sin"}, {one, {1, real, 0, 0, 0, 0}}), ErrorCode::corrupt) << "folds";
  EXPECT_EQ(lie({"constant"}, {{0, real, 0, 0, 0, 0x7ff0000000000000}}), ErrorCode::corrupt) << "infinite";
  EXPECT_EQ(lie({"constant"}, {{0, {7, 64}, 0, 0, 0, 0}}), ErrorCode::corrupt) << "no such type";
  EXPECT_EQ(lie({"constant"}, {{0, {1, 0}, 0, 0, 0, 0}}), ErrorCode::corrupt) << "no bits";
  EXPECT_EQ(lie({"constant"}, {{5, real, 0, 0, 0, 0}}), ErrorCode::corrupt) << "no such name";
  EXPECT_EQ(lie({"parameter"}, {{0, real, 0, 0, 0, 0}}), ErrorCode::corrupt) << "no such parameter";
  EXPECT_EQ(lie({"variable"}, {{0, integer, 0, 0, 0, 0}}), ErrorCode::corrupt) << "no such variable";
  EXPECT_EQ(lie({"bits"}, {{0, {2, 8}, 0xffffffff, 8, 0, 0}}), ErrorCode::corrupt) << "no such bits";
  EXPECT_EQ(lie({"element"}, {{0, integer, 0, 0, 9, 0}}), ErrorCode::corrupt) << "no such index";
  EXPECT_EQ(lie({"hyperbola"}, {one}), ErrorCode::version_too_new);
}

struct TensorLie {
  std::uint8_t dtype = 1;
  std::vector<std::int64_t> dims{4};
  std::uint64_t offset = 0, bytes = 16;
  std::vector<std::int64_t> declared{4};
};

ErrorCode code_of(const TensorLie& lie, std::span<const std::byte> weights) {
  flatbuffers::FlatBufferBuilder b;
  const auto tensor = fbs::CreateTensor(b, lie.dtype, b.CreateVector(lie.dims), lie.offset, lie.bytes);
  const auto value = fbs::CreateValue(b, 0, lie.dtype, true, b.CreateVector(lie.declared), 0, 0xffffffff, tensor);
  b.Finish(fbs::CreateGraph(b, 0, b.CreateVector(&value, 1)), "SKGR");
  const auto section = finished(b);
  try {
    read_graph(section, weights, nullptr);
    return ErrorCode::cancelled;  // stands for: was read
  } catch (const Error& error) {
    return error.code();
  }
}

TEST(ForgedGraph, TensorsThatAreNotInTheWeightsAreRefused) {
  alignas(64) const std::array<std::byte, 128> weights = {std::byte{2}};
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(code_of(TensorLie{}, weights), ErrorCode::cancelled) << "honest, or the others say nothing";
  EXPECT_EQ(code_of(TensorLie{}, {}), ErrorCode::corrupt);
  EXPECT_EQ(code_of(TensorLie{.offset = 128}, weights), ErrorCode::corrupt);
  EXPECT_EQ(code_of(TensorLie{.offset = 4}, weights), ErrorCode::corrupt);
  EXPECT_EQ(code_of(TensorLie{.offset = ~std::uint64_t{63}}, weights), ErrorCode::corrupt);
  EXPECT_EQ(code_of(TensorLie{.bytes = 15}, weights), ErrorCode::corrupt);
  EXPECT_EQ(code_of(TensorLie{.dims = {-1}}, weights), ErrorCode::corrupt);
  EXPECT_EQ(code_of(TensorLie{.dims = {kMax, kMax}}, weights), ErrorCode::corrupt);
  EXPECT_EQ(code_of(TensorLie{.dims = {1, 1, 1, 1, 1, 1, 1, 1, 4}}, weights), ErrorCode::corrupt);
  EXPECT_EQ(code_of(TensorLie{.dims = {64}, .bytes = 256, .declared = {64}}, weights), ErrorCode::corrupt);
  EXPECT_EQ(code_of(TensorLie{.declared = {5}}, weights), ErrorCode::corrupt) << "declared as another shape";
  EXPECT_EQ(code_of(TensorLie{.declared = {-1}}, weights), ErrorCode::corrupt) << "declared as unknown";
  EXPECT_EQ(code_of(TensorLie{.dtype = 9, .bytes = 4}, weights), ErrorCode::corrupt) << "a boolean of 2";
  EXPECT_EQ(code_of(TensorLie{.dtype = 99}, weights), ErrorCode::version_too_new);
  EXPECT_EQ(code_of(TensorLie{.dtype = 8, .bytes = 0}, weights), ErrorCode::unsupported) << "strings";
}

Error refusal_of_graph(const std::function<flatbuffers::Offset<fbs::Graph>(flatbuffers::FlatBufferBuilder&)>& lie) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(lie(builder), "SKGR");
  const auto section = finished(builder);
  return thrown_by([&] { read_graph(section, {}, nullptr); });
}

flatbuffers::Offset<fbs::Graph> nested(flatbuffers::FlatBufferBuilder& b, flatbuffers::Offset<fbs::Graph> inner) {
  const auto name = b.CreateString("body");
  const auto attribute = fbs::CreateAttribute(b, name, 7, 0, 0.0, 0, 0, 0, 0, 0, inner);
  const auto op = b.CreateString("Loop");
  const auto node = fbs::CreateNode(b, op, 0, 0, 0, b.CreateVector(&attribute, 1));
  return fbs::CreateGraph(b, 0, 0, b.CreateVector(&node, 1));
}

TEST(ForgedGraph, EndlessNestingIsRefused) {
  const Error error = refusal_of_graph([](flatbuffers::FlatBufferBuilder& b) {
    auto graph = fbs::CreateGraph(b);
    for (int i = 0; i < 100'000; ++i) graph = nested(b, graph);
    return graph;
  });
  EXPECT_EQ(error.code(), ErrorCode::corrupt);
}

TEST(ForgedGraph, ExponentialSharingIsRefused) {
  // 60 levels of two nodes that hold the same graph: 2^60 graphs in some kilobytes.
  const Error error = refusal_of_graph([](flatbuffers::FlatBufferBuilder& b) {
    auto graph = fbs::CreateGraph(b);
    for (int i = 0; i < 60; ++i) {
      const auto name = b.CreateString("body");
      const auto attribute = fbs::CreateAttribute(b, name, 7, 0, 0.0, 0, 0, 0, 0, 0, graph);
      const auto op = b.CreateString("Loop");
      const auto node = fbs::CreateNode(b, op, 0, 0, 0, b.CreateVector(&attribute, 1));
      const std::array both = {node, node};
      graph = fbs::CreateGraph(b, 0, 0, b.CreateVector(both.data(), both.size()));
    }
    return graph;
  });
  EXPECT_EQ(error.code(), ErrorCode::corrupt);
}

TEST(ForgedGraph, WhatPointsNowhereIsRefused) {
  const auto with_node = [](std::vector<std::uint32_t> inputs, std::vector<std::uint32_t> outputs) {
    return refusal_of_graph([&](flatbuffers::FlatBufferBuilder& b) {
             const auto op = b.CreateString("Relu");
             const auto node = fbs::CreateNode(b, op, 0, b.CreateVector(inputs), b.CreateVector(outputs));
             const auto nodes = b.CreateVector(&node, 1);
             const auto value = fbs::CreateValue(b, 0, 1);
             const auto values = b.CreateVector(&value, 1);
             return fbs::CreateGraph(b, 0, values, nodes, b.CreateVector(std::vector<std::uint32_t>{0}));
           })
        .code();
  };
  EXPECT_EQ(with_node({1}, {}), ErrorCode::corrupt);
  EXPECT_EQ(with_node({0}, {7}), ErrorCode::corrupt);
  EXPECT_EQ(with_node({0}, {0}), ErrorCode::corrupt) << "makes its own input";
  const Error outputs = refusal_of_graph([](flatbuffers::FlatBufferBuilder& b) {
    return fbs::CreateGraph(b, 0, 0, 0, 0, b.CreateVector(std::vector<std::uint32_t>{3}));
  });
  EXPECT_EQ(outputs.code(), ErrorCode::corrupt);
}

TEST(ForgedGraph, TheFeatureOfTypesAroundTypesIsSetExactlyWhenThereAreSome) {
  Graph plain, wrapped;
  plain.add_input("x", {DType::f32, std::nullopt});
  wrapped.add_input("x", {DType::f32, std::nullopt, {Wrap::sequence}});
  for (const Graph& graph : {plain, wrapped}) {
    auto bytes = encode({graph, {}, {}});
    EXPECT_NO_THROW(read(bytes, nullptr));
    bytes[12] ^= std::byte{kFeatureWraps};
    EXPECT_EQ(thrown_by([&] { read(bytes, nullptr); }).code(), ErrorCode::corrupt);
  }
}

TEST(ForgedGraph, TypesAroundTypesAreFewAndKnown) {
  const auto with_wraps = [](const std::vector<std::uint8_t>& wraps) {
    return refusal_of_graph([&](flatbuffers::FlatBufferBuilder& b) {
             const auto list = b.CreateVector(wraps);
             const auto value = fbs::CreateValue(b, 0, 1, false, 0, 0, kNoNode, 0, list);
             const auto values = b.CreateVector(&value, 1);
             return fbs::CreateGraph(b, 0, values, 0, b.CreateVector(std::vector<std::uint32_t>{0}));
           })
        .code();
  };
  EXPECT_EQ(with_wraps(std::vector<std::uint8_t>(kMaxWraps + 1, 0)), ErrorCode::corrupt);
  EXPECT_EQ(with_wraps(std::vector<std::uint8_t>(100'000, 1)), ErrorCode::corrupt);
  EXPECT_EQ(with_wraps({0, 4}), ErrorCode::version_too_new);
  EXPECT_EQ(with_wraps({255}), ErrorCode::version_too_new);
}

TEST(ForgedGraph, UnknownKindsOfAttributeAreFromANewerProgram) {
  const Error error = refusal_of_graph([](flatbuffers::FlatBufferBuilder& b) {
    const auto attribute = fbs::CreateAttribute(b, b.CreateString("a"), 200);
    const auto op = b.CreateString("Relu");
    const auto node = fbs::CreateNode(b, op, 0, 0, 0, b.CreateVector(&attribute, 1));
    return fbs::CreateGraph(b, 0, 0, b.CreateVector(&node, 1));
  });
  EXPECT_EQ(error.code(), ErrorCode::version_too_new);
}

}  // namespace
}  // namespace skerry::package
