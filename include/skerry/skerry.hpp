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
#include <skerry/target.hpp>
#include <string>
#include <string_view>

namespace skerry {

/// A program from a file: OpenQASM, Blackbird, a JSON gate list, ONNX, Skerry's text form or a `.skerry` package. The
/// content decides, not the suffix. Weights stay in the mapped file. Errors: every code of import and packages, with
/// the place.
Program load(const std::filesystem::path& path, const LoadOptions& options = {});
/// The same from text or bytes. Includes and external data are refused.
Program loads(std::string_view text, const LoadOptions& options = {}, std::string_view name = "<string>");

/// A noise model from its JSON form (docs/noise.md). Errors: as load, and those of Channel and NoiseModel.
NoiseModel load_noise(const std::filesystem::path& path, const ImportLimits& limits = {});
/// The same from text.
NoiseModel loads_noise(std::string_view text, const ImportLimits& limits = {}, std::string_view name = "<string>");
/// The text that loads_noise reads.
std::string noise_text(const NoiseModel& model);

/// A circuit in the stim format with its noise, detectors and observables, which a Program does not have.
/// Errors: those of import, with the place.
StabilizerCircuit load_stabilizer(const std::filesystem::path& path, const LoadOptions& options = {});
StabilizerCircuit loads_stabilizer(std::string_view text, const LoadOptions& options = {},
                                   std::string_view name = "<string>");
/// True if the text begins like a stim circuit.
bool is_stabilizer_text(std::string_view text) noexcept;

/// A device from JSON: `{"qubits": 3, "coupling": [[0, 1], [1, 2]]}`, with `basis`, `directed`, `name`, `t1_us`,
/// `t2_us`, `duration_ns` and `error` by gate where they are known (a number, a list by wire, an object by `"0-1"`,
/// `"as sx"`). Without `coupling` every pair of wires may meet. Errors: syntax_error, semantic_error, out_of_range,
/// limit_exceeded.
Target load_target(const std::filesystem::path& path);
Target read_target(std::string_view json, std::string_view name = "<target>");

/// The circuit as text: format is `openqasm2` or `openqasm3`; `blackbird` over modes. Errors: invalid_argument for
/// another format, unsupported for what the format cannot say.
std::string emit_text(const Circuit& circuit, std::string_view format = "openqasm3");

}  // namespace skerry
