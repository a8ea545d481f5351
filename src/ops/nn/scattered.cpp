#include "ops/nn/scattered.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace skerry::ops {

namespace {

constexpr std::array<std::string_view, 5> kReductions = {"none", "add", "mul", "max", "min"};

template <class T>
void put(const TensorView& updates, std::int64_t from, std::span<const std::int64_t> to, const MutableTensorView& y) {
  const T* const values = reinterpret_cast<const T*>(updates.data()) + from;
  T* const out = reinterpret_cast<T*>(y.data());
  for (std::size_t i = 0; i < to.size(); ++i) out[to[i]] = values[i];
}

}  // namespace

void infer_scattered(TypeContext& context) {
  require_same(context, 0, 2);
  const std::string reduction = context.node.text("reduction", "none");
  if (std::ranges::find(kReductions, reduction) == kReductions.end())
    refuse(context.node, "reduction is '" + reduction + "'", "use none, add, mul, max or min");
  if (reduction != "none") require(context, 0, kernels::Numbers{});
  same_as_input(context);
}

Scatter::Scatter(const Node& node, TensorView updates, MutableTensorView y)
    : reduction_(
          static_cast<Reduction>(std::ranges::find(kReductions, node.text("reduction", "none")) - kReductions.begin())),
      updates_(updates),
      y_(y) {}

// place(i): where update i goes.
template <class Place>
void Scatter::combine(std::int64_t from, std::int64_t count, Place place) {
  kernels::visit(kernels::Numbers{}, y_.dtype(), [&]<class T>() {
    using C = kernels::Compute<T>;
    T* const targets = y_.as<T>().data();
    const T* const updates = updates_.as<T>().data() + from;
    const auto combined = [f = reduction_](C old, C update) {
      if (f == Reduction::add) return static_cast<C>(old + update);
      if (f == Reduction::mul) return static_cast<C>(old * update);
      if (f == Reduction::max) return old < update ? update : old;
      return update < old ? update : old;
    };
    for (std::int64_t i = 0; i < count; ++i) {
      T& target = targets[place(i)];
      target = T(combined(static_cast<C>(target), static_cast<C>(updates[i])));
    }
  });
}

void Scatter::operator()(std::int64_t to, std::int64_t from, std::int64_t count) {
  if (reduction_ == Reduction::none) return copy_elements(updates_, from, y_, to, count);
  pace_(count);
  if (from < 0 || count > updates_.elements() - from || to < 0 || count > y_.elements() - to)
    outside("update " + std::to_string(from) + " of " + updates_.shape().text() + " goes to element " +
            std::to_string(to) + " of " + y_.shape().text());
  combine(from, count, [to](std::int64_t i) { return to + i; });
}

void Scatter::elements(std::span<const std::int64_t> to, std::int64_t from) {
  pace_(std::ssize(to));
  if (from < 0 || std::ssize(to) > updates_.elements() - from)
    outside("update " + std::to_string(from) + " of " + updates_.shape().text() + " is asked for");
  if (reduction_ != Reduction::none)
    return combine(from, std::ssize(to), [to](std::int64_t i) { return to[static_cast<std::size_t>(i)]; });
  switch (width_of(y_.dtype())) {
    case 1:
      return put<std::uint8_t>(updates_, from, to, y_);
    case 2:
      return put<std::uint16_t>(updates_, from, to, y_);
    case 4:
      return put<std::uint32_t>(updates_, from, to, y_);
    case 8:
      return put<std::uint64_t>(updates_, from, to, y_);
    default:
      for (std::size_t i = 0; i < to.size(); ++i)
        copy_element(updates_, from + static_cast<std::int64_t>(i), y_, to[i]);
  }
}

}  // namespace skerry::ops
