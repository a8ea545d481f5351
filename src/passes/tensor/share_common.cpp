// What is computed twice is computed once: nodes of one operator with equal attributes over the same values, or over
// small constants of equal bytes.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "ops/nn/random.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

// Larger constants are compared by where they stand, not by their bytes.
constexpr std::size_t kSmallConstant = 256;

// Text that is equal where things are equal: lengths come before what has one.
class Key {
 public:
  explicit Key(std::string_view op) { text(op); }
  void text(std::string_view value) {
    number(value.size());
    key_ += value;
  }
  template <class T>
  void number(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    key_.append(bytes, sizeof value);
  }
  /// Whether the attribute could be written: graphs, circuits and tensors are not looked into.
  bool attribute(const Attribute& value) {
    number(value.index());
    return std::visit(
        [this]<class T>(const T& one) {
          if constexpr (std::is_arithmetic_v<T>) {
            number(one);
            return true;
          } else if constexpr (std::is_same_v<T, std::string>) {
            text(one);
            return true;
          } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            number(one.size());
            for (const std::string& word : one) text(word);
            return true;
          } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>> || std::is_same_v<T, std::vector<double>>) {
            number(one.size());
            for (const auto element : one) number(element);
            return true;
          } else {
            return false;
          }
        },
        value);
  }
  const std::string& written() const noexcept { return key_; }

 private:
  std::string key_;
};

Graph share_common(const Graph& graph) {
  Graph output = graph;
  std::vector<std::uint8_t> dead(graph.nodes().size(), 0), named(graph.values().size(), 0);
  for (const ValueId id : graph.outputs()) named[id] = 1;  // an output keeps the value of its name

  // What is read instead of a value; in keys, the first constant of the same bytes stands for all of them.
  std::vector<ValueId> instead(graph.values().size()), standing(graph.values().size());
  std::iota(instead.begin(), instead.end(), ValueId{0});
  std::unordered_map<std::string, ValueId> constants;
  for (ValueId id = 0; id < graph.values().size(); ++id) {
    standing[id] = id;
    const auto& constant = graph.value(id).constant;
    if (!constant || constant->dtype() == DType::string || constant->view().bytes() > kSmallConstant) continue;
    Key key(dtype_name(constant->dtype()));
    for (const std::int64_t extent : constant->shape().dims()) key.number(extent);
    key.text({reinterpret_cast<const char*>(constant->view().data()), constant->view().bytes()});
    standing[id] = constants.emplace(key.written(), id).first->second;
  }

  std::unordered_map<std::string, NodeId> nodes;
  for (NodeId id = 0; id < output.nodes().size(); ++id) {
    Node& node = output.edit_node(id);
    for (ValueId& in : node.inputs) in = in == kNoValue ? in : instead[in];
    Key key(node.op);
    bool plain = !ops::draws_at_random(output, node);
    key.number(node.outputs.size());
    for (const ValueId in : node.inputs) key.number(in == kNoValue ? kNoValue : standing[in]);
    for (const auto& [name, value] : node.attributes) {
      key.text(name);
      plain = plain && key.attribute(value);
    }
    if (!plain) continue;
    const auto [found, first] = nodes.emplace(key.written(), id);
    if (first) continue;
    const std::vector<ValueId> from = node.outputs, to = output.node(found->second).outputs;
    // What the other one leaves out, or what is an output by its own name, stays.
    const bool replaceable = std::ranges::equal(
        from, to, [&](ValueId a, ValueId b) { return a == kNoValue || (b != kNoValue && named[a] == 0); });
    if (!replaceable) continue;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i] != kNoValue) instead[from[i]] = to[i];
    }
    dead[id] = 1;
  }
  output.compact(dead);
  return output;
}

}  // namespace

extern const GraphPass share_common_pass;
const GraphPass share_common_pass = {
    .name = "share_common",
    .help = "Computes once what is computed twice from the same values.",
    .run = share_common,
};

}  // namespace skerry::passes
