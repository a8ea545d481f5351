/// \file
/// What an embedder writes first: builds a Bell pair in memory and runs it through the installed library.
#include <cstdio>
#include <skerry/skerry.hpp>

int main() {
  const skerry::Program program = skerry::loads(
      "OPENQASM 2.0;\ninclude \"qelib1.inc\";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n");
  const skerry::Result result = skerry::run(std::get<skerry::Circuit>(program), {.shots = 100, .seed = 7});
  std::uint64_t equal = 0;
  for (std::size_t i = 0; i < result.counts.size(); ++i) {
    const std::string bits = result.counts.text(i);
    equal += bits == "00" || bits == "11" ? result.counts.times(i) : 0;
  }
  std::printf("skerry %s: %llu of 100 shots agree\n", std::string(skerry::version()).c_str(),
              static_cast<unsigned long long>(equal));
  return equal == 100 ? 0 : 1;
}
