// Sequences, optionals and strings carried out, without an importer.
#include <gtest/gtest.h>

#include <skerry/error.hpp>

#include "base/thrown_by.hpp"
#include "ir/text/text.hpp"
#include "ops/nn/evaluate.hpp"

namespace skerry::ops {
namespace {

using base::thrown_by;

Datum floats(const std::vector<float>& values) {
  return Tensor::from<float>(values, Shape{static_cast<std::int64_t>(values.size())});
}
Datum number(std::int64_t value) {
  return Tensor::from<std::int64_t>(std::span(&value, 1), Shape{});
}
Datum sequence(std::vector<Datum> items) {
  return Sequence{std::make_shared<std::vector<Datum>>(std::move(items))};
}
Datum strings(std::vector<std::string> texts) {
  const auto count = static_cast<std::int64_t>(texts.size());
  return Strings{Shape{count}, std::make_shared<std::vector<std::string>>(std::move(texts))};
}
std::vector<std::string> texts(const Datum& datum) {
  return *datum.as<Strings>()->texts;
}
std::vector<float> values(const Datum& datum) {
  const auto view = datum.as<Tensor>()->as<float>();
  return {view.begin(), view.end()};
}

std::vector<Datum> run(std::string_view text, std::vector<Datum> inputs) {
  Graph graph = ir::parse_graph(text);
  infer_types(graph);
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) types.push_back(graph.value(id).type);
  const Graph concrete = specialize(graph, types);
  EXPECT_TRUE(depends_on_data(concrete));
  return evaluate(concrete, std::move(inputs), {});
}

TEST(Sequences, AreBuiltTakenApartAndPutTogether) {
  const auto out = run(R"(graph (%s: seq(f32[2]), %x: f32[2]) -> (%joined, %count, %at) {
      %a = constant i64[] <0>;
      %more: seq(f32[2]) = SequenceInsert(%s, %x, %a);
      %less: seq(f32[2]) = SequenceErase(%more);
      %joined: f32[?] = ConcatFromSequence(%less) {axis = 0};
      %count: i64[] = SequenceLength(%less);
      %minus = constant i64[] <-1>;
      %at: f32[2] = SequenceAt(%less, %minus);
    })",
                       {sequence({floats({1, 2}), floats({3, 4})}), floats({9, 8})});
  EXPECT_EQ(values(out[0]), (std::vector<float>{9, 8, 1, 2}));
  EXPECT_EQ(out[1].as<Tensor>()->as<std::int64_t>()[0], 2);
  EXPECT_EQ(values(out[2]), (std::vector<float>{1, 2}));
}

TEST(Sequences, OfTheCallerAreNotChanged) {
  const Datum given = sequence({floats({1})});
  run("graph (%s: seq(f32[1]), %x: f32[1]) -> (%y) { %y: seq(f32[1]) = SequenceInsert(%s, %x); }",
      {given, floats({2})});
  EXPECT_EQ(given.as<Sequence>()->size(), 1U);
}

TEST(Sequences, AreNotSharedByTwoWhoAppend) {
  const auto out = run(R"(graph (%x: f32[1]) -> (%a, %b) {
      %e: seq(f32[1]) = SequenceConstruct(%x);
      %a: seq(f32[1]) = SequenceInsert(%e, %x);
      %b: seq(f32[1]) = SequenceInsert(%e, %x);
    })",
                       {floats({1})});
  EXPECT_EQ(out[0].as<Sequence>()->size(), 2U);
  EXPECT_EQ(out[1].as<Sequence>()->size(), 2U);
}

TEST(Sequences, ThatALoopAppendsToGrowInPlace) {
  // A copy of all items at each turn would take minutes.
  constexpr std::int64_t kTurns = 100'000;
  const auto out = run(R"(graph (%n: i64[], %x: f32[1]) -> (%y) {
      %e: seq(f32[*]) = SequenceEmpty();
      %y: seq(f32[*]) = Loop(%n, _, %e, %x) {body = graph (%i: i64[], %c: boolean[], %s: seq(f32[*]), %v: f32[1]) -> (%d, %t) {
        %d: boolean[] = Identity(%c);
        %t: seq(f32[*]) = SequenceInsert(%s, %v);
      }, captures = 1};
    })",
                       {number(kTurns), floats({1})});
  EXPECT_EQ(out[0].as<Sequence>()->size(), static_cast<std::size_t>(kTurns));
}

TEST(Sequences, RefuseWhatOperatorsDoNotTake) {
  const auto refusal = [](std::string_view text) {
    Graph graph = ir::parse_graph(text);
    return thrown_by([&] { infer_types(graph); });
  };
  const Error relu = refusal("graph (%s: seq(f32[1])) -> (%y) { %y: f32[1] = Relu(%s) @here; }");
  EXPECT_EQ(relu.code(), ErrorCode::type_mismatch);
  EXPECT_EQ(relu.where(), "here");
  EXPECT_NE(relu.message().find("seq(f32[1])"), std::string::npos);
  EXPECT_EQ(
      refusal("graph (%s: seq(f32[*]), %x: i64[]) -> (%y) { %y: seq(f32[*]) = SequenceInsert(%s, %x) @here; }").where(),
      "here");
  EXPECT_EQ(refusal("graph (%x: f32[1]) -> (%y) { %y: i64[] = SequenceLength(%x) @here; }").where(), "here");
}

TEST(Optionals, HoldSomethingOrNothing) {
  constexpr std::string_view kText = R"(graph (%o: optional(f32[1])) -> (%has, %y) {
      %has: boolean[] = OptionalHasElement(%o);
      %y: f32[?] = If(%has, %o) {captures = 1,
        else_branch = graph (%p: optional(f32[1])) -> (%z) { %q: boolean[] = OptionalHasElement(%p); %z: f32[] = Cast(%q) {to = 1}; },
        then_branch = graph (%p: optional(f32[1])) -> (%z) { %z: f32[1] = OptionalGetElement(%p); }};
    })";
  EXPECT_EQ(values(run(kText, {floats({5})})[1]), std::vector<float>{5});
  const auto none = run(kText, {Optional()});
  EXPECT_FALSE(none[0].as<Tensor>()->as<bool>()[0]);
  EXPECT_EQ(values(none[1]), std::vector<float>{0});
}

TEST(Optionals, ThatHoldNothingCannotBeOpened) {
  const Error error = thrown_by([] {
    run("graph (%o: optional(seq(f32[*]))) -> (%y) { %y: seq(f32[*]) = OptionalGetElement(%o) @here; }", {Optional()});
  });
  EXPECT_EQ(error.code(), ErrorCode::type_mismatch);
  EXPECT_EQ(error.where(), "here");
}

TEST(Strings, MoveAsNumbersOfTheirPlaces) {
  const auto out = run(R"(graph (%x: string[3]) -> (%y) {
      %w: string[2] = skerry.Strings() {shape = [2], texts = ["one", ""]};
      %all: string[5] = Concat(%x, %w) {axis = 0};
      %i = constant i64[3] <4, 0, 3>;
      %y: string[3] = Gather(%all, %i);
    })",
                       {strings({"a", "b", "c"})});
  EXPECT_EQ(texts(out[0]), (std::vector<std::string>{"", "a", "one"}));
}

TEST(Strings, AreNoNumbers) {
  const Error error = thrown_by([] {
    run("graph (%x: string[1]) -> (%y) { %a = constant i64[] <0>; %y: string[1] = CumSum(%x, %a) @here; }",
        {strings({"a"})});
  });
  EXPECT_EQ(error.code(), ErrorCode::type_mismatch) << error.what();
  EXPECT_EQ(error.where(), "here");
}

}  // namespace
}  // namespace skerry::ops
