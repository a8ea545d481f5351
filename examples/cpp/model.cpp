// Lesson 2: a neural network; what it takes before it runs, a session, a package.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <skerry/skerry.hpp>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: model digits_cnn.onnx\n");
    return 2;
  }
  const skerry::Program program = skerry::load(argv[1]);
  const skerry::Compiled compiled = skerry::compile(program, {.level = skerry::Level::high});
  const auto graph = std::make_shared<const skerry::Graph>(std::get<skerry::Graph>(compiled.program));

  // A picture of an 8 x 8 "one": a bright column.
  skerry::Tensor picture(skerry::DType::f32, {1, 1, 8, 8});
  for (std::size_t row = 1; row < 7; ++row) picture.mutable_view().as<float>()[8 * row + 4] = 1.0F;

  skerry::Session session(graph, {.threads = 1});
  const skerry::Result result = session.run({{"x", picture}});
  const auto logits = result.tensors[0].second.as<float>();
  std::size_t best = 0;
  for (std::size_t digit = 1; digit < logits.size(); ++digit) best = logits[digit] > logits[best] ? digit : best;
  std::printf("the picture shows a %zu; predicted %llu bytes, took %llu\n", best,
              static_cast<unsigned long long>(result.report.predicted_bytes),
              static_cast<unsigned long long>(result.report.peak_bytes));

  // Saved and loaded again, the package gives the same answer.
  const auto path = std::filesystem::temp_directory_path() / "skerry_example_model.skerry";
  skerry::save(*graph, path);
  const auto again = skerry::run(std::get<skerry::Graph>(skerry::load(path)), {{"x", picture}});
  std::filesystem::remove(path);
  const auto same = again.tensors[0].second.as<float>();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (same[i] != logits[i]) return 1;
  }
  return best == 1 ? 0 : 1;
} catch (const skerry::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return skerry::error_info(error.code()).exit_code;
}
