#include "passes/native/miter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <tuple>
#include <utility>

#include "passes/native/kak.hpp"
#include "passes/native/miter_queue.hpp"

namespace skerry::passes::native {
namespace {

constexpr std::size_t kMostWires = 8;  // of one piece: a matrix of 1 MB
constexpr std::uint64_t kMostWork = 400'000'000, kMostWorkOfGate = 2000;
// A part that is left out weighs less than this: above the rounding of blocks that were written again, far below any
// gate.
constexpr double kMostLeftOut = 1e-8;
constexpr double kMostLeftOutInAll = 1e-6;
// The mean infidelity over states of two wires is 4/5 of that of the process (Nielsen, quant-ph/0205035).
constexpr double kToProcess = 1.25 * (1 + 1e-6);
constexpr double kSurelyDifferent = 1e-4;

// A factor of M. Bit i of a row is wire rows[i] of a, bit j of a column wire columns[j] of b; m holds rows after one
// another, so that an index is (row << wires | column) and gates act on it as on a state of twice as many wires.
struct Piece {
  std::vector<Wire> rows, columns;
  std::vector<Complex> m;

  std::size_t wires() const { return rows.size(); }
  std::size_t bit_of_row(Wire w) const {
    return std::size_t{1} << (wires() + static_cast<std::size_t>(std::ranges::find(rows, w) - rows.begin()));
  }
  std::size_t bit_of_column(Wire w) const {
    return std::size_t{1} << static_cast<std::size_t>(std::ranges::find(columns, w) - columns.begin());
  }
};

// Which of the gates that join two pieces is taken: programs differ in what keeps pieces small.
enum class Order : std::uint8_t { small_first, shared_first, in_step };

class Miter {
 public:
  Miter(const Flat& a, const Flat& b, Order order, double infidelity)
      : order_(order),
        infidelity_(infidelity),
        allowed_(infidelity * kToProcess),
        a_(a, true),
        b_(b, false),
        pieces_(a.wires) {
    most_work_ = kMostWork + kMostWorkOfGate * (a.gates.size() + b.gates.size());
    for (Wire w = 0; w < a.wires; ++w) pieces_[w] = {.rows = {w}, .columns = {w}, .m = {1, 0, 0, 1}};
  }

  Undone run(std::span<const MiterWire> wires) {
    for (Wire w = 0; w < pieces_.size(); ++w) {
      drain(a_, w);
      drain(b_, w);
    }
    touched_.clear();
    while (true) {
      const std::optional<Choice> choice = choose();
      if (!choice) break;
      if (choice->wires > 2 && take_out_least()) continue;
      if (choice->wires > kMostWires || work_ > most_work_ || left_out_ > kMostLeftOutInAll) return Undone::unknown;
      drain(merge(choice->first, choice->second));
      for (const std::uint32_t piece : touched_) split(piece);
      touched_.clear();
    }
    while (take_out_least()) {
    }
    return judge(wires);
  }

 private:
  // A gate that joins two pieces.
  struct Choice {
    std::uint32_t first = 0, second = 0;
    std::size_t wires = 0;
    const Queue* queue = nullptr;
    std::uint32_t gate = 0;
    bool alone = true;    ///< the other program does not join them next, and they are not left apart again
    double position = 0;  ///< how far its program has come
  };

  void on_one(Piece& piece, std::size_t bit, const U2& u) {
    work_ += piece.m.size();
    for (std::size_t i = 0; i < piece.m.size(); ++i) {
      if ((i & bit) != 0) continue;
      const Complex x = piece.m[i], y = piece.m[i | bit];
      piece.m[i] = times(u(0, 0), x) + times(u(0, 1), y);
      piece.m[i | bit] = times(u(1, 0), x) + times(u(1, 1), y);
    }
  }

  void apply(Queue& queue, const Gate& gate) {
    Piece& piece = pieces_[queue.piece[gate.a]];
    const auto bit = [&](Wire w) { return queue.of_a ? piece.bit_of_row(w) : piece.bit_of_column(w); };
    if (piece.wires() > 1 && std::ranges::find(touched_, queue.piece[gate.a]) == touched_.end()) {
      touched_.push_back(queue.piece[gate.a]);
    }
    if (gate.kind == Kind::one) {
      U2 u = queue.flat.ones[gate.index];
      // M h^dagger: columns are mixed by the conjugate.
      if (!queue.of_a) std::ranges::transform(u.m, u.m.begin(), [](Complex z) { return std::conj(z); });
      on_one(piece, bit(gate.a), u);
      return;
    }
    const std::size_t control = bit(gate.a), target = bit(gate.b);
    work_ += piece.m.size();
    for (std::size_t i = 0; i < piece.m.size(); ++i) {
      if ((i & control) != 0 && (i & target) == 0) std::swap(piece.m[i], piece.m[i | target]);
    }
  }

  void rename(Queue& queue, Wire p, Wire q) {
    Piece &first = pieces_[queue.piece[p]], &second = pieces_[queue.piece[q]];
    auto& in_first = queue.of_a ? first.rows : first.columns;
    auto& in_second = queue.of_a ? second.rows : second.columns;
    std::iter_swap(std::ranges::find(in_first, p), std::ranges::find(in_second, q));
    std::swap(queue.piece[p], queue.piece[q]);
  }

  // Takes the gates on a wire, and on wires that they free, as long as no piece grows.
  void drain(Queue& queue, Wire start) {
    stack_.assign(1, start);
    while (!stack_.empty()) {
      const Wire w = stack_.back();
      const std::uint32_t i = next_inside(queue, w);
      if (i == Queue::kNone) {
        stack_.pop_back();
        continue;
      }
      const Gate gate = queue.flat.gates[i];
      queue.take(i);
      ++taken_[queue.of_a ? 0 : 1];
      if (gate.kind == Kind::swap) {
        rename(queue, gate.a, gate.b);
      } else {
        apply(queue, gate);
      }
      if (gate.a != gate.b) stack_.push_back(gate.a == w ? gate.b : gate.a);
    }
  }
  // A gate of the wire that may be taken and joins no pieces.
  std::uint32_t next_inside(const Queue& queue, Wire w) {
    const std::size_t count = queue.run(w);
    work_ += count;
    for (std::size_t k = 0; k < count; ++k) {
      const std::uint32_t i = queue.at(w, k);
      const Gate& gate = queue.flat.gates[i];
      if (gate.kind == Kind::cx && queue.piece[gate.a] != queue.piece[gate.b]) continue;
      if (queue.is_free(i)) return i;
    }
    return Queue::kNone;
  }
  void drain(std::uint32_t piece) {
    const std::vector<Wire> rows = pieces_[piece].rows, columns = pieces_[piece].columns;
    for (const Wire w : rows) drain(a_, w);
    for (const Wire w : columns) drain(b_, w);
  }

  std::optional<Choice> choose() {
    std::vector<Choice> choices;
    for (const Queue* queue : {&a_, &b_}) {
      const double all = static_cast<double>(queue->flat.gates.size() + 1);
      for (Wire w = 0; w < queue->flat.wires; ++w) {
        const std::size_t count = queue->run(w);
        for (std::size_t k = 0; k < count; ++k) {
          const std::uint32_t i = queue->at(w, k);
          const Gate& gate = queue->flat.gates[i];
          if (gate.a != w || gate.b == w || !queue->is_free(i)) continue;
          const auto [first, second] = std::minmax(queue->piece[gate.a], queue->piece[gate.b]);
          choices.push_back({.first = first,
                             .second = second,
                             .wires = pieces_[first].wires() + pieces_[second].wires(),
                             .queue = queue,
                             .gate = i,
                             .position = static_cast<double>(taken_[queue->of_a ? 0 : 1]) / all});
        }
      }
    }
    work_ += 20 * (choices.size() + pieces_.size() / 8);
    if (choices.empty()) return std::nullopt;
    const auto joins = [](const Choice& c) { return std::pair(c.first, c.second); };
    std::ranges::stable_sort(choices, {}, joins);
    for (std::size_t k = 1; k < choices.size(); ++k) {
      const bool same = joins(choices[k]) == joins(choices[k - 1]) && choices[k].queue != choices[k - 1].queue;
      if (same) choices[k].alone = choices[k - 1].alone = false;
    }
    for (Choice& choice : choices) {
      if (choice.alone) choice.alone = !leaves_apart(*choice.queue, choice.queue->flat.gates[choice.gate]);
    }
    return *std::ranges::min_element(choices, {}, [this](const Choice& c) {
      switch (order_) {
        case Order::small_first:
          return std::tuple(c.wires, static_cast<double>(c.alone), c.position);
        case Order::shared_first:
          return std::tuple(std::size_t{c.alone}, static_cast<double>(c.wires), c.position);
        case Order::in_step:
          return std::tuple(std::size_t{c.alone}, c.position, static_cast<double>(c.wires));
      }
      return std::tuple(std::size_t{0}, 0.0, 0.0);
    });
  }

  // What happens next on the two wires of a gate is a swap, or nothing: a router's.
  bool leaves_apart(const Queue& queue, const Gate& gate) {
    const std::size_t on_a = queue.on[gate.a].size(), on_b = queue.on[gate.b].size();
    std::size_t a = 0, b = 0;
    U4 product = U4::identity();
    constexpr int kMostGates = 32;
    for (int k = 0; k < kMostGates; ++k) {
      const std::uint32_t i = a < on_a ? queue.at(gate.a, a) : Queue::kNone,
                          j = b < on_b ? queue.at(gate.b, b) : Queue::kNone;
      work_ += 16;
      if (i != Queue::kNone && queue.flat.gates[i].kind == Kind::one) {
        after_on_first(product, queue.flat.ones[queue.flat.gates[i].index]);
        ++a;
      } else if (j != Queue::kNone && queue.flat.gates[j].kind == Kind::one) {
        after_on_second(product, queue.flat.ones[queue.flat.gates[j].index]);
        ++b;
      } else if (i != Queue::kNone && i == j) {
        if (queue.flat.gates[i].kind == Kind::swap) {
          swap_after(product);
        } else {
          cx_after(product, queue.flat.gates[i].a == gate.a);
        }
        ++a;
        ++b;
      } else {
        break;
      }
    }
    const CxNeeds needs = cx_needs(product);
    return a > 0 && b > 0 && (needs.plain == 0 || needs.mirrored == 0);
  }

  std::uint32_t merge(std::uint32_t first, std::uint32_t second) {
    Piece &a = pieces_[first], &b = pieces_[second];
    const std::size_t na = a.wires(), nb = b.wires();
    std::vector<Complex> m(a.m.size() * b.m.size());
    for (std::size_t i = 0; i < a.m.size(); ++i) {
      const std::size_t row = i >> na, column = i & ((std::size_t{1} << na) - 1);
      for (std::size_t j = 0; j < b.m.size(); ++j) {
        const std::size_t to_row = (j >> nb) << na | row;
        const std::size_t to_column = (j & ((std::size_t{1} << nb) - 1)) << na | column;
        m[to_row << (na + nb) | to_column] = times(a.m[i], b.m[j]);
      }
    }
    work_ += m.size();
    a.rows.insert(a.rows.end(), b.rows.begin(), b.rows.end());
    a.columns.insert(a.columns.end(), b.columns.begin(), b.columns.end());
    a.m = std::move(m);
    b = {};
    free_.push_back(second);
    settle(first);
    return first;
  }

  void settle(std::uint32_t piece) {
    for (const Wire w : pieces_[piece].rows) a_.piece[w] = piece;
    for (const Wire w : pieces_[piece].columns) b_.piece[w] = piece;
  }

  // Takes single wires out, as long as one is a factor.
  void split(std::uint32_t at) {
    bool again = true;
    while (again && pieces_[at].wires() > 1) {
      again = false;
      for (std::size_t i = 0; i < pieces_[at].wires() && !again; ++i) {
        for (std::size_t j = 0; j < pieces_[at].wires() && !again; ++j) again = take_out(at, i, j);
      }
    }
  }

  // Before a piece grows beyond two wires: what holds two together may be what the other program has left out. The
  // least is taken, as compiling leaves out the least first.
  bool take_out_least() {
    std::optional<Factor> least;
    std::uint32_t where = 0;
    for (std::uint32_t at = 0; at < pieces_.size() && allowed_ > 0; ++at) {
      if (pieces_[at].wires() != 2) continue;
      for (const std::size_t j : {0U, 1U}) {
        auto factor = factor_of(at, 0, j, 3 * allowed_);
        if (!factor) continue;
        refine(pieces_[at], *factor);
        if (factor->left_out > allowed_ || (least && least->left_out <= factor->left_out)) continue;
        least = factor;
        where = at;
      }
    }
    if (!least) return false;
    allowed_ -= least->left_out;
    put_apart(where, *std::move(least));
    return true;
  }

  bool take_out(std::uint32_t at, std::size_t i, std::size_t j) {
    auto factor = factor_of(at, i, j, kMostLeftOut * kMostLeftOut);
    if (!factor) return false;
    left_out_ += std::sqrt(factor->left_out);
    put_apart(at, *std::move(factor));
    return true;
  }

  // A wire's matrix among a piece's.
  struct Factor {
    std::size_t row = 0, column = 0;  ///< positions in the piece
    std::array<Complex, 4> u{};
    std::vector<Complex> rest;
    double left_out = 0;  ///< share of the squares that no such product has
  };

  // M = u x rest with u from column j to row i: the four parts of M by these two bits are multiples of one.
  std::optional<Factor> factor_of(std::uint32_t at, std::size_t i, std::size_t j, double most_left_out) {
    const Piece& whole = pieces_[at];
    const std::size_t n = whole.wires(), row = std::size_t{1} << (n + i), column = std::size_t{1} << j;
    const std::array<std::size_t, 4> part = {0, column, row, row | column};
    std::array<double, 4> weight{};
    work_ += whole.m.size();
    for (std::size_t k = 0; k < whole.m.size(); ++k) {
      weight[((k & row) != 0 ? 2U : 0U) + ((k & column) != 0 ? 1U : 0U)] += std::norm(whole.m[k]);
    }
    const auto most = static_cast<std::size_t>(std::ranges::max_element(weight) - weight.begin());
    std::array<Complex, 4> factor{};
    double left_out = 0;
    for (std::size_t p = 0; p < 4; ++p) {
      if (p == most) {
        factor[p] = 1;
        continue;
      }
      Complex dot;
      for_rest(whole, row | column,
               [&](std::size_t k) { dot += times(std::conj(whole.m[k | part[most]]), whole.m[k | part[p]]); });
      factor[p] = dot / weight[most];
      // First without going through the entries again; what is far from a factor is far.
      const double rough = weight[p] - std::norm(dot) / weight[most];
      const auto size = static_cast<double>(std::size_t{1} << n);
      if (rough > (1e-10 + 2 * most_left_out) * size) return std::nullopt;
      double exact = 0;
      for_rest(whole, row | column, [&](std::size_t k) {
        exact += std::norm(whole.m[k | part[p]] - times(factor[p], whole.m[k | part[most]]));
      });
      left_out += exact / size;
      if (left_out > most_left_out) return std::nullopt;
    }
    Factor found{.row = i, .column = j, .u = factor, .left_out = left_out};
    found.rest.reserve(whole.m.size() / 4);
    for_rest(whole, row | column, [&](std::size_t k) { found.rest.push_back(whole.m[k | part[most]]); });
    return found;
  }

  // From one of the four parts to the product that is nearest: u and the rest by turns, each the best for the other.
  void refine(const Piece& whole, Factor& factor) {
    const std::size_t n = whole.wires(), row = std::size_t{1} << (n + factor.row);
    const std::size_t column = std::size_t{1} << factor.column;
    const std::array<std::size_t, 4> part = {0, column, row, row | column};
    const auto sum_of_squares = [](const auto& list) {
      double sum = 0;
      for (const Complex z : list) sum += std::norm(z);
      return sum;
    };
    constexpr int kRounds = 3;  // what is left out is small, so that they converge at once
    for (int round = 0; round < kRounds; ++round) {
      const double of_u = sum_of_squares(factor.u);
      std::size_t at = 0;
      for_rest(whole, row | column, [&](std::size_t k) {
        Complex sum;
        for (std::size_t p = 0; p < 4; ++p) sum += times(std::conj(factor.u[p]), whole.m[k | part[p]]);
        factor.rest[at++] = sum / of_u;
      });
      const double of_rest = sum_of_squares(factor.rest);
      for (std::size_t p = 0; p < 4; ++p) {
        Complex sum;
        at = 0;
        for_rest(whole, row | column,
                 [&](std::size_t k) { sum += times(std::conj(factor.rest[at++]), whole.m[k | part[p]]); });
        factor.u[p] = sum / of_rest;
      }
    }
    factor.left_out = 0;
    for (std::size_t p = 0; p < 4; ++p) {
      std::size_t at = 0;
      for_rest(whole, row | column, [&](std::size_t k) {
        factor.left_out += std::norm(whole.m[k | part[p]] - times(factor.u[p], factor.rest[at++]));
      });
    }
    factor.left_out /= static_cast<double>(std::size_t{1} << n);
  }

  template <class Visit>
  void for_rest(const Piece& piece, std::size_t without, Visit visit) {
    work_ += piece.m.size() / 4;
    for (std::size_t k = 0; k < piece.m.size(); k = ((k | without) + 1) & ~without) visit(k);
  }

  void put_apart(std::uint32_t at, Factor factor) {
    Piece& whole = pieces_[at];
    // Both are unitary but for a number.
    const auto scale = [](auto& list, std::size_t wires) {
      double sum = 0;
      for (const Complex z : list) sum += std::norm(z);
      for (Complex& z : list) z *= std::sqrt(static_cast<double>(std::size_t{1} << wires) / sum);
    };
    scale(factor.u, 1);
    scale(factor.rest, whole.wires() - 1);
    const auto row = whole.rows.begin() + static_cast<std::ptrdiff_t>(factor.row);
    const auto column = whole.columns.begin() + static_cast<std::ptrdiff_t>(factor.column);
    Piece single{.rows = {*row}, .columns = {*column}, .m = {factor.u.begin(), factor.u.end()}};
    whole.rows.erase(row);
    whole.columns.erase(column);
    whole.m = std::move(factor.rest);
    const std::uint32_t to = free_.back();  // pieces are never more than wires
    free_.pop_back();
    pieces_[to] = std::move(single);
    settle(to);
  }

  Undone judge(std::span<const MiterWire> wires) const {
    if (left_out_ > kMostLeftOutInAll) return Undone::unknown;
    std::vector<std::uint8_t> done(pieces_.size(), 0);
    bool something = false;
    for (const MiterWire& wire : wires) {
      const std::uint32_t at = a_.piece[wire.in_a];
      if (std::exchange(done[at], std::uint8_t{1}) != 0) continue;
      const double off = off_identity(pieces_[at], wires);
      // What was left out on purpose turns single wires by no more than its infidelity.
      if (off <= kMostLeftOutInAll + 4 * infidelity_) continue;
      if (off <= kSurelyDifferent) return Undone::unknown;
      something = true;
    }
    if (!something) return Undone::nothing;
    // Wires that begin in |0> may hide a difference, and so may an infidelity that is allowed.
    return wires.size() == a_.flat.wires && infidelity_ == 0 ? Undone::something : Undone::unknown;
  }

  // How far a piece is from doing nothing but giving each outcome of its measured wires a phase.
  static double off_identity(const Piece& piece, std::span<const MiterWire> wires) {
    const std::size_t n = piece.wires();
    std::vector<std::size_t> column_bit(n);
    std::size_t measured = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const auto wire = std::ranges::find(wires, piece.rows[i], &MiterWire::in_a);
      if (wire == wires.end()) return 1;
      const auto column = std::ranges::find(piece.columns, wire->in_b);
      if (column == piece.columns.end()) return 1;
      column_bit[i] = std::size_t{1} << static_cast<std::size_t>(column - piece.columns.begin());
      if (wire->measured) measured |= std::size_t{1} << i;
    }
    double most = 0;
    std::vector<Complex> phase(std::size_t{1} << n);
    for (std::size_t row = 0; row < phase.size(); ++row) {
      std::size_t same = 0;
      for (std::size_t i = 0; i < n; ++i) same |= ((row >> i) & 1) != 0 ? column_bit[i] : 0;
      for (std::size_t column = 0; column < phase.size(); ++column) {
        const Complex entry = piece.m[row << n | column];
        if (column != same) {
          most = std::max(most, std::abs(entry));
          continue;
        }
        Complex& first = phase[row & measured];
        if ((row & ~measured) == 0) first = entry;
        most = std::max({most, std::abs(entry - first), std::abs(1 - std::abs(entry))});
      }
    }
    return most;
  }

  Order order_;
  double infidelity_;
  double allowed_;  ///< of what is left out on purpose
  Queue a_, b_;
  std::vector<Piece> pieces_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> touched_;  ///< pieces that may have come apart
  std::vector<Wire> stack_;
  std::array<std::size_t, 2> taken_{};
  std::uint64_t work_ = 0, most_work_ = 0;
  double left_out_ = 0;
};

}  // namespace

Undone undo(const Flat& a, const Flat& b, std::span<const MiterWire> wires, double infidelity) {
  if (!a.turns.empty() || !b.turns.empty()) return Undone::unknown;
  for (const Order order : {Order::small_first, Order::shared_first, Order::in_step}) {
    const Undone left = Miter(a, b, order, infidelity).run(wires);
    if (left != Undone::unknown) return left;
  }
  return Undone::unknown;
}

}  // namespace skerry::passes::native
