// A checkpoint is text: a header, then named lists of numbers in hexadecimal floating point, which is exact.

#include <charconv>
#include <cmath>
#include <cstdio>
#include <skerry/error.hpp>

#include "base/file.hpp"
#include "train/gan.hpp"

namespace skerry::train {
namespace {

constexpr std::string_view kMagic = "skerry-qgan";
constexpr int kVersion = 1;
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30U;

class Writer {
 public:
  template <class Number>
  void list(std::string_view name, std::span<const Number> numbers) {
    text += std::string(name) + " " + std::to_string(numbers.size());
    char buffer[40];
    for (const Number number : numbers) {
      if constexpr (std::is_floating_point_v<Number>) {
        std::snprintf(buffer, sizeof buffer, " %a", number);
      } else {
        std::snprintf(buffer, sizeof buffer, " %llu", static_cast<unsigned long long>(number));
      }
      text += buffer;
    }
    text += '\n';
  }
  std::string text;
};

/// Words separated by blanks.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::string_view word() {
    const std::size_t begin = rest_.find_first_not_of(" \n");
    if (begin == std::string_view::npos) fail("ends too early");
    const std::size_t end = std::min(rest_.find_first_of(" \n", begin), rest_.size());
    const std::string_view result = rest_.substr(begin, end - begin);
    rest_.remove_prefix(end);
    return result;
  }

  template <class Number>
  Number number() {
    const std::string text(word());
    char* end = nullptr;
    Number value{};
    if constexpr (std::is_floating_point_v<Number>) {
      value = std::strtod(text.c_str(), &end);
      if (!std::isfinite(value)) fail("has a number that is not finite");
    } else {
      value = std::strtoull(text.c_str(), &end, 10);
    }
    if (end != text.c_str() + text.size()) fail("has '" + text + "' where a number belongs");
    return value;
  }

  template <class Number>
  void list(std::string_view name, std::span<Number> into) {
    if (const std::string_view found = word(); found != name)
      fail("has '" + std::string(found) + "' where " + std::string(name) + " belongs");
    if (const auto count = number<std::uint64_t>(); count != into.size())
      fail("has " + std::to_string(count) + " numbers of " + std::string(name) + ", not " +
           std::to_string(into.size()));
    for (Number& value : into) value = number<Number>();
  }

  [[noreturn]] static void fail(const std::string& what) {
    throw Error(ErrorCode::corrupt, "the checkpoint " + what, "checkpoint", "write it again with skerry train");
  }

 private:
  std::string_view rest_;
};

template <class T>
std::span<const T> view(const std::vector<T>& values) {
  return values;
}

}  // namespace

void GanTrainer::save(const std::filesystem::path& path) const {
  const State& s = *state_;
  const photonic::GeneratorOptions& g = s.options.generator;
  Writer writer;
  writer.text = std::string(kMagic) + " " + std::to_string(kVersion) + "\n" + "task " + s.options.task + "\n";
  const std::uint64_t counts[] = {s.options.seed,
                                  s.options.batch,
                                  s.step,
                                  g.modes,
                                  g.latent,
                                  g.layers,
                                  g.cutoff,
                                  g.hidden,
                                  static_cast<std::uint64_t>(g.encoding),
                                  static_cast<std::uint64_t>(g.precision)};
  const double sizes[] = {s.options.rate, g.scale, g.amplitude};
  writer.list("counts", std::span<const std::uint64_t>(counts));
  writer.list("sizes", std::span<const double>(sizes));
  writer.list("generator", view(s.parameters));
  writer.list("generator-first", view(s.generator_adam.first));
  writer.list("generator-second", view(s.generator_adam.second));
  writer.list("discriminator", s.discriminator.parameters());
  writer.list("discriminator-first", view(s.discriminator_adam.first));
  writer.list("discriminator-second", view(s.discriminator_adam.second));
  const std::span<const std::byte> part = std::as_bytes(std::span(writer.text));
  base::write_file_atomically(path, std::span(&part, 1));
}

GanTrainer GanTrainer::load(const std::filesystem::path& path) {
  const std::string text = base::read_file(path, kMaxBytes);
  Reader reader(text);
  if (reader.word() != kMagic) Reader::fail("is none: it does not begin with " + std::string(kMagic));
  if (const auto version = reader.number<std::uint64_t>(); version > kVersion)
    throw Error(ErrorCode::version_too_new, "a checkpoint of version " + std::to_string(version), "checkpoint",
                "this program reads up to " + std::to_string(kVersion));
  GanOptions options;
  if (reader.word() != "task") Reader::fail("names no task");
  options.task = reader.word();
  std::uint64_t counts[10];
  double sizes[3];
  reader.list("counts", std::span<std::uint64_t>(counts));
  reader.list("sizes", std::span<double>(sizes));
  for (std::size_t i = 1; i < 10; ++i)
    if (i != 2 && counts[i] > 1U << 20U) Reader::fail("has a size of " + std::to_string(counts[i]));
  if (counts[8] > 2 || counts[9] > 1) Reader::fail("has an encoding or a precision that is none");
  const auto count = [&counts](std::size_t i) { return static_cast<std::uint32_t>(counts[i]); };
  options.seed = counts[0];
  options.batch = count(1);
  photonic::GeneratorOptions& g = options.generator;
  g.modes = count(3), g.latent = count(4), g.layers = count(5), g.cutoff = count(6), g.hidden = count(7);
  g.encoding = static_cast<photonic::Encoding>(counts[8]);
  g.precision = static_cast<Precision>(counts[9]);
  options.rate = sizes[0], g.scale = sizes[1], g.amplitude = sizes[2];
  GanTrainer trainer(options);
  State& s = *trainer.state_;
  s.step = counts[2];
  reader.list("generator", std::span<double>(s.parameters));
  reader.list("generator-first", std::span<double>(s.generator_adam.first));
  reader.list("generator-second", std::span<double>(s.generator_adam.second));
  reader.list("discriminator", s.discriminator.parameters());
  reader.list("discriminator-first", std::span<double>(s.discriminator_adam.first));
  reader.list("discriminator-second", std::span<double>(s.discriminator_adam.second));
  return trainer;
}

}  // namespace skerry::train
