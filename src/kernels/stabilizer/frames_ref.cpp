#include <algorithm>

#include "base/random.hpp"
#include "kernels/stabilizer/frames.hpp"

namespace skerry::kernels {

void random_row_ref(std::uint64_t* row, std::size_t words, std::uint64_t seed, std::uint64_t event,
                    std::uint64_t first_word) {
  const auto low = [](std::uint64_t v) { return static_cast<std::uint32_t>(v); };
  const auto high = [](std::uint64_t v) { return static_cast<std::uint32_t>(v >> 32); };
  for (std::size_t i = 0; i < words; i += 2) {
    const std::uint64_t block = (first_word + i) / 2;
    const auto out = base::Philox::block({low(block), high(block), low(event), high(event)}, {low(seed), high(seed)});
    row[i] = std::uint64_t{out[1]} << 32 | out[0];
    row[i + 1] = std::uint64_t{out[3]} << 32 | out[2];
  }
}

namespace {

void step_ref(const FrameStep& step, FrameView& frames) {
  const std::size_t words = frames.words;
  std::uint64_t *const xa = frames.x + words * step.a, *const za = frames.z + words * step.a;
  const auto add = [words](std::uint64_t* to, const std::uint64_t* from) {
    for (std::size_t i = 0; i < words; ++i) to[i] ^= from[i];
  };
  const auto exchange = [words](std::uint64_t* one, std::uint64_t* other) {
    std::swap_ranges(one, one + words, other);
  };
  const auto x_b = [&] { return frames.x + words * step.b; };
  const auto z_b = [&] { return frames.z + words * step.b; };
  const auto record = [&] { return frames.record + words * step.b; };
  const auto randomise = [&](std::uint64_t* row) {
    random_row_ref(row, words, frames.seed, frames.event++, frames.first_word);
  };
  switch (step.op) {
    case FrameOp::h:
      return exchange(xa, za);
    case FrameOp::s:
      return add(za, xa);
    case FrameOp::cx:
      add(x_b(), xa);
      return add(za, z_b());
    case FrameOp::cz:
      add(z_b(), xa);
      return add(za, x_b());
    case FrameOp::swap:
      exchange(xa, x_b());
      return exchange(za, z_b());
    case FrameOp::measure:
      std::copy_n(xa, words, record());
      return randomise(za);
    case FrameOp::measure_x:
      std::copy_n(za, words, record());
      return randomise(xa);
    case FrameOp::reset:
      std::fill_n(xa, words, 0);
      return randomise(za);
    case FrameOp::reset_x:
      std::fill_n(za, words, 0);
      return randomise(xa);
    case FrameOp::x_if:
      return add(xa, record());
    case FrameOp::z_if:
      return add(za, record());
  }
}

}  // namespace

void run_frames_ref(std::span<const FrameStep> steps, FrameView& frames) {
  for (const FrameStep& step : steps) step_ref(step, frames);
}

}  // namespace skerry::kernels
