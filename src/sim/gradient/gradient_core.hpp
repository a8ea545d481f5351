/// \file
/// Values and derivatives by the slots of a circuit's gates, for many rows of slots at once; one class per precision.
#pragma once

#include <memory>
#include <skerry/circuit.hpp>
#include <skerry/observable.hpp>
#include <span>
#include <vector>

#include "sim/gradient/gate_tape.hpp"
#include "sim/method.hpp"

namespace skerry::sim {

/// Derivatives by slots, as [rows, observables, slots].
struct SlotGradients {
  std::vector<double> values;  ///< [rows, observables]
  std::vector<double> derivatives;
};

/// Immutable; from several threads at once. `slots` is [rows, width] with a row at least.
class GradientCore {
 public:
  virtual ~GradientCore() = default;
  virtual std::vector<double> values(std::span<const double> slots, std::size_t rows,
                                     const Resources& resources) const = 0;
  /// What each thread of values() charges at most.
  virtual std::uint64_t values_bytes(std::size_t rows) const noexcept = 0;
  virtual SlotGradients adjoint(std::span<const double> slots, std::size_t rows, const Resources& resources) const = 0;
  /// derivatives: [rows, slots] of the sum weighted by weights [rows, observables].
  virtual SlotGradients weighted(std::span<const double> slots, std::size_t rows, std::span<const double> weights,
                                 const Resources& resources) const = 0;
  /// [rows, 2^wires] into `out`.
  virtual void probabilities(std::span<const double> slots, std::size_t rows, std::span<const std::uint32_t> wires,
                             std::span<double> out, const Resources& resources) const = 0;
  /// [p, p] for one row; jacobian: [slots, p], d slot / d parameter.
  virtual std::vector<double> fisher(std::span<const double> slots, std::span<const double> jacobian,
                                     std::size_t parameters, const Resources& resources) const = 0;
};

/// circuit and observables must outlive the core.
std::unique_ptr<GradientCore> make_gradient_core(const Circuit& circuit, std::span<const Observable> observables,
                                                 std::span<const TapeMember> members, Precision precision);

}  // namespace skerry::sim
