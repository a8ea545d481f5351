#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>

#include <fstream>
#include <skerry/error.hpp>

#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "package/digest.hpp"
#include "package/format.hpp"
#include "package/keys.hpp"
#include "package/sha256.hpp"
#include "package/testing.hpp"

namespace skerry::package {
namespace {

using base::thrown_by;
using testing::bell;

ErrorCode code_of_reading(const std::vector<std::byte>& bytes, const std::vector<PublicKey>& trusted) {
  return thrown_by([&] { read(bytes, nullptr, {.trusted = trusted}); }).code();
}

TEST(Signature, TrustedSignerIsAcceptedAndTold) {
  const KeyPair mine = make_key_pair();
  const KeyPair other = make_key_pair();
  const auto bytes = encode({bell(), {}, {}}, {.key = mine.secret_key});
  const Loaded loaded = read(bytes, nullptr, {.trusted = {other.public_key, mine.public_key}});
  EXPECT_EQ(loaded.info.signer, mine.public_key);
}

TEST(Signature, UnsignedOrStrangersAreRefusedWhereSomebodyMustBeTrusted) {
  const KeyPair mine = make_key_pair();
  const KeyPair other = make_key_pair();
  EXPECT_EQ(code_of_reading(encode({bell(), {}, {}}), {mine.public_key}), ErrorCode::bad_signature);
  EXPECT_EQ(code_of_reading(encode({bell(), {}, {}}, {.key = other.secret_key}), {mine.public_key}),
            ErrorCode::bad_signature);
}

TEST(Signature, AnUnsignedPackageHasNoSigner) {
  EXPECT_FALSE(read(encode({bell(), {}, {}}), nullptr).info.signer.has_value());
}

TEST(Signature, AWrongOneIsRefusedEvenWhereNobodyMustBeTrusted) {
  auto bytes = encode({bell(), {}, {}}, {.key = make_key_pair().secret_key});
  bytes[kSignedBytes + 3] ^= std::byte{1};
  EXPECT_EQ(code_of_reading(bytes, {}), ErrorCode::bad_signature);
}

TEST(Signature, CannotBeTakenOffAndPutOnAnotherPackage) {
  const KeyPair mine = make_key_pair();
  const auto good = encode({bell(), {}, {}}, {.key = mine.secret_key});
  auto evil = encode({Circuit(3), {}, {}});
  std::copy(good.begin() + 64, good.begin() + 160, evil.begin() + 64);
  EXPECT_EQ(code_of_reading(evil, {mine.public_key}), ErrorCode::bad_signature);
}

TEST(Signature, IsEd25519OverTheFirst96Bytes) {
  // Checked as FORMAT.md tells a stranger to, not by our own reader.
  const KeyPair mine = make_key_pair();
  const auto bytes = encode({bell(), {}, {}}, {.key = mine.secret_key});
  const auto* raw = reinterpret_cast<const unsigned char*>(bytes.data());
  EXPECT_EQ(crypto_sign_verify_detached(raw + 96, raw, 96, raw + 64), 0);
}

TEST(Signature, DoesNotChangeTheContentId) {
  const auto id_of = [](const WriteOptions& options) {
    return read(encode({bell(), {}, {}}, options), nullptr).info.content_id;
  };
  EXPECT_EQ(id_of({}), id_of({.key = make_key_pair().secret_key}));
}

TEST(Keys, ComeBackFromTheirFiles) {
  const base::TemporaryFolder folder;
  const KeyPair pair = make_key_pair();
  write_key_pair(pair, folder.path() / "me");
  EXPECT_EQ(read_secret_key(folder.path() / "me.key"), pair.secret_key);
  EXPECT_EQ(read_public_key(folder.path() / "me.pub"), pair.public_key);
  struct stat status {};
  ASSERT_EQ(::stat((folder.path() / "me.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST(Keys, NeverReplaceOldOnes) {
  const base::TemporaryFolder folder;
  const auto stem = folder.path() / "me";
  std::ofstream(folder.path() / "me.pub") << "old";
  EXPECT_EQ(thrown_by([&] { write_key_pair(make_key_pair(), stem); }).code(), ErrorCode::io_error);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "me.key"));
  std::filesystem::remove(folder.path() / "me.pub");
  write_key_pair(make_key_pair(), stem);
  EXPECT_EQ(thrown_by([&] { write_key_pair(make_key_pair(), stem); }).code(), ErrorCode::io_error);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "me.pub"));
}

TEST(Keys, ThatOthersCanReadAreRefused) {
  const base::TemporaryFolder folder;
  write_key_pair(make_key_pair(), folder.path() / "me");
  ::chmod((folder.path() / "me.key").c_str(), 0640);
  EXPECT_EQ(thrown_by([&] { read_secret_key(folder.path() / "me.key"); }).code(), ErrorCode::permission_denied);
}

TEST(Keys, ThatAreNoKeysAreRefused) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "bad.pub";
  const std::string header = "skerry public key ed25519\n";
  const std::string line(42, 'A');
  for (const std::string& content :
       {std::string(), std::string("AAAA\n"), std::string("!!!!\n"), line + "A=x", line + line}) {
    std::ofstream(path, std::ios::trunc) << header << content;
    EXPECT_EQ(thrown_by([&] { read_public_key(path); }).code(), ErrorCode::syntax_error) << content;
  }
  for (const std::string& text : {std::string("hello"), std::string(3000, '\n')}) {
    std::ofstream(path, std::ios::trunc) << text;
    EXPECT_EQ(thrown_by([&] { read_public_key(path); }).code(), ErrorCode::syntax_error) << text;
  }
  EXPECT_EQ(thrown_by([&] { read_public_key(folder.path() / "none"); }).code(), ErrorCode::not_found);
}

TEST(Keys, HaveAName) {
  // SHA-256 of 32 zero bytes begins 66687aadf862bd77 (as sha256sum prints).
  EXPECT_EQ(key_name(PublicKey{}), "66687aadf862bd77");
}

// Lengths about the edges of a block, in one piece and in two, against libsodium's plain loops.
TEST(Hashes, ByTheCpusOwnInstructionsAreSha256) {
  if (!has_sha_instructions()) GTEST_SKIP() << "this CPU has none";
  std::vector<std::byte> bytes(1031);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * i * 7 + i / 13);
  std::vector<std::size_t> lengths{512, 1000, 1031};
  for (std::size_t length = 0; length <= 200; ++length) lengths.push_back(length);
  for (const std::size_t length : lengths) {
    const std::span<const std::byte> all(bytes.data(), length);
    Digest wanted;
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(wanted.data()),
                       reinterpret_cast<const unsigned char*>(all.data()), length);
    for (std::size_t cut = 0; cut <= length; cut += 1 + cut / 3) {
      FastSha256 hash;
      hash.update(all.first(cut));
      hash.update(all.subspan(cut));
      Digest found;
      hash.finish(found);
      ASSERT_EQ(hex(found), hex(wanted)) << length << " bytes, cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace skerry::package
