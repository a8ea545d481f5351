#include "passes/native/pauli_network.hpp"

#include <algorithm>

#include "passes/native/pauli_work.hpp"

namespace skerry::passes::native {
namespace {

constexpr std::size_t kMasks = kPauliLayers + 2;  // and the rows, and those that are finished

class Network {
 public:
  Network(const PauliProgram& program, const std::vector<std::uint8_t>& measured, const PauliStyle& style)
      : work_(program, measured), style_(style), random_(style.seed), finished_(work_.table().words(), 0) {}

  Flat run() {
    while (work_.left() > 0) {
      work_.emit_ready();
      if (work_.left() == 0) break;
      work_.apply(best_for_rotations());
    }
    work_.keep_rows_only();
    finished_.assign(work_.table().words(), 0);
    while (finish_rows()) {
    }
    return work_.last_gates();
  }

 private:
  double score(const PauliMove& move, std::array<int, kMasks>* changes = nullptr) const {
    const std::array<const Mask*, kMasks> masks = {&work_.layer(0), &work_.layer(1), &work_.layer(2), &work_.rows(),
                                                   &finished_};
    std::array<int, kMasks> change{};
    work_.table().changes(move.a, move.p, move.b, move.q, masks, change);
    if (changes != nullptr) *changes = change;
    double sum = style_.rows * change[kPauliLayers], weight = 1;
    for (std::size_t layer = 0; layer < kPauliLayers; ++layer, weight *= style_.discount) sum += weight * change[layer];
    return sum;
  }

  PauliMove best_for_rotations() {
    int least = 1 << 30;
    for (const std::uint32_t k : work_.front()) least = std::min(least, work_.table().weight(k));
    BestMove best;
    constexpr std::size_t kMostTargets = 24;
    std::size_t targets = 0;
    for (const std::uint32_t k : work_.front()) {
      if (work_.table().weight(k) != least) continue;
      if (++targets > kMostTargets) break;
      const auto wires = work_.table().support(k);
      for (std::size_t i = 0; i < wires.size(); ++i) {
        for (std::size_t j = i + 1; j < wires.size(); ++j) {
          visit_reducing(wires[i], work_.table().letter(k, wires[i]), wires[j], work_.table().letter(k, wires[j]),
                         [&](const PauliMove& move) { best.offer(move, score(move), random_); });
        }
      }
    }
    return best.move;
  }

  int row_change(const PauliMove& move) const {
    std::array<int, 1> change{};
    work_.table().changes<1>(move.a, move.p, move.b, move.q, {&work_.rows()}, change);
    return change[0];
  }

  // One controlled Pauli towards rows of one letter; false when all are.
  bool finish_rows() {
    std::vector<Wire> open;
    std::ranges::fill(finished_, 0);
    for (Wire w = 0; w < work_.wires(); ++w) {
      if (!work_.row_done(w)) {
        open.push_back(w);
        continue;
      }
      PauliWork::set(finished_, work_.z_row(w));
      if (!work_.is_measured(w)) {
        PauliWork::set(finished_, work_.x_row(w));
        PauliWork::set(finished_, work_.product_row(w));
      }
    }
    if (open.empty()) return false;
    BestMove best;
    const std::uint64_t sum = rows_weight();
    // What force_row() makes heavier may not be undone by steps downhill, or they would chase each other.
    const bool downhill = sum < forced_at_;
    for (Wire a = 0; downhill && a + 1 < work_.wires(); ++a) {
      for (Wire b = a + 1; b < work_.wires(); ++b) {
        for (const Letter p : kPauliLetters) {
          for (const Letter q : kPauliLetters) {
            const PauliMove move{a, b, p, q};
            const int change = row_change(move);
            if (change < 0) best.offer(move, change, random_);
          }
        }
      }
    }
    if (best.ties == 0) {
      forced_at_ = std::min(forced_at_, sum);
      force_row(open, best);
    }
    work_.apply(best.move);
    return true;
  }

  std::uint64_t rows_weight() const {
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < std::size_t{3} * work_.wires(); ++k) {
      if (PauliWork::has(work_.rows(), k)) sum += static_cast<std::uint64_t>(work_.table().weight(k));
    }
    return sum;
  }

  // No move lowers the sum: the lightest row that is not done gets shorter, and finished ones stay as they are.
  void force_row(const std::vector<Wire>& open, BestMove& best) {
    std::size_t row = 0;
    int least = 1 << 30;
    const auto consider = [&](std::size_t candidate) {
      const int weight = work_.table().weight(candidate);
      if (weight < 2 || weight >= least) return;
      least = weight;
      row = candidate;
    };
    for (const Wire w : open) {
      consider(work_.z_row(w));
      if (!work_.is_measured(w)) consider(work_.x_row(w));
    }
    // A row of one letter on the same wire keeps it, too.
    for (const Wire w : open) {
      for (const std::size_t other : {work_.z_row(w), work_.x_row(w)}) {
        if (other == work_.x_row(w) && work_.is_measured(w)) continue;
        if (work_.table().weight(other) == 1) PauliWork::set(finished_, other);
      }
    }
    const auto wires = work_.table().support(row);
    std::array<int, kMasks> changes{};
    for (std::size_t i = 0; i < wires.size(); ++i) {
      for (std::size_t j = i + 1; j < wires.size(); ++j) {
        visit_reducing(wires[i], work_.table().letter(row, wires[i]), wires[j], work_.table().letter(row, wires[j]),
                       [&](const PauliMove& move) {
                         score(move, &changes);
                         if (changes[kPauliLayers + 1] <= 0) best.offer(move, changes[kPauliLayers], random_);
                       });
      }
    }
  }

  PauliWork work_;
  PauliStyle style_;
  base::Philox random_;
  Mask finished_;
  std::uint64_t forced_at_ = static_cast<std::uint64_t>(-1);  ///< least sum of weights at which a row was forced
};

}  // namespace

Flat pauli_network(const PauliProgram& program, const std::vector<std::uint8_t>& measured, const PauliStyle& style) {
  return Network(program, measured, style).run();
}

}  // namespace skerry::passes::native
