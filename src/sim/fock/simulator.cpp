// The batch loop: blocks of samples go through all steps one after the other, each with one working memory.

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/photonic.hpp>
#include <string>
#include <type_traits>

#include "base/memory.hpp"
#include "base/threads.hpp"
#include "base/trace.hpp"
#include "sim/fock/matrices.hpp"

namespace skerry::photonic {

using kernels::fock::KetKernels;
using kernels::fock::ModeLayout;
using kernels::fock::Moments;
using sim::fock::Folded;
using sim::fock::Matrices;
using sim::fock::Phase;
using sim::fock::StepMatrices;

/// One batch's arrays, so that they travel together.
struct Batch {
  std::size_t size;
  const FockInputs* inputs;
  const FockOutputs* outputs;
  const FockCotangents* cotangents = nullptr;
  const FockGradients* gradients = nullptr;
};

enum class Pass : std::uint8_t { forward, record, backward, both };

class FockSimulator::Impl {
 public:
  virtual ~Impl() = default;
  virtual std::uint64_t amplitudes() const noexcept = 0;
  virtual std::uint64_t workspace_bytes(bool with_gradient) const noexcept = 0;
  virtual void prepare(bool with_gradient) = 0;
  virtual void run(const Batch& batch, Pass pass) = 0;

  std::uint32_t modes = 0;
  std::vector<double> weights;
  Precision precision{};
  bool built = false, built_gradient = false;
};

namespace {

template <class T>
class Engine final : public FockSimulator::Impl {
 public:
  Engine(Folded folded, ModeLayout layout) : kernels_(kernels::fock::ket_kernels<T>()) {
    sites_.resize(folded.phases.size());
    for (std::size_t place = 0; place < folded.phases.size(); ++place)
      for (const Phase& phase : folded.phases[place]) add_site(place, phase, layout);
    matrices_.emplace(std::move(folded), std::move(layout));
    const auto steps = matrices_->steps();
    step_values_.assign(steps.size(), -1);
    for (std::size_t s = 0; s < steps.size(); ++s) {
      labels_.push_back(label(steps[s].step));
      const Param& param = steps[s].step.param;
      if (param.is_constant()) continue;
      step_values_[s] = static_cast<std::int32_t>(values_);
      contributions_.push_back({static_cast<std::uint32_t>(param.weight), values_++, param.scale});
    }
  }

  std::uint64_t amplitudes() const noexcept override { return matrices_->layout().amplitudes; }

  std::uint64_t workspace_bytes(bool with_gradient) const noexcept override {
    return plan(kernels_.max_lanes, with_gradient).total * sizeof(T);
  }

  void prepare(bool with_gradient) override {
    if (built && (built_gradient || !with_gradient)) return;
    built = false;
    const base::TraceSpan span("matrices", "fock");
    matrices_->build(weights, with_gradient);
    built = true;
    built_gradient = with_gradient;
  }

  void run(const Batch& batch, Pass pass) override {
    const bool sums_weights = batch.gradients != nullptr && !batch.gradients->weights.empty();
    const std::size_t lanes = kernels_.max_lanes, blocks = (batch.size + lanes - 1) / lanes;
    if (sums_weights)
      sample_gradients_.assign(sample_stride(batch) * ((weights.size() + kAtOnce - 1) / kAtOnce * kAtOnce), 0.0);
    if (pass == Pass::backward && (tapes_.size() < blocks || recorded_ != batch.size))
      throw Error(ErrorCode::invalid_argument,
                  "a backward pass of " + std::to_string(batch.size) + " samples after a record of " +
                      std::to_string(recorded_),
                  "Fock simulator", "call record() with the same batch first");
    if (pass == Pass::record) {
      if (tapes_.size() < blocks) tapes_.resize(blocks);
      recorded_ = batch.size;
    }
    base::parallel_for(0, blocks, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t block = begin; block < end; ++block) run_block(batch, block, pass);
    });
    if (!sums_weights) return;
    // Each weight's sum goes through the samples in order; several weights at once, so that none waits for its own sum.
    for (std::size_t first = 0; first < weights.size(); first += kAtOnce) {
      const std::size_t count = std::min(kAtOnce, weights.size() - first), stride = sample_stride(batch);
      const double* rows = sample_gradients_.data() + first * stride;
      double sums[kAtOnce] = {};
      for (std::size_t sample = 0; sample < batch.size; ++sample)
        for (std::size_t i = 0; i < kAtOnce; ++i) sums[i] += rows[i * stride + sample];
      std::copy_n(sums, count, batch.gradients->weights.begin() + static_cast<std::ptrdiff_t>(first));
    }
  }

 private:
  /// A step's name in traces: its gate and modes; the phases after it are a part of it.
  static std::string label(const sim::fock::Step& step) {
    std::string text(gate_name(step.gate));
    text += " " + std::to_string(step.modes[0]);
    return step.modes[1] != step.modes[0] ? text + " " + std::to_string(step.modes[1]) : text;
  }

  /// Where the parts of a working memory begin, in elements.
  struct Workspace {
    std::size_t kets, lambdas, phases, alphas, starts, scratch, numbers, values, overlaps, total;
  };

  /// The phases at one place that depend on weights: for each function g its table and the value it adds to.
  struct Sites {
    std::vector<const T*> tables;
    std::vector<std::uint32_t> values;
  };

  void add_site(std::size_t place, const Phase& phase, const ModeLayout& layout) {
    const Param& param = phase.param;
    if (param.is_constant()) return;
    std::size_t index = 0;
    while (index < phases_.size() && !phases_[index].same_function(phase)) ++index;
    if (index == phases_.size()) {
      phases_.push_back(phase);
      const std::vector<double> g = sim::fock::phase_function(phase, layout);
      tables_.emplace_back(g.begin(), g.end());
    }
    Sites& sites = sites_[place];
    const T* table = tables_[index].data();
    const auto found = std::find(sites.tables.begin(), sites.tables.end(), table);
    const auto at = static_cast<std::size_t>(found - sites.tables.begin());
    if (found == sites.tables.end()) {
      sites.tables.push_back(table);
      sites.values.push_back(values_++);
    }
    contributions_.push_back(
        {static_cast<std::uint32_t>(param.weight), sites.values[at], phase.coefficient * param.scale});
  }

  Workspace plan(std::size_t lanes, bool with_gradient) const noexcept {
    const ModeLayout& layout = matrices_->layout();
    const std::size_t ket = 2 * layout.amplitudes * lanes, modes_lanes = layout.cutoffs.size() * lanes;
    const std::size_t longest = *std::max_element(layout.cutoffs.begin(), layout.cutoffs.end());
    Workspace w{};
    std::size_t at = 0;
    const auto take = [&at](std::size_t count) {
      const std::size_t here = at;
      at += (count + 15) / 16 * 16;
      return here;
    };
    w.kets = take(ket * (with_gradient ? matrices_->steps().size() + 2 : 2));
    w.lambdas = take(with_gradient ? 3 * ket : 0);
    w.phases = take(matrices_->phase_room());
    w.alphas = take(2 * modes_lanes);
    w.starts = take(modes_lanes);
    w.scratch = take(2 * longest * lanes);
    w.numbers = take(6 * modes_lanes + lanes);
    w.values = take(with_gradient ? values_ * lanes : 0);
    w.overlaps = take(with_gradient ? 2 * lanes + 2 * modes_lanes : 0);
    w.total = at;
    return w;
  }

  /// A working memory from the pool; a new one when all are in use.
  base::Buffer take_workspace(std::uint64_t bytes) {
    {
      const std::scoped_lock lock(mutex_);
      for (std::size_t i = 0; i < pool_.size(); ++i)
        if (pool_[i].bytes() >= bytes) {
          base::Buffer buffer = std::move(pool_[i]);
          pool_.erase(pool_.begin() + static_cast<std::ptrdiff_t>(i));
          return buffer;
        }
      if (!pool_.empty()) pool_.pop_back();  // too small for this kind of call
    }
    return base::Buffer::allocate(bytes, memory_, "Fock kets");
  }

  void give_back(base::Buffer buffer) {
    const std::scoped_lock lock(mutex_);
    pool_.push_back(std::move(buffer));
  }

  void run_block(const Batch& batch, std::size_t block, Pass pass) {
    const std::size_t begin = block * kernels_.max_lanes, end = std::min(batch.size, begin + kernels_.max_lanes);
    std::size_t lanes = kernels_.max_lanes;
    while (lanes / 2 >= end - begin && lanes / 2 >= kernels_.min_lanes) lanes /= 2;
    const bool keeps = pass != Pass::forward, recorded = pass == Pass::record || pass == Pass::backward;
    const Workspace w = plan(lanes, keeps);
    base::Buffer buffer = recorded ? std::move(tapes_[block]) : take_workspace(workspace_bytes(keeps));
    if (recorded && buffer.bytes() < workspace_bytes(true))
      buffer = base::Buffer::allocate(workspace_bytes(true), memory_, "Fock kets");
    T* memory = buffer.as<T>().data();
    const T* ket = memory + w.kets + 2 * matrices_->steps().size() * matrices_->layout().amplitudes * lanes;
    if (pass != Pass::backward) {
      ket = forward(batch, begin, end, lanes, w, memory, keeps);
      write_outputs(batch, begin, end, lanes, w, memory, ket);
    }
    if (pass == Pass::backward || pass == Pass::both) backward(batch, begin, end, lanes, w, memory, ket);
    if (recorded) {
      tapes_[block] = std::move(buffer);
    } else {
      give_back(std::move(buffer));
    }
  }

  T* forward(const Batch& batch, std::size_t begin, std::size_t end, std::size_t lanes, const Workspace& w, T* memory,
             bool keep) const {
    const ModeLayout& layout = matrices_->layout();
    const std::size_t ket = 2 * layout.amplitudes * lanes;
    for (std::size_t k = 0; k < modes; ++k)
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::size_t at = (begin + lane) * modes + k;
        const bool given = begin + lane < end && !batch.inputs->alphas_re.empty();
        const double re = given ? batch.inputs->alphas_re[at] : 0.0, im = given ? batch.inputs->alphas_im[at] : 0.0;
        memory[w.alphas + 2 * k * lanes + lane] = static_cast<T>(re);
        memory[w.alphas + (2 * k + 1) * lanes + lane] = static_cast<T>(im);
        memory[w.starts + k * lanes + lane] = static_cast<T>(std::exp(-(re * re + im * im) / 2));
      }
    T *first = memory + w.kets, *from = keep ? initial_ket(w, memory, lanes) : first;
    std::optional<base::TraceSpan> span(std::in_place, "encoding", "fock");
    if (batch.inputs->kets.empty()) {
      kernels_.coherent(lanes, layout, memory + w.alphas, memory + w.starts, memory + w.scratch, from);
    } else {
      read_kets(batch.inputs->kets, begin, end, lanes, from);
    }
    const auto steps = matrices_->steps();
    if (matrices_->has_phases(0)) {
      kernels_.turn(lanes, layout.amplitudes, matrices_->phases(0, memory + w.phases), false, from, first);
      from = first;
    }
    span.reset();
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const base::TraceSpan step_span(labels_[s], "fock");
      T* to = memory + w.kets + (keep ? s + 1 : (s + 1) % 2) * ket;
      kernels_.apply(lanes, steps[s].gate, matrices_->phases(s + 1, memory + w.phases), from, to);
      from = to;
    }
    return from;
  }

  /// Where a kept batch begins: before the first phases, if there are any.
  T* initial_ket(const Workspace& w, T* memory, std::size_t lanes) const {
    const std::size_t place = matrices_->has_phases(0) ? matrices_->steps().size() + 1 : 0;
    return memory + w.kets + place * 2 * matrices_->layout().amplitudes * lanes;
  }

  void read_kets(std::span<const std::complex<double>> kets, std::size_t begin, std::size_t end, std::size_t lanes,
                 T* to) const {
    const std::size_t size = matrices_->layout().amplitudes;
    for (std::size_t n = 0; n < size; ++n)
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::complex<double> c = begin + lane < end ? kets[(begin + lane) * size + n] : 0.0;
        to[2 * n * lanes + lane] = static_cast<T>(c.real());
        to[(2 * n + 1) * lanes + lane] = static_cast<T>(c.imag());
      }
  }

  void write_outputs(const Batch& batch, std::size_t begin, std::size_t end, std::size_t lanes, const Workspace& w,
                     T* memory, const T* ket) const {
    const base::TraceSpan span("outputs", "fock");
    const FockOutputs& out = *batch.outputs;
    const std::size_t stride = modes * lanes;
    T* numbers = memory + w.numbers;
    Moments<T> moments;
    const bool quadratures = !out.x.empty() || !out.p.empty(), counts = !out.n.empty() || !out.n2.empty();
    const bool pairs = !out.a2_re.empty() || !out.a2_im.empty();
    if (quadratures) moments.x = numbers, moments.p = numbers + stride;
    if (counts) moments.n = numbers + 2 * stride, moments.n2 = numbers + 3 * stride;
    if (pairs) moments.a2_re = numbers + 4 * stride, moments.a2_im = numbers + 5 * stride;
    if (!out.norm.empty()) moments.norm = numbers + 6 * stride;
    if (quadratures || counts || pairs || !out.norm.empty()) kernels_.moments(lanes, matrices_->layout(), ket, moments);
    const auto scatter = [&](std::span<double> to, const T* from, std::size_t each) {
      if (to.empty()) return;
      for (std::size_t k = 0; k < each; ++k)
        for (std::size_t i = begin; i < end; ++i) to[i * each + k] = static_cast<double>(from[k * lanes + i - begin]);
    };
    scatter(out.x, moments.x, modes);
    scatter(out.p, moments.p, modes);
    scatter(out.n, moments.n, modes);
    scatter(out.n2, moments.n2, modes);
    scatter(out.a2_re, moments.a2_re, modes);
    scatter(out.a2_im, moments.a2_im, modes);
    scatter(out.norm, moments.norm, 1);
    if (out.kets.empty()) return;
    const std::size_t size = matrices_->layout().amplitudes;
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t n = 0; n < size; ++n)
        out.kets[i * size + n] = {static_cast<double>(ket[2 * n * lanes + i - begin]),
                                  static_cast<double>(ket[(2 * n + 1) * lanes + i - begin])};
  }

  void start_lambda(const Batch& batch, std::size_t begin, std::size_t end, std::size_t lanes, const Workspace& w,
                    T* memory, const T* ket, T* lambda) const {
    const FockCotangents& given = *batch.cotangents;
    T* next = memory + w.numbers;
    const auto gather = [&](std::span<const double> from, std::size_t each) -> const T* {
      if (from.empty()) return nullptr;
      T* to = next;
      next += each * lanes;
      for (std::size_t k = 0; k < each; ++k)
        for (std::size_t lane = 0; lane < lanes; ++lane)
          to[k * lanes + lane] = begin + lane < end ? static_cast<T>(from[(begin + lane) * each + k]) : T(0);
      return to;
    };
    Moments<const T> moments;
    moments.norm = gather(given.norm, 1);
    moments.x = gather(given.x, modes);
    moments.p = gather(given.p, modes);
    moments.n = gather(given.n, modes);
    moments.n2 = gather(given.n2, modes);
    kernels_.moments_gradient(lanes, matrices_->layout(), ket, moments, lambda);
    if (given.kets.empty()) return;
    const std::size_t size = matrices_->layout().amplitudes;
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t n = 0; n < size; ++n) {
        const std::complex<double> c = given.kets[i * size + n];
        lambda[2 * n * lanes + i - begin] += static_cast<T>(c.real() / 2);
        lambda[(2 * n + 1) * lanes + i - begin] += static_cast<T>(c.imag() / 2);
      }
  }

  /// Walks back with two cotangents: `plain` of the ket that was kept, which is the one after its place's phases, and
  /// `turned` of the ket before them.
  void backward(const Batch& batch, std::size_t begin, std::size_t end, std::size_t lanes, const Workspace& w,
                T* memory, const T* ket) {
    const std::size_t amplitudes = matrices_->layout().amplitudes, size = 2 * amplitudes * lanes;
    T *plain = memory + w.lambdas, *turned = plain + size, *other = turned + size;
    const auto phases = [&](std::size_t place) { return matrices_->phases(place, memory + w.phases); };
    start_lambda(batch, begin, end, lanes, w, memory, ket, plain);
    const auto steps = matrices_->steps();
    sum_sites(steps.size(), lanes, w, memory, ket, plain);
    if (matrices_->has_phases(steps.size())) {
      kernels_.turn(lanes, amplitudes, phases(steps.size()), true, plain, turned);
    } else {
      std::swap(plain, turned);
    }
    for (std::size_t s = steps.size(); s > 0; --s) {
      const base::TraceSpan span(labels_[s - 1], "fock backward");
      const StepMatrices<T>& step = steps[s - 1];
      const T* before = memory + w.kets + (s - 1) * size;
      T* sum =
          step_values_[s - 1] < 0 ? nullptr : memory + w.values + static_cast<std::size_t>(step_values_[s - 1]) * lanes;
      kernels_.apply_adjoint(lanes, step.gate, phases(s - 1), turned, plain, other);
      if (sum != nullptr && step.has_links) {
        kernels_.link_gradient(lanes, step.gate, before, plain, turned, sum);
      } else if (sum != nullptr) {
        kernels_.overlap_gradient(lanes, step.derivative, before, turned, sum);
      }
      sum_sites(s - 1, lanes, w, memory, before, plain);
      std::swap(turned, matrices_->has_phases(s - 1) ? other : plain);
    }
    write_gradients(batch, begin, end, lanes, w, memory, turned);
  }

  void sum_sites(std::size_t place, std::size_t lanes, const Workspace& w, T* memory, const T* psi,
                 const T* lambda) const {
    const Sites& sites = sites_[place];
    for (std::size_t first = 0; first < sites.tables.size(); first += kTogether) {
      const std::size_t count = std::min(kTogether, sites.tables.size() - first);
      T* sums[kTogether];
      for (std::size_t i = 0; i < count; ++i) sums[i] = memory + w.values + sites.values[first + i] * lanes;
      kernels_.phase_gradients(lanes, matrices_->layout().amplitudes, std::span(sites.tables).subspan(first, count),
                               psi, lambda, sums);
    }
  }

  /// The batch with the lanes of its last block that no sample fills.
  std::size_t sample_stride(const Batch& batch) const noexcept {
    return (batch.size + kernels_.max_lanes - 1) / kernels_.max_lanes * kernels_.max_lanes;
  }

  void write_gradients(const Batch& batch, std::size_t begin, std::size_t end, std::size_t lanes, const Workspace& w,
                       T* memory, const T* lambda) {
    const FockGradients& out = *batch.gradients;
    if (!out.weights.empty())
      kernels_.add_terms(lanes, contributions_, memory + w.values, sample_stride(batch),
                         sample_gradients_.data() + begin);
    if (!out.kets.empty()) {
      const std::size_t size = matrices_->layout().amplitudes;
      for (std::size_t i = begin; i < end; ++i)
        for (std::size_t n = 0; n < size; ++n)
          out.kets[i * size + n] = {2 * static_cast<double>(lambda[2 * n * lanes + i - begin]),
                                    2 * static_cast<double>(lambda[(2 * n + 1) * lanes + i - begin])};
    }
    if (out.alphas_re.empty()) return;
    // A coherent vector's derivatives: by Re alpha (a^ - Re alpha), by Im alpha (i a^ - Im alpha).
    T* overlaps = memory + w.overlaps;
    kernels_.raised_overlaps(lanes, matrices_->layout(), initial_ket(w, memory, lanes), lambda, overlaps);
    for (std::size_t k = 0; k < modes; ++k)
      for (std::size_t i = begin; i < end; ++i) {
        const std::size_t lane = i - begin;
        const auto part = [&](std::size_t index) { return static_cast<double>(overlaps[index * lanes + lane]); };
        const auto alpha = [&](std::size_t index) {
          return static_cast<double>(memory[w.alphas + (2 * k + index) * lanes + lane]);
        };
        out.alphas_re[i * modes + k] = 2 * (part(2 + 2 * k) - alpha(0) * part(0));
        out.alphas_im[i * modes + k] = 2 * (-part(3 + 2 * k) - alpha(1) * part(0));
      }
  }

  static constexpr std::size_t kTogether = 4, kAtOnce = 8;

  const KetKernels<T>& kernels_;
  std::optional<Matrices<T>> matrices_;
  std::vector<std::string> labels_;        // of the steps
  std::vector<std::int32_t> step_values_;  // for each step its value, -1 for none
  std::vector<Sites> sites_;               // for each place
  std::vector<Phase> phases_;
  std::vector<std::vector<T>> tables_;              // g(n) of phases_
  std::vector<kernels::fock::Term> contributions_;  // a weight's gradient is the sum of coefficient * value
  std::uint32_t values_ = 0;
  std::vector<double> sample_gradients_;  // [weights, up to a multiple of kAtOnce][sample_stride()]
  base::MemoryBudget memory_;
  std::mutex mutex_;
  std::vector<base::Buffer> pool_;
  std::vector<base::Buffer> tapes_;  // of record(), one for each block
  std::size_t recorded_ = 0;
};

void need(std::size_t given, std::size_t wanted, const char* what) {
  if (given == 0 || given == wanted) return;
  throw Error(ErrorCode::invalid_argument,
              std::string(what) + " has " + std::to_string(given) + " numbers, not " + std::to_string(wanted),
              "Fock simulator", "pass batch times modes (or amplitudes)");
}

void check(const Batch& batch, const FockSimulator::Impl& impl) {
  const std::size_t modes = impl.modes, amplitudes = impl.amplitudes();
  const std::size_t all = batch.size * modes;
  need(batch.inputs->alphas_re.size(), all, "alphas_re");
  need(batch.inputs->alphas_im.size(), batch.inputs->alphas_re.empty() ? 0 : all, "alphas_im");
  if (batch.inputs->alphas_re.size() != batch.inputs->alphas_im.size())
    throw Error(ErrorCode::invalid_argument, "alphas without their imaginary parts", "Fock simulator", "pass both");
  need(batch.outputs->norm.size(), batch.size, "norm");
  for (const auto& [span, name] : {std::pair(batch.outputs->x, "x"), std::pair(batch.outputs->p, "p"),
                                   std::pair(batch.outputs->n, "n"), std::pair(batch.outputs->n2, "n2"),
                                   std::pair(batch.outputs->a2_re, "a2_re"), std::pair(batch.outputs->a2_im, "a2_im")})
    need(span.size(), all, name);
  need(batch.inputs->kets.size(), batch.size * amplitudes, "initial kets");
  need(batch.outputs->kets.size(), batch.size * amplitudes, "kets");
  if (batch.cotangents == nullptr) return;
  need(batch.cotangents->norm.size(), batch.size, "cotangent of norm");
  for (const auto& [span, name] :
       {std::pair(batch.cotangents->x, "cotangent of x"), std::pair(batch.cotangents->p, "cotangent of p"),
        std::pair(batch.cotangents->n, "cotangent of n"), std::pair(batch.cotangents->n2, "cotangent of n2")})
    need(span.size(), all, name);
  need(batch.cotangents->kets.size(), batch.size * amplitudes, "cotangent of kets");
  need(batch.gradients->weights.size(), impl.weights.size(), "gradient of weights");
  need(batch.gradients->alphas_re.size(), all, "gradient of alphas_re");
  need(batch.gradients->alphas_im.size(), batch.gradients->alphas_re.size(), "gradient of alphas_im");
  need(batch.gradients->kets.size(), batch.size * amplitudes, "gradient of kets");
}

}  // namespace

FockSimulator::FockSimulator(const Circuit& circuit, std::span<const std::uint32_t> cutoffs, Precision precision)
    : FockSimulator(circuit, cutoffs, precision, false) {}

FockSimulator FockSimulator::density_form(const Circuit& circuit, std::span<const std::uint32_t> cutoffs,
                                          Precision precision) {
  return {circuit, cutoffs, precision, true};
}

FockSimulator::FockSimulator(const Circuit& circuit, std::span<const std::uint32_t> cutoffs, Precision precision,
                             bool is_density) {
  if (cutoffs.size() != circuit.modes())
    throw Error(ErrorCode::invalid_argument,
                std::to_string(cutoffs.size()) + " cutoffs for " + std::to_string(circuit.modes()) + " modes",
                "Fock simulator", "pass one for each mode");
  for (const std::uint32_t cutoff : cutoffs)
    if (cutoff == 0 || cutoff > kMaxCutoff)
      throw Error(ErrorCode::out_of_range, "cutoff " + std::to_string(cutoff), "Fock simulator",
                  "take 1 to " + std::to_string(kMaxCutoff));
  std::vector<std::uint32_t> all(cutoffs.begin(), cutoffs.end());
  if (is_density) all.insert(all.end(), cutoffs.begin(), cutoffs.end());
  Folded folded = is_density ? sim::fock::fold_density(circuit) : sim::fock::fold(circuit);
  if (precision == Precision::single_precision) {
    impl_ = std::make_unique<Engine<float>>(std::move(folded), sim::fock::layout_of(all));
  } else {
    impl_ = std::make_unique<Engine<double>>(std::move(folded), sim::fock::layout_of(all));
  }
  impl_->modes = static_cast<std::uint32_t>(all.size());
  impl_->precision = precision;
  impl_->weights.assign(circuit.weights(), 0.0);
}

FockSimulator::FockSimulator(FockSimulator&&) noexcept = default;
FockSimulator& FockSimulator::operator=(FockSimulator&&) noexcept = default;
FockSimulator::~FockSimulator() = default;

std::uint32_t FockSimulator::modes() const noexcept {
  return impl_->modes;
}
std::uint32_t FockSimulator::weights() const noexcept {
  return static_cast<std::uint32_t>(impl_->weights.size());
}
std::uint64_t FockSimulator::amplitudes() const noexcept {
  return impl_->amplitudes();
}
Precision FockSimulator::precision() const noexcept {
  return impl_->precision;
}
std::uint64_t FockSimulator::workspace_bytes(bool with_gradient) const noexcept {
  return impl_->workspace_bytes(with_gradient);
}

void FockSimulator::set_weights(std::span<const double> weights) {
  if (weights.size() != impl_->weights.size())
    throw Error(ErrorCode::invalid_argument,
                std::to_string(weights.size()) + " weights for a circuit of " + std::to_string(impl_->weights.size()),
                "Fock simulator", "pass one for each weight");
  for (const double weight : weights)
    if (!std::isfinite(weight))
      throw Error(ErrorCode::invalid_argument, "a weight that is not finite", "Fock simulator", "pass numbers");
  if (std::equal(weights.begin(), weights.end(), impl_->weights.begin())) return;
  std::copy(weights.begin(), weights.end(), impl_->weights.begin());
  impl_->built = impl_->built_gradient = false;
}

void FockSimulator::forward(std::size_t batch, const FockInputs& inputs, const FockOutputs& outputs) {
  const Batch all{batch, &inputs, &outputs};
  check(all, *impl_);
  impl_->prepare(false);
  impl_->run(all, Pass::forward);
}

void FockSimulator::record(std::size_t batch, const FockInputs& inputs, const FockOutputs& outputs) {
  const Batch all{batch, &inputs, &outputs};
  check(all, *impl_);
  impl_->prepare(true);
  impl_->run(all, Pass::record);
}

void FockSimulator::backward(std::size_t batch, const FockCotangents& cotangents, const FockGradients& gradients) {
  const FockInputs no_inputs;
  const FockOutputs no_outputs;
  const Batch all{batch, &no_inputs, &no_outputs, &cotangents, &gradients};
  check(all, *impl_);
  impl_->run(all, Pass::backward);
}

void FockSimulator::gradient(std::size_t batch, const FockInputs& inputs, const FockOutputs& outputs,
                             const FockCotangents& cotangents, const FockGradients& gradients) {
  const Batch all{batch, &inputs, &outputs, &cotangents, &gradients};
  check(all, *impl_);
  impl_->prepare(true);
  impl_->run(all, Pass::both);
}

}  // namespace skerry::photonic
