#include "edge/cut/network.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/random.hpp"
#include "base/threads.hpp"

namespace skerry::edge::cut {
namespace {

using Complex = std::complex<double>;

/// For each value of some labels' bits, where they are in the tensor's index.
std::vector<std::uint64_t> offsets(const LabelledTensor& tensor, const std::vector<std::uint32_t>& labels) {
  std::vector<std::uint64_t> out(std::size_t{1} << labels.size());
  for (std::size_t k = 0; k < labels.size(); ++k) {
    const auto at = std::ranges::find(tensor.labels, labels[k]) - tensor.labels.begin();
    const std::uint64_t step = std::uint64_t{1} << at;
    for (std::size_t i = 0; i < std::size_t{1} << k; ++i) out[(std::size_t{1} << k) + i] = out[i] + step;
  }
  return out;
}

struct Shared {
  std::vector<std::uint32_t> common, left, right;
};

Shared shared(const LabelledTensor& a, const LabelledTensor& b) {
  Shared out;
  for (const std::uint32_t label : a.labels)
    (std::ranges::find(b.labels, label) != b.labels.end() ? out.common : out.left).push_back(label);
  for (const std::uint32_t label : b.labels) {
    if (std::ranges::find(a.labels, label) == a.labels.end()) out.right.push_back(label);
  }
  return out;
}

// Fewer pieces of work than this are not worth a thread.
constexpr std::size_t kGrain = 4096;

}  // namespace

LabelledTensor contract(const LabelledTensor& a, const LabelledTensor& b) {
  const Shared labels = shared(a, b);
  const auto a_common = offsets(a, labels.common), b_common = offsets(b, labels.common);
  const auto a_left = offsets(a, labels.left), b_right = offsets(b, labels.right);
  LabelledTensor out;
  out.labels = labels.left;
  out.labels.insert(out.labels.end(), labels.right.begin(), labels.right.end());
  out.values.resize(std::size_t{1} << out.labels.size());
  const std::uint64_t mask = a_left.size() - 1;
  base::parallel_for(0, out.values.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::uint64_t at = a_left[i & mask], bt = b_right[i >> labels.left.size()];
      double re = 0.0, im = 0.0;
      for (std::size_t s = 0; s < a_common.size(); ++s) {
        const Complex x = a.values[at + a_common[s]], y = b.values[bt + b_common[s]];
        re += x.real() * y.real() - x.imag() * y.imag();
        im += x.real() * y.imag() + x.imag() * y.real();
      }
      out.values[i] = {re, im};
    }
  });
  return out;
}

LabelledTensor sorted(const LabelledTensor& tensor) {
  LabelledTensor out{tensor.labels, {}};
  std::ranges::sort(out.labels);
  if (out.labels == tensor.labels) return tensor;
  const auto from = offsets(tensor, out.labels);
  out.values.resize(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) out.values[i] = tensor.values[from[i]];
  return out;
}

namespace {

// The port is on side b of its link: T'[.. i ..] = sum over j of weights[2 i + j] T[.. j ..].
void weigh(std::vector<Complex>& values, Wire wire, const std::array<Complex, 4>& weights) {
  const std::size_t step = std::size_t{1} << wire;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if ((i & step) != 0) continue;
    const Complex low = values[i], high = values[i | step];
    values[i] = weights[0] * low + weights[1] * high;
    values[i | step] = weights[2] * low + weights[3] * high;
  }
}

std::vector<Complex> doubles(const State& state) {
  const Tensor& amplitudes = state.amplitudes();
  if (amplitudes.dtype() == DType::c128) {
    const auto values = amplitudes.as<Complex>();
    return {values.begin(), values.end()};
  }
  const auto values = amplitudes.as<std::complex<float>>();
  return {values.begin(), values.end()};
}

/// T[x, ports] with itself: sum over outputs of conj T[x, bra] T[x, ket]; the bra of label l is l + links.
LabelledTensor traced(const LabelledTensor& tensor, std::uint32_t wires, std::uint32_t links) {
  LabelledTensor bra = tensor;
  for (Complex& value : bra.values) value = std::conj(value);
  for (std::uint32_t& label : bra.labels) label += label >= wires ? links : 0;
  return contract(tensor, bra);
}

/// Shots that saw the same so far, and what that leaves open: amplitudes over the links to pieces behind.
struct Group {
  LabelledTensor left;
  std::vector<std::uint64_t> shots;
};

class Sampler {
 public:
  Sampler(const Pieces& pieces, std::vector<LabelledTensor> tensors, std::uint64_t shots, std::uint64_t seed)
      : wires_(static_cast<std::uint32_t>(pieces.outputs.size())),
        links_(static_cast<std::uint32_t>(pieces.links.size())),
        words_((wires_ + 63) / 64),
        tensors_(std::move(tensors)),
        seed_(seed),
        out_(shots * words_) {}

  std::vector<std::uint64_t> run(const RunControl& control) {
    std::vector<LabelledTensor> behind(tensors_.size());
    if (!tensors_.empty()) behind.back() = {{}, {1.0}};
    for (std::size_t i = tensors_.size(); i-- > 1;)
      behind[i - 1] = contract(behind[i], traced(tensors_[i], wires_, links_));
    std::vector<Group> groups(1);
    groups[0].left = {{}, {1.0}};
    groups[0].shots.resize(words_ == 0 ? 0 : out_.size() / words_);
    std::iota(groups[0].shots.begin(), groups[0].shots.end(), 0U);
    for (std::size_t piece = 0; piece < tensors_.size(); ++piece) {
      std::vector<Group> next;
      for (const Group& group : groups) {
        control.check("samples of a circuit in pieces");
        split(group, piece, behind[piece], next);
      }
      groups = std::move(next);
    }
    return std::move(out_);
  }

 private:
  void split(const Group& group, std::size_t piece, const LabelledTensor& behind, std::vector<Group>& next) {
    const LabelledTensor open = contract(group.left, tensors_[piece]);
    std::vector<std::uint32_t> outputs, ports;
    for (const std::uint32_t label : open.labels) (label < wires_ ? outputs : ports).push_back(label);
    const auto output_at = offsets(open, outputs), port_at = offsets(open, ports);
    const std::vector<double> sums = cumulative(open, output_at, port_at, ports, behind);
    std::map<std::uint64_t, Group> found;
    for (const std::uint64_t shot : group.shots) {
      base::Philox random(seed_, shot);
      random.seek(2 * piece);
      const double mark = random.uniform() * sums.back();
      const auto outcome = static_cast<std::uint64_t>(std::ranges::upper_bound(sums, mark) - sums.begin());
      const std::uint64_t last = std::min<std::uint64_t>(outcome, sums.size() - 1);
      write(shot, outputs, last);
      found[ports.empty() ? 0 : last].shots.push_back(shot);  // with nothing open, what was seen tells nothing more
    }
    for (auto& [outcome, of_outcome] : found) {
      of_outcome.left.labels = ports;
      for (const std::uint64_t at : port_at) of_outcome.left.values.push_back(open.values[output_at[outcome] + at]);
      if (ports.empty()) of_outcome.left.values = {1.0};
      next.push_back(std::move(of_outcome));
    }
  }

  // Running sums of P(x) = sum over ket, bra of open[x, ket] conj open[x, bra] behind[ket, bra].
  std::vector<double> cumulative(const LabelledTensor& open, const std::vector<std::uint64_t>& output_at,
                                 const std::vector<std::uint64_t>& port_at, const std::vector<std::uint32_t>& ports,
                                 const LabelledTensor& behind) const {
    std::vector<std::uint32_t> bras = ports;
    for (std::uint32_t& label : bras) label += links_;
    const auto ket_of = offsets(behind, ports), bra_of = offsets(behind, bras);
    std::vector<double> sums(output_at.size());
    base::parallel_for(0, sums.size(), kGrain, [&](std::size_t begin, std::size_t end) {
      for (std::size_t x = begin; x < end; ++x) {
        double sum = 0.0;
        for (std::size_t ket = 0; ket < port_at.size(); ++ket) {
          const Complex value = open.values[output_at[x] + port_at[ket]];
          for (std::size_t bra = 0; bra < port_at.size(); ++bra) {
            const Complex other = std::conj(open.values[output_at[x] + port_at[bra]]);
            sum += (value * other * behind.values[ket_of[ket] + bra_of[bra]]).real();
          }
        }
        sums[x] = std::max(sum, 0.0);
      }
    });
    std::partial_sum(sums.begin(), sums.end(), sums.begin());
    return sums;
  }

  void write(std::uint64_t shot, const std::vector<std::uint32_t>& outputs, std::uint64_t outcome) {
    for (std::size_t k = 0; k < outputs.size(); ++k)
      out_[shot * words_ + outputs[k] / 64] |= ((outcome >> k) & 1) << (outputs[k] % 64);
  }

  std::uint32_t wires_, links_;
  std::size_t words_;
  std::vector<LabelledTensor> tensors_;
  std::uint64_t seed_;
  std::vector<std::uint64_t> out_;
};

}  // namespace

LabelledTensor piece_tensor(const Pieces& pieces, std::uint32_t piece, const State& state) {
  const auto wires = static_cast<std::uint32_t>(pieces.outputs.size());
  LabelledTensor out{std::vector<std::uint32_t>(state.num_wires()), doubles(state)};
  for (std::uint32_t wire = 0; wire < wires; ++wire) {
    if (pieces.outputs[wire].piece == piece) out.labels[pieces.outputs[wire].wire] = wire;
  }
  for (std::uint32_t link = 0; link < pieces.links.size(); ++link) {
    const Link& at = pieces.links[link];
    if (at.a.piece == piece) out.labels[at.a.wire] = wires + link;
    if (at.b.piece != piece) continue;
    out.labels[at.b.wire] = wires + link;
    weigh(out.values, at.b.wire, at.weights);
  }
  return out;
}

std::vector<Complex> amplitudes(std::vector<LabelledTensor> tensors) {
  LabelledTensor all{{}, {1.0}};
  for (LabelledTensor& tensor : tensors) {
    all = contract(all, tensor);
    tensor = {};
  }
  return sorted(all).values;
}

std::vector<std::uint64_t> sample(const Pieces& pieces, std::vector<LabelledTensor> tensors, std::uint64_t shots,
                                  std::uint64_t seed, const RunControl& control) {
  return Sampler(pieces, std::move(tensors), shots, seed).run(control);
}

}  // namespace skerry::edge::cut
