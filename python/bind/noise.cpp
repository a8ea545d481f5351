#include <nanobind/ndarray.h>
#include <nanobind/operators.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <bit>
#include <memory>

#include "arrays.hpp"

namespace skerry::python {
namespace {

using ArrayOfMatrix = nb::ndarray<const std::complex<double>, nb::ndim<2>, nb::c_contig>;

Matrix matrix_from(const ArrayOfMatrix& array) {
  const std::size_t rows = array.shape(0);
  if (rows != array.shape(1) || rows < 2 || !std::has_single_bit(rows) || rows > std::size_t{1} << Channel::kMaxWires) {
    throw Error(ErrorCode::invalid_argument,
                "a matrix of " + std::to_string(rows) + " x " + std::to_string(array.shape(1)), "channel",
                "give 2^k x 2^k entries for k = 1 to 4 qubits");
  }
  return {static_cast<std::uint32_t>(std::countr_zero(rows)), {array.data(), array.data() + rows * rows}};
}

Channel kraus(const std::vector<ArrayOfMatrix>& operators) {
  std::vector<Matrix> matrices;
  for (const auto& array : operators) matrices.push_back(matrix_from(array));
  return Channel::kraus(std::move(matrices));
}

Channel mixed_unitary(const std::vector<std::pair<double, ArrayOfMatrix>>& terms) {
  std::vector<std::pair<double, Matrix>> matrices;
  for (const auto& [p, array] : terms) matrices.emplace_back(p, matrix_from(array));
  return Channel::mixed_unitary(matrices);
}

nb::list operators(const Channel& channel) {
  nb::list out;
  for (const Matrix& k : channel.operators()) {
    const auto rows = std::int64_t{1} << k.wires;
    out.append(array_from(Tensor::from<std::complex<double>>(k.values, {rows, rows})));
  }
  return out;
}

void bind_channel(nb::module_& m) {
  nb::class_<Channel>(m, "Channel", R"(A completely positive, trace-preserving map on a few qubits.

>>> import skerry
>>> skerry.Channel.depolarizing(0.01, num_qubits=2)
<Channel depolarizing(0.01) on 2 qubits>
>>> len(skerry.Channel.amplitude_damping(0.1).operators)
2
)")
      .def_static("bit_flip", &Channel::bit_flip, nb::arg("p"), "X with probability p.")
      .def_static("phase_flip", &Channel::phase_flip, nb::arg("p"), "Z with probability p.")
      .def_static("bit_phase_flip", &Channel::bit_phase_flip, nb::arg("p"), "Y with probability p.")
      .def_static("depolarizing", &Channel::depolarizing, nb::arg("p"), nb::arg("num_qubits") = 1,
                  "rho -> (1 - p) rho + p 1/2^n: the p of Qiskit Aer.")
      .def_static("uniform_pauli", &Channel::uniform_pauli, nb::arg("p"), nb::arg("num_qubits") = 1,
                  "With probability p one of the 4^n - 1 Pauli errors: the p of Cirq and Qulacs.")
      .def_static("amplitude_damping", &Channel::amplitude_damping, nb::arg("gamma"))
      .def_static("phase_damping", &Channel::phase_damping, nb::arg("lambda_"))
      .def_static("generalized_amplitude_damping", &Channel::generalized_amplitude_damping, nb::arg("gamma"),
                  nb::arg("excited"), "Damping toward a mixture in which |1> has the probability `excited`.")
      .def_static("thermal_relaxation", &Channel::thermal_relaxation, nb::arg("t1"), nb::arg("t2"), nb::arg("time"),
                  nb::arg("excited") = 0.0, "`time` spent with relaxation times t1 and t2 <= 2 t1, all in one unit.")
      .def_static(
          "pauli", [](const std::vector<std::pair<std::string, double>>& terms) { return Channel::pauli(terms); },
          nb::arg("terms"), "(string, probability); letter i from the right acts on qubit i; the rest is the identity.")
      .def_static("reset", &Channel::reset, nb::arg("p0"), nb::arg("p1") = 0.0,
                  "Put into |0> with probability p0, into |1> with p1.")
      .def_static(
          "unitary", [](const ArrayOfMatrix& matrix) { return Channel::unitary(matrix_from(matrix)); },
          nb::arg("matrix"), "A coherent error.")
      .def_static("mixed_unitary", mixed_unitary, nb::arg("terms"), "(probability, matrix).")
      .def_static("kraus", kraus, nb::arg("operators"), "By its Kraus operators, first qubit least significant.")
      .def("then", &Channel::then, nb::arg("next"), "This channel, then another on the same qubits.")
      .def_prop_ro("kind", &Channel::kind)
      .def_prop_ro("num_qubits", &Channel::wires)
      .def_prop_ro("operators", operators,
                   nb::sig("def operators(self) -> list[numpy.typing.NDArray[numpy.complex128]]"), "Kraus operators.")
      .def(nb::self == nb::self, nb::sig("def __eq__(self, arg: object, /) -> bool"))
      .def("__getstate__",
           [](const Channel& self) {
             NoiseModel holder;
             holder.add("*", self, {}, {});
             return noise_text(holder);
           })
      .def("__setstate__",
           [](Channel& self, const std::string& text) {
             const NoiseModel holder = loads_noise(text, {}, "<pickle>");
             if (holder.rules().size() != 1) throw Error(ErrorCode::corrupt, "the pickle holds no channel", "<pickle>");
             new (&self) Channel(holder.rules()[0].channel);
           })
      .def("__repr__", [](const Channel& self) {
        return "<Channel " + self.text() + " on " + std::to_string(self.wires()) +
               (self.wires() == 1 ? " qubit>" : " qubits>");
      });
}

NoiseModel& add_readout(NoiseModel& self, const std::vector<std::vector<double>>& confusion, std::vector<Wire> qubits) {
  if (confusion.size() != 2 || confusion[0].size() != 2 || confusion[1].size() != 2)
    throw Error(ErrorCode::invalid_argument, "confusion is not a 2 x 2 matrix", "readout error");
  return self.add_readout({confusion[0][0], confusion[0][1], confusion[1][0], confusion[1][1]}, std::move(qubits));
}

}  // namespace

void bind_noise(nb::module_& m) {
  bind_channel(m);
  nb::class_<NoiseModel>(m, "NoiseModel", R"(Which instruction suffers what.

The most particular rules count: those that name an instruction's qubits, else its gate, else "*", which fits every gate
on as many qubits as the channel.

>>> import skerry
>>> noise = skerry.NoiseModel().add("*", skerry.Channel.depolarizing(0.02)).add_readout([[0.9, 0.1], [0.2, 0.8]])
>>> result = skerry.run(skerry.Circuit(1).x(0), noise=noise, probabilities=True)
>>> [round(float(p), 4) for p in result.probabilities]
[0.207, 0.793]
)")
      .def(nb::init<>())
      .def("add", &NoiseModel::add, nb::arg("gate"), nb::arg("channel"), nb::arg("qubits") = std::vector<Wire>(),
           nb::arg("on") = std::vector<std::uint32_t>(), nb::rv_policy::reference,
           "The channel follows the gate (precedes a measurement). qubits: of the gate, controls first; none: any. on: "
           "which of the gate's qubits it acts on, 0 its first; none: all.")
      .def("add_readout", add_readout, nb::arg("confusion"), nb::arg("qubits") = std::vector<Wire>(),
           nb::rv_policy::reference, "confusion[true][read]; no qubits: all that no other rule names.")
      .def_prop_ro("num_rules", [](const NoiseModel& self) { return self.rules().size(); })
      .def_prop_ro(
          "text", [](const NoiseModel& self) { return noise_text(self); }, "The JSON that skerry.load_noise() reads.")
      .def(nb::self == nb::self, nb::sig("def __eq__(self, arg: object, /) -> bool"))
      .def("__repr__",
           [](const NoiseModel& self) {
             return "<NoiseModel: " + std::to_string(self.rules().size()) + " rules, " +
                    std::to_string(self.readout_rules().size()) + " readout errors>";
           })
      .def("__getstate__", [](const NoiseModel& self) { return noise_text(self); })
      .def("__setstate__", [](NoiseModel& self, const std::string& text) {
        new (&self) NoiseModel(loads_noise(text, {}, "<pickle>"));
      });
  m.def(
      "loads_noise", [](std::string_view text, std::string_view name) { return loads_noise(text, {}, name); },
      nb::arg("text"), nb::arg("name") = "<string>");
}

}  // namespace skerry::python
