#include <functional>

#include "ops/nn/bitwise.hpp"

namespace skerry::ops {

extern const OpRecord bitwiseand_record;
const OpRecord bitwiseand_record = {
    .name = "BitwiseAnd",
    .since_opset = 18,
    .help = "a & b, bit by bit, under broadcasting.",
    .inputs = 2,
    .infer = infer_bitwise,
    .kernels = kReference<bitwise<std::bit_and<>>, can_bitwise, bytes_of_nothing>,
};

}  // namespace skerry::ops
