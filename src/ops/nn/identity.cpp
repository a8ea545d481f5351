#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  same_as_input(context);
  if (const Dims* dims = known_dims(context, 0)) context.output_dims[0] = *dims;
}

}  // namespace

extern const OpRecord identity_record;
const OpRecord identity_record = {
    .name = "Identity", .since_opset = 25, .help = "y = x, any dtype. No data moves.", .infer = infer, .is_view = true};

}  // namespace skerry::ops
