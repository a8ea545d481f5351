#include <gtest/gtest.h>

#include <skerry/error.hpp>

#include "base/thrown_by.hpp"
#include "package/format.hpp"
#include "package/keys.hpp"
#include "package/testing.hpp"

namespace skerry::package {
namespace {

using testing::bell;
using testing::contents_of;
using testing::random_graph;
using testing::small_hybrid;

bool is_refusal_of_a_file(ErrorCode code) {
  return code == ErrorCode::corrupt || code == ErrorCode::version_too_new || code == ErrorCode::bad_signature;
}

/// Reads, and gives whether it was refused as a file should be.
bool is_refused(std::span<const std::byte> bytes) {
  try {
    read(bytes, nullptr);
    return false;
  } catch (const Error& error) {
    return is_refusal_of_a_file(error.code()) && !error.where().empty();
  }
}

struct Way {
  const char* name;
  Contents contents;
  WriteOptions options;
};

std::vector<Way> ways() {
  const KeyPair pair = make_key_pair();
  return {{"plain circuit", contents_of(bell()), {}},
          {"signed circuit", contents_of(bell()), {.key = pair.secret_key}},
          {"compressed circuit", contents_of(testing::random_circuit(1)), {.compress = true}},
          {"plain hybrid", contents_of(small_hybrid()), {}},
          {"signed and compressed graph", contents_of(random_graph(1, 0)), {.compress = true, .key = pair.secret_key}}};
}

TEST(Damage, EveryFlippedBitOfEveryByteIsRefused) {
  for (const Way& way : ways()) {
    auto bytes = encode(way.contents, way.options);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      // Every bit of the header and the index; one, walking, of the rest.
      const bool is_early = i < 1024;
      for (unsigned bit = is_early ? 0 : static_cast<unsigned>(i % 8); bit < 8; bit += is_early ? 1 : 8) {
        const auto mask = static_cast<std::byte>(1U << bit);
        bytes[i] ^= mask;
        ASSERT_TRUE(is_refused(bytes)) << way.name << ", byte " << i << " of " << bytes.size() << ", bit " << bit;
        bytes[i] ^= mask;
      }
    }
    EXPECT_NO_THROW(read(bytes, nullptr));
  }
}

TEST(Damage, EveryShorterFileIsRefused) {
  for (const Way& way : ways()) {
    const auto bytes = encode(way.contents, way.options);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      ASSERT_TRUE(is_refused(std::span(bytes).first(length))) << way.name << ", " << length;
    }
  }
}

TEST(Damage, ALongerFileIsRefused) {
  for (const Way& way : ways()) {
    auto bytes = encode(way.contents, way.options);
    bytes.push_back(std::byte{0});
    EXPECT_TRUE(is_refused(bytes)) << way.name;
  }
}

TEST(Damage, SectionsOfTwoPackagesDoNotMix) {
  const auto one = encode({testing::random_circuit(1), {}, {}});
  const auto two = encode({testing::random_circuit(1), {{"a", "b"}}, {}});
  // The header of one before the rest of the other, at the same length.
  auto mixed = two;
  std::copy_n(one.begin(), kHeaderBytes, mixed.begin());
  EXPECT_TRUE(is_refused(mixed));
}

TEST(Version, NewerIsRefusedByBothNumbers) {
  auto bytes = encode({bell(), {}, {}});
  bytes[8] = std::byte{7};
  const Error error = base::thrown_by([&] { read(bytes, nullptr, {}, "a.skerry"); });
  EXPECT_EQ(error.code(), ErrorCode::version_too_new);
  EXPECT_NE(error.message().find("version 7"), std::string::npos) << error.what();
  EXPECT_NE(error.message().find("version 1"), std::string::npos) << error.what();
  EXPECT_EQ(error.where(), "a.skerry:header");
}

TEST(Version, UnknownFeatureIsRefused) {
  auto bytes = encode({bell(), {}, {}});
  bytes[15] = std::byte{0x80};
  EXPECT_EQ(base::thrown_by([&] { read(bytes, nullptr); }).code(), ErrorCode::version_too_new);
}

}  // namespace
}  // namespace skerry::package
