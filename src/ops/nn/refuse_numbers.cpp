#include "ops/nn/refuse_numbers.hpp"

#include <string>

#include "ops/nn/typing.hpp"

namespace skerry::ops {

void refuse_numbers(const Node& node, const char* message, std::initializer_list<std::int64_t> numbers) {
  std::string text;
  const std::int64_t* next = numbers.begin();
  for (; *message != '\0'; ++message) {
    if (*message == '#' && next != numbers.end()) {
      text += std::to_string(*next++);
    } else {
      text += *message;
    }
  }
  refuse(node, text);
}

}  // namespace skerry::ops
