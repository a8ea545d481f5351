/// \file
/// Inputs of many runs of a model, from NumPy's archives.
#pragma once

#include <skerry/compression.hpp>
#include <string>

namespace skerry::cli {

/// The runs in an .npz archive: one array for each input of the model, by its name, and `labels` where they are known;
/// first axes count samples, equally many in each. A model with a number as first extent runs so many at a time, and
/// what is left over is left out; another up to 64, or what fits into a MiB. Archives of numpy.savez and
/// savez_compressed are read. Errors: corrupt, not_found, io_error; invalid_argument for arrays that do not fit the
/// model; limit_exceeded for members above 4 GiB.
Samples read_samples(const Graph& model, const std::string& path);

}  // namespace skerry::cli
