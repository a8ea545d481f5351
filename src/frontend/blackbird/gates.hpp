/// \file
/// Operations of photonic circuits by the names that people write, with their arguments, as a circuit over modes.
#pragma once

#include <complex>
#include <cstdint>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/limits.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace skerry::frontend::blackbird {

/// A value of an expression: a number, an expression of the circuit's pool (with another for its imaginary part, if it
/// is complex), an array of numbers, or a text.
struct Value {
  enum class Kind : std::uint8_t { number, symbolic, array, text } kind = Kind::number;
  std::complex<double> number;
  ExprId expr = kNoExpr, imaginary = kNoExpr;
  std::vector<std::uint32_t> shape;
  std::vector<std::complex<double>> elements;
  std::string text;

  static Value of(std::complex<double> value) {
    Value result;
    result.number = value;
    return result;
  }
  static Value of_expression(ExprId id) {
    Value result;
    result.kind = Kind::symbolic;
    result.expr = id;
    return result;
  }
};

/// An argument: by position when it has no name.
struct Argument {
  std::string_view name;
  Value value;
};

/// Arithmetic of values over one pool. Errors: semantic_error for texts and arrays, powers of complex expressions,
/// divisions by zero and numbers that are not finite.
Value add(ExprPool& pool, const Value& a, const Value& b);
Value subtract(ExprPool& pool, const Value& a, const Value& b);
Value multiply(ExprPool& pool, const Value& a, const Value& b);
Value divide(ExprPool& pool, const Value& a, const Value& b);
Value power(ExprPool& pool, const Value& a, const Value& b);
/// name: sin, cos, tan, arcsin, arccos, arctan, sinh, cosh, tanh, exp, log, sqrt, and asin … as well, of real
/// expressions; re, im, conj, abs of complex ones too. Nothing for another name.
std::optional<Value> call(ExprPool& pool, std::string_view name, const Value& argument);

/// Writes the circuit, operation by operation. The errors of all calls have no place: the caller knows it.
class ModeWriter {
 public:
  explicit ModeWriter(const ImportLimits& limits) : limits_(limits) {}

  ExprPool& pool() noexcept { return circuit_.expressions(); }
  /// The free parameter of that name. Errors: limit_exceeded.
  Value parameter(std::string_view name);
  /// What was measured last on this mode; complex for alpha. Errors: semantic_error if nothing was.
  Value outcome(std::uint32_t mode);
  /// Appends. name: of Strawberry Fields (Sgate, BSgate, MeasureX …) or of a row of modes.def.
  /// Errors: semantic_error (unknown name, arguments), unsupported, out_of_range, limit_exceeded.
  void operation(std::string_view name, std::span<const Argument> given, std::span<const std::uint32_t> modes);
  /// Modes of the circuit; by default one more than the largest used. Errors: limit_exceeded, out_of_range.
  void set_modes(std::uint64_t count);
  /// Photon numbers kept of every mode, or of this one.
  void set_cutoff(double cutoff) { cutoff_ = cutoff; }
  void set_cutoffs(std::vector<double> cutoffs) { cutoffs_ = std::move(cutoffs); }
  /// Counts a statement that was carried out, so that loops end. Errors: limit_exceeded.
  void count_step();
  Circuit finish(std::string name);

 private:
  struct Row {
    Op op{};
    std::vector<Wire> modes;
    std::vector<Param> params;
    std::uint32_t aux = 0;
  };
  struct Outcome {
    std::uint32_t mode, variable;
    bool is_complex;
  };
  class Arguments;

  void use(std::uint32_t mode);
  void put(Op op, std::initializer_list<std::uint32_t> modes, std::initializer_list<Value> params);
  void measure(Op op, std::uint32_t mode, std::initializer_list<Value> params);
  bool preparation(std::string_view name, Arguments& arguments, std::uint32_t mode);
  bool one_mode_gate(std::string_view name, Arguments& arguments, std::uint32_t mode);
  bool two_mode_gate(std::string_view name, Arguments& arguments, std::uint32_t a, std::uint32_t b);
  bool measurement(std::string_view name, Arguments& arguments, std::span<const std::uint32_t> modes);
  void displace(Arguments& arguments, std::uint32_t mode);
  void mesh(std::vector<std::complex<double>> unitary, std::span<const std::uint32_t> modes);
  void interferometer(const Value& matrix, std::span<const std::uint32_t> modes);
  void gaussian_transform(const Value& matrix, bool of_vacuum, std::span<const std::uint32_t> modes);
  void graph_embed(const Value& matrix, double mean_photons, std::span<const std::uint32_t> modes);
  void row_of(Op op, Arguments& arguments, std::span<const std::uint32_t> modes);
  Param param(const Value& value);

  ImportLimits limits_;
  Circuit circuit_;
  std::vector<Row> rows_;
  std::vector<Outcome> outcomes_;
  std::unordered_map<std::string, std::uint32_t> parameters_;
  std::uint64_t steps_ = 0;
  std::uint32_t modes_ = 0;
  std::optional<std::uint32_t> declared_;
  double cutoff_ = 0;
  std::vector<double> cutoffs_;
};

}  // namespace skerry::frontend::blackbird
