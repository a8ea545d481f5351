#include <gtest/gtest.h>

#include <array>
#include <skerry/error.hpp>
#include <string>
#include <vector>

#include "base/thrown_by.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {
namespace {

// One node over inputs of one type, constants or graph inputs, its outputs being the graph's.
struct OneNode {
  std::string op;
  std::size_t inputs = 0, outputs = 1;
  DType dtype = DType::f32;
  Shape shape;
  bool constants = false;
  bool skip_first_output = false;

  Graph graph() const {
    Graph out;
    Node node;
    node.op = op;
    node.name = "the node";
    for (std::size_t i = 0; i < inputs; ++i) {
      const std::string name = "x" + std::to_string(i);
      node.inputs.push_back(constants ? out.add_constant(name, Tensor(dtype, shape))
                                      : out.add_input(name, TensorType::of(dtype, shape)));
    }
    std::vector<std::string> names;
    for (std::size_t i = 0; i < outputs; ++i)
      names.push_back(i == 0 && skip_first_output ? "" : "y" + std::to_string(i));
    const NodeId id = out.add_node(node, names);
    for (const ValueId value : out.node(id).outputs) {
      if (value != kNoValue) out.mark_output(value);
    }
    return out;
  }
};

std::vector<TensorType> input_types(const Graph& graph) {
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) types.push_back(graph.value(id).type);
  return types;
}

// Whatever stands in a file, the answer is a graph or a refusal that is not our own mistake.
void expect_answer(const OneNode& one) {
  try {
    Graph graph = one.graph();
    infer_types(graph);
    specialize(graph, input_types(graph));
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::internal) << one.op << ": " << error.what();
  }
}

TEST(TypeRules, AnswerForEveryNumberOfInputsAndOutputs) {
  const std::array shapes = {Shape{}, Shape{2}, Shape{2, 3}, Shape{1, 2, 0}, Shape{1, 2, 3, 4}};
  for (const OpRecord* record : all_ops()) {
    for (std::size_t inputs = 0; inputs <= 5; ++inputs) {
      for (std::size_t outputs = 0; outputs <= 3; ++outputs) {
        for (const DType dtype : {DType::f32, DType::i64, DType::boolean, DType::u4, DType::string}) {
          for (const Shape& shape : shapes) {
            for (const bool constants : {false, true})
              expect_answer({std::string(record->name), inputs, outputs, dtype, shape, constants, false});
          }
        }
      }
    }
  }
}

TEST(TypeRules, RefuseANodeWithoutItsFirstOutput) {
  for (const OpRecord* record : all_ops()) {
    if (record->first_output_optional) continue;
    for (const bool skipped : {false, true}) {
      OneNode one{std::string(record->name), 1, skipped ? std::size_t{2} : std::size_t{0}};
      one.shape = Shape{2, 3};
      one.skip_first_output = skipped;
      Graph graph = one.graph();
      const Error error = base::thrown_by([&] { infer_types(graph); });
      EXPECT_EQ(error.where(), "the node") << record->name;
    }
  }
}

TEST(TypeRules, TakeTwoInputsWhereTwoAreMeant) {
  for (const char* op :
       {"Add", "Sub", "Mul", "Div", "Mod", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"}) {
    for (const std::size_t inputs : {std::size_t{1}, std::size_t{3}}) {
      Graph graph = OneNode{op, inputs}.graph();
      EXPECT_EQ(base::thrown_by([&] { infer_types(graph); }).code(), ErrorCode::type_mismatch) << op;
    }
  }
  for (const char* op : {"Max", "Min", "Sum"}) {
    Graph graph = OneNode{op, 3}.graph();
    EXPECT_NO_THROW(infer_types(graph)) << op;
  }
}

TEST(TypeRules, NameAnOperatorWithoutARecord) {
  Graph graph = OneNode{"NoSuchOperator", 1}.graph();
  const Error error = base::thrown_by([&] { infer_types(graph); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_NE(error.message().find("NoSuchOperator"), std::string::npos);
}

}  // namespace
}  // namespace skerry::ops
