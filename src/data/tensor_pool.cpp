#include <algorithm>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/tensor_pool.hpp>
#include <string>
#include <utility>
#include <vector>

namespace skerry {

struct TensorPool::State {
  struct Waiting {
    Tensor tensor;
    bool is_clear;
  };

  struct Lent {
    TensorView view;
    std::weak_ptr<const void> owner;
  };

  explicit State(std::size_t most) : max_buffers(most) {}

  // The one of this kind that came last, if there is one.
  std::optional<Waiting> take(const Shape& shape, DType dtype) {
    const std::lock_guard lock(mutex);
    const auto found = std::find_if(waiting.rbegin(), waiting.rend(), [&](const Waiting& one) {
      return one.tensor.dtype() == dtype && one.tensor.shape() == shape;
    });
    if (found == waiting.rend()) {
      ++misses;
      return std::nullopt;
    }
    ++hits;
    Waiting one = std::move(*found);
    waiting.erase(std::next(found).base());
    return one;
  }

  void keep(Tensor tensor, bool is_clear) {
    Tensor dropped;  // after the lock: giving memory back takes a while
    const std::lock_guard lock(mutex);
    if (max_buffers == 0) return;
    if (waiting.size() >= max_buffers) {
      dropped = std::move(waiting.front().tensor);
      waiting.pop_front();
    }
    waiting.push_back({std::move(tensor), is_clear});
  }

  const std::size_t max_buffers;
  mutable std::mutex mutex;
  std::list<Waiting> waiting;             // longest first
  std::map<const std::byte*, Lent> lent;  // by get_buffer()
  std::size_t borrowed = 0;               // by lend()
  std::size_t next_look = 64;
  std::uint64_t hits = 0, misses = 0;

  // Forgets what was dropped by whoever had it.
  void forget_dropped() {
    if (lent.size() < next_look) return;
    std::erase_if(lent, [](const auto& one) { return one.second.owner.expired(); });
    next_look = 2 * lent.size() + 64;
  }
};

TensorPool::TensorPool(std::size_t max_buffers) : state_(std::make_shared<State>(max_buffers)) {}

void TensorPool::preallocate_buffers(std::span<const Shape> shapes, DType dtype) {
  if (shapes.empty()) return;
  const std::size_t each = std::min(kMostOfAShape, state_->max_buffers / shapes.size());
  for (const Shape& shape : shapes)
    for (std::size_t i = 0; i < each; ++i) state_->keep(Tensor(dtype, shape), true);
}

Tensor TensorPool::get_buffer(const Shape& shape, DType dtype) {
  auto found = state_->take(shape, dtype);
  Tensor tensor = found ? std::move(found->tensor) : Tensor(dtype, shape);
  if (found && !found->is_clear) std::memset(tensor.mutable_view().data(), 0, tensor.view().bytes());
  const std::lock_guard lock(state_->mutex);
  state_->forget_dropped();
  state_->lent.insert_or_assign(tensor.view().data(), State::Lent{tensor.view(), tensor.owner()});
  return tensor;
}

void TensorPool::return_buffer(const std::byte* data) {
  Tensor tensor;
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->lent.find(data);
    if (found != state_->lent.end()) {
      tensor = Tensor(found->second.view, found->second.owner.lock());
      state_->lent.erase(found);
    }
  }
  if (tensor.owner() == nullptr) {
    throw Error(ErrorCode::invalid_argument, "this buffer is not lent by the pool", "return_buffer",
                "return each buffer once, to the pool it came from");
  }
  std::memset(tensor.mutable_view().data(), 0, tensor.view().bytes());
  state_->keep(std::move(tensor), true);
}

Tensor TensorPool::lend(const Shape& shape, DType dtype) {
  auto found = state_->take(shape, dtype);
  Tensor tensor = found ? std::move(found->tensor) : Tensor(dtype, shape);
  {
    const std::lock_guard lock(state_->mutex);
    ++state_->borrowed;
  }
  const TensorView view = tensor.view();
  // The pool may be gone when the tensor comes back.
  auto come_back = [state = std::weak_ptr(state_), tensor = std::move(tensor)](const void*) mutable {
    const auto pool = state.lock();
    if (!pool) return;
    {
      const std::lock_guard lock(pool->mutex);
      --pool->borrowed;
    }
    pool->keep(std::move(tensor), false);
  };
  return {view, std::shared_ptr<const void>(view.data(), std::move(come_back))};
}

void TensorPool::clear() noexcept {
  std::list<State::Waiting> gone;
  const std::lock_guard lock(state_->mutex);
  gone.swap(state_->waiting);
}

TensorPool::Statistics TensorPool::statistics() const {
  const std::lock_guard lock(state_->mutex);
  Statistics all{state_->waiting.size(), state_->borrowed, 0, state_->hits, state_->misses};
  for (const State::Waiting& one : state_->waiting) all.waiting_bytes += one.tensor.view().bytes();
  for (const auto& [data, lent] : state_->lent) all.lent += lent.owner.expired() ? 0 : 1;
  return all;
}

}  // namespace skerry
