#include "data/npy.hpp"

#include <gtest/gtest.h>

#include <skerry/error.hpp>
#include <vector>

#include "base/file.hpp"
#include "base/temporary_folder.hpp"

namespace skerry::data {
namespace {

// What numpy.save writes for numpy.arange(6, dtype='<f4').reshape(2, 3), up to the elements.
std::string header(const std::string& dictionary) {
  std::string text = dictionary;
  text.append(117 - text.size(), ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + text + "\n";
}

Tensor parse(const std::string& bytes) {
  return parse_npy(std::as_bytes(std::span(bytes)), nullptr, "x.npy");
}

ErrorCode code_of(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

TEST(Npy, ReadsWhatNumpyWrites) {
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  const auto* raw = reinterpret_cast<const char*>(values.data());
  const std::string bytes =
      header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }") + std::string(raw, 24);
  const Tensor tensor = parse(bytes);
  EXPECT_EQ(tensor.shape(), Shape({2, 3}));
  EXPECT_EQ(tensor.as<float>()[5], 5.0F);
}

TEST(Npy, RoundTripsScalarsVectorsAndEmptyArraysThroughAFile) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "t.npy";
  for (const Shape& shape : {Shape(), Shape({5}), Shape({0, 3}), Shape({2, 3, 4})}) {
    Tensor tensor(DType::i64, shape);
    std::int64_t next = 7;
    for (auto& value : tensor.mutable_view().as<std::int64_t>()) value = next++;
    write_npy(path, tensor.view());
    const Tensor read = read_npy(path);
    EXPECT_EQ(read.shape(), shape);
    EXPECT_TRUE(std::ranges::equal(read.as<std::int64_t>(), tensor.as<std::int64_t>()));
  }
}

TEST(Npy, RefusesWhatItCannotRead) {
  EXPECT_EQ(code_of("PK\x03\x04 not numpy at all"), ErrorCode::corrupt);
  EXPECT_EQ(code_of(header("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }") + "abcd"),
            ErrorCode::unsupported);
  EXPECT_EQ(code_of(header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }") + "abcdefgh"),
            ErrorCode::unsupported);
  EXPECT_EQ(code_of(header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }") + "abcd"), ErrorCode::corrupt);
  EXPECT_EQ(code_of(header("{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }") + "\x07"), ErrorCode::corrupt);
  EXPECT_EQ(code_of(header("{'descr': '<f4', 'fortran_order': False, }")), ErrorCode::corrupt);
  EXPECT_EQ(code_of(header("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 8), }")),
            ErrorCode::out_of_range);
}

TEST(Npy, RefusesEveryTruncation) {
  const std::string whole = header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }") + "abcd";
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(code_of(whole.substr(0, length)), ErrorCode::corrupt) << length;
}

}  // namespace
}  // namespace skerry::data
