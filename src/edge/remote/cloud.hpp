/// \file
/// Circuits run by an endpoint: the same question and the same answer as a run here.
#pragma once

#include <memory>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <skerry/result.hpp>
#include <string>

#include "edge/remote/endpoint.hpp"
#include "wire/circuits.hpp"

namespace skerry::edge::remote {

/// 32 hex digits that nobody else draws: what a request is known by when it is sent again.
std::string new_token();

/// The message that asks for this run. Limits of this machine are no part of it; a noise model is refused as
/// unsupported.
wire::CircuitRequest request_of(const Circuit& circuit, const RunOptions& options, std::string token);
/// What an answer says, as run() would have given it. Errors: unavailable when it does not fit the question.
Result result_of(wire::CircuitAnswer answer);

/// Runs at the endpoint, once, however often it has to be sent: at once when it is short, else as a job that is waited
/// for and, when the wait is ended, cancelled. Errors: the run's own as the server tells them; those of Endpoint.
Result run(Endpoint& endpoint, const wire::CircuitRequest& request, bool is_long, const Patience& patience);

}  // namespace skerry::edge::remote
