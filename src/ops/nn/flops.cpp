#include "ops/nn/flops.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <string_view>

namespace skerry::ops {
namespace {

constexpr double kOfNormalised = 5.0;

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view op) {
  return std::ranges::find(names, op) != names.end();
}

constexpr std::array<std::string_view, 43> kMoves = {"BitCast",         "Cast",          "CastLike",
                                                     "CenterCropPad",   "Col2Im",        "Compress",
                                                     "Concat",          "Constant",      "ConstantOfShape",
                                                     "DepthToSpace",    "Dropout",       "Expand",
                                                     "EyeLike",         "Flatten",       "Gather",
                                                     "GatherElements",  "GatherND",      "Identity",
                                                     "NonZero",         "OneHot",        "Pad",
                                                     "QLinearConcat",   "Range",         "Reshape",
                                                     "ReverseSequence", "Scatter",       "ScatterElements",
                                                     "ScatterND",       "Shape",         "Size",
                                                     "Slice",           "SpaceToDepth",  "Split",
                                                     "Squeeze",         "TensorScatter", "Tile",
                                                     "Transpose",       "Trilu",         "Unique",
                                                     "Unsqueeze",       "Where",         "MaxUnpool",
                                                     "circuit"};
constexpr std::array<std::string_view, 7> kNormalise = {"Softmax",
                                                        "LogSoftmax",
                                                        "LayerNormalization",
                                                        "RMSNormalization",
                                                        "GroupNormalization",
                                                        "InstanceNormalization",
                                                        "com.microsoft.QLinearSoftmax"};
constexpr std::array<std::string_view, 7> kPools = {
    "AveragePool",       "MaxPool",      "LpPool",       "com.microsoft.QLinearAveragePool",
    "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"};

class Counter {
 public:
  Counter(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  double count() const {
    const std::string_view op = node_.op;
    if (is_one_of(kMoves, op)) return 0.0;
    return core(op) + ending();
  }

 private:
  Shape shape(const std::vector<ValueId>& ids, std::size_t index) const {
    if (index >= ids.size() || ids[index] == kNoValue) return Shape{0};
    return graph_.value(ids[index]).type.static_shape().value_or(Shape{0});
  }
  Shape input(std::size_t index) const { return shape(node_.inputs, index); }
  double in(std::size_t index) const { return static_cast<double>(input(index).elements()); }
  double out() const { return static_cast<double>(shape(node_.outputs, 0).elements()); }
  static double extent(const Shape& shape, int axis) {
    const int at = axis < 0 ? axis + shape.rank() : axis;
    return at >= 0 && at < shape.rank() ? static_cast<double>(std::max<std::int64_t>(shape[at], 1)) : 1.0;
  }

  double core(std::string_view op) const {
    // Each output takes all weights of its channel.
    if (op == "Conv" || op == "ConvInteger" || op == "DeformConv") return conv(1);
    if (op == "QLinearConv") return conv(3);
    if (op == "ConvTranspose") return 2.0 * in(0) * in(1) / extent(input(1), 0);
    if (op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul" || op == "com.microsoft.MatMulIntegerToFloat")
      return 2.0 * out() * extent(input(0), -1);
    if (op == "Gemm" || op == "com.microsoft.QGemm")
      return 2.0 * out() * extent(input(0), node_.integer("transA", 0) != 0 ? 0 : 1);
    if (op == "Attention") return 2.0 * (in(0) + out()) * extent(input(1), -2) + kOfNormalised * scores();
    if (op == "LSTM" || op == "GRU" || op == "RNN") return 2.0 * in(0) / extent(input(0), -1) * (in(1) + in(2));
    // Regions are at most the whole image.
    if (op == "MaxRoiPool") return extent(input(1), 0) * in(0) / extent(input(0), 0);
    if (op.starts_with("ai.onnx.ml.SVM")) {
      const auto* found = node_.find("support_vectors");
      const auto* numbers = found == nullptr ? nullptr : std::get_if<std::vector<double>>(found);
      return 2.0 * in(0) / extent(input(0), -1) * static_cast<double>(numbers == nullptr ? 0 : numbers->size());
    }
    if (op == "Einsum") return einsum();
    if (op == "DFT" || op == "STFT") return spectra();
    if (is_one_of(kNormalise, op)) return kOfNormalised * in(0);
    if (op == "BatchNormalization") return 2.0 * out();
    if (is_one_of(kPools, op)) return pool();
    if (op.starts_with("Reduce") || op == "ArgMax" || op == "ArgMin" || op == "CumSum" || op == "CumProd") return in(0);
    return out();
  }

  double conv(std::size_t weights) const { return 2.0 * out() * in(weights) / extent(input(weights), 0); }

  // One for each query and key of each head.
  double scores() const {
    const Shape q = input(0);
    const double heads = q.rank() == 4 ? extent(q, 1) : static_cast<double>(node_.integer("q_num_heads", 1));
    return extent(q, 0) * heads * extent(q, -2) * extent(input(1), -2);
  }

  // Of complex numbers by factors of two: five for each number and factor.
  double spectra() const {
    const Shape y = shape(node_.outputs, 0);
    return 2.5 * out() * std::log2(std::max(2.0, extent(y, -2)));
  }

  double pool() const {
    if (node_.op.starts_with("Global")) return in(0);
    double taps = 1.0;
    for (const std::int64_t extent : node_.integers("kernel_shape")) taps *= static_cast<double>(extent);
    return out() * taps;
  }

  // Every combination of indices takes a multiplication for each further factor and an addition.
  double einsum() const {
    const std::string equation = node_.text("equation", "");
    std::map<char, double> extents;
    std::size_t operand = 0;
    int axis = 0;
    for (const char letter : equation) {
      if (letter == '-' || letter == '.') break;
      if (letter == ',') {
        ++operand;
        axis = 0;
      } else if (letter != ' ') {
        extents[letter] = extent(input(operand), axis++);
      }
    }
    if (equation.find('.') != std::string::npos) return out();
    double all = static_cast<double>(node_.inputs.size());
    for (const auto& [letter, extent] : extents) all *= extent;
    return all;
  }

  // What a pass put behind a convolution or a product.
  double ending() const {
    const bool quantised = node_.op == "QLinearConv";
    const bool takes_more = quantised || node_.op == "Conv" || node_.op == "MatMul" || node_.op == "Gemm";
    double more = 0.0;
    for (const std::size_t bias_or_residual : {quantised ? std::size_t{8} : 2, quantised ? std::size_t{9} : 3}) {
      const bool given = bias_or_residual < node_.inputs.size() && node_.inputs[bias_or_residual] != kNoValue;
      if (takes_more && given) more += out();
    }
    if (node_.find("activation") != nullptr || node_.find("least") != nullptr) more += out();
    return more;
  }

  const Graph& graph_;
  const Node& node_;
};

}  // namespace

double flops(const Graph& graph, const Node& node) {
  return Counter(graph, node).count();
}

}  // namespace skerry::ops
