#include "frontend/blackbird/gates.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>

#include "frontend/blackbird/lexer.hpp"
#include "frontend/refuse.hpp"
#include "frontend/suggest.hpp"

namespace skerry::frontend::blackbird {
namespace {

using Complex = std::complex<double>;
constexpr double kPi = std::numbers::pi;
constexpr std::uint32_t kMaxModes = 4096;  // of photonic circuits

constexpr std::string_view kNames[] = {"Vacuum",          "Coherent",
                                       "Squeezed",        "DisplacedSqueezed",
                                       "Thermal",         "Fock",
                                       "Catstate",        "GKP",
                                       "Dgate",           "Xgate",
                                       "Zgate",           "Sgate",
                                       "Pgate",           "Rgate",
                                       "Vgate",           "Fouriergate",
                                       "Kgate",           "BSgate",
                                       "MZgate",          "S2gate",
                                       "CXgate",          "CZgate",
                                       "CKgate",          "Interferometer",
                                       "GraphEmbed",      "GaussianTransform",
                                       "LossChannel",     "ThermalLossChannel",
                                       "MeasureFock",     "MeasureThreshold",
                                       "MeasureHomodyne", "MeasureHeterodyne",
                                       "MeasureX",        "MeasureP",
                                       "MeasureHD"};
constexpr std::string_view kRefused[] = {"Ket",     "DensityMatrix",  "Gaussian", "BipartiteGraphEmbed",
                                         "sMZgate", "PassiveChannel", "Bosonic"};

Value checked(Complex value) {
  if (!std::isfinite(value.real()) || !std::isfinite(value.imag())) refuse("a number that is not finite");
  return Value::of(value);
}

/// Real and imaginary part as expressions; kNoExpr for an imaginary part that is zero.
struct Parts {
  ExprId re, im;
};

Parts parts_of(ExprPool& pool, const Value& value) {
  if (value.kind == Value::Kind::symbolic) return {value.expr, value.imaginary};
  if (value.kind != Value::Kind::number) refuse("arithmetic on an array or a text");
  const double im = value.number.imag();
  return {pool.constant(value.number.real()), im == 0 ? kNoExpr : pool.constant(im)};
}

/// The value as a real expression.
ExprId symbolic(ExprPool& pool, const Value& value) {
  const Parts parts = parts_of(pool, value);
  if (parts.im != kNoExpr)
    refuse("a complex value that only a run knows, where a real one is needed", "take re(), im() or abs() of it");
  return parts.re;
}

Value of_parts(ExprId re, ExprId im) {
  Value result = Value::of_expression(re);
  result.imaginary = im;
  return result;
}

bool are_numbers(const Value& a, const Value& b) {
  return a.kind == Value::Kind::number && b.kind == Value::Kind::number;
}

Value sum(ExprPool& pool, ExprOp op, const Value& a, const Value& b) {
  const Parts x = parts_of(pool, a), y = parts_of(pool, b);
  ExprId im = x.im;
  if (y.im != kNoExpr) im = pool.binary(op, x.im == kNoExpr ? pool.constant(0.0) : x.im, y.im);
  return of_parts(pool.binary(op, x.re, y.re), im);
}

Value product(ExprPool& pool, const Parts& x, const Parts& y) {
  const auto times = [&pool](ExprId left, ExprId right) { return pool.binary(ExprOp::mul, left, right); };
  if (y.im == kNoExpr) return of_parts(times(x.re, y.re), x.im == kNoExpr ? kNoExpr : times(x.im, y.re));
  if (x.im == kNoExpr) return of_parts(times(x.re, y.re), times(x.re, y.im));
  return of_parts(pool.binary(ExprOp::sub, times(x.re, y.re), times(x.im, y.im)),
                  pool.binary(ExprOp::add, times(x.re, y.im), times(x.im, y.re)));
}

/// The parts' squares together, or their root.
ExprId square_of(ExprPool& pool, const Parts& x) {
  const ExprId re = pool.binary(ExprOp::mul, x.re, x.re);
  return x.im == kNoExpr ? re : pool.binary(ExprOp::add, re, pool.binary(ExprOp::mul, x.im, x.im));
}

ExprId negative(ExprPool& pool, ExprId x) {
  return pool.binary(ExprOp::mul, pool.constant(-1.0), x);
}

/// re, im, conj and abs of any value; nothing for other names.
std::optional<Value> part(ExprPool& pool, std::string_view name, const Value& value) {
  if (name != "re" && name != "im" && name != "conj" && name != "abs") return std::nullopt;
  if (value.kind == Value::Kind::number) {
    if (name == "re") return Value::of(value.number.real());
    if (name == "im") return Value::of(value.number.imag());
    return name == "abs" ? checked(std::abs(value.number)) : Value::of(std::conj(value.number));
  }
  const Parts x = parts_of(pool, value);
  if (name == "re") return Value::of_expression(x.re);
  if (name == "im") return x.im == kNoExpr ? Value::of(0.0) : Value::of_expression(x.im);
  if (name == "conj") return of_parts(x.re, x.im == kNoExpr ? kNoExpr : negative(pool, x.im));
  return Value::of_expression(pool.unary(ExprOp::sqrt, square_of(pool, x)));
}

Value real(double value) {
  return Value::of(value);
}

}  // namespace

Value add(ExprPool& pool, const Value& a, const Value& b) {
  return are_numbers(a, b) ? checked(a.number + b.number) : sum(pool, ExprOp::add, a, b);
}
Value subtract(ExprPool& pool, const Value& a, const Value& b) {
  return are_numbers(a, b) ? checked(a.number - b.number) : sum(pool, ExprOp::sub, a, b);
}
Value multiply(ExprPool& pool, const Value& a, const Value& b) {
  return are_numbers(a, b) ? checked(a.number * b.number) : product(pool, parts_of(pool, a), parts_of(pool, b));
}
Value divide(ExprPool& pool, const Value& a, const Value& b) {
  if (b.kind == Value::Kind::number && b.number == 0.0) refuse("a division by zero");
  if (are_numbers(a, b)) return checked(a.number / b.number);
  Parts x = parts_of(pool, a), y = parts_of(pool, b);
  ExprId divisor = y.re;
  if (y.im != kNoExpr) {
    divisor = square_of(pool, y);
    const Value raised = product(pool, x, {y.re, negative(pool, y.im)});
    x = {raised.expr, raised.imaginary};
  }
  const auto quotient = [&](ExprId id) { return id == kNoExpr ? id : pool.binary(ExprOp::div, id, divisor); };
  return of_parts(quotient(x.re), quotient(x.im));
}
Value power(ExprPool& pool, const Value& a, const Value& b) {
  if (!are_numbers(a, b)) {
    const ExprId base = symbolic(pool, a), exponent = symbolic(pool, b);
    return Value::of_expression(pool.binary(ExprOp::pow, base, exponent));
  }
  const Complex x = a.number, y = b.number;
  const bool is_real = x.imag() == 0 && y.imag() == 0;
  if (is_real && (x.real() >= 0 || y.real() == std::floor(y.real()))) return checked(std::pow(x.real(), y.real()));
  return checked(std::pow(x, y));
}

std::optional<Value> call(ExprPool& pool, std::string_view name, const Value& argument) {
  struct Function {
    std::string_view name, other;
    ExprOp op;
    Complex (*known)(Complex);
  };
  static constexpr Function kFunctions[] = {
      {"sin", "sin", ExprOp::sin, [](Complex x) { return std::sin(x); }},
      {"cos", "cos", ExprOp::cos, [](Complex x) { return std::cos(x); }},
      {"tan", "tan", ExprOp::tan, [](Complex x) { return std::tan(x); }},
      {"arcsin", "asin", ExprOp::asin, [](Complex x) { return x.imag() == 0 ? std::asin(x.real()) : std::asin(x); }},
      {"arccos", "acos", ExprOp::acos, [](Complex x) { return x.imag() == 0 ? std::acos(x.real()) : std::acos(x); }},
      {"arctan", "atan", ExprOp::atan, [](Complex x) { return std::atan(x); }},
      {"exp", "exp", ExprOp::exp, [](Complex x) { return std::exp(x); }},
      {"log", "ln", ExprOp::ln, [](Complex x) { return std::log(x); }},
      {"sqrt", "sqrt", ExprOp::sqrt, [](Complex x) { return std::sqrt(x); }},
  };
  if (auto found = part(pool, name, argument)) return found;
  const bool is_number = argument.kind == Value::Kind::number;
  for (const Function& function : kFunctions) {
    if (name != function.name && name != function.other) continue;
    if (is_number) return checked(function.known(argument.number));
    return Value::of_expression(pool.unary(function.op, symbolic(pool, argument)));
  }
  if (name != "sinh" && name != "cosh" && name != "tanh") return std::nullopt;
  const Value grown = *call(pool, "exp", argument), shrunk = divide(pool, real(1), grown);
  const Value odd = subtract(pool, grown, shrunk), even = add(pool, grown, shrunk);
  if (name == "tanh") return divide(pool, odd, even);
  return divide(pool, name == "sinh" ? odd : even, real(2));
}

/// The arguments of one operation, taken by position or name; what is left over is refused.
class ModeWriter::Arguments {
 public:
  Arguments(std::string_view operation, std::span<const Argument> given) : operation_(operation) {
    for (const Argument& argument : given) {
      if (argument.name.empty() && !named_.empty()) refuse("an argument without a name after one that has one");
      (argument.name.empty() ? placed_ : named_).push_back(&argument);
    }
  }

  /// The next argument, or the one of that name; otherwise `usual` if there is one.
  Value next(std::string_view name, std::optional<double> usual = std::nullopt) {
    const Argument* found = named(name);
    if (found == nullptr && at_ < placed_.size()) found = placed_[at_++];
    if (found != nullptr) return found->value;
    if (!usual) refuse("'" + std::string(operation_) + "' needs its argument '" + std::string(name) + "'");
    return real(*usual);
  }
  /// An argument that only its name gives.
  std::optional<Value> option(std::string_view name) {
    const Argument* found = named(name);
    return found == nullptr ? std::nullopt : std::optional(found->value);
  }
  /// A displacement or the like as length and phase: two numbers, or one complex one.
  std::pair<Value, Value> polar(std::string_view length, std::string_view phase) {
    const Value first = next(length);
    const bool is_complex = first.kind == Value::Kind::number && first.number.imag() != 0;
    const Value second = next(phase, 0.0);
    if (!is_complex) return {first, second};
    if (second.kind != Value::Kind::number || second.number != 0.0) refuse("a complex length with a phase");
    return {real(std::abs(first.number)), real(std::arg(first.number))};
  }
  void finish() const {
    if (at_ < placed_.size())
      refuse("'" + std::string(operation_) + "' has " + std::to_string(placed_.size()) + " arguments, " +
             std::to_string(at_) + " of which it knows");
    for (const Argument* argument : named_)
      if (std::ranges::find(taken_, argument) == taken_.end())
        refuse("'" + std::string(operation_) + "' has no argument " + shown(argument->name));
  }

 private:
  const Argument* named(std::string_view name) {
    const Argument* found = nullptr;
    for (const Argument* argument : named_) {
      if (argument->name != name) continue;
      if (found != nullptr) refuse("the argument " + shown(name) + " is given twice");
      found = argument;
      taken_.push_back(argument);
    }
    return found;
  }

  std::string_view operation_;
  std::vector<const Argument*> placed_, named_, taken_;
  std::size_t at_ = 0;
};

Value ModeWriter::parameter(std::string_view name) {
  if (name.size() > limits_.max_name_bytes)
    refuse("a name of " + std::to_string(name.size()) + " bytes, max_name_bytes is " +
               std::to_string(limits_.max_name_bytes),
           {}, ErrorCode::limit_exceeded);
  const auto [known, is_new] = parameters_.emplace(name, static_cast<std::uint32_t>(parameters_.size()));
  if (is_new) circuit_.add_parameter(std::string(name));
  return Value::of_expression(pool().leaf(ExprOp::parameter, known->second, {}));
}

Value ModeWriter::outcome(std::uint32_t mode) {
  for (const Outcome& outcome : outcomes_) {
    if (outcome.mode != mode) continue;
    const auto leaf = [this](std::uint32_t variable) { return pool().leaf(ExprOp::variable, variable, {}); };
    return of_parts(leaf(outcome.variable), outcome.is_complex ? leaf(outcome.variable + 1) : kNoExpr);
  }
  refuse("mode " + std::to_string(mode) + " has not been measured",
         "measure it before q" + std::to_string(mode) + " is used");
}

void ModeWriter::count_step() {
  if (++steps_ > limits_.max_instructions)
    refuse("more than " + std::to_string(limits_.max_instructions) + " instructions", "raise max_instructions",
           ErrorCode::limit_exceeded);
}

void ModeWriter::set_modes(std::uint64_t count) {
  if (count == 0 || count > std::min(limits_.max_qubits, kMaxModes))
    refuse(std::to_string(count) + " modes, and 1 to " + std::to_string(std::min(limits_.max_qubits, kMaxModes)) +
               " are allowed",
           {}, ErrorCode::limit_exceeded);
  declared_ = static_cast<std::uint32_t>(count);
}

void ModeWriter::use(std::uint32_t mode) {
  const std::uint32_t most = declared_.value_or(std::min(limits_.max_qubits, kMaxModes));
  if (mode >= most)
    refuse("mode " + std::to_string(mode) + " of at most " + std::to_string(most), "modes count from 0",
           declared_ ? ErrorCode::out_of_range : ErrorCode::limit_exceeded);
  modes_ = std::max(modes_, mode + 1);
}

Param ModeWriter::param(const Value& value) {
  if (value.kind == Value::Kind::symbolic) {
    symbolic(pool(), value);
    if (pool().is_constant(value.expr)) return {pool()[value.expr].value.as_real()};
    return {0.0, value.expr};
  }
  if (value.kind != Value::Kind::number) refuse("an array or a text where a number is needed");
  if (value.number.imag() != 0) refuse("a complex number where a real one is needed");
  return {value.number.real()};
}

void ModeWriter::put(Op op, std::initializer_list<std::uint32_t> modes, std::initializer_list<Value> params) {
  count_step();
  Row row{op, modes, {}, 0};
  for (const Value& value : params) row.params.push_back(param(value));
  rows_.push_back(std::move(row));
}

void ModeWriter::measure(Op op, std::uint32_t mode, std::initializer_list<Value> params) {
  put(op, {mode}, params);
  const bool is_complex = op == Op::measure_heterodyne;
  const auto known = std::ranges::find(outcomes_, mode, &Outcome::mode);
  if (known != outcomes_.end() && known->is_complex == is_complex) {
    rows_.back().aux = known->variable;
    return;
  }
  std::string name = "q" + std::to_string(mode);
  if (known != outcomes_.end()) {  // the other kind of outcome has that name
    name += "_" + std::to_string(circuit_.variables().size());
    outcomes_.erase(known);
  }
  rows_.back().aux = circuit_.add_variable({name, {}, true});
  if (is_complex) circuit_.add_variable({name + "_imag", {}, true});
  outcomes_.push_back({mode, rows_.back().aux, is_complex});
}

// D(x) D(i y) is D(x + i y) but for a phase of the whole state.
void ModeWriter::displace(Arguments& arguments, std::uint32_t mode) {
  const auto [r, phase] = arguments.polar("r", "phi");
  if (r.kind != Value::Kind::symbolic || r.imaginary == kNoExpr) return put(Op::displacement, {mode}, {r, phase});
  if (phase.kind != Value::Kind::number || phase.number.imag() != 0) refuse("a complex length with a phase");
  const Value alpha = phase.number == 0.0 ? r : multiply(pool(), r, Value::of(std::polar(1.0, phase.number.real())));
  put(Op::displacement, {mode}, {Value::of_expression(alpha.expr), real(0)});
  put(Op::displacement, {mode}, {Value::of_expression(alpha.imaginary), real(kPi / 2)});
}

bool ModeWriter::preparation(std::string_view name, Arguments& arguments, std::uint32_t mode) {
  const bool gaussian = name == "Coherent" || name == "Squeezed" || name == "DisplacedSqueezed";
  if (name == "Vacuum" || name == "Vac" || gaussian) {
    put(Op::prepare_vacuum, {mode}, {});
    if (name == "Coherent") {
      displace(arguments, mode);
    } else if (name == "Squeezed") {
      const auto [r, phase] = arguments.polar("r", "p");
      put(Op::squeezing, {mode}, {r, phase});
    } else if (gaussian) {
      const Value r = arguments.next("r_d"), phase = arguments.next("phi_d");
      const Value squeezed = arguments.next("r_s"), axis = arguments.next("phi_s");
      put(Op::squeezing, {mode}, {squeezed, axis});
      put(Op::displacement, {mode}, {r, phase});
    }
  } else if (name == "Fock") {
    put(Op::prepare_fock, {mode}, {arguments.next("n")});
  } else if (name == "Thermal") {
    put(Op::prepare_thermal, {mode}, {arguments.next("n")});
  } else if (name == "Catstate") {
    const Value length = arguments.next("a", 0.0), phase = arguments.next("phi", 0.0);
    // p counts half turns: 0 is the even cat, 1 the odd one.
    put(Op::prepare_cat, {mode}, {length, phase, multiply(pool(), real(kPi), arguments.next("p", 0.0))});
  } else if (name == "GKP") {
    put(Op::prepare_gkp, {mode}, {arguments.next("epsilon", 0.2)});
  } else {
    return false;
  }
  return true;
}

bool ModeWriter::one_mode_gate(std::string_view name, Arguments& arguments, std::uint32_t mode) {
  if (name == "Dgate") {
    displace(arguments, mode);
  } else if (name == "Xgate") {
    put(Op::displacement, {mode}, {divide(pool(), arguments.next("x"), real(2)), real(0)});
  } else if (name == "Zgate") {
    put(Op::displacement, {mode}, {divide(pool(), arguments.next("p"), real(2)), real(kPi / 2)});
  } else if (name == "Sgate") {
    const auto [r, phase] = arguments.polar("r", "phi");
    put(Op::squeezing, {mode}, {r, phase});
  } else if (name == "Rgate") {
    put(Op::rotation, {mode}, {arguments.next("theta")});
  } else if (name == "Fouriergate" || name == "Fourier") {
    put(Op::rotation, {mode}, {real(kPi / 2)});
  } else if (name == "Kgate") {
    put(Op::kerr, {mode}, {arguments.next("kappa")});
  } else if (name == "Vgate") {
    put(Op::cubic_phase, {mode}, {arguments.next("gamma")});
  } else if (name == "Pgate") {
    // exp(i s x² / 4) = R(t) S(asinh(s / 2), -pi / 2 - t), tan t = s / 2.
    const Value half = divide(pool(), arguments.next("s"), real(2));
    const Value root = *call(pool(), "sqrt", add(pool(), multiply(pool(), half, half), real(1)));
    const Value turn = *call(pool(), "arctan", half);
    put(Op::squeezing, {mode}, {*call(pool(), "log", add(pool(), half, root)), subtract(pool(), real(-kPi / 2), turn)});
    put(Op::rotation, {mode}, {turn});
  } else if (name == "LossChannel") {
    put(Op::loss, {mode}, {arguments.next("T")});
  } else if (name == "ThermalLossChannel") {
    // Loss t then gain g: moments scale by t g = T, noise g (1 - t) + g - 1 = (1 - T)(2 n + 1).
    const Value kept = arguments.next("T"), photons = arguments.next("nbar");
    const Value gain = add(pool(), real(1), multiply(pool(), subtract(pool(), real(1), kept), photons));
    put(Op::loss, {mode}, {divide(pool(), kept, gain)});
    put(Op::amplifier, {mode}, {gain});
  } else {
    return false;
  }
  return true;
}

bool ModeWriter::two_mode_gate(std::string_view name, Arguments& arguments, std::uint32_t a, std::uint32_t b) {
  if (name == "BSgate") {
    const Value theta = arguments.next("theta", kPi / 4);
    put(Op::beam_splitter, {a, b}, {theta, arguments.next("phi", kPi / 2)});
  } else if (name == "S2gate") {
    const auto [r, phase] = arguments.polar("r", "phi");
    put(Op::two_mode_squeezing, {a, b}, {r, phase});
  } else if (name == "CKgate") {
    put(Op::cross_kerr, {a, b}, {arguments.next("kappa")});
  } else if (name == "MZgate") {
    const Value inside = arguments.next("phi_in"), outside = arguments.next("phi_ex");
    put(Op::rotation, {a}, {outside});
    put(Op::beam_splitter, {a, b}, {real(kPi / 4), real(kPi / 2)});
    put(Op::rotation, {a}, {inside});
    put(Op::beam_splitter, {a, b}, {real(kPi / 4), real(kPi / 2)});
  } else if (name == "CXgate" || name == "CZgate") {
    // exp(-i s x1 p2 / 2) by two beam splitters around opposite squeezers. Source: Gottesman-Kitaev-Preskill's sum
    // gate, taken apart as in Braunstein, Phys. Rev. A 71, 055801, 2005.
    const Value given = arguments.next("s", 1.0);
    if (given.kind != Value::Kind::number || given.number.imag() != 0)
      refuse("the strength of a '" + std::string(name) + "' must be a number that is known when the file is read");
    const double r = std::asinh(-given.number.real() / 2);
    const double theta = 0.5 * std::atan2(-1 / std::cosh(r), -std::tanh(r));
    if (name == "CZgate") put(Op::rotation, {b}, {real(-kPi / 2)});
    put(Op::beam_splitter, {a, b}, {real(theta), real(0)});
    put(Op::squeezing, {a}, {real(r), real(0)});
    put(Op::squeezing, {b}, {real(-r), real(0)});
    put(Op::beam_splitter, {a, b}, {real(theta + kPi / 2), real(0)});
    if (name == "CZgate") put(Op::rotation, {b}, {real(kPi / 2)});
  } else {
    return false;
  }
  return true;
}

bool ModeWriter::measurement(std::string_view name, Arguments& arguments, std::span<const std::uint32_t> modes) {
  const bool counts = name == "MeasureFock" || name == "Measure";
  const bool is_x = name == "MeasureX", is_p = name == "MeasureP";
  const auto select = arguments.option("select");
  if (counts) {
    const auto wanted = [&](std::size_t i) {
      if (select->kind != Value::Kind::array) return *select;
      if (select->elements.size() != modes.size())
        refuse("'select' has " + std::to_string(select->elements.size()) + " numbers for " +
               std::to_string(modes.size()) + " modes");
      return Value::of(select->elements[i]);
    };
    for (std::size_t i = 0; i < modes.size(); ++i)
      select ? put(Op::select_photons, {modes[i]}, {wanted(i)}) : measure(Op::measure_photons, modes[i], {});
  } else if (name == "MeasureThreshold") {
    if (select) refuse("clicks are not selected", "select photon numbers", ErrorCode::unsupported);
    for (const std::uint32_t mode : modes) measure(Op::measure_click, mode, {});
  } else if (is_x || is_p || name == "MeasureHomodyne") {
    const Value angle = is_x || is_p ? real(is_p ? kPi / 2 : 0.0) : arguments.next("phi");
    for (const std::uint32_t mode : modes)
      select ? put(Op::select_homodyne, {mode}, {angle, *select}) : measure(Op::measure_homodyne, mode, {angle});
  } else if (name == "MeasureHeterodyne" || name == "MeasureHD") {
    if (select) refuse("heterodyne outcomes are not selected", "select quadratures", ErrorCode::unsupported);
    for (const std::uint32_t mode : modes) measure(Op::measure_heterodyne, mode, {});
  } else {
    return false;
  }
  return true;
}

void ModeWriter::row_of(Op op, Arguments& arguments, std::span<const std::uint32_t> modes) {
  const auto wanted = static_cast<std::size_t>(gate_targets(op));
  if (modes.size() % wanted != 0 || (wanted == 2 && modes.size() != 2))
    refuse("'" + std::string(op_name(op)) + "' acts on " + std::to_string(wanted) + " modes, not " +
           std::to_string(modes.size()));
  std::vector<Value> params;
  for (int i = 0; i < gate_parameters(op); ++i) params.push_back(arguments.next("parameter " + std::to_string(i)));
  if (wanted == 2) {
    put(op, {modes[0], modes[1]}, {});
    for (const Value& value : params) rows_.back().params.push_back(param(value));
    return;
  }
  for (const std::uint32_t mode : modes) {
    is_mode_measurement(op) ? measure(op, mode, {}) : put(op, {mode}, {});
    for (const Value& value : params) rows_.back().params.push_back(param(value));
  }
}

void ModeWriter::operation(std::string_view name, std::span<const Argument> given,
                           std::span<const std::uint32_t> modes) {
  Arguments arguments(name, given);
  if (modes.empty()) refuse("'" + std::string(name.substr(0, 40)) + "' on no mode", "write | 0 or | [0, 1]");
  for (std::size_t i = 0; i < modes.size(); ++i) {
    use(modes[i]);
    if (std::ranges::find(modes.first(i), modes[i]) != modes.begin() + static_cast<std::ptrdiff_t>(i))
      refuse("mode " + std::to_string(modes[i]) + " is named twice");
  }
  const auto op = op_from_name(name);
  bool known = true;
  if (op && is_mode_op(*op)) {
    row_of(*op, arguments, modes);
  } else if (name == "Interferometer") {
    interferometer(arguments.next("U"), modes);
  } else if (name == "GaussianTransform") {
    const Value matrix = arguments.next("S");
    const Value of_vacuum = arguments.next("vacuum", 0.0);
    gaussian_transform(matrix, of_vacuum.kind == Value::Kind::number && of_vacuum.number != 0.0, modes);
  } else if (name == "GraphEmbed") {
    const Value matrix = arguments.next("A");
    const Value photons = arguments.next("mean_photon_per_mode", 1.0);
    if (photons.kind != Value::Kind::number || photons.number.imag() != 0)
      refuse("the mean number of photons must be a number that is known when the file is read");
    graph_embed(matrix, photons.number.real(), modes);
  } else if (!measurement(name, arguments, modes)) {
    Arguments first = arguments;  // each mode of a list is given the same
    known = preparation(name, arguments, modes[0]) || one_mode_gate(name, arguments, modes[0]);
    for (std::size_t i = 1; known && i < modes.size(); ++i) {
      Arguments again = first;
      if (!preparation(name, again, modes[i])) one_mode_gate(name, again, modes[i]);
    }
    if (!known && modes.size() == 2) known = two_mode_gate(name, arguments, modes[0], modes[1]);
  }
  if (known) return arguments.finish();
  if (std::ranges::find(kRefused, name) != std::end(kRefused))
    refuse("'" + std::string(name) + "' is not read yet", "write it as gates and states", ErrorCode::unsupported);
  constexpr std::string_view kTwo[] = {"BSgate", "S2gate", "CKgate", "MZgate", "CXgate", "CZgate"};
  if (std::ranges::find(kTwo, name) != std::end(kTwo))
    refuse("'" + std::string(name) + "' acts on 2 modes, not " + std::to_string(modes.size()));
  Nearest near(name);
  for (const std::string_view each : kNames) near.offer(each);
  refuse("there is no operation " + shown(name),
         near.hint("write Sgate, BSgate, MeasureX or another of docs/photonic.md"));
}

Circuit ModeWriter::finish(std::string name) {
  circuit_.name = std::move(name);
  const std::uint32_t modes = declared_.value_or(modes_);
  if (modes == 0) refuse("a circuit without modes", "apply an operation to one");
  circuit_.add_wires("q", modes);
  if (!cutoffs_.empty() && cutoffs_.size() != modes)
    refuse(std::to_string(cutoffs_.size()) + " cutoffs for " + std::to_string(modes) + " modes");
  for (std::uint32_t mode = 0; mode < modes && (cutoff_ != 0 || !cutoffs_.empty()); ++mode) {
    const double cutoff = cutoffs_.empty() ? cutoff_ : cutoffs_[mode];
    if (!(cutoff >= 1 && cutoff <= 256) || cutoff != std::floor(cutoff))
      refuse("a cutoff of " + std::to_string(cutoff), "take a whole number from 1 to 256", ErrorCode::out_of_range);
    circuit_.append(Op::cutoff, {mode}, {cutoff});
  }
  // Operations that are the identity leave no row: that these are modes must still be said, by what changes nothing
  // here.
  if (rows_.empty() && circuit_.body().size() == 0) circuit_.append(Op::prepare_vacuum, {0}, {});
  for (const Row& row : rows_) circuit_.append(row.op, row.modes, row.params, 0, row.aux);
  return std::move(circuit_);
}

}  // namespace skerry::frontend::blackbird
