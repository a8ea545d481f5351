#include "edge/cut/expectations.hpp"

#include <algorithm>
#include <skerry/error.hpp>
#include <string>

namespace skerry::edge::cut {
namespace {

char letter_at(const PauliTerm& term, Wire wire) {
  const bool x = ((term.x[wire / 64] >> (wire % 64)) & 1) != 0, z = ((term.z[wire / 64] >> (wire % 64)) & 1) != 0;
  return x ? (z ? 'Y' : 'X') : (z ? 'Z' : 'I');
}

}  // namespace

Expectations::Expectations(const Pieces& pieces, std::span<const Wire> place, std::span<const Observable> observables)
    : pieces_(pieces), ports_(pieces.circuits.size()), parts_(pieces.circuits.size()) {
  for (const Link& link : pieces.links) {
    weights_.push_back(link.pauli_weights());
    port_of_.push_back({static_cast<std::uint32_t>(ports_[link.a.piece].size()),
                        static_cast<std::uint32_t>(ports_[link.b.piece].size())});
    ports_[link.a.piece].push_back(link.a.wire);
    ports_[link.b.piece].push_back(link.b.wire);
  }
  for (const Observable& observable : observables) {
    if (observable.num_wires() != place.size()) {
      throw Error(ErrorCode::invalid_argument,
                  "the observable has " + std::to_string(observable.num_wires()) + " wires and the circuit " +
                      std::to_string(place.size()),
                  "observables");
    }
    auto& terms = observables_.emplace_back();
    for (const PauliTerm& from : observable.terms()) {
      Term& term = terms.emplace_back();
      term.coefficient = from.coefficient;
      std::vector<std::string> letters(pieces.circuits.size());
      std::vector<std::vector<Wire>> wires(pieces.circuits.size());
      for (Wire wire = 0; wire < place.size(); ++wire) {
        const Place at = pieces.outputs[place[wire]];
        const char letter = letter_at(from, wire);
        if (letter == 'I') continue;
        letters[at.piece] += letter;
        wires[at.piece].push_back(at.wire);
      }
      for (std::size_t piece = 0; piece < letters.size(); ++piece) {
        Observable part(pieces.circuits[piece].num_wires());
        part.add(letters[piece], wires[piece], 1.0);
        auto& known = parts_[piece];
        const auto found = std::ranges::find(known, part);
        term.parts.push_back(static_cast<std::uint32_t>(found - known.begin()));
        if (found == known.end()) known.push_back(std::move(part));
      }
    }
  }
}

std::uint64_t Expectations::count(std::uint32_t piece) const noexcept {
  return parts_[piece].size() << (2 * ports_[piece].size());
}

std::vector<Observable> Expectations::questions(std::uint32_t piece) const {
  std::vector<Observable> out;
  const auto& ports = ports_[piece];
  for (const Observable& part : parts_[piece]) {
    const PauliTerm& term = part.terms()[0];
    for (std::uint64_t choice = 0; choice < std::uint64_t{1} << (2 * ports.size()); ++choice) {
      std::string letters;
      std::vector<Wire> wires;
      for (Wire wire = 0; wire < part.num_wires(); ++wire) {
        if (letter_at(term, wire) == 'I') continue;
        letters += letter_at(term, wire);
        wires.push_back(wire);
      }
      for (std::size_t k = 0; k < ports.size(); ++k) {
        letters += "IXYZ"[(choice >> (2 * k)) & 3];
        wires.push_back(ports[k]);
      }
      out.emplace_back(part.num_wires()).add(letters, wires, 1.0);
    }
  }
  return out;
}

double Expectations::product(const Term& term, std::span<const std::vector<double>> answers, std::size_t link,
                             std::vector<std::uint32_t>& letters) const {
  if (link == weights_.size()) {
    double out = 1.0;
    for (std::size_t piece = 0; piece < answers.size(); ++piece)
      out *= answers[piece][(std::size_t{term.parts[piece]} << (2 * ports_[piece].size())) + letters[piece]];
    return out;
  }
  const auto [a, b] = std::pair{pieces_.links[link].a.piece, pieces_.links[link].b.piece};
  const auto shift_a = 2 * port_of_[link][0], shift_b = 2 * port_of_[link][1];
  double sum = 0.0;
  for (std::uint32_t pair = 0; pair < 16; ++pair) {
    if (weights_[link][pair] == 0.0) continue;
    letters[a] += (pair >> 2) << shift_a;
    letters[b] += (pair & 3) << shift_b;
    sum += weights_[link][pair] * product(term, answers, link + 1, letters);
    letters[a] -= (pair >> 2) << shift_a;
    letters[b] -= (pair & 3) << shift_b;
  }
  return sum;
}

std::vector<double> Expectations::combine(std::span<const std::vector<double>> answers) const {
  if (answers.size() != parts_.size())
    throw Error(ErrorCode::invalid_argument, "answers of another number of pieces", "answers");
  for (std::uint32_t piece = 0; piece < answers.size(); ++piece) {
    if (answers[piece].size() == count(piece)) continue;
    throw Error(ErrorCode::invalid_argument,
                "piece " + std::to_string(piece) + " was asked " + std::to_string(count(piece)) + " questions and " +
                    std::to_string(answers[piece].size()) + " answers came",
                "answers");
  }
  std::vector<double> out;
  std::vector<std::uint32_t> letters(answers.size());
  for (const auto& terms : observables_) {
    double sum = 0.0;
    for (const Term& term : terms) sum += term.coefficient * product(term, answers, 0, letters);
    out.push_back(sum);
  }
  return out;
}

}  // namespace skerry::edge::cut
