#include "cli/samples.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <skerry/error.hpp>
#include <span>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/memory.hpp"
#include "data/npy.hpp"

namespace skerry::cli {
namespace {

using Bytes = std::span<const std::byte>;
// Samples that run at once where the model does not say: what runs see of large images takes a hundred times as much.
constexpr std::uint64_t kRows = 64, kRowBytes = 1 << 20;

[[noreturn]] void damaged(const std::string& what) {
  throw Error(ErrorCode::corrupt, what, {}, "write it with numpy.savez");
}

// Little-endian; zip knows nothing else.
std::uint32_t number(Bytes file, std::size_t at, std::size_t width) {
  if (at > file.size() || file.size() - at < width) damaged("the archive ends in the middle");
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value |= static_cast<std::uint32_t>(file[at + i]) << (8 * i);
  return value;
}

Bytes piece(Bytes file, std::size_t at, std::size_t size) {
  if (at > file.size() || file.size() - at < size) damaged("the archive ends in the middle");
  return file.subspan(at, size);
}

// A member's bytes and who keeps them.
struct Member {
  Bytes bytes;
  std::shared_ptr<const void> owner;
};

Member inflated(Bytes packed, std::size_t size) {
  auto buffer = std::make_shared<base::Buffer>(base::Buffer::allocate(size, base::MemoryBudget(), "an .npz member"));
  z_stream stream{};
  constexpr int kRawDeflate = -15;
  if (inflateInit2(&stream, kRawDeflate) != Z_OK) damaged("zlib refused to begin");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(buffer->data());
  stream.avail_out = static_cast<uInt>(size);
  const int end = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (end != Z_STREAM_END || stream.total_out != size) damaged("a compressed member is damaged");
  return {{buffer->data(), size}, buffer};
}

// APPNOTE 6.3: the end record, then one header for each member in the central directory.
std::map<std::string, Tensor> arrays_of(const std::shared_ptr<const base::MappedFile>& map) {
  constexpr std::uint32_t kEnd = 0x06054b50, kEntry = 0x02014b50;
  constexpr std::size_t kEndSize = 22, kMostComment = 65535;
  const Bytes file = map->bytes();
  if (file.size() < kEndSize) damaged("this is no .npz archive");
  std::size_t at = file.size() - kEndSize;
  const std::size_t first = at > kMostComment ? at - kMostComment : 0;
  while (number(file, at, 4) != kEnd) {
    if (at == first) damaged("this is no .npz archive");
    --at;
  }
  std::map<std::string, Tensor> out;
  const std::uint32_t count = number(file, at + 10, 2);
  std::size_t entry = number(file, at + 16, 4);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (number(file, entry, 4) != kEntry) damaged("the archive's directory is damaged");
    const std::uint32_t method = number(file, entry + 10, 2), packed = number(file, entry + 20, 4);
    const std::uint32_t size = number(file, entry + 24, 4), name_size = number(file, entry + 28, 2);
    const std::uint32_t header = number(file, entry + 42, 4);
    if (packed == std::numeric_limits<std::uint32_t>::max() || size == std::numeric_limits<std::uint32_t>::max())
      throw Error(ErrorCode::limit_exceeded, "a member has more than 4 GiB", {}, "write several archives");
    const Bytes text = piece(file, entry + 46, name_size);
    std::string name(reinterpret_cast<const char*>(text.data()), text.size());
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    const std::size_t body = std::size_t{header} + 30 + number(file, header + 26, 2) + number(file, header + 28, 2);
    const Bytes stored = piece(file, body, packed);
    if (method != 0 && method != 8) damaged("a member is compressed in an unknown way");
    const Member member = method == 0 ? Member{stored, map} : inflated(stored, size);
    out.emplace(name, data::parse_npy(member.bytes, member.owner, name));
    entry += 46 + name_size + number(file, entry + 30, 2) + number(file, entry + 32, 2);
  }
  return out;
}

// Rows [begin, begin + count) of the first axis, where they stand.
Tensor rows(const Tensor& tensor, std::int64_t begin, std::int64_t count) {
  std::vector<std::int64_t> dims(tensor.shape().dims().begin(), tensor.shape().dims().end());
  const std::uint64_t each = tensor.view().bytes() / static_cast<std::uint64_t>(std::max<std::int64_t>(dims[0], 1));
  dims[0] = count;
  return Tensor(TensorView(tensor.dtype(), Shape(std::span<const std::int64_t>(dims)),
                           tensor.view().data() + static_cast<std::uint64_t>(begin) * each),
                tensor.owner());
}

Samples cut(const Graph& model, const std::map<std::string, Tensor>& arrays) {
  const auto refuse = [](const std::string& message) {
    throw Error(ErrorCode::invalid_argument, message, {},
                "give one array for each input, samples along the first axis");
  };
  std::int64_t total = -1, at_once = 1;
  std::uint64_t bytes = 0;
  bool fixed = false;
  for (const ValueId id : model.inputs()) {
    const Value& value = model.value(id);
    const auto found = arrays.find(value.name);
    if (found == arrays.end()) refuse("there is no array '" + value.name + "'");
    const Shape shape = found->second.shape();
    if (shape.rank() == 0 || !value.type.shape || value.type.shape->empty())
      refuse("the input '" + value.name + "' has no axis of samples");
    if (total >= 0 && shape[0] != total)
      refuse("the arrays have " + std::to_string(total) + " and " + std::to_string(shape[0]) + " samples");
    total = shape[0];
    bytes += found->second.view().bytes();
    const Dim& dim = value.type.shape->front();
    if (dim.is_known()) fixed = true, at_once = std::max<std::int64_t>(dim.value, 1);
  }
  if (total == 0) refuse("there are no samples");
  const std::uint64_t each =
      std::max<std::uint64_t>(bytes / static_cast<std::uint64_t>(std::max<std::int64_t>(total, 1)), 1);
  if (!fixed) at_once = static_cast<std::int64_t>(std::clamp<std::uint64_t>(kRowBytes / each, 1, kRows));
  const auto labels = arrays.find("labels");
  if (labels != arrays.end() && (labels->second.shape().rank() == 0 || labels->second.shape()[0] != total))
    refuse("there are " + labels->second.shape().text() + " labels for " + std::to_string(total) + " samples");
  Samples out;
  for (std::int64_t begin = 0; begin < total; begin += at_once) {
    const std::int64_t count = std::min(at_once, total - begin);
    if (fixed && count < at_once) break;
    NamedTensors& inputs = out.inputs.emplace_back();
    for (const ValueId id : model.inputs()) {
      const std::string& name = model.value(id).name;
      inputs.emplace_back(name, rows(arrays.at(name), begin, count));
    }
    if (labels != arrays.end()) out.labels.push_back(rows(labels->second, begin, count));
  }
  return out;
}

}  // namespace

Samples read_samples(const Graph& model, const std::string& path) {
  try {
    // Shared: arrays stay where they are mapped.
    return cut(model, arrays_of(std::make_shared<const base::MappedFile>(base::MappedFile::open(path))));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found || error.code() == ErrorCode::io_error) throw;
    throw error.at(path);
  }
}

Graph load_model(const ProgramFlags& flags) {
  Program program = flags.load();
  if (auto* graph = std::get_if<Graph>(&program)) return std::move(*graph);
  throw Error(ErrorCode::unsupported, "this is a circuit, not a model", flags.file,
              "give an ONNX file or a package of a model");
}

void write_model(const Graph& model, const std::string& path, bool compress) {
  if (path.ends_with(".onnx")) {
    save_onnx(model, path);
  } else {
    save(model, path, {.compress = compress});
  }
}

}  // namespace skerry::cli
