#include <nanobind/operators.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <map>

#include "arrays.hpp"
#include "bind.hpp"
#include "expression.hpp"
#include "gate_list.hpp"
#include "ir/text/text.hpp"
#include "ops/qubit/gate_record.hpp"
#include "package/package.hpp"

namespace skerry::python {
namespace {

using Wires = std::vector<Wire>;

Circuit circuit_of(Program program, const std::string& what) {
  if (auto* circuit = std::get_if<Circuit>(&program)) return std::move(*circuit);
  throw Error(ErrorCode::invalid_argument, what + " holds a model, not a circuit");
}

Circuit& append(Circuit& self, std::string_view gate, const Wires& qubits, const std::vector<PyAngle>& params,
                std::uint16_t controls) {
  const auto found = ops::find_gate(gate);
  if (const auto op = found ? std::nullopt : op_from_name(gate); op && is_mode_op(*op)) {
    std::vector<Param> angles;
    for (const PyAngle& angle : params) angles.push_back(lowered(angle, self));
    auto outcome = static_cast<std::uint32_t>(self.variables().size());
    const std::string name = "q" + std::to_string(qubits.empty() ? 0 : qubits[0]);
    if (is_mode_measurement(*op)) self.add_variable({name + "_" + std::to_string(outcome), {}, true});
    if (*op == Op::measure_heterodyne) self.add_variable({name + "_" + std::to_string(outcome) + "_imag", {}, true});
    return self.append(*op, qubits, angles, controls, is_mode_measurement(*op) ? outcome : 0);
  }
  if (!found) {
    const std::string_view near = ops::nearest_gate_name(gate);
    throw Error(ErrorCode::not_found, "there is no gate '" + std::string(gate) + "'", "",
                near.empty() ? "" : "did you mean '" + std::string(near) + "'?");
  }
  std::vector<Param> lowered_params;
  for (const PyAngle& angle : params) lowered_params.push_back(lowered(angle, self));
  return self.append(found->op, qubits, lowered_params, static_cast<std::uint16_t>(found->controls + controls));
}

Circuit& unitary(Circuit& self, const nb::ndarray<const std::complex<double>, nb::ndim<2>, nb::c_contig>& matrix,
                 const Wires& qubits, std::uint16_t controls) {
  const std::size_t rows = matrix.shape(0);
  const auto targets = qubits.size() < controls ? 0 : static_cast<std::uint32_t>(qubits.size() - controls);
  if (rows != matrix.shape(1) || targets > 30 || rows != std::size_t{1} << targets) {
    throw Error(ErrorCode::invalid_argument,
                "a matrix of " + std::to_string(rows) + " x " + std::to_string(matrix.shape(1)) + " on " +
                    std::to_string(targets) + " target qubits",
                "", "give 2^k x 2^k entries for k target qubits");
  }
  Matrix values{targets, {matrix.data(), matrix.data() + rows * rows}};
  return self.unitary(std::move(values), qubits, controls);
}

std::map<std::string, std::uint64_t> gate_counts(const Circuit& circuit) {
  std::map<std::string, std::uint64_t> counts;
  for (const Block& block : circuit.blocks()) {
    for (std::size_t i = 0; i < block.size(); ++i) {
      ++counts[std::string(block[i].controls, 'c') + std::string(op_name(block[i].op))];
    }
  }
  return counts;
}

Circuit& channel(Circuit& self, const Channel& channel, const std::vector<Wire>& qubits) {
  return self.channel(channel, qubits);
}

std::vector<std::string> parameter_names(const Circuit& circuit) {
  std::vector<std::string> names;
  for (const Parameter& parameter : circuit.parameters()) names.push_back(parameter.name);
  return names;
}

std::string summary(const Circuit& circuit) {
  std::string text = "<Circuit";
  if (!circuit.name.empty()) text += " '" + circuit.name + "'";
  text += ": " + std::to_string(circuit.num_wires()) + (acts_on_modes(circuit) ? " modes, " : " qubits, ") +
          std::to_string(circuit.num_bits()) + " bits, " + std::to_string(circuit.body().size()) + " instructions";
  if (!circuit.parameters().empty()) text += ", " + std::to_string(circuit.parameters().size()) + " parameters";
  return text + ">";
}

nb::bytes packed(const Circuit& circuit) {
  const std::vector<std::byte> bytes = package::encode({.program = circuit, .metadata = {}, .plans = {}});
  return nb::bytes(bytes.data(), bytes.size());
}

void unpack(Circuit& self, const nb::bytes& bytes) {
  new (&self) Circuit(circuit_of(loads({bytes.c_str(), bytes.size()}, {}, "<pickle>"), "the pickle"));
}

void bind_building(nb::class_<Circuit>& c) {
  c.def("append", append, nb::arg("gate"), nb::arg("qubits"), nb::arg("params") = nb::tuple(), nb::arg("controls") = 0,
        nb::rv_policy::reference,
        "Applies a gate by any of its spellings. qubits: controls first, then targets. params: angles in radians. "
        "controls: how many qubits are controls beyond those that the spelling implies. Operations on optical modes "
        "(displacement, beam_splitter, measure_photons, …) make it a circuit over modes; each measurement has a "
        "variable.")
      .def("unitary", unitary, nb::arg("matrix"), nb::arg("qubits"), nb::arg("controls") = 0, nb::rv_policy::reference,
           "Applies a unitary matrix, complex128 [2^k, 2^k], to the last k of `qubits`, first of them least "
           "significant; the `controls` qubits before them must be 1. Errors: InvalidArgument if it is not unitary.")
      .def("channel", channel, nb::arg("channel"), nb::arg("qubits"), nb::rv_policy::reference,
           R"(Noise as part of the program: a Channel on `qubits`, first of them least significant.

Methods density and trajectories honour it, the others refuse it.

>>> import skerry
>>> circuit = skerry.Circuit(1).x(0).channel(skerry.Channel.amplitude_damping(0.25), [0])
>>> skerry.run(circuit, probabilities=True).probabilities.round(12).tolist()
[0.25, 0.75]
)")
      .def("measure", &Circuit::measure, nb::arg("qubit"), nb::arg("bit"), nb::rv_policy::reference,
           "Measures a qubit in the computational basis into a classical bit.")
      .def("measure_all", &Circuit::measure_all, nb::rv_policy::reference,
           "Measures qubit i into bit i; declares a register `meas` when there are too few bits.")
      .def("reset", &Circuit::reset, nb::arg("qubit"), nb::rv_policy::reference, "Puts a qubit into |0>.")
      .def("barrier", &Circuit::barrier, nb::rv_policy::reference, "Nothing is moved across.")
      .def(
          "bind", [](const Circuit& self, const std::vector<double>& values) { return self.bind(values); },
          nb::arg("values"), "A copy in which the parameters have these values, in order of declaration.");
}

void bind_asking(nb::class_<Circuit>& c) {
  c.def_rw("name", &Circuit::name)
      .def_prop_ro("num_qubits", &Circuit::num_wires)
      .def_prop_ro("num_bits", &Circuit::num_bits)
      .def_prop_ro("parameters", parameter_names, "Names of the symbolic parameters in order of declaration.")
      .def_prop_ro("gate_counts", gate_counts, "How often each operation is written, controls spelled `c`.")
      .def_prop_ro(
          "text", [](const Circuit& self) { return ir::print(self); },
          "Skerry's own text form, which skerry.loads() reads back.")
      .def(
          "copy", [](const Circuit& self) { return self; }, "An independent copy.")
      .def("__copy__", [](const Circuit& self) { return self; })
      .def(
          "__deepcopy__", [](const Circuit& self, nb::handle) { return self; }, nb::arg("memo"))
      .def("__len__", [](const Circuit& self) { return self.body().size(); })
      .def(nb::self == nb::self, nb::sig("def __eq__(self, arg: object, /) -> bool"))
      .def("__repr__", summary)
      .def(
          "_repr_svg_", [](nb::handle self) { return nb::module_::import_("skerry.viz").attr("circuit_svg")(self); },
          nb::sig("def _repr_svg_(self) -> str"), "Its drawing, for notebooks.")
      .def("__str__", [](const Circuit& self) { return ir::print(self); })
      .def("__getstate__", packed)
      .def("__setstate__", unpack);
}

}  // namespace

void bind_circuit(nb::module_& m) {
  nb::class_<Circuit> circuit(m, "Circuit",
                              R"(A program over qubits; qubit 0 is the least significant, rightmost in bit strings.

There is one method per gate: angles in radians first, then qubits. Each gives the circuit back, so that calls chain.

>>> import skerry
>>> bell = skerry.Circuit(2, 2).h(0).cx(0, 1).measure(0, 0).measure(1, 1)
>>> bell
<Circuit: 2 qubits, 2 bits, 4 instructions>
>>> sorted(skerry.run(bell, shots=100, seed=7).counts)
['00', '11']
)");
  circuit
      .def(nb::init<std::uint32_t, std::uint32_t>(), nb::arg("num_qubits") = 0, nb::arg("num_bits") = 0,
           "Registers `q` and `c` of the given sizes.")
      .def_static(
          "from_qasm", [](std::string_view text) { return circuit_of(loads(text), "the text"); }, nb::arg("text"),
          "Reads OpenQASM 2 or 3; the version line decides.")
      .def_static(
          "from_gates", circuit_from_gates, nb::arg("gates"),
          nb::sig(
              "def from_gates(gates: collections.abc.Iterable[collections.abc.Mapping[str, typing.Any]]) -> Circuit"),
          R"(Reads a gate list, one dict a gate, in the form of a JSON gate list.

>>> import skerry
>>> gates = [{"type": "single_qubit", "gate": "H", "qubit": 0},
...          {"type": "two_qubit", "gate": "CNOT", "control": 0, "target": 1}]
>>> skerry.Circuit.from_gates(gates).gate_counts
{'cx': 1, 'h': 1}
)");
  bind_building(circuit);
  bind_asking(circuit);
  bind_gates(circuit);
}

}  // namespace skerry::python
