// Philox4x32-10 for as many shots side by side as a vector has 64-bit lanes; base/random.hpp says what is computed.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/statevec/draws_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <array>
#include <cstdint>
#include <span>

#include "kernels/statevec/draws.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void uniforms(std::uint64_t seed, std::span<const std::uint64_t> shots, std::uint64_t position, std::span<double> out) {
  const hn::ScalableTag<std::uint64_t> d;
  const hn::ScalableTag<std::uint32_t> d32;
  const std::size_t lanes = hn::Lanes(d);
  // A word of the generator is the lower half of a lane; what the upper half holds is never multiplied.
  const auto low = hn::Set(d, 0xffffffffU);
  const auto multiplier0 = hn::BitCast(d32, hn::Set(d, 0xD2511F53U)),
             multiplier1 = hn::BitCast(d32, hn::Set(d, 0xCD9E8D57U));
  const auto weyl0 = hn::Set(d, 0x9E3779B9U), weyl1 = hn::Set(d, 0xBB67AE85U);
  std::array<std::uint64_t, 64> streams{};
  std::array<double, 64> room{};
  for (std::size_t first = 0; first < shots.size(); first += lanes) {
    const std::size_t count = shots.size() - first < lanes ? shots.size() - first : lanes;
    const bool is_full = count == lanes;
    for (std::size_t i = 0; i < count && !is_full; ++i) streams[i] = shots[first + i];
    const auto stream = hn::LoadU(d, is_full ? shots.data() + first : streams.data());
    auto c0 = hn::Set(d, position / 4 & 0xffffffffU), c1 = hn::Set(d, position / 4 >> 32);
    auto c2 = hn::And(stream, low), c3 = hn::ShiftRight<32>(stream);
    auto key0 = hn::Set(d, seed & 0xffffffffU), key1 = hn::Set(d, seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const auto product0 = hn::MulEven(multiplier0, hn::BitCast(d32, c0));
      const auto product1 = hn::MulEven(multiplier1, hn::BitCast(d32, c2));
      c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product1), c1), key0);
      c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), c3), key1);
      c1 = product1;
      c3 = product0;
      key0 = hn::Add(key0, weyl0);
      key1 = hn::Add(key1, weyl1);
    }
    const bool second = (position & 3) != 0;
    const auto joined = hn::Or(hn::ShiftLeft<32>(second ? c3 : c1), hn::And(second ? c2 : c0, low));
    const auto bits = hn::BitCast(hn::RebindToSigned<decltype(d)>(), hn::ShiftRight<11>(joined));
    const hn::RebindToFloat<decltype(d)> real;
    const auto uniform = hn::Mul(hn::ConvertTo(real, bits), hn::Set(real, 0x1p-53));
    hn::StoreU(uniform, real, is_full ? out.data() + first : room.data());
    for (std::size_t i = 0; i < count && !is_full; ++i) out[first + i] = room[i];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
namespace {

HWY_EXPORT(uniforms);

}  // namespace

void shot_uniforms(std::uint64_t seed, std::span<const std::uint64_t> shots, std::uint64_t position,
                   std::span<double> out) {
  HWY_DYNAMIC_DISPATCH(uniforms)(seed, shots, position, out);
}

}  // namespace skerry::kernels
#endif
