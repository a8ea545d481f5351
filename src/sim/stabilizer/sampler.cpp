#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>
#include <skerry/error.hpp>
#include <skerry/stabilizer.hpp>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "sim/stabilizer/symptoms.hpp"

namespace skerry {
namespace {

using Table = StabilizerSampler::Table;

/// Shots of one stream of random numbers: their rows stay in a second-level cache.
constexpr std::uint64_t kBlock = 1024;

/// Draws the errors of one block into its rows.
class BlockSampler {
 public:
  BlockSampler(const Table& table, std::uint64_t seed, std::uint64_t block, std::uint64_t* rows)
      : table_(table), random_(seed, block), rows_(rows), words_(table.words()) {}

  void run() {
    for (std::uint64_t shot = 0; shot < kBlock; ++shot) std::ranges::copy(table_.reference, rows_ + shot * words_);
    for (const Table::Group& group : table_.groups) {
      if (group.channel.size == 1 && group.probability == 0.5)
        coins(group);
      else
        errors(group);
    }
  }

 private:
  /// Half of all shots: 64 of them are decided by one word.
  void coins(const Table::Group& group) {
    for (std::size_t site = 0; site < group.sites; ++site) {
      for (std::uint64_t first = 0; first < kBlock; first += 64) {
        std::uint64_t word = random_();
        word |= std::uint64_t{random_()} << 32;
        for (; word != 0; word &= word - 1)
          flip(group.first + site, first + static_cast<std::uint64_t>(std::countr_zero(word)));
      }
    }
  }

  /// Few shots: the distance to the next error, over all shots of all sites, is geometric.
  void errors(const Table::Group& group) {
    const double scale = 1.0 / std::log1p(-group.probability);  // -0 for a certain error
    const auto places = static_cast<double>(group.sites * kBlock);
    double place = -1.0;
    for (;;) {
      place += 1.0 + std::floor(std::log(1.0 - random_.uniform()) * scale);
      if (!(place < places)) return;
      const auto at = static_cast<std::uint64_t>(place);
      const std::size_t outcome = group.is_uniform ? uniform_outcome(group.channel.size) : weighted_outcome(group);
      flip(group.first + at / kBlock * group.channel.size + outcome, at % kBlock);
    }
  }

  std::size_t uniform_outcome(std::uint32_t size) {
    return size == 1 ? 0 : static_cast<std::size_t>(std::uint64_t{random_()} * size >> 32);
  }
  std::size_t weighted_outcome(const Table::Group& group) {
    double left = random_.uniform() * group.channel.total();
    std::size_t outcome = 0, likely = 0;
    for (; outcome < group.channel.size; ++outcome) {
      if (group.channel.weights[outcome] > 0.0) likely = outcome;
      left -= group.channel.weights[outcome];
      if (left < 0.0) return outcome;
    }
    return likely;  // rounding: the last that can be
  }

  void flip(std::size_t outcome, std::uint64_t shot) {
    std::uint64_t* const row = rows_ + shot * words_;
    for (std::uint64_t i = table_.begin[outcome]; i < table_.begin[outcome + 1]; ++i) {
      const std::uint32_t bit = table_.symptoms[i];
      row[bit / 64] ^= std::uint64_t{1} << (bit % 64);
    }
  }

  const Table& table_;
  base::Philox random_;
  std::uint64_t* rows_;
  std::size_t words_;
};

/// Bits of a row that each record flips: its detectors, then its observables, which begin at a whole word.
std::vector<std::vector<std::uint32_t>> detector_bits(const StabilizerCircuit& circuit) {
  std::vector<std::vector<std::uint32_t>> bits_of(circuit.num_measurements());
  const auto add = [&](std::span<const std::uint32_t> records, std::uint32_t bit) {
    for (const std::uint32_t record : records) {
      auto& bits = bits_of[record];
      if (!bits.empty() && bits.back() == bit)
        bits.pop_back();  // twice is not at all
      else
        bits.push_back(bit);
    }
  };
  for (std::uint32_t i = 0; i < circuit.num_detectors(); ++i) add(circuit.detector(i), i);
  const std::uint32_t first = (circuit.num_detectors() + 63) / 64 * 64;
  for (std::uint32_t i = 0; i < circuit.num_observables(); ++i) add(circuit.observable(i), first + i);
  return bits_of;
}

base::MemoryBudget budget_of(const Limits& limits) {
  return base::MemoryBudget(limits.max_memory_bytes.value_or(base::MemoryBudget::kUnlimited));
}

std::optional<base::ThreadLimit> thread_limit(const Limits& limits) {
  if (limits.threads == 0) return std::nullopt;
  return std::optional<base::ThreadLimit>(std::in_place, limits.threads);
}

RunControl started(const Limits& limits) {
  RunControl control = limits.control;
  control.started = std::chrono::steady_clock::now();
  if (limits.max_execution_time)
    control.deadline =
        control.started + std::chrono::duration_cast<std::chrono::steady_clock::duration>(*limits.max_execution_time);
  return control;
}

std::shared_ptr<const Table> finished(Table table, base::MemoryBudget budget) {
  table.charge = base::Reservation(std::move(budget), table.bytes(), "table of errors");
  return std::make_shared<const Table>(std::move(table));
}

}  // namespace

StabilizerSampler StabilizerSampler::of_detectors(const StabilizerCircuit& circuit, const Limits& limits) {
  Table table = sim::find_symptoms(circuit, detector_bits(circuit), started(limits));
  table.bits = circuit.num_detectors();
  table.observables = circuit.num_observables();
  table.reference.resize(table.words());
  return StabilizerSampler(finished(std::move(table), budget_of(limits)));
}

StabilizerSampler StabilizerSampler::of_measurements(const StabilizerCircuit& circuit, const Limits& limits) {
  const RunControl control = started(limits);
  std::vector<std::vector<std::uint32_t>> bits_of(circuit.num_measurements());
  for (std::uint32_t i = 0; i < circuit.num_measurements(); ++i) bits_of[i] = {i};
  Table table = sim::find_symptoms(circuit, std::move(bits_of), control);
  table.bits = circuit.num_measurements();
  table.reference.resize(table.words());
  const auto records = sim::reference_records(circuit, budget_of(limits), control);
  for (std::size_t i = 0; i < records.size(); ++i) table.reference[i / 64] |= std::uint64_t{records[i]} << (i % 64);
  return StabilizerSampler(finished(std::move(table), budget_of(limits)));
}

std::uint32_t StabilizerSampler::bits() const noexcept {
  return table_->bits;
}
std::uint32_t StabilizerSampler::observables() const noexcept {
  return table_->observables;
}
std::uint64_t StabilizerSampler::table_bytes() const noexcept {
  return table_->bytes();
}

StabilizerSamples StabilizerSampler::sample(std::uint64_t shots, std::uint64_t seed, const Limits& limits) const {
  const RunControl control = started(limits);
  const auto threads = thread_limit(limits);
  const std::size_t words = table_->words();
  const base::MemoryBudget budget = budget_of(limits);
  const std::uint64_t blocks = shots / kBlock + (shots % kBlock != 0 ? 1 : 0);
  auto buffer = std::make_shared<base::Buffer>(  // shared: the tensor keeps it
      base::Buffer::allocate(base::checked_bytes(shots, 8 * std::max<std::size_t>(words, 1), "samples"), budget,
                             "samples"));
  const auto rows = buffer->as<std::uint64_t>();
  base::parallel_for(0, blocks, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t block = begin; block < end; ++block) {
      control.check("sampling");
      const std::uint64_t first = block * kBlock, count = std::min(kBlock, shots - first);
      if (count == kBlock) {
        BlockSampler(*table_, seed, block, rows.data() + first * words).run();
        continue;
      }
      std::vector<std::uint64_t> whole(kBlock * words);
      BlockSampler(*table_, seed, block, whole.data()).run();
      std::copy_n(whole.begin(), count * words, rows.data() + first * words);
    }
  });
  StabilizerSamples out{.shots = shots, .bits = table_->bits, .observables = table_->observables, .rows = {}};
  const Shape shape = {static_cast<std::int64_t>(shots), static_cast<std::int64_t>(words)};
  out.rows = Tensor(TensorView(DType::u64, shape, buffer->data()), buffer);
  return out;
}

StabilizerCounts StabilizerSampler::count(std::uint64_t shots, std::uint64_t seed, const Limits& limits) const {
  const RunControl control = started(limits);
  const auto threads = thread_limit(limits);
  const std::size_t words = table_->words(), bit_words = table_->bit_words();
  const base::Reservation charge(
      budget_of(limits),
      static_cast<std::uint64_t>(base::thread_budget()) * 8 * kBlock * words + std::uint64_t{8} * 64 * words,
      "rows of shots");
  std::vector<std::uint64_t> ones(64 * words);
  std::uint64_t with_events = 0, done = 0;
  std::mutex mutex;
  const std::uint64_t blocks = shots / kBlock + (shots % kBlock != 0 ? 1 : 0);
  base::parallel_for(0, blocks, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t block = begin; block < end; ++block) {
      control.check("sampling");
      const std::uint64_t count = std::min(kBlock, shots - block * kBlock);
      std::vector<std::uint64_t> rows(kBlock * words);
      BlockSampler(*table_, seed, block, rows.data()).run();
      std::vector<std::uint32_t> here(64 * words);
      std::uint64_t events = 0;
      for (std::uint64_t shot = 0; shot < count; ++shot) {
        bool any = false;
        for (std::size_t word = 0; word < words; ++word) {
          std::uint64_t rest = rows[shot * words + word];
          any = any || (word < bit_words && rest != 0);
          for (; rest != 0; rest &= rest - 1) ++here[64 * word + static_cast<std::size_t>(std::countr_zero(rest))];
        }
        events += any ? 1U : 0U;
      }
      const std::scoped_lock lock(mutex);
      for (std::size_t i = 0; i < here.size(); ++i) ones[i] += here[i];
      with_events += events;
      done += count;
      control.report(static_cast<double>(done) / static_cast<double>(shots), "sampling");
    }
  });
  StabilizerCounts out{.shots = shots, .shots_with_events = with_events, .bits = {}, .observables = {}};
  const auto at = [&](std::size_t i) { return ones.begin() + static_cast<std::ptrdiff_t>(i); };
  out.bits.assign(at(0), at(table_->bits));
  out.observables.assign(at(64 * bit_words), at(64 * bit_words + table_->observables));
  return out;
}

}  // namespace skerry
