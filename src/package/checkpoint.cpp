#include "package/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <skerry/error.hpp>
#include <vector>

#include "package/compress.hpp"
#include "package/digest.hpp"
#include "package/unpack.hpp"

namespace skerry::package {
namespace {

constexpr std::string_view kFormat = "skerry-checkpoint ";
constexpr std::string_view kVersion = "2";
constexpr std::size_t kDigestDigits = 2 * kDigestBytes;
constexpr std::size_t kMostParts = 16, kMostName = 32;
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

/// Bytes of the numbers that an element is made of, whose planes lie together.
std::size_t width_of(DType dtype) {
  const bool is_complex = dtype == DType::c64 || dtype == DType::c128;
  const auto bits = static_cast<std::size_t>(dtype_bits(dtype));
  return bits % 8 == 0 ? bits / (is_complex ? 16 : 8) : 0;
}

struct Part {
  DType dtype;
  Shape shape;
};

/// `c128 4 2`.
Part part_of(std::string_view text) {
  std::vector<std::int64_t> dims;
  const auto word = [&text] {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view out = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return out;
  };
  const std::string_view name = word();
  while (!text.empty()) {
    const std::string_view extent = word();
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(extent.data(), extent.data() + extent.size(), value);
    if (code != std::errc() || end != extent.data() + extent.size() || value < 0 || dims.size() == Shape::kMaxRank)
      refuse("a part's extents are no numbers");
    dims.push_back(value);
  }
  try {
    Part out{dtype_from_name(name), Shape(dims)};
    if (width_of(out.dtype) != 0) return out;
  } catch (const Error&) {  // told with the others
  }
  refuse("a part is no tensor of numbers");
}

/// Where it lies in the buffer, which it keeps, if that suits its elements.
Tensor tensor_of(const Part& part, const std::shared_ptr<base::Buffer>& buffer, std::uint64_t at) {
  const TensorView view(part.dtype, part.shape, buffer->data() + at);
  if (at % 16 == 0) return {view, buffer};
  Tensor copy(part.dtype, part.shape);
  if (view.bytes() != 0) std::memcpy(copy.mutable_view().data(), view.data(), view.bytes());
  return copy;
}

}  // namespace

std::string way_of(std::string_view program, std::span<const double> parameters,
                   std::span<const std::string> observables) {
  std::string texts;
  for (const std::string& observable : observables) texts.append(observable).append("\n");
  const std::array<std::span<const std::byte>, 3> parts = {std::as_bytes(std::span(program)), std::as_bytes(parameters),
                                                           std::as_bytes(std::span(texts))};
  return hex(sha256(parts));
}

std::string encode(const Checkpoint& checkpoint, std::string_view way) {
  std::string head = "way " + std::string(way) + "\nmethod " + checkpoint.method + "\ngates " +
                     std::to_string(checkpoint.gates) + "\nshots " + std::to_string(checkpoint.shots) + "\n";
  std::vector<Piece> pieces;
  for (const Tensor& part : checkpoint.parts) {
    const std::size_t width = width_of(part.dtype());
    if (width == 0 || pieces.size() == kMostParts)
      throw Error(ErrorCode::unsupported, "a checkpoint has at most 16 tensors of whole bytes", "checkpoint");
    head += "part " + std::string(dtype_name(part.dtype()));
    for (const std::int64_t extent : part.shape().dims()) head += " " + std::to_string(extent);
    head += "\n";
    pieces.push_back({{part.view().data(), part.view().bytes()}, width});
  }
  head += "\n";
  const std::vector<std::byte> packed = compress(pieces, kLevel);
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
    throw Error(ErrorCode::invalid_argument, "it was made by another circuit, or with other parameters or observables",
                "checkpoint", "send it with what it was made by");
  }
  Checkpoint out;
  out.method = value_of(rest, "method").substr(0, kMostName);
  out.gates = number_of(rest, "gates");
  out.shots = number_of(rest, "shots");
  std::vector<Part> parts;
  std::vector<PlaneRegion> planes;
  std::uint64_t size = 0;
  while (rest.starts_with("part ")) {
    if (parts.size() == kMostParts) refuse("it has more than 16 parts");
    const Part& part = parts.emplace_back(part_of(value_of(rest, "part")));
    const auto element = static_cast<std::uint64_t>(dtype_bits(part.dtype)) / 8;
    if (static_cast<std::uint64_t>(part.shape.elements()) > (max_bytes - size) / element) {
      throw Error(ErrorCode::limit_exceeded,
                  "its state has a part " + std::string(dtype_name(part.dtype)) + part.shape.text() +
                      " and the limit is " + std::to_string(max_bytes) + " bytes in all",
                  "checkpoint", "begin the run anew");
    }
    const std::uint64_t bytes = tensor_bytes(part.dtype, part.shape);
    planes.push_back({size, bytes, width_of(part.dtype)});
    size += bytes;
  }
  if (!line_of(rest).empty()) refuse("its head does not end");
  try {
    // shared: tensors share what they look at
    const auto buffer = std::make_shared<base::Buffer>(unpack(std::as_bytes(std::span(rest)), size, planes));
    for (std::size_t i = 0; i < parts.size(); ++i) out.parts.push_back(tensor_of(parts[i], buffer, planes[i].offset));
  } catch (const Error& error) {
    throw error.at("checkpoint");
  }
  return out;
}

}  // namespace skerry::package
