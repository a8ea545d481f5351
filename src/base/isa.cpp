#include "base/isa.hpp"

#include "base/proc_text.hpp"

#if defined(__x86_64__)
#include <cpuid.h>

#include <array>
#include <cstring>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace skerry::base {

#if defined(__x86_64__)

std::string cpu_model_name() {
  // Leaves 0x80000002..4 hold 48 characters of brand string.
  std::array<unsigned, 12> words{};
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    unsigned* word = &words[std::size_t{4} * leaf];
    if (__get_cpuid(0x80000002 + leaf, word, word + 1, word + 2, word + 3) == 0) return "x86_64";
  }
  std::string name(sizeof words, '\0');
  std::memcpy(name.data(), words.data(), sizeof words);
  name.resize(std::strlen(name.c_str()));
  const auto first = name.find_first_not_of(' ');
  if (first == std::string::npos) return "x86_64";
  return name.substr(first, name.find_last_not_of(' ') + 1 - first);
}

std::vector<std::string_view> isa_names() {
  std::vector<std::string_view> names;
  __builtin_cpu_init();
  // The builtin takes literals only, and counts a set only when the system saves its registers too.
#define SKERRY_ISA(builtin, linux_name) \
  if (__builtin_cpu_supports(builtin)) names.push_back(linux_name)
  SKERRY_ISA("sse4.2", "sse4_2");
  SKERRY_ISA("popcnt", "popcnt");
  SKERRY_ISA("avx", "avx");
  SKERRY_ISA("avx2", "avx2");
  SKERRY_ISA("fma", "fma");
  SKERRY_ISA("bmi2", "bmi2");
  SKERRY_ISA("avx512f", "avx512f");
  SKERRY_ISA("avx512bw", "avx512bw");
  SKERRY_ISA("avx512dq", "avx512dq");
  SKERRY_ISA("avx512vl", "avx512vl");
  SKERRY_ISA("avx512vbmi", "avx512vbmi");
  SKERRY_ISA("avx512vnni", "avx512_vnni");
  SKERRY_ISA("avx512bf16", "avx512_bf16");
#undef SKERRY_ISA
  return names;
}

#elif defined(__aarch64__)

std::string cpu_model_name() {
  // Linux names ARM cores by numbers only; boards have a name in the device tree.
  std::string board = proc_text("/proc/device-tree/model");
  while (!board.empty() && (board.back() == '\0' || board.back() == '\n')) board.pop_back();
  return board.empty() ? "aarch64" : board;
}

std::vector<std::string_view> isa_names() {
  std::vector<std::string_view> names;
  const unsigned long capabilities = getauxval(AT_HWCAP);
  const unsigned long more = getauxval(AT_HWCAP2);
  if (capabilities & HWCAP_ASIMD) names.push_back("neon");
  if (capabilities & HWCAP_ASIMDHP) names.push_back("fp16");
  if (capabilities & HWCAP_ASIMDDP) names.push_back("dotprod");
  if (capabilities & HWCAP_SVE) names.push_back("sve");
  if (more & HWCAP2_SVE2) names.push_back("sve2");
  if (more & HWCAP2_I8MM) names.push_back("i8mm");
  if (more & HWCAP2_BF16) names.push_back("bf16");
  return names;
}

#else

std::string cpu_model_name() {
  return "unknown";
}
std::vector<std::string_view> isa_names() {
  return {};
}

#endif

}  // namespace skerry::base
