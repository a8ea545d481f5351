#include "ops/nn/cast.hpp"

#include <algorithm>
#include <array>
#include <skerry/error.hpp>

#include "kernels/tensor/convert.hpp"
#include "kernels/tensor/narrow.hpp"
#include "kernels/tensor/small_types.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// Opset 1 spelled the dtype; a name's place is its number.
constexpr std::array<std::string_view, 16> kNames = {
    "UNDEFINED", "FLOAT", "UINT8",   "INT8",   "UINT16", "INT16",  "INT32",     "INT64",
    "STRING",    "BOOL",  "FLOAT16", "DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128"};

void upgrade(UpgradeContext& context) {
  const Attribute* to = context.node.find("to");
  const auto* name = to == nullptr ? nullptr : std::get_if<std::string>(to);
  if (name == nullptr) return;
  const auto at = std::ranges::find(kNames, *name);
  if (at == kNames.end()) refuse(context.node, "there is no dtype '" + *name + "'");
  context.node.set("to", static_cast<std::int64_t>(at - kNames.begin()));
}

bool is_shape_dtype(DType dtype) {
  return dtype == DType::i64 || dtype == DType::i32;
}

void infer(TypeContext& context) {
  const TensorType& type = input(context, 0);
  if (context.node.find("to") == nullptr) refuse(context.node, "Cast does not say to which dtype");
  const DType to = dtype_attribute(context.node, "to", DType::f32);
  set_output(context, 0, to, type.shape);
  const Dims* dims = known_dims(context, 0);
  if (dims != nullptr && is_shape_dtype(type.dtype) && is_shape_dtype(to)) context.output_dims[0] = *dims;
}

Cost can(const Node&, const NodeTypes& types) {
  for (const DType dtype : {types.inputs[0].dtype, types.outputs[0].dtype}) {
    if (!kernels::NumbersAndBool::contains(dtype)) return no_kernel(dtype);
  }
  const DType from = types.inputs[0].dtype;
  const DType to = types.outputs[0].dtype;
  if (kernels::converts_through_f32(from, to)) return element_steps(types, 0.1);
  if (from == to) return stream_all(types);
  const bool truncates = kernels::Reals::contains(from) && !kernels::Reals::contains(to);
  return element_steps(types, (truncates ? 1.9 : 0.7) + half_steps(from) + half_steps(to));
}

bool is_small(const NodeTypes& types) {
  return kernels::is_small(types.inputs[0].dtype) || kernels::is_small(types.outputs[0].dtype);
}

Cost can_small(const Node&, const NodeTypes& types) {
  for (const DType dtype : {types.inputs[0].dtype, types.outputs[0].dtype}) {
    if (!kernels::is_small(dtype) && !kernels::NumbersAndBool::contains(dtype)) return no_kernel(dtype);
  }
  return element_steps(types, 20.0);
}

void cast_small(const TensorView& x, bool saturate, const MutableTensorView& y) {
  std::vector<float> values;
  if (kernels::is_small(x.dtype())) {
    values = kernels::decode_small(x);
  } else {
    for (const double value : doubles(x)) values.push_back(static_cast<float>(value));
  }
  if (kernels::is_small(y.dtype())) return kernels::encode_small(values, saturate, y);
  store(Doubles(values.begin(), values.end()), y);
}

constexpr KernelRow kKernels[] = {
    {"cast",
     [](const Node& node, const NodeTypes& types) {
       return is_small(types) ? can_small(node, types) : can(node, types);
     },
     [](const Node& node, const NodeTypes& types) -> Prepared {
       if (!is_small(types)) return {[](const KernelArguments& a) { kernels::cast(a.inputs[0], a.outputs[0]); }};
       return {[saturate = node.integer("saturate", 1) != 0](const KernelArguments& a) {
         cast_small(a.inputs[0], saturate, a.outputs[0]);
       }};
     }},
};

}  // namespace

std::span<const KernelRow> cast_kernels() {
  return kKernels;
}

extern const OpRecord cast_record;
const OpRecord cast_record = {
    .name = "Cast",
    .since_opset = 28,
    .help =
        "x in the dtype that `to` names by its number in ONNX. To an integer reals are cut off towards 0 and stop at "
        "the ends of its range, integers wrap; anything but 0 is true. Numbers, bool, "
        "floats of 8 and 4 bits (saturate = 0 makes what is past their range infinite or not-a-number), integers of 4 "
        "and 2 bits, strings.",
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels,
    .carry_out = cast_texts};

}  // namespace skerry::ops
