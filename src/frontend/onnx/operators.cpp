#include "frontend/onnx/operators.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <skerry/error.hpp>
#include <unordered_set>

#include "frontend/onnx/circuits.hpp"
#include "frontend/onnx/expansions.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::frontend::onnx {

namespace {

/// Newest versions of the domains beside ONNX's own whose operators have records.
struct DomainVersion {
  std::string_view domain;
  int newest;
};
constexpr DomainVersion kOtherDomains[] = {
    {"ai.onnx.ml", 5}, {"ai.onnx.preview", 1}, {"ai.onnx.preview.training", 1}, {"com.microsoft", 1}};

void require_known_version(std::string_view domain, int version) {
  int newest = version;
  if (domain.empty()) newest = ops::newest_opset();
  for (const auto& other : kOtherDomains) {
    if (other.domain == domain) newest = other.newest;
  }
  if (version <= newest) return;
  throw Error(ErrorCode::version_too_new,
              "the model needs opset " + std::to_string(version) + " of " +
                  (domain.empty() ? "ai.onnx" : std::string(domain)) + ", the newest known is " +
                  std::to_string(newest),
              {}, "convert it down with onnx.version_converter, or update Skerry");
}

std::string function_key(std::string_view domain, std::string_view name, std::string_view overload) {
  std::string key(plain_domain(domain));
  key += '\0';
  key += name;
  key += '\0';
  return key.append(overload);
}

}  // namespace

std::string_view plain_domain(std::string_view domain) noexcept {
  return domain == "ai.onnx" ? "" : domain;
}

std::string record_name(const proto::Node& node) {
  const std::string_view domain = plain_domain(node.domain);
  if (is_circuit(node)) return "circuit";
  return domain.empty() ? std::string(node.op) : std::string(domain) + "." + std::string(node.op);
}

Opsets::Opsets(const std::vector<proto::OpsetId>& imports, const Opsets* outer) : outer_(outer) {
  for (const auto& import : imports) {
    const std::string domain(plain_domain(import.domain));
    if (import.version < 1 || import.version > std::numeric_limits<int>::max())
      throw Error(ErrorCode::semantic_error,
                  "opset " + std::to_string(import.version) + " of domain \"" + domain + "\" does not exist");
    const int version = static_cast<int>(import.version);
    // A domain beside ONNX's own matters only once an operator of it is used: exporters list some in vain.
    if (domain.empty()) require_known_version(domain, version);
    versions_.insert_or_assign(domain, version);
  }
}

void Opsets::assume_first() {
  versions_.try_emplace("", 1);
}

int Opsets::version(std::string_view domain) const {
  const auto found = versions_.find(plain_domain(domain));
  if (found != versions_.end()) return found->second;
  if (outer_ != nullptr) return outer_->version(domain);
  if (!plain_domain(domain).empty()) return 1;
  throw Error(ErrorCode::semantic_error, "the model does not say which opset of ai.onnx it needs", {},
              "a model from IR version 3 on has opset_import");
}

void Opsets::require_known(std::string_view domain) const {
  require_known_version(plain_domain(domain), version(domain));
}

const proto::Function* FunctionTable::find(const proto::Node& node) const {
  if (functions_.empty()) return nullptr;
  const auto found = functions_.find(function_key(node.domain, node.op, node.overload));
  return found == functions_.end() ? nullptr : found->second;
}

namespace {

/// Calls visit(node) for every node and, inside its subgraphs, every inner node. Depth is bounded by the reader.
void for_each_node(const std::vector<proto::Node>& nodes, const std::function<void(const proto::Node&)>& visit) {
  for (const auto& node : nodes) {
    visit(node);
    for (const auto& attribute : node.attributes) {
      if (attribute.graph) for_each_node(attribute.graph->nodes, visit);
    }
  }
}

/// Depth-first search over calls that refuses to come back to a function still open.
class RecursionCheck {
 public:
  RecursionCheck(const FunctionTable& table, std::uint32_t max_nesting) : table_(table), max_nesting_(max_nesting) {}

  void enter(const proto::Function& function) {
    if (closed_.contains(&function)) return;
    if (std::ranges::find(open_, &function) != open_.end()) refuse(function);
    if (open_.size() == max_nesting_)
      throw Error(ErrorCode::limit_exceeded,
                  "functions call each other deeper than max_nesting " + std::to_string(max_nesting_));
    // Calls are gathered before any is followed, or the stack would hold nested subgraphs times nested calls.
    std::vector<const proto::Function*> calls;
    for_each_node(function.nodes, [&](const proto::Node& node) {
      if (const auto* called = table_.find(node)) calls.push_back(called);
    });
    open_.push_back(&function);
    for (const auto* called : calls) enter(*called);
    open_.pop_back();
    closed_.insert(&function);
  }

 private:
  [[noreturn]] void refuse(const proto::Function& again) const {
    std::string calls;
    for (auto at = std::ranges::find(open_, &again); at != open_.end(); ++at)
      calls += std::string((*at)->name) + " -> ";
    throw Error(ErrorCode::semantic_error, "function calls itself: " + calls + std::string(again.name),
                std::string(again.name));
  }

  const FunctionTable& table_;
  std::uint32_t max_nesting_;
  std::vector<const proto::Function*> open_;
  std::unordered_set<const proto::Function*> closed_;
};

}  // namespace

FunctionTable::FunctionTable(const proto::Model& model, std::uint32_t max_nesting) {
  for (const auto& function : model.functions) {
    const std::string key = function_key(function.domain, function.name, function.overload);
    if (!functions_.emplace(key, &function).second)
      throw Error(ErrorCode::semantic_error, "function " + std::string(function.name) + " is defined twice");
  }
  RecursionCheck check(*this, max_nesting);
  for (const auto& function : model.functions) check.enter(function);
}

namespace {

/// Collects operators without a record over the graph and the functions it reaches.
class UnknownOperators {
 public:
  explicit UnknownOperators(const FunctionTable& functions) : functions_(functions) {}

  void scan(const std::vector<proto::Node>& nodes) {
    for_each_node(nodes, [this](const proto::Node& node) { scan(node); });
    while (!to_scan_.empty()) {
      const auto* function = to_scan_.back();
      to_scan_.pop_back();
      for_each_node(function->nodes, [this](const proto::Node& node) { scan(node); });
    }
  }

  void report() const {
    if (users_.empty()) return;
    std::string list;
    std::size_t shown = 0;
    for (const auto& [op, nodes] : users_) {
      if (shown++ == kOperatorsShown) {
        list += " and " + std::to_string(users_.size() - kOperatorsShown) + " more";
        break;
      }
      list += (list.empty() ? "" : "; ") + op + " (";
      for (std::size_t i = 0; i < std::min(nodes.size(), kNodesShown); ++i)
        list += (i == 0 ? "" : ", ") + std::string(nodes[i]);
      if (nodes.size() > kNodesShown) list += " and " + std::to_string(nodes.size() - kNodesShown) + " more";
      list += ")";
    }
    const std::string count = users_.size() == 1 ? "operator is" : "operators are";
    throw Error(ErrorCode::unsupported, std::to_string(users_.size()) + " " + count + " not known: " + list,
                std::string(users_.begin()->second.front()));
  }

 private:
  static constexpr std::size_t kOperatorsShown = 64, kNodesShown = 4;

  void scan(const proto::Node& node) {
    if (const auto* function = functions_.find(node)) {
      if (met_.insert(function).second) to_scan_.push_back(function);
      return;
    }
    if (plain_domain(node.domain).empty() && node.op == "Constant") return;
    const std::string name = record_name(node);
    if (ops::find_op(name) == nullptr && expansion_of(name) == nullptr) users_[name].push_back(node.label());
  }

  const FunctionTable& functions_;
  std::unordered_set<const proto::Function*> met_;
  std::vector<const proto::Function*> to_scan_;
  std::map<std::string, std::vector<std::string_view>> users_;
};

}  // namespace

void require_known_operators(const proto::Model& model, const FunctionTable& functions) {
  UnknownOperators unknown(functions);
  unknown.scan(model.graph.nodes);
  unknown.report();
}

}  // namespace skerry::frontend::onnx
