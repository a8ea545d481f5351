#include "ops/nn/random.hpp"

namespace skerry::ops {

extern const OpRecord randomnormal_record;
const OpRecord randomnormal_record = {
    .name = "RandomNormal",
    .since_opset = 22,
    .help =
        "Normal numbers of `mean` (default 0) and deviation `scale` (1), of attributes shape and dtype (a real type, "
        "f32). With `seed` those of NumPy's RandomState(seed); without, drawn by the run's seed and the node's name.",
    .inputs = 0,
    .infer = infer_drawn,
    .kernels = kNormal,
    .draws = always_draws,
};

}  // namespace skerry::ops
