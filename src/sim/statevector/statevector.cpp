#include <algorithm>
#include <memory>
#include <skerry/error.hpp>
#include <string>

#include "sim/method.hpp"
#include "sim/state/questions.hpp"
#include "sim/statevector/price.hpp"
#include "sim/statevector/product.hpp"
#include "sim/statevector/walk.hpp"

namespace skerry::sim {
namespace {

/// The state is made once and asked for all shots.
template <class T>
class EvolvedShots final : public ShotSource {
 public:
  EvolvedShots(const Circuit& circuit, const Request& request, std::vector<Scalar> values, const Resources& resources)
      : walk_(circuit, request, std::move(values), resources) {
    walk_.evolve();
  }
  EvolvedShots(const EvolvedShots&) = delete;
  EvolvedShots& operator=(const EvolvedShots&) = delete;
  ~EvolvedShots() override { walk_.forget(); }
  void outcomes(std::uint64_t first, std::span<std::uint64_t> out) override { walk_.drawn(first, out); }

 private:
  Walk<T> walk_;
};

/// A circuit that branches is run again for each stretch of shots, which share their way as those of a run do.
template <class T>
class RepeatedShots final : public ShotSource {
 public:
  RepeatedShots(const Circuit& circuit, Request request, std::vector<Scalar> values, const Resources& resources)
      : circuit_(circuit), request_(std::move(request)), values_(std::move(values)), resources_(resources) {
    request_.want_memory = true;
  }
  void outcomes(std::uint64_t first, std::span<std::uint64_t> out) override {
    const std::size_t words = request_.outcome_shape().words();
    if (words == 0) return;
    request_.first_shot = first;
    request_.shots = out.size() / words;
    std::ranges::copy(Walk<T>(circuit_, request_, values_, resources_).run().memory, out.begin());
  }

 private:
  const Circuit& circuit_;
  Request request_;
  std::vector<Scalar> values_;
  Resources resources_;
};

class StatevectorProgram final : public Program {
 public:
  StatevectorProgram(Circuit circuit, Request request) : circuit_(std::move(circuit)), request_(std::move(request)) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    std::vector<Scalar> values = parameter_scalars(circuit_.parameters(), parameters);
    if (request_.precision == Precision::single_precision)
      return Walk<float>(circuit_, request_, std::move(values), resources).run();
    return Walk<double>(circuit_, request_, std::move(values), resources).run();
  }

  std::unique_ptr<ShotSource> shots(std::span<const double> parameters, const Resources& resources) const override {
    std::vector<Scalar> values = parameter_scalars(circuit_.parameters(), parameters);
    const bool is_single = request_.precision == Precision::single_precision;
    if (request_.code.is_dynamic) {
      if (is_single) return std::make_unique<RepeatedShots<float>>(circuit_, request_, std::move(values), resources);
      return std::make_unique<RepeatedShots<double>>(circuit_, request_, std::move(values), resources);
    }
    if (is_single) return std::make_unique<EvolvedShots<float>>(circuit_, request_, std::move(values), resources);
    return std::make_unique<EvolvedShots<double>>(circuit_, request_, std::move(values), resources);
  }

 private:
  Circuit circuit_;
  Request request_;
};

/// The circuit as it stands. owner: keeps it until it has been prepared, if nobody else does.
Expected<Estimate> whole(const Circuit& circuit, std::shared_ptr<const Circuit> owner, const RunOptions& options) {
  auto request = make_request(circuit, options);
  if (!request) return Unexpected{request.error()};
  Estimate estimate{request->peak_bytes(), price(*request)};
  // shared: a std::function is copied, and what it holds is handed over once.
  auto held = std::make_shared<Request>(std::move(request).value());
  estimate.prepare = [held, owner = std::move(owner), &circuit] {
    return std::make_unique<StatevectorProgram>(circuit, std::move(*held));
  };
  return estimate;
}

/// Single amplitudes, read from the state.
class AmplitudesProgram final : public Program {
 public:
  AmplitudesProgram(std::unique_ptr<Program> inner, const RunOptions& options)
      : inner_(std::move(inner)), bits_(options.amplitudes), want_state_(options.want_state) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    CircuitResult result = inner_->run(parameters, resources);
    for (const std::string& bits : bits_) {
      std::uint64_t basis = 0;
      for (const char letter : bits) basis = 2 * basis + (letter == '1' ? 1 : 0);
      result.amplitudes.push_back(result.state->amplitude(basis));
    }
    if (!want_state_) result.state.reset();
    return result;
  }

 private:
  std::unique_ptr<Program> inner_;
  std::vector<std::string> bits_;
  bool want_state_;
};

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options);

Expected<Estimate> estimate_amplitudes(const Circuit& circuit, const RunOptions& options) {
  RunOptions all = options;
  all.amplitudes.clear();
  all.want_state = true;
  if (flatten(circuit, false).is_dynamic) return Unexpected{"a circuit that measures midway has no one state"};
  auto whole = estimate(circuit, all);
  if (!whole) return whole;
  Estimate out = std::move(whole).value();
  out.prepare = [inner = std::move(out.prepare), options] {
    return std::make_unique<AmplitudesProgram>(inner(), options);
  };
  return out;
}

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options) {
  check_questions(options, circuit.num_wires());
  if (!options.amplitudes.empty()) return estimate_amplitudes(circuit, options);
  std::optional<Split> parts = split(circuit, options);
  if (!parts) return whole(circuit, nullptr, options);
  if (parts->pruned) {
    auto pruned = std::make_shared<const Circuit>(*std::move(parts->pruned));  // shared: see owner above
    return whole(*pruned, pruned, options);
  }
  Estimate estimate{parts->product->peak_bytes(), parts->product->price()};
  auto held = std::make_shared<std::unique_ptr<ProductRequest>>(std::move(parts->product));  // shared: as above
  estimate.prepare = [held, &circuit] { return make_product_program(std::move(*held), circuit.parameters()); };
  return estimate;
}

std::unique_ptr<Program> prepare(const Circuit& circuit, const RunOptions& options) {
  const auto estimated = estimate(circuit, options);
  if (!estimated) throw Error(ErrorCode::unsupported, estimated.error(), "statevector");
  return estimated->prepare();
}

}  // namespace

extern const Method statevector_method;
const Method statevector_method = {
    .name = "statevector",
    .help = "all 2^n amplitudes; exact for any circuit, as long as they fit",
    .estimate = estimate,
    .prepare = prepare,
    .gives_amplitudes = true,
};

}  // namespace skerry::sim
