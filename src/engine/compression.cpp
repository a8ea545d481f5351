// Quantising needs runs: what activations are like, and what quantising does to the answers.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <skerry/compression.hpp>
#include <skerry/error.hpp>
#include <utility>

#include "base/file.hpp"
#include "emit/onnx.hpp"
#include "passes/quant/quantize.hpp"

namespace skerry {
namespace {

using passes::quant::Quantizer;
using passes::quant::Range;
using passes::quant::Seen;
using passes::quant::Width;

constexpr std::array<std::string_view, 4> kCalibrations = {"min-max", "percentile", "entropy", "mse"};
constexpr std::array<std::string_view, 3> kQuantizations = {"int8", "int8-weights", "int4-weights"};

template <class Enum, std::size_t N>
Enum by_name(std::string_view name, const std::array<std::string_view, N>& names, const char* what) {
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<Enum>(found - names.begin());
  std::string known;
  for (const std::string_view one : names) known += (known.empty() ? "" : ", ") + std::string(one);
  throw Error(ErrorCode::invalid_argument, "unknown " + std::string(what) + " '" + std::string(name) + "'", {},
              "use one of " + known);
}

void check(const QuantizeOptions& options) {
  const auto refuse = [](const std::string& what, const char* where, const char* hint) {
    throw Error(ErrorCode::invalid_argument, what, where, hint);
  };
  if (!(options.percentile > 50.0 && options.percentile <= 100.0))
    refuse("a percentile of " + std::to_string(options.percentile), "percentile", "give more than 50 and at most 100");
  if (options.block < 2 || options.block > 4096)
    refuse("blocks of " + std::to_string(options.block), "block", "give 2 to 4096");
  if (options.max_loss && !(*options.max_loss >= 0.0 && *options.max_loss <= 1.0))
    refuse("a loss of " + std::to_string(*options.max_loss), "max_loss", "give a share from 0 to 1");
}

template <class T>
void check_finite(const Tensor& tensor, const std::string& name, std::size_t run) {
  const auto values = tensor.as<T>();
  const auto found = std::ranges::find_if(values, [](T value) { return !std::isfinite(value); });
  if (found == values.end()) return;
  const std::string what = std::isnan(*found) ? "no number" : "infinite";
  throw Error(ErrorCode::invalid_argument,
              "element " + std::to_string(found - values.begin()) + " of run " + std::to_string(run) + " is " + what,
              "input '" + name + "'", "leave such samples out: nothing can be measured on them");
}

void check(const Samples& samples) {
  for (std::size_t run = 0; run < samples.inputs.size(); ++run)
    for (const auto& [name, tensor] : samples.inputs[run]) {
      if (tensor.dtype() == DType::f32) check_finite<float>(tensor, name, run);
      if (tensor.dtype() == DType::f64) check_finite<double>(tensor, name, run);
    }
  if (!samples.labels.empty() && samples.labels.size() != samples.inputs.size())
    throw Error(ErrorCode::invalid_argument,
                std::to_string(samples.labels.size()) + " tensors of labels for " +
                    std::to_string(samples.inputs.size()) + " runs",
                "labels", "give one for each run, or none");
  for (const Tensor& labels : samples.labels)
    if (labels.dtype() != DType::i64 && labels.dtype() != DType::i32)
      throw Error(ErrorCode::type_mismatch, "labels are " + std::string(dtype_name(labels.dtype())), "labels",
                  "give i32 or i64");
}

std::int64_t label_at(const Tensor& labels, std::size_t i) {
  return labels.dtype() == DType::i64 ? labels.as<std::int64_t>()[i] : labels.as<std::int32_t>()[i];
}

// Places of the largest element of each row; empty where there are no rows of f32.
std::vector<std::int64_t> classes_of(const Tensor& output) {
  std::vector<std::int64_t> out;
  const int rank = output.shape().rank();
  if (output.dtype() != DType::f32 || rank == 0 || output.shape().elements() == 0) return out;
  const auto width = static_cast<std::size_t>(output.shape()[rank - 1]);
  const auto values = output.as<float>();
  for (std::size_t row = 0; row < values.size(); row += width) {
    const auto line = values.subspan(row, width);
    out.push_back(std::ranges::max_element(line) - line.begin());
  }
  return out;
}

// What a graph answers to the judged samples.
class Judge {
 public:
  Judge(const Graph& model, const Samples& samples, const Limits& limits) : samples_(samples), limits_(limits) {
    wanted_ = answers(model);
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const std::vector<std::int64_t> own = classes_of(wanted_[i]);
      right_.push_back(own);
      if (samples.labels.empty()) continue;
      const Tensor& labels = samples.labels[i];
      if (labels.shape().elements() != static_cast<std::int64_t>(own.size()))
        throw Error(ErrorCode::invalid_argument,
                    std::to_string(labels.shape().elements()) + " labels for " + std::to_string(own.size()) + " rows",
                    "labels", "give one for each row of the model's first output");
      const std::int64_t width = own.empty() ? 0 : wanted_[i].shape()[wanted_[i].shape().rank() - 1];
      for (std::size_t row = 0; row < own.size(); ++row) {
        const std::int64_t label = right_.back()[row] = label_at(labels, row);
        if (label < 0 || label >= width)
          throw Error(ErrorCode::invalid_argument,
                      "label " + std::to_string(label) + " of " + std::to_string(width) + " classes", "labels",
                      "count classes from 0");
      }
    }
  }

  struct Verdict {
    double score, snr_db;
  };
  Verdict judge(const Graph& graph) const {
    const std::vector<Tensor> given = answers(graph);
    std::size_t rows = 0, hits = 0;
    double signal = 0.0, noise = 0.0;
    for (std::size_t i = 0; i < given.size(); ++i) {
      const std::vector<std::int64_t> classes = classes_of(given[i]);
      for (std::size_t row = 0; row < classes.size(); ++row, ++rows) hits += classes[row] == right_[i][row] ? 1 : 0;
      if (given[i].dtype() != DType::f32) continue;
      const auto a = wanted_[i].as<float>(), b = given[i].as<float>();
      for (std::size_t k = 0; k < a.size(); ++k) {
        const double x = static_cast<double>(a[k]), off = static_cast<double>(b[k]) - x;
        signal += x * x;
        noise += off * off;
      }
    }
    const double score =
        rows == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(hits) / static_cast<double>(rows);
    return {score, 10.0 * std::log10(signal / noise)};
  }

 private:
  std::vector<Tensor> answers(const Graph& graph) const {
    Session session(std::make_shared<const Graph>(graph), limits_);
    std::vector<Tensor> out;
    for (const NamedTensors& inputs : samples_.inputs) out.push_back(session.run(inputs).tensors.front().second);
    return out;
  }

  const Samples& samples_;
  const Limits& limits_;
  std::vector<Tensor> wanted_;
  std::vector<std::vector<std::int64_t>> right_;
};

// Ranges by ValueId, of the values in `seen`.
std::vector<Range> ranges_of(const Graph& graph, const std::vector<ValueId>& values, const Samples& samples,
                             const QuantizeOptions& options) {
  std::vector<Seen> seen(values.size());
  Graph watched = graph;
  std::vector<ValueId> made;
  std::vector<std::size_t> of_made;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (graph.value(values[i]).producer == kNoNode) continue;
    made.push_back(values[i]);
    of_made.push_back(i);
  }
  watched.set_outputs(made);
  Session session(std::make_shared<const Graph>(watched), options.limits);
  const auto each = [&](void (Seen::*visit)(std::span<const float>) noexcept) {
    for (const NamedTensors& inputs : samples.inputs) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (graph.value(values[i]).producer != kNoNode) continue;
        const auto given = std::ranges::find(inputs, graph.value(values[i]).name, &NamedTensors::value_type::first);
        if (given != inputs.end() && given->second.dtype() == DType::f32) (seen[i].*visit)(given->second.as<float>());
      }
      if (made.empty()) continue;
      const Result result = session.run(inputs);
      for (std::size_t k = 0; k < made.size(); ++k) (seen[of_made[k]].*visit)(result.tensors[k].second.as<float>());
    }
  };
  each(&Seen::widen);
  each(&Seen::count);
  std::vector<Range> out(graph.values().size());
  for (std::size_t i = 0; i < values.size(); ++i)
    out[values[i]] = seen[i].range(options.calibration, options.percentile);
  return out;
}

Width width_of(Quantization kind) {
  switch (kind) {
    case Quantization::int8:
      return Width::int8;
    case Quantization::int8_weights:
      return Width::int8_weights;
    case Quantization::int4_weights:
      return Width::int4_weights;
  }
  return Width::real;
}

// What a layer is where the wanted width hurts.
Width wider(Width width) {
  return width == Width::int4_weights ? Width::int8_weights : Width::real;
}

std::uint64_t constant_bytes(const Graph& graph) {
  std::uint64_t bytes = 0;
  for (const Value& value : graph.values()) bytes += value.constant ? value.constant->view().bytes() : 0;
  return bytes;
}

struct Search {
  const Graph& graph;
  const QuantizeOptions& options;
  const Judge& judge;
  std::vector<NodeId> layers;
  std::vector<Range> ranges;

  Graph made(const std::vector<Width>& widths, std::vector<passes::quant::LayerBytes>& bytes) const {
    const Quantizer quantizer{graph, widths, options.per_channel, options.block};
    return quantizer.quantized(ranges, bytes);
  }
  Judge::Verdict verdict(const std::vector<Width>& widths) const {
    std::vector<passes::quant::LayerBytes> bytes;
    return judge.judge(made(widths, bytes));
  }

  // All layers wider by a step until the score holds, then as few of them as hold it.
  std::vector<Width> mixed(std::vector<Width> widths, double least) const {
    while (verdict(widths).score < least) {
      std::vector<Width> all = widths;
      for (const NodeId id : layers) all[id] = wider(all[id]);
      if (all == widths) return widths;
      if (!(verdict(all).score < least)) return fewest(widths, least);
      widths = std::move(all);
    }
    return widths;
  }

  // The layer that alone makes the largest error is the first to be wider; how many have to be is found by halving: a
  // wider layer is taken not to hurt.
  std::vector<Width> fewest(const std::vector<Width>& narrow, double least) const {
    std::vector<std::pair<double, NodeId>> noise;
    for (const NodeId id : layers) {
      if (narrow[id] == Width::real) continue;
      std::vector<Width> alone(narrow.size(), Width::real);
      alone[id] = narrow[id];
      noise.emplace_back(verdict(alone).snr_db, id);
    }
    std::ranges::sort(noise);
    const auto with = [&](std::size_t count) {
      std::vector<Width> widths = narrow;
      for (std::size_t i = 0; i < count; ++i) widths[noise[i].second] = wider(widths[noise[i].second]);
      return widths;
    };
    std::size_t low = 0, high = noise.size();
    while (high - low > 1) {
      const std::size_t middle = (low + high) / 2;
      (verdict(with(middle)).score < least ? low : high) = middle;
    }
    return with(high);
  }
};

}  // namespace

Calibration calibration_from_name(std::string_view name) {
  return by_name<Calibration>(name, kCalibrations, "calibration");
}
std::string_view calibration_name(Calibration calibration) noexcept {
  return kCalibrations[static_cast<std::size_t>(calibration)];
}
Quantization quantization_from_name(std::string_view name) {
  return by_name<Quantization>(name, kQuantizations, "kind of quantisation");
}
std::string_view quantization_name(Quantization quantization) noexcept {
  return kQuantizations[static_cast<std::size_t>(quantization)];
}

Quantized quantize(const Graph& model, const Samples& calibration, const Samples& judged,
                   const QuantizeOptions& options) {
  check(options);
  check(judged);
  const Graph graph = passes::quant::prepared(model);
  const std::vector<NodeId> layers = passes::quant::layers(graph);
  if (layers.empty())
    throw Error(ErrorCode::unsupported, "the model has no convolution or product of f32 with constant weights",
                graph.name, "it may be quantised already");
  passes::quant::check_names(graph, options.keep);
  const Samples& tried = judged.inputs.empty() ? calibration : judged;
  if (options.kind == Quantization::int8 && calibration.inputs.empty())
    throw Error(ErrorCode::invalid_argument, "the ranges of activations are seen on samples, and there are none",
                "calibration", "give some inputs, or quantise weights alone");
  if (options.max_loss && tried.inputs.empty())
    throw Error(ErrorCode::invalid_argument, "a loss is measured on samples, and there are none", "max_loss",
                "give some inputs");

  std::vector<Width> widths(graph.nodes().size(), Width::real);
  for (const NodeId id : layers)
    if (std::ranges::find(options.keep, passes::quant::layer_name(graph, id)) == options.keep.end())
      widths[id] = width_of(options.kind);
  std::vector<Range> ranges(graph.values().size());
  if (options.kind == Quantization::int8)
    ranges = ranges_of(graph, Quantizer{graph, widths}.to_see(), calibration, options);

  const Judge judge(model, tried, options.limits);
  const Search search{graph, options, judge, layers, std::move(ranges)};
  Quantized out;
  out.score_before = tried.inputs.empty() ? std::numeric_limits<double>::quiet_NaN() : judge.judge(model).score;
  if (options.max_loss) widths = search.mixed(widths, out.score_before - *options.max_loss);
  std::vector<passes::quant::LayerBytes> bytes;
  out.graph = search.made(widths, bytes);
  for (std::size_t i = 0; i < layers.size(); ++i)
    out.layers.push_back({passes::quant::layer_name(graph, layers[i]), graph.node(layers[i]).op, bytes[i].dtype,
                          bytes[i].after, bytes[i].before});
  out.weight_bytes = constant_bytes(out.graph);
  out.weight_bytes_before = constant_bytes(model);
  const Judge::Verdict verdict = judge.judge(out.graph);
  out.score = verdict.score;
  out.snr_db = verdict.snr_db;
  return out;
}

Agreement compare(const Graph& before, const Graph& after, const Samples& judged, const Limits& limits) {
  check(judged);
  const Judge judge(before, judged, limits);
  const Judge::Verdict verdict = judge.judge(after);
  return {verdict.score, judge.judge(before).score, verdict.snr_db};
}

std::string to_onnx(const Graph& graph) {
  return emit::onnx(graph);
}

void save_onnx(const Graph& graph, const std::filesystem::path& path) {
  const std::string bytes = emit::onnx(graph);
  const std::array<std::span<const std::byte>, 1> parts = {std::as_bytes(std::span(bytes))};
  base::write_file_atomically(path, parts);
}

}  // namespace skerry
