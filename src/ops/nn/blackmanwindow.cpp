#include "ops/nn/cosine_window.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  cosine_window({0.42, 0.5, 0.08}, node, arguments);
}

}  // namespace

extern const OpRecord blackmanwindow_record;
const OpRecord blackmanwindow_record = {
    .name = "BlackmanWindow",
    .since_opset = 17,
    .help = "The Blackman window of `size` elements; periodic = 1 (default) leaves out the repeated last one.",
    .inputs = 1,
    .infer = infer_window,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
