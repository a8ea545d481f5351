/// \file
/// The whole of a GAN's training state, as checkpoints keep it.
#pragma once

#include <skerry/training.hpp>
#include <span>
#include <vector>

#include "train/adam.hpp"
#include "train/discriminator.hpp"
#include "train/tasks.hpp"

namespace skerry::train {

struct GanTrainer::State {
  explicit State(const GanOptions& chosen);
  GanOptions options;
  Task task;
  photonic::Generator generator;
  std::vector<double> parameters;  // of the generator
  Discriminator discriminator;
  Adam generator_adam, discriminator_adam;
  std::uint64_t step = 0;
  std::vector<double> points, by_points, by_generator, by_latents, by_discriminator;
};

}  // namespace skerry::train
