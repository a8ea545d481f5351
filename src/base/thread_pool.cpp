#include "base/thread_pool.hpp"

#include <pthread.h>
#include <sched.h>
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

void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Where a caller lays a loop out for the workers. It is the pool's and never goes away, so a worker that was put to
/// sleep while it looked at one delays nobody, and no lock is needed: one word tells who may do what.
class alignas(64) Berth {
 public:
  /// The caller's: takes a free berth.
  bool take() noexcept {
    std::uint64_t free = 0;
    return state_.compare_exchange_strong(free, kTaken, std::memory_order_acquire, std::memory_order_relaxed);
  }
  /// The loop may be joined by so many.
  void open(int helpers) noexcept {
    state_.store(kTaken | kOpen | static_cast<std::uint64_t>(helpers) * kPlace, std::memory_order_release);
  }
  /// How many places nobody took.
  int close() noexcept {
    const std::uint64_t before = state_.fetch_and(~(kOpen | kPlaces), std::memory_order_relaxed);
    return static_cast<int>((before & kPlaces) / kPlace);
  }
  /// Whether every place is taken.
  bool full() const noexcept { return (state_.load(std::memory_order_relaxed) & kPlaces) == 0; }
  bool deserted() const noexcept { return helpers(state_.load(std::memory_order_acquire)) == 0; }
  /// The caller goes to sleep unless the loop is deserted: the last helper to leave has to wake it.
  bool ask_to_be_woken() noexcept { return helpers(state_.fetch_or(kAsleep, std::memory_order_acq_rel)) > 0; }
  void give_back() noexcept { state_.store(0, std::memory_order_release); }

  /// A worker's: whether it found a place.
  bool join() noexcept {
    std::uint64_t state = state_.load(std::memory_order_relaxed);
    while ((state & kOpen) != 0 && (state & kPlaces) != 0) {
      if (state_.compare_exchange_weak(state, state - kPlace + 1, std::memory_order_acquire, std::memory_order_relaxed))
        return true;
    }
    return false;
  }
  /// Fetches, all at once, what joining and beginning is going to touch.
  void prefetch(std::size_t worker) const noexcept {
    __builtin_prefetch(&state_, 1);
    loop.prefetch(worker);
  }
  /// Whether the caller waits to be woken by this one.
  bool leave() noexcept {
    const std::uint64_t before = state_.fetch_sub(1, std::memory_order_acq_rel);
    return (before & kAsleep) != 0 && helpers(before) == 1;
  }

  Loop loop;

 private:
  // Bits of the state: how many help, how many more may, and three flags.
  static constexpr std::uint64_t kPlace = std::uint64_t{1} << 16, kPlaces = std::uint64_t{0xFFFF} << 16;
  static constexpr std::uint64_t kTaken = std::uint64_t{1} << 32, kOpen = kTaken << 1, kAsleep = kTaken << 2;
  static std::uint64_t helpers(std::uint64_t state) noexcept { return state & 0xFFFF; }

  std::atomic<std::uint64_t> state_{0};
};

struct Pool {
  static constexpr std::size_t kBerths = 32;  // callers beyond them run their loops alone

  std::vector<std::jthread> workers;         ///< under pool_mutex
  std::atomic<std::size_t> worker_count{0};  ///< of them
  std::atomic<std::size_t> used_berths{0};   ///< those behind were never taken
  std::array<Berth, kBerths> berths;
  alignas(64) std::atomic<std::uint32_t> calls{0};             ///< counts loops opened; workers sleep on it
  alignas(64) std::atomic<std::uint32_t> leaves{0};            ///< counts sleeping callers woken; they sleep on it
  std::atomic<std::chrono::steady_clock::rep> awake_until{0};  ///< workers without a loop do not sleep before
};

/// For making the pool and its workers.
constinit std::mutex pool_mutex;
/// Never deleted: at exit workers sleep on it while static objects are destroyed, and a forked child leaves its
/// parent's.
constinit std::atomic<Pool*> the_pool = nullptr;

/// Waits until `word` is no longer `old`, awake for a while, because a sleeping thread takes 50 us to come back (and a
/// virtual machine's processor milliseconds) and the next loop of a run is often closer than that; at first for itself,
/// then letting others run. False when it gave up.
bool spin_for_change(const Pool& pool, const std::atomic<std::uint32_t>& word, std::uint32_t old) {
  constexpr auto kAlone = std::chrono::microseconds(30), kAwake = std::chrono::microseconds(200);
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point now = begin;
  do {
    if (now - begin > kAlone) std::this_thread::yield();
    for (int i = 0; i < 32; ++i) {
      if (word.load(std::memory_order_acquire) != old) return true;
      pause();
    }
    now = std::chrono::steady_clock::now();
  } while (now - begin < kAwake || now.time_since_epoch().count() < pool.awake_until.load(std::memory_order_relaxed));
  return false;
}

Berth* join_loop(Pool& pool) {
  const std::size_t used = pool.used_berths.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < used; ++i)
    if (pool.berths[i].join()) return &pool.berths[i];
  return nullptr;
}

void run_worker(Pool& pool, std::size_t index) {
  pthread_setname_np(pthread_self(), ("skerry-" + std::to_string(index)).c_str());
  inside = true;
  const FlushSubnormals flush;
  const Berth* last = &pool.berths.front();
  for (;;) {
    const std::uint32_t calls = pool.calls.load(std::memory_order_acquire);
    Berth* const berth = join_loop(pool);
    if (berth == nullptr) {
      if (!spin_for_change(pool, pool.calls, calls)) pool.calls.wait(calls, std::memory_order_acquire);
      last->prefetch(index);
      continue;
    }
    last = berth;
    berth->loop.help(index);
    if (berth->leave()) {
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
  the_pool.store(nullptr, std::memory_order_relaxed);  // its workers were not copied into this process
  pool_mutex.unlock();
}

Pool& pool_under_lock() {
  static constinit bool registered = false;
  if (!registered) registered = pthread_atfork(lock_pool, unlock_pool, forget_pool) == 0;
  if (the_pool.load(std::memory_order_relaxed) == nullptr) the_pool.store(new Pool, std::memory_order_release);
  return *the_pool.load(std::memory_order_relaxed);
}

/// Starts workers until there are `count`, or as many as the system gives.
void grow(Pool& pool, std::size_t count) {
  if (pool.workers.size() >= count) return;
  pool.workers.reserve(count);
  // Signals are for the threads of the program: Ctrl-C must not land in a worker.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    while (pool.workers.size() < count) {
      const std::size_t index = pool.workers.size() + 1;
      pool.workers.emplace_back([&pool, index] { run_worker(pool, index); });
    }
  } catch (const std::system_error&) {
    // A limit on threads: the loop takes longer and gives the same result.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pool.worker_count.store(pool.workers.size(), std::memory_order_release);
}

Pool& pool_of(int helpers) {
  Pool* const pool = the_pool.load(std::memory_order_acquire);
  const auto count = static_cast<std::size_t>(helpers);
  if (pool != nullptr && pool->worker_count.load(std::memory_order_relaxed) >= count) return *pool;
  const std::lock_guard lock(pool_mutex);
  Pool& made = pool_under_lock();
  grow(made, count);
  return made;
}

void wake(Pool& pool, int helpers) {
  pool.calls.fetch_add(1, std::memory_order_release);
  if (static_cast<std::size_t>(helpers) >= pool.worker_count.load(std::memory_order_relaxed)) {
    pool.calls.notify_all();
    return;
  }
  for (int i = 0; i < helpers; ++i) pool.calls.notify_one();
}

/// A thread comes back to the berth it had, so that two callers do not ask for the same one each time.
Berth* take_berth(Pool& pool) {
  constinit static thread_local std::size_t last = 0;
  for (std::size_t i = 0; i < Pool::kBerths; ++i) {
    const std::size_t at = i == 0 ? last : i - 1;
    if (!pool.berths[at].take()) continue;
    std::size_t used = pool.used_berths.load(std::memory_order_relaxed);
    while (used <= at && !pool.used_berths.compare_exchange_weak(used, at + 1, std::memory_order_release)) {
    }
    last = at;
    return &pool.berths[at];
  }
  return nullptr;
}

void wait_for_helpers(Pool& pool, Berth& berth) {
  constexpr auto kAwake = std::chrono::microseconds(30);
  const auto limit = std::chrono::steady_clock::now() + kAwake;
  do {
    for (int i = 0; i < 32; ++i) {
      if (berth.deserted()) return;
      pause();
    }
  } while (std::chrono::steady_clock::now() < limit);
  for (;;) {
    const std::uint32_t leaves = pool.leaves.load(std::memory_order_acquire);
    if (!berth.ask_to_be_woken()) return;
    pool.leaves.wait(leaves, std::memory_order_acquire);
  }
}

/// Lets the workers run wherever this thread may, but on its own processor. Some systems wake a worker there although
/// another processor is idle, and for seconds it waits behind its caller, who does all of the work.
void keep_workers_away(Pool& pool) {
  const int here = sched_getcpu();
  const std::unique_lock lock(pool_mutex, std::try_to_lock);
  cpu_set_t others;
  const bool known =
      here >= 0 && here < CPU_SETSIZE && lock && pthread_getaffinity_np(pthread_self(), sizeof others, &others) == 0;
  if (!known) return;
  CPU_CLR(static_cast<std::size_t>(here), &others);
  // A caller that is bound to few processors must not crowd the workers of all callers onto them.
  if (CPU_COUNT(&others) < std::ssize(pool.workers)) return;
  for (std::jthread& worker : pool.workers) pthread_setaffinity_np(worker.native_handle(), sizeof others, &others);
}

/// Told of each loop of this thread whether somebody came to help.
void heed(Pool& pool, bool somebody_came) {
  constexpr int kLoops = 16;
  constexpr auto kBetween = std::chrono::milliseconds(2);
  constinit static thread_local int alone = 0;
  constinit static thread_local std::chrono::steady_clock::rep next = 0;
  alone = somebody_came ? 0 : alone + 1;
  if (alone < kLoops) return;
  alone = 0;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  if (now.count() < next) return;
  next = (now + kBetween).count();
  keep_workers_away(pool);
}

}  // namespace

void Loop::begin(std::size_t first, std::size_t end, std::size_t grain, std::size_t pieces, int threads,
                 RangeFunction fn) noexcept {
  fn_ = fn;
  obeyed_ = obeyed;
  begin_ = first;
  end_ = end;
  grain_ = grain;
  slice_count_ = static_cast<std::uint32_t>(std::min({pieces, static_cast<std::size_t>(threads), kMaxSlices}));
  single_ = pieces == slice_count_;
  failed_.store(false, std::memory_order_relaxed);
  const std::size_t each = pieces / slice_count_;
  const std::size_t longer = pieces % slice_count_;  // that many slices have one piece more
  std::size_t piece = 0;
  for (std::size_t i = 0; i < slice_count_; ++i) {
    slices_[i].next.store(piece, std::memory_order_relaxed);
    piece += each + (i < longer ? 1 : 0);
    slices_[i].last = piece;
  }
}

// Slices [first, end), the later ones as their remainders.
void Loop::work(std::size_t first_slice, std::size_t end_slice) noexcept {
  const Obey obey(obeyed_);
  try {
    for (std::size_t i = first_slice; i < end_slice; ++i) {
      Slice& slice = slices_[i % slice_count_];
      // Looked at before it is taken: a slice that another one works at stays with it.
      while (!failed_.load(std::memory_order_relaxed) && slice.next.load(std::memory_order_relaxed) < slice.last) {
        const std::size_t piece = slice.next.fetch_add(1, std::memory_order_relaxed);
        if (piece >= slice.last) break;
        check_stop();
        const std::size_t first = begin_ + piece * grain_;
        (*fn_)(first, end_ - first > grain_ ? first + grain_ : end_);
      }
    }
  } catch (...) {
    if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
  }
}

void Loop::help(std::size_t home_slice) noexcept {
  const std::size_t home = home_slice % slice_count_;
  if (!single_ || slice_count_ > 2) return work(home, home + slice_count_);
  work(1, 2);  // its caller is at the other piece already
}

std::exception_ptr Loop::end() noexcept {
  fn_.reset();
  return std::exchange(error_, nullptr);
}

bool inside_loop() noexcept {
  return inside;
}

void wake_threads(int threads) {
  if (inside || threads < 2) return;
  constexpr auto kSoon = std::chrono::milliseconds(3);
  Pool& pool = pool_of(threads - 1);
  pool.awake_until.store((std::chrono::steady_clock::now() + kSoon).time_since_epoch().count(),
                         std::memory_order_relaxed);
  wake(pool, threads - 1);
}

void run_on_pool(std::size_t begin, std::size_t end, std::size_t grain, std::size_t pieces, int threads,
                 RangeFunction fn) {
  Pool& pool = pool_of(threads - 1);
  Berth* const berth = take_berth(pool);
  if (berth == nullptr) {
    for (; end - begin > grain; begin += grain) {
      fn(begin, begin + grain);
      check_stop();
    }
    fn(begin, end);
    return;
  }
  berth->loop.begin(begin, end, grain, pieces, threads, fn);
  berth->open(threads - 1);
  wake(pool, threads - 1);
  inside = true;
  berth->loop.work_at_home();
  berth->loop.work_elsewhere(berth->full());
  inside = false;
  const bool somebody_came = berth->close() < threads - 1;
  wait_for_helpers(pool, *berth);
  const std::exception_ptr error = berth->loop.end();
  berth->give_back();
  heed(pool, somebody_came);
  if (error) std::rethrow_exception(error);
}

}  // namespace skerry::base
