#include <algorithm>
#include <array>
#include <limits>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/pixels.hpp"
#include "kernels/tensor/pixels_loops.hpp"
#include "kernels/tensor/pool.hpp"

namespace skerry::kernels {
namespace {

constexpr std::size_t kMostLanes = 64;  // of floats in any vector: 2048 bits

std::size_t at(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

}  // namespace

std::vector<Taps> seen_taps(const Window& w, std::size_t axis) {
  std::vector<Taps> taps;
  for (std::int64_t o = 0; o < w.output[axis]; ++o) {
    const std::int64_t begin = w.position(axis, o, 0), d = w.dilation[axis];
    const std::int64_t first = begin >= 0 ? 0 : (-begin + d - 1) / d;
    const std::int64_t last = begin >= w.input[axis] ? 0 : (w.input[axis] - begin + d - 1) / d;
    const std::int64_t end = std::max<std::int64_t>(std::min(last, w.kernel[axis]), 0);
    taps.push_back({std::min(first, end), end});
  }
  return taps;
}

// With fewer channels than a vector holds, several pixels of a row that neighbour each other fill one, where the window
// moves by one pixel and a vector holds whole pixels: then weights repeat within a vector.
PixelWindowF32::PixelWindowF32(const Window& window, std::int64_t batch, std::int64_t channels)
    : window_(window),
      batch_(batch),
      channels_(channels),
      repeat_(1),
      rows_(seen_taps(window, 1)),
      columns_(seen_taps(window, 2)) {
  const auto lanes = static_cast<std::int64_t>(pixel_lanes());
  if (channels < lanes) repeat_ = window.stride[2] == 1 && channels > 0 && lanes % channels == 0 ? lanes / channels : 0;
}

void PixelWindowF32::pack(std::span<const float> weights, std::span<const float> bias) {
  const std::size_t channels = at(channels_), taps = at(window_.taps()), width = packed_channels();
  packed_ = base::Buffer::allocate((taps + 1) * width * sizeof(float), base::MemoryBudget(), "packed weights");
  const auto packed = packed_.as<float>();
  for (std::size_t tap = 0; tap < taps; ++tap) {
    for (std::size_t c = 0; c < width; ++c) packed[tap * width + c] = weights[c % channels * taps + tap];
  }
  for (std::size_t c = 0; c < width; ++c) packed[taps * width + c] = bias.empty() ? 0.0F : bias[c % channels];
}

void PixelWindowF32::begin_with(float start) {
  packed_ = base::Buffer::allocate(packed_channels() * sizeof(float), base::MemoryBudget(), "what a pool begins with");
  std::ranges::fill(packed_.as<float>(), start);
}

// One output pixel, for channels that fill no vector.
void PixelWindowF32::few_channels(const Job& job, std::int64_t oy, std::int64_t ox, const float* image, float* y,
                                  const float* residual, float scale) const {
  const Window& s = window_;
  const std::size_t width = packed_channels(), taps = at(s.taps());
  const float* packed = packed_.as<float>().data();
  const float* start = packed + (job.fold == WindowFold::convolve ? taps * width : 0);
  const Taps rows = rows_[at(oy)], columns = columns_[at(ox)];
  const auto channels = at(channels_);
  std::array<float, kMostLanes> sum{};
  std::copy_n(start, channels, sum.data());
  for (std::int64_t i = rows.first; i < rows.last; ++i) {
    for (std::int64_t j = columns.first; j < columns.last; ++j) {
      const float* seen = image + (s.position(1, oy, i) * s.input[2] + s.position(2, ox, j)) * channels_;
      const float* w = packed + at(i * s.kernel[2] + j) * width;
      for (std::size_t c = 0; c < channels; ++c) {
        if (job.fold == WindowFold::convolve) sum[c] += seen[c] * w[c];
        if (job.fold == WindowFold::sum) sum[c] += seen[c];
        if (job.fold == WindowFold::max) sum[c] = seen[c] > sum[c] ? seen[c] : sum[c];
      }
    }
  }
  for (std::size_t c = 0; c < channels; ++c) {
    float value = sum[c] * scale;
    if (residual != nullptr) value += residual[c];
    value = value < job.end.low ? job.end.low : value;
    y[c] = value > job.end.high ? job.end.high : value;
  }
}

float PixelWindowF32::scale_at(const Job& job, std::int64_t oy, std::int64_t ox) const {
  if (job.fold != WindowFold::sum) return 1.0F;
  return 1.0F / static_cast<float>(counted_taps(window_, 1, oy, job.count_padding) *
                                   counted_taps(window_, 2, ox, job.count_padding));
}

// Output pixels [first, last) of a row, which all see the same taps.
void PixelWindowF32::run_span(const Job& job, std::int64_t oy, std::int64_t first, std::int64_t last,
                              const float* image, float* row) const {
  const Window& s = window_;
  const Taps rows = rows_[at(oy)], columns = columns_[at(first)];
  const std::size_t width = packed_channels(), taps = at(s.taps()), channels = at(channels_);
  const float* packed = packed_.as<float>().data();
  WindowRow loop{};
  loop.x = image + (s.position(1, oy, rows.first) * s.input[2] + s.position(2, first, columns.first)) * channels_;
  loop.x_pixel = at(s.stride[2]) * channels;
  loop.x_row = at(s.dilation[1] * s.input[2]) * channels;
  loop.tap = at(s.dilation[2]) * channels;
  loop.taps_y = at(rows.last - rows.first);
  loop.taps_x = at(columns.last - columns.first);
  if (loop.taps_x == 0 || loop.taps_y == 0) loop.x = image, loop.taps_y = 0;
  loop.w_tap = width;
  loop.w_row = at(s.kernel[2]) * width;
  loop.w = packed + at(rows.first) * loop.w_row + at(columns.first) * loop.w_tap;
  loop.start = packed + (job.fold == WindowFold::convolve ? taps * width : 0);
  loop.y = row + first * channels_;
  loop.residual = job.to_residual == 0 ? nullptr : loop.y + job.to_residual;
  loop.y_pixel = channels;
  loop.pixels = at(last - first);
  loop.channels = channels;
  loop.scale = scale_at(job, oy, first);
  loop.low = job.end.low;
  loop.high = job.end.high;
  std::int64_t done = 0;
  if (repeat_ == 1) {
    run_window_row(job.fold, loop);
    done = last - first;
  } else if (repeat_ > 1) {
    done = (last - first) / repeat_ * repeat_;
    loop.pixels = at(done / repeat_);
    loop.x_pixel = loop.y_pixel = loop.channels = width;
    if (done > 0) run_window_row(job.fold, loop);
  }
  for (std::int64_t ox = first + done; ox < last; ++ox) {
    float* to = row + ox * channels_;
    few_channels(job, oy, ox, image, to, job.to_residual == 0 ? nullptr : to + job.to_residual, loop.scale);
  }
}

// Windows three wide that move by one or two pixels, as most depthwise convolutions do; by one where two pixels fill a
// vector.
bool PixelWindowF32::three_wide() const noexcept {
  const Window& s = window_;
  const bool sees = std::ranges::all_of(columns_, [](const Taps& t) { return t.last - t.first >= 2; });
  const bool moves =
      repeat_ == 1 ? s.stride[2] <= 2 : repeat_ == 2 && depthwise_takes_pairs() && s.stride[2] == 1 && s.output[2] >= 4;
  return moves && s.kernel[2] == 3 && s.kernel[1] <= 3 && s.dilation[2] == 1 && sees;
}

// Rows [oy, oy + rows), which all see the same taps.
void PixelWindowF32::run_rows(const Job& job, std::int64_t oy, std::size_t rows, const float* image, float* y) const {
  const Window& s = window_;
  const Taps taps = rows_[at(oy)];
  const auto [inner, after] = s.inside(2);
  const float* packed = packed_.as<float>().data();
  const std::size_t width = packed_channels(), channels = at(channels_);
  const bool pairs = repeat_ == 2;
  const std::int64_t last = s.output[2] - 1;
  const auto whole = pairs ? s.output[2] / 2 : s.output[2];
  // Only the last pair may see less than all columns, if it ends the row.
  const bool edge = pairs && s.output[2] % 2 == 0 && after <= last;
  const auto whole_after = !pairs ? std::max(inner, after) : edge ? whole - 1 : whole;
  run_depthwise_rows({.x = image + s.position(1, oy, taps.first) * s.input[2] * channels_,
                      .x_next = at(s.stride[1] * s.input[2]) * channels,
                      .x_row = at(s.dilation[1] * s.input[2]) * channels,
                      .x_pixel = channels,
                      .taps_y = at(taps.last - taps.first),
                      .stride = pairs ? 2 : at(s.stride[2]),
                      .pad = at(s.pad_begin[2]),
                      .w = packed + at(taps.first) * 3 * width,
                      .start = packed + at(s.taps()) * width,
                      .to_residual = job.to_residual,
                      .y = y,
                      .y_next = at(s.output[2]) * channels,
                      .rows = rows,
                      .pixels = at(whole),
                      .inner = at(inner),
                      .after = at(whole_after),
                      .channels = width,
                      .low = job.end.low,
                      .high = job.end.high,
                      .pairs = pairs});
  if (!pairs || s.output[2] % 2 == 0) return;
  for (std::size_t row = 0; row < rows; ++row) {
    float* to = y + (static_cast<std::int64_t>(row) * s.output[2] + last) * channels_;
    few_channels(job, oy + static_cast<std::int64_t>(row), last, image, to,
                 job.to_residual == 0 ? nullptr : to + job.to_residual, 1.0F);
  }
}

void PixelWindowF32::run(Job job, const float* x, float* y) const {
  const Window& s = window_;
  if (s.outputs() == 0 || channels_ == 0) return;
  job.to_residual = job.end.residual == nullptr ? 0 : job.end.residual - y;
  const auto [inner, after] = s.inside(2);
  const bool in_rows = job.fold == WindowFold::convolve && three_wide();
  const std::size_t rows = at(batch_ * s.output[1]), work = at(s.output[2] * channels_ * s.taps());
  // A microsecond's work for each thread at least, and of little more one piece for each.
  constexpr std::size_t kPieceWork = std::size_t{20} << 10, kLittleWork = kPieceWork * 32;
  const auto threads = static_cast<std::size_t>(base::thread_budget());
  const std::size_t useful = std::clamp<std::size_t>(rows * work / kPieceWork, 1, threads);
  const std::size_t pieces = rows * work < kLittleWork ? useful : rows * work / kLittleWork * useful;
  const std::size_t grain = std::max<std::size_t>(1, (rows + pieces - 1) / pieces);
  // Rows of which each vector of channels is computed before the next: as many as stay in the first-level cache.
  constexpr std::int64_t kNearFloats = std::int64_t{4} << 10;
  const std::int64_t together = std::max<std::int64_t>(1, kNearFloats / (s.stride[1] * s.input[2] * channels_));
  const auto run_part = [&](std::size_t begin, std::size_t end) {
    const auto last = static_cast<std::int64_t>(end);
    for (auto i = static_cast<std::int64_t>(begin); i < last; ++i) {
      const std::int64_t image = i / s.output[1], oy = i % s.output[1];
      const float* from = x + image * s.inputs() * channels_;
      float* row = y + (image * s.outputs() + oy * s.output[2]) * channels_;
      if (in_rows && rows_[at(oy)].last - rows_[at(oy)].first >= 2) {
        const std::int64_t most = std::min({together, last - i, s.output[1] - oy});
        std::int64_t alike = 1;
        while (alike < most && rows_[at(oy + alike)] == rows_[at(oy)]) ++alike;
        run_rows(job, oy, at(alike), from, row);
        i += alike - 1;
        continue;
      }
      for (std::int64_t ox = 0; ox < inner; ++ox) run_span(job, oy, ox, ox + 1, from, row);
      // What counts in a mean may change within the inside only where padding counts: there all taps do.
      if (after > inner) run_span(job, oy, inner, after, from, row);
      for (std::int64_t ox = after; ox < s.output[2]; ++ox) run_span(job, oy, ox, ox + 1, from, row);
    }
  };
  base::parallel_for(0, rows, grain, [&](std::size_t begin, std::size_t end) {
    const bool first_of_two = pieces == 2 && begin == 0 && end < rows;
    from_the_end(begin, end, first_of_two ? 3 : end - begin, run_part);
  });
}

void PixelWindowF32::convolve(const float* x, float* y, const BlockEnd& end) const {
  run({.fold = WindowFold::convolve, .end = end}, x, y);
}
void PixelWindowF32::max(const float* x, float* y) const {
  run({.fold = WindowFold::max}, x, y);
}
void PixelWindowF32::average(bool count_padding, const float* x, float* y) const {
  run({.fold = WindowFold::sum, .count_padding = count_padding}, x, y);
}

}  // namespace skerry::kernels
