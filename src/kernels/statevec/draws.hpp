/// \file
/// Random numbers for many shots at once.
#pragma once

#include <cstdint>
#include <span>

namespace skerry::kernels {

/// out[i] = base::Philox(seed, shots[i]) after seek(position), its uniform(); bit for bit. position is even.
/// out and shots are equally long.
void shot_uniforms(std::uint64_t seed, std::span<const std::uint64_t> shots, std::uint64_t position,
                   std::span<double> out);

}  // namespace skerry::kernels
