#include "ops/nn/scattered.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace skerry::ops {

void infer_scattered(TypeContext& context) {
  require_same(context, 0, 2);
  constexpr std::array<std::string_view, 5> kReductions = {"none", "add", "mul", "max", "min"};
  const std::string reduction = context.node.text("reduction", "none");
  if (std::ranges::find(kReductions, reduction) == kReductions.end())
    refuse(context.node, "reduction is '" + reduction + "'", "use none, add, mul, max or min");
  if (reduction != "none") require(context, 0, kernels::Numbers{});
  same_as_input(context);
}

Scatter::Scatter(const Node& node, TensorView updates, MutableTensorView y)
    : reduction_(node.text("reduction", "none")), plain_(reduction_ == "none"), updates_(updates), y_(y) {}

void Scatter::operator()(std::int64_t to, std::int64_t from, std::int64_t count) {
  if (plain_) return copy_elements(updates_, from, y_, to, count);
  pace_(count);
  if (from < 0 || count > updates_.elements() - from || to < 0 || count > y_.elements() - to)
    outside("update " + std::to_string(from) + " of " + updates_.shape().text() + " goes to element " +
            std::to_string(to) + " of " + y_.shape().text());
  kernels::visit(kernels::Numbers{}, y_.dtype(), [&]<class T>() {
    using C = kernels::Compute<T>;
    T* const targets = y_.as<T>().data() + to;
    const T* const updates = updates_.as<T>().data() + from;
    for (std::int64_t i = 0; i < count; ++i) {
      T& target = targets[i];
      const C old = static_cast<C>(target), update = static_cast<C>(updates[i]);
      if (reduction_ == "add") target = T(static_cast<C>(old + update));
      if (reduction_ == "mul") target = T(static_cast<C>(old * update));
      if (reduction_ == "max") target = T(old < update ? update : old);
      if (reduction_ == "min") target = T(update < old ? update : old);
    }
  });
}

}  // namespace skerry::ops
