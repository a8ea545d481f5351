/// \file
/// Circuits run by an endpoint: the same question and the same answer as a run here.
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/error.hpp>
#include <skerry/options.hpp>
#include <skerry/result.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "edge/remote/answer.hpp"
#include "edge/remote/endpoint.hpp"
#include "wire/circuits.hpp"

namespace skerry::edge::remote {

/// 32 hex digits that nobody else draws: what a request is known by when it is sent again.
std::string new_token();

/// The message that asks for this run. Limits of this machine are no part of it; a noise model is refused as
/// unsupported.
wire::CircuitRequest request_of(const Circuit& circuit, const RunOptions& options, std::string token);
/// What an answer without a misfit() says, as run() would have given it. Errors: unavailable for bit strings of other
/// letters or of two lengths.
Result result_of(wire::CircuitAnswer answer);

/// What the server itself said no with; every other Error of this file is about reaching it.
class Refusal : public Error {
 public:
  Refusal(const Error& error, bool names_program) : Error(error), names_program_(names_program) {}
  /// Whether it is the request's program that the server does not know or take.
  bool names_program() const noexcept { return names_program_; }

 private:
  bool names_program_;
};

/// A job in steps, for whoever keeps it between them, each a part of the trace. Errors: Refusal; those of Endpoint.

/// Gives the job to the endpoint, which knows it by the request's token: given again it is the same job. Its id.
/// placement: told with it (wire::kPlacementHeader); empty: nothing is.
std::string submit(Endpoint& endpoint, const wire::Body& request, const Patience& patience,
                   const net::Trace& trace = net::trace_of_process(), std::string_view placement = {});
/// The answer, waited for some seconds; nothing when it is not there yet. Errors: also BadAnswer.
std::optional<wire::Body> outcome(Endpoint& endpoint, std::string_view id, const Asked& asked, const Patience& patience,
                                  const net::Trace& trace = net::trace_of_process());

/// Gives the endpoint a run that is under way (request.checkpoint) and waits for its end. seconds: for the message to
/// arrive. placement: as above. Gives why it is better begun anew: the endpoint does not take it, or the message does
/// not arrive in time. Errors: as run().
Expected<Result> carry(Endpoint& endpoint, const wire::CircuitRequest& request, double seconds,
                       const Patience& patience, std::string_view placement = {});

/// Runs at the endpoint, once, however often it has to be sent: at once when it is short, else as a job that is waited
/// for and, when the wait is ended, cancelled. placement: as above. Errors: the run's own as the server tells them;
/// those of Endpoint; BadAnswer.
Result run(Endpoint& endpoint, const wire::CircuitRequest& request, bool is_long, const Patience& patience,
           std::string_view placement = {});
/// The same for all sets of parameters of one request, in their order.
std::vector<Result> run_batch(Endpoint& endpoint, const wire::CircuitRequest& request, bool is_long,
                              const Patience& patience, std::string_view placement = {});

/// The same with a known answer, for a request that names its program: asked without the program first, and with it
/// when the server has it not, or is one of before and knows no names. Gives whether it was sent.
std::pair<Result, bool> run_named(Endpoint& endpoint, wire::CircuitRequest request, const std::string& program,
                                  const Asked& asked, bool is_long, const Patience& patience,
                                  std::string_view placement = {});

}  // namespace skerry::edge::remote
