// Checkpoints of every method whose parts were damaged: each is refused by a typed error, or what goes on from it ends.
// The first byte is the method; then come steps of four bytes: which part, where in it, and how it is changed.
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <skerry/checkpoint.hpp>
#include <skerry/error.hpp>
#include <span>
#include <string>

#include "sim/method.hpp"

namespace {

using namespace skerry;  // NOLINT(google-build-using-namespace): a program of one file

constexpr std::array<std::string_view, 5> kMethods = {"statevector", "stabilizer", "mps", "density", "trajectories"};

Circuit circuit_of(std::string_view method) {
  Circuit circuit(3, 3);
  for (int i = 0; i < 400; ++i) {
    const auto wire = static_cast<Wire>(i % 3);
    circuit.h(wire).cx(wire, (wire + 1) % 3).s(wire);
    if (method != "stabilizer") circuit.rxx(0.3, wire, (wire + 1) % 3);
    const std::array on = {wire};
    if (i < 6 && (method == "density" || method == "trajectories")) circuit.channel(Channel::bit_flip(0.1), on);
    if (method == "trajectories" && i > 10) break;
  }
  for (Wire wire = 0; wire < 3; ++wire) circuit.measure(wire, wire);
  return circuit;
}

RunOptions options_of() {
  RunOptions options;
  options.shots = 100;
  options.seed = 3;
  options.want_probabilities = true;
  return options;
}

void run(std::string_view method, const Circuit& circuit, const RunOptions& options) {
  base::MemoryBudget budget;
  sim::find_method(method).prepare(circuit, options)->run({}, {budget, {}});
}

const Interrupted& honest(std::string_view method) {
  static std::map<std::string_view, Interrupted> all;
  if (const auto found = all.find(method); found != all.end()) return found->second;
  RunOptions options = options_of();
  options.limits.leave = [](const Standing&) { return true; };
  try {
    run(method, circuit_of(method), options);
  } catch (const Interrupted& left) {
    return all.emplace(method, left).first->second;
  }
  __builtin_trap();
}

void change(Checkpoint& checkpoint, std::span<const std::uint8_t> step) {
  if (step[0] % 16 == 15) checkpoint.gates += step[1];
  if (step[0] % 16 == 14) checkpoint.shots ^= step[1];
  Tensor& part = checkpoint.parts[step[0] % 16 % checkpoint.parts.size()];
  const auto elements = part.shape().elements();
  const bool grows = step[3] == 1, shrinks = step[3] == 2 && elements > 0;
  Tensor changed(part.dtype(), {elements + std::int64_t{grows} - std::int64_t{shrinks}});
  const auto bytes = std::min(part.view().bytes(), changed.view().bytes());
  if (bytes != 0) std::memcpy(changed.mutable_view().data(), part.view().data(), bytes);
  if (bytes != 0 && !grows && !shrinks)
    changed.mutable_view().data()[(step[1] + 256U * step[2]) % bytes] ^= std::byte{step[3]};
  part = changed;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMostSteps = 64;
  if (size == 0) return 0;
  const std::string_view method = kMethods[data[0] % kMethods.size()];
  const Interrupted& left = honest(method);
  auto checkpoint = std::make_shared<Checkpoint>(left.checkpoint());
  const std::span<const std::uint8_t> steps(data + 1, std::min(size - 1, 4 * kMostSteps));
  for (std::size_t at = 0; at + 4 <= steps.size(); at += 4) change(*checkpoint, steps.subspan(at, 4));
  RunOptions options = options_of();
  options.resume = checkpoint;
  try {
    run(method, left.circuit(), options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_argument || steps.size() < 4) __builtin_trap();
  }
  return 0;
}
