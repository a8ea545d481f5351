#include "ops/nn/cosine_window.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  cosine_window({25.0 / 46.0, 21.0 / 46.0, 0.0}, node, arguments);
}

}  // namespace

extern const OpRecord hammingwindow_record;
const OpRecord hammingwindow_record = {
    .name = "HammingWindow",
    .since_opset = 17,
    .help = "The Hamming window of `size` elements; periodic = 1 (default) leaves out the repeated last one.",
    .inputs = 1,
    .infer = infer_window,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
