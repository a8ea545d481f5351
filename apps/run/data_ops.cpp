// What a device leaves out: operators on sequences, optionals, maps, strings and images. These stand before the
// library's own, which are then not linked; a package that has one is refused by its name.
#include <skerry/error.hpp>

#include "ops/nn/broadcast_texts.hpp"
#include "ops/nn/cast.hpp"
#include "ops/nn/text_labels.hpp"

namespace skerry::ops {
namespace {

[[noreturn]] void refuse_here(const Node& node) {
  throw Error(ErrorCode::unsupported, node.op + " of sequences, optionals, strings or images is not in skerry-run",
              node.name.empty() ? node.op : node.name, "run the model with skerry, from Python or from C++");
}

constexpr OpRecord absent(std::string_view name) {
  OpRecord record{};
  record.name = name;
  record.infer = [](TypeContext& context) { refuse_here(context.node); };
  record.takes_wrapped = true;
  return record;
}

}  // namespace

#define SKERRY_ABSENT(identifier, name)      \
  extern const OpRecord identifier##_record; \
  const OpRecord identifier##_record = absent(name);
SKERRY_ABSENT(categorymapper, "ai.onnx.ml.CategoryMapper")
SKERRY_ABSENT(concatfromsequence, "ConcatFromSequence")
SKERRY_ABSENT(imagedecoder, "ImageDecoder")
SKERRY_ABSENT(optional, "Optional")
SKERRY_ABSENT(optionalgetelement, "OptionalGetElement")
SKERRY_ABSENT(optionalhaselement, "OptionalHasElement")
SKERRY_ABSENT(regexfullmatch, "RegexFullMatch")
SKERRY_ABSENT(sequenceat, "SequenceAt")
SKERRY_ABSENT(sequenceconstruct, "SequenceConstruct")
SKERRY_ABSENT(sequenceempty, "SequenceEmpty")
SKERRY_ABSENT(sequenceerase, "SequenceErase")
SKERRY_ABSENT(sequenceinsert, "SequenceInsert")
SKERRY_ABSENT(sequencelength, "SequenceLength")
SKERRY_ABSENT(sequencemap, "SequenceMap")
SKERRY_ABSENT(splittosequence, "SplitToSequence")
SKERRY_ABSENT(stringconcat, "StringConcat")
SKERRY_ABSENT(stringnormalizer, "StringNormalizer")
SKERRY_ABSENT(strings, "skerry.Strings")
SKERRY_ABSENT(stringsplit, "StringSplit")
SKERRY_ABSENT(zipmap, "ai.onnx.ml.ZipMap")
#undef SKERRY_ABSENT

std::vector<Datum> cast_texts(DataNode& context) {
  refuse_here(context.node);
}
std::vector<Datum> equal_texts(DataNode& context) {
  refuse_here(context.node);
}
std::vector<Datum> classify_texts(DataNode& context, std::string_view, std::string_view) {
  refuse_here(context.node);
}
std::vector<Datum> run_numbered(DataNode& context, std::string_view, std::string_view) {
  refuse_here(context.node);
}

}  // namespace skerry::ops
