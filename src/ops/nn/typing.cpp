#include "ops/nn/typing.hpp"

#include <algorithm>
#include <skerry/error.hpp>

namespace skerry::ops {

void refuse(const Node& node, const std::string& message, const std::string& hint) {
  throw Error(ErrorCode::type_mismatch, message, node.place(), hint);
}

const TensorType& input(const TypeContext& context, std::size_t index) {
  if (index >= context.inputs.size() || context.inputs[index] == nullptr)
    refuse(context.node, context.node.op + " needs input " + std::to_string(index));
  return *context.inputs[index];
}

const TensorType* optional_input(const TypeContext& context, std::size_t index) {
  return index < context.inputs.size() ? context.inputs[index] : nullptr;
}

bool has_input(const Node& node, std::size_t index) {
  return index < node.inputs.size() && node.inputs[index] != kNoValue;
}

void set_output(TypeContext& context, std::size_t index, DType dtype, std::optional<Dims> shape) {
  if (shape && shape->size() > Shape::kMaxRank) {
    refuse(context.node, "the result has " + std::to_string(shape->size()) + " axes but at most " +
                             std::to_string(Shape::kMaxRank) + " are possible");
  }
  if (index < context.outputs.size()) context.outputs[index] = TensorType{dtype, std::move(shape)};
}

void require_same(const TypeContext& context, std::size_t a, std::size_t b) {
  const TensorType* x = optional_input(context, a);
  const TensorType* y = optional_input(context, b);
  if (x == nullptr || y == nullptr || x->dtype == y->dtype) return;
  refuse(context.node, context.node.op + " needs one dtype for inputs " + std::to_string(a) + " and " +
                           std::to_string(b) + " but has " + x->text() + " and " + y->text());
}

bool require_rank(const TypeContext& context, std::size_t index, std::size_t least, std::size_t most) {
  const TensorType& type = input(context, index);
  if (!type.shape) return false;
  if (type.shape->size() >= least && type.shape->size() <= most) return true;
  const std::string wanted =
      least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most);
  refuse(context.node, "input " + std::to_string(index) + " of " + context.node.op + " has " +
                           std::to_string(type.shape->size()) + " axes instead of " + wanted);
}

DType dtype_attribute(const Node& node, std::string_view attribute, DType otherwise) {
  if (node.find(attribute) == nullptr) return otherwise;
  const std::int64_t number = node.integer(attribute, 0);
#define SKERRY_DTYPE(name, bits, onnx) \
  if (number == (onnx)) return DType::name;
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
  // onnx.TensorProto.DataType goes on to here: types that there is no room for yet.
  constexpr std::int64_t kLastOfOnnx = 28;
  if (number > 26 && number <= kLastOfOnnx)
    throw Error(ErrorCode::unsupported, "element type " + std::to_string(number) + " of ONNX is not supported",
                node.name);
  refuse(node, "attribute " + std::string(attribute) + " is " + std::to_string(number) + ", which is no dtype");
}

std::size_t normal_axis(const Node& node, std::int64_t axis, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank)
    refuse(node, "axis " + std::to_string(axis) + " is outside a tensor of " + std::to_string(rank) + " axes");
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

std::vector<std::size_t> normal_axes(const Node& node, const std::vector<std::int64_t>& axes, std::size_t rank) {
  std::vector<std::size_t> out;
  for (const std::int64_t axis : axes) {
    out.push_back(normal_axis(node, axis, rank));
    if (std::count(out.begin(), out.end(), out.back()) > 1)
      refuse(node, "axis " + std::to_string(axis) + " is named twice");
  }
  return out;
}

std::vector<std::int64_t> integers_of(const Node& node, const Tensor& tensor) {
  std::vector<std::int64_t> out;
  if (!kernels::Integers::contains(tensor.dtype()))
    refuse(node, "integers are needed but there is " + TensorType::of(tensor.dtype(), tensor.shape()).text());
  kernels::visit(kernels::Integers{}, tensor.dtype(), [&]<class T>() {
    const Tensor values = aligned_copy(tensor);
    for (const T value : values.as<T>()) out.push_back(static_cast<std::int64_t>(value));
  });
  return out;
}

std::optional<std::vector<std::int64_t>> constant_integers(const TypeContext& context, std::size_t index) {
  if (index >= context.constants.size() || context.constants[index] == nullptr) return std::nullopt;
  return integers_of(context.node, *context.constants[index]);
}

Dim broadcast(const Node& node, const Dim& a, const Dim& b) {
  if (a.is_known() && a.value == 1) return b;
  if (b.is_known() && b.value == 1) return a;
  if (a.is_known() && b.is_known()) {
    if (a.value == b.value) return a;
    refuse(node, "extents " + std::to_string(a.value) + " and " + std::to_string(b.value) + " do not go together");
  }
  // A known extent above 1 wins: the other side can only be 1 or the same.
  if (a.is_known()) return a;
  if (b.is_known()) return b;
  return a.same_as(b) ? a : Dim();
}

std::optional<Dims> broadcast(const Node& node, const std::optional<Dims>& a, const std::optional<Dims>& b) {
  if (!a || !b) return std::nullopt;
  const Dims& longer = a->size() >= b->size() ? *a : *b;
  const Dims& shorter = a->size() >= b->size() ? *b : *a;
  Dims out = longer;
  const std::size_t lead = longer.size() - shorter.size();
  for (std::size_t axis = 0; axis < shorter.size(); ++axis)
    out[lead + axis] = broadcast(node, longer[lead + axis], shorter[axis]);
  return out;
}

Dim product(const Dims& dims, std::size_t begin, std::size_t end) {
  std::int64_t known = 1;
  const Dim* only_unknown = nullptr;
  int unknowns = 0;
  for (std::size_t i = begin; i < end; ++i) {
    if (!dims[i].is_known()) {
      only_unknown = &dims[i];
      ++unknowns;
    } else if (__builtin_mul_overflow(known, dims[i].value, &known)) {
      return {};
    }
  }
  if (unknowns == 0) return known;
  return unknowns == 1 && known == 1 ? *only_unknown : Dim();
}

std::optional<Dim> quotient(const Dims& total, const Dims& rest) {
  std::int64_t above = 1, below = 1;
  std::vector<std::string> names;
  bool unknown = false;
  const auto split = [&unknown](const Dims& dims, std::int64_t& known, auto&& on_name) {
    for (const Dim& dim : dims) {
      if (dim.is_known()) {
        unknown |= __builtin_mul_overflow(known, dim.value, &known);
      } else if (dim.symbol.empty()) {
        unknown = true;
      } else {
        on_name(dim.symbol);
      }
    }
  };
  split(total, above, [&](const std::string& name) { names.push_back(name); });
  split(rest, below, [&](const std::string& name) {
    const auto at = std::ranges::find(names, name);
    unknown |= at == names.end();
    if (at != names.end()) names.erase(at);
  });
  if (unknown || names.size() > 1) return Dim();
  if (names.size() == 1) return above == below ? Dim(names[0]) : Dim();
  if (below == 0 || above % below != 0) return std::nullopt;
  return Dim(above / below);
}

const Dims* known_dims(const TypeContext& context, std::size_t index) {
  return index < context.dims.size() ? context.dims[index] : nullptr;
}

std::optional<Dims> wanted_dims(const TypeContext& context, std::size_t index) {
  const TensorType& type = input(context, index);
  if (!kernels::Integers::contains(type.dtype) || (type.shape && type.shape->size() > 1)) {
    refuse(context.node, context.node.op + " needs a vector of integers as input " + std::to_string(index) +
                             " but has " + type.text());
  }
  if (const Dims* known = known_dims(context, index)) return *known;
  if (!type.shape) return std::nullopt;
  const Dim count = type.shape->empty() ? Dim(1) : type.shape->front();
  if (!count.is_known()) return std::nullopt;
  if (count.value > Shape::kMaxRank)
    refuse(context.node, "a shape of " + std::to_string(count.value) + " axes is asked for but at most " +
                             std::to_string(Shape::kMaxRank) + " are possible");
  return Dims(static_cast<std::size_t>(count.value));
}

void same_as_input(TypeContext& context) {
  const TensorType& type = input(context, 0);
  set_output(context, 0, type.dtype, type.shape);
}

}  // namespace skerry::ops
