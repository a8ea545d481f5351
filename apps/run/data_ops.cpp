// What a device leaves out: operators on sequences, optionals, maps, strings and images, and what is there for
// training, for drawing samples, and for putting together what maps were cast to. These stand before the library's own,
// which are then not linked; a package that has one is refused by its name.
#include <skerry/error.hpp>

#include "ops/nn/broadcast_texts.hpp"
#include "ops/nn/cast.hpp"
#include "ops/nn/scan_batches.hpp"
#include "ops/nn/text_labels.hpp"
#include "ops/nn/training_modes.hpp"

namespace skerry::ops {
namespace {

[[noreturn]] void refuse_here(const Node& node) {
  throw Error(ErrorCode::unsupported, node.op + " is not in skerry-run as it stands here", node.place(),
              "run the model with skerry, from Python or from C++");
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
SKERRY_ABSENT(bernoulli, "Bernoulli")
SKERRY_ABSENT(castmap, "ai.onnx.ml.CastMap")
SKERRY_ABSENT(categorymapper, "ai.onnx.ml.CategoryMapper")
SKERRY_ABSENT(concatfromsequence, "ConcatFromSequence")
SKERRY_ABSENT(dictvectorizer, "ai.onnx.ml.DictVectorizer")
SKERRY_ABSENT(featurevectorizer, "ai.onnx.ml.FeatureVectorizer")
SKERRY_ABSENT(imagedecoder, "ImageDecoder")
SKERRY_ABSENT(multinomial, "Multinomial")
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

void scan_over_batch(Node& node) {
  refuse_here(node);
}
void drop_at_random(const KernelArguments&, const Drawn&, const std::string& where) {
  throw Error(ErrorCode::unsupported, "Dropout that trains is not in skerry-run", where,
              "export the model for inference");
}
Prepared prepare_batch_training(const Node& node, const NodeTypes&) {
  throw Error(ErrorCode::unsupported, "BatchNormalization that trains is not in skerry-run", node.name,
              "export the model for inference");
}
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
