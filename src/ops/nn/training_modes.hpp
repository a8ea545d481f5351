/// \file
/// What BatchNormalization and Dropout do when a model trains.
#pragma once

#include <string>

#include "ops/nn/random.hpp"

namespace skerry::ops {

/// Output 0 is input 0, and the mask in output 1, where it is wanted, true everywhere.
void keep_all(const KernelArguments& arguments);
/// Each element of input 0 is 0 with the probability in input 1 (0.5 where it is left out), and the others are as much
/// larger; output 1 is the mask. Errors: out_of_range for a ratio that is not in [0, 1).
void drop_at_random(const KernelArguments& arguments, const Drawn& drawn, const std::string& where);

/// A BatchNormalization by the batch's own mean and variance, and the running ones as outputs 1 and 2, the batch's as
/// outputs 3 and 4.
Prepared prepare_batch_training(const Node& node, const NodeTypes& types);

}  // namespace skerry::ops
