#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <tuple>
#include <vector>

#include "bind.hpp"

namespace skerry::python {
namespace {

// The class is found by the table's name, so a new row needs a class in errors.py and nothing here.
void raise(const Error& error) {
  const ErrorInfo& info = error_info(error.code());
  const nb::object type = nb::module_::import_("skerry.errors").attr(nb::str(info.python_exception.data()));
  const nb::object instance = type(error.message(), error.where(), error.hint());
  PyErr_SetObject(type.ptr(), instance.ptr());
}

void translate(const std::exception_ptr& exception, void*) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    try {
      raise(error);
    } catch (nb::python_error& failure) {
      failure.restore();
    }
  }
}

using Row = std::tuple<std::string_view, std::string_view, int, std::string_view>;

std::vector<Row> error_table() {
  std::vector<Row> rows;
  for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code) {
    const ErrorInfo& info = error_info(static_cast<ErrorCode>(code));
    rows.emplace_back(info.name, info.sentence, info.exit_code, info.python_exception);
  }
  return rows;
}

}  // namespace

void bind_errors(nb::module_& m) {
  nb::register_exception_translator(translate);
  m.def("error_table", error_table, "Rows (code, sentence, exit code, exception class) of every way to fail.");
}

}  // namespace skerry::python
