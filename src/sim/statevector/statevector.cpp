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

class StatevectorProgram final : public Program {
 public:
  StatevectorProgram(Circuit circuit, Request request) : circuit_(std::move(circuit)), request_(std::move(request)) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    std::vector<Scalar> values = parameter_scalars(circuit_.parameters(), parameters);
    if (request_.precision == Precision::single_precision)
      return Walk<float>(circuit_, request_, std::move(values), resources).run();
    return Walk<double>(circuit_, request_, std::move(values), resources).run();
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

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options) {
  check_questions(options, circuit.num_wires());
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
};

}  // namespace skerry::sim
