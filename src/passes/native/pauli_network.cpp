#include "passes/native/pauli_network.hpp"

#include <algorithm>
#include <numeric>

#include "base/random.hpp"
#include "passes/native/pauli_table.hpp"

namespace skerry::passes::native {
namespace {

constexpr std::size_t kLayers = 3;
constexpr std::size_t kMasks = kLayers + 2;  // and the rows, and those that are finished
constexpr std::array kLetters = {Letter::x, Letter::y, Letter::z};

// A controlled Pauli on two wires.
struct Move {
  Wire a = 0, b = 0;
  Letter p{}, q{};
};

class Network {
 public:
  Network(const PauliProgram& program, const std::vector<std::uint8_t>& measured, const PauliStyle& style)
      : program_(program),
        style_(style),
        random_(style.seed),
        count_(program.rotations.size()),
        table_(program.wires, count_ + 3 * program.wires),
        out_(program.wires),
        standing_(table_.words(), 0),
        rows_(table_.words(), 0),
        finished_(table_.words(), 0) {
    for (std::size_t k = 0; k < count_; ++k) {
      table_.set(k, program.rotations[k].x, program.rotations[k].z, false);
      set(standing_, k);
    }
    for (Wire w = 0; w < program.wires; ++w) {
      const Pauli &x = program.x_rows[w], &z = program.z_rows[w];
      table_.set(z_row(w), z.x, z.z, z.is_negative());
      set(rows_, z_row(w));
      is_measured_.push_back(measured[w]);
      if (measured[w] != 0) continue;
      // With the product the three rows weigh the same whatever stands before the wire.
      const Pauli product = x * z;
      table_.set(x_row(w), x.x, x.z, x.is_negative());
      table_.set(z_row(w) + 2, product.x, product.z, false);
      set(rows_, x_row(w));
      set(rows_, z_row(w) + 2);
    }
    find_order();
  }

  Flat run() {
    while (left_ > 0) {
      emit_ready();
      if (left_ == 0) break;
      apply(best_for_rotations());
    }
    keep_rows_only();
    while (finish_rows()) {
    }
    return last_gates();
  }

 private:
  std::size_t z_row(Wire w) const { return count_ + 3 * w; }
  std::size_t x_row(Wire w) const { return count_ + 3 * w + 1; }
  static void set(Mask& mask, std::size_t k) { mask[k / 64] |= std::uint64_t{1} << (k % 64); }
  static void clear(Mask& mask, std::size_t k) { mask[k / 64] &= ~(std::uint64_t{1} << (k % 64)); }
  static bool has(const Mask& mask, std::size_t k) { return ((mask[k / 64] >> (k % 64)) & 1) != 0; }

  // Conjugation keeps who commutes with whom, so the order is found once.
  void find_order() {
    left_ = count_;
    blocked_by_.assign(count_, 0);
    blocks_.resize(count_);
    for (std::size_t k = 0; k < count_; ++k) {
      for (std::size_t j = 0; j < k; ++j) {
        const auto &a = program_.rotations[j], &b = program_.rotations[k];
        if ((std::popcount(a.x & b.z) + std::popcount(a.z & b.x)) % 2 == 0) continue;
        ++blocked_by_[k];
        blocks_[j].push_back(static_cast<std::uint32_t>(k));
      }
    }
    layers_.assign(kLayers, Mask(table_.words(), 0));
    find_layers();
  }

  // Layer 0: what nothing holds back. Layer l + 1: what only the layers before hold back.
  void find_layers() {
    for (Mask& mask : layers_) std::ranges::fill(mask, 0);
    front_.clear();
    std::vector<std::uint32_t> now, next;
    for (std::uint32_t k = 0; k < count_; ++k) {
      if (has(standing_, k) && blocked_by_[k] == 0) now.push_back(k);
    }
    front_ = now;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> taken;
    for (std::size_t layer = 0; layer < kLayers && !now.empty(); ++layer) {
      next.clear();
      for (const std::uint32_t k : now) {
        set(layers_[layer], k);
        if (layer + 1 == kLayers) continue;
        for (const std::uint32_t later : blocks_[k]) {
          taken.emplace_back(later, 0);
          if (--blocked_by_[later] == 0) next.push_back(later);
        }
      }
      now = next;
    }
    for (const auto& [k, unused] : taken) ++blocked_by_[k];
  }

  void emit_ready() {
    bool again = true;
    while (again) {
      again = false;
      for (const std::uint32_t k : std::vector<std::uint32_t>(front_)) {
        const auto wires = table_.support(k);
        if (wires.size() > 1) continue;
        emit(k, wires);
        clear(standing_, k);
        --left_;
        for (const std::uint32_t later : blocks_[k]) --blocked_by_[later];
        again = true;
      }
      if (again) find_layers();
    }
  }

  void emit(std::size_t k, const std::vector<Wire>& wires) {
    if (wires.empty()) return;  // a global phase
    const Wire w = wires[0];
    const double sign = table_.negative(k) ? -1 : 1;
    const Param& angle = program_.rotations[k].angle;
    const Letter letter = table_.letter(k, w);
    if (angle.is_constant()) {
      const double value = sign * angle.value;
      out_.one(w, letter == Letter::x ? rx_matrix(value) : letter == Letter::y ? ry_matrix(value) : rz_matrix(value));
      return;
    }
    // The letter is turned to plus Z around the symbolic turn; X and Y before it change the sign.
    const U2 before = letter == Letter::x   ? h_matrix()
                      : letter == Letter::y ? rx_matrix(1.57079632679489661923)
                                            : U2::identity();
    out_.one(w, sign < 0 ? x_matrix() * before : before);
    out_.turn(w, angle);
    out_.one(w, adjoint(sign < 0 ? x_matrix() * before : before));
  }

  // The four controlled Paulis that take one of two letters away.
  template <class Visit>
  static void reducing(Wire a, Letter on_a, Wire b, Letter on_b, Visit visit) {
    for (const Letter other : kLetters) {
      if (other != on_a) visit(Move{a, b, other, on_b});
      if (other != on_b) visit(Move{a, b, on_a, other});
    }
  }

  double score(const Move& move, std::array<int, kMasks>* changes = nullptr) const {
    const std::array<const Mask*, kMasks> masks = {&layers_[0], &layers_[1], &layers_[2], &rows_, &finished_};
    std::array<int, kMasks> change{};
    table_.changes(move.a, move.p, move.b, move.q, masks, change);
    if (changes != nullptr) *changes = change;
    double sum = style_.rows * change[kLayers], weight = 1;
    for (std::size_t layer = 0; layer < kLayers; ++layer, weight *= style_.discount) sum += weight * change[layer];
    return sum;
  }

  // Keeps the best, ties by chance.
  struct Best {
    Move move;
    double score = 1e300;
    unsigned ties = 0;
    void offer(const Move& candidate, double value, base::Philox& random) {
      if (value < score - 1e-9) {
        move = candidate;
        score = value;
        ties = 1;
      } else if (value < score + 1e-9 && random() % ++ties == 0) {
        move = candidate;
      }
    }
  };

  Move best_for_rotations() {
    int least = 1 << 30;
    for (const std::uint32_t k : front_) least = std::min(least, table_.weight(k));
    Best best;
    constexpr std::size_t kMostTargets = 24;
    std::size_t targets = 0;
    for (const std::uint32_t k : front_) {
      if (table_.weight(k) != least) continue;
      if (++targets > kMostTargets) break;
      const auto wires = table_.support(k);
      for (std::size_t i = 0; i < wires.size(); ++i) {
        for (std::size_t j = i + 1; j < wires.size(); ++j) {
          reducing(wires[i], table_.letter(k, wires[i]), wires[j], table_.letter(k, wires[j]),
                   [&](const Move& move) { best.offer(move, score(move), random_); });
        }
      }
    }
    return best.move;
  }

  void apply(const Move& move) {
    into(move.a, move.p, Letter::z);
    into(move.b, move.q, Letter::x);
    table_.cx(move.a, move.b);
    out_.cx(move.a, move.b);
  }

  // Turns a wire so that one letter becomes another, up to sign.
  void into(Wire w, Letter from, Letter to) {
    if (from == to) return;
    if (from == Letter::y) {  // S: Y -> -X
      gate_s(w);
      from = Letter::x;
    }
    if (from != to) gate_h(w);
  }
  void gate_h(Wire w) {
    table_.h(w);
    out_.one(w, h_matrix());
  }
  void gate_s(Wire w) {
    table_.s(w);
    out_.one(w, {{1, 0, 0, Complex(0, 1)}});
  }

  bool row_done(Wire w) const {
    return table_.weight(z_row(w)) == 1 &&
           (is_measured_[w] != 0 || (table_.weight(x_row(w)) == 1 && table_.weight(z_row(w) + 2) == 1));
  }

  // The rotations are gone; a table of the rows alone is quicker to look through.
  void keep_rows_only() {
    PauliTable rows(program_.wires, 3 * program_.wires);
    for (std::size_t k = 0; k < 3 * program_.wires; ++k) {
      std::uint64_t x = 0, z = 0;
      for (Wire w = 0; w < program_.wires; ++w) {
        const auto letter = static_cast<unsigned>(table_.letter(count_ + k, w));
        x |= std::uint64_t{letter & 1U} << w;
        z |= std::uint64_t{letter >> 1U} << w;
      }
      rows.set(k, x, z, table_.negative(count_ + k));
    }
    table_ = std::move(rows);
    count_ = 0;
    rows_.assign(table_.words(), 0);
    finished_.assign(table_.words(), 0);
    for (Mask& layer : layers_) layer.assign(table_.words(), 0);
    for (Wire w = 0; w < program_.wires; ++w) {
      set(rows_, z_row(w));
      if (is_measured_[w] != 0) continue;
      set(rows_, x_row(w));
      set(rows_, z_row(w) + 2);
    }
  }

  int row_change(const Move& move) const {
    std::array<int, 1> change{};
    table_.changes<1>(move.a, move.p, move.b, move.q, {&rows_}, change);
    return change[0];
  }

  // One controlled Pauli towards rows of one letter; false when all are.
  bool finish_rows() {
    std::vector<Wire> open;
    std::ranges::fill(finished_, 0);
    for (Wire w = 0; w < program_.wires; ++w) {
      if (!row_done(w)) {
        open.push_back(w);
        continue;
      }
      set(finished_, z_row(w));
      if (is_measured_[w] == 0) {
        set(finished_, x_row(w));
        set(finished_, z_row(w) + 2);
      }
    }
    if (open.empty()) return false;
    Best best;
    const std::uint64_t sum = rows_weight();
    // What force_row() makes heavier may not be undone by steps downhill, or they would chase each other.
    const bool downhill = sum < forced_at_;
    for (Wire a = 0; downhill && a + 1 < program_.wires; ++a) {
      for (Wire b = a + 1; b < program_.wires; ++b) {
        for (const Letter p : kLetters) {
          for (const Letter q : kLetters) {
            const Move move{a, b, p, q};
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
    apply(best.move);
    return true;
  }

  std::uint64_t rows_weight() const {
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < 3 * program_.wires; ++k) {
      if (has(rows_, k)) sum += static_cast<std::uint64_t>(table_.weight(k));
    }
    return sum;
  }

  // No move lowers the sum: the lightest row that is not done gets shorter, and finished ones stay as they are.
  void force_row(const std::vector<Wire>& open, Best& best) {
    std::size_t row = 0;
    int least = 1 << 30;
    const auto consider = [&](std::size_t candidate) {
      const int weight = table_.weight(candidate);
      if (weight < 2 || weight >= least) return;
      least = weight;
      row = candidate;
    };
    for (const Wire w : open) {
      consider(z_row(w));
      if (is_measured_[w] == 0) consider(x_row(w));
    }
    // A row of one letter on the same wire keeps it, too.
    for (const Wire w : open) {
      for (const std::size_t other : {z_row(w), x_row(w)}) {
        if (other == x_row(w) && is_measured_[w] != 0) continue;
        if (table_.weight(other) == 1) set(finished_, other);
      }
    }
    const auto wires = table_.support(row);
    std::array<int, kMasks> changes{};
    for (std::size_t i = 0; i < wires.size(); ++i) {
      for (std::size_t j = i + 1; j < wires.size(); ++j) {
        reducing(wires[i], table_.letter(row, wires[i]), wires[j], table_.letter(row, wires[j]), [&](const Move& move) {
          score(move, &changes);
          if (changes[kLayers + 1] <= 0) best.offer(move, changes[kLayers], random_);
        });
      }
    }
  }

  // Every row has one letter now: turned to Z and X, signs by Paulis.
  Flat last_gates() {
    Flat flat;
    std::vector<Wire> places(program_.wires);
    for (Wire w = 0; w < program_.wires; ++w) {
      const Wire q = table_.support(z_row(w)).front();
      places[w] = q;
      into(q, table_.letter(z_row(w), q), Letter::z);
      if (is_measured_[w] == 0 && table_.letter(x_row(w), q) == Letter::y) gate_s(q);
      if (table_.negative(z_row(w))) {
        table_.pauli_x(q);
        out_.one(q, x_matrix());
      }
      if (is_measured_[w] == 0 && table_.negative(x_row(w))) {
        table_.pauli_z(q);
        out_.one(q, {{1, 0, 0, -1}});
      }
    }
    flat = out_.finish();
    flat.places = std::move(places);
    return flat;
  }

  const PauliProgram& program_;
  PauliStyle style_;
  base::Philox random_;
  std::size_t count_, left_ = 0;
  PauliTable table_;
  FlatWriter out_;
  Mask standing_, rows_, finished_;
  std::vector<std::uint8_t> is_measured_;
  std::uint64_t forced_at_ = static_cast<std::uint64_t>(-1);  ///< least sum of weights at which a row was forced
  std::vector<std::uint32_t> blocked_by_, front_;
  std::vector<std::vector<std::uint32_t>> blocks_;
  std::vector<Mask> layers_;
};

}  // namespace

Flat pauli_network(const PauliProgram& program, const std::vector<std::uint8_t>& measured, const PauliStyle& style) {
  return Network(program, measured, style).run();
}

}  // namespace skerry::passes::native
