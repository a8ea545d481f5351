/// \file
/// Windows that are sums of cosines: Hann, Hamming and Blackman.
#pragma once

#include "ops/nn/reference.hpp"

namespace skerry::ops {

/// y[i] = mean - first cos t + second cos 2t, t = 2 pi i / period.
struct Cosines {
  double mean, first, second;
};

void infer_window(TypeContext& context);
/// The period is the size, and one less where periodic = 0.
void cosine_window(const Cosines& of, const Node& node, const KernelArguments& arguments);

}  // namespace skerry::ops
