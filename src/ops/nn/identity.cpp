#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  context.outputs[0] = input(context, 0);
  if (const Dims* dims = known_dims(context, 0)) context.output_dims[0] = *dims;
}

}  // namespace

extern const OpRecord identity_record;
const OpRecord identity_record = {.name = "Identity",
                                  .since_opset = 25,
                                  .help = "y = x, any dtype; sequences, optionals and strings too. No data moves.",
                                  .infer = infer,
                                  .is_view = true,
                                  .takes_wrapped = true};

}  // namespace skerry::ops
