// The door: rows of parameters become rows of slots, and derivatives by slots those by parameters.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/gradient.hpp>
#include <string>

#include "base/threads.hpp"
#include "sim/gradient/gradient_core.hpp"

namespace skerry {
namespace {

/// A quarter of the digits of a double: the error of the formula (1e-10) and that of rounding (1e-11) are both small.
constexpr double kStep = 1e-5;
/// Rows of shifted angles worked on at a time.
constexpr std::size_t kShiftedRows = 4096;

/// A shifted value and its share in the derivative.
struct Shift {
  double angle = 0.0, weight = 0.0;
};

/// Wierichs et al. 2021, arXiv:2107.12390, eq. 3.10: a function of frequencies w, ..., R w is differentiated exactly
/// from 2 R values.
std::vector<Shift> shifts(const ops::Spectrum& spectrum) {
  std::vector<Shift> out;
  const double count = spectrum.count;
  for (int mu = 1; mu <= 2 * spectrum.count; ++mu) {
    const double angle = (2 * mu - 1) * std::numbers::pi / (2 * count);
    const double sine = std::sin(angle / 2);
    out.push_back({angle / spectrum.base, spectrum.base * (mu % 2 == 1 ? 1.0 : -1.0) / (4 * count * sine * sine)});
  }
  return out;
}

/// Limits made into what a run obeys.
class Grant {
 public:
  explicit Grant(const Limits& limits)
      : memory_(limits.max_memory_bytes.value_or(base::MemoryBudget::kUnlimited)), control_(limits.control) {
    if (limits.threads < 0) throw Error(ErrorCode::invalid_argument, "threads is " + std::to_string(limits.threads));
    if (limits.threads > 0) threads_.emplace(limits.threads);
    if (limits.max_execution_time) {
      const auto deadline = control_.started +
                            std::chrono::duration_cast<std::chrono::steady_clock::duration>(*limits.max_execution_time);
      control_.deadline = control_.deadline ? std::min(*control_.deadline, deadline) : deadline;
    }
  }
  sim::Resources resources() { return {memory_, control_}; }
  std::uint64_t peak() const { return memory_.peak(); }

 private:
  base::MemoryBudget memory_;
  RunControl control_;
  std::optional<base::ThreadLimit> threads_;
  base::FlushSubnormals flush_;
};

}  // namespace

GradientMethod gradient_method(std::string_view name) {
  if (name == "adjoint") return GradientMethod::adjoint;
  if (name == "parameter_shift") return GradientMethod::parameter_shift;
  if (name == "finite_difference") return GradientMethod::finite_difference;
  throw Error(ErrorCode::invalid_argument, "no way to find gradients is called '" + std::string(name) + "'", "method",
              "use adjoint, parameter_shift or finite_difference");
}

class GradientProgram::Impl {
 public:
  Impl(const Circuit& circuit, std::vector<Observable> observables, Precision precision)
      : circuit_(circuit), observables_(std::move(observables)), map_(circuit_) {
    constexpr std::uint32_t kMaxWires = 40;
    if (circuit_.num_wires() > kMaxWires) {
      throw Error(ErrorCode::unsupported,
                  "a state of " + std::to_string(circuit_.num_wires()) + " wires has more than 2^" +
                      std::to_string(kMaxWires) + " amplitudes",
                  "gradient");
    }
    for (const Observable& observable : observables_) {
      if (observable.num_wires() == circuit_.num_wires()) continue;
      throw Error(ErrorCode::invalid_argument, "an observable is on " + std::to_string(observable.num_wires()) +
                                                   " wires, the circuit on " + std::to_string(circuit_.num_wires()));
    }
    auto [members, spectra] = sim::tape_members(circuit_, map_);
    for (const auto& spectrum : spectra) shifts_.push_back(shifts(spectrum));
    core_ = sim::make_gradient_core(circuit_, observables_, members, precision);
  }

  const Circuit& circuit() const { return circuit_; }
  const std::vector<Observable>& observables() const { return observables_; }
  std::size_t parameters() const { return map_.parameters(); }

  std::size_t rows(std::span<const double> parameters) const {
    const std::size_t width = map_.parameters();
    if (width == 0 && parameters.empty()) return 1;
    if (width != 0 && !parameters.empty() && parameters.size() % width == 0) return parameters.size() / width;
    throw Error(ErrorCode::invalid_argument,
                std::to_string(parameters.size()) + " parameters were given to a circuit of " + std::to_string(width),
                "parameters", "give one number per parameter, in order of declaration; row after row for a batch");
  }
  std::span<const double> row(std::span<const double> parameters, std::size_t i) const {
    return parameters.subspan(i * map_.parameters(), map_.parameters());
  }
  std::span<const double> one_row(std::span<const double> parameters) const {
    if (rows(parameters) == 1) return parameters;
    throw Error(ErrorCode::invalid_argument, "a batch of parameters was given where one row is asked for",
                "parameters");
  }

  std::vector<double> slots(std::span<const double> parameters) const {
    const std::size_t count = rows(parameters);
    std::vector<double> out(count * map_.slots());
    for (std::size_t i = 0; i < count; ++i)
      map_.evaluate(row(parameters, i), std::span(out).subspan(i * map_.slots(), map_.slots()));
    return out;
  }

  std::vector<double> values(std::span<const double> parameters, const sim::Resources& resources) const {
    return core_->values(slots(parameters), rows(parameters), resources);
  }

  std::uint64_t values_bytes(std::size_t rows) const noexcept { return core_->values_bytes(rows); }

  ValuesAndGradients adjoint(std::span<const double> parameters, const sim::Resources& resources) const {
    const auto found = core_->adjoint(slots(parameters), rows(parameters), resources);
    return {found.values, pulled_back(parameters, found.derivatives, observables_.size())};
  }

  ValuesAndGradients weighted(std::span<const double> parameters, std::span<const double> weights,
                              const sim::Resources& resources) const {
    if (weights.size() != rows(parameters) * observables_.size()) {
      throw Error(ErrorCode::invalid_argument,
                  std::to_string(weights.size()) + " weights were given for " + std::to_string(rows(parameters)) +
                      " rows of " + std::to_string(observables_.size()) + " observables",
                  "weights");
    }
    const auto found = core_->weighted(slots(parameters), rows(parameters), weights, resources);
    return {found.values, pulled_back(parameters, found.derivatives, 1)};
  }

  ValuesAndGradients shifted(std::span<const double> parameters, const sim::Resources& resources) const {
    const std::size_t count = rows(parameters), width = map_.slots(), outputs = observables_.size();
    const std::vector<double> angles = slots(parameters);
    ValuesAndGradients out{core_->values(angles, count, resources), {}};
    std::vector<double> derivatives(count * outputs * width);
    for (std::size_t i = 0; i < count; ++i) {
      const auto own = std::span(angles).subspan(i * width, width);
      for_shifts(own, {}, [&](std::span<const double> moved, std::span<const Shifted> which) {
        const auto values = core_->values(moved, which.size(), resources);
        for (std::size_t k = 0; k < which.size(); ++k)
          for (std::size_t o = 0; o < outputs; ++o)
            derivatives[(i * outputs + o) * width + which[k].slot] += which[k].weight * values[k * outputs + o];
      });
    }
    out.derivatives = pulled_back(parameters, derivatives, outputs);
    return out;
  }

  ValuesAndGradients differences(std::span<const double> parameters, const sim::Resources& resources) const {
    const std::size_t count = rows(parameters), width = map_.parameters(), outputs = observables_.size();
    ValuesAndGradients out{values(parameters, resources), std::vector<double>(count * outputs * width)};
    for (std::size_t i = 0; i < count && width != 0; ++i) {
      std::vector<double> moved;
      for (std::size_t p = 0; p < width; ++p) {
        for (const double step : {kStep, -kStep}) {
          const auto own = row(parameters, i);
          moved.insert(moved.end(), own.begin(), own.end());
          moved[moved.size() - width + p] += step;
        }
      }
      const auto found = values(moved, resources);
      for (std::size_t p = 0; p < width; ++p)
        for (std::size_t o = 0; o < outputs; ++o)
          out.derivatives[(i * outputs + o) * width + p] =
              (found[2 * p * outputs + o] - found[(2 * p + 1) * outputs + o]) / (2 * kStep);
    }
    return out;
  }

  std::vector<double> hessian_vector(std::span<const double> parameters, std::span<const double> direction,
                                     const sim::Resources& resources) const {
    const std::size_t width = map_.slots(), outputs = observables_.size();
    if (direction.size() != map_.parameters()) {
      throw Error(ErrorCode::invalid_argument,
                  "a direction of " + std::to_string(direction.size()) + " numbers for " +
                      std::to_string(map_.parameters()) + " parameters",
                  "direction");
    }
    const std::vector<double> angles = slots(one_row(parameters));
    std::vector<double> moving(width), bent(outputs * width);
    map_.push_forward(parameters, direction, moving);
    for_shifts(angles, moving, [&](std::span<const double> moved, std::span<const Shifted> which) {
      const auto found = core_->adjoint(moved, which.size(), resources);
      for (std::size_t k = 0; k < which.size(); ++k)
        for (std::size_t i = 0; i < outputs * width; ++i)
          bent[i] += which[k].weight * moving[which[k].slot] * found.derivatives[k * outputs * width + i];
    });
    std::vector<double> out = pulled_back(parameters, bent, outputs);
    const auto gradient = core_->adjoint(angles, 1, resources);
    for (std::size_t o = 0; o < outputs; ++o) {
      map_.curve(parameters, std::span(gradient.derivatives).subspan(o * width, width), direction,
                 std::span(out).subspan(o * map_.parameters(), map_.parameters()));
    }
    return out;
  }

  std::vector<double> fisher(std::span<const double> parameters, const sim::Resources& resources) const {
    const std::vector<double> angles = slots(one_row(parameters));
    const std::size_t count = map_.parameters(), width = map_.slots();
    std::vector<double> jacobian(width * count), unit(width);
    for (std::size_t s = 0; s < width; ++s) {
      unit[s] = 1.0;
      map_.pull_back(parameters, unit, std::span(jacobian).subspan(s * count, count));
      unit[s] = 0.0;
    }
    return core_->fisher(angles, jacobian, count, resources);
  }

  std::vector<double> probabilities(std::span<const double> parameters, std::span<const std::uint32_t> wires,
                                    const sim::Resources& resources) const {
    std::vector<std::uint32_t> chosen(wires.begin(), wires.end());
    if (chosen.empty()) {
      chosen.resize(circuit_.num_wires());
      std::iota(chosen.begin(), chosen.end(), 0U);
    }
    std::vector<bool> seen(circuit_.num_wires());
    for (const std::uint32_t wire : chosen) {
      if (wire >= circuit_.num_wires()) {
        throw Error(
            ErrorCode::out_of_range,
            "wire " + std::to_string(wire) + " of a circuit of " + std::to_string(circuit_.num_wires()) + " wires",
            "wires");
      }
      if (seen[wire]) throw Error(ErrorCode::invalid_argument, "wire " + std::to_string(wire) + " is listed twice");
      seen[wire] = true;
    }
    const std::size_t count = rows(parameters);
    const base::Reservation charge(resources.memory,
                                   base::checked_bytes(count << chosen.size(), sizeof(double), "probabilities"),
                                   "probabilities");
    std::vector<double> out(count << chosen.size());
    core_->probabilities(slots(parameters), count, chosen, out, resources);
    return out;
  }

 private:
  /// One shifted row: which slot was moved, and what its value counts.
  struct Shifted {
    std::size_t slot = 0;
    double weight = 0.0;
  };

  /// Calls fn(rows of slots, what each is) for all shifts of all slots, of those alone that move where `moving` says
  /// how much.
  template <class Function>
  void for_shifts(std::span<const double> angles, std::span<const double> moving, Function fn) const {
    std::vector<double> moved;
    std::vector<Shifted> which;
    const auto flush = [&] {
      if (!which.empty()) fn(std::span<const double>(moved), std::span<const Shifted>(which));
      moved.clear();
      which.clear();
    };
    for (std::size_t s = 0; s < angles.size(); ++s) {
      if (!moving.empty() && moving[s] == 0.0) continue;
      for (const Shift& shift : shifts_[s]) {
        moved.insert(moved.end(), angles.begin(), angles.end());
        moved[moved.size() - angles.size() + s] += shift.angle;
        which.push_back({s, shift.weight});
        if (which.size() * (angles.size() + 1) > kShiftedRows * 64) flush();
      }
    }
    flush();
  }

  /// [rows, outputs, slots] to [rows, outputs, parameters].
  std::vector<double> pulled_back(std::span<const double> parameters, std::span<const double> derivatives,
                                  std::size_t outputs) const {
    const std::size_t count = rows(parameters), from = map_.slots(), to = map_.parameters();
    std::vector<double> out(count * outputs * to);
    for (std::size_t i = 0; i < count * outputs; ++i) {
      map_.pull_back(row(parameters, i / outputs), derivatives.subspan(i * from, from),
                     std::span(out).subspan(i * to, to));
    }
    return out;
  }

  Circuit circuit_;
  std::vector<Observable> observables_;
  sim::ParameterMap map_;
  std::vector<std::vector<Shift>> shifts_;  ///< of each slot
  std::unique_ptr<sim::GradientCore> core_;
};

GradientProgram::GradientProgram(const Circuit& circuit, std::vector<Observable> observables, Precision precision)
    : impl_(std::make_unique<Impl>(circuit, std::move(observables), precision)) {}
GradientProgram::GradientProgram(GradientProgram&&) noexcept = default;
GradientProgram& GradientProgram::operator=(GradientProgram&&) noexcept = default;
GradientProgram::~GradientProgram() = default;

std::size_t GradientProgram::num_parameters() const noexcept {
  return impl_->parameters();
}
std::size_t GradientProgram::num_observables() const noexcept {
  return impl_->observables().size();
}
const Circuit& GradientProgram::circuit() const noexcept {
  return impl_->circuit();
}
const std::vector<Observable>& GradientProgram::observables() const noexcept {
  return impl_->observables();
}

std::vector<double> GradientProgram::values(std::span<const double> parameters, const Limits& limits) const {
  return impl_->values(parameters, Grant(limits).resources());
}

std::vector<double> GradientProgram::values(std::span<const double> parameters, const Limits& limits,
                                            RunReport& report) const {
  Grant grant(limits);
  std::vector<double> out = impl_->values(parameters, grant.resources());
  report.peak_bytes = grant.peak();
  return out;
}

std::uint64_t GradientProgram::values_bytes(std::size_t rows) const noexcept {
  return impl_->values_bytes(rows);
}

ValuesAndGradients GradientProgram::value_and_grad(std::span<const double> parameters, GradientMethod method,
                                                   const Limits& limits) const {
  Grant grant(limits);
  switch (method) {
    case GradientMethod::adjoint:
      return impl_->adjoint(parameters, grant.resources());
    case GradientMethod::parameter_shift:
      return impl_->shifted(parameters, grant.resources());
    case GradientMethod::finite_difference:
      return impl_->differences(parameters, grant.resources());
  }
  return {};
}

ValuesAndGradients GradientProgram::vector_jacobian(std::span<const double> parameters, std::span<const double> weights,
                                                    const Limits& limits) const {
  return impl_->weighted(parameters, weights, Grant(limits).resources());
}
std::vector<double> GradientProgram::hessian_vector(std::span<const double> parameters,
                                                    std::span<const double> direction, const Limits& limits) const {
  return impl_->hessian_vector(parameters, direction, Grant(limits).resources());
}
std::vector<double> GradientProgram::fisher_information(std::span<const double> parameters,
                                                        const Limits& limits) const {
  return impl_->fisher(parameters, Grant(limits).resources());
}
std::vector<double> GradientProgram::probabilities(std::span<const double> parameters,
                                                   std::span<const std::uint32_t> wires, const Limits& limits) const {
  return impl_->probabilities(parameters, wires, Grant(limits).resources());
}

}  // namespace skerry
