#include <re2/re2.h>

#include <skerry/error.hpp>

#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

// Time is linear in the strings, whatever the pattern, and memory bounded; a pattern that needs more is refused.
constexpr std::int64_t kMostMemory = std::int64_t{8} << 20;

void check(const Node& node, const re2::RE2& pattern) {
  if (pattern.ok()) return;
  throw Error(ErrorCode::semantic_error,
              "pattern '" + node.text("pattern", "") + "' is no regular expression: " + pattern.error(), node.place(),
              "write it in the syntax of RE2");
}

re2::RE2::Options options() {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMostMemory);
  return options;
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  if (node.find("pattern") == nullptr) refuse(node, node.op + " has no attribute pattern");
  check(node, re2::RE2(node.text("pattern", ""), options()));
  set_output(context, 0, DType::boolean, string_input(context, 0).shape);
}

std::vector<Datum> carry_out(DataNode& context) {
  const re2::RE2 pattern(context.node.text("pattern", ""), options());
  check(context.node, pattern);
  const Strings& x = strings_in(context, 0);
  const Tensor y = allocate(DType::boolean, x.shape, context.evaluation);
  const auto matches = writable(y).as<bool>();
  const auto texts = texts_of(x);
  for (std::size_t i = 0; i < matches.size(); ++i) {
    if (context.evaluation.control != nullptr) context.evaluation.control->check(context.node.name);
    matches[i] = re2::RE2::FullMatch(texts[i], pattern);
  }
  return {y};
}

}  // namespace

extern const OpRecord regexfullmatch_record;
const OpRecord regexfullmatch_record = {
    .name = "RegexFullMatch",
    .since_opset = 20,
    .help =
        "Whether each string as a whole matches the regular expression in attribute `pattern`, in the syntax of RE2 "
        "(no backtracking: time is linear in the strings).",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out};

}  // namespace skerry::ops
