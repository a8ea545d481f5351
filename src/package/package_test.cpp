#include "package/package.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <skerry/error.hpp>

#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "ir/graph/same.hpp"
#include "package/keys.hpp"
#include "package/testing.hpp"

namespace skerry::package {
namespace {

using base::thrown_by;
using namespace testing;  // NOLINT(google-build-using-namespace): the programs of this file

const Circuit& circuit_in(const Loaded& loaded) {
  return std::get<Circuit>(loaded.contents.program);
}
const Graph& graph_in(const Loaded& loaded) {
  return std::get<Graph>(loaded.contents.program);
}

Loaded read_bytes(const std::vector<std::byte>& bytes, const ReadOptions& options = {}) {
  return read(bytes, nullptr, options);
}

std::vector<WriteOptions> all_ways_of_writing() {
  const KeyPair pair = make_key_pair();
  return {{},
          {.compress = true},
          {.key = pair.secret_key},
          {.compress = true, .compression_level = 1, .key = pair.secret_key}};
}

TEST(Package, CircuitsComeBackEqual) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Circuit circuit = random_circuit(seed);
    for (const WriteOptions& options : all_ways_of_writing()) {
      const Loaded loaded = read_bytes(encode({circuit, {}, {}}, options));
      ASSERT_EQ(circuit_in(loaded), circuit) << "seed " << seed;
      ASSERT_EQ(circuit_in(loaded).expressions(), circuit.expressions());
      ASSERT_EQ(circuit_in(loaded).blocks().size(), circuit.blocks().size());
    }
  }
}

TEST(Package, GraphsComeBackEqual) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Graph graph = random_graph(seed);
    for (const WriteOptions& options : all_ways_of_writing()) {
      const auto bytes = encode({graph, {}, {}}, options);
      const Loaded loaded = read_bytes(bytes);
      ASSERT_TRUE(ir::same(graph_in(loaded), graph)) << "seed " << seed;
      ASSERT_EQ(graph_in(loaded).values().size(), graph.values().size());
    }
  }
}

TEST(Package, DiffersWhereProgramsDiffer) {
  // ir::same and == must be able to fail, else the two tests above say nothing.
  EXPECT_FALSE(ir::same(random_graph(1), random_graph(2)));
  EXPECT_NE(random_circuit(1), random_circuit(2));
}

TEST(Package, EmptyProgramsComeBack) {
  EXPECT_EQ(circuit_in(read_bytes(encode({Circuit(), {}, {}}))), Circuit());
  EXPECT_TRUE(ir::same(graph_in(read_bytes(encode({Graph(), {}, {}}))), Graph()));
}

TEST(Package, MetadataAndPlansComeBack) {
  const Contents contents = contents_of(bell());
  for (const WriteOptions& options : all_ways_of_writing()) {
    const Loaded loaded = read_bytes(encode(contents, options));
    EXPECT_EQ(loaded.contents.metadata, contents.metadata);
    EXPECT_EQ(loaded.contents.plans, contents.plans);
  }
}

TEST(Package, SameContentsGiveSameBytes) {
  for (const WriteOptions& options : all_ways_of_writing()) {
    EXPECT_EQ(encode(contents_of(random_graph(3)), options), encode(contents_of(random_graph(3)), options));
    EXPECT_EQ(encode(contents_of(random_circuit(3)), options), encode(contents_of(random_circuit(3)), options));
  }
}

TEST(Package, WhatWasReadIsWrittenAsTheSameBytes) {
  for (const WriteOptions& options : all_ways_of_writing()) {
    const auto bytes = encode(contents_of(random_graph(4)), options);
    EXPECT_EQ(encode(read_bytes(bytes).contents, options), bytes);
  }
}

TEST(Package, EqualConstantsAreStoredOnceWhereverTheyLie) {
  std::mt19937_64 random(1);
  const Tensor large = random_tensor(DType::f32, {1000}, random);
  Tensor copy(DType::f32, {1000});
  std::memcpy(copy.mutable_view().data(), large.view().data(), large.view().bytes());
  Graph shared, separate;
  shared.add_constant("a", large);
  shared.add_constant("b", large);
  separate.add_constant("a", large);
  separate.add_constant("b", copy);
  EXPECT_EQ(encode({shared, {}, {}}), encode({separate, {}, {}}));
  EXPECT_EQ(read_bytes(encode({separate, {}, {}})).info.sections.back().bytes, large.view().bytes());
}

TEST(Package, FileHoldsWhatEncodeGives) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "x.skerry";
  const Contents contents = contents_of(random_graph(7));
  for (const WriteOptions& options : all_ways_of_writing()) {
    write(path, contents, options);
    const auto bytes = encode(contents, options);
    EXPECT_EQ(std::filesystem::file_size(path), bytes.size());
    EXPECT_EQ(read(path).info.content_id, read_bytes(bytes).info.content_id);
  }
}

TEST(Package, CompressingMakesSmallerFilesThatLoadTheSame) {
  // Weights as trained ones are: small, so exponents repeat and mantissas do not.
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal(0.0F, 0.05F);
  std::vector<float> values(1 << 19);
  for (float& v : values) v = normal(random);
  Graph graph;
  graph.add_constant("w", Tensor::from<float>(values, {1 << 10, 1 << 9}));
  const auto plain = encode({graph, {}, {}});
  const auto packed = encode({graph, {}, {}}, {.compress = true});
  EXPECT_LT(packed.size(), plain.size() * 88 / 100) << "zstd without planes reaches 92 %";
  EXPECT_TRUE(ir::same(graph_in(read_bytes(packed)), graph));
  EXPECT_LT(encode({random_circuit(1), {}, {}}, {.compress = true}).size(), encode({random_circuit(1), {}, {}}).size());
}

TEST(Package, PlainTensorsPointIntoTheBytes) {
  const auto bytes = encode({small_hybrid(), {}, {}});
  auto storage = std::make_shared<Tensor>(DType::u8, Shape{static_cast<std::int64_t>(bytes.size())});
  auto* first = storage->mutable_view().data();
  std::memcpy(first, bytes.data(), bytes.size());
  std::optional<Loaded> loaded = read({first, bytes.size()}, storage);
  const Tensor constant = *graph_in(*loaded).value(1).constant;
  EXPECT_GE(constant.view().data(), first);
  EXPECT_LT(constant.view().data(), first + bytes.size());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(constant.view().data()) % 64, 0U);
  loaded.reset();
  const std::weak_ptr<Tensor> watched = storage;
  storage.reset();
  EXPECT_FALSE(watched.expired()) << "a tensor must keep what it points into";
}

TEST(Package, ReadsFromAnyAlignment) {
  const auto bytes = encode(contents_of(random_graph(8)));
  std::vector<std::byte> shifted(bytes.size() + 64);
  for (std::size_t shift = 0; shift < 64; shift += 7) {
    std::memcpy(shifted.data() + shift, bytes.data(), bytes.size());
    const Loaded loaded = read(std::span(shifted).subspan(shift, bytes.size()), nullptr);
    ASSERT_TRUE(ir::same(graph_in(loaded), random_graph(8)));
    for (const Value& value : graph_in(loaded).values()) {
      if (!value.constant) continue;
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(value.constant->view().data()) % 64, 0U);
    }
  }
}

TEST(Package, InspectTellsSections) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "x.skerry";
  const KeyPair pair = make_key_pair();
  write(path, contents_of(small_hybrid()), {.key = pair.secret_key});
  const Info info = inspect(path);
  EXPECT_EQ(info.format_version, 1U);
  EXPECT_EQ(info.writer.substr(0, 7), "skerry ");
  EXPECT_EQ(info.signer, pair.public_key);
  EXPECT_EQ(info.metadata.at("source"), "a.qasm");
  ASSERT_EQ(info.sections.size(), 4U);
  EXPECT_EQ(info.sections[0].name, "graph");
  EXPECT_EQ(info.sections[1].name, "plan/machine 1");
  EXPECT_EQ(info.sections[2].name, "plan/machine 2");
  EXPECT_EQ(info.sections[3].name, "weights");
  EXPECT_EQ(info.sections[3].offset % 64, 0U);
  EXPECT_EQ(info.sections[3].bytes, 16U);
}

TEST(Package, LargeWeightsStartAtAPage) {
  Graph graph;
  graph.add_constant("w", Tensor(DType::u8, {64 << 10}));
  const Info info = read_bytes(encode({graph, {}, {}})).info;
  EXPECT_EQ(info.sections.back().name, "weights");
  EXPECT_EQ(info.sections.back().offset % 4096, 0U);
}

TEST(Package, IsToldByItsFirstBytes) {
  const auto bytes = encode({bell(), {}, {}});
  EXPECT_TRUE(is_package(bytes));
  EXPECT_FALSE(is_package(std::span(bytes).first(7)));
  EXPECT_FALSE(is_package({}));
  EXPECT_FALSE(is_package(std::as_bytes(std::span("OPENQASM 3.0;"))));
}

TEST(Package, RefusesToWriteWhatItCouldNotRead) {
  const auto code_of = [](const Contents& contents, const WriteOptions& options = {}) {
    return thrown_by([&] { encode(contents, options); }).code();
  };
  Graph strings;
  strings.add_constant("s", Tensor(DType::string, {2}));
  EXPECT_NE(code_of({strings, {}, {}}), ErrorCode::internal);
  Circuit broken = bell();
  Block block;
  block.append(Op::h, std::array<Wire, 1>{9});
  broken.replace_block(0, block);
  EXPECT_EQ(code_of({broken, {}, {}}), ErrorCode::semantic_error);
  EXPECT_EQ(code_of({bell(), {}, {{"k", {}}, {"k", {}}}}), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of({bell(), {}, {}}, {.compress = true, .compression_level = 99}), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of({bell(), {}, {}}, {.key = SecretKey{}}), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of({Circuit((1U << 24) + 1), {}, {}}), ErrorCode::limit_exceeded);
}

TEST(Package, BlocksThatNothingLeadsToAreEmptied) {
  Circuit circuit(1);
  circuit.open_block();
  circuit.h(0);
  circuit.close_block();
  const Circuit loaded = circuit_in(read_bytes(encode({circuit, {}, {}})));
  EXPECT_EQ(loaded, circuit);
  ASSERT_EQ(loaded.blocks().size(), 2U);
  EXPECT_TRUE(loaded.blocks()[1].empty());
}

TEST(Package, ChannelsOfACircuitComeBackEqual) {
  Circuit circuit(2, 2);
  const std::vector<Wire> one = {1}, two = {1, 0};
  circuit.h(0).channel(Channel::depolarizing(0.02, 2), two).channel(Channel::reset(0.2, 0.1), one);
  circuit.channel(Channel::kraus(Channel::amplitude_damping(0.25).then(Channel::bit_flip(0.1)).operators()), one);
  const Loaded loaded = read_bytes(encode({circuit, {}, {}}));
  EXPECT_EQ(circuit_in(loaded), circuit);
  EXPECT_EQ(circuit_in(loaded).channels(), circuit.channels());
}

}  // namespace
}  // namespace skerry::package
