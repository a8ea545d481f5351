#include "train/gan.hpp"

#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>
#include <utility>

namespace skerry::train {
namespace {

std::uint64_t stream(const GanOptions& options, std::uint64_t offset) {
  return 7919 * options.seed + offset;
}

}  // namespace

GanTrainer::State::State(const GanOptions& chosen)
    : options(chosen),
      task(find_task(chosen.task)),
      generator(chosen.generator),
      discriminator({2, 32, 32, 1}, chosen.batch) {
  if (options.generator.modes != 2)
    throw Error(ErrorCode::invalid_argument,
                std::to_string(options.generator.modes) + " modes for points of two numbers", "training",
                "take 2 modes");
  if (options.batch == 0 || options.batch > 1U << 20U)
    throw Error(ErrorCode::invalid_argument, "a batch of " + std::to_string(options.batch), "training",
                "take 1 to " + std::to_string(1U << 20U));
  if (!(options.rate > 0) || !std::isfinite(options.rate))
    throw Error(ErrorCode::invalid_argument, "a rate of " + std::to_string(options.rate), "training",
                "take a positive number");
  parameters = normal_numbers(stream(options, 1), generator.parameters().size());
  for (double& value : parameters) value *= 0.1;
  for (std::size_t layer = 0; layer < discriminator.layers(); ++layer) {
    const std::span<double> weight = discriminator.weight(layer);
    const std::vector<double> numbers = normal_numbers(stream(options, 10 + 2 * layer), weight.size());
    const double scale = std::sqrt(2.0 / static_cast<double>(discriminator.fan_in(layer)));
    const std::size_t in = discriminator.fan_in(layer), out = weight.size() / in;  // the numbers come as [in][out]
    for (std::size_t i = 0; i < in; ++i)
      for (std::size_t o = 0; o < out; ++o) weight[o * in + i] = scale * numbers[i * out + o];
  }
  for (const auto& [adam, count] : {std::pair(&generator_adam, parameters.size()),
                                    std::pair(&discriminator_adam, discriminator.parameters().size())}) {
    adam->rate = options.rate;
    adam->start(count);
  }
  points.resize(std::size_t{2} * options.batch);
  by_points.resize(points.size());
  by_generator.resize(parameters.size());
  by_latents.resize(std::size_t{options.batch} * options.generator.latent);
  by_discriminator.resize(discriminator.parameters().size());
}

GanTrainer::GanTrainer(const GanOptions& options) : state_(std::make_unique<State>(options)) {}
GanTrainer::GanTrainer(GanTrainer&&) noexcept = default;
GanTrainer& GanTrainer::operator=(GanTrainer&&) noexcept = default;
GanTrainer::~GanTrainer() = default;

std::uint64_t GanTrainer::steps() const noexcept {
  return state_->step;
}
const GanOptions& GanTrainer::options() const noexcept {
  return state_->options;
}
GanLosses GanTrainer::step() {
  State& s = *state_;
  const std::size_t batch = s.options.batch, latents = batch * s.options.generator.latent;
  GanLosses losses;
  s.generator.set_parameters(s.parameters);

  // The discriminator: real points should score above 0, generated ones below.
  const std::vector<double> real = draw_task(s.options.task, stream(s.options, 500000 + s.step), batch);
  const std::vector<double> first = normal_numbers(stream(s.options, 100000 + 2 * (2 * s.step)), latents);
  losses.leak = s.generator.generate(batch, first, s.points);
  std::fill(s.by_discriminator.begin(), s.by_discriminator.end(), 0.0);
  losses.discriminator = s.discriminator.by_parameters(-1, real, s.by_discriminator);
  losses.discriminator += s.discriminator.by_parameters(1, s.points, s.by_discriminator);
  s.discriminator_adam.update<double>(s.step, s.by_discriminator, s.discriminator.parameters());

  // The generator: its points should score above 0 with the discriminator as it is now.
  const std::vector<double> second = normal_numbers(stream(s.options, 100000 + 2 * (2 * s.step + 1)), latents);
  losses.leak = std::max(losses.leak, s.generator.record(batch, second, s.points));
  losses.generator = s.discriminator.by_points(-1, s.points, s.by_points);
  s.generator.backward(batch, second, s.by_points, s.by_generator, s.by_latents);
  s.generator_adam.update<double>(s.step, s.by_generator, s.parameters);
  for (const double value : s.parameters)
    if (!std::isfinite(value))
      throw Error(ErrorCode::semantic_error, "training diverged at step " + std::to_string(s.step), "training",
                  "take a smaller rate");
  ++s.step;
  return losses;
}

std::vector<double> GanTrainer::sample(std::size_t count, std::uint64_t seed) {
  State& s = *state_;
  s.generator.set_parameters(s.parameters);
  std::vector<double> points(2 * count);
  s.generator.generate(count, normal_numbers(seed, count * s.options.generator.latent), points);
  return points;
}

GanMetrics GanTrainer::metrics() {
  constexpr std::size_t kPoints = 1024;
  const std::vector<double> fake = sample(kPoints, 424242), real = draw_task(state_->options.task, 991, kPoints);
  GanMetrics metrics;
  metrics.sliced_w1 = sliced_wasserstein(fake, real);
  metrics.mmd2 = squared_mmd(fake, real);
  const Task& task = state_->task;
  metrics.modes = static_cast<std::uint32_t>(task.centres.size());
  for (const auto& centre : task.centres) {
    std::size_t near = 0;
    for (std::size_t i = 0; i < kPoints; ++i)
      if (std::hypot(fake[2 * i] - centre[0], fake[2 * i + 1] - centre[1]) <= 3 * task.sigma) ++near;
    if (static_cast<double>(near) > 0.2 / metrics.modes * kPoints) ++metrics.modes_hit;
  }
  return metrics;
}

}  // namespace skerry::train
