/// \file
/// Text inside HTML and XML.
#pragma once

#include <string>
#include <string_view>

namespace skerry::base {

/// The text as markup shows it, as content or between quotes. Control characters, which are no XML, become spaces;
/// bytes of UTF-8 stay.
std::string escaped_markup(std::string_view text);

}  // namespace skerry::base
