#include "frontend/qir/flow.hpp"

#include <algorithm>
#include <skerry/error.hpp>
#include <string>

namespace skerry::frontend::qir {
namespace {

using Edges = std::vector<std::vector<std::uint32_t>>;

/// Blocks that control may go to from each block; the end has none.
Edges successors(const Function& function) {
  Edges edges(function.blocks.size() + 1);
  for (std::size_t i = 0; i < function.blocks.size(); ++i) {
    const Instruction& last = function.blocks[i].instructions.back();
    edges[i] = last.blocks;
    if (last.kind == Kind::ret) edges[i] = {static_cast<std::uint32_t>(function.blocks.size())};
  }
  return edges;
}

Edges reversed(const Edges& edges) {
  Edges back(edges.size());
  for (std::uint32_t from = 0; from < edges.size(); ++from)
    for (const std::uint32_t to : edges[from]) back[to].push_back(from);
  return back;
}

/// Depth first without recursion: `leave` is told each block when all that can be reached from it was visited, `again`
/// each edge to a block that is still open.
template <class Leave, class Again>
void visit(const Edges& edges, std::uint32_t root, const Leave& leave, const Again& again) {
  enum : std::uint8_t { fresh, open, closed };
  std::vector<std::uint8_t> state(edges.size(), fresh);
  std::vector<std::pair<std::uint32_t, std::size_t>> stack = {{root, 0}};
  state[root] = open;
  while (!stack.empty()) {
    auto& [block, next] = stack.back();
    if (next == edges[block].size()) {
      state[block] = closed;
      leave(block);
      stack.pop_back();
      continue;
    }
    const std::uint32_t to = edges[block][next++];
    if (state[to] == open) again(block, to);
    if (state[to] != fresh) continue;
    state[to] = open;
    stack.emplace_back(to, 0);
  }
}

}  // namespace

std::vector<std::uint32_t> meeting_places(const Function& function, std::uint64_t max_steps) {
  const Edges forward = successors(function), backward = reversed(forward);
  const auto end = static_cast<std::uint32_t>(function.blocks.size());
  std::vector<std::uint32_t> order, number(end + 1, 0);
  visit(
      backward, end, [&](std::uint32_t block) { order.push_back(block); }, [](std::uint32_t, std::uint32_t) {});
  for (std::uint32_t i = 0; i < order.size(); ++i) number[order[i]] = i;
  std::vector<std::uint32_t> meets(end + 1, kNone);
  meets[end] = end;
  std::uint64_t steps = 0;
  const auto common = [&](std::uint32_t a, std::uint32_t b) {
    while (a != b) {
      if (++steps > max_steps)
        throw Error(
            ErrorCode::limit_exceeded,
            "where branches meet is not found within max_instructions = " + std::to_string(max_steps) + " steps", {},
            "raise max_instructions");
      if (number[a] < number[b])
        a = meets[a];
      else
        b = meets[b];
    }
    return a;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (auto block = order.rbegin() + 1; block < order.rend(); ++block) {
      std::uint32_t found = kNone;
      for (const std::uint32_t to : forward[*block])
        if (meets[to] != kNone) found = found == kNone ? to : common(found, to);
      changed = changed || meets[*block] != found;
      meets[*block] = found;
    }
  }
  std::ranges::replace(meets, kNone, end);
  return meets;
}

std::vector<Edge> back_edges(const Function& function) {
  std::vector<Edge> found;
  visit(
      successors(function), 0, [](std::uint32_t) {},
      [&](std::uint32_t from, std::uint32_t to) {
        found.push_back({from, to});
      });
  std::ranges::sort(found, {}, [](const Edge& edge) { return std::pair(edge.from, edge.to); });
  return found;
}

}  // namespace skerry::frontend::qir
