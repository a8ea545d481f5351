/// \file
/// What a device does: runs the package it is given, with the runtime library alone.
#include <cstdio>
#include <skerry/runtime.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const skerry::Program program = skerry::load_package(argv[1]);
  const skerry::Result result = skerry::run(std::get<skerry::Circuit>(program), {.shots = 100, .seed = 7});
  std::printf("%zu outcomes in %.6f s\n", result.counts.size(), result.report.seconds);
  return result.counts.size() == 2 ? 0 : 1;
}
