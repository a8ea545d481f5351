#include "passes/native/miter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

namespace skerry::passes::native {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kMostWires = 8;  // of one piece: a matrix of 1 MB
constexpr std::uint64_t kMostWork = 400'000'000;
// A part that is left out weighs less than this: above the rounding of blocks that were written again, far below any
// gate.
constexpr double kMostLeftOut = 1e-8;
constexpr double kMostLeftOutInAll = 1e-6;
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

// Gates of one program in order on each wire.
struct Queue {
  const Flat& flat;
  bool of_a;
  std::vector<std::vector<std::uint32_t>> on;  ///< per wire, the next gate last
  std::vector<std::uint32_t> piece;            ///< that holds the wire

  Queue(const Flat& program, bool is_a) : flat(program), of_a(is_a), on(program.wires), piece(program.wires) {
    for (std::size_t i = flat.gates.size(); i-- > 0;) {
      const Gate& gate = flat.gates[i];
      on[gate.a].push_back(static_cast<std::uint32_t>(i));
      if (gate.a != gate.b) on[gate.b].push_back(static_cast<std::uint32_t>(i));
    }
    for (Wire w = 0; w < flat.wires; ++w) piece[w] = w;
  }
  std::uint32_t next(Wire w) const { return on[w].empty() ? kNone : on[w].back(); }
  // The gate that nothing stands before on any of its wires.
  bool is_free(std::uint32_t i) const { return next(flat.gates[i].a) == i && next(flat.gates[i].b) == i; }
  void take(std::uint32_t i) {
    const Gate& gate = flat.gates[i];
    on[gate.a].pop_back();
    if (gate.a != gate.b) on[gate.b].pop_back();
  }
};

// Which of the gates that join two pieces is taken: programs differ in what keeps pieces small.
enum class Order : std::uint8_t { small_first, shared_first, in_step };

class Miter {
 public:
  Miter(const Flat& a, const Flat& b, Order order) : order_(order), a_(a, true), b_(b, false), pieces_(a.wires) {
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
      if (choice->wires > kMostWires || work_ > kMostWork || left_out_ > kMostLeftOutInAll) return Undone::unknown;
      drain(merge(choice->first, choice->second));
      for (const std::uint32_t piece : touched_) split(piece);
      touched_.clear();
    }
    return judge(wires);
  }

 private:
  // A gate that joins two pieces.
  struct Choice {
    std::uint32_t first = 0, second = 0;
    std::size_t wires = 0;
    bool alone = true;    ///< the other program does not join them next
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
      const std::uint32_t i = queue.next(w);
      const Gate gate = i == kNone ? Gate{} : queue.flat.gates[i];
      const bool apart = i != kNone && gate.kind == Kind::cx && queue.piece[gate.a] != queue.piece[gate.b];
      if (i == kNone || apart || !queue.is_free(i)) {
        stack_.pop_back();
        continue;
      }
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
        const std::uint32_t i = queue->next(w);
        if (i == kNone || queue->flat.gates[i].a != w || !queue->is_free(i)) continue;
        const auto [first, second] = std::minmax(queue->piece[w], queue->piece[queue->flat.gates[i].b]);
        choices.push_back({.first = first,
                           .second = second,
                           .wires = pieces_[first].wires() + pieces_[second].wires(),
                           .position = static_cast<double>(taken_[queue->of_a ? 0 : 1]) / all});
      }
    }
    work_ += 20 * (choices.size() + pieces_.size() / 8);
    if (choices.empty()) return std::nullopt;
    const auto joins = [](const Choice& c) { return std::pair(c.first, c.second); };
    std::ranges::stable_sort(choices, {}, joins);
    for (std::size_t k = 1; k < choices.size(); ++k) {
      if (joins(choices[k]) == joins(choices[k - 1])) choices[k].alone = choices[k - 1].alone = false;
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

  // M = u x rest with u from column j to row i: the four parts of M by these two bits are multiples of one.
  bool take_out(std::uint32_t at, std::size_t i, std::size_t j) {
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
      if (rough > 1e-10 * size) return false;
      double exact = 0;
      for_rest(whole, row | column, [&](std::size_t k) {
        exact += std::norm(whole.m[k | part[p]] - times(factor[p], whole.m[k | part[most]]));
      });
      left_out += exact / size;
      if (left_out > kMostLeftOut * kMostLeftOut) return false;
    }
    left_out_ += std::sqrt(left_out);
    put_apart(at, i, j, part[most], weight[most], factor);
    return true;
  }

  template <class Visit>
  void for_rest(const Piece& piece, std::size_t without, Visit visit) {
    work_ += piece.m.size() / 4;
    for (std::size_t k = 0; k < piece.m.size(); k = ((k | without) + 1) & ~without) visit(k);
  }

  void put_apart(std::uint32_t at, std::size_t i, std::size_t j, std::size_t part, double weight,
                 const std::array<Complex, 4>& factor) {
    Piece& whole = pieces_[at];
    const std::size_t n = whole.wires(), row = std::size_t{1} << (n + i), column = std::size_t{1} << j;
    std::vector<Complex> rest;
    rest.reserve(whole.m.size() / 4);
    const double scale = std::sqrt(static_cast<double>(std::size_t{1} << (n - 1)) / weight);
    for_rest(whole, row | column, [&](std::size_t k) { rest.push_back(scale * whole.m[k | part]); });
    double norm = 0;
    for (const Complex f : factor) norm += std::norm(f);
    Piece single{.rows = {whole.rows[i]}, .columns = {whole.columns[j]}};
    for (const Complex f : factor) single.m.push_back(f * std::sqrt(2 / norm));
    whole.rows.erase(whole.rows.begin() + static_cast<std::ptrdiff_t>(i));
    whole.columns.erase(whole.columns.begin() + static_cast<std::ptrdiff_t>(j));
    whole.m = std::move(rest);
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
      something = something || off > kSurelyDifferent;
      if (off > kMostLeftOutInAll && off <= kSurelyDifferent) return Undone::unknown;
    }
    if (!something) return Undone::nothing;
    // Wires that begin in |0> may hide a difference.
    return wires.size() == a_.flat.wires ? Undone::something : Undone::unknown;
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
  Queue a_, b_;
  std::vector<Piece> pieces_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> touched_;  ///< pieces that may have come apart
  std::vector<Wire> stack_;
  std::array<std::size_t, 2> taken_{};
  std::uint64_t work_ = 0;
  double left_out_ = 0;
};

}  // namespace

Undone undo(const Flat& a, const Flat& b, std::span<const MiterWire> wires) {
  if (!a.turns.empty() || !b.turns.empty()) return Undone::unknown;
  for (const Order order : {Order::small_first, Order::shared_first, Order::in_step}) {
    const Undone left = Miter(a, b, order).run(wires);
    if (left != Undone::unknown) return left;
  }
  return Undone::unknown;
}

}  // namespace skerry::passes::native
