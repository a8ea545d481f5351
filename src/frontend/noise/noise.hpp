/// \file
/// Noise models as JSON: what `skerry run --noise` reads; the form is told in docs/noise.md.
///
///     {"skerry_noise": 1,
///      "rules": [{"gate": "cx", "channels": [{"kind": "depolarizing", "p": 0.01, "wires": 2}]},
///                {"gate": "h", "wires": [3], "channels": [{"kind": "kraus", "operators": [[[1, 0], [0, 0.6]], …]}]}],
///      "readout": [{"wires": [0], "confusion": [[0.98, 0.02], [0.05, 0.95]]}]}
#pragma once

#include <skerry/limits.hpp>
#include <skerry/noise.hpp>
#include <string>
#include <string_view>

namespace skerry::frontend {

/// Errors: syntax_error, limit_exceeded, semantic_error, and those of Channel and NoiseModel, `where` naming the rule:
/// `noise.json: rules[3]: channels[0]`.
NoiseModel read_noise(std::string_view text, std::string_view name, const ImportLimits& limits = {});

/// The text that read_noise reads back as an equal model, numbers with 17 digits.
std::string write_noise(const NoiseModel& model);

}  // namespace skerry::frontend
