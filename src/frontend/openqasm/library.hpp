/// \file
/// The gates that come without a file: qelib1.inc, stdgates.inc and the two languages' own.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "frontend/openqasm/gates.hpp"

namespace skerry::frontend::openqasm {

/// A name that stands for a gate of the IR.
struct LibraryGate {
  std::string_view name;
  GateRef gate;
};

/// A built-in include: names of gates of the IR, and OpenQASM text for those that are written by them.
struct Library {
  std::string_view name;
  std::span<const LibraryGate> gates;
  std::string_view text;
};

/// The library that an include of that name means, nullptr when it is not built in.
const Library* find_library(std::string_view name);
/// What a program of this version (2 or 3) knows without any include.
const Library& language(int version);

}  // namespace skerry::frontend::openqasm
