#include "sim/statevector/product.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/threads.hpp"
#include "sim/state/questions.hpp"
#include "sim/statevector/walk.hpp"

namespace skerry::sim {
namespace {

constexpr std::size_t kGrain = std::size_t{1} << 14;

/// What comes out of the places of a distribution that belong to one part.
struct Marginal {
  base::Buffer table;
  std::vector<std::uint32_t> places;

  double at(std::size_t outcome) const {
    std::size_t own = 0;
    for (std::size_t j = 0; j < places.size(); ++j) own |= (outcome >> places[j] & 1) << j;
    return table.as<double>()[own];
  }
};

template <class T>
kernels::ConstStateView<T> view(const State& state) {
  return {state.amplitudes().as<std::complex<T>>().data(), static_cast<int>(state.num_wires())};
}

constexpr std::size_t kBatch = 256;

/// Outcomes from one basis state of each part: part p of shot s takes the uniform number p of stream (seed, s).
template <class T>
class ProductDrawer {
 public:
  ProductDrawer(const ProductRequest& request, const std::vector<State>& states, const Resources& resources)
      : request_(request) {
    for (const State& state : states) samplers_.emplace_back(view<T>(state), resources.memory, resources.control);
  }

  /// Up to kBatch shots. What is written into out is where write() finds them on the same thread.
  void draw(std::span<const std::uint64_t> ids, std::span<std::uint64_t> out) const {
    std::vector<std::uint64_t>& drawn = room();
    drawn.resize(samplers_.size() * kBatch);
    for (std::size_t p = 0; p < samplers_.size(); ++p)
      draw_batch(samplers_[p], request_.seed, ids, 2 * p, std::span(drawn).subspan(p * kBatch, ids.size()));
    std::iota(out.begin(), out.end(), std::uint64_t{0});
  }

  void write(std::uint64_t place, std::span<std::uint64_t> out) const {
    const std::vector<std::uint64_t>& drawn = room();
    for (const BitRun& bits : request_.outcome) {
      const std::uint64_t mask = bits.count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits.count) - 1;
      out[bits.to / 64] |= (drawn[bits.part * kBatch + place] >> bits.from & mask) << (bits.to % 64);
    }
  }

 private:
  /// Basis states of a batch, part after part.
  static std::vector<std::uint64_t>& room() {
    thread_local std::vector<std::uint64_t> drawn;
    return drawn;
  }

  const ProductRequest& request_;
  std::vector<kernels::Sampler<T>> samplers_;
};

template <class T>
class ProductRun {
 public:
  ProductRun(const ProductRequest& request, const std::vector<Scalar>& parameters, const Resources& resources)
      : request_(request), parameters_(parameters), budget_(resources.memory), control_(resources.control) {
    for (const ProductGroup& group : request.groups)
      for (const ProductPart& part : group.parts) all_ += static_cast<double>(part.request.state_bytes());
  }

  CircuitResult run() {
    std::optional<Outcomes> outcomes;
    if (request_.shots != 0) outcomes.emplace(request_.outcome_shape(), budget_);
    base::Buffer distribution = base::Buffer::allocate(request_.distribution_bytes(), budget_, "probabilities");
    CircuitResult result;
    result.expectations = request_.expectations;
    for (std::size_t g = 0; g < request_.groups.size(); ++g) {
      const ProductGroup& group = request_.groups[g];
      const std::vector<State> states = simulate(group);
      add_expectations(group, states, result.expectations);
      if (g != 0) continue;
      if (request_.want_distribution) multiply_probabilities(group, states, distribution.as<double>());
      if (!outcomes) continue;
      const ProductDrawer<T> drawer(request_, states, {budget_, control_});
      outcomes->record(
          0, request_.shots, control_, [](std::uint64_t shot) { return shot; },
          [&](std::span<const std::uint64_t> ids, std::span<std::uint64_t> out) { drawer.draw(ids, out); },
          [&](std::uint64_t place, std::span<std::uint64_t> out) { drawer.write(place, out); });
    }
    if (request_.want_distribution) result.probabilities = owning_tensor(std::move(distribution), DType::f64);
    if (outcomes) outcomes->give(result);
    return result;
  }

  std::vector<State> simulate(const ProductGroup& group) {
    std::vector<State> states;
    for (const ProductPart& part : group.parts) {
      const double share = static_cast<double>(part.request.state_bytes()) / all_;
      RunControl control = control_;
      if (control.progress) {
        control.progress = Progress([this, share](double fraction, std::string_view stage) {
          control_.report(done_ + share * fraction, stage);
        });
      }
      Walk<T> walk(part.circuit, part.request, parameters_, {budget_, control});
      states.push_back(*walk.run().state);
      done_ += share;
    }
    return states;
  }

 private:
  void add_expectations(const ProductGroup& group, const std::vector<State>& states, std::vector<double>& out) const {
    std::vector<std::vector<double>> values;
    for (std::size_t p = 0; p < states.size(); ++p)
      values.push_back(kernels::pauli_expectations<T>(view<T>(states[p]), group.parts[p].strings, control_));
    for (const ProductTerm& term : group.terms) {
      double product = term.coefficient;
      for (const auto& [part, string] : term.factors) product *= values[part][string];
      out[term.observable] += product;
    }
  }

  void multiply_probabilities(const ProductGroup& group, const std::vector<State>& states, std::span<double> out) {
    std::vector<Marginal> marginals;
    std::size_t never = 0;  // places of wires that are in |0>
    for (std::size_t i = 0; i < request_.distribution_wires.size(); ++i) never |= std::size_t{1} << i;
    for (std::size_t p = 0; p < states.size(); ++p) {
      std::vector<int> positions;
      Marginal marginal;
      for (std::uint32_t i = 0; i < request_.distribution_wires.size(); ++i) {
        const std::uint32_t position = group.parts[p].request.code.positions[request_.distribution_wires[i]];
        if (position == kIdle) continue;
        positions.push_back(static_cast<int>(position));
        marginal.places.push_back(i);
        never &= ~(std::size_t{1} << i);
      }
      marginal.table =
          base::Buffer::allocate(sizeof(double) << positions.size(), budget_, "probabilities of a register");
      kernels::add_probabilities<T>(view<T>(states[p]), positions, 1.0, marginal.table.template as<double>(), control_);
      marginals.push_back(std::move(marginal));
    }
    base::parallel_for(0, out.size(), kGrain, [&](std::size_t begin, std::size_t end) {
      control_.check("probabilities");
      for (std::size_t i = begin; i < end; ++i) {
        if ((i & never) != 0) continue;
        double product = 1.0;
        for (const Marginal& marginal : marginals) product *= marginal.at(i);
        out[i] = product;
      }
    });
  }

  const ProductRequest& request_;
  const std::vector<Scalar>& parameters_;
  base::MemoryBudget budget_;
  const RunControl& control_;
  double all_ = 0.0, done_ = 0.0;
};

/// The registers made once and asked for all shots.
template <class T>
class ProductShots final : public ShotSource {
 public:
  ProductShots(const ProductRequest& request, const std::vector<Scalar>& parameters, const Resources& resources)
      : request_(request),
        control_(resources.control),
        states_(ProductRun<T>(request, parameters, resources).simulate(request.groups[0])),
        drawer_(request, states_, resources) {}

  void outcomes(std::uint64_t first, std::span<std::uint64_t> out) override {
    const std::size_t words = request_.outcome_shape().words();
    if (words == 0) return;
    constexpr std::size_t grain = 16 * kBatch;
    base::parallel_for(0, out.size() / words, grain, [&](std::size_t begin, std::size_t end) {
      control_.check("sampling");
      std::array<std::uint64_t, kBatch> ids, places;
      for (std::size_t at = begin; at < end; at += kBatch) {
        const std::size_t count = std::min(kBatch, end - at);
        std::iota(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), first + at);
        drawer_.draw(std::span<const std::uint64_t>(ids).first(count), std::span(places).first(count));
        for (std::size_t i = 0; i < count; ++i) {
          const std::span outcome = out.subspan((at + i) * words, words);
          std::ranges::fill(outcome, 0);
          drawer_.write(places[i], outcome);
        }
      }
    });
  }

 private:
  const ProductRequest& request_;
  const RunControl& control_;
  std::vector<State> states_;
  ProductDrawer<T> drawer_;
};

class ProductProgram final : public Program {
 public:
  ProductProgram(std::unique_ptr<ProductRequest> request, std::vector<Parameter> parameters)
      : request_(std::move(request)), declared_(std::move(parameters)) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    const std::vector<Scalar> values = parameter_scalars(declared_, parameters);
    if (request_->precision == Precision::single_precision)
      return ProductRun<float>(*request_, values, resources).run();
    return ProductRun<double>(*request_, values, resources).run();
  }

  std::unique_ptr<ShotSource> shots(std::span<const double> parameters, const Resources& resources) const override {
    const std::vector<Scalar> values = parameter_scalars(declared_, parameters);
    if (request_->precision == Precision::single_precision)
      return std::make_unique<ProductShots<float>>(*request_, values, resources);
    return std::make_unique<ProductShots<double>>(*request_, values, resources);
  }

 private:
  std::unique_ptr<const ProductRequest> request_;
  std::vector<Parameter> declared_;
};

}  // namespace

std::unique_ptr<Program> make_product_program(std::unique_ptr<ProductRequest> request,
                                              std::vector<Parameter> parameters) {
  return std::make_unique<ProductProgram>(std::move(request), std::move(parameters));
}

}  // namespace skerry::sim
