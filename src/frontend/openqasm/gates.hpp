/// \file
/// Gate definitions, and their applications with every modifier written out as gates of the IR.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <skerry/circuit.hpp>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "frontend/openqasm/source.hpp"
#include "frontend/openqasm/value.hpp"

namespace skerry::frontend::openqasm {

/// A gate by whatever makes it: an Op with some controls, or a definition.
struct GateRef {
  Op op = Op::gphase;
  std::uint16_t controls = 0;
  std::uint32_t definition = kNative;  ///< index into GateTable
  static constexpr std::uint32_t kNative = 0xffffffffU;
  bool is_native() const { return definition == kNative; }
};

/// One use of a gate with its modifiers resolved. Controls that modifiers added come first among the wires, then the
/// operands of the gate itself.
struct Application {
  GateRef gate;
  bool is_barrier = false;  ///< on its wires, without a gate
  Place place;
  std::span<const Value> params;
  std::span<const Wire> wires;
  std::span<const std::uint8_t> negated;  ///< one entry for each added control: on when the qubit is |0>
  std::span<const double> exponents;      ///< powers in the order in which they are taken; inv is -1
};

/// Applications one after the other, the parts of all of them in a few arrays: a program may define very many gates.
class Applications {
 public:
  void add(const Application& application);
  std::size_t size() const { return calls_.size(); }
  /// A view, valid until the next add().
  Application operator[](std::size_t i) const;

 private:
  struct Call {
    GateRef gate;
    bool is_barrier = false;
    Place place;
    std::uint32_t first_param, params, first_wire, wires, first_negated, negated, first_exponent, exponents;
  };
  std::vector<Call> calls_;
  std::vector<Value> params_;
  std::vector<Wire> wires_;
  std::vector<std::uint8_t> negated_;
  std::vector<double> exponents_;
};

/// The body of a gate while it is read: applications on its own qubits 0, 1, ..., with parameters over its own (leaf i:
/// parameter i).
struct GateBody {
  ExprPool pool;
  Applications calls;
};

struct GateDefinition {
  std::string_view name;
  Place place;
  std::uint32_t params = 0, qubits = 0;
  bool is_opaque = false;
  std::uint32_t depth = 1;  ///< of definitions inside definitions
  std::uint64_t work = 1;   ///< instructions and calls of one expansion, saturated
  std::size_t first_call = 0, calls = 0;
  std::unique_ptr<const ExprPool> pool;  ///< empty for a gate without parameters, as most are
};

/// Definitions of a program, and the circuit that they are written out into.
class GateTable {
 public:
  GateTable(const Sources& sources, Circuit& circuit) : GateTable(sources, circuit, std::make_shared<Definitions>()) {}

  /// Errors: limit_exceeded when definitions are nested deeper than max_nesting.
  std::uint32_t define(GateDefinition definition, GateBody body);
  const GateDefinition& operator[](std::uint32_t i) const { return definitions_->gates[i]; }

  std::uint32_t params(GateRef gate) const;
  /// Operands, the controls that its name implies among them.
  std::uint32_t qubits(GateRef gate) const;
  std::string_view name(GateRef gate) const;
  /// Steps that one application takes, saturated; bounded by max_instructions before anything is done.
  std::uint64_t work(const Application& application) const;

  /// Appends the application to the circuit. Errors: limit_exceeded past max_instructions; unsupported for an opaque
  /// gate and for a fractional power of a gate whose matrix is not known or has more than kMaxPowerQubits qubits.
  void apply(const Application& application);
  /// Counts one instruction or step of a loop against max_instructions.
  void count(std::uint64_t steps, Place place);

  /// Phases without controls are gathered and written once at the end of each block.
  void open_phase() { phases_.push_back(0.0); }
  void close_phase();

 private:
  struct Definitions {
    std::deque<GateDefinition> gates;
    Applications calls;
  };
  GateTable(const Sources& sources, Circuit& circuit, std::shared_ptr<Definitions> definitions)
      : sources_(sources), circuit_(circuit), definitions_(std::move(definitions)) {}

  // What is on the outside of the definition that is being expanded.
  struct Outer {
    std::span<const Wire> controls;
    bool is_inverse = false;
  };
  void expand(const Application& application, const Outer& outer);
  void expand_controlled(const Application& application, std::span<const Wire> wires, std::uint16_t controls,
                         std::span<const double> exponents);
  void repeat(const Application& application, std::span<const Wire> wires, std::uint16_t controls, double exponent);
  void expand_definition(const Application& application, std::span<const Wire> wires, std::uint16_t controls,
                         bool is_inverse);
  void native(Op op, std::span<const Value> params, std::span<const Wire> wires, std::size_t controls);
  void native_inverse(Op op, std::span<const Value> params, std::span<const Wire> wires, std::size_t controls);
  bool native_power(Op op, std::span<const Value> params, std::span<const Wire> wires, std::size_t controls,
                    double exponent);
  void quarter_turns(Op op, double exponent, std::span<const Wire> wires, std::size_t controls);
  void phase(const Value& angle, std::span<const Wire> controls);
  void matrix_power(const Application& application, std::span<const Wire> wires, std::uint16_t controls,
                    std::span<const double> exponents);

  const Sources& sources_;
  Circuit& circuit_;
  std::shared_ptr<Definitions> definitions_;  ///< shared with the table that computes the matrix of a gate
  std::vector<double> phases_ = {0.0};
  std::uint64_t counted_ = 0;
};

/// A matrix of more qubits than this is not raised to a fractional power.
inline constexpr std::uint32_t kMaxPowerQubits = 6;

/// exponents[n-1] o ... o exponents[0] of a unitary by its eigenvalues, each power on the principal branch.
Matrix unitary_power(const Matrix& matrix, std::span<const double> exponents);
/// The product of a circuit of gates with constant parameters as one matrix.
Matrix circuit_matrix(const Circuit& circuit);

}  // namespace skerry::frontend::openqasm
