#include "ops/nn/quantized_map.hpp"

namespace skerry::ops {

void infer_quantized_map(TypeContext& context) {
  require(context, 0, Bytes{});
  require_quant(context, 1, input(context, 0).dtype);
  require_quant(context, 3, input(context, 0).dtype);
  same_as_input(context);
}

Cost can_quantized_map(const Node&, const NodeTypes& types) {
  auto work = stream_all(types);
  work.push_back({kernels::Rate::scalar, 256.0 * 20.0 + 1.0 * static_cast<double>(elements(types.outputs[0]))});
  return work;
}

Prepared prepare_quantized_map(RealFunction f, float parameter) {
  return {[f, parameter](const KernelArguments& a) {
    const TensorView& x = a.inputs[0];
    const auto table = kernels::table_i8(quant_of(a, 1), quant_of(a, 3), x.dtype() == DType::i8,
                                         [&](float value) { return f(value, parameter); });
    kernels::map_bytes(elements_of(x).data, x.elements(), table, bytes_of(a.outputs[0]));
  }};
}

}  // namespace skerry::ops
