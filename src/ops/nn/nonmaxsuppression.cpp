#include <algorithm>
#include <limits>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// Corners in either order, or centre and extents; overlap as a share of the union.
double overlap(const double* a, const double* b, bool centred) {
  const auto sides = [centred](const double* box, std::size_t axis) {
    const double first = centred ? box[1 - axis] - box[3 - axis] / 2 : std::min(box[axis], box[axis + 2]);
    const double last = centred ? box[1 - axis] + box[3 - axis] / 2 : std::max(box[axis], box[axis + 2]);
    return std::pair(first, last);
  };
  double common = 1.0, area_a = 1.0, area_b = 1.0;
  for (const std::size_t axis : {std::size_t{0}, std::size_t{1}}) {
    const auto [a0, a1] = sides(a, axis);
    const auto [b0, b1] = sides(b, axis);
    common *= std::max(0.0, std::min(a1, b1) - std::max(a0, b0));
    area_a *= a1 - a0;
    area_b *= b1 - b0;
  }
  return common <= 0.0 ? 0.0 : common / (area_a + area_b - common);
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
  for (std::int64_t row = 0; row < shape[0] * shape[1]; ++row) {
    const double* of_class = scores.data() + row * shape[2];
    const double* of_image = boxes.data() + row / shape[1] * shape[2] * 4;
    Longs order, chosen;
    for (std::int64_t i = 0; i < shape[2]; ++i) {
      if (of_class[i] > least) order.push_back(i);
    }
    std::ranges::stable_sort(order, [&](auto i, auto j) { return of_class[i] > of_class[j]; });
    for (const std::int64_t i : order) {
      if (static_cast<double>(chosen.size()) >= most) break;
      if (std::ranges::any_of(chosen,
                              [&](auto j) { return overlap(of_image + 4 * i, of_image + 4 * j, centred) > threshold; }))
        continue;
      chosen.push_back(i);
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
