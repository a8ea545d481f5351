#include "edge/outbox/record.hpp"

#include <array>
#include <charconv>
#include <skerry/error.hpp>
#include <span>

#include "package/digest.hpp"

namespace skerry::edge::outbox {
namespace {

constexpr std::string_view kFormat = "skerry-outbox ";
constexpr std::string_view kVersion = "1";
constexpr std::size_t kDigits = 2 * package::kDigestBytes;

std::string digest_of(std::string_view head, std::string_view body) {
  const std::array<std::span<const std::byte>, 2> parts = {std::as_bytes(std::span(head)),
                                                           std::as_bytes(std::span(body))};
  return package::hex(package::sha256(parts));
}

/// Takes a text apart from its front.
class RecordReader {
 public:
  explicit RecordReader(std::string_view text) : rest_(text) {}

  std::string_view line() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) refuse("a line has no end");
    const std::string_view out = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return out;
  }

  std::string_view value(std::string_view name) {
    const std::string_view text = line();
    if (!text.starts_with(name) || text.size() <= name.size() || text[name.size()] != ' ')
      refuse("there is no '" + std::string(name) + "'");
    return text.substr(name.size() + 1);
  }

  template <class T>
  T number(std::string_view name) {
    const std::string_view text = value(name);
    T out{};
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (code != std::errc() || end != text.data() + text.size() || !(out >= T{}))
      refuse("'" + std::string(name) + "' is no number");
    return out;
  }

  std::string_view rest() const noexcept { return rest_; }

  [[noreturn]] static void refuse(const std::string& why) {
    throw Error(ErrorCode::corrupt, why, "", "it was damaged from outside; what it held is lost, drop it");
  }

 private:
  std::string_view rest_;
};

}  // namespace

std::string head_of(const Record& record) {
  std::string head;
  const auto add = [&head](std::string_view name, std::string_view value) {
    if (value.find('\n') != std::string_view::npos)
      throw Error(ErrorCode::invalid_argument, std::string(name) + " has a line break", "outbox");
    head.append(name).append(" ").append(value).append("\n");
  };
  add("question", record.question);
  add("circuit", record.circuit_id);
  add("endpoint", record.endpoint);
  add("kept", std::to_string(record.kept));
  add("answered", std::to_string(record.answered));
  add("json", std::to_string(record.body.json_bytes));
  head += '\n';
  return std::string(kFormat).append(kVersion) + "\n" + digest_of(head, record.body.bytes) + "\n" + head;
}

Record decode_record(std::string_view text) {
  RecordReader reader(text);
  const std::string_view format = reader.line();
  if (!format.starts_with(kFormat)) RecordReader::refuse("it does not begin as an entry does");
  if (format.substr(kFormat.size()) != kVersion) {
    throw Error(ErrorCode::version_too_new, "it has version " + std::string(format.substr(kFormat.size(), 20)), "",
                "send it with the version that wrote it");
  }
  const std::string_view digest = reader.line();
  if (digest.size() != kDigits || digest != digest_of(reader.rest(), {}))
    RecordReader::refuse("its content is not what was written");
  Record record;
  record.question = reader.value("question");
  record.circuit_id = reader.value("circuit");
  record.endpoint = reader.value("endpoint");
  record.kept = reader.number<double>("kept");
  record.answered = reader.number<double>("answered");
  record.body.json_bytes = reader.number<std::size_t>("json");
  if (!reader.line().empty()) RecordReader::refuse("its head does not end");
  if (record.body.json_bytes > reader.rest().size()) RecordReader::refuse("its body is too short");
  record.body.bytes = reader.rest();
  return record;
}

}  // namespace skerry::edge::outbox
