#include "ops/nn/quantized.hpp"

#include <string>

namespace skerry::ops {

std::vector<float> reals_of(TensorView view, float otherwise) {
  if (view.empty()) return {otherwise};
  std::vector<float> out;
  kernels::visit(kernels::Reals{}, view.dtype(), [&]<class T>() {
    for (const T value : view.as<T>()) out.push_back(kernels::convert<float>(value));
  });
  return out;
}

std::vector<std::int32_t> zeros_of(TensorView view) {
  if (view.empty()) return {0};
  std::vector<std::int32_t> out;
  kernels::visit(kernels::Integers{}, view.dtype(), [&]<class T>() {
    for (const T value : view.as<T>()) out.push_back(static_cast<std::int32_t>(value));
  });
  return out;
}

TensorView optional_view(const KernelArguments& arguments, std::size_t at) {
  return at < arguments.inputs.size() ? arguments.inputs[at] : TensorView();
}

kernels::QuantI8 quant_of(const KernelArguments& arguments, std::size_t at) {
  const TensorView scale = optional_view(arguments, at), zero = optional_view(arguments, at + 1);
  kernels::QuantI8 out;
  if (!scale.empty()) {
    kernels::visit(kernels::Reals{}, scale.dtype(),
                   [&]<class T>() { out.scale = kernels::convert<float>(scale.as<T>()[0]); });
  }
  if (!zero.empty()) {
    kernels::visit(kernels::Integers{}, zero.dtype(),
                   // NOLINTNEXTLINE(bugprone-signed-char-misuse): a number, no letter
                   [&]<class T>() { out.zero = static_cast<std::int32_t>(zero.as<T>()[0]); });
  }
  return out;
}

kernels::EndI8 end_at(DType dtype, std::int32_t zero) {
  kernels::EndI8 end;
  const bool is_signed = dtype == DType::i8;
  end.to = dtype == DType::i32   ? kernels::EndI8::To::i32
           : dtype == DType::f32 ? kernels::EndI8::To::f32
           : is_signed           ? kernels::EndI8::To::i8
                                 : kernels::EndI8::To::u8;
  end.zero = zero;
  end.low = is_signed ? -128 : 0;
  end.high = is_signed ? 127 : 255;
  return end;
}

std::vector<kernels::Work> steps_i8(const NodeTypes& types, double steps) {
  auto work = stream_all(types);
  work.push_back({kernels::Rate::gemm_i8, 2.0 * steps});
  // Scales and zero points are spread over the columns at each call.
  work.push_back({kernels::Rate::scalar, 300.0});
  return work;
}

std::vector<kernels::Work> passes_i8(const NodeTypes& types, double passes) {
  // An 8-bit element is widened to 32 bits on its way: four times the work of its bytes.
  auto work = stream_all(types);
  work.push_back({kernels::Rate::stream_cached, 4.0 * passes * static_cast<double>(elements(types.outputs[0]))});
  return work;
}

Expected<bool> all_known(const NodeTypes& types, std::initializer_list<std::size_t> inputs) {
  for (const std::size_t i : inputs) {
    if (i < types.inputs.size() && types.present[i] && types.constants[i] == nullptr)
      return Unexpected{"input " + std::to_string(i) + " is known only when it runs"};
  }
  return true;
}

void require_quant(const TypeContext& context, std::size_t at, DType dtype) {
  require(context, at, kernels::Reals{});
  const TensorType* zero = optional_input(context, at + 1);
  for (const TensorType* type : {&input(context, at), zero}) {
    const auto shape = type == nullptr ? std::nullopt : type->static_shape();
    if (shape && shape->elements() == 0)
      refuse(context.node, "a scale or zero point is " + type->text() + ", which has no elements");
  }
  if (zero == nullptr || zero->dtype == dtype) return;
  refuse(context.node, "the zero point, input " + std::to_string(at + 1) + ", is " + zero->text() +
                           " for elements of " + std::string(dtype_name(dtype)));
}

}  // namespace skerry::ops
