#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>

#include "ir/verify.hpp"
#include "kernels/tensor/gemm.hpp"
#include "ops/nn/op_record.hpp"
#include "ops/testing/evaluate_tensors.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

constexpr std::int64_t kWidth = 12, kHeads = 3;

// A layer of a transformer as exporters write it, x f32[N,S,12] and mask f32[N,1,1,S].
class Spelled {
 public:
  explicit Spelled(unsigned seed) : random_(seed) {
    x = graph.add_input("x", {DType::f32, std::vector<Dim>{std::string("N"), std::string("S"), kWidth}});
    mask = graph.add_input("mask", {DType::f32, std::vector<Dim>{std::string("N"), 1, 1, std::string("S")}});
  }

  ValueId number(float value) { return graph.add_constant("c", Tensor::from<float>(std::span(&value, 1), Shape{})); }
  ValueId integers(std::vector<std::int64_t> values) {
    const auto extent = static_cast<std::int64_t>(values.size());
    return graph.add_constant("i", Tensor::from<std::int64_t>(values, Shape{extent}));
  }
  ValueId weights(const Shape& shape) {
    std::normal_distribution<float> normal(0.0F, 0.5F);
    Tensor out(DType::f32, shape);
    for (float& value : out.mutable_view().as<float>()) value = normal(random_);
    return graph.add_constant("w", out);
  }
  ValueId node(std::string op, std::vector<ValueId> inputs, std::vector<std::pair<std::string, Attribute>> set = {}) {
    Node made{.op = std::move(op), .inputs = std::move(inputs), .attributes = std::move(set)};
    const std::string output = "v" + std::to_string(graph.values().size());
    return graph.node(graph.add_node(std::move(made), std::span(&output, 1))).outputs[0];
  }

  ValueId linear(ValueId of, std::int64_t columns) {
    return node("Add", {node("MatMul", {of, weights({kWidth, columns})}), weights({columns})});
  }
  ValueId turned(ValueId of, std::vector<std::int64_t> order) {
    const ValueId split = node("Reshape", {of, integers({0, 0, kHeads, kWidth / kHeads})});
    return node("Transpose", {split}, {{"perm", std::move(order)}});
  }
  ValueId attention(ValueId of) {
    return attention(of, [this](ValueId scores) { return node("Add", {scores, mask}); });
  }
  // masked(scores) -> what softmax is taken of.
  template <class Masked>
  ValueId attention(ValueId of, Masked masked) {
    const ValueId q = turned(linear(of, kWidth), {0, 2, 1, 3}), k = turned(linear(of, kWidth), {0, 2, 3, 1});
    const ValueId scores = masked(node("Div", {node("MatMul", {q, k}), number(2.0F)}));
    const ValueId shares = node("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
    const ValueId mixed = node("MatMul", {shares, turned(linear(of, kWidth), {0, 2, 1, 3})});
    const ValueId back = node("Transpose", {mixed}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
    return node("Reshape", {back, integers({0, 0, kWidth})});
  }
  ValueId mean(ValueId of) { return node("ReduceMean", {of, integers({-1})}, {{"keepdims", std::int64_t{1}}}); }
  ValueId layer_norm(ValueId of) {
    const ValueId centred = node("Sub", {of, mean(of)});
    const ValueId variance = mean(node("Pow", {centred, number(2.0F)}));
    const ValueId ratio = node("Div", {centred, node("Sqrt", {node("Add", {variance, number(1e-5F)})})});
    return node("Add", {node("Mul", {ratio, weights({kWidth})}), weights({kWidth})});
  }
  ValueId gelu_erf(ValueId of) {
    const ValueId bell = node("Add", {node("Erf", {node("Div", {of, number(1.41421356F)})}), number(1.0F)});
    return node("Mul", {node("Mul", {of, bell}), number(0.5F)});
  }
  ValueId gelu_tanh(ValueId of) {
    const ValueId cubic = node("Mul", {number(0.044715F), node("Pow", {of, number(3.0F)})});
    const ValueId inner = node("Mul", {node("Add", {of, cubic}), number(0.79788456F)});
    const ValueId bell = node("Add", {number(1.0F), node("Tanh", {inner})});
    return node("Mul", {node("Mul", {number(0.5F), of}), bell});
  }
  Graph ending_with(ValueId y) {
    graph.mark_output(y);
    ops::infer_types(graph);
    return graph;
  }

  Graph graph;
  ValueId x, mask;

 private:
  std::mt19937 random_;
};

std::vector<std::string> operators(const Graph& graph) {
  std::vector<std::string> out;
  for (const Node& node : graph.nodes()) out.push_back(node.op);
  return out;
}

// Without chains: what is not recognised stays readable.
Graph compiled(const Graph& graph) {
  return std::get<Graph>(compile(graph, {.level = Level::high, .disabled_passes = {"fuse_elementwise"}}).program);
}

// Outputs for random inputs are those of the graph before, to rounding.
void expect_same(const Graph& before, const Graph& after) {
  ir::verify(after);
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (const auto& [batch, length] : {std::pair<std::int64_t, std::int64_t>{1, 5}, {2, 1}, {3, 17}}) {
    Tensor x(DType::f32, {batch, length, kWidth}), mask(DType::f32, {batch, 1, 1, length});
    for (float& value : x.mutable_view().as<float>()) value = normal(random);
    for (float& value : mask.mutable_view().as<float>()) value = normal(random) > 0.5F ? -10000.0F : 0.0F;
    const std::vector<Tensor> inputs = {x, mask};
    std::vector<TensorType> types;
    for (const Tensor& input : inputs) types.push_back(TensorType::of(input.dtype(), input.shape()));
    const auto wanted = ops::testing::evaluate_tensors(ops::specialize(before, types), inputs);
    const auto found = ops::testing::evaluate_tensors(ops::specialize(after, types), inputs);
    ASSERT_EQ(found[0].shape(), wanted[0].shape());
    for (std::size_t i = 0; i < wanted[0].as<float>().size(); ++i)
      ASSERT_NEAR(found[0].as<float>()[i], wanted[0].as<float>()[i], 2e-5F) << i;
  }
}

TEST(FuseTransformer, MakesOneOperatorOfAttentionAndPutsTheResidualBehindTheProduct) {
  Spelled model(1);
  const Graph before =
      model.ending_with(model.layer_norm(model.node("Add", {model.x, model.linear(model.attention(model.x), kWidth)})));
  const Graph after = compiled(before);
  EXPECT_EQ(operators(after),
            (std::vector<std::string>{"MatMul", "MatMul", "MatMul", "Attention", "MatMul", "LayerNormalization"}));
  const Node& out = after.node(4);
  EXPECT_EQ(out.inputs[3], after.inputs()[0]);
  expect_same(before, after);
}

// A truth value for every extent that the scores [N, heads, S, S] may be spread from.
struct Truth {
  std::vector<Dim> dims;
  Shape of(std::int64_t batch, std::int64_t length) const {
    std::vector<std::int64_t> out;
    for (const Dim& dim : dims) out.push_back(dim.is_known() ? dim.value : dim.symbol == "N" ? batch : length);
    return Shape(out);
  }
};
const Dim kBatch("N"), kLength("S");
const Truth kTruths[] = {{{kBatch, 1, 1, kLength}}, {{kBatch, 1, kLength, kLength}}, {{1, kHeads, kLength, kLength}},
                         {{kLength, kLength}},      {{kBatch, 1, kLength, 1}},       {{kLength}}};

// Outputs are those of the graph before, bit patterns that are no numbers included, for masks some of whose rows hide
// everything.
void expect_same_masked(const Graph& before, const Graph& after, const Truth& truth, bool hides) {
  ir::verify(after);
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  for (const auto& [batch, length] : {std::pair<std::int64_t, std::int64_t>{1, 5}, {2, 1}, {3, 17}, {2, 130}}) {
    Tensor x(DType::f32, {batch, length, kWidth}), mask(DType::f32, {batch, 1, 1, length});
    Tensor shown(DType::boolean, truth.of(batch, length));
    for (float& value : x.mutable_view().as<float>()) value = normal(random);
    const auto bits = shown.mutable_view().as<bool>();
    for (bool& bit : bits) bit = (normal(random) > 0.3F) != hides;
    // The first row, or all rows of the first sample, see nothing.
    std::fill_n(bits.begin(), std::min<std::size_t>(bits.size(), static_cast<std::size_t>(length)), hides);
    const std::vector<Tensor> inputs = {x, mask, shown};
    std::vector<TensorType> types;
    for (const Tensor& input : inputs) types.push_back(TensorType::of(input.dtype(), input.shape()));
    const auto wanted = ops::testing::evaluate_tensors(ops::specialize(before, types), inputs)[0];
    const auto found = ops::testing::evaluate_tensors(ops::specialize(after, types), inputs)[0];
    ASSERT_EQ(found.shape(), wanted.shape());
    for (std::size_t i = 0; i < wanted.as<float>().size(); ++i) {
      ASSERT_EQ(std::isnan(found.as<float>()[i]), std::isnan(wanted.as<float>()[i])) << i;
      if (std::isnan(wanted.as<float>()[i])) continue;
      ASSERT_NEAR(found.as<float>()[i], wanted.as<float>()[i], 2e-5F) << i;
    }
  }
}

Graph with_where(Spelled& model, const Truth& truth, bool hides, const Tensor& fill) {
  const ValueId shown = model.graph.add_input("shown", {DType::boolean, truth.dims});
  const ValueId other = model.graph.add_constant("fill", fill);
  return model.ending_with(model.attention(model.x, [&](ValueId scores) {
    return hides ? model.node("Where", {shown, other, scores}) : model.node("Where", {shown, scores, other});
  }));
}

Tensor number_of(float value, const Shape& shape = {}) {
  return Tensor::from<float>(std::vector<float>(static_cast<std::size_t>(shape.elements()), value), shape);
}

constexpr float kNothing = -std::numeric_limits<float>::infinity();

TEST(FuseTransformer, PutsANumberInThePlaceOfHiddenScoresExactlyAsWhereDoes) {
  unsigned seed = 20;
  for (const float fill : {kNothing, std::numeric_limits<float>::lowest(), -1e9F, -1e4F, -2.5F, 1.5F}) {
    for (const Truth& truth : kTruths) {
      for (const bool hides : {false, true}) {
        SCOPED_TRACE(std::to_string(fill) + " of " + std::to_string(truth.dims.size()) + " axes");
        Spelled model(++seed);
        const Graph before = with_where(model, truth, hides, number_of(fill, {1, 1}));
        const Graph after = compiled(before);
        ASSERT_EQ(operators(after), (std::vector<std::string>{"MatMul", "MatMul", "MatMul", "Attention"}));
        EXPECT_EQ(after.node(3).real("masked_score", 0.0), static_cast<double>(fill));
        EXPECT_EQ(after.node(3).integer("mask_hides", -1), hides ? 1 : 0);
        expect_same_masked(before, after, truth, hides);
      }
    }
  }
}

TEST(FuseTransformer, TakesAMaskAsItWasBeforeItWasExpanded) {
  Spelled model(4);
  const ValueId shown = model.graph.add_input("shown", {DType::boolean, kTruths[0].dims});
  const ValueId fill = model.number(-1e9F);
  const Graph before = model.ending_with(model.attention(model.x, [&](ValueId scores) {
    const ValueId all = model.node("Expand", {shown, model.node("Shape", {scores})});
    return model.node("Where", {all, scores, fill});
  }));
  const Graph after = compiled(before);
  ASSERT_EQ(operators(after), (std::vector<std::string>{"MatMul", "MatMul", "MatMul", "Attention"}));
  EXPECT_EQ(after.node(3).inputs[3], after.inputs()[2]);
  expect_same_masked(before, after, kTruths[0], false);
}

TEST(FuseTransformer, LeavesAWhereThatIsNoMask) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::size_t asked = 0;
  for (const Tensor& fill : {number_of(nan), number_of(-kNothing), number_of(-1.0F, {kHeads, 1, 1})}) {
    Spelled model(static_cast<unsigned>(++asked));
    const Graph before = with_where(model, kTruths[0], false, fill);
    const Graph after = compiled(before);
    const auto found = operators(after);
    EXPECT_EQ(std::ranges::count(found, "Softmax"), 1);
    EXPECT_EQ(std::ranges::count(found, "Attention"), 0);
    expect_same_masked(before, after, kTruths[0], false);
  }
}

TEST(FuseTransformer, TheReferenceFillsHiddenScoresAsTheKernelDoes) {
  for (const float fill : {kNothing, -1e4F}) {
    for (const bool hides : {false, true}) {
      std::mt19937 random(5);
      std::normal_distribution<float> normal;
      std::array<Tensor, 2> found;
      std::vector<float> values(std::size_t{3} * 2 * 7 * kWidth);
      for (float& value : values) value = normal(random);
      for (const DType dtype : {DType::f32, DType::f64}) {
        Graph graph;
        std::vector<Tensor> inputs;
        for (std::size_t i = 0; i < 3; ++i) {
          const Shape shape{2, 7, kWidth};
          const std::span<const float> of(values.data() + i * 14 * kWidth, std::size_t{14} * kWidth);
          inputs.push_back(dtype == DType::f32
                               ? Tensor::from<float>(of, shape)
                               : Tensor::from<double>(std::vector<double>(of.begin(), of.end()), shape));
        }
        std::array<bool, 14> shown{};
        for (std::size_t i = 0; i < shown.size(); ++i) shown[i] = (i >= 7 && i % 3 != 0) != hides;
        inputs.push_back(Tensor::from<bool>(shown, {2, 1, 1, 7}));
        Node node{.op = "Attention"};
        for (const Tensor& input : inputs)
          node.inputs.push_back(graph.add_input("i", TensorType::of(input.dtype(), input.shape())));
        node.set("q_num_heads", kHeads);
        node.set("kv_num_heads", kHeads);
        node.set("masked_score", static_cast<double>(fill));
        node.set("mask_hides", std::int64_t{hides});
        const std::string name = "y";
        graph.mark_output(graph.node(graph.add_node(std::move(node), std::span(&name, 1))).outputs[0]);
        ops::infer_types(graph);
        found[dtype == DType::f32 ? 0 : 1] = ops::testing::evaluate_tensors(graph, inputs)[0];
      }
      for (std::size_t i = 0; i < found[0].as<float>().size(); ++i) {
        const auto wanted = static_cast<float>(found[1].as<double>()[i]);
        EXPECT_EQ(std::isnan(wanted), fill == kNothing && i < std::size_t{7} * kWidth);
        ASSERT_EQ(std::isnan(found[0].as<float>()[i]), std::isnan(wanted)) << i;
        if (std::isnan(wanted)) continue;
        ASSERT_NEAR(found[0].as<float>()[i], wanted, 1e-5F) << i;
      }
    }
  }
}

TEST(FuseTransformer, PutsGeluBehindTheProductInBothItsForms) {
  for (const bool exact : {true, false}) {
    Spelled model(2);
    const ValueId wide = model.linear(model.x, 32);
    const Graph before = model.ending_with(exact ? model.gelu_erf(wide) : model.gelu_tanh(wide));
    const Graph after = compiled(before);
    ASSERT_EQ(operators(after), std::vector<std::string>{"MatMul"});
    EXPECT_EQ(after.node(0).text("activation", ""), exact ? "gelu" : "gelu_tanh");
    expect_same(before, after);
  }
}

TEST(FuseTransformer, ScalesADynamicallyQuantisedProductWhereItIsMade) {
  Spelled model(5);
  Node quantize{.op = "DynamicQuantizeLinear", .inputs = {model.x}};
  const std::array<std::string, 3> names = {"q", "scale", "zero"};
  const auto parts = model.graph.node(model.graph.add_node(std::move(quantize), names)).outputs;
  Tensor weights(DType::i8, {kWidth, 8});
  for (std::size_t i = 0; i < 96; ++i) weights.mutable_view().as<std::int8_t>()[i] = static_cast<std::int8_t>(37 * i);
  const ValueId w = model.graph.add_constant("w", weights);
  const ValueId sums = model.node("MatMulInteger", {parts[0], w, parts[2]});
  const ValueId real = model.node("Cast", {sums}, {{"to", std::int64_t{1}}});
  const ValueId scaled = model.node("Mul", {real, model.node("Mul", {parts[1], model.number(0.02F)})});
  const Graph before = model.ending_with(model.node("Tanh", {model.node("Add", {scaled, model.weights({8})})}));
  const Graph after = compiled(before);
  ASSERT_EQ(operators(after),
            (std::vector<std::string>{"DynamicQuantizeLinear", "com.microsoft.MatMulIntegerToFloat"}));
  EXPECT_EQ(after.node(1).text("activation", ""), "tanh");
  expect_same(before, after);
}

TEST(FuseTransformer, LeavesWhatOnlyLooksLikeIt) {
  Spelled model(3);
  // Another divisor, another exponent, and a normalisation whose parts are wanted elsewhere.
  const ValueId bell =
      model.node("Add", {model.node("Erf", {model.node("Div", {model.x, model.number(1.5F)})}), model.number(1.0F)});
  const ValueId near_gelu = model.node("Mul", {model.node("Mul", {model.x, bell}), model.number(0.5F)});
  const Graph before = model.ending_with(near_gelu);
  const Graph after = compiled(before);
  const auto found = operators(after);
  EXPECT_EQ(std::count(found.begin(), found.end(), "Erf"), 1);
  expect_same(before, after);
}

// The right side as another machine, of narrower vectors, would have packed it.
Graph packed_elsewhere(const Graph& graph, NodeId id) {
  Graph out = graph;
  const auto extents = graph.node(id).integers("packed");
  const auto depth = static_cast<std::size_t>(extents[0]), columns = static_cast<std::size_t>(extents[1]);
  constexpr std::size_t kNarrow = 6;  // of vectors of two
  std::vector<float> dense(depth * columns);
  const auto from = graph.value(graph.node(id).inputs[1]).constant->as<float>();
  kernels::unpack_right(from.data(), depth, columns, static_cast<std::size_t>(extents[2]), dense.data());
  const auto floats = kernels::packed_right_floats(depth, columns, kNarrow);
  Tensor packed(DType::f32, {static_cast<std::int64_t>(floats)});
  const auto to = packed.mutable_view().as<float>();
  for (std::size_t k = 0; k < depth; ++k) {  // one piece: the depth is below kGemmDepth
    for (std::size_t j = 0; j < columns; ++j) {
      const std::size_t first = j / kNarrow * kNarrow, width = std::min(kNarrow, (columns + 1) / 2 * 2 - first);
      to[first * depth + k * width + j % kNarrow] = dense[k * columns + j];
    }
  }
  const ValueId value = out.add_constant("packed", packed);
  Node& node = out.edit_node(id);
  node.inputs[1] = value;
  node.set("packed", std::vector<std::int64_t>{extents[0], extents[1], static_cast<std::int64_t>(kNarrow)});
  return out;
}

TEST(PackWeights, KeepsTheProductOnThisMachineAndOnOneOfOtherVectors) {
  Spelled model(6);
  const Graph before = model.ending_with(model.linear(model.x, 50));
  const Graph after = compiled(before);
  ASSERT_EQ(operators(after), std::vector<std::string>{"MatMul"});
  ASSERT_NE(after.node(0).find("packed"), nullptr);
  EXPECT_EQ(after.value(after.node(0).inputs[1]).constant->shape().rank(), 1);
  expect_same(before, after);
  expect_same(before, packed_elsewhere(after, 0));
}

TEST(PackWeights, ASideOfAnotherSizeThanItSaysIsRefused) {
  Spelled model(7);
  Graph graph = compiled(model.ending_with(model.linear(model.x, 50)));
  for (const auto& extents :
       {std::vector<std::int64_t>{kWidth + 1, 50, 48}, {kWidth, 50, 0}, {kWidth, -1, 48}, {kWidth}}) {
    graph.edit_node(0).set("packed", extents);
    EXPECT_THROW(ops::infer_types(graph), Error);
  }
}

TEST(FuseTransformer, LeavesAProductThatIsReadTwice) {
  Spelled model(4);
  const ValueId product = model.linear(model.x, kWidth);
  const Graph before =
      model.ending_with(model.node("Add", {model.node("Tanh", {product}), model.node("Sigmoid", {product})}));
  const Graph after = compiled(before);
  EXPECT_EQ(operators(after), (std::vector<std::string>{"MatMul", "Tanh", "Sigmoid", "Add"}));
  expect_same(before, after);
}

}  // namespace
}  // namespace skerry::passes
