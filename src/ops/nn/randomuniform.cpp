#include "ops/nn/random.hpp"

namespace skerry::ops {

extern const OpRecord randomuniform_record;
const OpRecord randomuniform_record = {
    .name = "RandomUniform",
    .since_opset = 22,
    .help =
        "Numbers evenly between `low` (default 0) and `high` (1), of attributes shape and dtype (a real type, f32). "
        "With `seed` those of NumPy's RandomState(seed); without, drawn by the run's seed and the node's name.",
    .inputs = 0,
    .infer = infer_drawn,
    .kernels = kUniform,
    .draws = always_draws,
};

}  // namespace skerry::ops
