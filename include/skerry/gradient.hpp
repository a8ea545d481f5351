/// \file
/// Expectation values of a circuit and how they change with its parameters; prepared once, asked many times.
///
///     skerry::GradientProgram program(circuit, {energy});
///     auto [values, derivatives] = program.value_and_grad(parameters);
///
/// A circuit here has gates alone: no measurement, reset or control flow. Every call takes one set of parameters [P] or
/// a batch of them [batch, P] (row-major), whose rows a small circuit runs side by side in the lanes of vector units.
#pragma once

#include <cstdint>
#include <memory>
#include <skerry/circuit.hpp>
#include <skerry/observable.hpp>
#include <skerry/options.hpp>
#include <skerry/result.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace skerry {

/// How derivatives are found. The first two are exact to rounding.
enum class GradientMethod : std::uint8_t {
  adjoint,            ///< one walk forward, one back; memory of one state more per observable (arXiv:2009.02823)
  parameter_shift,    ///< values at shifted angles, 2 or 4 for each occurrence of a parameter (arXiv:2107.12390)
  finite_difference,  ///< central, step 1e-5 in double precision; wrong by about 1e-9
};
/// `adjoint`, `parameter_shift`, `finite_difference`. Errors: invalid_argument that lists them.
GradientMethod gradient_method(std::string_view name);

/// For b rows, o observables, p parameters.
struct ValuesAndGradients {
  std::vector<double> values;       ///< [b, o]
  std::vector<double> derivatives;  ///< [b, o, p]; of a vector-Jacobian product [b, p]
};

/// A circuit and observables made ready for one precision. Immutable; may be asked from several threads at once.
///
/// Errors of all questions: invalid_argument for a wrong number of parameters or one that is not finite,
/// semantic_error for an angle that cannot be computed, budget_exceeded, cancelled, deadline_exceeded. No answer
/// depends on the number of threads.
class GradientProgram {
 public:
  /// Errors: unsupported, naming the instruction or parameter that has no derivative; invalid_argument for an
  /// observable on another number of wires.
  GradientProgram(const Circuit& circuit, std::vector<Observable> observables,
                  Precision precision = Precision::double_precision);
  GradientProgram(GradientProgram&&) noexcept;
  GradientProgram& operator=(GradientProgram&&) noexcept;
  ~GradientProgram();

  std::size_t num_parameters() const noexcept;
  std::size_t num_observables() const noexcept;
  const Circuit& circuit() const noexcept;
  const std::vector<Observable>& observables() const noexcept;

  /// <psi|O|psi> of each row and observable, [b, o].
  std::vector<double> values(std::span<const double> parameters, const Limits& limits = {}) const;
  /// The same; report.peak_bytes: the most that was charged at once.
  std::vector<double> values(std::span<const double> parameters, const Limits& limits, RunReport& report) const;
  /// Most bytes that each thread of values() takes for a batch of so many rows.
  std::uint64_t values_bytes(std::size_t rows) const noexcept;
  /// Cost of the adjoint method: about four walks and two for each further observable, whatever the number of
  /// parameters.
  ValuesAndGradients value_and_grad(std::span<const double> parameters, GradientMethod method = GradientMethod::adjoint,
                                    const Limits& limits = {}) const;
  /// Sum over observables of weights[b, o] times their gradients, in one walk back for all of them.
  ValuesAndGradients vector_jacobian(std::span<const double> parameters, std::span<const double> weights,
                                     const Limits& limits = {}) const;
  /// [o, p]: the Hessian of each observable times direction [p], at one row of parameters. Exact: the adjoint gradient
  /// is shifted along each angle that the direction moves. Cost: 2 or 4 gradients for each of them.
  std::vector<double> hessian_vector(std::span<const double> parameters, std::span<const double> direction,
                                     const Limits& limits = {}) const;
  /// [p, p]: quantum Fisher information F = 4 Re(<d_i psi|d_j psi> - <d_i psi|psi><psi|d_j psi>) at one row, symmetric
  /// and positive semidefinite (Meyer 2021, arXiv:2103.15191, eq. 21). A quarter of it is the Fubini-Study metric.
  /// Memory: a state for each parameter, or as many at a time as the limit allows.
  std::vector<double> fisher_information(std::span<const double> parameters, const Limits& limits = {}) const;
  /// [b, 2^k]: probability of each outcome of `wires` (wires[0] least significant), of all wires if none is given.
  /// Errors: also out_of_range for a wire, invalid_argument for one listed twice.
  std::vector<double> probabilities(std::span<const double> parameters, std::span<const std::uint32_t> wires = {},
                                    const Limits& limits = {}) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skerry
