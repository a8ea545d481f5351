#include "ops/nn/random.hpp"

namespace skerry::ops {

extern const OpRecord randomnormallike_record;
const OpRecord randomnormallike_record = {
    .name = "RandomNormalLike",
    .since_opset = 22,
    .help = "RandomNormal of the input's shape; its dtype unless attribute dtype says otherwise.",
    .inputs = 1,
    .infer = infer_drawn_like,
    .kernels = kNormal,
    .draws = always_draws,
};

}  // namespace skerry::ops
