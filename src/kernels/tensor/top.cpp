#include "kernels/tensor/top.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

#include "base/obey.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/numeric.hpp"
#include "kernels/tensor/scratch_slots.hpp"

namespace skerry::kernels {
namespace {

// An element as a number that is larger the earlier it comes: so one loop serves every type and both orders.
struct Candidate {
  std::uint64_t key;
  std::int64_t place;
  bool operator<(const Candidate& other) const noexcept {
    return key != other.key ? key > other.key : place < other.place;
  }
};

constexpr std::uint64_t kSign = std::uint64_t{1} << 63;

template <class T>
std::uint64_t key_of(T value, std::uint64_t flip) noexcept {
  if constexpr (is_real<T>) {
    const auto wide = convert<double>(value);
    const auto bits = std::bit_cast<std::uint64_t>(wide + 0.0);  // -0 becomes 0
    if (wide != wide) return ~std::uint64_t{0} ^ flip;
    return (bits ^ ((bits & kSign) != 0 ? ~std::uint64_t{0} : kSign)) ^ flip;
  } else if constexpr (std::is_signed_v<T>) {
    return (static_cast<std::uint64_t>(static_cast<std::int64_t>(value)) ^ kSign) ^ flip;
  } else {
    return static_cast<std::uint64_t>(value) ^ flip;
  }
}

// Room for twice as many as are wanted: so the worse half is thrown away once in a while, not at each element.
std::size_t room_of(const TopShape& s) noexcept {
  return static_cast<std::size_t>(std::min(s.length, 2 * s.k + 64));
}
std::size_t slots_of(const TopShape& s) noexcept {
  return std::clamp<std::size_t>(
      static_cast<std::size_t>(s.outer * s.inner), 1,
      std::min<std::size_t>(static_cast<std::size_t>(base::thread_budget()), ScratchSlots::kMost));
}

constexpr std::int64_t kBlock = 64, kBlocksBetweenChecks = 256;

// Whether any of a block of floats comes before `last`: loops that the compiler makes vectors of. A bound that is no
// number tells nothing.
bool any_passes(const float* x, float last, bool largest) noexcept {
  if (last != last) return true;
  int pass = 0;
  if (largest) {
    for (std::int64_t i = 0; i < kBlock; ++i) pass |= static_cast<int>(!(x[i] <= last));
  } else {
    for (std::int64_t i = 0; i < kBlock; ++i) pass |= static_cast<int>(x[i] < last);
  }
  return pass != 0;
}

using Keys = std::array<std::uint64_t, kBlock>;

// A row: where it begins, its elements `step` apart.
struct Row {
  const std::byte* x;
  std::int64_t step;
};

void keys_of(DType dtype, const Row& row, std::int64_t begin, std::int64_t count, std::uint64_t flip, Keys& keys) {
  visit(Numbers{}, dtype, [&]<class T>() {
    const T* x = reinterpret_cast<const T*>(row.x) + begin * row.step;
    for (std::int64_t i = 0; i < count; ++i) keys[static_cast<std::size_t>(i)] = key_of(x[i * row.step], flip);
  });
}

// The k first of a row, in order, at `found`.
void find_first(const TopShape& s, DType dtype, const Row& row, Candidate* found, std::size_t room) {
  const std::uint64_t flip = s.largest ? 0 : ~std::uint64_t{0};
  const auto k = static_cast<std::size_t>(s.k);
  const auto* const floats = dtype == DType::f32 && s.inner == 1 ? reinterpret_cast<const float*>(row.x) : nullptr;
  const auto keep_k = [&](std::size_t count) { std::nth_element(found, found + (k - 1), found + count); };
  std::size_t count = 0;
  bool full = false;  // then a key must be above that of the last one
  Keys keys;
  for (std::int64_t i = 0; i < s.length; i += kBlock) {
    if (i / kBlock % kBlocksBetweenChecks == 0) base::check_stop();
    const std::int64_t here = std::min(kBlock, s.length - i);
    if (full && floats != nullptr && here == kBlock && !any_passes(floats + i, floats[found[k - 1].place], s.largest))
      continue;
    keys_of(dtype, row, i, here, flip, keys);
    for (std::int64_t j = 0; j < here; ++j) {
      const std::uint64_t key = keys[static_cast<std::size_t>(j)];
      if (full && key <= found[k - 1].key) continue;
      found[count++] = {key, i + j};
      if (count < room || count <= k) continue;
      keep_k(count);
      count = k;
      full = true;
    }
  }
  if (count > k) keep_k(count);
  std::sort(found, found + k);
}

}  // namespace

std::uint64_t TopShape::scratch_bytes() const noexcept {
  return slots_of(*this) * room_of(*this) * sizeof(Candidate);
}

void top(const TopShape& s, TensorView x, MutableTensorView values, MutableTensorView places,
         std::span<std::byte> scratch) {
  if (s.k == 0 || s.outer * s.inner == 0) return;
  const std::size_t room = room_of(s), count = slots_of(s);
  const std::size_t slot_count = std::min(count, scratch.size() / (room * sizeof(Candidate)));
  ScratchSlots slots(scratch.first(slot_count * room * sizeof(Candidate)), slot_count);
  const std::size_t grain = std::max<std::size_t>(1, kElementGrain / static_cast<std::size_t>(s.length));
  const auto width = static_cast<std::int64_t>(dtype_bits(x.dtype()) / 8);
  auto* const out_places = reinterpret_cast<std::int64_t*>(places.data());
  base::parallel_for(0, static_cast<std::size_t>(s.outer * s.inner), grain, [&](std::size_t begin, std::size_t end) {
    const ScratchSlots::Slot slot(slots);
    auto* const found = reinterpret_cast<Candidate*>(slot.data());
    for (auto row = static_cast<std::int64_t>(begin); row < static_cast<std::int64_t>(end); ++row) {
      const std::byte* from = x.data() + (row / s.inner * s.length * s.inner + row % s.inner) * width;
      const std::int64_t to = row / s.inner * s.k * s.inner + row % s.inner;
      find_first(s, x.dtype(), {from, s.inner}, found, room);
      for (std::int64_t i = 0; i < s.k; ++i) {
        const std::int64_t place = found[i].place;
        std::memcpy(values.data() + (to + i * s.inner) * width, from + place * s.inner * width,
                    static_cast<std::size_t>(width));
        if (out_places != nullptr) out_places[to + i * s.inner] = place;
      }
    }
  });
}

}  // namespace skerry::kernels
