#include "frontend/onnx/order.hpp"

#include <functional>
#include <numeric>
#include <queue>
#include <skerry/error.hpp>
#include <unordered_set>

namespace skerry::frontend::onnx {

namespace {

/// Names in order of first mention, each once.
class NameList {
 public:
  void add(std::string_view name) {
    if (!name.empty() && seen_.insert(name).second) names_.push_back(name);
  }
  std::vector<std::string_view> take() { return std::move(names_); }

 private:
  std::unordered_set<std::string_view> seen_;
  std::vector<std::string_view> names_;
};

}  // namespace

std::vector<std::string_view> FreeNames::of(const proto::Node& node) {
  NameList names;
  for (const auto& attribute : node.attributes) {
    if (!attribute.graph) continue;
    for (const auto name : of(*attribute.graph)) names.add(name);
  }
  return names.take();
}

const std::vector<std::string_view>& FreeNames::of(const proto::Graph& graph) {
  if (const auto found = known_.find(&graph); found != known_.end()) return found->second;
  std::unordered_set<std::string_view> own;
  for (const auto& input : graph.inputs) own.insert(input.name);
  for (const auto& tensor : graph.initializers) own.insert(tensor.name);
  for (const auto& tensor : graph.sparse_initializers) own.insert(tensor.name);
  for (const auto& node : graph.nodes) own.insert(node.outputs.begin(), node.outputs.end());
  NameList names;
  const auto read = [&](std::string_view name) {
    if (!own.contains(name)) names.add(name);
  };
  for (const auto& node : graph.nodes) {
    for (const auto name : node.inputs) read(name);
    for (const auto name : of(node)) read(name);
  }
  for (const auto& output : graph.outputs) read(output.name);
  auto list = names.take();
  names_ += list.size();
  if (names_ > max_names_)
    throw Error(ErrorCode::limit_exceeded,
                "subgraphs read more than max_nodes " + std::to_string(max_names_) + " values from outside");
  return known_.emplace(&graph, std::move(list)).first->second;
}

namespace {

using Indices = std::vector<std::size_t>;

std::unordered_map<std::string_view, std::size_t> producers_of(const std::vector<proto::Node>& nodes) {
  std::unordered_map<std::string_view, std::size_t> producers;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const auto output : nodes[i].outputs) {
      if (output.empty()) continue;
      const auto [first, is_new] = producers.emplace(output, i);
      if (!is_new)
        throw Error(ErrorCode::semantic_error,
                    "value " + std::string(output) + " is made twice, first by node " +
                        std::string(nodes[first->second].label()),
                    std::string(nodes[i].label()));
    }
  }
  return producers;
}

/// Walks back from a node that could not be ordered, over others that could not, until one comes again.
[[noreturn]] void refuse_cycle(const std::vector<proto::Node>& nodes, const std::vector<Indices>& needs,
                               const std::vector<std::size_t>& waiting) {
  constexpr std::size_t names_shown = 8;
  std::size_t at = 0;
  while (waiting[at] == 0) ++at;
  Indices path;
  std::vector<std::size_t> position(nodes.size(), nodes.size());
  while (position[at] == nodes.size()) {
    position[at] = path.size();
    path.push_back(at);
    for (const std::size_t before : needs[at]) {
      if (waiting[before] != 0) {
        at = before;
        break;
      }
    }
  }
  std::string names;
  for (std::size_t i = position[at]; i < path.size(); ++i) {
    if (i - position[at] == names_shown) {
      names += " and " + std::to_string(path.size() - i) + " more";
      break;
    }
    names += (names.empty() ? "" : ", ") + std::string(nodes[path[i]].label());
  }
  throw Error(ErrorCode::semantic_error, "nodes depend on each other in a cycle: " + names,
              std::string(nodes[at].label()));
}

/// Kahn's algorithm, always taking the node that stands first in the file.
Indices sort_by_use(const std::vector<proto::Node>& nodes, const std::vector<Indices>& needs) {
  std::vector<Indices> users(nodes.size());
  std::vector<std::size_t> waiting(nodes.size());
  std::priority_queue<std::size_t, Indices, std::greater<>> ready;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    waiting[i] = needs[i].size();
    for (const std::size_t before : needs[i]) users[before].push_back(i);
    if (waiting[i] == 0) ready.push(i);
  }
  Indices order;
  order.reserve(nodes.size());
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (const std::size_t user : users[order.back()]) {
      if (--waiting[user] == 0) ready.push(user);
    }
  }
  if (order.size() < nodes.size()) refuse_cycle(nodes, needs, waiting);
  return order;
}

}  // namespace

std::vector<std::size_t> order_of_use(const std::vector<proto::Node>& nodes, FreeNames& free_names) {
  const auto producers = producers_of(nodes);
  std::vector<Indices> needs(nodes.size());
  bool is_ordered = true;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto read = [&](std::string_view name) {
      const auto found = producers.find(name);
      if (found == producers.end()) return;
      needs[i].push_back(found->second);
      is_ordered = is_ordered && found->second < i;
    };
    for (const auto name : nodes[i].inputs) read(name);
    for (const auto name : free_names.of(nodes[i])) read(name);
  }
  if (!is_ordered) return sort_by_use(nodes, needs);
  Indices order(nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

}  // namespace skerry::frontend::onnx
