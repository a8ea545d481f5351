#include "sim/statevector/disk.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <skerry/error.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/threads.hpp"

namespace skerry::sim {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxJournal = 4096;
constexpr std::string_view kJournalHead = "skerry state vector 1\n";

std::uint64_t lowest(int wires) {
  return (std::uint64_t{1} << wires) - 1;
}

/// Copies the amplitudes of a window, whose other wires stand at `base`.
void copy_window(const std::byte* from, std::byte* to, std::uint64_t window, std::uint64_t base,
                 std::uint64_t amplitude_bytes, const RunControl& control) {
  const int stretch = std::countr_one(window);
  const std::uint64_t others = window & ~lowest(stretch);
  // A window of all wires is one stretch: copied in pieces all the same.
  constexpr std::uint64_t piece = std::uint64_t{1} << 20;
  const std::uint64_t bytes = amplitude_bytes << stretch;
  base::parallel_for(0, std::size_t{1} << std::popcount(others), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::uint64_t at = (kernels::deal(i, others) | base) * amplitude_bytes;
      for (std::uint64_t done = 0; done < bytes; done += piece) {
        control.check("simulation on disk");
        std::memcpy(to + at + done, from + at + done, std::min(piece, bytes - done));
      }
    }
  });
}

/// The numbers of a journal, one per word.
std::uint64_t take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return ~std::uint64_t{0};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty()) text.remove_prefix(1);
  return number;
}

}  // namespace

DiskUse use_disk(fs::path folder, bool checkpoint, std::uint64_t amplitude_bytes, std::uint64_t budget) {
  // Half for the pages of files. Of that half a window, so that one file's or two files' pages stay while they are
  // worked on.
  const std::uint64_t resident = budget / 2;
  const std::uint64_t amplitudes = std::max<std::uint64_t>(resident / 2 / amplitude_bytes, 1);
  return {std::move(folder), checkpoint, static_cast<int>(std::bit_width(amplitudes)) - 1, resident};
}

DiskState::DiskState(const DiskUse& use, std::uint64_t bytes, const std::string& key)
    : use_(use), bytes_(bytes), key_(key) {
  if (!use.checkpoint) {
    files_[0] = base::ScratchFile::unnamed(use.folder, bytes);
    files_[0].bound_residence(use.resident_bytes);
    return;
  }
  // The first file is the lock of both and of the journal; a size that is right says nothing of the content.
  files_[0] = base::ScratchFile::named(path("a"), bytes, false);
  base::remove_left_over(use.folder);
  read_journal();
  files_[1] = base::ScratchFile::named(path("b"), bytes, done_ == 0);
  // A pass that was begun and not journalled is begun again on zeros where there is no earlier one.
  if (done_ == 0) {
    which_ = 1;
    files_[0] = {};
    files_[0] = base::ScratchFile::named(path("a"), bytes, true);
  }
  for (base::ScratchFile& file : files_) file.bound_residence(use.resident_bytes);
}

fs::path DiskState::path(const char* ending) const {
  return use_.folder / ("skerry-" + key_ + "." + ending);
}

void DiskState::read_journal() {
  std::string text;
  try {
    text = base::read_file(path("journal"), kMaxJournal);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) return;
    throw;
  }
  std::string_view rest = text;
  if (!rest.starts_with(kJournalHead)) return;  // of another version: begun anew
  rest.remove_prefix(kJournalHead.size());
  const std::uint64_t done = take_number(rest), which = take_number(rest), bytes = take_number(rest);
  if (which > 1 || bytes != bytes_) return;
  done_ = done;
  which_ = which;
}

void DiskState::pass_done() {
  ++done_;
  if (!use_.checkpoint) return;
  which_ = 1 - which_;
  files_[which_].sync();
  const std::string text = std::string(kJournalHead) + std::to_string(done_) + " " + std::to_string(which_) + " " +
                           std::to_string(bytes_) + "\n";
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(text))};
  base::write_file_atomically(path("journal"), parts);
}

void DiskState::forget() noexcept {
  if (!use_.checkpoint) return;
  std::error_code ignored;
  fs::remove(path("journal"), ignored);
  for (base::ScratchFile& file : files_) file.unlink();
}

template <class T>
void run_on_disk(DiskState& disk, const Segment& segment, const GateList& gates, const ParamValue& value,
                 std::uint64_t& zero_wires, kernels::SweepScratch<T>& scratch, const RunControl& control) {
  using Amplitude = std::complex<T>;
  const SweepPlan& plan = segment.plan;
  const int wires = plan.wires;
  const std::uint64_t all = lowest(wires);
  for (std::size_t p = 0; p < segment.passes.size(); ++p) {
    const WindowPass& pass = segment.passes[p];
    const std::uint64_t zero_before = zero_wires;
    for (std::size_t i = pass.begin; i < pass.end; ++i) zero_wires &= ~plan.items[i].wires;
    if (disk.keeps_journal() && p < disk.passes_done()) continue;
    std::byte* const to = disk.next();
    const kernels::StateView<T> state{reinterpret_cast<Amplitude*>(to), wires};
    if (zero_before == all) state.amplitudes[0] = 1;
    const BoundSweeps<T> sweeps(plan, gates, value, pass.begin, pass.end, control);
    const std::uint64_t held = all & ~pass.window, outside = held & ~zero_before;
    const std::size_t blocks = std::size_t{1} << std::popcount(outside);
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::uint64_t base = kernels::deal(block, outside);
      if (p != 0 && to != disk.current())
        copy_window(disk.current(), to, pass.window, base, sizeof(Amplitude), control);
      std::uint64_t zero = zero_before;
      for (std::size_t i = 0; i < sweeps.size(); ++i)
        zero = sweeps.apply_item(i, state, zero, scratch, control, {held, base});
      const double done = static_cast<double>(p) + static_cast<double>(block + 1) / static_cast<double>(blocks);
      control.report(done / static_cast<double>(segment.passes.size()), "simulation on disk");
    }
    disk.pass_done();
  }
}

std::string disk_key(const Circuit& circuit, const Code& code, std::span<const Segment> segments,
                     const ParamValue& value, std::size_t bytes_per_number) {
  std::string text;
  const auto add = [&text](const auto& number) { text.append(reinterpret_cast<const char*>(&number), sizeof(number)); };
  add(bytes_per_number);
  add(code.wires);
  std::vector<std::complex<double>> matrix;
  for (const Segment& segment : segments) {
    const GateList gates = segment.list(circuit, code);
    for (std::size_t i = 0; i < segment.gates.size(); ++i) {
      gate_matrix(gates, i, value, matrix);
      add(gates.controls(i));
      for (const int target : gates.targets(i)) add(target);
      for (const auto& entry : matrix) add(entry);
    }
    add(segment.plan.shape.lane_bits);
    add(segment.plan.shape.slot_bits);
    for (const WindowPass& pass : segment.passes) add(pass.window);
    for (const ItemPlan& item : segment.plan.items)
      for (const std::uint8_t wire : item.local) add(wire);
  }
  return base::hash128(std::as_bytes(std::span(text))).hex();
}

template void run_on_disk<float>(DiskState&, const Segment&, const GateList&, const ParamValue&, std::uint64_t&,
                                 kernels::SweepScratch<float>&, const RunControl&);
template void run_on_disk<double>(DiskState&, const Segment&, const GateList&, const ParamValue&, std::uint64_t&,
                                  kernels::SweepScratch<double>&, const RunControl&);

}  // namespace skerry::sim
