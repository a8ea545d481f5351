/// \file
/// A model or hybrid that came with its request, run like a circuit that did: by the same limits.
#pragma once

#include <skerry/skerry.hpp>

#include "serve/circuits.hpp"
#include "wire/circuits.hpp"

namespace skerry::serve {

/// Runs it once on the request's inputs. limits: of memory, seconds, threads and control.
/// Errors: invalid_argument naming the field that is for circuits alone; limit_exceeded when its circuits draw more
/// shots than the request announces; those of a Session.
wire::CircuitAnswer run_model(Graph graph, const wire::CircuitRequest& request, const Limits& limits,
                              CircuitNotes& notes);
/// What that would take; nothing is run. Errors: as run_model(), but for the limits.
Plan plan_model(const Graph& graph, const wire::CircuitRequest& request, const Limits& limits);

}  // namespace skerry::serve
