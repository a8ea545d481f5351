// libskerry_onednn.so: the only file that knows oneDNN's API (2.x, where primitive descriptors take a descriptor).
#include <algorithm>
#include <dnnl.hpp>
#include <exception>
#include <memory>
#include <unordered_map>
#include <utility>

#include "kernels/tensor/onednn/abi.h"

// OpenMP's runtime has it whoever compiled; omp.h belongs to one compiler.
extern "C" void omp_set_num_threads(int threads);  // NOLINT(readability-identifier-naming)

namespace {

using dnnl::memory;
using Tag = memory::format_tag;

const dnnl::engine& cpu() {
  static const dnnl::engine kEngine(dnnl::engine::kind::cpu, 0);
  return kEngine;
}

// A primitive with its weights in the layout it likes best. Inputs and outputs stay in our layout at the door: where
// the primitive wants another one, it is reordered through scratch on each run.
struct Handle {
  dnnl::primitive primitive;
  memory weights, bias;
  memory::desc x_outside, x_inside, out_outside, out_inside, scratch;
  dnnl::reorder x_reorder, out_reorder;

  bool reorders_x() const { return x_inside != x_outside; }
  bool reorders_out() const { return out_inside != out_outside; }
};

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

memory reordered(const memory::desc& from, const memory::desc& to, const float* data) {
  memory source(from, cpu(), const_cast<float*>(data));
  memory target(to, cpu());
  dnnl::stream stream(cpu());
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
  return target;
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // the caller's memory budget owns every byte
  return attributes;
}

void finish(Handle& handle, const memory::desc& weights_outside, const memory::desc& weights_inside,
            const float* weights, const memory::desc& bias, const float* bias_data) {
  handle.weights = reordered(weights_outside, weights_inside, weights);
  if (bias_data != nullptr) handle.bias = reordered(bias, bias, bias_data);
  const auto reorder = [](const memory::desc& from, const memory::desc& to) {
    return dnnl::reorder(dnnl::reorder::primitive_desc(cpu(), from, cpu(), to));
  };
  if (handle.reorders_x()) handle.x_reorder = reorder(handle.x_outside, handle.x_inside);
  if (handle.reorders_out()) handle.out_reorder = reorder(handle.out_inside, handle.out_outside);
}

std::unique_ptr<Handle> conv_handle(const skerry_onednn_conv& c, const float* weights, const float* bias) {
  const auto f32 = memory::data_type::f32;
  const memory::dims x{c.batch, c.channels, c.input[0], c.input[1]}, out{c.batch, c.outputs, c.output[0], c.output[1]};
  const memory::dims w =
      c.groups == 1 ? memory::dims{c.outputs, c.channels, c.kernel[0], c.kernel[1]}
                    : memory::dims{c.groups, c.outputs / c.groups, c.channels / c.groups, c.kernel[0], c.kernel[1]};
  const memory::desc bias_desc({c.outputs}, f32, Tag::x);
  const auto any = [](const memory::dims& dims) { return memory::desc(dims, memory::data_type::f32, Tag::any); };
  const memory::dims strides{c.stride[0], c.stride[1]}, dilates{c.dilation[0] - 1, c.dilation[1] - 1};
  const memory::dims before{c.pad_begin[0], c.pad_begin[1]}, after{c.pad_end[0], c.pad_end[1]};
  using Convolution = dnnl::convolution_forward;
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const auto desc =
      bias == nullptr
          ? Convolution::desc(kind, algorithm, any(x), any(w), any(out), strides, dilates, before, after)
          : Convolution::desc(kind, algorithm, any(x), any(w), bias_desc, any(out), strides, dilates, before, after);
  const Convolution::primitive_desc chosen(desc, attributes(), cpu());

  auto handle = std::make_unique<Handle>();
  handle->primitive = Convolution(chosen);
  handle->x_outside = memory::desc(x, f32, Tag::nchw);
  handle->out_outside = memory::desc(out, f32, Tag::nchw);
  handle->x_inside = chosen.src_desc();
  handle->out_inside = chosen.dst_desc();
  handle->scratch = chosen.scratchpad_desc();
  finish(*handle, memory::desc(w, f32, c.groups == 1 ? Tag::oihw : Tag::goihw), chosen.weights_desc(), weights,
         bias_desc, bias);
  return handle;
}

void* make_conv(const skerry_onednn_conv* shape, const float* weights, const float* bias, const char** reason) {
  try {
    // Weights are reordered here: more threads than this one would spin at barriers long after.
    omp_set_num_threads(1);
    return conv_handle(*shape, weights, bias).release();
  } catch (const dnnl::error&) {
    *reason = "oneDNN has no primitive for this shape";
  } catch (const std::exception&) {
    *reason = "oneDNN could not be prepared";
  }
  return nullptr;
}

std::uint64_t scratch_bytes(const void* opaque) {
  const auto& handle = *static_cast<const Handle*>(opaque);
  return aligned(handle.scratch.get_size()) + (handle.reorders_x() ? aligned(handle.x_inside.get_size()) : 0) +
         (handle.reorders_out() ? aligned(handle.out_inside.get_size()) : 0);
}

std::uint64_t packed_bytes(const void* opaque) {
  const auto& handle = *static_cast<const Handle*>(opaque);
  return handle.weights.get_desc().get_size() + (handle.bias ? handle.bias.get_desc().get_size() : 0);
}

int run(const void* opaque, const float* x, float* out, void* scratch, int threads) {
  try {
    const auto& handle = *static_cast<const Handle*>(opaque);
    omp_set_num_threads(std::max(threads, 1));
    auto* next = static_cast<char*>(scratch);
    const auto take = [&next](const memory::desc& desc) {
      memory taken(desc, cpu(), next);
      next += aligned(desc.get_size());
      return taken;
    };
    dnnl::stream stream(cpu());
    const memory pad = take(handle.scratch);
    memory source(handle.x_outside, cpu(), const_cast<float*>(x)), target(handle.out_outside, cpu(), out);
    memory inside = source, result = target;
    if (handle.reorders_x()) {
      inside = take(handle.x_inside);
      handle.x_reorder.execute(stream, source, inside);
    }
    if (handle.reorders_out()) result = take(handle.out_inside);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, inside}, {DNNL_ARG_WEIGHTS, handle.weights}, {DNNL_ARG_DST, result}, {DNNL_ARG_SCRATCHPAD, pad}};
    if (handle.bias) arguments.emplace(DNNL_ARG_BIAS, handle.bias);
    handle.primitive.execute(stream, arguments);
    if (handle.reorders_out()) handle.out_reorder.execute(stream, result, target);
    stream.wait();
    return 0;
  } catch (const std::exception&) {
    return 1;
  }
}

void free_handle(void* opaque) {
  delete static_cast<Handle*>(opaque);
}

constexpr skerry_onednn_api kApi = {SKERRY_ONEDNN_ABI, make_conv, scratch_bytes, packed_bytes, run, free_handle};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skerry_onednn_api* skerry_onednn(void) {
  return &kApi;
}
