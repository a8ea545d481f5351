// A circuit taken apart and put together piece by piece, for those who translate it from and into other libraries.

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <memory>
#include <optional>

#include "arrays.hpp"
#include "bind.hpp"

namespace skerry::python {
namespace {

constexpr std::array kExprNames = {
#define SKERRY_EXPR(name, operands) #name,
#include <skerry/expressions.def>
#undef SKERRY_EXPR
};
constexpr std::array kExprOperands = {
#define SKERRY_EXPR(name, operands) operands,
#include <skerry/expressions.def>
#undef SKERRY_EXPR
};
constexpr std::array kKindNames = {"boolean", "integer", "unsigned_integer", "real", "angle"};

template <std::size_t N>
std::size_t index_of(const std::array<const char*, N>& names, std::string_view name, const char* what) {
  for (std::size_t i = 0; i < N; ++i) {
    if (name == names[i]) return i;
  }
  throw Error(ErrorCode::not_found, "there is no " + std::string(what) + " '" + std::string(name) + "'");
}

ScalarType scalar_type(std::string_view kind, int width) {
  const bool is_fine = kind == "boolean" ? width == 1 : width >= 1 && width <= 64;
  if (!is_fine) throw Error(ErrorCode::out_of_range, "a classical type of " + std::to_string(width) + " bits");
  return {static_cast<ScalarKind>(index_of(kKindNames, kind, "kind of value")), static_cast<std::uint8_t>(width)};
}

std::string kind_name(ScalarType type) {
  return kKindNames[static_cast<std::size_t>(type.kind)];
}

// The circuit stays Python's; the class keeps it alive.
struct Parts {
  Circuit* circuit;

  void check(ExprId id) const {
    if (id < circuit->expressions().size()) return;
    throw Error(ErrorCode::out_of_range,
                "expression " + std::to_string(id) + " of " + std::to_string(circuit->expressions().size()));
  }
};

nb::tuple row(const Instruction& instruction) {
  nb::list wires, params;
  for (const Wire wire : instruction.wires) wires.append(wire);
  for (const Param& param : instruction.params) {
    if (param.is_constant())
      params.append(param.value);
    else
      params.append(param.expr);
  }
  return nb::make_tuple(std::string(op_name(instruction.op)), instruction.controls, wires, params, instruction.aux);
}

nb::list blocks(const Parts& self) {
  nb::list all;
  for (const Block& block : self.circuit->blocks()) {
    nb::list rows;
    for (std::size_t i = 0; i < block.size(); ++i) rows.append(row(block[i]));
    all.append(rows);
  }
  return all;
}

nb::object optional_id(std::uint32_t id) {
  return id == kNoExpr ? nb::none() : nb::cast(id);
}

nb::list branches(const Parts& self) {
  nb::list all;
  for (const Branch& branch : self.circuit->branches())
    all.append(nb::make_tuple(branch.condition, branch.then_block, optional_id(branch.else_block)));
  return all;
}

nb::list assignments(const Parts& self) {
  nb::list all;
  for (const Assignment& to : self.circuit->assignments())
    all.append(nb::make_tuple(to.to_bits, to.first, to.count, optional_id(to.index), to.value));
  return all;
}

nb::list matrices(const Parts& self) {
  nb::list all;
  for (const Matrix& matrix : self.circuit->matrices()) {
    const std::int64_t rows = std::int64_t{1} << matrix.wires;
    auto values = std::make_shared<const std::vector<std::complex<double>>>(matrix.values);
    const auto* bytes = reinterpret_cast<const std::byte*>(values->data());
    all.append(array_from(Tensor(TensorView(DType::c128, Shape({rows, rows}), bytes), std::move(values)), true));
  }
  return all;
}

nb::list expressions(const Parts& self) {
  const ExprPool& pool = self.circuit->expressions();
  nb::list all;
  for (ExprId id = 0; id < pool.size(); ++id) {
    const ExprNode& node = pool[id];
    nb::object value = nb::none();
    if (node.op == ExprOp::constant)
      value =
          node.value.type.kind >= ScalarKind::real ? nb::cast(node.value.as_real()) : nb::cast(node.value.as_integer());
    all.append(nb::make_tuple(kExprNames[static_cast<std::size_t>(node.op)], node.a, node.b, node.c, value,
                              kind_name(node.type), node.type.width));
  }
  return all;
}

nb::list registers(const std::vector<Register>& list) {
  nb::list all;
  for (const Register& one : list) all.append(nb::make_tuple(one.name, one.first, one.size));
  return all;
}

nb::list variables(const Parts& self) {
  nb::list all;
  for (const Variable& one : self.circuit->variables())
    all.append(nb::make_tuple(one.name, kind_name(one.type), one.type.width, one.is_output));
  return all;
}

ExprId constant(const Parts& self, double value, std::string_view kind, int width) {
  const ScalarType type = scalar_type(kind, width);
  const Scalar scalar = type.kind >= ScalarKind::real
                            ? Scalar::of(value)
                            : Scalar::of(static_cast<std::int64_t>(value), {ScalarKind::integer, 64});
  return self.circuit->expressions().constant(scalar.cast(type));
}

ExprId bits(const Parts& self, std::uint32_t first, std::uint32_t count) {
  if (first + std::uint64_t{count} > self.circuit->num_bits() || count == 0 || count > 64) {
    throw Error(ErrorCode::out_of_range, "bits " + std::to_string(first) + " to " + std::to_string(first + count) +
                                             " of " + std::to_string(self.circuit->num_bits()));
  }
  if (count == 1) return self.circuit->expressions().leaf(ExprOp::bit, first, {});
  return self.circuit->expressions().leaf(ExprOp::bits, first, {}, count);
}

ExprId variable(const Parts& self, std::uint32_t index) {
  if (index >= self.circuit->variables().size()) throw Error(ErrorCode::out_of_range, "a variable that is not there");
  return self.circuit->expressions().leaf(ExprOp::variable, index, self.circuit->variables()[index].type);
}

ExprId cast(const Parts& self, ExprId operand, std::string_view kind, int width) {
  self.check(operand);
  return self.circuit->expressions().cast(operand, scalar_type(kind, width));
}

ExprId apply(const Parts& self, std::string_view name, const std::vector<ExprId>& operands) {
  const std::size_t index = index_of(kExprNames, name, "operation");
  const auto op = static_cast<ExprOp>(index);
  for (const ExprId operand : operands) self.check(operand);
  if (op == ExprOp::cast || operands.empty() || operands.size() != static_cast<std::size_t>(kExprOperands[index])) {
    throw Error(ErrorCode::invalid_argument,
                "'" + std::string(name) + "' does not take " + std::to_string(operands.size()) + " operands");
  }
  ExprPool& pool = self.circuit->expressions();
  return operands.size() == 1 ? pool.unary(op, operands[0]) : pool.binary(op, operands[0], operands[1]);
}

void assign_bits(const Parts& self, std::uint32_t first, std::uint32_t count, ExprId value) {
  self.check(value);
  bits(self, first, count);  // for its errors
  self.circuit->assign({.to_bits = true, .first = first, .count = count, .value = value});
}

void assign_variable(const Parts& self, std::uint32_t index, ExprId value) {
  self.check(value);
  variable(self, index);  // for its errors
  self.circuit->assign({.first = index, .value = value});
}

void check_block(const Parts& self, BlockId id) {
  if (id >= self.circuit->blocks().size()) throw Error(ErrorCode::out_of_range, "a block that is not there");
}

void if_else(const Parts& self, ExprId condition, BlockId then_block, std::optional<BlockId> else_block) {
  self.check(condition);
  check_block(self, then_block);
  if (else_block) check_block(self, *else_block);
  self.circuit->if_else(condition, then_block, else_block.value_or(kNoBlock));
}

void while_loop(const Parts& self, ExprId condition, BlockId body) {
  self.check(condition);
  check_block(self, body);
  self.circuit->while_loop(condition, body);
}

void gate(const Parts& self, std::string_view name, const std::vector<Wire>& wires, const std::vector<ExprId>& angles,
          std::uint16_t controls) {
  const auto op = op_from_name(name);
  if (!op || *op >= Op::unitary) throw Error(ErrorCode::not_found, "there is no gate '" + std::string(name) + "'");
  std::vector<Param> params;
  for (const ExprId angle : angles) {
    self.check(angle);
    const ExprPool& pool = self.circuit->expressions();
    params.push_back(pool.is_constant(angle) ? Param{pool[angle].value.as_real(), kNoExpr} : Param{0.0, angle});
  }
  self.circuit->append(*op, wires, params, controls);
}

void jump(const Parts& self, std::string_view name) {
  if (name != "break_loop" && name != "continue_loop" && name != "end")
    throw Error(ErrorCode::invalid_argument, "'" + std::string(name) + "' does not jump");
  self.circuit->append(*op_from_name(name), {});
}

void bind_reading(nb::class_<Parts>& c) {
  c.def("blocks", blocks, nb::sig("def blocks(self) -> list[list[tuple[str, int, list[int], list[float | int], int]]]"),
        "Rows of each block, the body first: name, number of controls, wires, angles (a float, or the number of an "
        "expression), and what the row refers to.")
      .def("branches", branches, nb::sig("def branches(self) -> list[tuple[int, int, int | None]]"),
           "Condition, block, and block otherwise.")
      .def("assignments", assignments, nb::sig("def assignments(self) -> list[tuple[bool, int, int, int | None, int]]"),
           "To bits or to a variable, first, count, index and value.")
      .def("matrices", matrices, nb::sig("def matrices(self) -> list[numpy.typing.NDArray[numpy.complex128]]"),
           "Copies.")
      .def("expressions", expressions,
           nb::sig("def expressions(self) -> list[tuple[str, int, int, int, int | float | None, str, int]]"),
           "Operation, three operands, value of a constant, kind and width of the result.")
      .def("variables", variables, nb::sig("def variables(self) -> list[tuple[str, str, int, bool]]"),
           "Name, kind, width, is it an output.")
      .def(
          "qubit_registers", [](const Parts& self) { return registers(self.circuit->wire_registers()); },
          nb::sig("def qubit_registers(self) -> list[tuple[str, int, int]]"), "Name, first qubit, size.")
      .def(
          "bit_registers", [](const Parts& self) { return registers(self.circuit->bit_registers()); },
          nb::sig("def bit_registers(self) -> list[tuple[str, int, int]]"), "Name, first bit, size.");
}

void bind_declaring(nb::class_<Parts>& c) {
  c.def(
       "add_qubits",
       [](const Parts& self, std::string name, std::uint32_t size) {
         return self.circuit->add_wires(std::move(name), size);
       },
       nb::arg("name"), nb::arg("size"), "Declares a register and gives its first qubit.")
      .def(
          "add_bits",
          [](const Parts& self, std::string name, std::uint32_t size) {
            return self.circuit->add_bits(std::move(name), size);
          },
          nb::arg("name"), nb::arg("size"), "Declares a register and gives its first bit.")
      .def(
          "add_parameter",
          [](const Parts& self, std::string_view name) {
            const Affine declared = self.circuit->parameter(name);
            return self.circuit->expressions().leaf(ExprOp::parameter, declared.parameter,
                                                    self.circuit->parameters()[declared.parameter].type);
          },
          nb::arg("name"), "Declares a parameter unless there is one of that name, and gives it as an expression.")
      .def(
          "add_variable",
          [](const Parts& self, std::string name, std::string_view kind, int width) {
            return self.circuit->add_variable({std::move(name), scalar_type(kind, width), false});
          },
          nb::arg("name"), nb::arg("kind"), nb::arg("width"), "Declares a classical variable and gives its number.");
}

void bind_writing(nb::class_<Parts>& c) {
  c.def("constant", constant, nb::arg("value"), nb::arg("kind") = "real", nb::arg("width") = 64)
      .def("bits", bits, nb::arg("first"), nb::arg("count"), "Bits read as an unsigned number; one alone as a boolean.")
      .def("variable", variable, nb::arg("index"))
      .def("cast", cast, nb::arg("operand"), nb::arg("kind"), nb::arg("width"))
      .def("apply", apply, nb::arg("name"), nb::arg("operands"), "An operation of expressions.def on expressions.")
      .def("gate", gate, nb::arg("name"), nb::arg("wires"), nb::arg("angles"), nb::arg("controls") = 0,
           "A gate whose angles are expressions.")
      .def("assign_bits", assign_bits, nb::arg("first"), nb::arg("count"), nb::arg("value"))
      .def("assign_variable", assign_variable, nb::arg("index"), nb::arg("value"))
      .def(
          "open_block", [](const Parts& self) { return self.circuit->open_block(); },
          "What is appended goes into a new block until close_block().")
      .def("close_block", [](const Parts& self) { self.circuit->close_block(); })
      .def("if_else", if_else, nb::arg("condition"), nb::arg("then_block"), nb::arg("else_block").none())
      .def("while_loop", while_loop, nb::arg("condition"), nb::arg("body"))
      .def("jump", jump, nb::arg("name"), "break_loop, continue_loop or end.")
      .def(
          "barrier",
          [](const Parts& self, const std::vector<Wire>& wires) {
            self.circuit->append(Op::barrier, wires, std::span<const Param>());
          },
          nb::arg("wires"))
      .def(
          "delay",
          [](const Parts& self, double seconds, const std::vector<Wire>& wires) {
            const Param param{seconds, kNoExpr};
            self.circuit->append(Op::delay, wires, std::span(&param, 1));
          },
          nb::arg("seconds"), nb::arg("wires"));
}

}  // namespace

void bind_circuit_parts(nb::module_& m) {
  nb::class_<Parts> parts(m, "CircuitParts", "The pieces of a circuit, which it refers to and keeps alive.");
  parts.def(
      "__init__", [](Parts* self, Circuit& circuit) { new (self) Parts{&circuit}; }, nb::arg("circuit"),
      nb::keep_alive<1, 2>());
  bind_reading(parts);
  bind_declaring(parts);
  bind_writing(parts);
}

}  // namespace skerry::python
