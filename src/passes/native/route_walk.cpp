#include "passes/native/route_walk.hpp"

#include <algorithm>
#include <numeric>
#include <skerry/error.hpp>
#include <string>

namespace skerry::passes::native {
namespace {

// Tuned on circuits made by bench/compile.py's generators: how much the following pairs and the price of a swap weigh
// against the front.
constexpr double kLaterWeight = 0.5;
constexpr double kPriceWeight = 0.5;
constexpr double kDecayStep = 0.001;
constexpr unsigned kDecayReset = 5;
// Of a wide front as many are looked at, so that a swap takes no longer than on a small device.
constexpr std::size_t kMostLookedAt = 32;
// A result of more gates than anybody has use for.
constexpr std::uint64_t kMostSwaps = 20'000'000;

}  // namespace

Layout::Layout(std::vector<Wire> places) : place(std::move(places)), holds(place.size()) {
  for (Wire wire = 0; wire < place.size(); ++wire) holds[place[wire]] = wire;
}

void Layout::exchange(Wire p, Wire q) {
  std::swap(holds[p], holds[q]);
  place[holds[p]] = p;
  place[holds[q]] = q;
}

RouteWalk::RouteWalk(const RouteGraph& graph, const Coupling& coupling, std::uint32_t look_ahead)
    : most_later_(std::min(look_ahead, kLookAhead)),
      graph_(graph),
      coupling_(coupling),
      missing_(graph.size()),
      front_partner_(coupling.size()),
      front_at_(coupling.size()),
      later_partners_(coupling.size()),
      visited_(graph.size(), 0),
      met_(coupling.size()),
      decay_(coupling.size(), 1.0) {}

std::uint64_t RouteWalk::run(Layout& layout, bool forward, base::Philox& random, std::vector<RouteStep>* steps,
                             std::uint64_t bound) {
  layout_ = &layout;
  steps_ = steps;
  start(forward);
  const unsigned patience = 10 + 3 * coupling_.size();
  while (true) {
    run_ready();
    if (front_.empty() || cost_ > bound) return cost_;
    if (front_changed_) look_ahead();
    if (swaps_since_run_ > patience) {
      force_nearest();
    } else {
      choose_swap(random);
    }
  }
}

void RouteWalk::start(bool forward) {
  forward_ = forward;
  cost_ = 0;
  swaps_since_run_ = 0;
  swaps_ = 0;
  ready_.clear();
  front_.clear();
  moved_.clear();
  std::ranges::fill(met_, Met{});
  forget_decay();
  std::iota(front_partner_.begin(), front_partner_.end(), 0U);
  for (LaterPartners& list : later_partners_) list.count = 0;
  later_touched_.clear();
  const auto count = static_cast<std::uint32_t>(graph_.size());
  for (std::uint32_t i = 0; i < count; ++i) missing_[i] = static_cast<std::uint32_t>(before(i).size());
  // The stack gives the last first.
  for (std::uint32_t k = 0; k < count; ++k) {
    const std::uint32_t i = forward ? count - 1 - k : k;
    if (missing_[i] == 0) ready_.push_back(i);
  }
}

void RouteWalk::execute(std::uint32_t node) {
  const RouteNode& at = graph_.node(node);
  if (at.is_pair) pair_executed(at, layout_->place[at.a], layout_->place[at.b]);
  if (steps_ != nullptr) steps_->push_back({.a = node});
  for (const std::uint32_t next : after(node)) {
    if (--missing_[next] == 0) ready_.push_back(next);
  }
}

bool RouteWalk::try_run(std::uint32_t node) {
  const RouteNode& at = graph_.node(node);
  if (at.is_pair && coupling_.distance(layout_->place[at.a], layout_->place[at.b]) != 1) return false;
  if (at.is_pair) {
    forget_decay();
    swaps_since_run_ = 0;
  }
  execute(node);
  return true;
}

// Only what was moved can have become possible, and what that lets go on.
void RouteWalk::run_ready() {
  for (const Wire wire : moved_) {
    if (front_partner_[wire] == wire) continue;
    const std::uint32_t position = front_at_[wire], node = front_[position];
    if (!try_run(node)) continue;
    const RouteNode& at = graph_.node(node);
    front_partner_[at.a] = at.a;
    front_partner_[at.b] = at.b;
    front_[position] = front_.back();
    front_.pop_back();
    if (position < front_.size()) {
      const RouteNode& last = graph_.node(front_[position]);
      front_at_[last.a] = front_at_[last.b] = position;
    }
    front_changed_ = true;
  }
  moved_.clear();
  while (!ready_.empty()) {
    const std::uint32_t node = ready_.back();
    ready_.pop_back();
    if (try_run(node)) continue;
    const RouteNode& at = graph_.node(node);
    front_at_[at.a] = front_at_[at.b] = static_cast<std::uint32_t>(front_.size());
    front_.push_back(node);
    front_partner_[at.a] = at.b;
    front_partner_[at.b] = at.a;
    front_changed_ = true;
  }
}

void RouteWalk::meet(Wire p, Wire q, Met met) {
  met.partner = q;
  met_[p] = met;
  met.partner = p;
  met_[q] = met;
}

void RouteWalk::pair_executed(const RouteNode& node, Wire p, Wire q) {
  if (have_met(p, q)) {
    Met& met = met_[std::min(p, q)];
    const int was = met.cost();
    if (met.plain == 0 && met.mirrored == 3) {  // nothing but a swap so far, or nothing
      met.plain = node.plain;
      met.mirrored = node.mirrored;
    } else {
      met.plain = met.mirrored = static_cast<std::uint8_t>(std::min(3, was + node.plain));
      met.exchanged = false;
    }
    cost_ = cost_ + static_cast<std::uint64_t>(met.cost()) - static_cast<std::uint64_t>(was);
    return;
  }
  meet(p, q, {.plain = node.plain, .mirrored = node.mirrored});
  cost_ += node.plain;
}

void RouteWalk::apply_swap(Wire p, Wire q) {
  cost_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(cost_) + swap_price(p, q));
  if (have_met(p, q)) {
    Met& met = met_[std::min(p, q)];
    met.exchanged = !met.exchanged;
  } else {
    meet(p, q, {.plain = 0, .mirrored = 3, .exchanged = true});
  }
  layout_->exchange(p, q);
  moved_.push_back(layout_->holds[p]);
  moved_.push_back(layout_->holds[q]);
  if (++swaps_ > kMostSwaps) {
    throw Error(ErrorCode::limit_exceeded, "routing takes more than " + std::to_string(kMostSwaps) + " swaps of wires",
                {}, "choose a device on which more wires meet, or a smaller circuit");
  }
  if (steps_ != nullptr) steps_->push_back({.a = p, .b = q});
}

std::span<const std::uint32_t> RouteWalk::looked_at_front() const {
  return std::span(front_).first(std::min(front_.size(), kMostLookedAt));
}

void RouteWalk::look_ahead() {
  for (const Wire wire : later_touched_) later_partners_[wire].count = 0;
  later_touched_.clear();
  std::uint32_t later = 0;
  ++visit_;
  const auto looked_at = looked_at_front();
  queue_.assign(looked_at.begin(), looked_at.end());
  for (std::size_t i = 0; i < queue_.size() && later < most_later_; ++i) {
    for (const std::uint32_t next : after(queue_[i])) {
      if (visited_[next] == visit_) continue;
      visited_[next] = visit_;
      queue_.push_back(next);
      const RouteNode& at = graph_.node(next);
      if (!at.is_pair) continue;
      ++later;
      for (const auto& [wire, partner] : {std::pair(at.a, at.b), std::pair(at.b, at.a)}) {
        LaterPartners& list = later_partners_[wire];
        if (list.count == 0) later_touched_.push_back(wire);
        list.wires[list.count++] = partner;
      }
    }
  }
  front_changed_ = false;
  front_weight_ = 1.0 / static_cast<double>(looked_at.size());
  later_weight_ = later == 0 ? 0.0 : kLaterWeight / later;
}

// By how much what follows comes nearer to `wire` when it goes from one place to another, next to it; distances are
// from there. Who already waits at `to` counts as no nearer.
inline int RouteWalk::later_gain(Wire wire, Wire to, const std::uint16_t* from_here,
                                 const std::uint16_t* from_there) const {
  const LaterPartners& others = later_partners_[wire];
  int gain = 0;
  for (std::uint32_t k = 0; k < others.count; ++k) {
    const Wire at = layout_->place[others.wires[k]];
    gain += at == to ? 0 : from_here[at] - from_there[at];
  }
  return gain;
}

void RouteWalk::choose_swap(base::Philox& random) {
  const Wire* const place = layout_->place.data();
  double best = -1e300;
  Wire best_p = 0, best_q = 0;
  // Ties are broken by a number that is drawn for this choice.
  const std::uint32_t salt = random() | 1U;
  std::uint32_t best_ticket = 0;
  for (const std::uint32_t node : looked_at_front()) {
    const RouteNode& at = graph_.node(node);
    for (const Wire wire : {at.a, at.b}) {
      const Wire p = place[wire], mate = place[front_partner_[wire]];
      const std::uint16_t* const from_p = coupling_.distances(p);
      for (const Wire q : coupling_.neighbours(p)) {
        // A pair that both wait is met from both sides; once is enough.
        const Wire other = layout_->holds[q], other_mate = place[front_partner_[other]];
        const bool both_wait = other_mate != q;
        if (both_wait && q < p) continue;
        // Partners of the front are not neighbours, so nobody meets his own here.
        const std::uint16_t* const from_q = coupling_.distances(q);
        int front = from_p[mate] - from_q[mate];
        if (both_wait) front += from_q[other_mate] - from_p[other_mate];
        const int later = later_gain(wire, q, from_p, from_q) + later_gain(other, p, from_q, from_p);
        const double price = (3 - swap_price(p, q)) * (kPriceWeight / 3.0);
        const double score =
            (front + price) * front_weight_ + later * later_weight_ - (std::max(decay_[p], decay_[q]) - 1.0);
        if (score < best - 1e-9) continue;
        const std::uint32_t ticket = ((p * 0x9e3779b1U) ^ (q * 0x85ebca6bU)) * salt;
        if (score < best + 1e-9 && ticket < best_ticket) continue;
        best = score;
        best_ticket = ticket;
        best_p = p;
        best_q = q;
      }
    }
  }
  apply_swap(best_p, best_q);
  if (++swaps_since_run_ % kDecayReset == 0) {
    forget_decay();
  } else {
    for (const Wire w : {best_p, best_q}) {
      decay_[w] += kDecayStep;
      decayed_.push_back(w);
    }
  }
}

void RouteWalk::forget_decay() {
  for (const Wire w : decayed_) decay_[w] = 1.0;
  decayed_.clear();
}

// The walk turns in circles: the nearest pair of the front is brought together by the shortest way.
void RouteWalk::force_nearest() {
  const auto far = [&](std::uint32_t node) {
    const RouteNode& at = graph_.node(node);
    return coupling_.distance(layout_->place[at.a], layout_->place[at.b]);
  };
  const RouteNode& at = graph_.node(*std::ranges::min_element(front_, {}, far));
  Wire from = layout_->place[at.a];
  const Wire to = layout_->place[at.b];
  while (coupling_.distance(from, to) > 1) {
    const auto& near = coupling_.neighbours(from);
    const Wire next = *std::ranges::min_element(near, {}, [&](Wire w) { return coupling_.distance(w, to); });
    apply_swap(from, next);
    from = next;
  }
  swaps_since_run_ = 0;
}

}  // namespace skerry::passes::native
