/// \file
/// How a gate with its controls is called in messages and counts.
#pragma once

#include <skerry/circuit.hpp>
#include <string>

namespace skerry::passes::native {

/// `cx`, `ccx`, `rz`, `measure`; `ctrl(5) @ x` where the record has no word for it.
std::string spelling(const Instruction& at);
std::string spelling(Op op, std::uint16_t controls);

}  // namespace skerry::passes::native
