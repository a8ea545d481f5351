/// \file
/// Runs a stabilizer circuit whose steps depend on outcomes: shots that have gone the same way so far share a tableau.
///
/// At a coin the set of shots parts by what each of them draws (for exact answers: by weight). The smaller part goes
/// on, the larger one waits with a copy of the tableau, so at most log2(shots) wait at once. Draw d of shot s is a
/// function of (seed, s, d), so that neither the order of parts nor threads change an outcome.
#pragma once

#include <memory>
#include <optional>
#include <skerry/circuit.hpp>
#include <vector>

#include "sim/method.hpp"
#include "sim/stabilizer/request.hpp"
#include "sim/stabilizer/tableau.hpp"
#include "sim/statevector/classical.hpp"

namespace skerry::sim {

class Trajectories {
 public:
  /// circuit and request must outlive the run. Errors: budget_exceeded.
  Trajectories(const Circuit& circuit, const StabilizerRequest& request, std::vector<Scalar> parameters,
               const Resources& resources);
  /// Errors: those of Program::run.
  CircuitResult run();

 private:
  /// Shots [first, first + count) of ids_ (exact: none), and the share of the whole that they are.
  struct Part {
    std::uint64_t first = 0, count = 0;
    double weight = 1.0;
  };
  struct Frame {
    std::uint32_t pc = 0, coins = 0;
    bool answered = false;  ///< the state before the last measurements has been asked
    Classical classical;
  };
  struct Waiting {
    Part part;
    Frame frame;
    std::unique_ptr<Tableau> tableau;
    bool outcome = false;  ///< of the coin at which it waits
  };

  void go();
  bool coin();
  bool measure(std::uint32_t wire);
  void wait(Part part, bool outcome);
  bool draws_one(std::uint64_t shot) const;
  void answer();
  void leaf();
  CircuitResult finish();

  const Circuit& circuit_;
  const StabilizerRequest& request_;
  base::MemoryBudget budget_;
  const RunControl& control_;
  ClassicalUnit unit_;
  std::unique_ptr<Tableau> tableau_;
  std::vector<std::unique_ptr<Tableau>> free_;
  base::Buffer distribution_;
  base::Reservation ids_charge_;
  std::vector<std::uint64_t> ids_;
  std::optional<Outcomes> outcomes_;
  std::vector<double> expectations_;
  std::vector<Scalar> last_variables_;
  std::vector<Waiting> waiting_;
  Part part_;
  Frame frame_;
  std::optional<bool> decided_;  // outcome of the coin at which a resumed part waited
  bool negligible_ = false;      // this trajectory is left out of exact answers
  double done_ = 0.0;
  std::uint64_t leaves_ = 0;
};

}  // namespace skerry::sim
