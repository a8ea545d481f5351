#include "passes/native/translate.hpp"

#include <set>
#include <utility>

#include "passes/native/angle.hpp"

namespace skerry::passes::native {
namespace {

// The flat list again with CX meaning the device's own gate, dressed by gates of one wire. A Flat is returned so that
// the dress meets its neighbours.
class Dresser {
 public:
  Dresser(const Target& target, const Basis& basis) : basis_(basis), ordered_(target.directed && !target.all_to_all) {
    if (ordered_) edges_.insert(target.coupling.begin(), target.coupling.end());
  }
  bool has_work() const { return ordered_ || !basis_.entangler_is_cx(); }

  Flat dress(const Flat& flat) const {  // NOLINT(misc-no-recursion): blocks nest at most ir::kMaxNesting deep
    FlatWriter out(flat.wires);
    out.reserve(flat.gates.size());
    for (const Gate& gate : flat.gates) {
      switch (gate.kind) {
        case Kind::one:
          out.one(gate.a, flat.ones[gate.index]);
          break;
        case Kind::turn:
          out.turn(gate.a, flat.turns[gate.index]);
          break;
        case Kind::cx:
          cx(gate.a, gate.b, out);
          break;
        case Kind::swap:
          cx(gate.a, gate.b, out);
          cx(gate.b, gate.a, out);
          cx(gate.a, gate.b, out);
          break;
        case Kind::other: {
          Other other = flat.others[gate.index];
          for (Flat& body : other.bodies) body = dress(body);
          out.other(std::move(other));
          break;
        }
      }
    }
    Flat dressed = out.finish();
    dressed.phase += flat.phase;
    dressed.phases = flat.phases;
    dressed.places = flat.places;
    return dressed;
  }

 private:
  void cx(Wire control, Wire target, FlatWriter& out) const {
    const bool against = ordered_ && !edges_.contains({control, target}) && edges_.contains({target, control});
    if (!against || basis_.entangler_is_symmetric()) {
      const bool exchanged = against;
      out.one(control, basis_.before_first());
      out.one(target, basis_.before_second());
      out.cx(exchanged ? target : control, exchanged ? control : target);
      out.one(control, basis_.after_first());
      out.one(target, basis_.after_second());
      return;
    }
    out.one(control, basis_.before_second() * h_matrix());
    out.one(target, basis_.before_first() * h_matrix());
    out.cx(target, control);
    out.one(control, h_matrix() * basis_.after_second());
    out.one(target, h_matrix() * basis_.after_first());
  }

  const Basis& basis_;
  bool ordered_;
  std::set<std::pair<Wire, Wire>> edges_;
};

class Translator {
 public:
  Translator(const Circuit& source, const Basis& basis, std::uint32_t wires) : source_(source), basis_(basis) {
    out_.name = source.name;
    if (wires != 0) out_.add_wires("q", wires);
    for (const Register& r : source.bit_registers()) out_.add_bits(r.name, r.size);
    for (const Parameter& p : source.parameters()) out_.add_parameter(p.name, p.type);
    for (const Variable& v : source.variables()) out_.add_variable(v);
    out_.expressions() = source.expressions();
  }

  Circuit run(const Flat& flat) {
    Block body = block(flat);
    out_.replace_block(0, std::move(body));
    return std::move(out_);
  }

 private:
  void gate(const Spelled& spelled, std::span<const Wire> wires, Block& into) const {
    std::array<Param, 3> params;
    for (std::size_t i = 0; i < spelled.params; ++i) params[i] = {spelled.values[i]};
    into.append(spelled.op, wires, std::span(params).first(spelled.params), spelled.controls);
  }

  Block block(const Flat& flat) {  // NOLINT(misc-no-recursion): blocks nest at most ir::kMaxNesting deep
    Block into;
    into.reserve(3 * flat.gates.size(), 4 * flat.gates.size(), 2 * flat.gates.size());
    double phase = flat.phase;
    std::vector<Spelled> spelled;
    for (const Gate& at : flat.gates) {
      const std::array both = {at.a, at.b};
      switch (at.kind) {
        case Kind::one:
          spelled.clear();
          phase += basis_.spell(flat.ones[at.index], spelled);
          for (const Spelled& one : spelled) gate(one, std::span(both).first(1), into);
          break;
        case Kind::turn:
          turn(flat.turns[at.index], at.a, into);
          break;
        case Kind::cx:
          gate(basis_.entangler(), both, into);
          break;
        case Kind::swap:
          for (const auto& [a, b] : {std::pair(at.a, at.b), std::pair(at.b, at.a), std::pair(at.a, at.b)}) {
            gate(basis_.entangler(), std::array{a, b}, into);
          }
          break;
        case Kind::other:
          other(flat.others[at.index], into);
          break;
      }
    }
    const double rest = std::remainder(phase, 2 * 3.14159265358979323846);
    if (std::abs(rest) > 1e-12) into.append(Op::gphase, {}, std::array{Param{rest}});
    for (const Param& symbol : flat.phases) into.append(Op::gphase, {}, std::array{symbol});
    return into;
  }

  void turn(const Param& angle, Wire wire, Block& into) {
    const Spelled& spelled = basis_.turn();
    std::array<Param, 3> params;
    params[spelled.params - 1U] = angle;
    into.append(spelled.op, std::array{wire}, std::span(params).first(spelled.params));
    if (spelled.op != Op::rz) {
      into.append(Op::gphase, {}, std::array{scaled(out_.expressions(), angle, -0.5)});
    }
  }

  void other(const Other& other, Block& into) {  // NOLINT(misc-no-recursion): as above
    std::uint32_t aux = other.aux;
    if (other.op == Op::rz) return turn(other.params[0], other.wires[0], into);
    if (other.op == Op::assign) {
      out_.assign(source_.assignments()[other.aux]);
      aux = static_cast<std::uint32_t>(out_.assignments().size() - 1);
    }
    if (other.op == Op::if_else || other.op == Op::while_loop) {
      std::array<BlockId, 2> ids = {kNoBlock, kNoBlock};
      for (std::size_t i = 0; i < other.bodies.size(); ++i) {
        ids[i] = out_.open_block();
        out_.close_block();
        Block body = block(other.bodies[i]);
        out_.replace_block(ids[i], std::move(body));
      }
      const ExprId condition = source_.branches()[other.aux].condition;
      if (other.op == Op::if_else) {
        out_.if_else(condition, ids[0], ids[1]);
      } else {
        out_.while_loop(condition, ids[0]);
      }
      aux = static_cast<std::uint32_t>(out_.branches().size() - 1);
      into.append(other.op, {}, {}, 0, aux);
      return;
    }
    const bool on_wires =
        other.op == Op::measure || other.op == Op::reset || other.op == Op::barrier || other.op == Op::delay;
    into.append(other.op, on_wires ? std::span<const Wire>(other.wires) : std::span<const Wire>(), other.params, 0,
                aux);
  }

  const Circuit& source_;
  const Basis& basis_;
  Circuit out_;
};

}  // namespace

Circuit translate(const Flat& flat, const Circuit& source, const Target& target, const Basis& basis) {
  const Dresser dresser(target, basis);
  return Translator(source, basis, flat.wires).run(dresser.has_work() ? dresser.dress(flat) : flat);
}

}  // namespace skerry::passes::native
