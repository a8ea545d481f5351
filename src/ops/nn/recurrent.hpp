/// \file
/// What LSTM, GRU and RNN share: decoding of attributes, the type rule, and kernel rows over one direction after the
/// other.
#pragma once

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// The layers; each has its own number of gates, activations and states.
enum class RecurrentKind : std::uint8_t { lstm, gru, rnn };

void infer_recurrent(RecurrentKind kind, TypeContext& context);
Expected<std::vector<kernels::Work>> can_recurrent(RecurrentKind kind, const Node& node, const NodeTypes& types);
Prepared prepare_recurrent(RecurrentKind kind, const Node& node, const NodeTypes& types);

}  // namespace skerry::ops
