#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <deque>
#include <string>

#include "bind.hpp"
#include "expression.hpp"
#include "ops/qubit/gate_record.hpp"

namespace skerry::python {
namespace {

using Wires = std::vector<Wire>;

constexpr std::size_t kMaxAngles = 3, kMaxWires = 5;
constexpr std::array<std::array<const char*, kMaxAngles>, kMaxAngles> kAngleNames = {
    {{"angle", "", ""}, {"theta", "phi", ""}, {"theta", "phi", "lam"}}};
constexpr std::array kControlNames = {"control0", "control1", "control2", "control3"};
constexpr std::array kTargetNames = {"qubit0", "qubit1"};

// One method: its name, its gate and how many of the wires, which come after the angles, are controls.
struct Method {
  const char* name;
  const char* doc;
  Op op;
  std::uint16_t controls;

  const char* wire_name(std::size_t i, std::size_t wires) const {
    const std::size_t targets = wires - controls;
    if (i < controls) return controls == 1 ? "control" : kControlNames[i];
    if (targets == 1) return controls == 0 ? "qubit" : "target";
    return kTargetNames[i - controls];
  }
};

Circuit& apply(Circuit& circuit, const Method& method, std::span<const PyAngle> angles, std::span<const Wire> wires,
               const Wires& more_controls) {
  Wires all = more_controls;
  all.insert(all.end(), wires.begin(), wires.end());
  std::vector<Param> params;
  for (const PyAngle& angle : angles) params.push_back(lowered(angle, circuit));
  circuit.append(method.op, all, params, static_cast<std::uint16_t>(method.controls + more_controls.size()));
  return circuit;
}

template <class T, std::size_t>
using Repeat = T;

// A method of as many angles and wires. It gives the circuit itself back, so that calls chain.
template <std::size_t... A, std::size_t... W>
void define(nb::class_<Circuit>& c, const Method& method, std::index_sequence<A...>, std::index_sequence<W...>) {
  constexpr std::size_t angles = sizeof...(A), wires = sizeof...(W);
  c.def(
      method.name,
      [method](Circuit& self, const Repeat<PyAngle, A>&... angle, Repeat<Wire, W>... wire,
               const Wires& controls) -> Circuit& {
        return apply(self, method, std::array<PyAngle, angles>{angle...}, std::array<Wire, wires>{wire...}, controls);
      },
      nb::arg(kAngleNames[angles == 0 ? 0 : angles - 1][A])..., nb::arg(method.wire_name(W, wires))..., nb::kw_only(),
      nb::arg("controls") = nb::tuple(), nb::rv_policy::reference, method.doc);
}

template <std::size_t Angles, std::size_t Wires>
bool define_if(nb::class_<Circuit>& c, const Method& method, std::size_t angles, std::size_t wires) {
  if (angles != Angles || wires != Wires) return false;
  define(c, method, std::make_index_sequence<Angles>{}, std::make_index_sequence<Wires>{});
  return true;
}

template <std::size_t... Shape>
void define_any(nb::class_<Circuit>& c, const Method& method, std::size_t angles, std::size_t wires,
                std::index_sequence<Shape...>) {
  (define_if<Shape / (kMaxWires + 1), Shape % (kMaxWires + 1)>(c, method, angles, wires) || ...);
}

// Docstrings and names must outlive the module.
const char* kept(std::string text) {
  static std::deque<std::string> texts;
  return texts.emplace_back(std::move(text)).c_str();
}

void bind_spelling(nb::class_<Circuit>& c, const ops::GateRecord& record, std::string_view name,
                   std::uint16_t controls) {
  std::string doc = controls == 0 ? "Applies " : "Applies, where all controls are 1, ";
  doc += std::string(record.formula) + ". Wires in `controls` are further controls.";
  const Method method{kept(std::string(name)), kept(doc), record.op, controls};
  define_any(c, method, static_cast<std::size_t>(gate_parameters(record.op)),
             static_cast<std::size_t>(gate_targets(record.op)) + controls,
             std::make_index_sequence<(kMaxAngles + 1) * (kMaxWires + 1)>{});
}

}  // namespace

void bind_gates(nb::class_<Circuit>& circuit) {
  for (std::uint16_t i = 0; i < kGateCount; ++i) {
    const ops::GateRecord& record = ops::gate_record(static_cast<Op>(i));
    bind_spelling(circuit, record, record.name, 0);
    for (std::size_t controls = 1; controls <= record.controlled.size(); ++controls) {
      const std::string_view spelling = record.controlled[controls - 1];
      if (!spelling.empty()) bind_spelling(circuit, record, spelling, static_cast<std::uint16_t>(controls));
    }
  }
}

}  // namespace skerry::python
