#include <algorithm>
#include <map>
#include <set>
#include <skerry/backend.hpp>
#include <skerry/error.hpp>
#include <utility>

#include "base/trace.hpp"
#include "runtime/step_times.hpp"

namespace skerry {
namespace {

// Some nodes of the whole as a graph of their own.
struct RoutePart {
  std::shared_ptr<ExecutionBackend> backend;
  std::vector<NodeId> nodes;
  std::vector<ValueId> inputs, outputs;  ///< of the whole
  std::unique_ptr<BackendProgram> program;
};

bool moves_elsewhere(ErrorCode code) {
  return code == ErrorCode::unavailable || code == ErrorCode::budget_exceeded || code == ErrorCode::internal ||
         code == ErrorCode::io_error;
}

// The part as a graph; inputs and outputs are filled in.
Graph part_graph(const Graph& whole, RoutePart& part) {
  Graph graph;
  graph.name = whole.name + "/" + std::string(part.backend->name());
  std::set<ValueId> made_inside;
  for (const NodeId id : part.nodes)
    for (const ValueId output : whole.node(id).outputs)
      if (output != kNoValue) made_inside.insert(output);
  std::map<ValueId, ValueId> own;
  const auto enter = [&](ValueId id) {
    if (id == kNoValue || own.contains(id)) return;
    const Value& value = whole.value(id);
    if (value.constant) {
      own[id] = graph.add_constant(value.name, *value.constant);
    } else if (!made_inside.contains(id)) {
      own[id] = graph.add_input(value.name, value.type);
      part.inputs.push_back(id);
    }
  };
  for (const NodeId id : part.nodes) {
    Node node = whole.node(id);
    std::vector<std::string> names;
    std::vector<TensorType> types;
    for (ValueId& input : node.inputs) {
      enter(input);
      if (input != kNoValue) input = own.at(input);
    }
    const std::vector<ValueId> outputs = std::exchange(node.outputs, {});
    for (const ValueId output : outputs) {
      names.push_back(output == kNoValue ? "" : whole.value(output).name);
      types.push_back(output == kNoValue ? TensorType{} : whole.value(output).type);
    }
    const NodeId added = graph.add_node(std::move(node), names, types);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i] != kNoValue) own[outputs[i]] = graph.node(added).outputs[i];
  }
  // What somebody outside wants.
  std::set<ValueId> wanted(whole.outputs().begin(), whole.outputs().end());
  const std::set<NodeId> inside(part.nodes.begin(), part.nodes.end());
  for (NodeId id = 0; id < whole.nodes().size(); ++id)
    if (!inside.contains(id)) wanted.insert(whole.node(id).inputs.begin(), whole.node(id).inputs.end());
  for (const ValueId id : made_inside) {
    if (!wanted.contains(id)) continue;
    part.outputs.push_back(id);
    graph.mark_output(own.at(id));
  }
  return graph;
}

}  // namespace

struct RoutedModel::State {
  Graph graph;
  std::shared_ptr<BackendRegistry> registry;
  std::vector<RoutePart> parts;
  RouteReport report;
  bool altered = false;  ///< a run was routed around a failure; the next one asks anew

  State(Graph whole, std::shared_ptr<BackendRegistry> backends)
      : graph(std::move(whole)), registry(std::move(backends)) {
    std::vector<NodeId> all;
    for (NodeId id = 0; id < graph.nodes().size(); ++id) all.push_back(id);
    parts = route(all, {});
    tell_parts();
  }

  void tell_parts() {
    report.parts.clear();
    for (const RoutePart& part : parts) {
      RoutedPart told{std::string(part.backend->name()), {}};
      for (const NodeId id : part.nodes) told.nodes.push_back(graph.node(id).place());
      report.parts.push_back(std::move(told));
    }
  }

  // Stays on a backend as long as one of its nodes is ready: few parts, few copies.
  std::vector<RoutePart> route(const std::vector<NodeId>& todo, std::span<const std::string> without) {
    std::map<NodeId, std::shared_ptr<ExecutionBackend>> where;
    report.reasons.clear();
    for (const NodeId id : todo) {
      BackendRegistry::Choice choice = registry->select(graph, graph.node(id), without);
      for (const std::string& reason : choice.reasons) report.reasons.push_back(graph.node(id).place() + ": " + reason);
      where[id] = std::move(choice.backend);
    }
    std::vector<RoutePart> out;
    std::set<NodeId> left(todo.begin(), todo.end());
    const auto ready = [&](NodeId id) {
      return std::ranges::all_of(graph.node(id).inputs, [&](ValueId input) {
        return input == kNoValue || graph.value(input).producer == kNoNode ||
               !left.contains(graph.value(input).producer);
      });
    };
    while (!left.empty()) {
      const NodeId first = *std::ranges::find_if(left, ready);
      RoutePart part{where.at(first), {}, {}, {}, {}};
      for (bool grows = true; grows;) {
        grows = false;
        for (auto at = left.begin(); at != left.end();) {
          if (where.at(*at) != part.backend || !ready(*at)) {
            ++at;
            continue;
          }
          part.nodes.push_back(*at);
          at = left.erase(at);
          grows = true;
        }
      }
      out.push_back(std::move(part));
    }
    return out;
  }

  std::vector<Tensor> run_part(RoutePart& part, std::map<ValueId, Tensor>& values, const RunControl& control) {
    if (!part.program) {
      part.inputs.clear();
      part.outputs.clear();
      part.program = part.backend->compile(part_graph(graph, part));
    }
    std::vector<Tensor> inputs;
    for (const ValueId id : part.inputs) inputs.push_back(values.at(id));
    return part.program->run(inputs, control);
  }

  void run_all(std::map<ValueId, Tensor>& values, const RunControl& control) {
    std::map<ValueId, std::string> home;  // who made a value
    std::vector<std::string> failed;
    for (std::size_t at = 0; at < parts.size(); ++at) {
      RoutePart& part = parts[at];
      const std::string name(part.backend->name());
      const base::TraceSpan span(part.backend->name(), "backend");
      control.check(name);
      std::vector<Tensor> outputs;
      try {
        outputs = run_part(part, values, control);
      } catch (const Error& error) {
        if (!moves_elsewhere(error.code())) throw;
        recover(at, error, failed);
        --at;
        continue;
      }
      for (const ValueId id : part.inputs) {
        const auto from = home.find(id);
        if (from == home.end() || from->second == name) continue;
        ++report.boundary_copies;
        report.boundary_bytes += values.at(id).view().bytes();
      }
      for (std::size_t i = 0; i < part.outputs.size(); ++i) {
        values[part.outputs[i]] = std::move(outputs[i]);
        home[part.outputs[i]] = name;
      }
    }
  }

  // The nodes that are not done go elsewhere.
  void recover(std::size_t at, const Error& error, std::vector<std::string>& failed) {
    const std::string name(parts[at].backend->name());
    failed.push_back(name);
    registry->report_failure(name, error.what(), error.code() == ErrorCode::unavailable);
    std::vector<NodeId> todo;
    for (std::size_t i = at; i < parts.size(); ++i)
      todo.insert(todo.end(), parts[i].nodes.begin(), parts[i].nodes.end());
    std::vector<RoutePart> rest;
    try {
      rest = route(todo, failed);
    } catch (const Error& nowhere) {
      throw Error(error.code(), error.message() + "; and " + nowhere.message(), error.where(), nowhere.hint());
    }
    Recovery recovery{name, error.what(), {}};
    for (const RoutePart& part : rest) recovery.to.emplace_back(part.backend->name());
    report.recoveries.push_back(std::move(recovery));
    parts.resize(at);
    std::ranges::move(rest, std::back_inserter(parts));
    altered = true;
  }
};

RoutedModel::RoutedModel(Graph graph, std::shared_ptr<BackendRegistry> registry)
    : state_(std::make_unique<State>(std::move(graph), std::move(registry))) {}
RoutedModel::~RoutedModel() = default;
RoutedModel::RoutedModel(RoutedModel&&) noexcept = default;
RoutedModel& RoutedModel::operator=(RoutedModel&&) noexcept = default;

const RouteReport& RoutedModel::report() const noexcept {
  return state_->report;
}

NamedTensors RoutedModel::run(const NamedTensors& inputs, const RunControl& control) {
  State& s = *state_;
  s.report.boundary_copies = s.report.boundary_bytes = 0;
  s.report.recoveries.clear();
  if (std::exchange(s.altered, false)) {
    // The device may be there again, or not be lost at all.
    std::vector<NodeId> all;
    for (NodeId id = 0; id < s.graph.nodes().size(); ++id) all.push_back(id);
    s.parts = s.route(all, {});
  }
  std::map<ValueId, Tensor> values;
  runtime::in_order(s.graph, inputs);  // refuses names that are missing, unknown or there twice
  for (const ValueId id : s.graph.inputs()) {
    const auto given = std::ranges::find_if(inputs, [&](const auto& i) { return i.first == s.graph.value(id).name; });
    values[id] = given->second;
  }
  s.run_all(values, control);
  s.tell_parts();
  NamedTensors outputs;
  for (const ValueId id : s.graph.outputs()) {
    const Value& value = s.graph.value(id);
    outputs.emplace_back(value.name, value.constant ? *value.constant : values.at(id));
  }
  return outputs;
}

}  // namespace skerry
