#include <algorithm>
#include <array>
#include <limits>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// Corners in either order, or centre and extents.
struct Box {
  std::array<double, 2> first, last;
  double area = 1.0;

  Box(const double* box, bool centred) {
    for (const std::size_t axis : {std::size_t{0}, std::size_t{1}}) {
      first[axis] = centred ? box[1 - axis] - box[3 - axis] / 2 : std::min(box[axis], box[axis + 2]);
      last[axis] = centred ? box[1 - axis] + box[3 - axis] / 2 : std::max(box[axis], box[axis + 2]);
      area *= last[axis] - first[axis];
    }
  }
};

// Whether what two have in common is more than `threshold` of the union: no division, and no branch that depends on
// where they stand.
bool overlap(const Box& a, const Box& b, double threshold) {
  const double height = std::min(a.last[0], b.last[0]) - std::max(a.first[0], b.first[0]);
  const double width = std::min(a.last[1], b.last[1]) - std::max(a.first[1], b.first[1]);
  const double common = std::max(height, 0.0) * std::max(width, 0.0);
  return common > threshold * (a.area + b.area - common);
}

Longs choose(const Node& node, std::span<const TensorView> inputs) {
  const auto boxes = doubles(inputs[0]), scores = doubles(inputs[1]);
  const auto number = [&](std::size_t i, double otherwise) {
    return i < inputs.size() && !inputs[i].empty() ? doubles(inputs[i]).at(0) : otherwise;
  };
  const double most = number(2, 0.0), threshold = number(3, 0.0);
  const double least = number(4, -std::numeric_limits<double>::infinity());
  const Shape shape = inputs[1].shape();
  if (shape.rank() != 3 || inputs[0].shape().rank() != 3 || inputs[0].shape()[2] != 4 ||
      inputs[0].shape()[0] != shape[0] || inputs[0].shape()[1] != shape[2])
    outside("boxes and scores do not fit");
  const bool centred = node.integer("center_point_box", 0) != 0;
  Longs out;
  Pace pace;
  std::vector<Box> all;
  for (std::int64_t row = 0; row < shape[0] * shape[1]; ++row) {
    const double* of_class = scores.data() + row * shape[2];
    if (row % shape[1] == 0) {
      all.clear();
      const double* of_image = boxes.data() + row / shape[1] * shape[2] * 4;
      for (std::int64_t i = 0; i < shape[2]; ++i) all.emplace_back(of_image + 4 * i, centred);
    }
    const auto box = [&](std::int64_t i) -> const Box& { return all[static_cast<std::size_t>(i)]; };
    std::vector<std::int64_t> left;  // a heap: the best first, of equal ones the first
    for (std::int64_t i = 0; i < shape[2]; ++i) {
      if (of_class[i] > least) left.push_back(i);
    }
    const auto worse = [&](std::int64_t i, std::int64_t j) {
      return of_class[i] != of_class[j] ? of_class[i] < of_class[j] : i > j;
    };
    std::ranges::make_heap(left, worse);
    std::vector<Box> chosen;
    while (!left.empty() && static_cast<double>(chosen.size()) < most) {
      const std::int64_t i = left.front();
      std::ranges::pop_heap(left, worse);
      left.pop_back();
      pace(16 + std::ssize(chosen));
      const Box& candidate = box(i);
      if (std::ranges::any_of(chosen, [&](const Box& other) { return overlap(candidate, other, threshold); })) continue;
      chosen.push_back(candidate);
      out.insert(out.end(), {row / shape[1], row % shape[1], i});
    }
  }
  return out;
}

void infer(TypeContext& context) {
  Dim count;
  if (context.constants[0] != nullptr && context.constants[1] != nullptr) {
    std::vector<TensorView> views;
    for (const Tensor* constant : context.constants)
      views.push_back(constant == nullptr ? TensorView() : constant->view());
    count = Dim(static_cast<std::int64_t>(choose(context.node, views).size() / 3));
  }
  set_output(context, 0, DType::i64, Dims{count, Dim(3)});
}

void run(const Node& node, const KernelArguments& a) {
  store(choose(node, a.inputs), a.outputs[0]);
}

}  // namespace

extern const OpRecord nonmaxsuppression_record;
const OpRecord nonmaxsuppression_record = {
    .name = "NonMaxSuppression",
    .since_opset = 11,
    .help =
        "Boxes [N, count, 4] chosen by scores [N, classes, count], best first, none that overlaps a chosen one by more "
        "than iou_threshold: rows of batch, class, box.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
