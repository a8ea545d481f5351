#include "base/thread_pool.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/wake.hpp"

namespace skerry::base {
namespace {

constinit thread_local bool inside = false;

/// One lock for the list of loops, the workers and the pool's own making, held for some nanoseconds at a time.
constinit std::mutex pool_mutex;

struct Pool {
  std::vector<std::jthread> workers;
  Loop* open_loops = nullptr;
  std::atomic<std::uint32_t> calls{0};   ///< counts loops opened; workers sleep on it
  std::atomic<std::uint32_t> leaves{0};  ///< counts loops left by their last helper; callers sleep on it
  std::atomic<std::chrono::steady_clock::rep> awake_until{0};  ///< workers without a loop do not sleep before
};

/// Never deleted: at exit workers sleep on it while static objects are destroyed, and a forked child leaves its
/// parent's.
constinit Pool* the_pool = nullptr;

void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits until `word` is no longer `old`: awake for a while, because a sleeping thread takes 50 us to come back and the
/// next loop of a run is often closer than that; then asleep.
void wait_for_change(const Pool& pool, const std::atomic<std::uint32_t>& word, std::uint32_t old) {
  constexpr auto kAwake = std::chrono::microseconds(30);
  const auto limit = std::chrono::steady_clock::now() + kAwake;
  std::chrono::steady_clock::time_point now;
  do {
    for (int i = 0; i < 32; ++i) {
      if (word.load(std::memory_order_acquire) != old) return;
      pause();
    }
    now = std::chrono::steady_clock::now();
  } while (now < limit || now.time_since_epoch().count() < pool.awake_until.load(std::memory_order_relaxed));
  word.wait(old, std::memory_order_acquire);
}

Loop* join_loop(Pool& pool) {
  const std::lock_guard lock(pool_mutex);
  for (Loop* loop = pool.open_loops; loop != nullptr; loop = loop->next) {
    if (loop->places == 0) continue;
    --loop->places;
    loop->helpers.fetch_add(1, std::memory_order_relaxed);
    return loop;
  }
  return nullptr;
}

void run_worker(Pool& pool, std::size_t index) {
  pthread_setname_np(pthread_self(), ("skerry-" + std::to_string(index)).c_str());
  inside = true;
  const FlushSubnormals flush;
  for (;;) {
    const std::uint32_t calls = pool.calls.load(std::memory_order_acquire);
    Loop* loop = join_loop(pool);
    if (loop == nullptr) {
      wait_for_change(pool, pool.calls, calls);
      continue;
    }
    loop->work(index);
    // After this subtraction the loop may be gone, so its caller sleeps on a word of the pool.
    if (loop->helpers.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      pool.leaves.fetch_add(1, std::memory_order_release);
      pool.leaves.notify_all();
    }
  }
}

void lock_pool() {
  pool_mutex.lock();
}
void unlock_pool() {
  pool_mutex.unlock();
}
void forget_pool() {
  the_pool = nullptr;  // its workers were not copied into this process
  pool_mutex.unlock();
}

Pool& pool_under_lock() {
  static constinit bool registered = false;
  if (!registered) registered = pthread_atfork(lock_pool, unlock_pool, forget_pool) == 0;
  if (the_pool == nullptr) the_pool = new Pool;
  return *the_pool;
}

/// Starts workers until there are `count`, or as many as the system gives.
void grow(Pool& pool, int count) {
  if (pool.workers.size() >= static_cast<std::size_t>(count)) return;
  pool.workers.reserve(static_cast<std::size_t>(count));
  // Signals are for the threads of the program: Ctrl-C must not land in a worker.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    while (pool.workers.size() < static_cast<std::size_t>(count)) {
      const std::size_t index = pool.workers.size() + 1;
      pool.workers.emplace_back([&pool, index] { run_worker(pool, index); });
    }
  } catch (const std::system_error&) {
    // A limit on threads: the loop takes longer and gives the same result.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void wake(Pool& pool, int helpers) {
  pool.calls.fetch_add(1, std::memory_order_release);
  if (static_cast<std::size_t>(helpers) >= pool.workers.size()) {
    pool.calls.notify_all();
    return;
  }
  for (int i = 0; i < helpers; ++i) pool.calls.notify_one();
}

Pool& open_loop(Loop& loop, int helpers) {
  const std::lock_guard lock(pool_mutex);
  Pool& pool = pool_under_lock();
  grow(pool, helpers);
  loop.places = helpers;
  loop.next = std::exchange(pool.open_loops, &loop);
  wake(pool, helpers);
  return pool;
}

void close_loop(Pool& pool, Loop& loop) {
  const std::lock_guard lock(pool_mutex);
  loop.places = 0;
  Loop** link = &pool.open_loops;
  while (*link != &loop) link = &(*link)->next;
  *link = loop.next;
}

}  // namespace

Loop::Loop(std::size_t begin, std::size_t end, std::size_t grain, std::size_t pieces, int threads,
           RangeFunction fn) noexcept
    : fn_(fn),
      begin_(begin),
      end_(end),
      grain_(grain),
      slice_count_(std::min({pieces, static_cast<std::size_t>(threads), kMaxSlices})) {
  const std::size_t each = pieces / slice_count_;
  const std::size_t longer = pieces % slice_count_;  // that many slices have one piece more
  std::size_t first = 0;
  for (std::size_t i = 0; i < slice_count_; ++i) {
    slices_[i].next.store(first, std::memory_order_relaxed);
    first += each + (i < longer ? 1 : 0);
    slices_[i].last = first;
  }
}

void Loop::run_piece(std::size_t piece) const {
  const std::size_t first = begin_ + piece * grain_;
  fn_(first, end_ - first > grain_ ? first + grain_ : end_);
}

void Loop::work(std::size_t home_slice) noexcept {
  try {
    for (std::size_t i = 0; i < slice_count_; ++i) {
      Slice& slice = slices_[(home_slice + i) % slice_count_];
      while (!failed_.load(std::memory_order_relaxed)) {
        const std::size_t piece = slice.next.fetch_add(1, std::memory_order_relaxed);
        if (piece >= slice.last) break;
        run_piece(piece);
      }
    }
  } catch (...) {
    if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
  }
}

bool inside_loop() noexcept {
  return inside;
}

void wake_threads(int threads) {
  if (inside || threads < 2) return;
  constexpr auto kSoon = std::chrono::milliseconds(3);
  const std::lock_guard lock(pool_mutex);
  Pool& pool = pool_under_lock();
  grow(pool, threads - 1);
  pool.awake_until.store((std::chrono::steady_clock::now() + kSoon).time_since_epoch().count(),
                         std::memory_order_relaxed);
  wake(pool, threads - 1);
}

void run_on_pool(Loop& loop, int helpers) {
  Pool& pool = open_loop(loop, helpers);
  inside = true;
  loop.work(0);
  inside = false;
  close_loop(pool, loop);
  for (;;) {
    const std::uint32_t leaves = pool.leaves.load(std::memory_order_acquire);
    if (loop.helpers.load(std::memory_order_acquire) == 0) break;
    wait_for_change(pool, pool.leaves, leaves);
  }
  loop.rethrow();
}

}  // namespace skerry::base
