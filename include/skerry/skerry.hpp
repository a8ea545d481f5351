/// \file
/// The whole door: load -> compile -> plan -> run, for circuits, neural networks and hybrids of both.
///
///     auto program = skerry::load("ghz.qasm");
///     auto result = skerry::run(std::get<skerry::Circuit>(program), {.shots = 1000, .seed = 7});
#pragma once

#include <filesystem>
#include <skerry/compile.hpp>
#include <skerry/runtime.hpp>
#include <skerry/stabilizer.hpp>
#include <skerry/stabilizer_circuit.hpp>
#include <string_view>

namespace skerry {

/// A program from a file: OpenQASM, a JSON gate list, ONNX, Skerry's text form or a `.skerry` package. The content
/// decides, not the suffix. Weights stay in the mapped file. Errors: every code of import and packages, with the place.
Program load(const std::filesystem::path& path, const LoadOptions& options = {});
/// The same from text or bytes. Includes and external data are refused.
Program loads(std::string_view text, const LoadOptions& options = {}, std::string_view name = "<string>");

/// A circuit in the stim format with its noise, detectors and observables, which a Program does not have.
/// Errors: those of import, with the place.
StabilizerCircuit load_stabilizer(const std::filesystem::path& path, const LoadOptions& options = {});
StabilizerCircuit loads_stabilizer(std::string_view text, const LoadOptions& options = {},
                                   std::string_view name = "<string>");
/// True if the text begins like a stim circuit.
bool is_stabilizer_text(std::string_view text) noexcept;

}  // namespace skerry
