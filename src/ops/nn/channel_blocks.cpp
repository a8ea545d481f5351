#include "ops/nn/channel_blocks.hpp"

namespace skerry::ops {

std::int64_t block_size(const Node& node) {
  const std::int64_t b = node.integer("blocksize", 0);
  if (b < 1 || b > 65536) refuse(node, "blocksize is " + std::to_string(b), "it must be from 1 to 65536");
  return b;
}

}  // namespace skerry::ops
