#include "data/npy.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <skerry/error.hpp>
#include <utility>
#include <vector>

#include "base/file.hpp"

namespace skerry::data {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeader = 1 << 16;
constexpr std::size_t kAlignment = 64;

struct Descr {
  std::string_view text;
  DType dtype;
};
constexpr std::array kDescrs = {
    Descr{"<f4", DType::f32}, Descr{"<f8", DType::f64},   Descr{"<f2", DType::f16}, Descr{"|i1", DType::i8},
    Descr{"<i2", DType::i16}, Descr{"<i4", DType::i32},   Descr{"<i8", DType::i64}, Descr{"|u1", DType::u8},
    Descr{"<u2", DType::u16}, Descr{"<u4", DType::u32},   Descr{"<u8", DType::u64}, Descr{"|b1", DType::boolean},
    Descr{"<c8", DType::c64}, Descr{"<c16", DType::c128},
};

// Reads the header, a Python dictionary of three keys, and nothing more of Python than that needs.
class Header {
 public:
  Header(std::string_view text, std::string_view name) : text_(text), name_(name) { parse(); }
  DType dtype = DType::f32;
  std::vector<std::int64_t> dims;

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw Error(ErrorCode::corrupt, "the .npy header " + message, std::string(name_));
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("has no '") + c + "' at byte " + std::to_string(at_));
  }
  std::string_view quoted() {
    skip_blanks();
    const char quote = at_ < text_.size() ? text_[at_] : ' ';
    if (quote != '\'' && quote != '"') fail("has no text at byte " + std::to_string(at_));
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("has a text without end");
    const std::string_view text = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return text;
  }
  bool boolean() {
    skip_blanks();
    for (const auto& [word, value] :
         {std::pair(std::string_view("True"), true), std::pair(std::string_view("False"), false)}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    fail("has neither True nor False at byte " + std::to_string(at_));
  }
  void parse_shape() {
    expect('(');
    while (!take(')')) {
      skip_blanks();
      std::int64_t extent = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), extent);
      if (error != std::errc()) fail("has a shape that is no list of numbers");
      at_ = static_cast<std::size_t>(end - text_.data());
      dims.push_back(extent);
      if (dims.size() > static_cast<std::size_t>(Shape::kMaxRank))
        fail("has more than " + std::to_string(Shape::kMaxRank) + " axes");
      take(',');
    }
  }
  void parse_dtype() {
    const std::string_view text = quoted();
    const auto row = std::ranges::find(kDescrs, text, &Descr::text);
    if (row == kDescrs.end()) {
      throw Error(ErrorCode::unsupported, "elements of type '" + std::string(text) + "' cannot be read",
                  std::string(name_), "save little-endian numbers, for example array.astype('<f4')");
    }
    dtype = row->dtype;
  }
  void parse() {
    expect('{');
    int keys = 0;
    while (!take('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr") {
        parse_dtype();
      } else if (key == "shape") {
        dims.clear();
        parse_shape();
      } else if (key == "fortran_order") {
        if (boolean()) {
          throw Error(ErrorCode::unsupported, "the array is in Fortran order", std::string(name_),
                      "save numpy.ascontiguousarray(array)");
        }
      } else {
        fail("has an unknown key '" + std::string(key.substr(0, 40)) + "'");
      }
      ++keys;
      take(',');
    }
    if (keys != 3) fail("has " + std::to_string(keys) + " keys instead of 3");
  }

  std::string_view text_, name_;
  std::size_t at_ = 0;
};

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string_view name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto fail = [&name](const char* message, const char* hint = "") -> Error {
    return Error(ErrorCode::corrupt, message, std::string(name), hint);
  };
  if (!text.starts_with(kMagic) || text.size() < 12) throw fail("this is not a .npy file", "write one with numpy.save");
  const auto byte = [&text](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(text[i])); };
  const std::size_t version = byte(6);
  if (version < 1 || version > 3) throw fail("the .npy format version is not 1, 2 or 3");
  const std::size_t begin = version == 1 ? 10 : 12;
  const std::size_t length = byte(8) | byte(9) << 8U | (version == 1 ? 0 : byte(10) << 16U | byte(11) << 24U);
  if (length > kMaxHeader || begin + length > text.size())
    throw fail("the .npy header is longer than the file or 64 KiB");

  const Header header(text.substr(begin, length), name);
  const Shape shape{std::span<const std::int64_t>(header.dims)};
  const std::span<const std::byte> elements = bytes.subspan(begin + length);
  if (tensor_bytes(header.dtype, shape) != elements.size()) {
    throw Error(ErrorCode::corrupt,
                "the header promises " + std::to_string(tensor_bytes(header.dtype, shape)) + " bytes of elements but " +
                    std::to_string(elements.size()) + " follow",
                std::string(name));
  }
  if (header.dtype == DType::boolean &&
      std::ranges::any_of(elements, [](std::byte b) { return std::to_integer<int>(b) > 1; })) {
    throw fail("a boolean is neither 0 nor 1");
  }
  if (reinterpret_cast<std::uintptr_t>(elements.data()) % kAlignment == 0 && !elements.empty()) {
    return {TensorView(header.dtype, shape, elements.data()), std::move(owner)};
  }
  Tensor copy(header.dtype, shape);
  if (!elements.empty()) std::memcpy(copy.mutable_view().data(), elements.data(), elements.size());
  return copy;
}

Tensor read_npy(const std::filesystem::path& path) {
  auto file = std::make_shared<const base::MappedFile>(
      base::MappedFile::open(path));  // shared: the tensor's elements lie in it
  return parse_npy(file->bytes(), file, path.filename().string());
}

std::string npy_front(DType dtype, const Shape& shape, std::string_view name) {
  const auto row = std::ranges::find(kDescrs, dtype, &Descr::dtype);
  if (row == kDescrs.end()) {
    throw Error(ErrorCode::unsupported, "NumPy has no type for " + std::string(dtype_name(dtype)), std::string(name));
  }
  std::string extents;
  for (const std::int64_t extent : shape.dims()) extents += std::to_string(extent) + ", ";
  if (shape.rank() > 1) extents.resize(extents.size() - 2);
  std::string header =
      "{'descr': '" + std::string(row->text) + "', 'fortran_order': False, 'shape': (" + extents + "), }";
  const std::size_t unpadded = 10 + header.size() + 1;
  header.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  header += '\n';
  std::string front = std::string(kMagic) + '\x01' + '\0' + static_cast<char>(header.size() & 0xffU) +
                      static_cast<char>(header.size() >> 8U);
  return front + header;
}

void write_npy(const std::filesystem::path& path, const TensorView& tensor) {
  const std::string front = npy_front(tensor.dtype(), tensor.shape(), path.string());
  const std::array<std::span<const std::byte>, 2> parts = {
      std::as_bytes(std::span(front)), std::span(tensor.data(), static_cast<std::size_t>(tensor.bytes()))};
  base::write_file_atomically(path, parts);
}

}  // namespace skerry::data
