#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>
#include <string>

#include "base/threads.hpp"
#include "base/thrown_by.hpp"
#include "ir/text/text.hpp"
#include "ir/verify.hpp"
#include "ops/nn/op_record.hpp"
#include "ops/testing/evaluate_tensors.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

const GraphPass& quantized_sums_pass() {
  return **std::ranges::find(graph_passes(), "fuse_quantized_sums", &GraphPass::name);
}

// A block of a residual network, by hand: %sum is between the two.
std::string block(const std::string& nodes, const std::string& outputs = "%sum") {
  return "graph @block (%x: u8[1,1,2,1], %r: u8[1,1,2,1]) -> (" + outputs + ") {\n" + R"(  %xs = constant f32[] <0.5>;
  %xz = constant u8[] <7>;
  %w = constant i8[1,1,1,1] <3>;
  %ws = constant f32[] <0.25>;
  %wz = constant i8[] <0>;
  %ys = constant f32[] <0.75>;
  %yz = constant u8[] <9>;
  %rs = constant f32[] <0.375>;
  %rz = constant u8[] <11>;
  %ss = constant f32[] <0.875>;
  %sz = constant u8[] <13>;
  %none = constant u8[] <0>;
)" + nodes +
         "}\n";
}
const std::string kConv =
    "  %c: u8[1,1,2,1] = QLinearConv(%x, %xs, %xz, %w, %ws, %wz, %ys, %yz) {channels_last = 1} @conv;\n";

std::string nodes_after(const std::string& before) {
  const Graph after = quantized_sums_pass().run(ir::parse_graph(before));
  ir::verify(after);
  const std::string text = ir::print(after);
  const std::size_t last = text.rfind("constant");
  return text.substr(text.find('\n', last) + 1);
}

TEST(FuseQuantizedSums, PutsTheSumBehindTheConvolutionOnEitherSide) {
  EXPECT_EQ(
      nodes_after(block(
          kConv + "  %sum: u8[1,1,2,1] = com.microsoft.QLinearAdd(%c, %ys, %yz, %r, %rs, %rz, %ss, %sz) @add;\n")),
      "  %sum: u8[1,1,2,1] = QLinearConv(%x, %xs, %xz, %w, %ws, %wz, %ys, %yz, _, %r, %rs, %rz, %ss, %sz) "
      "{channels_last = 1} @conv;\n}\n");
  EXPECT_EQ(
      nodes_after(block(
          kConv + "  %sum: u8[1,1,2,1] = com.microsoft.QLinearAdd(%r, %rs, %rz, %c, %ys, %yz, %ss, %sz) @add;\n")),
      "  %sum: u8[1,1,2,1] = QLinearConv(%x, %xs, %xz, %w, %ws, %wz, %ys, %yz, _, %r, %rs, %rz, %ss, %sz) "
      "{channels_last = 1, residual_left = 1} @conv;\n}\n");
}

TEST(FuseQuantizedSums, LeavesWhatIsReadTwiceBroadcastsOrIsTakenAtAnotherScale) {
  const auto kept = [](const std::string& text) {
    return nodes_after(text).find("com.microsoft.QLinearAdd") != std::string::npos;
  };
  const std::string add = "  %sum: u8[1,1,2,1] = com.microsoft.QLinearAdd(%c, %ys, %yz, %r, %rs, %rz, %ss, %sz);\n";
  EXPECT_FALSE(kept(block(kConv + add)));
  EXPECT_TRUE(kept(block(kConv + add, "%sum, %c")));
  EXPECT_TRUE(
      kept(block(kConv + "  %sum: u8[1,1,2,1] = com.microsoft.QLinearAdd(%c, %rs, %yz, %r, %rs, %rz, %ss, %sz);\n")));
  EXPECT_TRUE(
      kept(block(kConv + "  %sum: u8[1,1,2,1] = com.microsoft.QLinearAdd(%c, %ys, %rz, %r, %rs, %rz, %ss, %sz);\n")));
  EXPECT_TRUE(
      kept(block(kConv + "  %sum: u8[1,1,2,1] = com.microsoft.QLinearAdd(%c, %ys, %yz, %rz, %rs, %rz, %ss, %sz);\n")));
  EXPECT_TRUE(
      kept(block(kConv + "  %sum: u8[1,1,2,1] = com.microsoft.QLinearAdd(%c, %ys, %yz, %c, %ys, %yz, %ss, %sz);\n")));
  std::string computed = kConv;
  computed.replace(computed.find("%ys, %yz"), 8, "%ys, %z");
  EXPECT_TRUE(kept(block("  %z: u8[] = Identity(%yz);\n" + computed +
                         "  %sum: u8[1,1,2,1] = com.microsoft.QLinearAdd(%c, %ys, %none, %r, %rs, %rz, %ss, %sz);\n")));
  std::string planes = kConv;
  planes.replace(planes.find(" {channels_last = 1}"), 20, "");
  EXPECT_TRUE(kept(block(planes + add)));
}

TEST(FuseQuantizedSums, AResidualThatNoKernelAddsIsRefused) {
  const auto refusal = [](const std::string& attributes, const std::string& residual) {
    Graph graph = ir::parse_graph(block("  %sum: u8[1,1,2,1] = QLinearConv(%x, %xs, %xz, %w, %ws, %wz, %ys, %yz, _, " +
                                        residual + ", %rs, %rz, %ss, %sz) {" + attributes + "} @conv;\n"));
    return base::thrown_by([&] { ops::infer_types(graph); });
  };
  const Error planes = refusal("channels_last = 0", "%r");
  EXPECT_EQ(planes.code(), ErrorCode::type_mismatch);
  EXPECT_NE(std::string(planes.what()).find("channels last"), std::string::npos) << planes.what();
  EXPECT_EQ(planes.where(), "conv");
  EXPECT_NE(std::string(refusal("channels_last = 1", "%rz").what()).find("the residual is u8[]"), std::string::npos);
  EXPECT_NE(std::string(refusal("channels_last = 1", "%wz").what()).find("the residual is i8[]"), std::string::npos);
}

// Blocks of a residual network in integers with channels first: convolutions of all kinds, sums on either side, a sum
// of two convolutions, one that is read again.
Graph residual_network(std::mt19937& random, bool is_signed, std::int64_t outputs, std::int64_t side, bool shared) {
  Graph graph;
  const DType dtype = is_signed ? DType::i8 : DType::u8;
  int made = 0;
  const auto name = [&](const char* what) { return what + std::to_string(made++); };
  const auto scale = [&](float value) {
    return graph.add_constant(name("scale"), Tensor::from<float>(std::span(&value, 1), Shape{}));
  };
  const auto zero = [&](int value) {
    Tensor tensor(dtype, Shape{});
    *tensor.mutable_view().data() = static_cast<std::byte>(value);
    return graph.add_constant(name("zero"), std::move(tensor));
  };
  const auto bytes = [&](DType of, const Shape& shape) {
    Tensor tensor(of, shape);
    const MutableTensorView view = tensor.mutable_view();
    std::generate_n(view.data(), view.bytes(), [&] { return static_cast<std::byte>(random()); });
    return tensor;
  };
  struct Level {
    ValueId q, scale, zero;
  };
  const auto draw = [&](float least) { return std::uniform_real_distribution<float>(least, 3 * least)(random); };
  const auto zero_point = [&] { return static_cast<int>(random() % 200) - (is_signed ? 100 : 0); };
  const auto conv = [&](const Level& x, std::int64_t channels, std::int64_t extent, std::int64_t stride) {
    const Level y{kNoValue, scale(draw(0.02F) * static_cast<float>(channels * extent)), zero(zero_point())};
    const ValueId w = graph.add_constant(name("w"), bytes(DType::i8, {outputs, channels, extent, extent}));
    Tensor none(DType::i8, Shape{});
    const ValueId q = graph.add(
        "QLinearConv",
        {x.q, x.scale, x.zero, w, scale(0.01F), graph.add_constant(name("wz"), std::move(none)), y.scale, y.zero},
        name("conv"));
    Node& node = graph.edit_node(graph.value(q).producer);
    node.set("strides", std::vector<std::int64_t>{stride, stride});
    node.set("pads", std::vector<std::int64_t>(4, extent / 2));
    return Level{q, y.scale, y.zero};
  };
  const auto add = [&](const Level& a, const Level& b) {
    const Level y{kNoValue, scale(draw(0.1F)), zero(zero_point())};
    const ValueId q = graph.add("com.microsoft.QLinearAdd",
                                {a.q, a.scale, a.zero, b.q, b.scale, b.zero, y.scale, y.zero}, name("sum"));
    return Level{q, y.scale, y.zero};
  };
  const Level x{graph.add_input("x", {dtype, std::vector<Dim>{2, 3, side, side + 2}}), scale(0.04F),
                zero(zero_point())};
  const Level stem = conv(x, 3, 3, 1);
  const Level one = add(conv(conv(stem, outputs, 3, 1), outputs, 1, 1), stem);
  const Level two = add(one, conv(one, outputs, 3, 1));
  const Level inner = conv(two, outputs, 1, 2);
  const Level down = add(conv(inner, outputs, 1, 1), conv(two, outputs, 3, 2));
  const Level last = conv(down, outputs, 1, 1);
  graph.mark_output(add(last, down).q);
  if (shared) graph.mark_output(last.q);
  ops::infer_types(graph);
  return graph;
}

std::vector<std::byte> bytes_of(const Tensor& tensor) {
  const TensorView view = tensor.view();
  return {view.data(), view.data() + view.bytes()};
}

TEST(FuseQuantizedSums, GivesTheSameBitsAsTheStepsOneByOneWhateverTheThreads) {
  std::mt19937 random(35);
  for (int trial = 0; trial < 24; ++trial) {
    const bool shared = trial % 3 == 0;
    const Graph given = residual_network(random, trial % 2 == 0, 1 + trial * 5 % 67, 3 + trial % 13, shared);
    CompileOptions options{.level = Level::high};
    const Graph after = std::get<Graph>(compile(given, options).program);
    options.disabled_passes = {"fuse_quantized_sums"};
    const Graph before = std::get<Graph>(compile(given, options).program);
    EXPECT_EQ(std::ranges::count(before.nodes(), "com.microsoft.QLinearAdd", &Node::op), 4);
    EXPECT_EQ(std::ranges::count(after.nodes(), "com.microsoft.QLinearAdd", &Node::op), shared ? 1 : 0);
    const TensorType type = given.value(given.inputs()[0]).type;
    Tensor x(type.dtype, *type.static_shape());
    std::generate_n(x.mutable_view().data(), x.view().bytes(), [&] { return static_cast<std::byte>(random()); });
    const auto expected = ops::testing::evaluate_tensors(before, std::span(&x, 1));
    for (const int threads : {1, 2, 3}) {
      const base::ThreadLimit limit(threads);
      const auto found = ops::testing::evaluate_tensors(after, std::span(&x, 1));
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_EQ(bytes_of(found[i]), bytes_of(expected[i])) << "trial " << trial << ", output " << i;
    }
  }
}

}  // namespace
}  // namespace skerry::passes
