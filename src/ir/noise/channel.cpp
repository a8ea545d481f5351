#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <skerry/error.hpp>
#include <skerry/noise.hpp>

#include "ir/noise/matrices.hpp"

namespace skerry {
namespace {

using ir::Complex;
using ir::scaled;

[[noreturn]] void refuse(std::string_view kind, std::string message, std::string hint = {}) {
  throw Error(ErrorCode::invalid_argument, std::move(message), "channel " + std::string(kind), std::move(hint));
}

std::string shown(double number) {
  std::string text = std::to_string(number);
  while (text.find('.') != std::string::npos && (text.back() == '0' || text.back() == '.')) {
    const bool point = text.back() == '.';
    text.pop_back();
    if (point) break;
  }
  return text;
}

void check_range(std::string_view kind, std::string_view name, double value, double most = 1.0) {
  if (value >= 0.0 && value <= most) return;
  refuse(kind, std::string(name) + " is " + shown(value) + ", outside 0 to " + shown(most));
}

void check_wires(std::string_view kind, std::uint32_t wires) {
  if (wires >= 1 && wires <= Channel::kMaxWires) return;
  refuse(kind, "acts on " + std::to_string(wires) + " wires, not on 1 to " + std::to_string(Channel::kMaxWires));
}

/// Largest entry of sum K^dagger K - 1.
double deviation(const std::vector<Matrix>& operators) {
  const std::size_t rows = std::size_t{1} << operators.front().wires;
  double worst = 0.0;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < rows; ++c) {
      Complex sum = r == c ? -1.0 : 0.0;
      for (const Matrix& k : operators)
        for (std::size_t m = 0; m < rows; ++m) sum += std::conj(k.values[m * rows + r]) * k.values[m * rows + c];
      const double off = std::abs(sum);
      if (std::isnan(off)) return off;
      worst = std::max(worst, off);
    }
  }
  return worst;
}

/// The identity with what `p` leaves, and the other Pauli strings with p / others each.
std::vector<Matrix> uniform(double p, std::uint32_t wires) {
  const std::uint32_t strings = 1U << (2 * wires);
  const double each = p / (strings - 1);
  std::vector<Matrix> operators = {scaled(ir::identity(wires), std::sqrt(1 - p))};
  if (each <= 0.0) return operators;
  for (std::uint32_t s = 1; s < strings; ++s) operators.push_back(scaled(ir::pauli_string(s, wires), std::sqrt(each)));
  return operators;
}

std::vector<Matrix> one_error(char letter, double p) {
  return {scaled(ir::identity(1), std::sqrt(1 - p)), scaled(ir::pauli_matrix(letter), std::sqrt(p))};
}

std::vector<Matrix> damping(double gamma, double excited) {
  const double keep = std::sqrt(1 - gamma), fall = std::sqrt(gamma);
  const double down = std::sqrt(1 - excited), up = std::sqrt(excited);
  std::vector<Matrix> operators = {{1, {down, 0, 0, down * keep}}, {1, {0, down * fall, 0, 0}}};
  if (excited > 0) {
    operators.push_back({1, {up * keep, 0, 0, up}});
    operators.push_back({1, {0, 0, up * fall, 0}});
  }
  return operators;
}

std::vector<Matrix> dephasing(double lambda) {
  return {{1, {1, 0, 0, std::sqrt(1 - lambda)}}, {1, {0, 0, 0, std::sqrt(lambda)}}};
}

/// Operators of the second map after the first, without those that are zero.
std::vector<Matrix> composed(const std::vector<Matrix>& first, const std::vector<Matrix>& second) {
  std::vector<Matrix> out;
  for (const Matrix& b : second) {
    for (const Matrix& a : first) {
      Matrix product = ir::product(b, a);
      if (std::ranges::any_of(product.values, [](Complex v) { return v != 0.0; })) out.push_back(std::move(product));
    }
  }
  return out;
}

}  // namespace

Channel::Channel(std::string kind, std::vector<double> numbers, std::vector<Matrix> operators)
    : kind_(std::move(kind)), numbers_(std::move(numbers)), operators_(std::move(operators)) {
  if (operators_.empty()) refuse(kind_, "has no operators");
  wires_ = operators_.front().wires;
  check_wires(kind_, wires_);
  // More than 16^wires operators are never needed: the Choi matrix has no higher rank.
  if (operators_.size() > (std::size_t{1} << (4 * wires_)))
    refuse(kind_, "has " + std::to_string(operators_.size()) + " operators");
  for (const Matrix& k : operators_) {
    if (k.wires == wires_ && k.values.size() == std::size_t{1} << (2 * wires_)) continue;
    refuse(kind_, "has operators of different sizes", "each is a matrix of 2^wires rows and columns");
  }
  const double off = deviation(operators_);
  if (!(off <= kTolerance))
    refuse(kind_, "does not preserve the trace: sum K^dagger K differs from 1 by " + std::to_string(off));
}

Channel Channel::bit_flip(double p) {
  check_range("bit_flip", "p", p);
  return {"bit_flip", {p}, one_error('X', p)};
}
Channel Channel::phase_flip(double p) {
  check_range("phase_flip", "p", p);
  return {"phase_flip", {p}, one_error('Z', p)};
}
Channel Channel::bit_phase_flip(double p) {
  check_range("bit_phase_flip", "p", p);
  return {"bit_phase_flip", {p}, one_error('Y', p)};
}

Channel Channel::depolarizing(double p, std::uint32_t wires) {
  check_wires("depolarizing", wires);
  const double strings = std::exp2(2.0 * wires);
  check_range("depolarizing", "p", p, strings / (strings - 1));
  return {"depolarizing", {p}, uniform(std::min(p * (strings - 1) / strings, 1.0), wires)};
}
Channel Channel::uniform_pauli(double p, std::uint32_t wires) {
  check_wires("uniform_pauli", wires);
  check_range("uniform_pauli", "p", p);
  return {"uniform_pauli", {p}, uniform(p, wires)};
}

Channel Channel::amplitude_damping(double gamma) {
  check_range("amplitude_damping", "gamma", gamma);
  return {"amplitude_damping", {gamma}, damping(gamma, 0.0)};
}
Channel Channel::generalized_amplitude_damping(double gamma, double excited) {
  check_range("generalized_amplitude_damping", "gamma", gamma);
  check_range("generalized_amplitude_damping", "excited", excited);
  return {"generalized_amplitude_damping", {gamma, excited}, damping(gamma, excited)};
}
Channel Channel::phase_damping(double lambda) {
  check_range("phase_damping", "lambda", lambda);
  return {"phase_damping", {lambda}, dephasing(lambda)};
}

Channel Channel::thermal_relaxation(double t1, double t2, double time, double excited) {
  constexpr std::string_view kind = "thermal_relaxation";
  if (!(t1 > 0)) refuse(kind, "t1 is " + shown(t1), "give a time above 0");
  if (!(t2 > 0)) refuse(kind, "t2 is " + shown(t2), "give a time above 0");
  if (!(time >= 0 && std::isfinite(time))) refuse(kind, "time is " + shown(time), "give a time from 0 on");
  if (t2 > 2 * t1) refuse(kind, "t2 is " + shown(t2) + ", more than twice t1, which is " + shown(t1));
  check_range(kind, "excited", excited);
  const double gamma = -std::expm1(-time / t1);
  // What dephasing is left to do beyond that of the relaxation: coherences shrink by exp(-time (1/t2 - 1/(2 t1))).
  const double rest = time / t2 - time / (2 * t1);
  return {std::string(kind),
          {t1, t2, time, excited},
          composed(damping(gamma, excited), dephasing(-std::expm1(-2 * std::max(rest, 0.0))))};
}

Channel Channel::pauli(std::span<const std::pair<std::string, double>> terms) {
  constexpr std::string_view kind = "pauli";
  if (terms.empty()) refuse(kind, "has no terms");
  const std::size_t wires = terms.front().first.size();
  check_wires(kind, static_cast<std::uint32_t>(std::min<std::size_t>(wires, kMaxWires + 1)));
  std::vector<double> probabilities(std::size_t{1} << (2 * wires));
  double total = 0.0;
  for (const auto& [letters, p] : terms) {
    if (letters.size() != wires) refuse(kind, "'" + letters + "' has not " + std::to_string(wires) + " letters");
    check_range(kind, "the probability of " + letters, p);
    std::uint32_t string = 0;
    for (std::size_t i = 0; i < wires; ++i) {
      const std::size_t letter = std::string_view("IXZY").find(letters[wires - 1 - i]);
      if (letter == std::string_view::npos) refuse(kind, "'" + letters + "' has a letter that is not I, X, Y or Z");
      string |= static_cast<std::uint32_t>(letter) << (2 * i);
    }
    probabilities[string] += p;
    total += p;
  }
  if (total > 1 + kTolerance) refuse(kind, "its probabilities sum to " + shown(total) + ", more than 1");
  probabilities[0] += std::max(1 - total, 0.0);
  std::vector<Matrix> operators;
  for (std::uint32_t s = 0; s < probabilities.size(); ++s) {
    if (probabilities[s] <= 0) continue;
    operators.push_back(scaled(ir::pauli_string(s, static_cast<std::uint32_t>(wires)), std::sqrt(probabilities[s])));
  }
  return {std::string(kind), {}, std::move(operators)};
}

Channel Channel::reset(double p0, double p1) {
  check_range("reset", "p0", p0);
  check_range("reset", "p1", p1);
  if (p0 + p1 > 1) refuse("reset", "p0 + p1 is " + shown(p0 + p1) + ", more than 1");
  const double keep = std::sqrt(1 - p0 - p1), a = std::sqrt(p0), b = std::sqrt(p1);
  std::vector<Matrix> operators = {{1, {keep, 0, 0, keep}}, {1, {a, 0, 0, 0}}, {1, {0, a, 0, 0}}};
  operators.push_back({1, {0, 0, b, 0}});
  operators.push_back({1, {0, 0, 0, b}});
  std::erase_if(operators,
                [](const Matrix& k) { return std::ranges::all_of(k.values, [](Complex v) { return v == 0.0; }); });
  return {"reset", {p0, p1}, std::move(operators)};
}

Channel Channel::unitary(Matrix matrix) {
  return {"unitary", {}, {std::move(matrix)}};
}

Channel Channel::mixed_unitary(std::span<const std::pair<double, Matrix>> terms) {
  std::vector<Matrix> operators;
  for (const auto& [p, matrix] : terms) {
    check_range("mixed_unitary", "a probability", p);
    // Each by itself must be unitary: a sum of others may pass the test of the whole by chance.
    const Channel alone("mixed_unitary", {}, {matrix});
    if (p > 0) operators.push_back(scaled(matrix, std::sqrt(p)));
  }
  return {"mixed_unitary", {}, std::move(operators)};
}

Channel Channel::kraus(std::vector<Matrix> operators) {
  return {"kraus", {}, std::move(operators)};
}

Channel Channel::then(const Channel& next) const {
  if (next.wires_ != wires_) {
    refuse(kind_, "acts on " + std::to_string(wires_) + " wires, " + next.kind_ + " after it on " +
                      std::to_string(next.wires_));
  }
  return {"kraus", {}, composed(operators_, next.operators_)};
}

std::string Channel::text() const {
  std::string text = kind_ + "(";
  for (std::size_t i = 0; i < numbers_.size(); ++i) text += (i == 0 ? "" : ", ") + shown(numbers_[i]);
  return text + ")";
}

std::span<const ChannelKind> channel_kinds() {
  static const std::vector<ChannelKind> kinds = {
      {"amplitude_damping", {"gamma"}, 1, {}, false},
      {"bit_flip", {"p"}, 1, {}, false},
      {"bit_phase_flip", {"p"}, 1, {}, false},
      {"depolarizing", {"p"}, 1, {}, true},
      {"generalized_amplitude_damping", {"gamma", "excited"}, 2, {}, false},
      {"phase_damping", {"lambda"}, 1, {}, false},
      {"phase_flip", {"p"}, 1, {}, false},
      {"reset", {"p0", "p1"}, 1, {0.0}, false},
      {"thermal_relaxation", {"t1", "t2", "time", "excited"}, 3, {0.0}, false},
      {"uniform_pauli", {"p"}, 1, {}, true},
  };
  return kinds;
}

Channel Channel::named(std::string_view kind, std::span<const double> numbers, std::uint32_t wires) {
  const auto kinds = channel_kinds();
  const auto row = std::ranges::find(kinds, kind, &ChannelKind::name);
  if (row == kinds.end()) {
    std::string names;
    for (const ChannelKind& k : kinds) names += (names.empty() ? "" : ", ") + std::string(k.name);
    throw Error(ErrorCode::not_found, "no channel is called '" + std::string(kind) + "'", {},
                "use one of " + names + ", or kraus, mixed_unitary, pauli, unitary");
  }
  if (numbers.size() < row->required || numbers.size() > row->numbers.size())
    refuse(kind, "takes " + std::to_string(row->numbers.size()) + " numbers, not " + std::to_string(numbers.size()));
  if (!row->any_wires && wires != 1) refuse(kind, "acts on one wire, not on " + std::to_string(wires));
  std::vector<double> n(numbers.begin(), numbers.end());
  for (std::size_t i = n.size(); i < row->numbers.size(); ++i) n.push_back(row->otherwise[i - row->required]);
  if (kind == "amplitude_damping") return amplitude_damping(n[0]);
  if (kind == "bit_flip") return bit_flip(n[0]);
  if (kind == "bit_phase_flip") return bit_phase_flip(n[0]);
  if (kind == "depolarizing") return depolarizing(n[0], wires);
  if (kind == "generalized_amplitude_damping") return generalized_amplitude_damping(n[0], n[1]);
  if (kind == "phase_damping") return phase_damping(n[0]);
  if (kind == "phase_flip") return phase_flip(n[0]);
  if (kind == "reset") return reset(n[0], n[1]);
  if (kind == "thermal_relaxation") return thermal_relaxation(n[0], n[1], n[2], n[3]);
  return uniform_pauli(n[0], wires);
}

}  // namespace skerry
