// Type rules on symbolic shapes, shapes that flow as data, refusals, and what specialize() makes of them. Values are
// the business of tests/conformance/ops_test.cpp.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/thrown_by.hpp"
#include "ir/text/text.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {
namespace {

// The type of the output of a graph in text form; outputs there are of any shape, for the rules to fill in.
std::string type_in(const std::string& inputs, const std::string& body) {
  Graph graph = ir::parse_graph("graph (" + inputs + ") -> (%y) {\n" + body + "\n}");
  infer_types(graph);
  return graph.value(graph.outputs()[0]).type.text();
}

struct Row {
  const char* inputs;
  const char* body;
  const char* type;
};

void expect_types(std::initializer_list<Row> rows) {
  for (const Row& row : rows) EXPECT_EQ(type_in(row.inputs, row.body), row.type) << row.body;
}

void expect_refused(const std::string& inputs, const std::string& body, const std::string& words) {
  const Error error = base::thrown_by([&] { type_in(inputs, body); });
  EXPECT_EQ(error.code(), ErrorCode::type_mismatch) << error.what();
  EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
}

TEST(ElementwiseTypes, FollowNumpyBroadcasting) {
  expect_types({
      {"%a: f32[N,1,4], %b: f32[3,1]", "%y: f32[*] = Add(%a, %b);", "f32[N,3,4]"},
      {"%a: f32[N], %b: f32[N]", "%y: f32[*] = Mul(%a, %b);", "f32[N]"},
      {"%a: f32[N], %b: f32[M]", "%y: f32[*] = Mul(%a, %b);", "f32[?]"},
      {"%a: f32[N], %b: f32[7]", "%y: f32[*] = Mul(%a, %b);", "f32[7]"},
      {"%a: f32[*], %b: f32[7]", "%y: f32[*] = Mul(%a, %b);", "f32[*]"},
      {"%a: f32[2,3,4], %b: f32[3]", "%y: f32[*] = Add(%a, %b) {axis = 1};", "f32[2,3,4]"},
      {"%a: i64[N], %b: i64[]", "%y: boolean[*] = Less(%a, %b);", "boolean[N]"},
      {"%a: boolean[N,1], %b: f16[3], %c: f16[]", "%y: f16[*] = Where(%a, %b, %c);", "f16[N,3]"},
      {"%a: f32[N], %b: i32[]", "%y: f32[*] = Pow(%a, %b);", "f32[N]"},
      {"%a: f32[N,3]", "%y: f64[*] = Cast(%a) {to = 11};", "f64[N,3]"},
  });
}

TEST(ElementwiseTypes, RefuseWhatDoesNotGoTogether) {
  expect_refused("%a: f32[2], %b: f32[3]", "%y: f32[*] = Add(%a, %b) @here;", "here: extents 2 and 3");
  expect_refused("%a: f32[2], %b: f64[2]", "%y: f32[*] = Add(%a, %b);", "one dtype");
  expect_refused("%a: boolean[2], %b: boolean[2]", "%y: f32[*] = Add(%a, %b);", "does not take boolean[2]");
  expect_refused("%a: f32[2,3], %b: f32[3]", "%y: f32[*] = Add(%a, %b) {axis = 5};", "axis 5 is outside");
  expect_refused("%a: i32[2]", "%y: i32[*] = Exp(%a);", "Exp does not take i32[2]");
  expect_refused("%a: f32[2]", "%y: f32[*] = Gelu(%a) {approximate = \"sinh\"};", "approximate is 'sinh'");
  expect_refused("%a: f32[2]", "%y: f32[*] = Cast(%a) {to = 99};", "99, which is no dtype");
  expect_refused("%a: f32[2], %b: f32[2]", "%y: f32[*] = Clip(%a, %b);", "not one number");
  expect_refused("%a: f32[2], %b: f32[1,2]", "%y: f32[*] = PRelu(%a, %b);", "more axes");
}

TEST(ViewTypes, FollowSymbols) {
  expect_types({
      {"%x: f32[N,3,8,8]", "%y: f32[*] = Flatten(%x);", "f32[N,192]"},
      {"%x: f32[N,M]", "%y: f32[*] = Flatten(%x) {axis = 0};", "f32[1,?]"},
      {"%x: f32[N,1,M]", "%s = constant i64[1] <1>;\n%y: f32[*] = Squeeze(%x, %s);", "f32[N,M]"},
      {"%x: f32[N,1,M]", "%y: f32[*] = Squeeze(%x);", "f32[*]"},
      {"%x: f32[N,M]", "%s = constant i64[2] <0, -1>;\n%y: f32[*] = Unsqueeze(%x, %s);", "f32[1,N,M,1]"},
      {"%x: f32[N,M], %s: i64[2]", "%y: f32[*] = Unsqueeze(%x, %s);", "f32[?,?,?,?]"},
      {"%x: f32[N,64]", "%s = constant i64[3] <0, -1, 16>;\n%y: f32[*] = Reshape(%x, %s);", "f32[N,4,16]"},
      {"%x: f32[N,64]", "%s = constant i64[2] <-1, 64>;\n%y: f32[*] = Reshape(%x, %s);", "f32[N,64]"},
      {"%x: f32[N,64]", "%s = constant i64[2] <-1, 32>;\n%y: f32[*] = Reshape(%x, %s);", "f32[?,32]"},
      {"%x: f32[*]", "%s = constant i64[2] <-1, 32>;\n%y: f32[*] = Reshape(%x, %s);", "f32[?,32]"},
      {"%x: f32[0,3]", "%s = constant i64[2] <3, 0>;\n%y: f32[*] = Reshape(%x, %s) {allowzero = 1};", "f32[3,0]"},
      {"%x: f32[N,M], %s: i64[3]", "%y: f32[*] = Reshape(%x, %s);", "f32[?,?,?]"},
  });
  expect_refused("%x: f32[5]", "%s = constant i64[2] <-1, 2>;\n%y: f32[*] = Reshape(%x, %s);", "as many elements");
  expect_refused("%x: f32[4]", "%s = constant i64[2] <-1, -1>;\n%y: f32[*] = Reshape(%x, %s);", "more than one extent");
  expect_refused("%x: f32[4]", "%s = constant i64[2] <4, 0>;\n%y: f32[*] = Reshape(%x, %s);", "no such axis");
  expect_refused("%x: f32[4]", "%s = constant i64[1] <-2>;\n%y: f32[*] = Reshape(%x, %s);", "extent -2");
  expect_refused("%x: f32[2,3]", "%s = constant i64[1] <0>;\n%y: f32[*] = Squeeze(%x, %s);", "has 2 elements");
  expect_refused("%x: f32[2]", "%s = constant i64[2] <0, 0>;\n%y: f32[*] = Unsqueeze(%x, %s);", "named twice");
}

TEST(MovementTypes, FollowSymbols) {
  const std::string far = "constant i64[1] <9223372036854775807>";
  const std::string from = "%s = constant i64[1] <0>;\n%a = constant i64[1] <1>;\n%e = " + far + ";\n";
  EXPECT_EQ(type_in("%x: f32[N,M]", from + "%y: f32[*] = Slice(%x, %s, %e, %a);"), "f32[N,M]");
  expect_types({
      {"%x: f32[N,M,3]", "%y: f32[*] = Transpose(%x) {perm = [2, 0, 1]};", "f32[3,N,M]"},
      {"%x: f32[N,M,3]", "%y: f32[*] = Transpose(%x);", "f32[3,M,N]"},
      {"%x: f32[N,3], %z: f32[N,4]", "%y: f32[*] = Concat(%x, %z) {axis = 1};", "f32[N,7]"},
      {"%x: f32[N,3], %z: f32[M,3]", "%y: f32[*] = Concat(%x, %z) {axis = 0};", "f32[?,3]"},
      {"%x: f32[?,3], %z: f32[2,4]", "%y: f32[*] = Concat(%x, %z) {axis = 1};", "f32[2,7]"},
      {"%x: f32[N,3], %i: i64[K,2]", "%y: f32[*] = Gather(%x, %i);", "f32[K,2,3]"},
      {"%x: f32[N,3], %i: i64[]", "%y: f32[*] = Gather(%x, %i) {axis = -1};", "f32[N]"},
      {"%x: f32[N,6]", "%y: f32[*], %z: f32[*] = Split(%x) {axis = 1};", "f32[N,3]"},
      {"%x: f32[N,6]", "%y: f32[*], %z: f32[*] = Split(%x) {axis = 0};", "f32[?,6]"},
      {"%x: f32[N,1]", "%s = constant i64[3] <2, 1, 5>;\n%y: f32[*] = Expand(%x, %s);", "f32[2,N,5]"},
      {"%x: f32[N,4]", "%s = constant i64[2] <1, 3>;\n%y: f32[*] = Tile(%x, %s);", "f32[N,12]"},
      {"%x: f32[N,4]", "%s = constant i64[4] <0, 1, 0, 2>;\n%y: f32[*] = Pad(%x, %s);", "f32[N,7]"},
      {"%s: i64[2]", "%y: f32[*] = ConstantOfShape(%s);", "f32[?,?]"},
  });
  expect_refused("%x: f32[2,3], %z: f32[3,3]", "%y: f32[*] = Concat(%x, %z) {axis = 1};", "along axis 0");
  expect_refused("%x: f32[2,3]", "%y: f32[*] = Transpose(%x) {perm = [0, 0]};", "named twice");
  expect_refused("%x: f32[2,3]", "%y: f32[*] = Transpose(%x) {perm = [0]};", "perm names 1 axes of 2");
  expect_refused("%x: f32[7]", "%y: f32[*], %z: f32[*] = Split(%x);", "cannot be split into 2");
  expect_refused("%x: f32[7]", "%s = constant i64[2] <3, 3>;\n%y: f32[*], %z: f32[*] = Split(%x, %s);", "pieces of 6");
  expect_refused("%x: f32[2]", "%s = constant i64[2] <-2, -1>;\n%y: f32[*] = Pad(%x, %s);", "padded by -2 and -1");
  expect_refused("%x: f32[0]", "%s = constant i64[2] <1, 1>;\n%y: f32[*] = Pad(%x, %s) {mode = \"edge\"};",
                 "none to repeat");
  expect_refused("%x: f32[2]", "%s = constant i64[1] <-1>;\n%y: f32[*] = Expand(%x, %s);", "an extent of -1");
}

TEST(RangeTypes, CountTheirElements) {
  const std::string body = "%a = constant i64[] <2>;\n%b = constant i64[] <11>;\n%c = constant i64[] <3>;\n";
  EXPECT_EQ(type_in("%x: f32[1]", body + "%y: i64[*] = Range(%a, %b, %c);"), "i64[3]");
  const std::string never = "%a = constant i64[] <2>;\n%c = constant i64[] <0>;\n%y: i64[*] = Range(%a, %a, %c);";
  expect_refused("%x: f32[1]", never, "delta is 0");
  const std::string huge =
      "%a = constant i64[] <-9223372036854775808>;\n%b = constant i64[] <9223372036854775807>;\n"
      "%c = constant i64[] <1>;\n%y: i64[*] = Range(%a, %b, %c);";
  expect_refused("%x: f32[1]", huge, "a range of");
}

TEST(ReductionTypes, LeaveOrTakeAxesAway) {
  const std::string axes = "%s = constant i64[2] <0, -1>;\n";
  EXPECT_EQ(type_in("%x: f32[N,3,M]", axes + "%y: f32[*] = ReduceSum(%x, %s);"), "f32[1,3,1]");
  EXPECT_EQ(type_in("%x: f32[N,3,M]", axes + "%y: f32[*] = ReduceSum(%x, %s) {keepdims = 0};"), "f32[3]");
  expect_types({
      {"%x: f32[N,3,M]", "%y: f32[*] = ReduceMax(%x) {keepdims = 0};", "f32[]"},
      {"%x: f32[N,3,M]", "%y: f32[*] = ReduceMax(%x) {noop_with_empty_axes = 1};", "f32[N,3,M]"},
      {"%x: f32[N,3], %s: i64[1]", "%y: f32[*] = ReduceMean(%x, %s);", "f32[?,?]"},
      {"%x: f32[N,3], %s: i64[1]", "%y: f32[*] = ReduceMean(%x, %s) {keepdims = 0};", "f32[?]"},
      {"%x: f32[N,3,M]", "%y: i64[*] = ArgMax(%x) {axis = 1, keepdims = 0};", "i64[N,M]"},
  });
  expect_refused("%x: f32[2,0]", "%y: i64[*] = ArgMin(%x) {axis = 1};", "without elements");
  expect_refused("%x: boolean[2]", "%y: boolean[*] = ReduceSum(%x);", "does not take boolean[2]");
}

// What exporters write for x.view(batch, -1, heads, 16): shapes are taken apart and put together again.
constexpr const char* kHeads = R"(
    %shape: i64[*] = Shape(%x);
    %zero = constant i64[] <0>;
    %one = constant i64[1] <1>;
    %heads = constant i64[1] <4>;
    %rest = constant i64[1] <-1>;
    %n: i64[*] = Gather(%shape, %zero);
    %first = constant i64[1] <0>;
    %n1: i64[*] = Unsqueeze(%n, %first);
    %two = constant i64[1] <2>;
    %width: i64[*] = Slice(%shape, %two, %last);
    %each: i64[*] = Div(%width, %heads);
    %same: i64[*] = Mul(%each, %one);
    %narrow: i32[*] = Cast(%same) {to = 6};
    %wide: i64[*] = Cast(%narrow) {to = 7};
    %target: i64[*] = Concat(%n1, %rest, %heads, %wide) {axis = 0};
    %y: f32[*] = Reshape(%x, %target);)";

TEST(ShapeFlow, ResolvesReshapesOfSymbolicShapes) {
  const std::string body = std::string("%last = constant i64[1] <3>;") + kHeads;
  EXPECT_EQ(type_in("%x: f32[N,L,64]", body), "f32[N,L,4,16]");
  EXPECT_EQ(type_in("%x: f32[N,L,W]", body), "f32[N,?,4,?]");
}

TEST(ShapeFlow, GoesThroughExpandAndRange) {
  expect_types({
      {"%x: f32[N,L], %m: f32[1,1]", "%s: i64[*] = Shape(%x);\n%y: f32[*] = Expand(%m, %s);", "f32[N,L]"},
      {"%x: f32[N,L]", "%s: i64[*] = Shape(%x);\n%y: f32[*] = ConstantOfShape(%s);", "f32[N,L]"},
      {"%x: f32[N,L]",
       "%s: i64[*] = Shape(%x) {start = 1};\n%z = constant i64[1] <0>;\n%n: i64[*] = Squeeze(%s, %z);\n"
       "%a = constant i64[] <0>;\n%d = constant i64[] <1>;\n%y: i64[*] = Range(%a, %n, %d);",
       "i64[L]"},
      {"%x: f32[N,L]",
       "%s: i64[*] = Shape(%x);\n%m = constant i64[2] <-1, 5>;\n%k = constant i64[2] <-1, -1>;\n"
       "%c: boolean[*] = Equal(%m, %k);\n%w: i64[*] = Where(%c, %s, %m);\n%y: f32[*] = ConstantOfShape(%w);",
       "f32[?,?]"},
  });
}

Graph specialized(const std::string& text, std::vector<Shape> shapes) {
  Graph graph = ir::parse_graph(text);
  infer_types(graph);
  std::vector<TensorType> types;
  for (std::size_t i = 0; i < shapes.size(); ++i)
    types.push_back(TensorType::of(graph.value(graph.inputs()[i]).type.dtype, shapes[i]));
  return specialize(graph, types);
}

TEST(Specialize, FoldsChainsOfShapesAway) {
  const std::string body = std::string("%last = constant i64[1] <3>;") + kHeads;
  const Graph graph = specialized("graph (%x: f32[N,L,64]) -> (%y) {" + body + "}", {{2, 5, 64}});
  ASSERT_EQ(graph.nodes().size(), 1U);
  EXPECT_EQ(graph.node(0).op, "Reshape");
  EXPECT_EQ(graph.value(graph.outputs()[0]).type.text(), "f32[2,5,4,16]");
}

TEST(Specialize, LeavesWhatWouldGrowTheProgram) {
  const Graph graph = specialized(
      "graph (%x: f32[N]) -> (%y) {\n%s = constant i64[1] <100000>;\n%ones: f32[*] = ConstantOfShape(%s);\n"
      "%y: f32[*] = Mul(%x, %ones);}",
      {{100000}});
  EXPECT_EQ(graph.nodes().size(), 2U);
}

constexpr const char* kBranch = "graph (%c: f32[N,2]) -> (%r) {\n%r: f32[*] = Relu(%c);\n}";

TEST(ControlFlowTypes, MergeTheBranchesOfAnIf) {
  const std::string other = "graph (%c: f32[N,2]) -> (%r) {\n%r: f32[*] = Transpose(%c);\n}";
  const auto node = [](const std::string& then_branch, const std::string& else_branch) {
    return "%y: f32[*] = If(%b, %x) {captures = 1, else_branch = " + else_branch + ", then_branch = " + then_branch +
           "};";
  };
  EXPECT_EQ(type_in("%b: boolean[], %x: f32[N,2]", node(kBranch, kBranch)), "f32[N,2]");
  EXPECT_EQ(type_in("%b: boolean[], %x: f32[N,2]", node(kBranch, other)), "f32[?,?]");
  EXPECT_EQ(type_in("%b: boolean[], %x: f32[2,2]", node(kBranch, other)), "f32[2,2]");
  expect_refused("%b: f32[], %x: f32[N,2]", node(kBranch, kBranch), "does not take f32[]");
}

TEST(ControlFlowTypes, TellStatesOfALoopFromCaptures) {
  // The state grows from turn to turn; the captured %k keeps its shape; %row is gathered.
  const std::string body =
      "graph (%i: i64[], %go: boolean[], %s: f32[?], %k: f32[3]) -> (%go, %t, %row) {\n"
      "%t: f32[*] = Concat(%s, %k) {axis = 0};\n%row: f32[*] = Neg(%k);\n}";
  const std::string inputs = "%n: i64[], %s: f32[2], %k: f32[3]";
  EXPECT_EQ(type_in(inputs, "%y: f32[*], %z: f32[*] = Loop(%n, _, %s, %k) {body = " + body + ", captures = 1};"),
            "f32[?]");
  EXPECT_EQ(type_in(inputs, "%z: f32[*], %y: f32[*] = Loop(%n, _, %s, %k) {body = " + body + ", captures = 1};"),
            "f32[?,3]");
}

TEST(ControlFlowTypes, PutTheSlicesOfAScanTogether) {
  const std::string body =
      "graph (%s: f32[3], %e: f32[3], %k: f32[]) -> (%t, %o) {\n"
      "%t: f32[*] = Add(%s, %e);\n%o: f32[*] = Mul(%t, %k);\n}";
  const std::string inputs = "%s: f32[3], %x: f32[3,L], %k: f32[]";
  const auto scan = [&](const std::string& outputs, const std::string& more) {
    return outputs + " = Scan(%s, %x, %k) {body = " + body +
           ", captures = 1, num_scan_inputs = 1, scan_input_axes = [1]" + more + "};";
  };
  EXPECT_EQ(type_in(inputs, scan("%y: f32[*], %z: f32[*]", "")), "f32[3]");
  EXPECT_EQ(type_in(inputs, scan("%z: f32[*], %y: f32[*]", "")), "f32[L,3]");
  EXPECT_EQ(type_in(inputs, scan("%z: f32[*], %y: f32[*]", ", scan_output_axes = [-1]")), "f32[3,L]");
  expect_refused(inputs, scan("%z: f32[*], %y: f32[*]", ", scan_output_axes = [0, 1]"), "has 2 numbers instead of 1");
}

// A tensor of floats that starts one byte past where a float may.
Tensor askew(std::int64_t count) {
  Tensor storage(DType::u8, Shape{4 * count + 1});
  std::byte* first = storage.mutable_view().data() + 1;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(i);
    std::memcpy(first + 4 * i, &value, sizeof value);
  }
  return Tensor(TensorView(DType::f32, Shape{count}, first), storage.owner());
}

TEST(Alignment, CopiesWhatIsReadAsElementsAndNothingElse) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{5}});
  const ValueId weight = graph.add_constant("weight", askew(5));
  const ValueId table = graph.add_constant("table", askew(7));
  const ValueId index = graph.add_input("i", {DType::i64, std::vector<Dim>{5}});
  graph.mark_output(graph.add("Add", {x, weight}, "sum"));
  graph.mark_output(graph.add("Gather", {table, index}, "row"));
  const auto* before = graph.value(table).constant->view().data();
  for (NodeId id = 0; id < graph.nodes().size(); ++id) align_constants(graph, id);
  EXPECT_EQ(graph.value(table).constant->view().data(), before);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(graph.value(weight).constant->view().data()) % alignof(float), 0U);
  EXPECT_EQ(graph.value(weight).constant->as<float>()[4], 4.0F);
}

TEST(Records, SayWhatTheyAre) {
  for (const OpRecord* record : all_ops()) {
    EXPECT_EQ(find_op(record->name), record);
    EXPECT_GE(record->since_opset, 1) << record->name;
    EXPECT_LE(record->since_opset, newest_opset()) << record->name;
    EXPECT_GT(record->help.size(), 20U) << record->name;
    EXPECT_NE(record->infer, nullptr) << record->name;
  }
}

}  // namespace
}  // namespace skerry::ops
