// Models that draw random numbers are served row by row.
#include <gtest/gtest.h>

#include <array>
#include <future>
#include <vector>

#include "ops/nn/op_record.hpp"
#include "serve/batcher.hpp"
#include "serve/statistics.hpp"

namespace skerry::serve {
namespace {

using namespace std::chrono_literals;

BatchingOptions in_fours() {
  return {.sizes = {4}, .max_delay = 100ms};
}

// y = x plus what the operator draws for each of three columns, from x where it has an input.
Graph noisy_graph(const std::string& op) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{Dim("batch"), 3}});
  Node node{.op = op, .name = "noise", .inputs = {x}};
  if (op == "RandomNormal" || op == "RandomUniform") {
    node.inputs.clear();
    node.set("shape", std::vector<std::int64_t>{3});
  } else if (op == "Dropout") {
    node.inputs.push_back(graph.add_constant("ratio", Tensor::from<float>(std::array{0.5F}, Shape{})));
    node.inputs.push_back(graph.add_constant("trains", Tensor::from<bool>(std::array{true}, Shape{})));
  }
  const std::array<std::string, 1> names = {"drawn"};
  Node cast{.op = "Cast", .inputs = {graph.node(graph.add_node(std::move(node), names)).outputs[0]}};
  cast.set("to", std::int64_t{1});
  const std::array<std::string, 1> cast_names = {"noise"};
  const ValueId noise = graph.node(graph.add_node(std::move(cast), cast_names)).outputs[0];
  graph.mark_output(graph.add("Add", {x, noise}, "y"));
  ops::infer_types(graph);
  return graph;
}

TEST(Drawing, IsNeverPutTogetherWhateverOperatorDraws) {
  int asked = 0;
  for (const ops::OpRecord* record : ops::all_ops()) {
    if (record->draws == nullptr || record->name == "circuit") continue;
    SCOPED_TRACE(record->name);
    const auto graph = std::make_shared<const Graph>(noisy_graph(std::string(record->name)));
    EXPECT_TRUE(draws_at_random(*graph));
    EXPECT_FALSE(Batcher(graph, {}, in_fours(), std::make_shared<ModelStatistics>()).can_batch());
    ++asked;
  }
  EXPECT_GE(asked, 7);
  Graph plain;
  plain.mark_output(plain.add("Relu", {plain.add_input("x", {DType::f32, std::vector<Dim>{Dim("batch"), 3}})}, "y"));
  ops::infer_types(plain);
  EXPECT_TRUE(
      Batcher(std::make_shared<const Graph>(plain), {}, in_fours(), std::make_shared<ModelStatistics>()).can_batch());
}

TEST(Drawing, IsAnsweredOneByOneWhereEveryRowWouldGetTheSameNoise) {
  const auto statistics = std::make_shared<ModelStatistics>();
  // Rows together and alone agree here, so nothing but the operator tells.
  Batcher batcher(std::make_shared<const Graph>(noisy_graph("RandomUniform")), {}, in_fours(), statistics);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::future<std::vector<float>>> answers;
    for (int i = 0; i < 4; ++i) {
      auto promise = std::make_shared<std::promise<std::vector<float>>>();
      answers.push_back(promise->get_future());
      const auto row = static_cast<float>(4 * round + i);
      InferCall call;
      call.inputs = {{"x", Tensor::from<float>(std::array{row, row, row}, {1, 3})}};
      call.done = [promise](const std::exception_ptr& error, const NamedTensors& outputs, const Timing&) {
        if (error) return promise->set_exception(error);
        const auto y = outputs[0].second.as<float>();
        promise->set_value({y.begin(), y.end()});
      };
      batcher.submit(std::move(call));
    }
    for (auto& answer : answers) EXPECT_EQ(answer.get().size(), 3U);
  }
  const auto snapshot = statistics->snapshot();
  EXPECT_EQ(snapshot.inferences, 12U);
  EXPECT_EQ(snapshot.batches.rbegin()->first, 1U);
}

TEST(Drawing, IsKnownInABranch) {
  Graph then_branch, else_branch;
  for (Graph* branch : {&then_branch, &else_branch}) {
    const ValueId x = branch->add_input("x", {DType::f32, std::vector<Dim>{Dim("batch"), 3}});
    branch->mark_output(branch->add(branch == &then_branch ? "RandomNormalLike" : "Relu", {x}, "z"));
    ops::infer_types(*branch);
  }
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{Dim("batch"), 3}});
  const ValueId yes = graph.add_constant("yes", Tensor::from<bool>(std::array{false}, Shape{}));
  Node node{.op = "If", .inputs = {yes, x}};
  node.set("then_branch", std::make_shared<const Graph>(then_branch));
  node.set("else_branch", std::make_shared<const Graph>(else_branch));
  node.set("captures", std::int64_t{1});
  const std::array<std::string, 1> names = {"y"};
  graph.mark_output(graph.node(graph.add_node(std::move(node), names)).outputs[0]);
  ops::infer_types(graph);
  EXPECT_TRUE(draws_at_random(graph));
  EXPECT_FALSE(
      Batcher(std::make_shared<const Graph>(graph), {}, in_fours(), std::make_shared<ModelStatistics>()).can_batch());
}

}  // namespace
}  // namespace skerry::serve
