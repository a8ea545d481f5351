/// \file
/// Bounds on what is accepted from outside; each is a setting with a default that no honest program reaches.
#pragma once

#include <cstdint>

namespace skerry {

/// Limits of import. Passing one is Error{limit_exceeded} that names the limit, its value and what was asked.
struct ImportLimits {
  std::uint64_t max_file_bytes = std::uint64_t{8} << 30;  ///< of a whole file; text formats: max_text_bytes
  std::uint64_t max_text_bytes = std::uint64_t{256} << 20;
  std::uint32_t max_qubits = 100'000;
  std::uint32_t max_bits = 1'000'000;
  std::uint64_t max_instructions = 20'000'000;  ///< after definitions and constant loops are expanded
  std::uint32_t max_nesting = 256;              ///< parentheses, blocks, definitions, subgraphs
  std::uint32_t max_name_bytes = 4'096;
  std::uint32_t max_include_depth = 16;
  std::uint64_t max_nodes = 1'000'000;  ///< of a graph, functions inlined
};

}  // namespace skerry
