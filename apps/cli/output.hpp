/// \file
/// How results look: tables and histograms for people, one JSON object for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <skerry/skerry.hpp>
#include <string>

namespace skerry::cli {

/// Prints and ends the line.
void print_json(const nlohmann::json& object);
nlohmann::json error_json(const Error& error);
nlohmann::json report_json(const RunReport& report);
nlohmann::json plan_json(const Plan& plan);
nlohmann::json result_json(const Result& result);

/// Prints how often detectors (or records, if the circuit has no detectors) and observables were 1.
void print_stabilizer(const StabilizerCounts& counts, bool has_events, bool json);

/// One line per outcome: bits, count, share, bar. At most `rows` outcomes, the most frequent first; the rest are
/// summed.
std::string histogram(const Counts& counts, std::size_t rows = 32);
/// Elements of a small tensor, or its type and the first few of a large one.
std::string tensor_text(const Tensor& tensor);
/// `predicted 1.2 ms and 4.00 MiB, took 1.1 ms and 3.90 MiB, statevector on 2 threads`.
std::string report_text(const RunReport& report);

}  // namespace skerry::cli
