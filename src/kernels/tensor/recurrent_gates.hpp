/// \file
/// What a recurrent step does to its gates, in vectors of f32.
#pragma once

#include <cstddef>

namespace skerry::kernels {

/// gates: i, o, f and the candidate before their activations, `hidden` of each. c = s(f) c + s(i) tanh(candidate),
/// h = s(o) tanh(c), s the sigmoid.
void lstm_gates(const float* gates, float* c, float* h, std::size_t hidden);

/// reset_h = s(r) h.
void gru_reset(const float* r, const float* h, float* reset_h, std::size_t hidden);

/// gates: z, r and the candidate before their activations. linear, or null: what is added to the candidate after it was
/// multiplied by s(r). h = (1 - s(z)) tanh(candidate) + s(z) h.
void gru_gates(const float* gates, const float* linear, float* h, std::size_t hidden);

}  // namespace skerry::kernels
