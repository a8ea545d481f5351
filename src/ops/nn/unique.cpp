#include <algorithm>
#include <map>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

struct Found {
  Longs first, own, times;
};

AxisLoops loops_of(const Node& node, const TensorView& x) {
  if (node.find("axis") == nullptr) return AxisLoops(Shape{x.elements()}, 0);
  return AxisLoops(x.shape(), normal_axis(node, node.integer("axis", 0), static_cast<std::size_t>(x.shape().rank())));
}

Found find(const Node& node, const TensorView& x) {
  const auto values = doubles(x);
  const AxisLoops l = loops_of(node, x);
  std::map<Doubles, std::size_t> known;
  std::vector<Doubles> slices;
  Found found;
  Pace pace;
  for (std::int64_t k = 0; k < l.length; ++k) {
    pace(8 + l.outer * l.inner);
    Doubles slice;
    for (std::int64_t o = 0; o < l.outer * l.inner; ++o)
      slice.push_back(values[static_cast<std::size_t>((o / l.inner * l.length + k) * l.inner + o % l.inner)]);
    const auto [at, is_new] = known.emplace(std::move(slice), found.first.size());
    if (is_new) found.first.push_back(k), found.times.push_back(0);
    found.own.push_back(static_cast<std::int64_t>(at->second));
    ++found.times[at->second];
  }
  if (node.integer("sorted", 1) == 0) return found;
  Found sorted;
  std::vector<std::int64_t> place(found.first.size());
  for (const auto& [slice, index] : known) {
    place[index] = static_cast<std::int64_t>(sorted.first.size());
    sorted.first.push_back(found.first[index]);
    sorted.times.push_back(found.times[index]);
  }
  for (const std::int64_t own : found.own) sorted.own.push_back(place[static_cast<std::size_t>(own)]);
  return sorted;
}

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  require(context, 0, kernels::NumbersAndBool{});
  Dim count, length;
  std::optional<Dims> out = Dims{Dim()};
  if (context.node.find("axis") != nullptr) out = x.shape;
  const std::size_t axis = out && context.node.find("axis") != nullptr
                               ? normal_axis(context.node, context.node.integer("axis", 0), out->size())
                               : 0;
  if (context.constants[0] != nullptr) {
    const Found found = find(context.node, context.constants[0]->view());
    count = Dim(static_cast<std::int64_t>(found.first.size()));
    length = Dim(static_cast<std::int64_t>(found.own.size()));
  }
  if (out) (*out)[axis] = count;
  set_output(context, 0, x.dtype, std::move(out));
  set_output(context, 1, DType::i64, Dims{count});
  set_output(context, 2, DType::i64, Dims{length});
  set_output(context, 3, DType::i64, Dims{count});
}

void run(const Node& node, const KernelArguments& a) {
  const Found found = find(node, a.inputs[0]);
  const AxisLoops l = loops_of(node, a.inputs[0]);
  const auto count = static_cast<std::int64_t>(found.first.size());
  for (std::int64_t k = 0; k < count; ++k) {
    for (std::int64_t o = 0; o < l.outer * l.inner; ++o)
      copy_element(a.inputs[0],
                   (o / l.inner * l.length + found.first[static_cast<std::size_t>(k)]) * l.inner + o % l.inner,
                   a.outputs[0], (o / l.inner * count + k) * l.inner + o % l.inner);
  }
  store(found.first, out_view(a, 1));
  store(found.own, out_view(a, 2));
  store(found.times, out_view(a, 3));
}

}  // namespace

extern const OpRecord unique_record;
const OpRecord unique_record = {
    .name = "Unique",
    .since_opset = 28,
    .help =
        "The different elements (slices along `axis`), sorted (sorted = 1, default) or as they come; their first "
        "places, the place of each element's own among them, and how often each is there.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
