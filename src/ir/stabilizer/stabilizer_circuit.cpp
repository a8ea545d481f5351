#include <algorithm>
#include <numeric>
#include <skerry/error.hpp>
#include <skerry/stabilizer_circuit.hpp>
#include <string>

namespace skerry {
namespace {

/// Weights may sum to this much more than 1 by rounding: fifteen numbers of a text.
constexpr double kRounding = 1e-9;

void check_channel(const PauliChannel& channel) {
  for (std::uint32_t i = 0; i < channel.size; ++i) {
    if (channel.weights[i] >= 0.0 && channel.weights[i] <= 1.0) continue;
    throw Error(ErrorCode::invalid_argument, "a probability is " + std::to_string(channel.weights[i]), {},
                "probabilities lie in [0, 1]");
  }
  if (channel.total() > 1.0 + kRounding) {
    throw Error(ErrorCode::invalid_argument,
                "the probabilities of a channel sum to " + std::to_string(channel.total()) + ", more than 1");
  }
}

}  // namespace

double PauliChannel::total() const noexcept {
  return std::accumulate(weights.begin(), weights.begin() + size, 0.0);
}

std::span<const std::uint32_t> StabilizerCircuit::detector(std::uint32_t i) const noexcept {
  const std::uint32_t begin = i == 0 ? 0 : detector_end_[i - 1];
  return std::span(detector_records_).subspan(begin, detector_end_[i] - begin);
}

void StabilizerCircuit::append(const StabilizerStep& step) {
  steps_.push_back(step);
}

void StabilizerCircuit::touch(std::uint32_t qubit) {
  num_qubits_ = std::max(num_qubits_, qubit + 1);
}

void StabilizerCircuit::check_records(std::span<const std::uint32_t> records) const {
  for (const std::uint32_t record : records) {
    if (record < num_measurements_) continue;
    throw Error(ErrorCode::out_of_range, "record " + std::to_string(record) + " of " +
                                             std::to_string(num_measurements_) + " measurements so far");
  }
}

void StabilizerCircuit::gate(StabilizerOp op, std::uint32_t a, std::uint32_t b) {
  const bool is_pair = op == StabilizerOp::cx || op == StabilizerOp::cz || op == StabilizerOp::swap;
  if (is_pair && a == b) throw Error(ErrorCode::invalid_argument, "a gate acts twice on qubit " + std::to_string(a));
  touch(a);
  if (is_pair) touch(b);
  append({op, a, is_pair ? b : 0, 0});
}

std::uint32_t StabilizerCircuit::measure(std::uint32_t qubit) {
  touch(qubit);
  append({StabilizerOp::measure, qubit, num_measurements_, 0});
  return num_measurements_++;
}

void StabilizerCircuit::reset(std::uint32_t qubit) {
  touch(qubit);
  append({StabilizerOp::reset, qubit, 0, 0});
}

void StabilizerCircuit::feedback(StabilizerOp op, std::uint32_t qubit, std::uint32_t record) {
  check_records({&record, 1});
  touch(qubit);
  append({op, qubit, record, 0});
}

void StabilizerCircuit::invert(std::uint32_t record) {
  check_records({&record, 1});
  append({StabilizerOp::invert_record, 0, record, 0});
}

void StabilizerCircuit::noise(StabilizerOp op, std::uint32_t a, std::uint32_t b, const PauliChannel& channel) {
  check_channel(channel);
  if (op == StabilizerOp::noise_record) {
    check_records({&b, 1});
  } else {
    gate(op == StabilizerOp::noise2 ? StabilizerOp::cz : StabilizerOp::x, a, b);  // the same rules for wires
    steps_.pop_back();
  }
  // Circuits have few different channels, and the last ones come again.
  const auto known = std::find(channels_.rbegin(), channels_.rend(), channel);
  auto id = static_cast<std::uint32_t>(channels_.rend() - known);
  if (known == channels_.rend()) {
    channels_.push_back(channel);
    id = static_cast<std::uint32_t>(channels_.size());
  }
  append({op, a, op == StabilizerOp::noise1 ? 0 : b, id - 1});
}

std::uint32_t StabilizerCircuit::add_detector(std::span<const std::uint32_t> records) {
  check_records(records);
  detector_records_.insert(detector_records_.end(), records.begin(), records.end());
  detector_end_.push_back(static_cast<std::uint32_t>(detector_records_.size()));
  return num_detectors() - 1;
}

void StabilizerCircuit::add_to_observable(std::uint32_t observable, std::span<const std::uint32_t> records) {
  check_records(records);
  if (observable >= observables_.size()) observables_.resize(std::size_t{observable} + 1);
  observables_[observable].insert(observables_[observable].end(), records.begin(), records.end());
}

}  // namespace skerry
