#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>
#include <skerry/error.hpp>
#include <skerry/generator.hpp>
#include <skerry/photonic.hpp>
#include <thread>

#include "base/threads.hpp"
#include "sim/fock/fold.hpp"

namespace {
std::atomic<std::uint64_t> g_allocations{0};
}  // namespace

// Every allocation of this program is counted, so that a test may say that there was none.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++g_allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  ++g_allocations;
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

namespace skerry::photonic {
namespace {

TEST(FockSimulator, NothingIsAllocatedAfterTheFirstCalls) {
  Circuit net(2, 28);
  net.layer(0).layer(14);
  for (const Precision precision : {Precision::single_precision, Precision::double_precision}) {
    FockSimulator simulator(net, std::vector<std::uint32_t>{8, 8}, precision);
    std::vector<double> weights(28, 0.1), x(128), re(128, 0.2), im(128, -0.1), ones(128, 1.0), by_weights(28),
        by_re(128), by_im(128);
    FockOutputs out;
    out.x = x;
    FockCotangents given;
    given.x = ones;
    const FockGradients gradients{by_weights, by_re, by_im, {}};
    const auto step = [&](double shift) {
      weights[3] = 0.1 + shift;
      simulator.set_weights(weights);
      simulator.forward(64, {re, im, {}}, out);
      simulator.gradient(64, {re, im, {}}, out, given, gradients);
      simulator.record(64, {re, im, {}}, out);
      simulator.backward(64, given, gradients);
    };
    const base::ThreadLimit one_thread(1);
    for (int i = 0; i < 3; ++i) step(0.01 * i);
    const std::uint64_t before = g_allocations;
    for (int i = 0; i < 10; ++i) step(0.005 * i);
    EXPECT_EQ(g_allocations - before, 0U);
  }
}

TEST(FockSimulator, TwoModeSqueezedVacuumHasTheClosedFormPhotonNumbers) {
  Circuit circuit(2);
  circuit.two_mode_squeezing(0.4, 1.1, 1, 0);
  FockSimulator simulator(circuit, std::vector<std::uint32_t>{24, 24});
  std::vector<double> n(2), n2(2), norm(1);
  FockOutputs out;
  out.n = n;
  out.n2 = n2;
  out.norm = norm;
  simulator.forward(1, {}, out);
  const double mean = std::pow(std::sinh(0.4), 2);
  for (const std::size_t mode : {0U, 1U}) {
    EXPECT_NEAR(n[mode], mean, 1e-12);
    EXPECT_NEAR(n2[mode], 2 * mean * mean + mean, 1e-12);
  }
  EXPECT_NEAR(norm[0], 1, 1e-14);
}

TEST(FockSimulator, DisplacementAddsItsAlphaToACoherentState) {
  Circuit circuit(1);
  circuit.displacement(0.5, 0.7, 0).rotation(-0.2, 0);
  FockSimulator simulator(circuit, std::vector<std::uint32_t>{30});
  std::vector<double> x(1), p(1);
  FockOutputs out;
  out.x = x;
  out.p = p;
  const double re = 0.3, im = -0.8;
  simulator.forward(1, {std::span(&re, 1), std::span(&im, 1), {}}, out);
  const std::complex<double> alpha = (std::complex(re, im) + std::polar(0.5, 0.7)) * std::polar(1.0, -0.2);
  EXPECT_NEAR(x[0], 2 * alpha.real(), 1e-12);
  EXPECT_NEAR(p[0], 2 * alpha.imag(), 1e-12);
}

TEST(Fold, ALayerOfTwoModesCostsOnePassPerBeamSplitterSqueezerAndDisplacer) {
  Circuit circuit(2, 28);
  circuit.layer(0).layer(14);
  const sim::fock::Folded folded = sim::fock::fold(circuit);
  // Twice two beam splitters, two squeezers, two displacers.
  ASSERT_EQ(folded.steps.size(), 12U);
  // Phases gather before and after each beam splitter, those of both displacers before and after the pair of them.
  std::vector<std::size_t> places;
  for (std::size_t place = 0; place < folded.phases.size(); ++place)
    if (!folded.phases[place].empty()) places.push_back(place);
  EXPECT_EQ(places, (std::vector<std::size_t>{0, 1, 3, 4, 6, 7, 9, 10, 12}));
}

TEST(FockSimulator, AnEmptyCircuitAndAnEmptyBatchWork) {
  FockSimulator simulator(Circuit(1), std::vector<std::uint32_t>{1});
  simulator.forward(0, {}, {});
  std::vector<double> norm(3);
  FockOutputs out;
  out.norm = norm;
  simulator.forward(3, {}, out);
  EXPECT_EQ(norm, std::vector<double>(3, 1.0));
}

// For the thread sanitizer: engines share the pool of threads and nothing else.
TEST(Generator, EightCallersWithAnEngineEachGetTheSameBits) {
  constexpr std::size_t kBatch = 40;
  std::vector<double> z(kBatch * 4), parameters, expected(kBatch * 2);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = 0.4 * std::sin(static_cast<double>(3 * i));
  Generator first({});
  for (std::size_t i = 0; i < first.parameters().size(); ++i)
    parameters.push_back(0.1 * std::cos(static_cast<double>(5 * i)));
  first.set_parameters(parameters);
  first.generate(kBatch, z, expected, Strategy::sequential);
  std::vector<double> by_parameters(parameters.size()), x(expected.size());
  first.gradient(kBatch, z, expected, x, by_parameters, {}, Strategy::sequential);
  EXPECT_EQ(x, expected);

  std::atomic<int> wrong{0};
  const auto call = [&] {
    Generator engine({});
    engine.set_parameters(parameters);
    std::vector<double> samples(expected.size()), slopes(parameters.size());
    for (int i = 0; i < 10; ++i) {
      engine.generate(kBatch, z, samples, Strategy::threading, 2);
      if (samples != expected) ++wrong;
      engine.gradient(kBatch, z, expected, samples, slopes, {}, Strategy::threading, 2);
      if (samples != expected || slopes != by_parameters) ++wrong;
    }
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) callers.emplace_back(call);
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(FockSimulator, RefusesAKetThatIsTooLarge) {
  const Circuit circuit(6);
  try {
    const FockSimulator refused(circuit, std::vector<std::uint32_t>(6, 256));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit_exceeded);
  }
}

}  // namespace
}  // namespace skerry::photonic
