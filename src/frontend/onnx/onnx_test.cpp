#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <skerry/error.hpp>
#include <stdexcept>

#include "base/file.hpp"
#include "base/memory_usage.hpp"
#include "frontend/frontend.hpp"

namespace skerry::frontend {

extern const Frontend onnx_frontend;

namespace {

namespace fs = std::filesystem;

const fs::path kData = SKERRY_TEST_DATA;
const fs::path kCases = kData.parent_path() / "fuzz/corpus/onnx";

Source source_of(const fs::path& path) {
  auto file = std::make_shared<base::MappedFile>(base::MappedFile::open(path));
  return {.bytes = file->bytes(), .name = path.filename().string(), .folder = path.parent_path(), .owner = file};
}

Graph import_graph(const Source& source, const ImportLimits& limits = {}) {
  return std::get<Graph>(onnx_frontend.import(source, limits));
}

Graph import_case(const std::string& name, const ImportLimits& limits = {}) {
  return import_graph(source_of(kCases / (name + ".onnx")), limits);
}

std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> ops;
  for (const Node& node : graph.nodes()) ops.push_back(node.op);
  return ops;
}

std::vector<std::string> names_of(const Graph& graph, std::span<const ValueId> ids) {
  std::vector<std::string> names;
  for (const ValueId id : ids) names.push_back(id == kNoValue ? "-" : graph.value(id).name);
  return names;
}

const Value& named(const Graph& graph, std::string_view name) {
  return *std::ranges::find(graph.values(), name, &Value::name);
}

const Graph& subgraph(const Node& node, std::string_view attribute) {
  return *std::get<Subgraph>(*node.find(attribute));
}

const Tensor& constant_of(const Value& value) {
  if (!value.constant) throw std::runtime_error(value.name + " is no constant");
  return *value.constant;
}

template <class T>
std::vector<T> elements(const Value& value) {
  const auto span = constant_of(value).as<T>();
  return {span.begin(), span.end()};
}

using Names = std::vector<std::string>;

/// A protobuf field that holds bytes: tag, length, content.
std::string field(int number, const std::string& content, std::size_t more = 0) {
  std::string result(1, static_cast<char>(number << 3 | 2));
  std::size_t length = content.size() + more;
  for (; length >= 128; length >>= 7) result += static_cast<char>((length & 127) | 128);
  return result + static_cast<char>(length) + content;
}

TEST(Onnx, ImportsLargeWeightsWithoutTouchingThem) {
  // f32[4096,4096] of zeros as a hole at the end of the file: raw_data in an initializer in a graph in a model.
  constexpr std::size_t weight_bytes = std::size_t{64} << 20;
  const std::string opset = field(8, "\x10\x11");                                 // of ai.onnx: 17
  const std::string tensor = "\x08\x80\x20\x08\x80\x20\x10\x01" + field(8, "w");  // dims, float, name
  const std::string raw = field(9, "", weight_bytes);
  const std::string weight = field(5, tensor + raw, weight_bytes);
  const std::string model = "\x08\x08" + opset + field(7, field(12, field(1, "w")) + weight, weight_bytes);
  const fs::path path = fs::path(::testing::TempDir()) / "skerry_large.onnx";
  std::ofstream(path, std::ios::binary) << model;
  fs::resize_file(path, model.size() + weight_bytes);
  {
    const Source source = source_of(path);
    const std::uint64_t before = base::resident_bytes();
    const Graph graph = import_graph(source);
    EXPECT_LT(base::resident_bytes(), before + (std::uint64_t{15} << 20));
    EXPECT_EQ(named(graph, "w").type.text(), "f32[4096,4096]");
    EXPECT_EQ(constant_of(named(graph, "w")).owner(), source.owner);
    EXPECT_EQ(constant_of(named(graph, "w")).view().data() - source.bytes.data(),
              static_cast<std::ptrdiff_t>(model.size()));
  }
  fs::remove(path);
}

TEST(Onnx, AlignsSmallTensors) {
  const Graph graph = import_graph(source_of(kData / "models/digits_cnn.onnx"));
  for (const Value& value : graph.values()) {
    if (!value.constant || value.constant->view().bytes() > 65536) continue;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(value.constant->view().data()) % 64, 0U) << value.name;
  }
}

TEST(Onnx, ReadsListedTensorsLikeRawOnes) {
  const Graph graph = import_case("ok_tensors");
  ASSERT_EQ(graph.outputs().size(), 42U);
  for (std::size_t i = 0; i < graph.outputs().size(); i += 2) {
    const Value& raw = graph.value(graph.outputs()[i]);
    const Value& listed = graph.value(graph.outputs()[i + 1]);
    ASSERT_EQ(raw.type, listed.type);
    EXPECT_EQ(
        std::memcmp(constant_of(raw).view().data(), constant_of(listed).view().data(), constant_of(raw).view().bytes()),
        0)
        << raw.name;
  }
  EXPECT_EQ(elements<float>(named(graph, "float_list")), (std::vector<float>{0, -1, -2, -3, -5, -7}));
  EXPECT_EQ(elements<std::int8_t>(named(graph, "int8_list")), (std::vector<std::int8_t>{0, -1, -2, -3, -5, -7}));
}

TEST(Onnx, MakesConstantsOfEveryKind) {
  const Graph graph = import_case("ok_constants");
  EXPECT_TRUE(graph.nodes().empty());
  EXPECT_EQ(elements<std::int32_t>(named(graph, "a")), (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(elements<float>(named(graph, "b")), (std::vector<float>{0.5F}));
  EXPECT_EQ(named(graph, "c").type.text(), "i64[]");
  EXPECT_EQ(elements<std::int64_t>(named(graph, "c")), (std::vector<std::int64_t>{-3}));
  EXPECT_EQ(elements<float>(named(graph, "d")), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(elements<std::int64_t>(named(graph, "e")), (std::vector<std::int64_t>{4, 5}));
  EXPECT_EQ(elements<float>(named(graph, "f")), (std::vector<float>{0, 5, 0, 0, 7, 0}));
}

TEST(Onnx, MakesSparseInitializersDense) {
  EXPECT_EQ(elements<float>(named(import_case("ok_sparse"), "w")), (std::vector<float>{0, 0, 9, -9, 0, 0}));
}

TEST(Onnx, MapsExternalData) {
  const Graph graph = import_case("ok_external");
  EXPECT_EQ(elements<float>(named(graph, "w")), (std::vector<float>{1.5, -2}));
}

TEST(Onnx, RefusesExternalDataThroughALinkOutOfTheFolder) {
  const fs::path folder = fs::path(::testing::TempDir()) / "skerry_onnx_link";
  fs::remove_all(folder);
  fs::create_directories(folder / "model");
  fs::copy_file(kCases / "ok_external.onnx", folder / "model/m.onnx");
  fs::copy_file(kCases / "weights.bin", folder / "weights.bin");
  fs::create_symlink(folder / "weights.bin", folder / "model/weights.bin");
  try {
    import_graph(source_of(folder / "model/m.onnx"));
    FAIL() << "the link was followed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::permission_denied);
  }
  // A link that stays inside is an ordinary file.
  fs::remove(folder / "model/weights.bin");
  fs::copy_file(kCases / "weights.bin", folder / "model/blob");
  fs::create_symlink("blob", folder / "model/weights.bin");
  EXPECT_NO_THROW(import_graph(source_of(folder / "model/m.onnx")));
  fs::remove_all(folder);
}

TEST(Onnx, RefusesExternalDataWithoutAFolder) {
  Source source = source_of(kCases / "ok_external.onnx");
  source.folder.clear();
  EXPECT_THROW(import_graph(source), Error);
}

TEST(Onnx, PassesWhatBranchesReadAsTrailingInputs) {
  const Graph graph = import_case("ok_if");
  const Node& node = graph.nodes().back();
  EXPECT_EQ(names_of(graph, node.inputs), (Names{"c", "h"}));
  const Graph& yes = subgraph(node, "then_branch");
  EXPECT_EQ(names_of(yes, yes.inputs()), (Names{"h"}));
  EXPECT_EQ(elements<float>(named(yes, "w")), (std::vector<float>{1, 2}));  // a constant goes in as one
  const Graph& no = subgraph(node, "else_branch");
  EXPECT_EQ(names_of(no, no.inputs()), (Names{"h"}));
  EXPECT_EQ(no.outputs(), no.inputs());
}

TEST(Onnx, CarriesCapturesThroughTwoScopes) {
  const Graph graph = import_case("ok_loop");
  const Node& loop = graph.nodes().front();
  EXPECT_EQ(names_of(graph, loop.inputs), (Names{"n", "-", "x", "x"}));
  EXPECT_EQ(loop.integer("captures", 0), 1);  // the last x; the first is carried
  const Graph& body = subgraph(loop, "body");
  EXPECT_EQ(names_of(body, body.inputs()), (Names{"i", "go", "acc", "x"}));
  const Node& inner = body.nodes().front();
  EXPECT_EQ(names_of(body, inner.inputs), (Names{"go", "acc", "x"}));
  const Graph& branch = subgraph(inner, "then_branch");
  EXPECT_EQ(names_of(branch, branch.inputs()), (Names{"acc", "x"}));
}

TEST(Onnx, LetsABranchShadowAnOuterName) {
  const Graph graph = import_case("ok_shadow");
  const Graph& own = subgraph(graph.nodes().back(), "then_branch");
  EXPECT_EQ(names_of(own, own.nodes().front().inputs), (Names{"x"}));
  EXPECT_EQ(own.value(own.outputs()[0]).producer, 0U);
  const Graph& outer = subgraph(graph.nodes().back(), "else_branch");
  EXPECT_EQ(names_of(outer, outer.nodes().front().inputs), (Names{"t"}));
}

TEST(Onnx, InlinesFunctionsWithTheirAttributes) {
  const Graph graph = import_case("ok_function");
  EXPECT_EQ(ops_of(graph), (Names{"LeakyRelu", "Mul", "Add", "LeakyRelu", "Mul", "Add", "Identity"}));
  EXPECT_DOUBLE_EQ(graph.nodes()[0].real("alpha", -1), 0.25);  // through two calls
  EXPECT_EQ(graph.nodes()[3].find("alpha"), nullptr);          // not given, no default
  EXPECT_EQ(elements<float>(graph.value(graph.nodes()[1].inputs[1])), (std::vector<float>{3}));  // by default
  EXPECT_EQ(names_of(graph, graph.outputs()), (Names{"y", "x1"}));
  EXPECT_EQ(names_of(graph, graph.nodes()[6].inputs), (Names{"x"}));  // handed through
}

TEST(Onnx, TakesInitializersListedAsInputsForConstants) {
  const Graph graph = import_case("ok_ir3");
  EXPECT_EQ(names_of(graph, graph.inputs()), (Names{"x"}));
}

TEST(Onnx, PutsNodesInOrderOfUse) {
  EXPECT_EQ(ops_of(import_case("ok_unordered")), (Names{"Abs", "Relu", "Neg"}));
}

TEST(Onnx, LeavesOptionalInputsOut) {
  const Graph graph = import_case("ok_optional");
  EXPECT_EQ(names_of(graph, graph.nodes()[0].inputs), (Names{"x", "-", "hi"}));
}

TEST(Onnx, KeepsSymbolicDimensions) {
  const Graph graph = import_graph(source_of(kData / "models/digits_cnn.onnx"));
  EXPECT_EQ(graph.value(graph.inputs()[0]).type.text(), "f32[N,1,8,8]");
  EXPECT_EQ(graph.value(graph.outputs()[0]).type.text(), "f32[N,10]");
}

TEST(Onnx, SniffsModelsAndNothingElse) {
  for (const auto& entry : fs::directory_iterator(kCases)) {
    if (entry.path().extension() != ".onnx") continue;
    EXPECT_TRUE(onnx_frontend.sniff(source_of(entry.path()))) << entry.path();
  }
  for (const std::string text :
       {"", "OPENQASM 2.0;\n", "B\x01xy", "[{\"gate\": \"H\"}]", "graph g {", "\x08", "\n\n\n"}) {
    const Source source{.bytes = std::as_bytes(std::span(text)), .name = "t", .folder = {}, .owner = {}};
    EXPECT_FALSE(onnx_frontend.sniff(source)) << text;
  }
}

struct BadModel {
  const char* name;
  ErrorCode code;
  const char* words;  // part of what()
};

void PrintTo(const BadModel& row, std::ostream* out) {  // NOLINT(readability-identifier-naming): GoogleTest's name
  *out << row.name;
}

class OnnxRefusal : public ::testing::TestWithParam<BadModel> {};

TEST_P(OnnxRefusal, SaysWhereAndWhat) {
  try {
    import_case(GetParam().name);
    FAIL() << "imported";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), GetParam().code) << error.what();
    EXPECT_NE(std::string(error.what()).find(GetParam().words), std::string::npos) << error.what();
  }
}

constexpr BadModel kRefusals[] = {
    {"bad_call", ErrorCode::semantic_error, "call: call with 2 inputs and 1 outputs of function One"},
    {"bad_cycle", ErrorCode::semantic_error, "in a cycle: one, three, two"},
    {"bad_expansion", ErrorCode::limit_exceeded, "max_nodes 1000000"},
    {"bad_external_absolute", ErrorCode::permission_denied, "w: external data \"/weights.bin\""},
    {"bad_external_climbs", ErrorCode::permission_denied, "w: external data \"../secret.bin\""},
    {"bad_external_length", ErrorCode::semantic_error, "needs 8 bytes, its external data has length 12"},
    {"bad_external_missing", ErrorCode::not_found, "nowhere.bin"},
    {"bad_external_number", ErrorCode::semantic_error, "offset \"-8\""},
    {"bad_external_offset", ErrorCode::semantic_error, "at offset 18446744073709551615 of weights.bin, which has 72"},
    {"bad_float6", ErrorCode::unsupported, "w: element type float6e2m3"},
    {"bad_huge", ErrorCode::out_of_range, "w: a tensor of more than 2^58 elements cannot exist"},
    {"bad_list_length", ErrorCode::semantic_error, "f32[2] needs 2 numbers, its data has 3"},
    {"bad_map_key", ErrorCode::unsupported, "x: maps from i32"},
    {"bad_negative_dim", ErrorCode::out_of_range, "axis 0 has -2"},
    {"bad_newer_ir", ErrorCode::version_too_new, "IR version 999, the newest known is 14"},
    {"bad_newer_opset", ErrorCode::version_too_new, "opset 9999 of ai.onnx, the newest known is "},
    {"bad_no_opset", ErrorCode::semantic_error, "which opset of ai.onnx"},
    {"bad_no_type", ErrorCode::semantic_error, "x: has no type"},
    {"bad_output", ErrorCode::semantic_error, "nothing makes value y"},
    {"bad_output_dtype", ErrorCode::type_mismatch, "y: output is stated as i64[N,2]"},
    {"bad_overwrites_input", ErrorCode::semantic_error, "r: value x is made twice"},
    {"bad_rank", ErrorCode::unsupported, "more than 8 dimensions"},
    {"bad_raw_length", ErrorCode::semantic_error, "w: f32[3,4] needs 48 bytes, its raw data has 8"},
    {"bad_recursion", ErrorCode::semantic_error, "calls itself: Ping -> Pong -> Ping"},
    {"bad_reference", ErrorCode::semantic_error, "leaky: attribute alpha refers to a function's"},
    {"bad_sequence", ErrorCode::type_mismatch, "y: Relu does not take seq(f32[N]) as input 0"},
    {"bad_sequence_depth", ErrorCode::limit_exceeded, "x: has a type of more than 8 types inside each other"},
    {"bad_sequence_of_nothing", ErrorCode::semantic_error, "x: has no type"},
    {"bad_sequence_output", ErrorCode::type_mismatch, "y: output is stated as seq(f32[1])"},
    {"bad_shape", ErrorCode::out_of_range, "w: a tensor of more than 2^58 elements"},
    {"bad_sparse_huge", ErrorCode::limit_exceeded, "sparse [1048576,1048576]"},
    {"bad_sparse_index", ErrorCode::out_of_range, "sparse index 2 is outside [2,3]"},
    {"bad_string", ErrorCode::semantic_error, "names: string[2] has 1 strings"},
    {"bad_string_bytes", ErrorCode::syntax_error, "names:byte 31: field 6 is not UTF-8"},
    {"bad_twice", ErrorCode::semantic_error, "n: value y is made twice, first by node r"},
    {"bad_twice_weight", ErrorCode::semantic_error, "w: value w is made twice"},
    {"bad_two_values", ErrorCode::semantic_error, "k: Constant has two values"},
    {"bad_undefined", ErrorCode::semantic_error, "add: nothing makes value ghost"},
    {"bad_unknown", ErrorCode::unsupported,
     "2 operators are not known: Wobble (first, second); org.strange.Frob (third)"},
};

INSTANTIATE_TEST_SUITE_P(Cases, OnnxRefusal, ::testing::ValuesIn(kRefusals),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Onnx, HasARefusalForEachBadCase) {
  for (const auto& entry : fs::directory_iterator(kCases)) {
    const std::string name = entry.path().stem().string();
    if (!name.starts_with("bad_")) continue;
    EXPECT_TRUE(std::ranges::any_of(kRefusals, [&](const BadModel& row) { return row.name == name; })) << name;
  }
}

TEST(Onnx, SequencesAndOptionalsAreTypesAroundATensor) {
  const Graph graph = import_case("ok_sequences");
  EXPECT_EQ(graph.value(graph.inputs()[1]).type.text(), "optional(seq(f32[*]))");
  EXPECT_EQ(graph.value(graph.outputs()[0]).type.text(), "seq(f32[*])");
  EXPECT_EQ(graph.value(graph.outputs()[1]).type.text(), "optional(seq(f32[*]))");
}

TEST(Onnx, StringsAreWhatNodesOfTheirOwnGive) {
  const Graph graph = import_case("ok_strings");
  ASSERT_GE(graph.nodes().size(), 3U);
  EXPECT_EQ(graph.node(0).op, "skerry.Strings");
  EXPECT_EQ(std::get<std::vector<std::string>>(*graph.node(0).find("texts")), (Names{"a", "\xc3\xa9"}));
  EXPECT_EQ(graph.node(0).integers("shape"), std::vector<std::int64_t>{2});
  EXPECT_EQ(graph.value(graph.outputs()[0]).type.text(), "string[?]");
}

TEST(Onnx, RespectsItsLimits) {
  EXPECT_THROW(import_case("ok_function", {.max_nodes = 3}), Error);
  EXPECT_THROW(import_case("ok_loop", {.max_nesting = 1}), Error);
  EXPECT_THROW(import_case("ok_function", {.max_nesting = 1}), Error);
  EXPECT_THROW(import_case("ok_tensors", {.max_name_bytes = 8}), Error);
  EXPECT_THROW(import_case("ok_external", {.max_file_bytes = 10}), Error);
}

/// Whatever the bytes are: a graph or a typed error, no third way.
bool imports(std::span<const std::byte> bytes) {
  try {
    import_graph({.bytes = bytes, .name = "mutant", .folder = kCases, .owner = {}}, {.max_nodes = 1000});
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(Onnx, SurvivesACutAtEveryByte) {
  for (const auto& entry : fs::directory_iterator(kCases)) {
    if (!entry.path().filename().string().starts_with("ok_")) continue;
    const Source whole = source_of(entry.path());
    for (std::size_t size = 0; size < whole.bytes.size(); ++size) {
      // A copy of its own, so that reading past the end is seen by the sanitizer.
      const std::vector<std::byte> cut(whole.bytes.begin(), whole.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      imports(cut);
    }
    EXPECT_TRUE(imports(whole.bytes)) << entry.path();
  }
}

TEST(Onnx, SurvivesFlippedBytes) {
  std::mt19937 random(20);
  for (const auto& entry : fs::directory_iterator(kCases)) {
    if (!entry.path().filename().string().starts_with("ok_")) continue;
    const Source whole = source_of(entry.path());
    for (int trial = 0; trial < 500; ++trial) {
      std::vector<std::byte> mutant(whole.bytes.begin(), whole.bytes.end());
      for (int flips = 1 + trial % 4; flips > 0; --flips)
        mutant[random() % mutant.size()] = static_cast<std::byte>(random());
      imports(mutant);
    }
  }
}

TEST(Onnx, RefusesAFileFullOfEmptyNodes) {
  std::vector<std::byte> graph;
  for (int i = 0; i < 2000; ++i) graph.insert(graph.end(), {std::byte{0x0a}, std::byte{0}});
  std::vector<std::byte> model{std::byte{0x08}, std::byte{8}, std::byte{0x3a}, std::byte{0xa0}, std::byte{0x1f}};
  model.insert(model.end(), graph.begin(), graph.end());
  try {
    import_graph({.bytes = model, .name = "m", .folder = {}, .owner = {}}, {.max_nodes = 1000});
    FAIL() << "imported";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit_exceeded) << error.what();
  }
}

}  // namespace
}  // namespace skerry::frontend
