#include "package/checkpoint.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <complex>
#include <memory>
#include <skerry/error.hpp>

#include "package/compress.hpp"
#include "package/digest.hpp"
#include "package/unpack.hpp"

namespace skerry::package {
namespace {

constexpr std::string_view kFormat = "skerry-checkpoint ";
constexpr std::string_view kVersion = "1";
constexpr std::size_t kDigestDigits = 2 * kDigestBytes;
constexpr std::uint64_t kMostStateWires = 48;
/// Mantissas are noise and exponents alike: more effort finds nothing more.
constexpr int kLevel = 1;

std::string digest_of(std::string_view head, std::string_view rest) {
  const std::array<std::span<const std::byte>, 2> parts = {std::as_bytes(std::span(head)),
                                                           std::as_bytes(std::span(rest))};
  return hex(sha256(parts));
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::corrupt, why, "checkpoint", "begin the run anew");
}

std::string_view line_of(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) refuse("a line has no end");
  const std::string_view out = text.substr(0, end);
  text.remove_prefix(end + 1);
  return out;
}

std::string_view value_of(std::string_view& text, std::string_view name) {
  const std::string_view line = line_of(text);
  if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ')
    refuse("there is no '" + std::string(name) + "'");
  return line.substr(name.size() + 1);
}

std::uint64_t number_of(std::string_view& text, std::string_view name) {
  const std::string_view value = value_of(text, name);
  std::uint64_t out = 0;
  const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (code != std::errc() || end != value.data() + value.size()) refuse("'" + std::string(name) + "' is no number");
  return out;
}

/// The tensor keeps the buffer.
Tensor tensor_of(base::Buffer buffer, DType dtype, std::uint64_t amplitudes) {
  auto held = std::make_shared<base::Buffer>(std::move(buffer));  // shared: tensors share what they look at
  return {TensorView(dtype, {static_cast<std::int64_t>(amplitudes)}, held->data()), held};
}

}  // namespace

std::string way_of(std::string_view program, std::span<const double> parameters) {
  const std::array<std::span<const std::byte>, 2> parts = {std::as_bytes(std::span(program)),
                                                           std::as_bytes(parameters)};
  return hex(sha256(parts));
}

std::string encode(const Checkpoint& checkpoint, std::string_view way) {
  const TensorView state = checkpoint.state.view();
  const bool is_single = state.dtype() == DType::c64;
  const std::array<Piece, 1> pieces = {{{{state.data(), state.bytes()}, is_single ? sizeof(float) : sizeof(double)}}};
  const std::vector<std::byte> packed = compress(pieces, kLevel);
  const auto amplitudes = static_cast<std::uint64_t>(state.shape().elements());
  std::string head = "way " + std::string(way) + "\ngates " + std::to_string(checkpoint.gates) + "\nwires " +
                     std::to_string(std::bit_width(amplitudes) - 1) + "\nprecision " +
                     (is_single ? "single" : "double") + "\n\n";
  const std::string_view rest(reinterpret_cast<const char*>(packed.data()), packed.size());
  std::string out(kFormat);
  out.append(kVersion).append("\n").append(digest_of(head, rest)).append("\n").append(head);
  out.reserve(out.size() + rest.size());
  return out.append(rest);
}

Checkpoint decode_checkpoint(std::string_view bytes, std::string_view way, std::uint64_t max_bytes) {
  std::string_view rest = bytes;
  const std::string_view format = line_of(rest);
  if (!format.starts_with(kFormat)) refuse("it does not begin as a checkpoint does");
  if (format.substr(kFormat.size()) != kVersion) {
    throw Error(ErrorCode::version_too_new, "it has version " + std::string(format.substr(kFormat.size(), 20)),
                "checkpoint", "begin the run anew");
  }
  const std::string_view digest = line_of(rest);
  if (digest.size() != kDigestDigits || digest != digest_of(rest, {})) refuse("its content is not what was written");
  if (value_of(rest, "way") != way) {
    throw Error(ErrorCode::invalid_argument, "it was made by another circuit, or with other parameters", "checkpoint",
                "send it with the program that it was made by");
  }
  Checkpoint out;
  out.gates = number_of(rest, "gates");
  const std::uint64_t wires = number_of(rest, "wires");
  if (wires > kMostStateWires) refuse("a state of " + std::to_string(wires) + " wires");
  const std::string_view precision = value_of(rest, "precision");
  if (precision != "single" && precision != "double") refuse("its precision is neither single nor double");
  if (!line_of(rest).empty()) refuse("its head does not end");
  const bool is_single = precision == "single";
  const std::uint64_t amplitudes = std::uint64_t{1} << wires, size = amplitudes * (is_single ? 8 : 16);
  if (size > max_bytes) {
    throw Error(
        ErrorCode::limit_exceeded,
        "its state takes " + std::to_string(size) + " bytes and " + std::to_string(max_bytes) + " are the limit",
        "checkpoint", "begin the run anew");
  }
  const std::array<PlaneRegion, 1> planes = {{{0, size, is_single ? sizeof(float) : sizeof(double)}}};
  try {
    base::Buffer buffer = unpack(std::as_bytes(std::span(rest)), size, planes);
    out.state = tensor_of(std::move(buffer), is_single ? DType::c64 : DType::c128, amplitudes);
  } catch (const Error& error) {
    throw error.at("checkpoint");
  }
  return out;
}

}  // namespace skerry::package
