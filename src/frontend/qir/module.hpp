/// \file
/// What is kept of a module of LLVM IR: its functions as blocks of instructions, and what their attributes say.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::frontend::qir {

/// Byte offset into the text.
using Place = std::size_t;

/// A type of the subset. Every pointer is one kind: what it points at is said by the function that it is given to.
struct Type {
  enum Kind : std::uint8_t { nothing, integer, real, pointer, other } kind = nothing;
  std::uint8_t width = 0;  ///< of an integer, 1 to 64
  bool operator==(const Type&) const = default;
};

/// What an instruction reads.
struct Operand {
  enum Kind : std::uint8_t {
    local,      ///< value `index` of the function
    integer,    ///< `bits`
    real,       ///< `number`
    pointer,    ///< null or inttoptr: `bits`
    global,     ///< `name`, element `bits` of it
    undefined,  ///< undef, poison
  } kind = undefined;
  Type type;
  std::uint32_t index = 0;
  std::uint64_t bits = 0;
  double number = 0.0;
  std::string_view name;
  Place place = 0;
};

/// Instructions of the subset; `word` tells those of one kind apart (`add`, `slt`, `zext`).
enum class Kind : std::uint8_t {
  call,
  branch,
  branch_if,
  switch_to,
  ret,
  phi,
  select,
  compare,
  compare_reals,
  arithmetic,
  cast,
  memory,   ///< alloca: `count` places of `type`
  element,  ///< getelementptr: operand 0 is what it starts from, the others are indices
  load,
  store
};

inline constexpr std::uint32_t kNone = 0xffffffffU;

struct Instruction {
  Kind kind{};
  std::string_view word;         ///< the operation, or the function that is called
  Type type;                     ///< of the result; of an element what the indices count
  std::uint32_t result = kNone;  ///< value of the function
  std::vector<Operand> operands;
  std::uint64_t count = 1;            ///< of an alloca; of an element: extent of the array that operand 0 points at
  std::vector<std::uint32_t> blocks;  ///< targets of a branch (of a switch the default first), origins of a phi
  Place place = 0;
};

struct Block {
  std::vector<Instruction> instructions;  ///< phis first, one terminator last
};

struct Function {
  std::string_view name;
  Type result;
  std::vector<Type> parameters;  ///< values 0, 1, ... of the function
  std::uint32_t num_values = 0;
  std::vector<Block> blocks;  ///< the first is entered first
  bool is_entry = false;
  Place place = 0;
};

struct Module {
  std::vector<Function> functions;
  std::map<std::string_view, std::uint32_t> by_name;
  std::map<std::string_view, std::string> strings;          ///< texts of globals, without the final zero
  std::map<std::string_view, std::vector<Operand>> arrays;  ///< constant arrays of numbers and pointers
  std::map<std::string_view, std::string_view> attributes;  ///< of the entry point
};

}  // namespace skerry::frontend::qir
