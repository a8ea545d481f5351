/// \file
/// How a run is asked for: accuracy, shots, limits. Every field has a default; a wrong one is refused by its name.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <skerry/noise.hpp>
#include <skerry/observable.hpp>
#include <skerry/progress.hpp>
#include <skerry/tensor.hpp>
#include <string>
#include <vector>

namespace skerry {

struct Checkpoint;

/// Where a run stands that could be left.
struct Standing {
  double done = 0.0;  ///< share of the work that is behind it
  double next = 0.0;  ///< the share, at most, when the same is asked again
  std::uint64_t state_bytes = 0;
};

/// Width of amplitudes: complex64 or complex128.
enum class Precision : std::uint8_t { single_precision, double_precision };

/// Resources a run may take and how it is steered.
struct Limits {
  int threads = 0;                                                  ///< 0: the process's budget
  std::optional<std::uint64_t> max_memory_bytes;                    ///< refused before anything is allocated
  std::optional<std::chrono::duration<double>> max_execution_time;  ///< refused if predicted longer, stopped if overrun
  RunControl control;                                               ///< stop token and progress
  /// Folder for a state vector that does not fit into the memory: a mapped file that ends with the run. Empty: none.
  std::filesystem::path disk_folder;
  /// A state vector is kept in disk_folder, two files of it, so that the same run, killed at any moment and started
  /// again, goes on after its last whole pass and ends in the same bits.
  bool checkpoint = false;
  /// Asked between gates of a state in memory, as long as nothing was measured midway, and between batches of noisy
  /// trajectories, by one thread at a time. True: run() ends with Interrupted (<skerry/checkpoint.hpp>). Empty: it is
  /// never asked, and gates are not kept in stretches.
  std::function<bool(const Standing&)> leave;
};

/// What is wanted of a circuit.
struct RunOptions {
  std::uint64_t shots = 0;      ///< 0: exact results only (probabilities, expectations, state)
  std::uint64_t seed = 0;       ///< same seed, same counts, for any number of threads
  std::string method = "auto";  ///< a row of the simulators' table
  Precision precision = Precision::double_precision;
  std::vector<double> parameters;                  ///< in order of declaration
  std::map<std::string, double> named_parameters;  ///< or by name
  std::vector<Observable> observables;
  bool want_state = false;
  bool want_probabilities = false;  ///< of probability_wires, or of all wires when that is empty
  std::vector<std::uint32_t> probability_wires;
  /// Basis states whose amplitudes are wanted: a letter 0 or 1 for each wire, the rightmost of wire 0.
  std::vector<std::string> amplitudes;
  bool want_memory = false;                  ///< every shot's bits in order
  std::optional<Tensor> initial_state;       ///< c64 or c128 of 2^n amplitudes
  std::shared_ptr<const Checkpoint> resume;  ///< shared: as noise; where an earlier run stood, null: at the start
  std::shared_ptr<const NoiseModel> noise;   ///< shared: options are copied for each run; null: none
  bool want_density = false;                 ///< the density matrix of density_wires, or of all wires
  std::vector<std::uint32_t> density_wires;
  std::uint32_t max_bond_dimension = 0;  ///< of a matrix product state; 0: as large as the circuit may need
  double truncation_threshold = 1e-24;   ///< of a matrix product state: squared norm that one cut may lose
  std::uint32_t cutoff = 0;              ///< photon numbers kept of each mode; 0: what the circuit says, else 10
  Limits limits;
};

}  // namespace skerry
