#include <skerry/error.hpp>

#include "kernels/images/images.hpp"
#include "ops/nn/data_node.hpp"

namespace skerry::ops {
namespace {

enum class Pixels : std::uint8_t { rgb, bgr, grey };

Pixels pixels_of(const Node& node) {
  const std::string name = node.text("pixel_format", "RGB");
  if (name == "RGB") return Pixels::rgb;
  if (name == "BGR") return Pixels::bgr;
  if (name == "Grayscale") return Pixels::grey;
  refuse(node, "pixel_format is '" + name + "'", "use RGB, BGR or Grayscale");
}

std::int64_t channels_of(Pixels pixels) {
  return pixels == Pixels::grey ? 1 : 3;
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Types<std::uint8_t>{});
  require_rank(context, 0, 1, 1);
  set_output(context, 0, DType::u8, Dims{Dim(), Dim(), Dim(channels_of(pixels_of(context.node)))});
}

// ITU-R BT.601 in 16 bits of fraction, as Pillow has it.
Tensor grey_of(const Tensor& rgb, const Evaluation& evaluation) {
  Tensor grey = allocate(DType::u8, Shape{rgb.shape()[0], rgb.shape()[1], 1}, evaluation);
  const auto from = rgb.as<std::uint8_t>();
  const auto to = writable(grey).as<std::uint8_t>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::uint32_t sum = from[3 * i] * 19595U + from[3 * i + 1] * 38470U + from[3 * i + 2] * 7471U;
    to[i] = static_cast<std::uint8_t>((sum + 0x8000U) >> 16);
  }
  return grey;
}

void swap_red_and_blue(const Tensor& rgb) {
  const auto values = writable(rgb).as<std::uint8_t>();
  for (std::size_t i = 0; i + 2 < values.size(); i += 3) std::swap(values[i], values[i + 2]);
}

Tensor decoded(const DataNode& context) {
  const Pixels pixels = pixels_of(context.node);
  const TensorView file = tensor_in(context, 0).view();
  const Evaluation& evaluation = context.evaluation;
  Tensor rgb;
  base::Reservation working;
  const auto memory = [&](std::uint64_t height, std::uint64_t width) {
    if (evaluation.budget != nullptr)
      working = base::Reservation(*evaluation.budget, height * width * kernels::kDecodingBytes, "decoding an image");
    rgb =
        allocate(DType::u8, Shape{static_cast<std::int64_t>(height), static_cast<std::int64_t>(width), 3}, evaluation);
    return writable(rgb).data();
  };
  if (!kernels::decode_image({file.data(), file.bytes()}, memory))
    return allocate(DType::u8, Shape{0, 0, channels_of(pixels)}, evaluation);
  if (pixels == Pixels::grey) return grey_of(rgb, evaluation);
  if (pixels == Pixels::bgr) swap_red_and_blue(rgb);
  return rgb;
}

std::vector<Datum> carry_out(DataNode& context) {
  try {
    return {decoded(context)};
  } catch (const Error& error) {
    throw error.at(context.node.name);
  }
}

}  // namespace

extern const OpRecord imagedecoder_record;
const OpRecord imagedecoder_record = {
    .name = "ImageDecoder",
    .since_opset = 20,
    .help =
        "The image in a file's bytes (u8 [n]) as u8 [height, width, channels], by attribute pixel_format RGB "
        "(default), "
        "BGR or Grayscale (ITU-R BT.601): BMP, JPEG, JPEG 2000, PNG, PNM, TIFF and WebP; transparency is dropped. What "
        "cannot be decoded is an image of no rows, as ONNX has it. Needs libskerry_images.so.",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out};

}  // namespace skerry::ops
