/// \file
/// Pairs of elements turned by angles.
#pragma once

#include <cstddef>

namespace skerry::kernels {

/// Each of `pairs` pairs (a, b) of x becomes (cos a - sin b, sin a + cos b): pair k is elements 2 k and 2 k + 1 where
/// `interleaved`, else k and k + pairs. On the calling thread; y may be x.
void rotate_pairs_f32(const float* x, const float* cosines, const float* sines, std::size_t pairs, bool interleaved,
                      float* y);

}  // namespace skerry::kernels
