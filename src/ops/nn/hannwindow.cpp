#include "ops/nn/cosine_window.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  cosine_window({0.5, 0.5, 0.0}, node, arguments);
}

}  // namespace

extern const OpRecord hannwindow_record;
const OpRecord hannwindow_record = {
    .name = "HannWindow",
    .since_opset = 17,
    .help = "The Hann window of `size` elements; periodic = 1 (default) leaves out the repeated last one.",
    .inputs = 1,
    .infer = infer_window,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
