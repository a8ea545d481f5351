#include "sim/stabilizer/straight.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/threads.hpp"
#include "kernels/stabilizer/frames.hpp"
#include "kernels/stabilizer/transpose.hpp"
#include "sim/stabilizer/answers.hpp"
#include "sim/stabilizer/carried.hpp"
#include "sim/stabilizer/tableau.hpp"
#include "sim/state/leaving.hpp"

namespace skerry::sim {
namespace {

constexpr std::uint32_t kNoRecord = 0xffffffffU;
constexpr std::uint32_t kLookSteps = 256;  // steps between two looks at the clock

/// Runs the reference, in which every coin falls on 0, and answers what is asked of the state before its last
/// measurements.
class Straight {
 public:
  Straight(const Circuit& circuit, const StabilizerRequest& request, const Resources& resources)
      : circuit_(circuit), request_(request), budget_(resources.memory), control_(resources.control) {}

  CircuitResult run() {
    distribution_ = base::Buffer::allocate(request_.distribution_bytes(), budget_, "probabilities");
    std::optional<Outcomes> outcomes;
    if (request_.shots != 0) outcomes.emplace(request_.outcome_shape(), budget_);
    {
      const Reference reference = run_reference();
      if (outcomes) sample(reference, *outcomes);
    }
    CircuitResult result;
    result.expectations = expectations_;
    if (request_.want_distribution) result.probabilities = owning_tensor(std::move(distribution_), DType::f64);
    if (outcomes) outcomes->give(result);
    return result;
  }

 private:
  /// Outcomes of the reference and the frames' way, from which each shot's outcomes follow.
  struct Reference {
    std::vector<kernels::FrameStep> steps;
    std::vector<std::uint8_t> found;       ///< by record
    std::vector<std::uint32_t> record_of;  ///< bit -> its last record, or kNoRecord
  };

  Reference run_reference() {
    Tableau tableau(request_.wires(), budget_);
    Reference out;
    out.record_of.assign(request_.outcome_bits, kNoRecord);
    const std::uint32_t first = request_.resume ? go_on(*request_.resume, tableau, out) : 0;
    for (std::uint32_t i = first; i < request_.code.tail; ++i) {
      const Step& step = request_.code.steps[i];
      if (i % kLookSteps == 0 && i > first && request_.leave && request_.leave(standing(first, i)))
        throw Interrupted(circuit_, carried(tableau, i, out.found));
      if (i % kLookSteps == 0) control_.check("stabilizer simulation");
      for (const StabilizerStep& gate : request_.gates_of(i)) {
        tableau.apply(gate);
        add_frame_step(gate, out.steps);
      }
      if (step.kind == StepKind::reset) {
        if (tableau.measure(step.a, [] { return false; })) tableau.flip(step.a);
        out.steps.push_back({kernels::FrameOp::reset, step.a, 0});
      } else if (step.kind == StepKind::measure) {
        const bool found = step.a != kIdle && tableau.measure(step.a, [] { return false; });
        note(step, found, out);
      }
      if (i % 4096 == 0) control_.report(0.5 * i / request_.code.tail, "reference run");
    }
    answer(tableau);
    if (request_.shots != 0) measure_last(tableau, out);
    return out;
  }

  /// Where the run stood; the frames' way to there follows from the steps and the outcomes.
  std::uint32_t go_on(const Checkpoint& from, Tableau& tableau, Reference& out) const {
    const std::uint32_t first = behind(from, request_.leading);
    const auto steps = std::span(request_.code.steps).first(first);
    const auto is_found = [](const Step& step) { return step.kind == StepKind::measure && step.a != kIdle; };
    const auto outcomes = take_up(from, tableau, static_cast<std::uint64_t>(std::ranges::count_if(steps, is_found)));
    for (std::uint32_t i = 0; i < first; ++i) {
      const Step& step = steps[i];
      for (const StabilizerStep& gate : request_.gates_of(i)) add_frame_step(gate, out.steps);
      if (step.kind == StepKind::reset) out.steps.push_back({kernels::FrameOp::reset, step.a, 0});
      if (step.kind == StepKind::measure) note(step, is_found(step) && outcomes[out.found.size()] != 0, out);
    }
    return first;
  }

  Standing standing(std::uint32_t first, std::uint32_t at) const {
    const auto end = static_cast<std::uint32_t>(request_.code.steps.size());
    const double done = words_between(first, at), next = words_between(at, std::min(at + kLookSteps, end));
    const double all = done + words_between(at, end) + frame_words(request_);
    return {done / all, (done + next) / all, Tableau::bytes(request_.wires())};
  }

  /// Words that the tableau's steps read and write.
  double words_between(std::uint32_t begin, std::uint32_t end) const {
    if (words_to_.empty()) {
      words_to_ = {0.0};
      for (std::uint32_t i = 0; i < request_.code.steps.size(); ++i)
        words_to_.push_back(words_to_.back() + step_words(request_, i));
    }
    return words_to_[end] - words_to_[begin];
  }

  void answer(const Tableau& tableau) {
    for (const Observable& observable : request_.observables)
      expectations_.push_back(expectation(tableau, observable, request_.code.positions));
    if (request_.want_distribution)
      add_distribution(tableau, request_.distribution_wires, request_.code.positions, 1.0, distribution_.as<double>());
  }

  /// The measurements after which the state is of no use: only the rows of what is still to be measured are kept up.
  void measure_last(Tableau& tableau, Reference& out) {
    const auto& steps = request_.code.steps;
    std::vector<std::uint32_t> order;
    std::vector<std::uint8_t> found(request_.wires()), seen(request_.wires());
    for (std::size_t i = request_.code.tail; i < steps.size(); ++i) {
      if (steps[i].a == kIdle || seen[steps[i].a] != 0) continue;
      seen[steps[i].a] = 1;
      order.push_back(steps[i].a);
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i % 64 == 0) control_.check("stabilizer simulation");
      const auto known = tableau.outcome(order[i]);
      found[order[i]] = static_cast<std::uint8_t>(known.value_or(false));
      if (!known) tableau.project_last(order[i], false, std::span(order).subspan(i + 1));
    }
    for (std::size_t i = request_.code.tail; i < steps.size(); ++i)
      note(steps[i], steps[i].a != kIdle && found[steps[i].a] != 0, out);
  }

  static void note(const Step& step, bool found, Reference& out) {
    if (step.b < out.record_of.size())
      out.record_of[step.b] = step.a == kIdle ? kNoRecord : static_cast<std::uint32_t>(out.found.size());
    if (step.a == kIdle) return;
    out.steps.push_back({kernels::FrameOp::measure, step.a, static_cast<std::uint32_t>(out.found.size())});
    out.found.push_back(static_cast<std::uint8_t>(found));
  }

  static void add_frame_step(const StabilizerStep& gate, std::vector<kernels::FrameStep>& steps) {
    using kernels::FrameOp;
    const auto op = [&]() -> std::optional<FrameOp> {
      if (gate.op == StabilizerOp::h) return FrameOp::h;
      if (gate.op == StabilizerOp::s) return FrameOp::s;
      if (gate.op == StabilizerOp::cx) return FrameOp::cx;
      if (gate.op == StabilizerOp::cz) return FrameOp::cz;
      if (gate.op == StabilizerOp::swap) return FrameOp::swap;
      return std::nullopt;  // a Pauli string moves no frame
    }();
    if (op) steps.push_back({*op, gate.a, gate.b});
  }

  void sample(const Reference& reference, Outcomes& outcomes) {
    const base::Reservation charge(budget_, request_.frames_bytes(base::thread_budget()), "frames of the shots");
    const std::size_t words = request_.outcome_shape().words();
    const std::uint64_t group = request_.group_shots(), batch = 64 * request_.frame_words;
    std::vector<std::uint64_t> found(group * words);
    for (std::uint64_t first = 0; first < request_.shots; first += group) {
      const std::uint64_t count = std::min(group, request_.shots - first);
      base::parallel_for(0, (count + batch - 1) / batch, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t b = begin; b < end; ++b) {
          control_.check("sampling");
          run_batch(reference, first + b * batch, std::span(found).subspan(b * batch * words, batch * words));
        }
      });
      outcomes.record(
          first, count, control_, [](std::uint64_t shot) { return shot; },
          [&](std::uint64_t shot, std::span<std::uint64_t> out) {
            std::copy_n(found.begin() + static_cast<std::ptrdiff_t>((shot - first) * words), words, out.begin());
          });
      control_.report(0.5 + 0.5 * static_cast<double>(first + count) / static_cast<double>(request_.shots), "sampling");
    }
  }

  /// Outcomes of one batch of shots, `words` words a shot.
  void run_batch(const Reference& reference, std::uint64_t first_shot, std::span<std::uint64_t> out) const {
    const std::size_t words = request_.frame_words, wires = request_.wires();
    std::vector<std::uint64_t> rows((2 * wires + reference.found.size()) * words);
    kernels::FrameView frames{.x = rows.data(),
                              .z = rows.data() + wires * words,
                              .record = rows.data() + 2 * wires * words,
                              .words = words,
                              .seed = request_.seed,
                              .first_word = first_shot / 64,
                              .event = 0};
    for (std::size_t wire = 0; wire < wires; ++wire)
      kernels::random_row(frames.z + wire * words, words, frames.seed, frames.event++, frames.first_word);
    kernels::run_frames(reference.steps, frames);
    const std::size_t out_words = request_.outcome_shape().words();
    std::array<std::uint64_t, 64> block{};
    for (std::size_t word = 0; word < words; ++word) {
      for (std::size_t column = 0; column < out_words; ++column) {
        for (std::size_t i = 0; i < 64; ++i) {
          const std::size_t bit = 64 * column + i;
          const std::uint32_t record = bit < reference.record_of.size() ? reference.record_of[bit] : kNoRecord;
          block[i] = record == kNoRecord ? 0
                                         : frames.record[record * words + word] ^
                                               (reference.found[record] != 0 ? ~std::uint64_t{0} : 0);
        }
        kernels::transpose64(block);
        for (std::size_t shot = 0; shot < 64; ++shot) out[(64 * word + shot) * out_words + column] = block[shot];
      }
    }
  }

  const Circuit& circuit_;
  const StabilizerRequest& request_;
  base::MemoryBudget budget_;
  const RunControl& control_;
  base::Buffer distribution_;
  std::vector<double> expectations_;
  mutable std::vector<double> words_to_;  // a step from the first one on; made where somebody asks
};

}  // namespace

CircuitResult run_straight(const Circuit& circuit, const StabilizerRequest& request, const Resources& resources) {
  return Straight(circuit, request, resources).run();
}

}  // namespace skerry::sim
