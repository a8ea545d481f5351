// Cast between strings and numbers.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <skerry/error.hpp>
#include <utility>

#include "base/number_text.hpp"
#include "ops/nn/cast.hpp"
#include "ops/nn/data_node.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// Digits and the exponent of the first of them, of a text such as "0.012" or "1.2e-05".
std::pair<std::string, int> digits_of(std::string_view text) {
  const std::size_t mark = std::min(text.find('e'), text.size());
  int exponent = 0;
  if (mark < text.size()) {
    const std::string_view power = text.substr(mark + (text[mark + 1] == '+' ? 2 : 1));
    std::from_chars(power.data(), power.data() + power.size(), exponent);
  }
  const std::string_view number = text.substr(0, mark);
  const std::size_t point = std::min(number.find('.'), number.size());
  std::string digits(number.substr(0, point));
  if (point < number.size()) digits += number.substr(point + 1);
  exponent += static_cast<int>(point) - 1;
  const std::size_t zeros = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  digits.erase(0, zeros);
  digits.erase(std::max<std::size_t>(digits.find_last_not_of('0') + 1, 1));
  return {digits, exponent - static_cast<int>(zeros)};
}

// The fewest digits that read back as the number; plain from 0.0001 to 1e16, as numpy writes it.
template <class T>
std::string text_of(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "True" : "False";
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else if constexpr (kernels::is_half<T>) {
    return text_of(static_cast<float>(value));
  } else {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    const std::string sign = std::signbit(value) ? "-" : "";
    const double magnitude = std::abs(static_cast<double>(value));
    if (magnitude == 0) return sign + "0.0";
    auto [digits, exponent] = digits_of(base::number_text(std::abs(value)));
    if (magnitude >= 1e-4 && magnitude < 1e16) {
      if (exponent < 0) digits.insert(0, static_cast<std::size_t>(-exponent), '0');
      const std::size_t before = static_cast<std::size_t>(std::max(exponent, 0)) + 1;
      if (digits.size() <= before) digits.append(before + 1 - digits.size(), '0');
      return sign + digits.insert(before, ".");
    }
    if (digits.size() > 1) digits.insert(1, ".");
    const std::string power = std::to_string(std::abs(exponent));
    return sign + digits + (exponent < 0 ? "e-" : "e+") + (power.size() < 2 ? "0" : "") + power;
  }
}

[[noreturn]] void refuse_text(const Node& node, const std::string& text, DType to) {
  constexpr std::size_t kShown = 40;
  refuse(node, "'" + text.substr(0, kShown) + "' is no " + std::string(dtype_name(to)));
}

template <class T>
T number_of(const Node& node, const std::string& text, DType to) {
  constexpr const char* kSpaces = " \t\n\v\f\r";
  const std::size_t first = std::min(text.find_first_not_of(kSpaces), text.size());
  const std::size_t last = text.find_last_not_of(kSpaces) + 1;
  std::string_view word = std::string_view(text).substr(first, last > first ? last - first : 0);
  if (word.starts_with('+') && !word.starts_with("+-") && !word.starts_with("++")) word.remove_prefix(1);
  if constexpr (std::is_same_v<T, bool>) {
    if (word == "True" || word == "true" || word == "1") return true;
    if (word == "False" || word == "false" || word == "0") return false;
    refuse_text(node, text, to);
  } else if constexpr (kernels::is_half<T>) {
    return T(number_of<float>(node, text, to));
  } else {
    T value{};
    const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), value);
    const bool good = failed == std::errc() && end == word.data() + word.size() && !word.empty();
    if (!good) refuse_text(node, text, to);
    return value;
  }
}

}  // namespace

std::vector<Datum> cast_texts(DataNode& context) {
  const DType to = context.outputs[0].dtype;
  if (const auto* strings = datum_in(context, 0).as<Strings>()) {
    if (to == DType::string) return {*strings};
    if (!kernels::NumbersAndBool::contains(to))
      throw Error(ErrorCode::unsupported, "strings as " + std::string(dtype_name(to)) + " are not supported");
    Tensor out = allocate(to, strings->shape, context.evaluation);
    kernels::visit(kernels::NumbersAndBool{}, to, [&]<class T>() {
      const auto elements = writable(out).as<T>();
      const auto texts = texts_of(*strings);
      for (std::size_t i = 0; i < texts.size(); ++i) elements[i] = number_of<T>(context.node, texts[i], to);
    });
    return {out};
  }
  const Tensor& x = tensor_in(context, 0);
  if (!kernels::NumbersAndBool::contains(x.dtype()))
    throw Error(ErrorCode::unsupported, std::string(dtype_name(x.dtype())) + " as strings are not supported");
  std::vector<std::string> texts;
  kernels::visit(kernels::NumbersAndBool{}, x.dtype(), [&]<class T>() {
    for (const T value : x.as<T>()) texts.push_back(text_of(value));
  });
  return {strings_of(context.node, x.shape(), std::move(texts), context.evaluation)};
}

}  // namespace skerry::ops
