#include "cli/placing.hpp"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/machine.hpp"
#include "cli/programs.hpp"

namespace skerry::cli {

using nlohmann::json;

void PlacingFlags::declare(const Command& command) {
  command.add_option("--cloud-endpoint", endpoint, "Who may run what does not fit here").type_name("URL");
  command.add_option("--cloud-key-file", key_file, "File whose first line is the key sent; else SKERRY_CLOUD_API_KEY")
      .type_name("FILE");
  command
      .add_option("--cloud-authorities", authorities,
                  "Who signs the endpoint's certificate; the system's when left out")
      .type_name("FILE.pem");
  command.add_option("--cloud-certificate", certificate, "This client's certificate").type_name("FILE.pem");
  command.add_option("--cloud-key", key, "and its key").type_name("FILE.pem");
  command.add_count("--cloud-timeout", timeout, "Seconds of a remote run, repetitions included; 60 when left out");
  command.add_count("--max-cuts", max_cuts, "Cuts of gates and wires, to run in pieces; 6 when left out");
  command.add_flag("--no-compression", no_compression,
                   "Refuse, rather than run in single precision, what fits nowhere");
}

void PlacingFlags::declare_outbox(const Command& command) {
  command.add_option("--outbox", outbox, "Where runs wait whose endpoint cannot be reached").type_name("FOLDER");
  command.add_count("--outbox-size-mb", outbox_mb, "Most megabytes of what waits and of its answers; 64 when left out");
}

edge::EdgeExecutionConfig PlacingFlags::config(const Settings& settings) const {
  const RunOptions options = settings.run_options();
  edge::EdgeExecutionConfig config;
  const std::uint64_t bytes = options.limits.max_memory_bytes.value_or(base::available_memory_bytes());
  config.max_memory_mb = nothing_here ? 0.0 : static_cast<double>(bytes) / 1e6;
  config.max_execution_time = options.limits.max_execution_time ? options.limits.max_execution_time->count() : 1e9;
  config.threads = options.limits.threads;
  config.precision = options.precision;
  config.enable_compression = !no_compression;
  config.max_cuts = static_cast<std::uint32_t>(std::min<std::uint64_t>(max_cuts, 1000));
  config.cloud_endpoint = endpoint;
  config.cloud_timeout = static_cast<double>(timeout);
  config.cloud_authorities = authorities;
  config.cloud_certificate = certificate;
  config.cloud_key = key;
  config.outbox_folder = outbox;
  config.outbox_size_mb = static_cast<double>(outbox_mb);
  if (!key_file.empty()) {
    std::ifstream in(key_file);
    if (!std::getline(in, config.cloud_api_key))
      throw Error(ErrorCode::io_error, "the key cannot be read", key_file, "write the key into its first line");
  } else if (const char* secret = std::getenv("SKERRY_CLOUD_API_KEY"); secret != nullptr) {
    config.cloud_api_key = secret;
  }
  config.validate();
  return config;
}

json placement_json(const edge::Placement& placement) {
  json places = json::array();
  for (const edge::PlaceReport& place : placement.considered) {
    places.push_back({{"method", edge::execution_method_name(place.method)},
                      {"possible", place.possible},
                      {"chosen", place.chosen},
                      {"reason", place.reason},
                      {"peak_bytes", place.peak_bytes},
                      {"seconds", place.seconds}});
  }
  json out = {{"method", placement.refusal.empty() ? edge::execution_method_name(placement.method) : "nowhere"},
              {"places", places},
              {"decision_seconds", placement.decision_seconds}};
  if (placement.split) {
    json pieces = json::array();
    for (const edge::PieceReport& piece : placement.split->pieces) {
      pieces.push_back({{"wires", piece.wires},
                        {"nodes", piece.nodes},
                        {"peak_bytes", piece.peak_bytes},
                        {"seconds", piece.seconds},
                        {"place", edge::execution_method_name(piece.place)}});
    }
    out["split"] = {{"pieces", pieces},
                    {"gate_cuts", placement.split->gate_cuts},
                    {"wire_cuts", placement.split->wire_cuts},
                    {"terms", placement.split->terms},
                    {"sampling_overhead", placement.split->sampling_overhead},
                    {"crossing_bytes", placement.split->crossing_bytes},
                    {"weight_bytes", placement.split->weight_bytes}};
  }
  if (placement.whole_bytes != 0) out["whole_bytes"] = placement.whole_bytes;
  if (placement.compressed) out["compressed"] = true;
  return out;
}

}  // namespace skerry::cli
