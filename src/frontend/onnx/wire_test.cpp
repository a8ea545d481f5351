#include "frontend/onnx/wire.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace skerry::frontend::onnx {
namespace {

std::vector<std::byte> bytes(std::initializer_list<int> list) {
  std::vector<std::byte> result;
  for (const int byte : list) result.push_back(static_cast<std::byte>(byte));
  return result;
}

void read_all(const std::vector<std::byte>& message) {
  WireReader reader(message, message.data());
  for (Field field; reader.next(field);) {
  }
}

TEST(WireReader, TakesEveryWireType) {
  const auto message =
      bytes({0x08, 0x96, 0x01, 0x15, 0, 0, 0x80, 0x3f, 0x19, 1, 0, 0, 0, 0, 0, 0, 0, 0x22, 2, 'h', 'i'});
  WireReader reader(message, message.data());
  Field field;
  ASSERT_TRUE(reader.next(field));
  EXPECT_EQ(reader.integer(field), 150);  // the example of the protobuf encoding guide
  ASSERT_TRUE(reader.next(field));
  EXPECT_EQ(reader.real32(field), 1.0F);
  ASSERT_TRUE(reader.next(field));
  EXPECT_EQ(field.bits, 1U);
  ASSERT_TRUE(reader.next(field));
  EXPECT_EQ(reader.text(field, 2), "hi");
  EXPECT_FALSE(reader.next(field));
}

TEST(WireReader, ReadsNegativeNumbersAsTenBytes) {
  const auto message = bytes({0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01});
  WireReader reader(message, message.data());
  Field field;
  ASSERT_TRUE(reader.next(field));
  EXPECT_EQ(reader.integer(field), -1);
}

TEST(WireReader, RefusesWhatIsCutOffOrMalformed) {
  EXPECT_THROW(read_all(bytes({0x08})), Error);          // no value
  EXPECT_THROW(read_all(bytes({0x08, 0x80})), Error);    // varint goes on
  EXPECT_THROW(read_all(bytes({0x22, 5, 'h'})), Error);  // length past the end
  EXPECT_THROW(read_all(bytes({0x15, 0, 0})), Error);    // fixed32 of two bytes
  EXPECT_THROW(read_all(bytes({0x0b})), Error);          // a group
  EXPECT_THROW(read_all(bytes({0x00, 0x00})), Error);    // field 0
  EXPECT_THROW(read_all(bytes({0x22, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})), Error);
}

TEST(WireReader, ReadsRepeatedNumbersPackedOrSingle) {
  const auto message = bytes({0x0a, 3, 1, 0x96, 0x01, 0x08, 7});
  std::vector<std::uint64_t> numbers;
  WireReader reader(message, message.data());
  for (Field field; reader.next(field);)
    for_each_number(field, WireType::varint, reader, [&](std::uint64_t bits) { numbers.push_back(bits); });
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1, 150, 7}));
}

TEST(WireReader, BoundsNamesAndTheirEncoding) {
  const auto message = bytes({0x0a, 3, 'a', 'b', 'c', 0x0a, 1, 0xff});
  WireReader reader(message, message.data());
  Field field;
  ASSERT_TRUE(reader.next(field));
  EXPECT_THROW((void)reader.text(field, 2), Error);
  ASSERT_TRUE(reader.next(field));
  EXPECT_THROW((void)reader.text(field, 2), Error);
}

TEST(Utf8, FollowsTheUnicodeTableOfWellFormedBytes) {
  EXPECT_TRUE(is_utf8("plain"));
  EXPECT_TRUE(is_utf8("\u00e9\u20ac\U0001f600"));
  EXPECT_FALSE(is_utf8("\x80"));              // continuation first
  EXPECT_FALSE(is_utf8("\xc0\xaf"));          // overlong
  EXPECT_FALSE(is_utf8("\xe0\x80\xaf"));      // overlong
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));      // surrogate
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));  // past U+10FFFF
  EXPECT_FALSE(is_utf8("\xe2\x82"));          // cut off
}

}  // namespace
}  // namespace skerry::frontend::onnx
