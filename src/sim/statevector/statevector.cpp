#include <skerry/error.hpp>
#include <string>

#include "sim/method.hpp"
#include "sim/statevector/price.hpp"
#include "sim/statevector/walk.hpp"

namespace skerry::sim {
namespace {

class StatevectorProgram final : public Program {
 public:
  StatevectorProgram(Circuit circuit, Request request) : circuit_(std::move(circuit)), request_(std::move(request)) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    std::vector<Scalar> values = scalars(parameters);
    if (request_.precision == Precision::single_precision)
      return Walk<float>(circuit_, request_, std::move(values), resources).run();
    return Walk<double>(circuit_, request_, std::move(values), resources).run();
  }

 private:
  std::vector<Scalar> scalars(std::span<const double> parameters) const {
    const auto& declared = circuit_.parameters();
    if (parameters.size() != declared.size()) {
      throw Error(ErrorCode::invalid_argument,
                  std::to_string(parameters.size()) + " parameters were given to a circuit of " +
                      std::to_string(declared.size()),
                  {}, "give one number per parameter, in order of declaration");
    }
    std::vector<Scalar> values;
    for (std::size_t i = 0; i < parameters.size(); ++i)
      values.push_back(Scalar::of(parameters[i]).cast(declared[i].type));
    return values;
  }

  Circuit circuit_;
  Request request_;
};

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options) {
  auto request = make_request(circuit, options);
  if (!request) return Unexpected{request.error()};
  return Estimate{request->peak_bytes(), price(*request)};
}

std::unique_ptr<Program> prepare(const Circuit& circuit, const RunOptions& options) {
  auto request = make_request(circuit, options);
  if (!request) throw Error(ErrorCode::unsupported, request.error(), "statevector");
  return std::make_unique<StatevectorProgram>(circuit, std::move(request).value());
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
