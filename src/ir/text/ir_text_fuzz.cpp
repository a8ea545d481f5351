// Whatever parses must print, and what was printed must parse to the same; anything else must be a typed error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <skerry/error.hpp>
#include <string_view>

#include "ir/graph/same.hpp"
#include "ir/text/text.hpp"

namespace {

bool same(const skerry::Circuit& l, const skerry::Circuit& r) {
  return l == r;
}
bool same(const skerry::Graph& l, const skerry::Graph& r) {
  return skerry::ir::same(l, r);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::variant<skerry::Circuit, skerry::Graph> value;
  try {
    value = skerry::ir::parse({reinterpret_cast<const char*>(data), size});
  } catch (const skerry::Error& e) {
    // Each refusal has a place, and none is a mistake of ours.
    if (e.where().empty() || e.code() == skerry::ErrorCode::internal) std::abort();
    return 0;
  }
  // From here on an exception is a finding: it leaves this function and ends the process.
  std::visit(
      []<class T>(const T& first) {
        const auto second = skerry::ir::parse(skerry::ir::print(first));
        if (!std::holds_alternative<T>(second) || !same(first, std::get<T>(second))) std::abort();
      },
      value);
  return 0;
}
