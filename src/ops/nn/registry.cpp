#include <algorithm>
#include <array>

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

#define SKERRY_OP(identifier) extern const OpRecord identifier##_record;
#include "ops/hybrid/hybrid_ops.def"
#include "ops/nn/ops.def"
#undef SKERRY_OP

namespace {

constexpr int kNewestOpset = 28;

const auto& by_name() {
  static const auto sorted = [] {
    std::array records = {
#define SKERRY_OP(identifier) &identifier##_record,
#include "ops/hybrid/hybrid_ops.def"
#include "ops/nn/ops.def"
#undef SKERRY_OP
    };
    std::ranges::sort(records, {}, &OpRecord::name);
    return records;
  }();
  return sorted;
}

}  // namespace

const OpRecord* find_op(std::string_view name) {
  const auto& records = by_name();
  const auto at = std::ranges::lower_bound(records, name, {}, &OpRecord::name);
  return at != records.end() && (*at)->name == name ? *at : nullptr;
}

std::span<const OpRecord* const> all_ops() {
  return by_name();
}

int newest_opset() {
  return kNewestOpset;
}

}  // namespace skerry::ops
