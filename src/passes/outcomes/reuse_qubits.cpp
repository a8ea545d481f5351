#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "ir/circuit/uses.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

// Instructions with what has to come before: the last one on each wire and, for a measurement, on its bit. Barriers are
// passed over: who asks for fewer wires asks for another order.
class Dependences {
 public:
  explicit Dependences(const Circuit& circuit) : body_(circuit.body()) {
    std::vector<std::uint32_t> last(circuit.num_wires(), kNone), written(circuit.num_bits(), kNone);
    for (std::uint32_t i = 0; i < body_.size(); ++i) {
      const Instruction at = body_[i];
      begin_.push_back(static_cast<std::uint32_t>(before_.size()));
      if (at.op == Op::barrier) continue;
      const auto follow = [&](std::uint32_t& before) {
        if (before != kNone) before_.push_back(before);
        before = i;
      };
      for (const Wire wire : at.wires) follow(last[wire]);
      if (at.op == Op::measure) follow(written[at.aux]);
    }
    begin_.push_back(static_cast<std::uint32_t>(before_.size()));
    last_ = std::move(last);
  }
  std::uint32_t last(Wire wire) const { return last_[wire]; }

  // What has not run of all that leads to `end`, in order.
  std::vector<std::uint32_t> cone(std::uint32_t end, const std::vector<std::uint8_t>& ran) {
    seen_.resize(body_.size(), 0);
    ++visit_;
    std::vector<std::uint32_t> found;
    const auto enter = [&](std::uint32_t i) {
      if (ran[i] != 0 || seen_[i] == visit_) return;
      seen_[i] = visit_;
      found.push_back(i);
    };
    enter(end);
    // The list grows while it is walked.
    for (std::size_t k = 0; k < found.size(); ++k) {  // NOLINT(modernize-loop-convert)
      for (std::uint32_t b = begin_[found[k]]; b < begin_[found[k] + 1]; ++b) enter(before_[b]);
    }
    std::ranges::sort(found);
    return found;
  }

 private:
  const Block& body_;
  std::vector<std::uint32_t> before_, begin_, last_, seen_;
  std::uint32_t visit_ = 0;
};

class Reuser {
 public:
  explicit Reuser(const Circuit& circuit)
      : circuit_(circuit), depends_(circuit), place_(circuit.num_wires(), kNone), ran_(circuit.body().size(), 0) {
    const auto used = ir::used_wires(circuit);
    for (Wire wire = 0; wire < circuit.num_wires(); ++wire) {
      if (used[wire] != 0) waiting_.push_back(wire);
    }
  }

  Circuit run() {
    // Looking at every end at every step is quadratic; beyond this the program's own order has to do.
    constexpr std::uint64_t kMostLooked = 50'000'000;
    const std::uint64_t work = std::uint64_t{waiting_.size()} * waiting_.size() * circuit_.body().size();
    if (work > kMostLooked) {
      std::ranges::stable_sort(waiting_, {}, [&](Wire wire) { return depends_.last(wire); });
    }
    while (!waiting_.empty()) {
      const std::size_t next = work > kMostLooked ? 0 : cheapest();
      for (const std::uint32_t i : depends_.cone(depends_.last(waiting_[next]), ran_)) step(i);
      std::erase_if(waiting_, [&](Wire wire) { return ran_[depends_.last(wire)] != 0; });
    }
    if (width_ >= circuit_.num_wires()) return circuit_;
    return written();
  }

 private:
  // The end that takes the fewest new places.
  std::size_t cheapest() {
    std::size_t best = 0;
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (std::size_t k = 0; k < waiting_.size(); ++k) {
      std::set<Wire> fresh;
      for (const std::uint32_t i : depends_.cone(depends_.last(waiting_[k]), ran_)) {
        for (const Wire wire : circuit_.body()[i].wires) {
          if (place_[wire] == kNone) fresh.insert(wire);
        }
      }
      const auto cost = static_cast<std::int64_t>(fresh.size());
      if (cost < least) {
        least = cost;
        best = k;
      }
    }
    return best;
  }

  void step(std::uint32_t i) {
    const Instruction at = circuit_.body()[i];
    ran_[i] = 1;
    std::vector<Wire> wires;
    for (const Wire wire : at.wires) wires.push_back(take(wire));
    into_.append(at.op, wires, at.params, at.controls, at.aux);
    for (const Wire wire : at.wires) {
      if (depends_.last(wire) == i) free_.insert(place_[wire]);
    }
  }

  Wire take(Wire wire) {
    if (place_[wire] != kNone) return place_[wire];
    if (free_.empty()) return place_[wire] = width_++;
    place_[wire] = *free_.begin();
    free_.erase(free_.begin());
    into_.append(Op::reset, std::array{place_[wire]});
    return place_[wire];
  }

  Circuit written() {
    Circuit out;
    out.name = circuit_.name;
    out.add_wires("q", width_);
    for (const Register& r : circuit_.bit_registers()) out.add_bits(r.name, r.size);
    for (const Parameter& p : circuit_.parameters()) out.add_parameter(p.name, p.type);
    for (const Variable& v : circuit_.variables()) out.add_variable(v);
    for (const Matrix& m : circuit_.matrices()) out.add_matrix(m);
    for (const Channel& channel : circuit_.channels()) out.add_channel(channel);
    out.expressions() = circuit_.expressions();
    out.replace_block(0, std::move(into_));
    return out;
  }

  const Circuit& circuit_;
  Dependences depends_;
  std::vector<Wire> place_, waiting_;
  std::vector<std::uint8_t> ran_;
  std::set<Wire> free_;
  Wire width_ = 0;
  Block into_;
};

Circuit reuse_qubits(const Circuit& circuit) {
  bool reads = false;
  for (std::size_t i = 0; i < circuit.body().size(); ++i) reads = reads || circuit.body()[i].op == Op::measure;
  // Classical control could be kept in order, but a body may ask for any wire.
  if (!reads || circuit.blocks().size() > 1 || !circuit.assignments().empty()) return circuit;
  return Reuser(circuit).run();
}

}  // namespace

extern const CircuitPass reuse_qubits_pass;
const CircuitPass reuse_qubits_pass = {
    .name = "reuse_qubits",
    .help = "Puts wires on wires that were measured last and are reset: fewer of them, a longer program.",
    .run = reuse_qubits,
};

}  // namespace skerry::passes
