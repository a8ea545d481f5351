#include "sim/gradient/gradient_core.hpp"

#include <algorithm>

#include "base/threads.hpp"
#include "sim/gradient/derivative_states.hpp"
#include "sim/gradient/lane_run.hpp"

namespace skerry::sim {
namespace {

/// States of a batch, kets and bras of all lanes, live in the second-level cache up to here.
constexpr std::uint64_t kBatchBytes = std::uint64_t{4} << 20;
/// Below, one block: a circuit of so few amplitudes is done before a second thread has woken up.
constexpr int kSerialWires = 12;

/// A block of a ket and a bra takes half of a usual second-level cache, in either precision.
template <class T>
constexpr int kBlockWires = sizeof(T) == 4 ? 15 : 14;

int block_wires(int wires, int largest) {
  if (wires <= kSerialWires) return wires;
  // At least eight blocks, so that threads have something to share.
  return std::min(largest, wires - 3);
}

template <class T>
class Core final : public GradientCore {
 public:
  Core(const Circuit& circuit, std::span<const Observable> observables, std::span<const TapeMember> members)
      : circuit_(circuit), observables_(observables) {
    const int bits = kernels::lane_bits<T>();
    const int wires = static_cast<int>(circuit.num_wires());
    single_ = make_tape(circuit, members, {bits, false, block_wires(wires, kBlockWires<T>)});
    batch_ = make_tape(circuit, members, {bits, true, 64});
    for (const Observable& observable : observables) {
      const double one = 1.0;
      single_sums_.push_back(lane_sum<T>(std::span(&observable, 1), std::span(&one, 1), single_));
      batch_sums_.push_back(lane_sum<T>(std::span(&observable, 1), std::span(&one, 1), batch_));
    }
  }

  std::vector<double> values(std::span<const double> slots, std::size_t rows,
                             const Resources& resources) const override {
    std::vector<double> out(rows * observables_.size());
    for_rows(slots, rows, 0, resources, [&](LaneRun<T>& run, std::size_t first, const auto& sums) {
      run.forward();
      observe(run, first, sums, 0, out);
    });
    return out;
  }

  std::uint64_t values_bytes(std::size_t rows) const noexcept override {
    return LaneRun<T>::bytes(runs_alone(rows, 0) ? single_ : batch_, 0);
  }

  SlotGradients adjoint(std::span<const double> slots, std::size_t rows, const Resources& resources) const override {
    const std::size_t count = observables_.size(), width = slots.size() / rows;
    SlotGradients out{std::vector<double>(rows * count), std::vector<double>(rows * count * width)};
    for_rows(slots, rows, count, resources, [&](LaneRun<T>& run, std::size_t first, const auto& sums) {
      run.forward();
      observe(run, first, sums, count, out.values);
      run.backward(std::span(out.derivatives).subspan(first * count * width, run.rows() * count * width));
    });
    return out;
  }

  SlotGradients weighted(std::span<const double> slots, std::size_t rows, std::span<const double> weights,
                         const Resources& resources) const override {
    const std::size_t count = observables_.size(), width = slots.size() / rows;
    SlotGradients out{std::vector<double>(rows * count), std::vector<double>(rows * width)};
    LaneRun<T> run(circuit_, single_, 1, resources.memory, resources.control);
    std::vector<double> ignored(1);
    for (std::size_t row = 0; row < rows; ++row) {
      run.bind(slots.subspan(row * width, width), 1, width);
      run.forward();
      observe(run, row, single_sums_, 0, out.values);
      run.observe(lane_sum<T>(observables_, weights.subspan(row * count, count), single_), 0, ignored);
      run.backward(std::span(out.derivatives).subspan(row * width, width));
    }
    return out;
  }

  void probabilities(std::span<const double> slots, std::size_t rows, std::span<const std::uint32_t> wires,
                     std::span<double> out, const Resources& resources) const override {
    const std::size_t entries = std::size_t{1} << wires.size();
    for_rows(slots, rows, 0, resources, [&](LaneRun<T>& run, std::size_t first, const auto& sums) {
      run.forward();
      const bool is_batch = &sums == &batch_sums_;
      add_probabilities(run, is_batch ? batch_ : single_, wires, out.subspan(first * entries, run.rows() * entries));
    });
  }

  std::vector<double> fisher(std::span<const double> slots, std::span<const double> jacobian, std::size_t parameters,
                             const Resources& resources) const override {
    return DerivativeStates<T>(circuit_, batch_, slots, jacobian, parameters, resources).fisher();
  }

 private:
  using Sums = std::vector<kernels::LaneSum<T>>;

  /// Row after row, each on all threads.
  bool runs_alone(std::size_t rows, std::size_t bras) const noexcept {
    return rows == 1 || LaneRun<T>::bytes(batch_, bras) > kBatchBytes;
  }

  /// Calls fn(run, first row, sums) with runs whose angles are bound, for all rows.
  template <class Function>
  void for_rows(std::span<const double> slots, std::size_t rows, std::size_t bras, const Resources& resources,
                Function fn) const {
    const std::size_t width = slots.size() / rows;
    if (runs_alone(rows, bras)) {
      LaneRun<T> run(circuit_, single_, bras, resources.memory, resources.control);
      for (std::size_t row = 0; row < rows; ++row) {
        run.bind(slots.subspan(row * width, width), 1, width);
        fn(run, row, single_sums_);
      }
      return;
    }
    const std::size_t lanes = std::size_t{1} << batch_.layout.lane_bits;
    const std::size_t chunks = (rows + lanes - 1) / lanes;
    // A few chunks to a piece, so that memory is taken once for all of them.
    const std::size_t piece = std::max<std::size_t>(chunks / 16, 1);
    base::parallel_for(0, chunks, piece, [&](std::size_t begin, std::size_t end) {
      LaneRun<T> run(circuit_, batch_, bras, resources.memory, resources.control);
      for (std::size_t chunk = begin; chunk < end; ++chunk) {
        const std::size_t first = chunk * lanes, count = std::min(lanes, rows - first);
        resources.control.check("batch");
        run.bind(slots.subspan(first * width, count * width), count, width);
        fn(run, first, batch_sums_);
      }
    });
  }

  void observe(LaneRun<T>& run, std::size_t first, const Sums& sums, std::size_t bras, std::span<double> out) const {
    std::vector<double> values(run.rows());
    for (std::size_t o = 0; o < sums.size(); ++o) {
      std::ranges::fill(values, 0.0);
      run.observe(sums[o], bras == 0 ? LaneRun<T>::kNoBra : o, values);
      for (std::size_t row = 0; row < run.rows(); ++row) out[(first + row) * sums.size() + o] = values[row];
    }
  }

  static void add_probabilities(LaneRun<T>& run, const GateTape& tape, std::span<const std::uint32_t> wires,
                                std::span<double> out) {
    const std::size_t lanes = run.lanes();
    const int bits = tape.layout.lane_bits;
    const auto ket = run.ket();
    std::vector<std::uint32_t> places;
    for (const std::uint32_t wire : wires) places.push_back(tape.positions[wire]);
    const auto outcome = [&](std::size_t index) {
      std::size_t bitsum = 0;
      for (std::size_t j = 0; j < places.size(); ++j) bitsum |= (index >> places[j] & 1) << j;
      return bitsum;
    };
    const std::size_t entries = std::size_t{1} << wires.size();
    std::vector<std::size_t> low(lanes);
    for (std::size_t lane = 0; lane < lanes; ++lane) low[lane] = outcome(lane);
    for (std::size_t v = 0; v < ket.vectors(); ++v) {
      const std::size_t high = outcome(v << bits);
      const T* x = ket.data + 2 * lanes * v;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const double re = x[lane], im = x[lane + lanes];
        const std::size_t row = tape.layout.is_batch ? lane : 0;
        if (row < run.rows()) out[row * entries + (high | (tape.layout.is_batch ? 0 : low[lane]))] += re * re + im * im;
      }
    }
  }

  const Circuit& circuit_;
  std::span<const Observable> observables_;
  GateTape single_, batch_;
  Sums single_sums_, batch_sums_;
};

}  // namespace

std::unique_ptr<GradientCore> make_gradient_core(const Circuit& circuit, std::span<const Observable> observables,
                                                 std::span<const TapeMember> members, Precision precision) {
  if (precision == Precision::single_precision) return std::make_unique<Core<float>>(circuit, observables, members);
  return std::make_unique<Core<double>>(circuit, observables, members);
}

}  // namespace skerry::sim
