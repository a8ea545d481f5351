#include <cmath>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const auto bins = constant_integers(context, 0), length = constant_integers(context, 1);
  const auto extent = [](const auto& value, auto f) {
    return value && value->size() == 1 ? Dim(f((*value)[0])) : Dim();
  };
  if ((bins && bins->at(0) < 0) || (length && length->at(0) < 0)) refuse(context.node, "a number of bins below zero");
  set_output(
      context, 0, dtype_attribute(context.node, "output_datatype", DType::f32),
      Dims{extent(length, [](std::int64_t n) { return n / 2 + 1; }), extent(bins, [](std::int64_t n) { return n; })});
}

void run(const Node&, const KernelArguments& a) {
  const auto number = [&a](std::size_t i) { return doubles(a.inputs[i])[0]; };
  const std::int64_t bins = longs(a.inputs[0])[0], length = longs(a.inputs[1])[0];
  const auto mel = [](double hertz) { return 2595.0 * std::log10(1.0 + hertz / 700.0); };
  const double low = mel(number(3)), high = mel(number(4)), step = (high - low) / static_cast<double>(bins + 2);
  Longs edges;
  for (std::int64_t i = 0; i < bins + 2; ++i) {
    const double hertz = 700.0 * (std::pow(10.0, (static_cast<double>(i) * step + low) / 2595.0) - 1.0);
    edges.push_back(place_of(std::floor(static_cast<double>(length + 1) * hertz / number(2))));
  }
  Doubles y(static_cast<std::size_t>(a.outputs[0].elements()), 0.0);
  const auto weight = [&](std::int64_t spectrum, std::int64_t bin) -> double& {
    if (spectrum < 0 || spectrum > length / 2) outside("edge " + std::to_string(spectrum) + " of a band");
    return y[static_cast<std::size_t>(spectrum * bins + bin)];
  };
  // Triangles: up from one edge to the next, down to the one after it.
  for (std::int64_t i = 0; i < bins; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t left = edges[at], middle = edges[at + 1], right = edges[at + 2];
    if (middle == left) weight(middle, i) = 1.0;
    for (std::int64_t j = left; middle > left && j <= middle; ++j)
      weight(j, i) = static_cast<double>(j - left) / static_cast<double>(middle - left);
    for (std::int64_t j = middle; j < right; ++j)
      weight(j, i) = static_cast<double>(right - j) / static_cast<double>(right - middle);
  }
  store(y, a.outputs[0]);
}

}  // namespace

extern const OpRecord melweightmatrix_record;
const OpRecord melweightmatrix_record = {
    .name = "MelWeightMatrix",
    .since_opset = 17,
    .help =
        "[dft_length / 2 + 1, bins]: how much each frequency of a spectrum counts for triangular bands that are "
        "equally "
        "wide in mel, from the lower to the upper edge in Hz. Inputs bins, dft_length, sample_rate, lower, upper.",
    .inputs = 5,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
