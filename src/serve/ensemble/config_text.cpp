#include "serve/ensemble/config_text.hpp"

#include <algorithm>
#include <cctype>

namespace skerry::serve {
namespace {

constexpr std::size_t kMostBytes = 1 << 20;
constexpr int kMostLevels = 64;

bool begins_name(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool is_scalar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '+' || c == '-';
}

class ConfigReader {
 public:
  ConfigReader(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  // Up to the end of the text or of the message that `end` closes.
  std::vector<ConfigField> fields(char end, int level) {
    if (level > kMostLevels) throw Error(ErrorCode::limit_exceeded, "messages lie more than 64 levels deep", place());
    std::vector<ConfigField> all;
    for (skip(); !at_end() && text_[at_] != end; skip()) {
      add_field(all, level);
      skip();
      if (!at_end() && (text_[at_] == ',' || text_[at_] == ';')) ++at_;
    }
    if (end != '\0') expect(end);
    return all;
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  std::string place() const { return where_ + ":" + std::to_string(line_); }

  [[noreturn]] void wrong(const std::string& wanted) const {
    const bool is_plain = !at_end() && std::isprint(static_cast<unsigned char>(text_[at_])) != 0;
    const std::string found = at_end()   ? "the end of the file"
                              : is_plain ? "'" + std::string(1, text_[at_]) + "'"
                                         : "something else";
    throw Error(ErrorCode::syntax_error, wanted + " is wanted, there is " + found, place(),
                "this is the text form of protocol buffers: name: value, or name { ... }");
  }

  void skip() {
    while (!at_end()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
        line_ += text_[at_++] == '\n' ? 1 : 0;
      } else {
        return;
      }
    }
  }

  void expect(char wanted) {
    skip();
    if (at_end() || text_[at_] != wanted) wrong(std::string("'") + wanted + "'");
    ++at_;
  }

  void add_field(std::vector<ConfigField>& all, int level) {
    if (!begins_name(text_[at_])) wrong("a field's name");
    const std::size_t begin = at_;
    while (!at_end() && is_scalar(text_[at_])) ++at_;
    ConfigField field{.name = std::string(text_.substr(begin, at_ - begin)), .text = {}, .fields = {}, .line = line_};
    skip();
    const bool has_colon = !at_end() && text_[at_] == ':';
    if (has_colon) ++at_;
    skip();
    if (at_end() || text_[at_] != '[') {
      read_value(field, has_colon, level);
      all.push_back(std::move(field));
      return;
    }
    ++at_;
    for (skip(); !at_end() && text_[at_] != ']'; skip()) {
      ConfigField one{.name = field.name, .text = {}, .fields = {}, .line = line_};
      read_value(one, has_colon, level);
      all.push_back(std::move(one));
      skip();
      if (at_end() || (text_[at_] != ',' && text_[at_] != ']')) wrong("',' or ']'");
      if (text_[at_] == ',') ++at_;
    }
    expect(']');
  }

  void read_value(ConfigField& field, bool has_colon, int level) {
    if (at_end()) wrong("a value");
    const char first = text_[at_];
    if (first == '{' || first == '<') {
      ++at_;
      field.is_message = true;
      field.fields = fields(first == '{' ? '}' : '>', level + 1);
    } else if (!has_colon) {
      wrong("':' or '{'");
    } else if (first == '"' || first == '\'') {
      field.is_string = true;
      read_strings(field.text);
    } else {
      const std::size_t begin = at_;
      while (!at_end() && is_scalar(text_[at_])) ++at_;
      if (at_ == begin) wrong("a value");
      field.text = text_.substr(begin, at_ - begin);
    }
  }

  // Strings beside each other are one.
  void read_strings(std::string& out) {
    for (; !at_end() && (text_[at_] == '"' || text_[at_] == '\''); skip()) {
      const char quote = text_[at_++];
      while (!at_end() && text_[at_] != quote && text_[at_] != '\n') read_character(out);
      if (at_end() || text_[at_] != quote) wrong("the string's end");
      ++at_;
    }
  }

  void read_character(std::string& out) {
    if (text_[at_] != '\\') {
      out += text_[at_++];
      return;
    }
    ++at_;
    constexpr std::string_view kLetters = "ntr\\\"'", kMeant = "\n\t\r\\\"'";
    const std::size_t known = at_end() ? std::string_view::npos : kLetters.find(text_[at_]);
    if (known == std::string_view::npos) wrong("one of \\n \\t \\r \\\\ \\\" \\'");
    out += kMeant[known];
    ++at_;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
};

}  // namespace

std::vector<ConfigField> parse_config(std::string_view text, const std::string& where) {
  if (text.size() > kMostBytes)
    throw Error(ErrorCode::limit_exceeded, std::to_string(text.size()) + " bytes are more than 1 MiB", where);
  return ConfigReader(text, where).fields('\0', 0);
}

}  // namespace skerry::serve
