/// \file
/// What skerry-run prints: a few lines for people or one JSON object.
#pragma once

#include <skerry/error.hpp>
#include <skerry/result.hpp>
#include <string>

namespace skerry::device {

std::string text(const Result& result);
/// {"ok":true,"method":...,"counts":{...},"outputs":{name:{"dtype":...,"shape":[...]}},...}
std::string json(const Result& result);
/// {"ok":false,"error":{"code":...,"message":...,"where":...,"hint":...}}
std::string json(const Error& error);

}  // namespace skerry::device
