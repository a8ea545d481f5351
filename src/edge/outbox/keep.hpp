/// \file
/// What goes into an outbox, for those who run circuits.
#pragma once

#include <optional>
#include <skerry/edge.hpp>
#include <string>

#include "edge/outbox/folder.hpp"
#include "wire/circuits.hpp"

namespace skerry::edge::outbox {

/// That of the config. Errors: those of Folder.
Folder folder_of(const EdgeExecutionConfig& config);
/// Equal where answers must be and requests are; empty where answers may differ.
std::string question_of(const EdgeExecutionConfig& config, const CompiledCircuit& circuit, const ExecutionInput& input);
std::string question_of(const EdgeExecutionConfig& config, const Graph& model, const NamedTensors& inputs);
/// The request of a job; its token must be `id`. Errors: corrupt.
wire::CircuitRequest request_in(const Record& job, const std::string& id);
/// The request of a job that waited a moment ago; nothing when it is damaged, or waits no more.
std::optional<wire::CircuitRequest> waiting_request(const Folder& folder, const Item& item);
/// Adds a request under its token, unless its question waits already. The id of what waits now. Errors: those of
/// Folder::add().
/// circuit_id: empty for a model.
std::string keep(const Folder& folder, const EdgeExecutionConfig& config, const std::string& circuit_id,
                 const std::string& question, const wire::CircuitRequest& request);

}  // namespace skerry::edge::outbox
