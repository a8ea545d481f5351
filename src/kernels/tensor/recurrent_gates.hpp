/// \file
/// What a recurrent step does, in vectors of f32.
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

/// A step of one row: its state times the recurrent weights, which are read once in it. Read by turns from the front
/// and from the back, those at the turn are still in the first-level cache; the results are the same.
struct RecurrentRow {
  std::size_t hidden;
  const float* recurrence;  ///< as pack_recurrent_row() left it
  const float* h;
  bool backwards;
};
/// recurrence [gates * hidden, hidden]: for each vector of units, state by state, all gates of these units.
void pack_recurrent_row(const float* recurrence, std::size_t gates, std::size_t hidden, float* packed);
std::size_t recurrent_row_floats(std::size_t gates, std::size_t hidden) noexcept;
/// gates, to which the products are added, and c as in lstm_gates(); next_h is not h.
void lstm_row(const RecurrentRow& row, float* gates, float* c, float* next_h);
/// gates as in gru_gates(); products of z and r are added to them, the candidate's to linear. next_h is not h.
void gru_row(const RecurrentRow& row, float* gates, float* linear, float* next_h);

}  // namespace skerry::kernels
