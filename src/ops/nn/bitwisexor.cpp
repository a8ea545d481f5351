#include <functional>

#include "ops/nn/bitwise.hpp"

namespace skerry::ops {

extern const OpRecord bitwisexor_record;
const OpRecord bitwisexor_record = {
    .name = "BitwiseXor",
    .since_opset = 18,
    .help = "a ^ b, bit by bit, under broadcasting.",
    .inputs = 2,
    .infer = infer_bitwise,
    .kernels = kReference<bitwise<std::bit_xor<>>, can_bitwise, bytes_of_nothing>,
};

}  // namespace skerry::ops
