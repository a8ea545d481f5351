#include "wire/region.hpp"

#include "wire/json_node.hpp"

namespace skerry::wire {

SharedRegion decode_shared_region(std::string_view json, std::string name) {
  const JsonText text(json);
  SharedRegion region{.name = std::move(name)};
  for (const auto& [field, value] : text.root().members()) {
    if (field == "key") region.key = value.text();
    if (field == "offset") region.offset = value.whole();
    if (field == "byte_size") region.bytes = value.whole();
  }
  return region;
}

}  // namespace skerry::wire
