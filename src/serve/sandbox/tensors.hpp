/// \file
/// Tensors, and what is known of them, as bytes between the server and a worker process.
#pragma once

#include <skerry/session.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "serve/served_graph.hpp"

namespace skerry::serve {

/// Errors: unsupported (a dtype whose elements are no whole bytes).
std::string pack(const NamedTensors& tensors);
/// Of bytes from a process that may be anybody's: every size is checked before it is believed. Errors: corrupt.
NamedTensors unpack_tensors(std::string_view bytes);

std::string pack(const std::vector<TensorInfo>& infos);
/// Takes the infos off the front. Errors: corrupt.
std::vector<TensorInfo> unpack_infos(std::string_view& bytes);

}  // namespace skerry::serve
