/// \file
/// Pauli frames of many shots at once: what each shot's errors and coins have made of a reference run, one bit a shot.
///
/// Wire w has a row of x bits and a row of z bits, `words` words long, bit s of which says that shot s carries an X (a
/// Z) on w beyond the reference. A Clifford gate is then a few exclusive ors of rows, a measurement a copy. Source:
/// Gidney, arXiv:2103.02202, section 4; the idea: Rall, Liang, Cook, Kretschmer, arXiv:1810.02955.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace skerry::kernels {

/// What happens to the frames of wires a and b. Signs are the reference's business: a Pauli gate moves no frame.
enum class FrameOp : std::uint8_t {
  h,          ///< x_a <-> z_a
  s,          ///< z_a ^= x_a
  cx,         ///< x_b ^= x_a, z_a ^= z_b
  cz,         ///< z_b ^= x_a, z_a ^= x_b
  swap,       ///< wires a and b
  measure,    ///< record b = x_a, z_a random: the phase of an eigenstate of Z is of no consequence
  measure_x,  ///< the same in the X basis: record b = z_a, x_a random
  reset,      ///< x_a = 0, z_a random
  reset_x,    ///< z_a = 0, x_a random
  x_if,       ///< x_a ^= record b
  z_if,       ///< z_a ^= record b
};

struct FrameStep {
  FrameOp op{};
  std::uint32_t a = 0, b = 0;
};

/// The rows of one batch of shots. Row r of each table begins at words * r.
struct FrameView {
  std::uint64_t* x = nullptr;       ///< a row per wire
  std::uint64_t* z = nullptr;       ///< a row per wire
  std::uint64_t* record = nullptr;  ///< a row per measurement
  std::size_t words = 0;            ///< a multiple of kRowWords
  std::uint64_t seed = 0;
  std::uint64_t first_word = 0;  ///< shot of bit 0 divided by 64; even
  std::uint64_t event = 0;       ///< random rows taken so far
};

/// Words first_word … of random row `event`: words 2 b and 2 b + 1 are block b of stream `event` of Philox
/// (base/random).
void random_row(std::uint64_t* row, std::size_t words, std::uint64_t seed, std::uint64_t event,
                std::uint64_t first_word);
/// Moves the frames through the steps, in order; each random row takes the next event.
void run_frames(std::span<const FrameStep> steps, FrameView& frames);

/// The same word after word; what the tests compare with.
void random_row_ref(std::uint64_t* row, std::size_t words, std::uint64_t seed, std::uint64_t event,
                    std::uint64_t first_word);
void run_frames_ref(std::span<const FrameStep> steps, FrameView& frames);

}  // namespace skerry::kernels
