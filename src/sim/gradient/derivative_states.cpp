#include "sim/gradient/derivative_states.hpp"

#include <algorithm>
#include <array>

namespace skerry::sim {

template <class T>
DerivativeStates<T>::DerivativeStates(const Circuit& circuit, const GateTape& tape, std::span<const double> slots,
                                      std::span<const double> jacobian, std::size_t parameters,
                                      const Resources& resources)
    : tape_(tape),
      slots_(slots),
      jacobian_(jacobian),
      parameters_(parameters),
      budget_(resources.memory),
      control_(resources.control),
      run_(circuit, tape, 0, resources.memory, resources.control),
      overlaps_(parameters) {
  run_.bind(slots, 1, slots.size());
  spare_ = base::Buffer::allocate_for<T>(chunk_numbers(), budget_, "derivative states");
  coefficients_ = base::Buffer::allocate_for<T>(32 * run_.lanes(), budget_, "gate coefficients");
}

template <class T>
std::uint64_t DerivativeStates<T>::chunk_numbers() const noexcept {
  return std::uint64_t{2} << (tape_.vector_wires + tape_.layout.lane_bits);
}
template <class T>
kernels::LaneView<T> DerivativeStates<T>::view(base::Buffer& buffer) const {
  return {buffer.template as<T>().data(), tape_.vector_wires};
}

/// Each lane's derivative of the node's matrix: the sum over its slots of the slot's share in the lane's parameter.
/// False when no lane has one.
template <class T>
bool DerivativeStates<T>::fill(const TapeNode& node, std::size_t chunk) {
  const std::size_t n = node.rows(), lanes = run_.lanes(), first = chunk * lanes;
  const auto out = coefficients_.template as<T>();
  std::ranges::fill(out, T(0));
  bool any = false;
  const auto matrices = run_.matrices(0);
  for (std::uint32_t m = node.first_member; m < node.first_member + node.member_count; ++m) {
    const TapeMember& member = tape_.members[m];
    std::array<double, 3> params{};
    for (std::size_t p = 0; p < member.parameters; ++p)
      params[p] = member.sources[p].slot == kNoExpr ? member.sources[p].constant : slots_[member.sources[p].slot];
    for (std::size_t p = 0; p < member.parameters; ++p) {
      if (member.sources[p].slot == kNoExpr) continue;
      const std::size_t lane_count = std::min(lanes, parameters_ - first);
      const auto share = jacobian_.subspan(member.sources[p].slot * parameters_ + first, lane_count);
      if (std::ranges::all_of(share, [](double x) { return x == 0.0; })) continue;
      any = true;
      std::array<Complex, 16> derivative;
      ops::gate_derivative(*member.record, std::span(params).first(member.parameters), static_cast<int>(p),
                           std::span(derivative).first(n * n));
      // The members before and after stay as they are.
      const auto product = [n](std::span<const Complex> a, std::span<const Complex> b) {
        std::array<Complex, 16> c{};
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t j = 0; j < n; ++j)
            for (std::size_t k = 0; k < n; ++k) c[i * n + j] += a[i * n + k] * b[k * n + j];
        return c;
      };
      for (std::uint32_t other = m; other-- > node.first_member;)
        derivative = product(derivative, matrices.subspan(tape_.members[other].matrix, n * n));
      for (std::uint32_t other = m + 1; other < node.first_member + node.member_count; ++other)
        derivative = product(matrices.subspan(tape_.members[other].matrix, n * n), derivative);
      const bool diagonal = node.gate.action == kernels::LaneAction::diagonal;
      // All wires lie above the lanes of a batch: slot bits are targets' bits, perhaps in another order.
      for (std::size_t r = 0; r < n; ++r) {
        for (std::size_t c = diagonal ? r : 0; c < (diagonal ? r + 1 : n); ++c) {
          T* to = out.data() + (diagonal ? r : r * n + c) * 2 * lanes;
          for (std::size_t lane = 0; lane < lane_count; ++lane) {
            to[lane] += static_cast<T>(share[lane] * derivative[r * n + c].real());
            to[lane + lanes] += static_cast<T>(share[lane] * derivative[r * n + c].imag());
          }
        }
      }
    }
  }
  return any;
}

/// out += (d node) ket.
template <class T>
void DerivativeStates<T>::inject(const TapeNode& node, std::size_t chunk, kernels::LaneView<T> ket,
                                 kernels::LaneView<T> out) {
  if (!node.has_slots || !fill(node, chunk)) return;
  const auto spare = view(spare_);
  std::copy_n(ket.data, chunk_numbers(), spare.data);
  kernels::lane_apply(spare, node.gate, coefficients_.template as<T>().data(), 0, node.gate.groups.count());
  const std::size_t stride = 2 * run_.lanes(), controls = node.gate.groups.controls();
  for (std::size_t v = 0; v < spare.vectors(); ++v) {
    if ((v & controls) != controls) continue;  // the gate does nothing there, nor does its derivative
    for (std::size_t i = v * stride; i < (v + 1) * stride; ++i) out.data[i] += spare.data[i];
  }
}

template <class T>
void DerivativeStates<T>::make(std::size_t chunk, base::Buffer& out) {
  const auto ket = run_.ket();
  const std::size_t lanes = run_.lanes();
  std::fill_n(ket.data, chunk_numbers(), T(0));
  std::fill_n(ket.data, lanes, T(1));
  const auto to = view(out);
  std::fill_n(to.data, chunk_numbers(), T(0));
  for (const TapeNode& node : tape_.nodes) {
    control_.check("quantum Fisher information");
    run_.apply(node, to);
    inject(node, chunk, ket, to);
    run_.apply(node, ket);
  }
  for (std::size_t lane = 0; lane < lanes && chunk * lanes + lane < parameters_; ++lane) {
    Complex overlap = 0;
    for (std::size_t v = 0; v < ket.vectors(); ++v) {
      const T* x = to.data + v * 2 * lanes + lane;
      const T* y = ket.data + v * 2 * lanes + lane;
      overlap += std::conj(Complex(x[0], x[lanes])) * Complex(y[0], y[lanes]);
    }
    overlaps_[chunk * lanes + lane] = overlap;
  }
}

template <class T>
std::vector<double> DerivativeStates<T>::fisher() {
  const std::size_t lanes = run_.lanes(), chunks = (parameters_ + lanes - 1) / lanes;
  const std::uint64_t chunk_bytes = chunk_numbers() * sizeof(T);
  const std::uint64_t room = budget_.limit() - std::min(budget_.limit(), budget_.used());
  // Two at least; what does not fit is refused by the allocation.
  const std::size_t kept = std::clamp<std::uint64_t>(room / chunk_bytes, 2, std::max<std::size_t>(chunks, 2));
  std::vector<base::Buffer> states;
  for (std::size_t i = 0; i < std::min(kept, chunks); ++i)
    states.push_back(base::Buffer::allocate_for<T>(chunk_numbers(), budget_, "derivative states"));
  std::vector<double> out(parameters_ * parameters_), gram(lanes * lanes);
  const auto add = [&](std::size_t a, base::Buffer& of_a, std::size_t b, base::Buffer& of_b) {
    std::ranges::fill(gram, 0.0);
    kernels::lane_gram(view(of_a), view(of_b), gram.data());
    for (std::size_t i = 0; i < lanes * lanes; ++i) {
      const std::size_t p = a * lanes + i / lanes, q = b * lanes + i % lanes;
      if (p >= parameters_ || q >= parameters_) continue;
      const double value = 4 * (gram[i] - (overlaps_[p] * std::conj(overlaps_[q])).real());
      out[p * parameters_ + q] = out[q * parameters_ + p] = value;
    }
  };
  // As many chunks stay as fit, less one that the others go through.
  const std::size_t group = kept >= chunks ? std::max<std::size_t>(chunks, 1) : kept - 1;
  for (std::size_t first = 0; first < chunks; first += group) {
    const std::size_t last = std::min(first + group, chunks);
    for (std::size_t a = first; a < last; ++a) {
      make(a, states[a - first]);
      for (std::size_t b = first; b <= a; ++b) add(b, states[b - first], a, states[a - first]);
    }
    for (std::size_t b = last; b < chunks; ++b) {
      make(b, states.back());
      for (std::size_t a = first; a < last; ++a) add(a, states[a - first], b, states.back());
    }
  }
  return out;
}

template class DerivativeStates<float>;
template class DerivativeStates<double>;

}  // namespace skerry::sim
