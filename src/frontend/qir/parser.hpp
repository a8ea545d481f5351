/// \file
/// The subset of LLVM's textual IR that QIR programs of the base and the adaptive profile are written in.
#pragma once

#include <skerry/limits.hpp>
#include <string>
#include <string_view>

#include "frontend/qir/module.hpp"

namespace skerry::frontend::qir {

/// Reads a module; everything in it is a view into the text. Typed (`%Qubit*`) and opaque (`ptr`) pointers are taken.
/// Skipped: comments, targets, types, declarations, metadata, and attributes of functions other than the entry point.
/// Errors: syntax_error, unsupported for other instructions and types, semantic_error for a label or value that is
/// missing or defined twice, limit_exceeded (max_text_bytes, max_instructions); all with name:line:column.
/// Source: LLVM Language Reference Manual; QIR specification, https://github.com/qir-alliance/qir-spec.
Module parse(std::string_view text, const ImportLimits& limits, const std::string& name);

}  // namespace skerry::frontend::qir
