#include "sim/stabilizer/symptoms.hpp"

#include <algorithm>
#include <array>
#include <skerry/error.hpp>
#include <string>

#include "sim/stabilizer/tableau.hpp"

namespace skerry::sim {
namespace {

/// Bits that an error flips, ascending: a sum modulo 2.
using Symptoms = std::vector<std::uint32_t>;

/// Walks from the end of the circuit to its start.
class Backwards {
 public:
  Backwards(const StabilizerCircuit& circuit, std::vector<Symptoms> bits_of)
      : circuit_(circuit), x_(circuit.num_qubits()), z_(circuit.num_qubits()), records_(std::move(bits_of)) {
    // Sites are found from the end and belong to the channel of their group; the last group are the coins.
    sites_.resize(circuit.channels().size() + 1);
  }

  StabilizerSampler::Table run(const RunControl& control) {
    const auto steps = circuit_.steps();
    for (std::size_t i = steps.size(); i-- > 0;) {
      if (i % 1024 == 0) control.check("error analysis");
      step(steps[i]);
    }
    for (Symptoms& z : z_) coin(z);
    return table();
  }

 private:
  /// Outcomes of the sites of one channel, one after the other.
  struct Sites {
    std::vector<std::uint64_t> end;
    std::vector<std::uint32_t> symptoms;
  };

  void add(Symptoms& to, const Symptoms& from) {
    if (from.empty()) return;
    scratch_.clear();
    std::ranges::set_symmetric_difference(to, from, std::back_inserter(scratch_));
    to.swap(scratch_);
  }

  void step(const StabilizerStep& s) {
    switch (s.op) {
      case StabilizerOp::h:
        x_[s.a].swap(z_[s.a]);
        break;
      case StabilizerOp::s:
        add(x_[s.a], z_[s.a]);
        break;
      case StabilizerOp::x:
      case StabilizerOp::y:
      case StabilizerOp::z:
      case StabilizerOp::invert_record:
        break;
      case StabilizerOp::cx:
        add(x_[s.a], x_[s.b]);
        add(z_[s.b], z_[s.a]);
        break;
      case StabilizerOp::cz:
        add(x_[s.a], z_[s.b]);
        add(x_[s.b], z_[s.a]);
        break;
      case StabilizerOp::swap:
        x_[s.a].swap(x_[s.b]);
        z_[s.a].swap(z_[s.b]);
        break;
      case StabilizerOp::measure:
        coin(z_[s.a]);
        add(x_[s.a], records_[s.b]);
        break;
      case StabilizerOp::reset:
        coin(z_[s.a]);
        x_[s.a].clear();
        break;
      case StabilizerOp::x_if:
        add(records_[s.b], x_[s.a]);
        break;
      case StabilizerOp::z_if:
        add(records_[s.b], z_[s.a]);
        break;
      case StabilizerOp::noise1:
        noise1(s);
        break;
      case StabilizerOp::noise2:
        noise2(s);
        break;
      case StabilizerOp::noise_record:
        site(s.channel, {&records_[s.b], 1});
        break;
    }
  }

  /// The phase of an eigenstate of Z is of no consequence: a Z there happens or not.
  void coin(Symptoms& z) {
    if (!z.empty()) site(circuit_.channels().size(), {&z, 1});
    z.clear();
  }

  void noise1(const StabilizerStep& s) {
    std::array<Symptoms, 3> outcomes = {x_[s.a], x_[s.a], z_[s.a]};
    add(outcomes[1], z_[s.a]);
    site(s.channel, outcomes);
  }

  void noise2(const StabilizerStep& s) {
    // I, X, Y, Z on each.
    const auto letters = [&](std::uint32_t qubit) {
      std::array<Symptoms, 4> out = {Symptoms{}, x_[qubit], x_[qubit], z_[qubit]};
      add(out[2], z_[qubit]);
      return out;
    };
    const auto first = letters(s.a), second = letters(s.b);
    std::array<Symptoms, 15> outcomes;
    for (std::size_t i = 1; i < 16; ++i) {
      outcomes[i - 1] = first[i / 4];
      add(outcomes[i - 1], second[i % 4]);
    }
    site(s.channel, outcomes);
  }

  /// A place where something may happen; left out if nothing of it is seen.
  void site(std::size_t channel, std::span<const Symptoms> outcomes) {
    if (std::ranges::all_of(outcomes, [](const Symptoms& s) { return s.empty(); })) return;
    Sites& sites = sites_[channel];
    for (const Symptoms& outcome : outcomes) {
      sites.symptoms.insert(sites.symptoms.end(), outcome.begin(), outcome.end());
      sites.end.push_back(sites.symptoms.size());
      total_ += outcome.size();
    }
    if (total_ <= StabilizerSampler::kMaxSymptoms) return;
    throw Error(
        ErrorCode::limit_exceeded,
        "the errors of the circuit flip more than " + std::to_string(StabilizerSampler::kMaxSymptoms) + " bits in all",
        {}, "sample fewer records or detectors, or a circuit without noise by method stabilizer");
  }

  StabilizerSampler::Table table() {
    StabilizerSampler::Table out;
    out.begin.push_back(0);
    for (std::size_t channel = 0; channel < sites_.size(); ++channel) {
      Sites& sites = sites_[channel];
      if (sites.end.empty()) continue;
      StabilizerSampler::Table::Group group;
      const bool is_coin = channel == circuit_.channels().size();
      group.channel = is_coin ? PauliChannel{.weights = {0.5}, .size = 1} : circuit_.channels()[channel];
      group.probability = std::min(group.channel.total(), 1.0);
      group.is_uniform = std::all_of(group.channel.weights.begin(), group.channel.weights.begin() + group.channel.size,
                                     [&](double w) { return w == group.channel.weights[0]; });
      group.first = out.begin.size() - 1;
      group.sites = sites.end.size() / group.channel.size;
      const std::uint64_t base = out.symptoms.size();
      for (const std::uint64_t end : sites.end) out.begin.push_back(base + end);
      out.symptoms.insert(out.symptoms.end(), sites.symptoms.begin(), sites.symptoms.end());
      sites = {};
      if (group.probability > 0.0) out.groups.push_back(group);
    }
    return out;
  }

  const StabilizerCircuit& circuit_;
  std::vector<Symptoms> x_, z_;    // what an X, a Z on each qubit flips from here on
  std::vector<Symptoms> records_;  // what a flip of each record flips
  std::vector<Sites> sites_;
  Symptoms scratch_;
  std::uint64_t total_ = 0;
};

}  // namespace

StabilizerSampler::Table find_symptoms(const StabilizerCircuit& circuit,
                                       std::vector<std::vector<std::uint32_t>> bits_of, const RunControl& control) {
  return Backwards(circuit, std::move(bits_of)).run(control);
}

std::vector<std::uint8_t> reference_records(const StabilizerCircuit& circuit, const base::MemoryBudget& budget,
                                            const RunControl& control) {
  Tableau tableau(circuit.num_qubits(), budget);
  std::vector<std::uint8_t> records(circuit.num_measurements());
  std::size_t done = 0;
  for (const StabilizerStep& step : circuit.steps()) {
    if (done++ % 1024 == 0) control.check("reference run");
    const auto measure = [&] { return tableau.measure(step.a, [] { return false; }); };
    if (step.op == StabilizerOp::measure)
      records[step.b] = static_cast<std::uint8_t>(measure());
    else if (step.op == StabilizerOp::invert_record)
      records[step.b] ^= 1;
    else if (step.op == StabilizerOp::x_if && records[step.b] != 0)
      tableau.apply({StabilizerOp::x, step.a, 0, 0});
    else if (step.op == StabilizerOp::z_if && records[step.b] != 0)
      tableau.apply({StabilizerOp::z, step.a, 0, 0});
    else if (step.op == StabilizerOp::reset && measure())
      tableau.flip(step.a);
    else
      tableau.apply(step);  // gates; noise leaves it as it is
  }
  return records;
}

}  // namespace skerry::sim
