/// \file
/// Options that several verbs share: which program, its keys, its inputs.
#pragma once

#include <skerry/skerry.hpp>
#include <string>
#include <vector>

#include "cli/command.hpp"

namespace skerry::cli {

/// The program a verb works on.
struct ProgramFlags {
  std::string file;
  std::vector<std::string> trusted;
  void declare(const Command& command);
  /// `-` reads standard input.
  Program load() const;
};

/// Inputs of a run.
struct InputFlags {
  std::vector<std::string> inputs;      ///< name=file.npy
  std::vector<std::string> shapes;      ///< name=1,3,224,224
  std::vector<std::string> parameters;  ///< name=value
  std::string noise;                    ///< a noise model's file
  void declare(const Command& command);
  /// Tensors read from the files. Errors: invalid_argument.
  NamedTensors tensors() const;
  /// Concrete type of each graph input: from a file, from --shape, else the declared one with unknown extents as 1.
  std::vector<TensorType> types(const Graph& graph) const;
  /// The files' tensors, and a ramp for each input that no file gives: never subnormals, which run at another speed.
  NamedTensors filled(const Graph& graph) const;
  void apply(RunOptions& options) const;
  /// Refuses what this kind of program does not take. Errors: invalid_argument.
  void check(const Program& program) const;
};

/// Files for the outputs of a model.
struct OutputFlags {
  std::vector<std::string> outputs;  ///< name=file.npy
  void declare(const Command& command);
  /// Before the run, which may be long. Errors: invalid_argument for a name that no output has.
  void check(const Graph& graph) const;
  /// Writes those that are wanted. Errors: io_error.
  void write(const NamedTensors& tensors) const;
};

/// Exact answers that are asked of a circuit.
struct AnswerFlags {
  std::vector<std::string> observables;  ///< sums of Pauli strings
  std::vector<std::string> amplitudes;   ///< basis states
  bool any() const noexcept { return !observables.empty() || !amplitudes.empty(); }
  void declare(const Command& command);
  /// Errors: syntax_error with the flag.
  void apply(const Circuit& circuit, RunOptions& options) const;
};

/// `name=value` in two; the value may be empty. Errors: invalid_argument naming the flag.
std::pair<std::string, std::string> split_assignment(const std::string& flag, const std::string& text);
/// The same where the value names a file, which has a name.
std::pair<std::string, std::string> split_file(const std::string& flag, const std::string& text);

}  // namespace skerry::cli
