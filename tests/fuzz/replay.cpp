// Runs a fuzz target without a fuzzer, in every build and with every compiler: over its kept corpus, and over so many
// mutations of it, the same ones each time. Guided fuzzing is `./dev fuzz`.
//
//     x_fuzz_replay CORPUS [MUTATIONS [SEED]]
//
// Other seeds give other mutations; `./dev fuzz models` runs many.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr unsigned kSecondsOfOneInput = 20;
constexpr std::size_t kLargestInput = 65'536;
constexpr std::uint64_t kSeed = 0x5eed;

// What the target looks at now, for the handler that keeps it.
const std::string* current = nullptr;

void keep_and_die(int signal) {
  std::FILE* out = std::fopen("fuzz-finding", "wb");
  if (out != nullptr && current != nullptr) std::fwrite(current->data(), 1, current->size(), out);
  if (out != nullptr) std::fclose(out);
  std::fprintf(stderr, "signal %d%s; the input is in ./fuzz-finding\n", signal, signal == SIGALRM ? " (a hang)" : "");
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const std::string& input) {
  current = &input;
  alarm(kSecondsOfOneInput);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  alarm(0);
}

std::vector<std::string> read_corpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

// Deterministic on every machine: the engine's bits are standardised, the distributions are not.
class Mutator {
 public:
  Mutator(const std::vector<std::string>& corpus, std::uint64_t seed) : corpus_(corpus), random_(seed) {}

  std::string next() {
    std::string input = corpus_[below(corpus_.size())];
    for (std::size_t changes = 1 + below(4); changes-- > 0;) change(input);
    if (input.size() > kLargestInput) input.resize(kLargestInput);
    return input;
  }

 private:
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(random_() % std::max<std::size_t>(end, 1)); }

  void change(std::string& input) {
    constexpr std::array<unsigned char, 8> kEdges{0x00, 0x01, 0x7f, 0x80, 0xff, '0', '9', '-'};
    const std::size_t at = below(input.size() + 1);
    const std::size_t length = 1 + below(std::min<std::size_t>(input.size() - at + 1, 32));
    const std::string& other = corpus_[below(corpus_.size())];
    const std::size_t from = below(other.size() + 1);
    switch (below(6)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(static_cast<unsigned char>(input[at]) ^ (1U << below(8)));
        return;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(kEdges[below(kEdges.size())]);
        return;
      case 2:
        input.erase(at, length);
        return;
      case 3:
        input.insert(at, input.substr(at, length));
        return;
      case 4:
        input.insert(at, other, from, 1 + below(64));
        return;
      default:
        input.replace(at, length, other, from, 1 + below(256));
        return;
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) return 2;
  for (const int signal : {SIGSEGV, SIGABRT, SIGILL, SIGTRAP, SIGFPE, SIGALRM}) std::signal(signal, keep_and_die);
  const std::vector<std::string> corpus = read_corpus(argv[1]);
  const long mutations = argc > 2 ? std::atol(argv[2]) : 0;
  for (const std::string& input : corpus) run(input);
  if (corpus.empty()) return 1;
  Mutator mutator(corpus, argc > 3 ? std::strtoull(argv[3], nullptr, 10) : kSeed);
  for (long i = 0; i < mutations; ++i) run(mutator.next());
  std::printf("%zu inputs and %ld mutations\n", corpus.size(), mutations);
  return 0;
}
