#include <algorithm>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/runtime.hpp>
#include <skerry/shot_stream.hpp>
#include <utility>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "exec/executor.hpp"
#include "plan/planner.hpp"

namespace skerry {
namespace {

/// Shots that a program is prepared for and that are made at once.
constexpr std::uint64_t kStretch = std::uint64_t{1} << 16;

std::uint32_t outcome_bits(const Circuit& circuit) {
  for (const Block& block : circuit.blocks())
    for (std::size_t i = 0; i < block.size(); ++i)
      if (block[i].op == Op::measure) return circuit.num_bits();
  return circuit.num_wires();
}

RunOptions for_one_stretch(const Circuit& circuit, const RunOptions& given) {
  if (acts_on_modes(circuit)) {
    throw Error(ErrorCode::unsupported, "a stream gives bits, and the wires are optical modes", "stream_shots",
                "ask run() for samples");
  }
  if (!given.observables.empty() || given.want_probabilities || given.want_state || given.want_density ||
      !given.amplitudes.empty()) {
    throw Error(ErrorCode::invalid_argument, "a stream gives shots and nothing else", "stream_shots",
                "ask run() for states, probabilities and expectation values");
  }
  RunOptions options = given;
  options.shots = std::min(given.shots, kStretch);
  options.want_memory = true;
  return options;
}

}  // namespace

struct ShotStream::Impl {
  Impl(const Circuit& given, const RunOptions& asked)
      : circuit(given),
        options(for_one_stretch(given, asked)),
        values(parameter_values(circuit, options)),
        plan(planning::plan_circuit(circuit, options)),
        control(exec::started(options.limits)),
        budget(options.limits.max_memory_bytes.value_or(base::MemoryBudget::kUnlimited)),
        bits(outcome_bits(circuit)),
        seed(asked.seed),
        total(asked.shots) {
    const base::ThreadLimit threads(plan.report.threads);
    if (total != 0) source = plan.program->shots(values, {budget, control});
  }

  /// Up to kStretch outcomes of a method that has no shots of its own.
  void run_again(std::span<std::uint64_t> out) {
    const std::size_t words = (std::size_t{bits} + 63) / 64;
    if (kept_at == kept.size()) {
      base::Philox random(seed, given / kStretch);
      options.seed = std::uint64_t{random()} << 32;
      options.seed |= random();
      options.shots = std::min(kStretch, total - given);
      options.limits.control = control;
      kept = exec::run(planning::plan_circuit(circuit, options), values, options.limits).memory;
      kept_at = 0;
    }
    std::copy_n(kept.begin() + static_cast<std::ptrdiff_t>(kept_at), out.size(), out.begin());
    kept_at += out.size() / std::max<std::size_t>(words, 1) * words;
  }

  Circuit circuit;
  RunOptions options;
  std::vector<double> values;
  planning::CircuitPlan plan;
  RunControl control;
  base::MemoryBudget budget;
  std::uint32_t bits;
  std::uint64_t seed, total, given = 0;
  std::unique_ptr<sim::ShotSource> source;
  std::vector<std::uint64_t> kept;  // of run_again
  std::size_t kept_at = 0;
};

ShotStream::ShotStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ShotStream::ShotStream(ShotStream&&) noexcept = default;
ShotStream& ShotStream::operator=(ShotStream&&) noexcept = default;
ShotStream::~ShotStream() = default;

std::uint32_t ShotStream::bits() const noexcept {
  return impl_->bits;
}
std::uint64_t ShotStream::remaining() const noexcept {
  return impl_->total - impl_->given;
}
const std::string& ShotStream::method() const noexcept {
  return impl_->plan.report.method;
}

std::uint64_t ShotStream::next(std::span<std::uint64_t> out) {
  Impl& impl = *impl_;
  if (remaining() == 0) return 0;
  if (words() == 0) {
    impl.given = impl.total;
    return impl.total;
  }
  const std::uint64_t room = out.size() / words();
  if (room == 0) {
    throw Error(
        ErrorCode::invalid_argument,
        "an outcome has " + std::to_string(words()) + " words and there is room for " + std::to_string(out.size()),
        "ShotStream::next", "give room for one outcome at least");
  }
  const base::ThreadLimit threads(impl.plan.report.threads);
  const std::uint64_t wanted = std::min(room, remaining());
  for (std::uint64_t done = 0; done < wanted;) {
    impl.control.check("sampling");
    // Stretches begin at multiples of their length, so that what is made does not depend on the room.
    const std::uint64_t count = std::min(wanted - done, kStretch - impl.given % kStretch);
    const std::span part = out.subspan(done * words(), count * words());
    if (impl.source)
      impl.source->outcomes(impl.given, part);
    else
      impl.run_again(part);
    impl.given += count;
    done += count;
    impl.control.report(static_cast<double>(impl.given) / static_cast<double>(impl.total), "sampling");
  }
  return wanted;
}

ShotStream stream_shots(const Circuit& circuit, const RunOptions& options) {
  return ShotStream(std::make_unique<ShotStream::Impl>(circuit, options));
}

}  // namespace skerry
