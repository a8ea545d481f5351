#include "ops/nn/binary.hpp"

namespace skerry::ops {

extern const OpRecord div_record;
const OpRecord div_record =
    binary_record<kernels::Binary::div>("Div", 14,
                                        "c = a / b under NumPy broadcasting. One dtype of number; integers are rounded "
                                        "to 0, a division of an integer by 0 gives 0.");

}  // namespace skerry::ops
