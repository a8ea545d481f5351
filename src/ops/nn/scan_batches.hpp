/// \file
/// Scan as opset 8 has it.
#pragma once

#include <skerry/graph.hpp>

namespace skerry::ops {

/// Opset 8 scans the sequences of a batch, each as long as sequence_lens (input 0) says: the node becomes a Scan over
/// the batch whose body is the Scan of one sequence, cut to its length before and filled up with zeros after. Errors:
/// type_mismatch.
void scan_over_batch(Node& node);

}  // namespace skerry::ops
