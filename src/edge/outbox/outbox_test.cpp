#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <set>
#include <skerry/outbox.hpp>
#include <thread>

#include "base/file.hpp"
#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "edge/outbox/folder.hpp"

namespace skerry::edge {
namespace {

namespace fs = std::filesystem;
using outbox::Folder;
using outbox::Kind;
using outbox::Record;

constexpr const char* kNobody = "http://127.0.0.1:1";

EdgeExecutionConfig kept_config(const fs::path& folder) {
  EdgeExecutionConfig config;
  config.max_memory_mb = 0;
  config.cloud_endpoint = kNobody;
  config.outbox_folder = folder / "outbox";
  return config;
}

CompiledPtr one_rotation(CircuitCompiler& compiler) {
  Circuit circuit(2);
  const auto theta = circuit.parameter("theta");
  circuit.ry(theta, 0).cx(0, 1);
  return compiler.compile_circuit(circuit);
}

mode_t mode_of(const fs::path& path) {
  struct stat found {};
  EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 0777;
}

std::string id_of(char digit) {
  return std::string(32, digit);
}

Record small_record(std::string question = "", std::size_t bytes = 100) {
  return {.question = std::move(question),
          .circuit_id = "circuit",
          .endpoint = kNobody,
          .kept = 1.5,
          .body = {std::string(bytes, 'x'), 10}};
}

TEST(OutboxRecord, ComesBackAsItWasAndEveryFlippedBitIsFound) {
  const Record record = small_record("q");
  std::string text = head_of(record) + record.body.bytes;
  const Record back = outbox::decode_record(text);
  EXPECT_EQ(back.question, "q");
  EXPECT_EQ(back.endpoint, kNobody);
  EXPECT_DOUBLE_EQ(back.kept, 1.5);
  EXPECT_EQ(back.body.bytes, record.body.bytes);
  EXPECT_EQ(back.body.json_bytes, 10U);
  for (std::size_t at = 0; at < text.size(); ++at) {
    text[at] = static_cast<char>(text[at] ^ 1);
    EXPECT_THROW(outbox::decode_record(text), Error) << at;
    text[at] = static_cast<char>(text[at] ^ 1);
    EXPECT_THROW(outbox::decode_record(std::string_view(text).substr(0, at)), Error) << at;
  }
  EXPECT_EQ(base::thrown_by([&] { head_of(small_record("two\nlines")); }).code(), ErrorCode::invalid_argument);
  text.replace(0, 15, "skerry-outbox 2");
  EXPECT_EQ(base::thrown_by([&] { outbox::decode_record(text); }).code(), ErrorCode::version_too_new);
}

TEST(OutboxFolder, IsForItsOwnerAlone) {
  const base::TemporaryFolder home;
  const mode_t before = ::umask(0);
  const Folder folder(home.path() / "a" / "outbox", 10'000);
  folder.add(id_of('1'), small_record());
  ::umask(before);
  EXPECT_EQ(mode_of(home.path() / "a" / "outbox"), 0700U);
  EXPECT_EQ(mode_of(home.path() / "a" / "outbox" / (id_of('1') + ".job")), 0600U);
  fs::permissions(home.path() / "a" / "outbox", fs::perms::group_write, fs::perm_options::add);
  EXPECT_EQ(base::thrown_by([&] { Folder(home.path() / "a" / "outbox", 1); }).code(), ErrorCode::permission_denied);
}

TEST(OutboxFolder, HoldsNoMoreThanItsBytes) {
  const base::TemporaryFolder home;
  const Folder folder(home.path() / "outbox", 1000);
  folder.add(id_of('1'), small_record("", 400));
  const Error full = base::thrown_by([&] { folder.add(id_of('2'), small_record("", 400)); });
  EXPECT_EQ(full.code(), ErrorCode::limit_exceeded);
  EXPECT_NE(std::string(full.what()).find("of 1000 bytes"), std::string::npos) << full.what();
  ASSERT_EQ(folder.items().size(), 1U);
  // An answer takes its job's place.
  folder.answer(id_of('1'), Kind::done, small_record("", 700));
  EXPECT_EQ(folder.items()[0].kind, Kind::done);
  EXPECT_LE(folder.items()[0].bytes, 1000U);
  folder.remove(id_of('1'));
  folder.add(id_of('2'), small_record("", 400));
}

TEST(OutboxFolder, KeepsOneJobOfAQuestion) {
  const base::TemporaryFolder home;
  const Folder folder(home.path() / "outbox", 100'000);
  EXPECT_EQ(folder.add(id_of('1'), small_record("same")), id_of('1'));
  EXPECT_EQ(folder.add(id_of('2'), small_record("same")), id_of('1'));
  EXPECT_EQ(folder.add(id_of('3'), small_record("other")), id_of('3'));
  EXPECT_EQ(folder.add(id_of('4'), small_record()), id_of('4'));  // samples that may differ: each is a run
  EXPECT_EQ(folder.add(id_of('5'), small_record()), id_of('5'));
  EXPECT_EQ(folder.items().size(), 4U);
}

TEST(OutboxFolder, AJobIsClaimedByOneUntilThatOneEnds) {
  const base::TemporaryFolder home;
  const Folder folder(home.path() / "outbox", 100'000);
  folder.add(id_of('1'), small_record());
  const fs::path told = home.path() / "claimed";
  const pid_t child = ::fork();
  if (child == 0) {
    const auto claim = folder.claim(id_of('1'));
    if (claim) std::ofstream(told) << "yes";
    for (;;) ::pause();
  }
  while (!fs::exists(told)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_FALSE(folder.claim(id_of('1')));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(folder.claim(id_of('1')));
  folder.remove(id_of('1'));
  EXPECT_FALSE(folder.claim(id_of('1')));
}

// Writers are killed at any moment: what is there is whole, inside the bound, and writing goes on.
TEST(OutboxFolder, KilledWritersLeaveWholeEntries) {
  const base::TemporaryFolder home;
  constexpr std::uint64_t kMost = 200'000;
  const Folder folder(home.path() / "outbox", kMost);
  for (int round = 0; round < 20; ++round) {
    std::array<pid_t, 3> children{};
    for (pid_t& child : children) {
      child = ::fork();
      if (child != 0) continue;
      for (unsigned i = 0;; ++i) {
        std::array<char, 33> name{};
        std::snprintf(name.data(), name.size(), "%016x%016x", static_cast<unsigned>(::getpid()), i);
        try {
          folder.add(name.data(), small_record("", 3000));
        } catch (const Error&) {
          folder.remove(folder.items().front().id);
        }
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + round));
    for (const pid_t child : children) ::kill(child, SIGKILL);
    for (const pid_t child : children) ::waitpid(child, nullptr, 0);
  }
  const Folder after(home.path() / "outbox", kMost);
  std::uint64_t bytes = 0;
  for (const auto& item : after.items()) {
    EXPECT_EQ(after.read(item).body.bytes.size(), 3000U);
    bytes += item.bytes;
  }
  EXPECT_GT(bytes, 0U);
  EXPECT_LE(bytes, kMost);
  for (const auto& entry : fs::directory_iterator(home.path() / "outbox"))
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
  after.remove(after.items().front().id);
  after.add(id_of('a'), small_record("", 100));
}

TEST(Outbox, TakesWhatItsEndpointCannotBeGivenAndTellsTheId) {
  const base::TemporaryFolder home;
  const EdgeExecutionConfig config = kept_config(home.path());
  const auto compiler = std::make_shared<CircuitCompiler>(config);
  EdgeExecutor executor(config, compiler);
  Outbox outbox(config);
  const CompiledPtr circuit = one_rotation(*compiler);
  std::set<std::string> ids;
  for (int again = 0; again < 2; ++again) {
    try {
      executor.execute(circuit, {.named_parameters = {{"theta", 0.3}}});
      FAIL();
    } catch (const JobKept& kept) {
      EXPECT_EQ(kept.code(), ErrorCode::unavailable);
      ids.insert(kept.id());
    }
  }
  EXPECT_EQ(ids.size(), 1U);  // the same question: one job
  const auto all = outbox.entries();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].id, *ids.begin());
  EXPECT_EQ(all[0].state, OutboxState::waiting);
  EXPECT_EQ(all[0].circuit_id, circuit->circuit_id);
  EXPECT_EQ(all[0].endpoint, kNobody);
  EXPECT_EQ(base::thrown_by([&] { outbox.result(all[0].id); }).code(), ErrorCode::unavailable);
  const auto sent = outbox.send();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].state, OutboxState::waiting);
  EXPECT_FALSE(sent[0].finding.empty());
  outbox.drop(all[0].id);
  EXPECT_TRUE(outbox.entries().empty());
  EXPECT_EQ(base::thrown_by([&] { outbox.drop(all[0].id); }).code(), ErrorCode::not_found);
  EXPECT_EQ(base::thrown_by([&] { outbox.result("../../etc/passwd"); }).code(), ErrorCode::not_found);
}

TEST(Outbox, IsNeverFilledWithoutFallback) {
  const base::TemporaryFolder home;
  EdgeExecutionConfig config = kept_config(home.path());
  config.fallback_to_cloud = false;
  const auto compiler = std::make_shared<CircuitCompiler>(config);
  EdgeExecutor executor(config, compiler);
  Outbox outbox(config);
  const CompiledPtr circuit = one_rotation(*compiler);
  EXPECT_EQ(base::thrown_by([&] { executor.execute(circuit, {.parameters = {0.3}}); }).code(),
            ErrorCode::budget_exceeded);
  EXPECT_EQ(base::thrown_by([&] { outbox.keep(circuit, {.parameters = {0.3}}); }).where(), "fallback_to_cloud");
  EXPECT_EQ(base::thrown_by([&] { outbox.send(); }).where(), "fallback_to_cloud");
  EXPECT_TRUE(outbox.entries().empty());
}

TEST(Outbox, TellsDamagedEntriesAndLeavesThemAside) {
  const base::TemporaryFolder home;
  const EdgeExecutionConfig config = kept_config(home.path());
  CircuitCompiler compiler(config);
  Outbox outbox(config);
  const std::string id = outbox.keep(one_rotation(compiler), {.parameters = {0.3}});
  const fs::path file = config.outbox_folder / (id + ".job");
  std::string text = base::read_file(file, 1 << 20);
  text.back() = static_cast<char>(text.back() ^ 1);
  std::ofstream(file, std::ios::binary) << text;
  for (const auto& all : {outbox.entries(), outbox.send()}) {
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].state, OutboxState::damaged);
    EXPECT_NE(all[0].finding.find(file.filename().string()), std::string::npos) << all[0].finding;
  }
  EXPECT_EQ(base::read_file(file, 1 << 20), text);
  EXPECT_EQ(base::thrown_by([&] { outbox.result(id); }).code(), ErrorCode::corrupt);
}

}  // namespace
}  // namespace skerry::edge
