/// \file
/// Gate lists: one dictionary a gate, from JSON text or already decoded.
///
///     {"type": "single_qubit", "gate": "H", "qubit": 0}
///     {"type": "two_qubit", "gate": "CNOT", "control": 0, "target": 1}
///     {"gate": "RX", "qubit": 2, "params": ["2*theta"]}
///     {"type": "measure", "qubits": [0, 1], "bits": [0, 1]}
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/limits.hpp>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace skerry::frontend {

/// A value of an entry: a number, a text, or a list of them. Texts are views into what was decoded.
using EntryScalar = std::variant<std::int64_t, double, std::string_view>;
using EntryValue = std::variant<std::int64_t, double, std::string_view, std::vector<EntryScalar>>;

struct EntryField {
  std::string_view key;
  EntryValue value;
};

/// Builds a circuit from entries, in order. Keys: `type` (optional, checked against the gate when there), `gate` (any
/// spelling of a gate's record, any case; measure, reset, barrier), `qubit` or `qubits`, `control(s)`, `target(s)`,
/// `params`, `parameters`, `param`, `angle(s)`, `theta`, `phi`, `lambda`, `gamma` (numbers or expressions over names,
/// which become parameters of the circuit), `bit` or `bits` of a measurement. A gate of one qubit on several `qubits`
/// is applied to each.
class GateList {
 public:
  explicit GateList(const ImportLimits& limits = {}) : limits_(limits) {}

  /// Errors: semantic_error, out_of_range, limit_exceeded, whose `where` is `gate 3`, entries counted from 0.
  void add(std::span<const EntryField> entry);
  /// Qubits and bits of the circuit, said before the first entry, which then must keep inside; by default one more than
  /// the largest index used. Errors: out_of_range, limit_exceeded.
  void set_qubits(std::int64_t count);
  void set_bits(std::int64_t count);
  /// The circuit: registers `q` and `c`.
  Circuit finish();

 private:
  struct Decoded;
  void add_decoded(std::span<const EntryField> entry);
  Decoded decode(std::span<const EntryField> entry);
  void read_field(const EntryField& field, Decoded& into);
  void read_indices(const EntryField& field, std::vector<std::uint32_t>& into, std::uint64_t limit) const;
  void read_params(const EntryField& field, Decoded& into, std::size_t slot);
  Param angle(const EntryScalar& value);
  Param symbolic(std::string_view text);
  void add_gate(const Decoded& d);
  void add_measure(const Decoded& d);
  void add_channel(const Decoded& d);
  void append(Op op, std::span<const Wire> wires, std::span<const Param> params, std::uint16_t controls,
              std::uint32_t aux = 0);

  ImportLimits limits_;
  Circuit circuit_;
  Block block_;
  std::uint64_t entries_ = 0, instructions_ = 0;
  std::uint32_t used_qubits_ = 0, used_bits_ = 0;
  std::optional<std::uint32_t> qubits_, bits_;
};

}  // namespace skerry::frontend
