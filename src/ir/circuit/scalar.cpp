#include <cmath>
#include <limits>
#include <numbers>
#include <skerry/expression.hpp>

namespace skerry {
namespace {

/// The low `width` bits, sign-extended for signed kinds: the one representation of each value of an integer type.
std::int64_t wrap(std::uint64_t bits, ScalarType type) {
  const unsigned unused = 64U - (type.width == 0 || type.width > 64 ? 64U : type.width);
  if (type.kind == ScalarKind::integer) return static_cast<std::int64_t>(bits << unused) >> unused;
  return static_cast<std::int64_t>(bits << unused >> unused);
}

std::uint64_t truncated_bits(double value, bool to_unsigned) {
  if (std::isnan(value)) return 0;
  const double whole = std::trunc(value);
  if (to_unsigned && whole >= 0x1p63) return whole >= 0x1p64 ? ~std::uint64_t{0} : static_cast<std::uint64_t>(whole);
  if (whole >= 0x1p63) return static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (whole <= -0x1p63) return static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::min());
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(whole));
}

double reduced(double angle) {
  constexpr double kTurn = 2 * std::numbers::pi;
  double rest = std::fmod(angle, kTurn);
  if (rest < 0) rest += kTurn;
  return rest >= kTurn ? 0.0 : rest + 0.0;  // + 0.0 turns -0.0 into 0.0
}

}  // namespace

Scalar Scalar::of(std::int64_t value, ScalarType type) {
  Scalar s;
  s.type = type;
  if (type.kind == ScalarKind::real) {
    s.real = static_cast<double>(value);
  } else if (type.kind == ScalarKind::angle) {
    s.real = reduced(static_cast<double>(value));
  } else {
    s.integer = type.kind == ScalarKind::boolean ? (value != 0) : wrap(static_cast<std::uint64_t>(value), type);
  }
  return s;
}

double Scalar::as_real() const {
  if (type.kind >= ScalarKind::real) return real;
  if (type.kind == ScalarKind::unsigned_integer) return static_cast<double>(static_cast<std::uint64_t>(integer));
  return static_cast<double>(integer);
}

std::int64_t Scalar::as_integer() const {
  if (type.kind < ScalarKind::real) return integer;
  return static_cast<std::int64_t>(truncated_bits(real, false));
}

Scalar Scalar::cast(ScalarType to) const {
  Scalar s;
  s.type = to;
  switch (to.kind) {
    case ScalarKind::boolean:
      s.integer = as_bool();
      break;
    case ScalarKind::real:
      s.real = as_real();
      break;
    case ScalarKind::angle:
      s.real = reduced(as_real());
      break;
    case ScalarKind::integer:
    case ScalarKind::unsigned_integer: {
      const bool is_integral = type.kind < ScalarKind::real;
      const bool to_unsigned = to.kind == ScalarKind::unsigned_integer;
      s.integer = wrap(is_integral ? static_cast<std::uint64_t>(integer) : truncated_bits(real, to_unsigned), to);
      break;
    }
  }
  return s;
}

}  // namespace skerry
