/// \file
/// Two tensors of strings under NumPy broadcasting.
#pragma once

#include <utility>

#include "ops/nn/data_node.hpp"

namespace skerry::ops {

/// Inputs 0 and 1 in the shape that both fit into. Errors: type_mismatch.
std::pair<Strings, Strings> broadcast_texts(DataNode& context);

/// Equal of strings.
std::vector<Datum> equal_texts(DataNode& context);

}  // namespace skerry::ops
