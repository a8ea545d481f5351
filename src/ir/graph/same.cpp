#include "ir/graph/same.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace skerry::ir {
namespace {

bool same_tensor(const Tensor& l, const Tensor& r) {
  if (l.dtype() != r.dtype() || l.shape() != r.shape()) return false;
  const std::uint64_t bytes = l.view().bytes();
  return bytes == 0 || l.view().data() == r.view().data() || std::memcmp(l.view().data(), r.view().data(), bytes) == 0;
}

bool same_double(double l, double r) {
  return std::bit_cast<std::uint64_t>(l) == std::bit_cast<std::uint64_t>(r);
}

bool same_attribute(const Attribute& l, const Attribute& r) {
  return l.index() == r.index() && std::visit(
                                       [&r]<class T>(const T& left) {
                                         const T& right = std::get<T>(r);
                                         if constexpr (std::is_same_v<T, Tensor>) {
                                           return same_tensor(left, right);
                                         } else if constexpr (std::is_same_v<T, Subgraph>) {
                                           return left == right || same(*left, *right);
                                         } else if constexpr (std::is_same_v<T, CircuitRef>) {
                                           return left == right || *left == *right;
                                         } else if constexpr (std::is_same_v<T, double>) {
                                           return same_double(left, right);
                                         } else if constexpr (std::is_same_v<T, std::vector<double>>) {
                                           return std::ranges::equal(left, right, same_double);
                                         } else {
                                           return left == right;
                                         }
                                       },
                                       l);
}

/// Pairs the values of two graphs as they are met; a value has one partner.
class Pairing {
 public:
  Pairing(const Graph& l, const Graph& r)
      : l_(l), r_(r), of_left_(l.values().size(), kNoValue), of_right_(r.values().size(), kNoValue) {}

  bool pair(ValueId l, ValueId r) {
    if (l == kNoValue || r == kNoValue) return l == r;
    if (of_left_[l] != kNoValue || of_right_[r] != kNoValue) return of_left_[l] == r && of_right_[r] == l;
    of_left_[l] = r;
    of_right_[r] = l;
    const Value& a = l_.value(l);
    const Value& b = r_.value(r);
    if (a.name != b.name || a.type != b.type || a.constant.has_value() != b.constant.has_value()) return false;
    return !a.constant || same_tensor(*a.constant, *b.constant);
  }

  bool pair_all(const std::vector<ValueId>& l, const std::vector<ValueId>& r) {
    return std::ranges::equal(l, r, [this](ValueId a, ValueId b) { return pair(a, b); });
  }

  /// Constants nobody uses were not met; they must be the same in the order in which they stand.
  bool pair_rest() {
    ValueId r = 0;
    for (ValueId l = 0; l < of_left_.size(); ++l) {
      if (of_left_[l] != kNoValue) continue;
      while (r < of_right_.size() && of_right_[r] != kNoValue) ++r;
      if (r == of_right_.size() || !pair(l, r)) return false;
    }
    return of_left_.size() == of_right_.size();
  }

 private:
  const Graph& l_;
  const Graph& r_;
  std::vector<ValueId> of_left_, of_right_;
};

bool same_node(Pairing& values, const Node& l, const Node& r) {
  return l.op == r.op && l.name == r.name && values.pair_all(l.inputs, r.inputs) &&
         values.pair_all(l.outputs, r.outputs) &&
         std::ranges::equal(l.attributes, r.attributes, [](const auto& a, const auto& b) {
           return a.first == b.first && same_attribute(a.second, b.second);
         });
}

}  // namespace

bool same(const Graph& l, const Graph& r) {
  Pairing values(l, r);
  return l.name == r.name && values.pair_all(l.inputs(), r.inputs()) &&
         std::ranges::equal(l.nodes(), r.nodes(),
                            [&values](const Node& a, const Node& b) { return same_node(values, a, b); }) &&
         values.pair_all(l.outputs(), r.outputs()) && values.pair_rest();
}

}  // namespace skerry::ir
