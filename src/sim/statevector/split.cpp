// How a circuit is taken apart: light cones of what is asked, registers, and where each answer comes from.

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "base/threads.hpp"
#include "kernels/statevec/gate.hpp"
#include "sim/state/masks.hpp"
#include "sim/state/questions.hpp"
#include "sim/statevector/light_cone.hpp"
#include "sim/statevector/price.hpp"
#include "sim/statevector/product.hpp"

namespace skerry::sim {
namespace {

/// Fewer wires cost less than looking at them.
constexpr std::uint32_t kSmall = 10;
/// Registers up to this size are run once for all observables; beyond, a light cone for each may be smaller.
constexpr std::size_t kLarge = 16;
/// Gates looked at for light cones of single strings, at most.
constexpr std::size_t kMostLooks = std::size_t{1} << 25;

using Interests = std::vector<Interest>;

double cost_of(const std::vector<Register>& registers) {
  double cost = 0;
  for (const Register& one : registers)
    cost += std::ldexp(static_cast<double>(one.gates.size()), static_cast<int>(one.wires.size()));
  return cost;
}

std::size_t largest(const std::vector<Register>& registers) {
  std::size_t most = 0;
  for (const Register& one : registers) most = std::max(most, one.wires.size());
  return most;
}

/// Which observables' strings a group answers, and what they ask.
struct Cone {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> terms;  ///< observable, term
  Interests interests;
  std::vector<Register> registers;
};

class Splitter {
 public:
  Splitter(const Circuit& circuit, const RunOptions& options, Code code)
      : circuit_(circuit), options_(options), code_(std::move(code)) {}

  std::optional<Split> run() {
    Cone joint{.terms = {}, .interests = asked_together(), .registers = {}};
    const bool is_asked_together = options_.shots != 0 || options_.want_probabilities;
    Cone all = joint;
    for (std::uint32_t o = 0; o < options_.observables.size(); ++o) {
      const auto& terms = options_.observables[o].terms();
      for (std::uint32_t t = 0; t < terms.size(); ++t) {
        all.terms.emplace_back(o, t);
        add_interest(terms[t], all.interests);
      }
    }
    all.registers = light_cone(circuit_, all.interests);
    std::vector<Cone> cones = by_string(all, is_asked_together ? &joint : nullptr);
    if (cones.empty()) cones.push_back(std::move(all));
    if (cones.size() == 1 && cones[0].registers.size() <= 1) return pruned(cones[0]);
    for (const Cone& cone : cones)
      if (largest(cone.registers) > kMaxStateWires) return std::nullopt;
    if (options_.want_probabilities && wanted_wires().size() > kMaxDistributionBits) return std::nullopt;
    Split out;
    out.product = std::make_unique<ProductRequest>(make_request(cones));
    return out;
  }

 private:
  std::vector<std::uint32_t> wanted_wires() const { return distribution_subject(circuit_, options_, code_).wires; }

  /// Of shots and probabilities, which no part of the wires answers alone.
  Interests asked_together() const {
    Interests out(circuit_.num_wires(), Interest::none);
    if (options_.want_probabilities)
      for (const std::uint32_t wire : wanted_wires()) out[wire] = Interest::diagonal;
    if (options_.shots == 0) return out;
    if (!code_.has_measure) std::ranges::fill(out, Interest::diagonal);
    for (std::size_t i = 0; i < circuit_.body().size(); ++i)
      if (circuit_.body()[i].op == Op::measure) out[circuit_.body()[i].wires[0]] = Interest::diagonal;
    return out;
  }

  /// A cone for each string, those within one another joined; empty if all at once is no dearer.
  std::vector<Cone> by_string(const Cone& all, const Cone* joint) const {
    if (all.terms.empty() || largest(all.registers) <= kLarge) return {};
    if (all.terms.size() * circuit_.body().size() > kMostLooks) return {};
    std::vector<Cone> singles;
    for (const auto& term : all.terms) {
      Cone cone{.terms = {term}, .interests = Interests(circuit_.num_wires(), Interest::none), .registers = {}};
      add_interest(options_.observables[term.first].terms()[term.second], cone.interests);
      cone.registers = light_cone(circuit_, cone.interests);
      singles.push_back(std::move(cone));
    }
    const auto size = [](const Cone& cone) {
      std::size_t wires = 0;
      for (const Register& one : cone.registers) wires += one.wires.size();
      return wires;
    };
    std::ranges::stable_sort(singles, std::ranges::greater{}, size);
    std::vector<Cone> out;
    if (joint != nullptr) out.push_back(*joint);
    std::vector<std::vector<bool>> covered(out.size(), std::vector<bool>(circuit_.num_wires()));
    if (joint != nullptr)
      for (const Register& one : light_cone(circuit_, joint->interests))
        for (const Wire wire : one.wires) covered[0][wire] = true;
    for (Cone& cone : singles) join_or_add(std::move(cone), out, covered);
    double cost = 0;
    for (Cone& cone : out) {
      cone.registers = light_cone(circuit_, cone.interests);
      cost += cost_of(cone.registers);
    }
    return 2 * cost < cost_of(all.registers) ? out : std::vector<Cone>{};
  }

  static void join_or_add(Cone cone, std::vector<Cone>& out, std::vector<std::vector<bool>>& covered) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const bool is_within = std::ranges::all_of(cone.registers, [&](const Register& one) {
        return std::ranges::all_of(one.wires, [&](Wire wire) { return covered[i][wire]; });
      });
      if (!is_within) continue;
      out[i].terms.insert(out[i].terms.end(), cone.terms.begin(), cone.terms.end());
      for (std::size_t w = 0; w < cone.interests.size(); ++w)
        out[i].interests[w] = std::max(out[i].interests[w], cone.interests[w]);
      return;
    }
    covered.emplace_back(cone.interests.size());
    for (const Register& one : cone.registers)
      for (const Wire wire : one.wires) covered.back()[wire] = true;
    out.push_back(std::move(cone));
  }

  /// One register or none: the gates that matter, and everything that is no gate.
  std::optional<Split> pruned(const Cone& cone) const {
    const Block& body = circuit_.body();
    std::vector<std::uint32_t> kept;
    std::size_t dropped = 0;
    auto next = cone.registers.empty() ? std::vector<std::uint32_t>{} : cone.registers[0].gates;
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < body.size(); ++i) {
      const bool is_kept = at < next.size() && next[at] == i;
      at += is_kept ? 1U : 0U;
      if (is_kept || !is_gate(body[i].op))
        kept.push_back(i);
      else
        ++dropped;
    }
    if (dropped == 0) return std::nullopt;
    return Split{with_gates(circuit_, kept), nullptr};
  }

  ProductRequest make_request(const std::vector<Cone>& cones) const {
    ProductRequest request;
    request.precision = options_.precision;
    request.shots = options_.shots;
    request.seed = options_.seed;
    request.want_memory = options_.want_memory && options_.shots != 0;
    request.outcome_bits = code_.has_measure ? circuit_.num_bits() : circuit_.num_wires();
    request.want_distribution = options_.want_probabilities;
    if (request.want_distribution) request.distribution_wires = wanted_wires();
    request.expectations.resize(options_.observables.size());
    for (const Cone& cone : cones) request.groups.push_back(make_group(cone, request.expectations));
    if (request.shots != 0) request.outcome = outcome_runs(request);
    return request;
  }

  ProductGroup make_group(const Cone& cone, std::vector<double>& constants) const {
    ProductGroup group;
    const int budget = base::thread_budget();
    for (const Register& one : cone.registers) {
      ProductPart part{.circuit = with_gates(circuit_, one.gates), .request = {}, .strings = {}};
      Request& request = part.request;
      request.code = flatten(part.circuit, false);
      request.precision = options_.precision;
      request.want_state = true;
      request.threads = options_.limits.threads > 0 ? std::min(options_.limits.threads, budget) : budget;
      request.segments = find_segments(part.circuit, request.code, request.precision, {}, options_.limits.control);
      group.parts.push_back(std::move(part));
    }
    std::vector<std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t>> known(group.parts.size());
    for (const auto& [observable, term] : cone.terms) {
      const PauliTerm& string = options_.observables[observable].terms()[term];
      if (touches_idle(string, group)) continue;
      ProductTerm out{.observable = observable, .coefficient = string.coefficient, .factors = {}};
      for (std::uint32_t p = 0; p < group.parts.size(); ++p) {
        const kernels::PauliMasks masks = moved_to_known(string, group.parts[p].request.code.positions);
        if (masks.x == 0 && masks.z == 0) continue;
        const auto [at, is_new] =
            known[p].try_emplace({masks.x, masks.z}, static_cast<std::uint32_t>(group.parts[p].strings.size()));
        if (is_new) group.parts[p].strings.push_back(masks);
        out.factors.emplace_back(p, at->second);
      }
      if (out.factors.empty())
        constants[observable] += out.coefficient;
      else
        group.terms.push_back(std::move(out));
    }
    sort_strings(group);
    return group;
  }

  /// Strings of equal x are best neighbours: see kernels::pauli_expectations.
  static void sort_strings(ProductGroup& group) {
    std::vector<std::vector<std::uint32_t>> place(group.parts.size());
    for (std::size_t p = 0; p < group.parts.size(); ++p) {
      auto& strings = group.parts[p].strings;
      std::vector<std::uint32_t> order(strings.size());
      std::iota(order.begin(), order.end(), 0U);
      std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return std::pair(strings[i].x, strings[i].z); });
      place[p].resize(order.size());
      std::vector<kernels::PauliMasks> sorted;
      for (std::uint32_t i = 0; i < order.size(); ++i) {
        sorted.push_back(strings[order[i]]);
        place[p][order[i]] = i;
      }
      strings = std::move(sorted);
    }
    for (ProductTerm& term : group.terms)
      for (auto& [part, string] : term.factors) string = place[part][string];
  }

  /// X or Y on a wire that is in |0> for sure has expectation value 0.
  bool touches_idle(const PauliTerm& string, const ProductGroup& group) const {
    for (std::size_t word = 0; word < string.x.size(); ++word) {
      for (std::uint64_t rest = string.x[word]; rest != 0; rest &= rest - 1) {
        const std::size_t wire = 64 * word + static_cast<std::size_t>(std::countr_zero(rest));
        if (std::ranges::all_of(group.parts,
                                [&](const ProductPart& part) { return part.request.code.positions[wire] == kIdle; }))
          return true;
      }
    }
    return false;
  }

  static kernels::PauliMasks moved_to_known(const PauliTerm& string, std::span<const std::uint32_t> positions) {
    kernels::PauliMasks out;
    for (std::size_t word = 0; word < string.x.size(); ++word) {
      for (std::uint64_t rest = string.x[word] | string.z[word]; rest != 0; rest &= rest - 1) {
        const auto bit = static_cast<std::size_t>(std::countr_zero(rest));
        const std::uint32_t position = positions[64 * word + bit];
        if (position == kIdle) continue;
        out.x |= (string.x[word] >> bit & 1) << position;
        out.z |= (string.z[word] >> bit & 1) << position;
      }
    }
    return out;
  }

  /// Where the bits of an outcome come from: the last measurement into each, else the wire of the same number.
  std::vector<BitRun> outcome_runs(const ProductRequest& request) const {
    std::vector<std::uint32_t> wire_of(request.outcome_bits, kIdle);
    if (!code_.has_measure) std::iota(wire_of.begin(), wire_of.end(), 0U);
    const Block& body = circuit_.body();
    for (std::size_t i = 0; i < body.size(); ++i)
      if (body[i].op == Op::measure) wire_of[body[i].aux] = body[i].wires[0];
    std::vector<BitRun> out;
    const auto& parts = request.groups[0].parts;
    for (std::uint32_t bit = 0; bit < request.outcome_bits; ++bit) {
      if (wire_of[bit] == kIdle) continue;
      for (std::uint32_t p = 0; p < parts.size(); ++p) {
        const std::uint32_t position = parts[p].request.code.positions[wire_of[bit]];
        if (position == kIdle) continue;
        const bool goes_on = !out.empty() && out.back().part == p && out.back().from + out.back().count == position &&
                             out.back().to + out.back().count == bit && bit % 64 != 0;
        if (goes_on)
          ++out.back().count;
        else
          out.push_back({p, position, bit, 1});
      }
    }
    return out;
  }

  const Circuit& circuit_;
  const RunOptions& options_;
  Code code_;
};

/// Gates alone, then measurements that nothing computes with.
bool is_straight(const Circuit& circuit, const Code& code) {
  return !code.is_dynamic && code.tail_is_measures && circuit.branches().empty() && circuit.variables().empty();
}

}  // namespace

std::optional<Split> split(const Circuit& circuit, const RunOptions& options) {
  if (circuit.num_wires() <= kSmall || options.want_state || options.initial_state) return std::nullopt;
  if (options.limits.checkpoint || options.resume) return std::nullopt;  // one state to go on from
  const bool asks = options.shots != 0 || options.want_probabilities || !options.observables.empty();
  if (!asks) return std::nullopt;
  Code code = flatten(circuit, false);
  if (static_cast<std::uint32_t>(code.wires) <= kSmall || !is_straight(circuit, code)) return std::nullopt;
  for (const Matrix& matrix : circuit.matrices())
    if (matrix.wires > kernels::kMaxDenseTargets) return std::nullopt;
  return Splitter(circuit, options, std::move(code)).run();
}

std::uint64_t ProductGroup::state_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const ProductPart& part : parts) bytes += part.request.state_bytes();
  return bytes;
}

std::uint64_t ProductRequest::peak_bytes() const noexcept {
  const std::uint64_t results = (shots != 0 ? outcome_shape().store_bytes() : 0) + distribution_bytes();
  std::uint64_t most = results + (shots != 0 ? outcome_shape().counts_bytes() : 0);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    std::uint64_t states = 0, samplers = 0;
    for (const ProductPart& part : groups[g].parts) {
      most = std::max(most, results + states + part.request.peak_bytes());
      states += part.request.state_bytes();
      samplers += kernels::Sampler<double>::scratch_bytes(part.request.code.wires);
    }
    const bool draws = g == 0 && shots != 0;
    most = std::max(most, results + states + std::max(draws ? samplers : 0, g == 0 ? tables_bytes() : 0));
  }
  return most;
}

std::uint64_t ProductRequest::tables_bytes() const noexcept {
  std::uint64_t bytes = 0;
  if (!want_distribution || groups.empty()) return 0;
  for (const ProductPart& part : groups[0].parts) {
    const auto own =
        std::ranges::count_if(distribution_wires, [&](Wire w) { return part.request.code.positions[w] != kIdle; });
    bytes += sizeof(double) << own;
  }
  return bytes;
}

std::vector<kernels::Work> ProductRequest::price() const {
  std::vector<kernels::Work> work;
  for (const ProductGroup& group : groups) {
    for (const ProductPart& part : group.parts) {
      auto own = sim::price(part.request);
      work.insert(work.end(), own.begin(), own.end());
      const double size = std::exp2(part.request.code.wires);
      work.push_back({precision == Precision::single_precision ? kernels::Rate::amplitude_single_cached
                                                               : kernels::Rate::amplitude_double_cached,
                      size * static_cast<double>(part.strings.size())});
    }
  }
  if (shots != 0) {
    const auto draws = static_cast<double>(shots * groups[0].parts.size());
    work.push_back({kernels::Rate::draw, draws});
  }
  return work;
}

}  // namespace skerry::sim
