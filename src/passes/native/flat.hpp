/// \file
/// The working form of the device compiler: one straight list of gates of one wire, CX and SWAP over plain arrays.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <span>
#include <vector>

#include "passes/native/matrix.hpp"

namespace skerry::passes::native {

/// What a row of a Flat is.
enum class Kind : std::uint8_t {
  one,    ///< matrix `index` of ones on wire a
  turn,   ///< Rz(turns[index]) on wire a, the angle a symbol
  cx,     ///< control a, target b
  swap,   ///< wires a and b
  other,  ///< others[index]: measurement, reset, barrier, delay, assignment, control flow
};

struct Gate {
  Kind kind{};
  Wire a = 0, b = 0;
  std::uint32_t index = 0;
};

struct Flat;

/// What is no gate. It keeps its place on its wires and among all others (they may share classical bits).
struct Other {
  Op op{};
  std::uint32_t aux = 0;  ///< bit, assignment or branch of the circuit
  std::vector<Wire> wires;
  std::vector<Param> params;
  std::vector<Flat> bodies;  ///< of if_else (then, else) and while_loop
};

/// A block of a circuit. Wires are indices below `wires`; the meaning is the product of the gates times exp(i phase)
/// times exp(i p) for each p of phases.
struct Flat {
  std::uint32_t wires = 0;
  std::vector<Gate> gates;
  std::vector<U2> ones;
  std::vector<Param> turns;
  std::vector<Other> others;
  double phase = 0;
  std::vector<Param> phases;
  /// Where each wire of the program is after the last gate; empty: where it was. Swaps that were taken as renamings are
  /// here and not among the gates.
  std::vector<Wire> places;

  Wire place(Wire wire) const noexcept { return places.empty() ? wire : places[wire]; }
  std::size_t count(Kind kind) const noexcept;
  /// CX, each SWAP counted as three; bodies of control flow once.
  std::size_t cx_count() const noexcept;
  /// Longest chain of gates of two wires, a SWAP as three; what is no gate holds all its wires back.
  std::size_t cx_depth() const;
};

/// Each wire w becomes wires[w], in bodies and in places too; the number of wires stays.
void rename_wires(Flat& flat, std::span<const Wire> wires);

/// Takes gates out where `dropped` is not 0. Matrices that meet then are multiplied, and scalars become phase.
void drop_gates(Flat& flat, std::span<const std::uint8_t> dropped);

/// Writes a Flat. Gates of one wire are multiplied until something else happens on the wire, so a Flat never has two in
/// a row.
class FlatWriter {
 public:
  explicit FlatWriter(std::uint32_t wires);

  void one(Wire wire, const U2& matrix);
  void turn(Wire wire, const Param& angle);
  void cx(Wire control, Wire target);
  void swap(Wire a, Wire b);
  void other(Other other);
  /// A gate of another list; what is no gate is moved out of it.
  void copy(Flat& from, const Gate& gate);
  void phase(double angle) { out_.phase += angle; }
  void phase(const Param& angle);
  void reserve(std::size_t gates);
  /// The matrix that waits on a wire, identity when there is none.
  U2 waiting(Wire wire) const { return has_[wire] != 0 ? pending_[wire] : U2::identity(); }
  /// The list; the writer is empty afterwards.
  Flat finish();
  /// The list takes the place of the gates of `flat`, whose phases and places stay.
  void finish_into(Flat& flat);

 private:
  void flush(Wire wire);

  Flat out_;
  std::vector<U2> pending_;
  std::vector<std::uint8_t> has_;
};

}  // namespace skerry::passes::native
