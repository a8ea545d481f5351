#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <skerry/error.hpp>
#include <stop_token>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "edge/cut/expectations.hpp"
#include "edge/cut/network.hpp"
#include "edge/split.hpp"
#include "edge/together.hpp"

namespace skerry::edge {
namespace {

using Words = std::vector<std::uint64_t>;
using Clock = std::chrono::steady_clock;

struct Span {
  Clock::time_point begin, end;
};

// Rows of `words` words each, as counts.
Counts counts_of(const Words& rows, std::uint32_t bits) {
  const std::size_t words = (std::size_t{bits} + 63) / 64;
  const auto less = [words](std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
    for (std::size_t k = words; k-- > 0;) {
      if (a[k] != b[k]) return a[k] < b[k];
    }
    return false;
  };
  std::vector<std::span<const std::uint64_t>> sorted;
  for (std::size_t at = 0; at < rows.size(); at += words) sorted.push_back(std::span(rows).subspan(at, words));
  std::ranges::sort(sorted, less);
  Words outcomes, times;
  for (const auto row : sorted) {
    if (times.empty() || !std::ranges::equal(row, std::span(outcomes).last(words))) {
      outcomes.insert(outcomes.end(), row.begin(), row.end());
      times.push_back(0);
    }
    ++times.back();
  }
  return {bits, std::move(outcomes), std::move(times)};
}

class Whole {
 public:
  Whole(const Split& split, const SplitReport& report, const Circuit& circuit, const RunOptions& options,
        const PieceRunner& run_piece)
      : split_(split),
        report_(report),
        circuit_(circuit),
        options_(options),
        run_piece_(run_piece),
        pieces_(cut::take_apart(split.straight.circuit.bind(parameter_values(circuit, options)), split.cuts)),
        asked_(pieces_, split.straight.place, options.observables),
        needs_states_(options.want_state || (options.shots != 0 && !pieces_.links.empty())),
        results_(pieces_.circuits.size()),
        tensors_(pieces_.circuits.size()),
        spans_(pieces_.circuits.size()) {}

  Result run() {
    const auto start = Clock::now();
    run_pieces();
    Result out;
    if (!options_.observables.empty()) {
      std::vector<std::vector<double>> answers;
      for (const Result& result : results_) answers.push_back(result.expectations);
      out.expectations = asked_.combine(answers);
    }
    if (options_.shots != 0) out.counts = counts();
    if (options_.want_state) out.state = state();
    out.report.method = "pieces";
    out.report.predicted_bytes = report_.peak_bytes;
    out.report.predicted_seconds = report_.seconds;
    // States that are put together are not measured: they take what was planned for them.
    out.report.peak_bytes = needs_states_ ? std::max(peak_of_pieces(), report_.peak_bytes) : peak_of_pieces();
    out.report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    out.report.threads = threads();
    return out;
  }

 private:
  int threads() const { return options_.limits.threads != 0 ? options_.limits.threads : base::thread_budget(); }

  void run_pieces() {
    std::vector<std::uint64_t> bytes;
    int remote = 0;
    for (const PieceReport& piece : report_.pieces) {
      const bool is_here = piece.place == ExecutionMethod::edge;
      bytes.push_back(is_here ? piece.peak_bytes : 0);
      remote += is_here ? 0 : 1;
    }
    const int count = static_cast<int>(bytes.size());
    const int workers = std::min(count, threads() + remote);
    std::stop_source stop;
    const std::stop_callback outer(options_.limits.control.stop, [&stop] { stop.request_stop(); });
    const std::uint64_t limit = options_.limits.max_memory_bytes.value_or(~std::uint64_t{0});
    run_together(
        bytes, limit, workers,
        [&](std::size_t piece) {
          RunOptions options = options_of(piece);
          options.limits.control.stop = stop.get_token();
          options.limits.threads = std::max(1, threads() / std::max(1, std::min(workers, count - remote)));
          spans_[piece].begin = Clock::now();
          results_[piece] = run_piece_(piece, circuit_of(piece), options);
          require_fit(piece, options);
          spans_[piece].end = Clock::now();
          keep(piece);
        },
        [&stop] { stop.request_stop(); });
  }

  // The most that pieces took together: what they took each, summed over those that ran when one began.
  std::uint64_t peak_of_pieces() const {
    std::uint64_t most = 0;
    for (const Span& now : spans_) {
      std::uint64_t together = 0;
      for (std::size_t i = 0; i < spans_.size(); ++i) {
        const bool runs = spans_[i].begin <= now.begin && now.begin < spans_[i].end;
        const bool is_here = report_.pieces[i].place == ExecutionMethod::edge;
        if (runs && is_here) together += results_[i].report.peak_bytes;
      }
      most = std::max(most, together);
    }
    return most;
  }

  // A piece that stands alone is sampled by itself, by whatever method suits it.
  Circuit circuit_of(std::size_t piece) const {
    Circuit circuit = pieces_.circuits[piece];
    if (options_.shots != 0 && !needs_states_) circuit.measure_all();
    return circuit;
  }

  RunOptions options_of(std::size_t piece) const {
    RunOptions options;
    options.precision = options_.precision;
    options.limits = options_.limits;
    options.observables = asked_.questions(static_cast<std::uint32_t>(piece));
    options.want_state = needs_states_;
    if (options_.shots != 0 && !needs_states_) {
      options.shots = options_.shots;
      options.want_memory = true;
      // Pieces must not draw the same numbers.
      base::Philox random(options_.seed, piece + 1);
      options.seed = (std::uint64_t{random()} << 32) | random();
    }
    return options;
  }

  // What follows indexes the answers by the questions, wherever they came from.
  void require_fit(std::size_t piece, const RunOptions& options) const {
    const Result& result = results_[piece];
    const std::uint32_t wires = pieces_.circuits[piece].num_wires();
    const std::uint64_t words = options.want_memory ? options.shots * ((std::uint64_t{wires} + 63) / 64) : 0;
    const bool has_state = result.state && result.state->num_wires() == wires &&
                           result.state->amplitudes().shape() == Shape{std::int64_t{1} << wires};
    const char* const wrong = result.expectations.size() != options.observables.size() ? "expectation values"
                              : options.want_state && !has_state                       ? "a state"
                              : result.memory.size() != words                          ? "shots"
                                                                                       : nullptr;
    if (wrong == nullptr) return;
    throw Error(ErrorCode::unavailable,
                "the piece of " + std::to_string(wires) + " wires came with " + wrong + " of another question",
                "pieces");
  }

  void keep(std::size_t piece) {
    if (!needs_states_) return;
    Result& result = results_[piece];
    tensors_[piece] = cut::piece_tensor(pieces_, static_cast<std::uint32_t>(piece), *result.state);
    result.state.reset();
  }

  // Outcomes of all wires of the straight circuit, shot by shot.
  Words outcomes() {
    if (needs_states_) {
      auto tensors = options_.want_state ? tensors_ : std::move(tensors_);
      return cut::sample(pieces_, std::move(tensors), options_.shots, options_.seed, options_.limits.control);
    }
    const std::size_t words = (pieces_.outputs.size() + 63) / 64;
    Words rows(options_.shots * words);
    for (std::size_t wire = 0; wire < pieces_.outputs.size(); ++wire) {
      const cut::Place at = pieces_.outputs[wire];
      const Words& from = results_[at.piece].memory;
      const std::size_t step = (pieces_.circuits[at.piece].num_wires() + 63) / 64;
      for (std::uint64_t shot = 0; shot < options_.shots; ++shot)
        rows[shot * words + wire / 64] |= ((from[shot * step + at.wire / 64] >> (at.wire % 64)) & 1) << (wire % 64);
    }
    return rows;
  }

  Counts counts() {
    const Words rows = outcomes();
    const auto& place = split_.straight.place;
    std::vector<std::pair<Wire, std::uint32_t>> kept = split_.straight.measured;
    std::uint32_t bits = circuit_.num_bits();
    if (kept.empty()) {
      bits = circuit_.num_wires();
      for (Wire wire = 0; wire < bits; ++wire) kept.emplace_back(wire, wire);
    }
    const std::size_t from_words = (place.size() + 63) / 64, words = (std::size_t{bits} + 63) / 64;
    Words out(options_.shots * words);
    for (const auto& [wire, bit] : kept) {
      for (std::uint64_t shot = 0; shot < options_.shots; ++shot) {
        const std::uint64_t word = rows[shot * from_words + place[wire] / 64];
        out[shot * words + bit / 64] |= ((word >> (place[wire] % 64)) & 1) << (bit % 64);
      }
    }
    return counts_of(out, bits);
  }

  State state() {
    const auto joined = cut::amplitudes(std::move(tensors_));
    const auto& place = split_.straight.place;
    Tensor out(options_.precision == Precision::single_precision ? DType::c64 : DType::c128,
               {static_cast<std::int64_t>(joined.size())});
    const auto fill = [&](auto values) {
      for (std::size_t i = 0; i < joined.size(); ++i) {
        std::size_t at = 0;
        for (std::size_t wire = 0; wire < place.size(); ++wire) at |= ((i >> wire) & 1) << place[wire];
        values[i] = typename decltype(values)::value_type(joined[at]);
      }
    };
    if (out.dtype() == DType::c64) {
      fill(out.mutable_view().as<std::complex<float>>());
    } else {
      fill(out.mutable_view().as<std::complex<double>>());
    }
    return State(std::move(out));
  }

  const Split& split_;
  const SplitReport& report_;
  const Circuit& circuit_;
  const RunOptions& options_;
  const PieceRunner& run_piece_;
  cut::Pieces pieces_;
  cut::Expectations asked_;
  bool needs_states_;
  std::vector<Result> results_;
  std::vector<cut::LabelledTensor> tensors_;
  std::vector<Span> spans_;
};

}  // namespace

Result run_split(const Split& split, const SplitReport& report, const Circuit& circuit, const RunOptions& options,
                 const PieceRunner& run_piece) {
  return Whole(split, report, circuit, options, run_piece).run();
}

}  // namespace skerry::edge
