// Lesson 1: a circuit from a file and one built by hand; plan, run, counts and expectations.
#include <cmath>
#include <cstdio>
#include <skerry/skerry.hpp>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: circuit FILE.qasm\n");
    return 2;
  }
  // From a file: the content decides what it is.
  const auto ghz = std::get<skerry::Circuit>(skerry::load(argv[1]));
  std::printf("%s", skerry::plan(ghz).explain().c_str());
  const skerry::Result sampled = skerry::run(ghz, {.shots = 1000, .seed = 7});
  for (std::size_t i = 0; i < sampled.counts.size(); ++i) {
    std::printf("%s %llu\n", sampled.counts.text(i).c_str(), static_cast<unsigned long long>(sampled.counts.times(i)));
  }

  // By hand, with a symbolic parameter: <Z> after rx(theta) is cos(theta).
  skerry::Circuit rotation(1);
  const skerry::Affine theta = rotation.parameter("theta");
  rotation.rx(theta, 0);
  skerry::RunOptions options;
  options.observables = {skerry::Observable::parse("Z0", 1)};
  for (const double angle : {0.0, 0.5, 1.0}) {
    options.parameters = {angle};
    const double z = skerry::run(rotation, options).expectations[0];
    std::printf("<Z>(%.1f) = %.6f\n", angle, z);
    if (std::abs(z - std::cos(angle)) > 1e-12) return 1;
  }
  return 0;
} catch (const skerry::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return skerry::error_info(error.code()).exit_code;
}
