#include "ir/text/text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <skerry/error.hpp>

#include "ir/graph/same.hpp"
#include "ir/testing/random_circuit.hpp"
#include "ir/testing/random_graph.hpp"
#include "ir/verify.hpp"

namespace skerry::ir {
namespace {

RC_GTEST_PROP(CircuitText, RoundTrips, ()) {
  const Circuit circuit = *testing::any_circuit();
  verify(circuit);
  const std::string text = print(circuit);
  const Circuit read = parse_circuit(text);
  RC_ASSERT(read == circuit);
  RC_ASSERT(print(read) == text);
}

RC_GTEST_PROP(GraphText, RoundTrips, ()) {
  const Graph graph = *testing::any_graph();
  verify(graph);
  const std::string text = print(graph);
  const Graph read = parse_graph(text);
  RC_ASSERT(same(read, graph));
}

}  // namespace
}  // namespace skerry::ir
