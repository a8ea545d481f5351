#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <skerry/compression.hpp>

#include "arrays.hpp"
#include "fine_tuning.hpp"
#include "model.hpp"
#include "options.hpp"

namespace skerry::python {
namespace {

Samples samples(const std::vector<nb::dict>& inputs, const std::vector<nb::object>& labels) {
  Samples out;
  for (const nb::dict& one : inputs) out.inputs.push_back(named_tensors(one));
  for (const nb::object& one : labels) out.labels.push_back(tensor_from_object(one));
  return out;
}

Model model_of(Graph graph) {
  return Model{std::make_shared<const Graph>(std::move(graph))};
}

nb::tuple quantize_model(const Model& model, const std::vector<nb::dict>& data, const std::vector<nb::dict>& judged,
                         const std::vector<nb::object>& labels, const std::string& kind, const std::string& calibration,
                         double percentile, bool per_channel, std::int64_t block, std::vector<std::string> keep,
                         std::optional<double> max_loss, int threads) {
  const QuantizeOptions options{.kind = quantization_from_name(kind),
                                .calibration = calibration_from_name(calibration),
                                .percentile = percentile,
                                .per_channel = per_channel,
                                .block = block,
                                .keep = std::move(keep),
                                .max_loss = max_loss,
                                .limits = limits_from(threads, {}, {})};
  const Samples seen = samples(data, {}), tried = samples(judged, labels);
  Quantized made;
  {
    const nb::gil_scoped_release release;
    made = quantize(*model.graph, seen, tried, options);
  }
  nb::list layers;
  for (const QuantizedLayer& l : made.layers)
    layers.append(nb::make_tuple(l.node, l.op, std::string(dtype_name(l.weights)), l.bytes_before, l.bytes));
  return nb::make_tuple(model_of(std::move(made.graph)), layers, made.weight_bytes_before, made.weight_bytes,
                        made.score_before, made.score, made.snr_db);
}

nb::tuple prune_model(const Model& model, double ratio, bool structured, bool global, std::int64_t multiple,
                      std::vector<std::string> keep, std::optional<double> threshold) {
  Pruned made = prune(*model.graph, {.ratio = ratio,
                                     .structured = structured,
                                     .global = global,
                                     .importance_threshold = threshold,
                                     .multiple = multiple,
                                     .keep = std::move(keep)});
  nb::list layers;
  for (const PrunedLayer& l : made.layers) layers.append(nb::make_tuple(l.node, l.op, l.before, l.left));
  return nb::make_tuple(model_of(std::move(made.graph)), layers, made.weight_bytes_before, made.weight_bytes);
}

nb::tuple compare_models(const Model& before, const Model& after, const std::vector<nb::dict>& judged,
                         const std::vector<nb::object>& labels, int threads) {
  const Samples tried = samples(judged, labels);
  const nb::gil_scoped_release release;
  const Agreement found = compare(*before.graph, *after.graph, tried, limits_from(threads, {}, {}));
  const nb::gil_scoped_acquire acquire;
  return nb::make_tuple(found.score_before, found.score, found.snr_db);
}

}  // namespace

void bind_compression(nb::module_& m) {
  bind_fine_tuning(m);
  m.def("quantize_model", quantize_model, nb::arg("model"), nb::arg("data"), nb::arg("judged"), nb::arg("labels"),
        nb::arg("kind"), nb::arg("calibration"), nb::arg("percentile"), nb::arg("per_channel"), nb::arg("block"),
        nb::arg("keep"), nb::arg("max_loss").none(), nb::arg("threads"),
        nb::sig(
            "def quantize_model(model: Model, data: Sequence[dict[str, object]], judged: Sequence[dict[str, object]], "
            "labels: Sequence[object], kind: str, calibration: str, percentile: float, per_channel: bool, block: int, "
            "keep: Sequence[str], max_loss: float | None, threads: int) -> tuple[Model, list[tuple[str, str, str, int, "
            "int]], int, int, float, float, float]"),
        "Use skerry.quantize.");
  m.def("prune_model", prune_model, nb::arg("model"), nb::arg("ratio"), nb::arg("structured"), nb::arg("whole"),
        nb::arg("multiple"), nb::arg("keep"), nb::arg("importance_threshold").none(),
        nb::sig("def prune_model(model: Model, ratio: float, structured: bool, whole: bool, multiple: int, keep: "
                "Sequence[str], importance_threshold: float | None) -> tuple[Model, list[tuple[str, str, int, int]], "
                "int, int]"),
        "Use skerry.prune.");
  m.def("compare_models", compare_models, nb::arg("before"), nb::arg("after"), nb::arg("judged"), nb::arg("labels"),
        nb::arg("threads"),
        nb::sig("def compare_models(before: Model, after: Model, judged: Sequence[dict[str, object]], labels: "
                "Sequence[object], threads: int) -> tuple[float, float, float]"),
        "Use skerry.compare.");
  m.def(
      "to_onnx",
      [](const Model& model) {
        const std::string bytes = to_onnx(*model.graph);
        return nb::bytes(bytes.data(), bytes.size());
      },
      nb::arg("model"), "The model as the bytes of an ONNX file (opset 21 or newer), for other runtimes.");
}

}  // namespace skerry::python
