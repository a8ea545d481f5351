/// \file
/// The importer's row in frontends.def, and the way of a model from bytes to a typed graph.
#include <algorithm>

#include "frontend/frontend.hpp"
#include "frontend/onnx/importer.hpp"
#include "frontend/onnx/types.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::frontend {

namespace {

/// IR version of onnx 1.23, the newest whose structure is known.
constexpr std::int64_t kNewestIrVersion = 14;

void require_known_ir_version(std::int64_t version) {
  if (version < 1) throw Error(ErrorCode::semantic_error, "IR version " + std::to_string(version) + " does not exist");
  if (version > kNewestIrVersion)
    throw Error(ErrorCode::version_too_new, "the model has IR version " + std::to_string(version) +
                                                ", the newest known is " + std::to_string(kNewestIrVersion));
}

/// Inference decides; the file's word counts where inference had to leave a dimension open, and a wrong dtype is a
/// wrong model. A shape that contradicts inference is what careless exporters write: it is passed over.
void merge_stated_outputs(const onnx::proto::Graph& stated, Graph& graph, const std::byte* origin,
                          const ImportLimits& limits) {
  for (std::size_t i = 0; i < stated.outputs.size(); ++i) {
    const auto& output = stated.outputs[i];
    if (output.body.empty()) continue;
    TensorType said;
    try {
      said = onnx::read_type(output.body, origin, limits);
    } catch (const Error& error) {
      throw error.at(output.name);
    }
    TensorType& type = graph.value(graph.outputs()[i]).type;
    if (said.dtype != type.dtype || said.wraps != type.wraps)
      throw Error(ErrorCode::type_mismatch, "output is stated as " + said.text() + " but is " + type.text(),
                  std::string(output.name));
    if (!said.shape) continue;
    if (!type.shape) type.shape = said.shape;
    if (said.shape->size() != type.shape->size()) continue;
    for (std::size_t axis = 0; axis < said.shape->size(); ++axis) {
      Dim& dim = (*type.shape)[axis];
      if (!dim.is_known() && dim.symbol.empty()) dim = (*said.shape)[axis];
    }
  }
}

Graph import_model(const Source& source, const ImportLimits& limits) {
  const onnx::proto::Model model = onnx::proto::read_model(source.bytes, limits);
  require_known_ir_version(model.ir_version);
  const onnx::FunctionTable functions(model, limits.max_nesting);
  const std::byte* origin = source.bytes.data();
  onnx::TensorDecoder tensors(source.bytes, source.owner, source.folder, limits);
  onnx::Importer importer(model, functions, tensors, origin, limits);
  onnx::require_known_operators(model, functions);
  Graph graph = importer.import();
  ops::infer_types(graph);
  merge_stated_outputs(model.graph, graph, origin, limits);
  return graph;
}

bool sniff_onnx(const Source& source) {
  return onnx::proto::looks_like_model(source.bytes);
}

Imported import_onnx(const Source& source, const ImportLimits& limits) {
  return import_model(source, limits);
}

}  // namespace

extern const Frontend onnx_frontend;
const Frontend onnx_frontend{.name = "onnx", .what = "an ONNX model", .sniff = sniff_onnx, .import = import_onnx};

}  // namespace skerry::frontend
