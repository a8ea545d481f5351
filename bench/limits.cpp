// What this machine's cores and memory can do at most, for bench/kernels.py: limits THREADS
// Prints one JSON object: float32 operations a second of fused multiply-adds on registers, bytes a second read from the
// second-level cache and from memory, and bytes a second (read and written) of a copy in memory.
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));
constexpr int kChains = 10;

// Best of a few rounds in which all threads begin together; `work` is one thread's part. Threads look at the clock
// themselves: whoever waits for them may be woken late.
double best_seconds(int threads, const std::function<void(int)>& work) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int round = 0; round < 7; ++round) {
    std::barrier line(threads);
    std::vector<Clock::time_point> begin(static_cast<std::size_t>(threads)), end = begin;
    std::vector<std::thread> team;
    for (int t = 0; t < threads; ++t) {
      team.emplace_back([&, t] {
        line.arrive_and_wait();
        begin[static_cast<std::size_t>(t)] = Clock::now();
        work(t);
        end[static_cast<std::size_t>(t)] = Clock::now();
      });
    }
    for (std::thread& thread : team) thread.join();
    best = std::min(best, std::chrono::duration<double>(std::ranges::max(end) - std::ranges::min(begin)).count());
  }
  return best;
}

#if defined(__x86_64__)
#define KEPT(value) "+x"(value)
#if defined(__AVX512F__)
#undef KEPT
#define KEPT(value) "+v"(value)
#endif
#else
#define KEPT(value) "+w"(value)
#endif

// Ten sums that do not wait for each other; as far as the compiler knows, a step may have changed any of them.
void multiply_add(long steps) {
  const Vector factor = Vector{} + 0.999F, added = Vector{} + 0.001F;
  Vector a = added, b = added, c = added, d = added, e = added, f = added, g = added, h = added, i = added, j = added;
  for (long step = 0; step < steps; ++step) {
    a = a * factor + added, b = b * factor + added, c = c * factor + added, d = d * factor + added;
    e = e * factor + added, f = f * factor + added, g = g * factor + added, h = h * factor + added;
    i = i * factor + added, j = j * factor + added;
    asm volatile("" : KEPT(a), KEPT(b), KEPT(c), KEPT(d), KEPT(e), KEPT(f), KEPT(g), KEPT(h), KEPT(i), KEPT(j));
  }
}

void read(const float* data, std::size_t count, int times) {
  for (int round = 0; round < times; ++round) {
    for (std::size_t i = 0; i + 8 * kLanes <= count; i += 8 * kLanes) {
#pragma GCC unroll 8
      for (int k = 0; k < 8; ++k) {
        Vector value = *reinterpret_cast<const Vector*>(data + i + static_cast<std::size_t>(k * kLanes));
        asm volatile("" : KEPT(value));
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  constexpr long kSteps = 4'000'000;
  constexpr std::size_t kInCache = 128 << 10, kInMemory = 48 << 20;  // floats
  std::vector<float*> from, to;
  for (int t = 0; t < threads; ++t) {
    for (auto* list : {&from, &to}) {
      list->push_back(static_cast<float*>(std::aligned_alloc(64, kInMemory * sizeof(float))));
      std::memset(list->back(), 1, kInMemory * sizeof(float));
    }
  }
  const double all = threads, bytes = kInMemory * sizeof(float);
  const double fma = 2.0 * kLanes * kChains * kSteps * all / best_seconds(threads, [](int) { multiply_add(kSteps); });
  const double cached = 200.0 * kInCache * sizeof(float) * all /
                        best_seconds(threads, [&](int t) { read(from[static_cast<std::size_t>(t)], kInCache, 200); });
  const double memory =
      bytes * all / best_seconds(threads, [&](int t) { read(from[static_cast<std::size_t>(t)], kInMemory, 1); });
  const double copy = 2.0 * bytes * all / best_seconds(threads, [&](int t) {
                        const auto at = static_cast<std::size_t>(t);
                        std::memcpy(to[at], from[at], kInMemory * sizeof(float));
                      });
  std::printf("{\"fma\": %.6g, \"cached_read\": %.6g, \"read\": %.6g, \"copy\": %.6g}\n", fma, cached, memory, copy);
}
