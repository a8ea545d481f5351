#include "kernels/tensor/pixels_i8.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/threads.hpp"
#include "base/weighing.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/pixels_i8_loops.hpp"

namespace skerry::kernels {
namespace {

// Weights beyond this come from memory or the last cache each time.
constexpr std::uint64_t kCachedBytes = std::uint64_t{512} << 10;

std::size_t at(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}
std::size_t blocks(std::size_t extent, std::size_t size) {
  return (extent + size - 1) / size;
}

void plain_pixel(const PixelRowsI8& row, const std::uint8_t* x, std::size_t to) {
  const std::size_t width = row.wide ? kPixelPanelI8 : kPixelPanelI8 / 2;
  std::array<std::int32_t, kPixelPanelI8> sums{};
  const std::int8_t* w = row.w;
  for (const std::size_t segment : row.segments) {
    const std::uint8_t* from = x + segment;
    for (std::size_t g = 0; g < row.groups; ++g, w += width * 4, from += 4) {
      for (std::size_t o = 0; o < width; ++o) {
        for (std::size_t i = 0; i < 4; ++i) sums[o] += static_cast<std::uint8_t>(from[i] ^ row.flip) * w[o * 4 + i];
      }
    }
  }
  for (std::size_t o = 0; o < row.columns; ++o) put_output<false>(row, sums[o], o, to + o);
}

void plain_pixel_rows(const PixelRowsI8& row) {
  for (std::size_t r = 0; r < row.rows; ++r) {
    for (std::size_t p = 0; p < row.pixels; ++p)
      plain_pixel(row, row.x + r * row.x_row + p * row.x_pixel, r * row.y_row + p * row.y_pixel);
  }
}

void plain_window_row(const WindowRowI8& row) {
  window_row_loops(row);
}

// The weight as an i8 with zero point 0.
std::int8_t signed_weight(const ElementsI8& weights, std::size_t i) {
  return static_cast<std::int8_t>(weights.data[i] ^ weights.flip_to(true));
}

RequantI8 requant(const EndI8& end, const float* scale) {
  return {scale, end.zero, end.low, end.high};
}

// The different ranges of taps along an axis, and which of them each output has.
std::vector<Taps> cases_of(std::span<const Taps> outputs, std::vector<std::size_t>& of_output) {
  std::vector<Taps> cases;
  for (const Taps& taps : outputs) {
    const auto found = std::ranges::find(cases, taps);
    of_output.push_back(static_cast<std::size_t>(found - cases.begin()));
    if (found == cases.end()) cases.push_back(taps);
  }
  return cases;
}

// best[k] = max(best[k], x[k]) of elements flipped to u8. A full block is a loop of known length, which becomes
// vectors.
void raise(const std::uint8_t* x, std::int64_t count, std::uint8_t flip, std::array<std::uint8_t, 64>& best) {
  if (count == 64) {
    for (std::size_t k = 0; k < 64; ++k) best[k] = std::max<std::uint8_t>(best[k], x[k] ^ flip);
    return;
  }
  for (std::size_t k = 0; k < at(count); ++k) best[k] = std::max<std::uint8_t>(best[k], x[k] ^ flip);
}

}  // namespace

const PixelLoopsI8& portable_pixel_loops_i8() noexcept {
  static const PixelLoopsI8 kLoops = {plain_pixel_rows, plain_window_row};
  return kLoops;
}

const PixelLoopsI8& pixel_loops_i8() noexcept {
  static const PixelLoopsI8& chosen = [&]() -> const PixelLoopsI8& {
    if (const PixelLoopsI8* loops = vnni_pixel_loops_i8()) return *loops;
    if (const PixelLoopsI8* loops = avx2_pixel_loops_i8()) return *loops;
    return portable_pixel_loops_i8();
  }();
  return chosen;
}

SumI8 sum_with_residual(QuantI8 of_a, QuantI8 of_b, QuantI8 of_sum, bool residual_left, bool is_signed) {
  const AddI8 add = add_of(of_a, of_b, of_sum);
  return {add.left, add.right, add.fixed, residual_left, is_signed};
}

// Fours are read past the end of a segment whose length is no multiple: only a copy of x has room for that.
PixelConvI8::PixelConvI8(const ConvShape& shape, const QuantisedConvI8& conv, bool planes_in)
    : shape_(shape),
      flip_(conv.x_signed ? 0x80 : 0),
      padding_(static_cast<std::uint8_t>(conv.x_zero)),
      pieces_(shape, shape.window.has_padding() || shape.channels % 4 != 0, planes_in, kPixelPanelI8, 1),
      groups_(blocks(pieces_.segment_length(), 4)) {
  const std::size_t outputs = at(shape.outputs), taps = at(shape.window.taps()), channels = at(shape.channels);
  const std::size_t segments = pieces_.segments().size(), length = pieces_.segment_length();
  const std::size_t places = pieces_.panels() * kPixelPanelI8, panel_bytes = segments * groups_ * 4;
  packed_ =
      base::Buffer::allocate(std::max<std::size_t>(places * panel_bytes, 1), base::MemoryBudget(), "packed weights");
  add_.assign(places, 0);
  scale_.assign(places, 0.0F);
  if (base::is_weighing) return;
  const auto packed = packed_.as<std::int8_t>();
  std::ranges::fill(packed, std::int8_t{0});
  const std::int32_t zero = conv.x_zero + (conv.x_signed ? 128 : 0);
  for (std::size_t o = 0; o < outputs; ++o) {
    const std::size_t first = o / kPixelPanelI8 * kPixelPanelI8;
    const std::size_t width = outputs - first <= kPixelPanelI8 / 2 ? kPixelPanelI8 / 2 : kPixelPanelI8;
    std::int8_t* panel = packed.data() + first * panel_bytes;
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < taps * channels; ++i) {
      const std::int8_t weight = signed_weight(conv.weights, o * channels * taps + i);
      const std::size_t k = pieces_.place(i / taps, i % taps);
      const std::size_t group = k / length * groups_ + k % length / 4;
      panel[(group * width + (o - first)) * 4 + k % length % 4] = weight;
      sum += static_cast<std::uint32_t>(weight);
    }
    const std::uint32_t bias = conv.bias.empty() ? 0 : static_cast<std::uint32_t>(conv.bias[o]);
    add_[o] = static_cast<std::int32_t>(bias - sum * static_cast<std::uint32_t>(zero));
    scale_[o] = conv.scale[o];
  }
}

void PixelConvI8::run(const std::uint8_t* x, std::uint8_t* y, std::span<std::byte> scratch, const EndI8& end,
                      const ResidualI8& residual) const {
  const Window& w = shape_.window;
  const std::size_t outputs = at(shape_.outputs);
  const std::size_t panel_bytes = pieces_.segments().size() * groups_ * 4;
  const auto packed = packed_.as<std::int8_t>();
  const auto loop_rows = pixel_loops_i8().pixel_rows;
  const std::size_t last_panel = (pieces_.panels() - 1) * kPixelPanelI8;
  const bool fetches = packed_.bytes() > kCachedBytes;
  pieces_.for_each(scratch, [&](const PixelPieces::Piece& piece, std::byte* slot) {
    const std::uint8_t* from = pieces_.input(piece, x, padding_, slot);
    for (std::size_t panel = piece.panel; panel < piece.panel + piece.panels; ++panel) {
      const std::size_t column = panel * kPixelPanelI8;
      const std::size_t pixel = (piece.image * at(w.output[1]) + piece.row) * at(w.output[2]) + piece.pixel;
      const std::size_t to = pixel * outputs + column;
      loop_rows({.x = from,
                 .x_row = pieces_.x_row(),
                 .x_pixel = pieces_.x_pixel(),
                 .segments = pieces_.segments(),
                 .groups = groups_,
                 .w = packed.data() + column * panel_bytes,
                 .next = fetches ? packed.data() + std::min(column + kPixelPanelI8, last_panel) * panel_bytes : nullptr,
                 .add = add_.data() + column,
                 .flip = flip_,
                 .y = y + to,
                 .y_row = at(w.output[2]) * outputs,
                 .y_pixel = outputs,
                 .rows = piece.rows,
                 .pixels = piece.pixels,
                 .columns = std::min(kPixelPanelI8, outputs - column),
                 .wide = outputs - column > kPixelPanelI8 / 2,
                 .end = requant(end, scale_.data() + column),
                 .residual = residual.data == nullptr ? nullptr : residual.data + to,
                 .sum = residual.sum});
    }
  });
}

PixelDepthwiseI8::PixelDepthwiseI8(const ConvShape& shape, const QuantisedConvI8& conv)
    : shape_(shape),
      x_signed_(conv.x_signed),
      rows_(seen_taps(shape.window, 1)),
      columns_(seen_taps(shape.window, 2)),
      scale_(conv.scale.begin(), conv.scale.end()) {
  const Window& w = shape.window;
  const std::size_t channels = at(shape.channels), taps = at(w.taps());
  weights_.resize(taps * channels);
  for (std::size_t tap = 0; tap < taps; ++tap) {
    for (std::size_t c = 0; c < channels; ++c)
      weights_[tap * channels + c] = int{signed_weight(conv.weights, c * taps + tap)};
  }
  const auto rows = cases_of(rows_, row_case_), columns = cases_of(columns_, column_case_);
  column_cases_ = columns.size();
  starts_.resize(rows.size() * columns.size() * channels);
  auto start = starts_.begin();
  for (const Taps& y : rows) {
    for (const Taps& x : columns) {
      for (std::size_t c = 0; c < channels; ++c, ++start) {
        std::int32_t sum = 0;
        for (std::int64_t i = y.first; i < y.last; ++i) {
          for (std::int64_t j = x.first; j < x.last; ++j) sum += weights_[at(i * w.kernel[2] + j) * channels + c];
        }
        const std::uint32_t bias = conv.bias.empty() ? 0 : static_cast<std::uint32_t>(conv.bias[c]);
        *start = static_cast<std::int32_t>(bias - static_cast<std::uint32_t>(sum * conv.x_zero));
      }
    }
  }
}

// Output pixels [first, last) of a row, which all see the same taps.
void PixelDepthwiseI8::run_span(std::int64_t oy, std::int64_t first, std::int64_t last, const std::uint8_t* image,
                                std::uint8_t* row, const EndI8& end) const {
  const Window& s = shape_.window;
  const std::size_t channels = at(shape_.channels);
  const Taps y = rows_[at(oy)], x = columns_[at(first)];
  WindowRowI8 loop{};
  loop.x = image + (s.position(1, oy, y.first) * s.input[2] + s.position(2, first, x.first)) * shape_.channels;
  loop.x_signed = x_signed_;
  loop.x_pixel = at(s.stride[2]) * channels;
  loop.x_row = at(s.dilation[1] * s.input[2]) * channels;
  loop.tap = at(s.dilation[2]) * channels;
  loop.taps_y = at(y.last - y.first);
  loop.taps_x = at(x.last - x.first);
  if (loop.taps_x == 0 || loop.taps_y == 0) loop.x = image, loop.taps_y = 0;
  loop.w_tap = channels;
  loop.w_row = at(s.kernel[2]) * channels;
  loop.w = weights_.data() + at(y.first * s.kernel[2] + x.first) * channels;
  loop.start = starts_.data() + (row_case_[at(oy)] * column_cases_ + column_case_[at(first)]) * channels;
  loop.y = row + first * shape_.channels;
  loop.y_pixel = channels;
  loop.pixels = at(last - first);
  loop.channels = channels;
  loop.end = requant(end, scale_.data());
  pixel_loops_i8().window_row(loop);
}

void PixelDepthwiseI8::run(const std::uint8_t* x, std::uint8_t* y, const EndI8& end) const {
  const Window& s = shape_.window;
  if (s.outputs() == 0 || shape_.channels == 0) return;
  const auto [inner, after] = s.inside(2);
  const std::size_t work = at(s.output[2] * shape_.channels * s.taps());
  const std::size_t grain = std::max<std::size_t>(1, 16 * kElementGrain / std::max<std::size_t>(work, 1));
  base::parallel_for(0, at(shape_.batch * s.output[1]), grain, [&](std::size_t begin, std::size_t stop) {
    for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(stop); ++i) {
      const std::int64_t image = i / s.output[1], oy = i % s.output[1];
      const std::uint8_t* from = x + image * s.inputs() * shape_.channels;
      std::uint8_t* row = y + (image * s.outputs() + oy * s.output[2]) * shape_.channels;
      for (std::int64_t ox = 0; ox < inner; ++ox) run_span(oy, ox, ox + 1, from, row, end);
      if (after > inner) run_span(oy, inner, after, from, row, end);
      for (std::int64_t ox = after; ox < s.output[2]; ++ox) run_span(oy, ox, ox + 1, from, row, end);
    }
  });
}

void quantized_pixel_mean(ElementsI8 x, QuantI8 of_x, std::int64_t images, std::int64_t space, std::int64_t channels,
                          QuantI8 of_y, std::uint8_t* y) {
  const float scale = of_x.scale / (of_y.scale * static_cast<float>(space));
  const std::uint8_t flip = x.flip_to(false);
  const std::int64_t zero = (of_x.zero + x.shift_to(false)) * space;
  const auto low = static_cast<float>((x.is_signed ? -128 : 0) - of_y.zero);
  const auto high = static_cast<float>((x.is_signed ? 127 : 255) - of_y.zero);
  constexpr std::int64_t kBlock = 64;
  const std::int64_t image_blocks = (channels + kBlock - 1) / kBlock;
  base::parallel_for(0, at(images * image_blocks), 8, [&](std::size_t begin, std::size_t end) {
    for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
      const std::int64_t image = i / image_blocks, c = i % image_blocks * kBlock;
      const std::int64_t count = std::min(kBlock, channels - c);
      std::array<std::int32_t, kBlock> sums{};
      for (std::int64_t p = 0; p < space; ++p) {
        const std::uint8_t* from = x.data + (image * space + p) * channels + c;
        for (std::int64_t k = 0; k < count; ++k) sums[at(k)] += from[k] ^ flip;
      }
      for (std::int64_t k = 0; k < count; ++k) {
        const float scaled = static_cast<float>(sums[at(k)] - zero) * scale;
        const float inside = std::min(std::max(scaled, low), high);
        y[image * channels + c + k] =
            static_cast<std::uint8_t>(static_cast<std::int32_t>(std::nearbyint(inside)) + of_y.zero);
      }
    }
  });
}

PixelMaxI8::PixelMaxI8(const Window& window, std::int64_t batch, std::int64_t channels)
    : window_(window),
      batch_(batch),
      channels_(channels),
      rows_(seen_taps(window, 1)),
      columns_(seen_taps(window, 2)) {}

void PixelMaxI8::run(ElementsI8 x, std::uint8_t* y) const {
  const Window& s = window_;
  const std::int64_t batch = batch_, channels = channels_;
  const std::uint8_t flip = x.flip_to(false);
  constexpr std::int64_t kBlock = 64;
  base::parallel_for(0, at(batch * s.output[1]), 4, [&](std::size_t begin, std::size_t end) {
    for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
      const std::int64_t image = i / s.output[1], oy = i % s.output[1];
      const Taps rows = rows_[at(oy)];
      for (std::int64_t ox = 0; ox < s.output[2]; ++ox) {
        const Taps columns = columns_[at(ox)];
        for (std::int64_t c = 0; c < channels; c += kBlock) {
          const std::int64_t count = std::min(kBlock, channels - c);
          std::array<std::uint8_t, kBlock> best{};
          for (std::int64_t ky = rows.first; ky < rows.last; ++ky) {
            for (std::int64_t kx = columns.first; kx < columns.last; ++kx) {
              const std::int64_t place = s.position(1, oy, ky) * s.input[2] + s.position(2, ox, kx);
              raise(x.data + (image * s.inputs() + place) * channels + c, count, flip, best);
            }
          }
          std::uint8_t* to = y + ((image * s.output[1] + oy) * s.output[2] + ox) * channels + c;
          for (std::int64_t k = 0; k < count; ++k) to[k] = static_cast<std::uint8_t>(best[at(k)] ^ flip);
        }
      }
    }
  });
}

}  // namespace skerry::kernels
