#include "described.hpp"

#include <nanobind/stl/string.h>

#include <string>
#include <vector>

namespace skerry::python {
namespace {

constexpr std::size_t kLongestText = 60, kMostItems = 4;

std::string text_of(nb::handle object) {
  return nb::cast<std::string>(nb::str(object));
}

std::string shown(nb::handle value) {
  if (PyFloat_CheckExact(value.ptr()) != 0)
    return text_of(nb::module_::import_("builtins").attr("format")(value, nb::str(".4g")));
  if (nb::hasattr(value, "shape"))
    return text_of(value.attr("dtype")) + text_of(nb::list(nb::borrow<nb::object>(value.attr("shape"))));
  if (nb::isinstance<nb::list>(value) || nb::isinstance<nb::dict>(value) || nb::isinstance<nb::tuple>(value)) {
    if (nb::len(value) > kMostItems) return "(" + std::to_string(nb::len(value)) + " entries)";
  }
  std::string text = nb::cast<std::string>(nb::repr(value));
  const std::size_t end = text.size() <= kLongestText ? std::string::npos : text.find_first_of(" ,", kLongestText);
  return end == std::string::npos ? text : text.substr(0, end) + " ...";
}

// A repr never raises: what cannot be told now is a question mark.
std::string field(nb::handle self, const std::string& name) {
  try {
    return shown(nb::object(self.attr(name.c_str())));
  } catch (const nb::python_error&) {
    return "?";
  }
}

std::string name_of_type(nb::handle self) {
  return nb::cast<std::string>(nb::borrow<nb::object>(self.type()).attr("__name__"));
}

nb::str with_fields(nb::handle self, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? ": " : ", ") + name + "=" + field(self, name);
  const std::string whole = "<" + name_of_type(self) + text + ">";
  return nb::str(whole.data(), whole.size());
}

}  // namespace

nb::str described(nb::handle self) {
  const nb::object property = nb::module_::import_("builtins").attr("property");
  std::vector<std::string> names;
  const nb::object fields = nb::borrow<nb::object>(self.type()).attr("__dict__").attr("copy")();
  for (const auto& [name, what] : nb::borrow<nb::dict>(fields))
    if (nb::isinstance(what, property)) names.push_back(nb::cast<std::string>(name));
  return with_fields(self, names);
}

nb::str described(nb::handle self, std::initializer_list<const char*> names) {
  return with_fields(self, {names.begin(), names.end()});
}

}  // namespace skerry::python
