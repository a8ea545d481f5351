#include "edge/together.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

namespace skerry::edge {
namespace {

class Crew {
 public:
  Crew(std::span<const std::uint64_t> bytes, std::uint64_t limit, const std::function<void(std::size_t)>& work,
       const std::function<void()>& stop)
      : bytes_(bytes), waiting_(bytes.size()), limit_(limit), work_(work), stop_(stop) {
    std::iota(waiting_.begin(), waiting_.end(), std::size_t{0});
    std::ranges::stable_sort(waiting_, [&](std::size_t a, std::size_t b) { return bytes[a] > bytes[b]; });
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      std::size_t next = 0;
      while (next < waiting_.size() && used_ != 0 && used_ + bytes_[waiting_[next]] > limit_) ++next;
      if (waiting_.empty() || error_) return;
      if (next == waiting_.size()) {
        changed_.wait(lock);
        continue;
      }
      const std::size_t mine = waiting_[next];
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(next));
      used_ += bytes_[mine];
      lock.unlock();
      std::exception_ptr error;
      try {
        work_(mine);
      } catch (...) {
        error = std::current_exception();
        stop_();
      }
      lock.lock();
      used_ -= bytes_[mine];
      if (error && !error_) error_ = error;
      changed_.notify_all();
    }
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::span<const std::uint64_t> bytes_;
  std::vector<std::size_t> waiting_;
  std::uint64_t limit_, used_ = 0;
  const std::function<void(std::size_t)>& work_;
  const std::function<void()>& stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::exception_ptr error_;
};

}  // namespace

void run_together(std::span<const std::uint64_t> bytes, std::uint64_t limit_bytes, int workers,
                  const std::function<void(std::size_t)>& work, const std::function<void()>& stop) {
  Crew crew(bytes, limit_bytes, work, stop);
  {
    std::vector<std::jthread> others;
    const auto most = static_cast<int>(std::min<std::size_t>(bytes.size(), 64));
    for (int i = 1; i < std::min(workers, most); ++i) others.emplace_back([&crew] { crew.run(); });
    crew.run();
  }
  crew.rethrow();
}

}  // namespace skerry::edge
