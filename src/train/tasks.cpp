#include "train/tasks.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <skerry/training.hpp>

namespace skerry::train {
namespace {

/// Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
std::uint64_t splitmix(std::uint64_t seed, std::uint64_t counter) {
  std::uint64_t z = seed + counter * 0x9E3779B97F4A7C15U;
  z = (z ^ z >> 30U) * 0xBF58476D1CE4E5B9U;
  z = (z ^ z >> 27U) * 0x94D049BB133111EBU;
  return z ^ z >> 31U;
}

}  // namespace

Task find_task(std::string_view name) {
  Task task;
  if (name == "ring") {
    task.sigma = 0.1;
    for (int j = 0; j < 8; ++j)
      task.centres.push_back({std::cos(j * std::numbers::pi / 4), std::sin(j * std::numbers::pi / 4)});
  } else if (name == "two_blob") {
    task.sigma = 0.15;
    task.centres = {{0.8, 0.4}, {-0.8, -0.4}};
  } else if (name == "four_blob") {
    task.sigma = 0.15;
    task.centres = {{0.8, 0.8}, {0.8, -0.8}, {-0.8, 0.8}, {-0.8, -0.8}};
  } else {
    throw Error(ErrorCode::invalid_argument, "no task is called '" + std::string(name) + "'", "training",
                "take ring, two_blob or four_blob");
  }
  return task;
}

std::vector<double> uniform_numbers(std::uint64_t seed, std::size_t count) {
  std::vector<double> numbers(count);
  for (std::size_t i = 0; i < count; ++i)
    numbers[i] = (static_cast<double>(splitmix(seed, i + 1) >> 11U) + 0.5) * 0x1p-53;
  return numbers;
}

std::vector<double> normal_numbers(std::uint64_t seed, std::size_t count) {
  std::vector<double> numbers = uniform_numbers(seed, (count + 1) / 2 * 2);
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    const double radius = std::sqrt(-2 * std::log(numbers[i])), angle = 2 * std::numbers::pi * numbers[i + 1];
    numbers[i] = radius * std::cos(angle);
    numbers[i + 1] = radius * std::sin(angle);
  }
  numbers.resize(count);
  return numbers;
}

std::vector<double> draw_task(std::string_view task, std::uint64_t seed, std::size_t count) {
  const Task drawn = find_task(task);
  const std::vector<double> choice = uniform_numbers(2 * seed + 1000003, count);
  std::vector<double> points = normal_numbers(2 * seed + 1000004, 2 * count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto j = static_cast<std::size_t>(choice[i] * static_cast<double>(drawn.centres.size()));
    for (std::size_t axis = 0; axis < 2; ++axis)
      points[2 * i + axis] = drawn.centres[j][axis] + drawn.sigma * points[2 * i + axis];
  }
  return points;
}

namespace {

void same_size(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size() || a.size() < 4 || a.size() % 2 != 0)
    throw Error(ErrorCode::invalid_argument,
                "sets of " + std::to_string(a.size()) + " and " + std::to_string(b.size()) + " numbers",
                "training metrics", "compare equally many points of two numbers, two at least");
}

}  // namespace

double sliced_wasserstein(const std::vector<double>& a, const std::vector<double>& b) {
  same_size(a, b);
  const std::size_t count = a.size() / 2;
  std::vector<double> along_a(count), along_b(count);
  double total = 0;
  for (int j = 0; j < 64; ++j) {
    const double angle = (j + 0.5) * std::numbers::pi / 64, c = std::cos(angle), s = std::sin(angle);
    for (std::size_t i = 0; i < count; ++i) {
      along_a[i] = c * a[2 * i] + s * a[2 * i + 1];
      along_b[i] = c * b[2 * i] + s * b[2 * i + 1];
    }
    std::sort(along_a.begin(), along_a.end());
    std::sort(along_b.begin(), along_b.end());
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += std::abs(along_a[i] - along_b[i]);
    total += sum / static_cast<double>(count);
  }
  return total / 64;
}

double squared_mmd(const std::vector<double>& a, const std::vector<double>& b) {
  same_size(a, b);
  const std::size_t count = a.size() / 2;
  const auto kernel = [](const double* x, const double* y) {
    const double dx = x[0] - y[0], dy = x[1] - y[1], square = dx * dx + dy * dy;
    double sum = 0;
    for (const double width : {0.1, 0.25, 0.5, 1.0}) sum += std::exp(-square / (2 * width * width));
    return sum / 4;
  };
  double within = 0, across = 0;
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < count; ++j) {
      if (i != j) within += kernel(&a[2 * i], &a[2 * j]) + kernel(&b[2 * i], &b[2 * j]);
      across += kernel(&a[2 * i], &b[2 * j]);
    }
  const auto n = static_cast<double>(count);
  return within / (n * (n - 1)) - 2 * across / (n * n);
}

}  // namespace skerry::train
