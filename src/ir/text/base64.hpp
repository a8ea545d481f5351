/// \file
/// Base64 (RFC 4648, section 4) for the bytes of large constants.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::ir {

std::string base64(std::span<const std::byte> bytes);
/// The bytes of canonical base64 (padded, unused bits zero); blanks and line breaks are skipped. Empty if it is not
/// that.
std::optional<std::vector<std::byte>> from_base64(std::string_view text);

}  // namespace skerry::ir
