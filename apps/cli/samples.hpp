/// \file
/// What verbs share that make models smaller: the model, its samples from NumPy's archives, the file of the result.
#pragma once

#include <skerry/compression.hpp>
#include <string>

#include "cli/programs.hpp"

namespace skerry::cli {

/// The runs in an .npz archive: one array for each input of the model, by its name, and `labels` where they are known;
/// first axes count samples, equally many in each. A model with a number as first extent runs so many at a time, and
/// what is left over is left out; another up to 64, or what fits into a MiB. Archives of numpy.savez and
/// savez_compressed are read. Errors: corrupt, not_found, io_error; invalid_argument for arrays that do not fit the
/// model; limit_exceeded for members above 4 GiB.
Samples read_samples(const Graph& model, const std::string& path);

/// The model that the flags name. Errors: those of loading; unsupported for a circuit.
Graph load_model(const ProgramFlags& flags);

/// An ONNX file where the path ends in .onnx, else a package. Errors: those of save and save_onnx.
void write_model(const Graph& model, const std::string& path, bool compress);

}  // namespace skerry::cli
