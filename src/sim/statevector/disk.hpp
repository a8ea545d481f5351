/// \file
/// A state vector in a file, taken through its gates window by window; with a journal, it can go on after a kill.
///
///     pass        0          1          2                      journal: passes done, and which file holds them
///     file a   |0…0> ─▶ state     (next) ◀─ state
///     file b                └─▶ state ──┘                      a pass reads one file and writes the other
///
/// Without checkpoints there is one file without a name and passes work in place.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <skerry/circuit.hpp>
#include <span>
#include <string>

#include "base/scratch_file.hpp"
#include "kernels/statevec/sweep.hpp"
#include "sim/statevector/segments.hpp"

namespace skerry::sim {

/// That a state is kept on disk, and how much of it in memory.
struct DiskUse {
  std::filesystem::path folder;
  bool checkpoint = false;
  int window_wires = 0;
  std::uint64_t resident_bytes = 0;  ///< charged to the budget
};

/// The memory that a state of so many bytes is worked on in when there are so many for it. At least a tile's.
DiskUse use_disk(std::filesystem::path folder, bool checkpoint, std::uint64_t amplitude_bytes, std::uint64_t budget);

class DiskState {
 public:
  /// key: names the run; equal keys mean equal passes. A journal of that key is taken up. Errors: those of ScratchFile.
  DiskState(const DiskUse& use, std::uint64_t bytes, const std::string& key);

  /// Passes that are behind the current state; 0: there is none yet, all is zero.
  std::size_t passes_done() const noexcept { return done_; }
  bool keeps_journal() const noexcept { return use_.checkpoint; }
  std::byte* current() const noexcept { return files_[which_].bytes().data(); }
  /// Where the next pass writes: current() itself without checkpoints.
  std::byte* next() const noexcept { return files_[use_.checkpoint ? 1 - which_ : 0].bytes().data(); }
  /// The next pass is complete. With checkpoints it is on the disk when this returns.
  void pass_done();
  /// Nobody will go on from here: names are taken away, the current state stays mapped.
  void forget() noexcept;
  /// The file of the current state.
  base::ScratchFile release() { return std::move(files_[which_]); }

 private:
  std::filesystem::path path(const char* ending) const;
  void read_journal();

  DiskUse use_;
  std::uint64_t bytes_;
  std::string key_;
  std::size_t done_ = 0;
  std::size_t which_ = 0;
  base::ScratchFile files_[2];
};

/// Takes the state through the passes that it has not behind it. gates: those that the segment was planned for.
/// zero_wires: those on which the state is |0>; all of them at the start, when amplitudes need not be written yet. With
/// checkpoints there is one segment.
template <class T>
void run_on_disk(DiskState& disk, const Segment& segment, const GateList& gates, const ParamValue& value,
                 std::uint64_t& zero_wires, kernels::SweepScratch<T>& scratch, const RunControl& control);

/// A name for the way to a state: its gates with their numbers, precision and the passes they are done in.
std::string disk_key(const Circuit& circuit, const Code& code, std::span<const Segment> segments,
                     const ParamValue& value, std::size_t bytes_per_number);

}  // namespace skerry::sim
