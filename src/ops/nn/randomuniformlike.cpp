#include "ops/nn/random.hpp"

namespace skerry::ops {

extern const OpRecord randomuniformlike_record;
const OpRecord randomuniformlike_record = {
    .name = "RandomUniformLike",
    .since_opset = 22,
    .help = "RandomUniform of the input's shape; its dtype unless attribute dtype says otherwise.",
    .inputs = 1,
    .infer = infer_drawn_like,
    .kernels = kUniform,
    .draws = always_draws,
};

}  // namespace skerry::ops
