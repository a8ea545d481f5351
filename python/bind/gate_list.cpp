#include "gate_list.hpp"

#include <nanobind/stl/string.h>

#include <deque>

#include "frontend/json/gate_list.hpp"

namespace skerry::python {
namespace {

using frontend::EntryField;
using frontend::EntryScalar;
using frontend::EntryValue;

// Decodes entries; the views it hands out live as long as it does.
class Decoder {
 public:
  std::vector<EntryField> fields(nb::handle entry, std::size_t index) {
    where_ = "gate " + std::to_string(index);
    if (!nb::isinstance<nb::dict>(entry)) refuse("an entry is not a dict");
    std::vector<EntryField> fields;
    for (const auto& [key, value] : nb::cast<nb::dict>(entry)) {
      if (!nb::isinstance<nb::str>(key)) refuse("a key is not a string");
      fields.push_back({kept(key), decoded(value, key)});
    }
    return fields;
  }

 private:
  [[noreturn]] void refuse(std::string message) const {
    throw Error(ErrorCode::semantic_error, std::move(message), where_);
  }

  std::string_view kept(nb::handle text) { return texts_.emplace_back(nb::cast<std::string>(text)); }

  EntryScalar scalar(nb::handle value, nb::handle key) {
    if (nb::isinstance<nb::str>(value)) return kept(value);
    if (PyIndex_Check(value.ptr()) != 0) {  // int, and numpy's integers
      const long long number = PyLong_AsLongLong(nb::steal(PyNumber_Index(value.ptr())).ptr());
      if (number != -1 || PyErr_Occurred() == nullptr) return static_cast<std::int64_t>(number);
    } else if (PyNumber_Check(value.ptr()) != 0) {  // float, and numpy's
      const double number = PyFloat_AsDouble(value.ptr());
      if (number != -1.0 || PyErr_Occurred() == nullptr) return number;
    }
    PyErr_Clear();
    refuse("'" + nb::cast<std::string>(key) + "' has the value " + nb::cast<std::string>(nb::repr(value)) +
           ", neither a number nor a string nor a list of them");
  }

  EntryValue decoded(nb::handle value, nb::handle key) {
    if (nb::isinstance<nb::list>(value) || nb::isinstance<nb::tuple>(value)) {
      std::vector<EntryScalar> list;
      for (const nb::handle element : value) list.push_back(scalar(element, key));
      return list;
    }
    return std::visit([](auto held) { return EntryValue(held); }, scalar(value, key));
  }

  std::deque<std::string> texts_;
  std::string where_;
};

}  // namespace

Circuit circuit_from_gates(nb::handle gates) {
  frontend::GateList list;
  std::size_t index = 0;
  for (const nb::handle entry : nb::iter(gates)) {
    Decoder decoder;
    list.add(decoder.fields(entry, index++));
  }
  return list.finish();
}

}  // namespace skerry::python
