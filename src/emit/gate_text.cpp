#include "emit/gate_text.hpp"

#include <algorithm>
#include <array>

namespace skerry::emit {
namespace {

struct Row {
  Op op;
  std::uint16_t controls;
  std::string_view name, definition;
};

// qelib1.inc as Qiskit writes and reads it; what it lacks comes with its definition.
constexpr std::array kVersion2 = {
    Row{Op::id, 0, "id", ""},
    Row{Op::x, 0, "x", ""},
    Row{Op::x, 1, "cx", ""},
    Row{Op::x, 2, "ccx", ""},
    Row{Op::x, 3, "c3x", ""},
    Row{Op::x, 4, "c4x", ""},
    Row{Op::y, 0, "y", ""},
    Row{Op::y, 1, "cy", ""},
    Row{Op::z, 0, "z", ""},
    Row{Op::z, 1, "cz", ""},
    Row{Op::z, 2, "ccz", "gate ccz a, b, c { h c; ccx a, b, c; h c; }"},
    Row{Op::h, 0, "h", ""},
    Row{Op::h, 1, "ch", ""},
    Row{Op::s, 0, "s", ""},
    Row{Op::s, 1, "cs", "gate cs a, b { cu1(pi/2) a, b; }"},
    Row{Op::sdg, 0, "sdg", ""},
    Row{Op::sdg, 1, "csdg", "gate csdg a, b { cu1(-pi/2) a, b; }"},
    Row{Op::t, 0, "t", ""},
    Row{Op::tdg, 0, "tdg", ""},
    Row{Op::sx, 0, "sx", ""},
    Row{Op::sx, 1, "csx", ""},
    Row{Op::sx, 3, "c3sqrtx", ""},
    Row{Op::sxdg, 0, "sxdg", ""},
    Row{Op::p, 0, "u1", ""},
    Row{Op::p, 1, "cu1", ""},
    Row{Op::rx, 0, "rx", ""},
    Row{Op::rx, 1, "crx", ""},
    Row{Op::ry, 0, "ry", ""},
    Row{Op::ry, 1, "cry", ""},
    Row{Op::rz, 0, "rz", ""},
    Row{Op::rz, 1, "crz", ""},
    Row{Op::r, 0, "r", "gate r(t, p) a { u3(t, p - pi/2, pi/2 - p) a; }"},
    Row{Op::u, 0, "u3", ""},
    Row{Op::u, 1, "cu3", ""},
    Row{Op::swap, 0, "swap", ""},
    Row{Op::swap, 1, "cswap", ""},
    Row{Op::iswap, 0, "iswap", "gate iswap a, b { s a; s b; h a; cx a, b; cx b, a; h b; }"},
    Row{Op::dcx, 0, "dcx", "gate dcx a, b { cx a, b; cx b, a; }"},
    Row{Op::ecr, 0, "ecr",
        "gate ecr a, b { h b; cx a, b; u1(pi/4) b; cx a, b; h b; x a; h b; cx a, b; u1(-pi/4) b; cx a, b; h b; }"},
    Row{Op::rxx, 0, "rxx", ""},
    Row{Op::ryy, 0, "ryy",
        "gate ryy(t) a, b { rx(pi/2) a; rx(pi/2) b; cx a, b; rz(t) b; cx a, b; rx(-pi/2) a; rx(-pi/2) b; }"},
    Row{Op::rzz, 0, "rzz", ""},
    Row{Op::rzx, 0, "rzx", "gate rzx(t) a, b { h b; cx a, b; rz(t) b; cx a, b; h b; }"},
    Row{Op::xx_plus_yy, 0, "xx_plus_yy",
        "gate xx_plus_yy(t, b) p, q { rz(b) p; sdg q; sx q; s q; s p; cx q, p; ry(-t/2) q; ry(-t/2) p; cx q, p; "
        "sdg p; sdg q; sxdg q; s q; rz(-b) p; }"},
    Row{Op::xx_minus_yy, 0, "xx_minus_yy",
        "gate xx_minus_yy(t, b) p, q { rz(-b) q; sdg p; sx p; s p; s q; cx p, q; ry(t/2) p; ry(-t/2) q; cx p, q; "
        "sdg q; sdg p; sxdg p; s p; rz(b) q; }"},
};

// stdgates.inc of OpenQASM 3.0. `u` is Op::u, whose first entry is real; the language's U is exp(i t/2) times that.
constexpr std::array kVersion3 = {
    Row{Op::gphase, 0, "gphase", ""},
    Row{Op::id, 0, "id", ""},
    Row{Op::x, 0, "x", ""},
    Row{Op::x, 1, "cx", ""},
    Row{Op::x, 2, "ccx", ""},
    Row{Op::y, 0, "y", ""},
    Row{Op::y, 1, "cy", ""},
    Row{Op::z, 0, "z", ""},
    Row{Op::z, 1, "cz", ""},
    Row{Op::h, 0, "h", ""},
    Row{Op::h, 1, "ch", ""},
    Row{Op::s, 0, "s", ""},
    Row{Op::sdg, 0, "sdg", ""},
    Row{Op::t, 0, "t", ""},
    Row{Op::tdg, 0, "tdg", ""},
    Row{Op::sx, 0, "sx", ""},
    Row{Op::sxdg, 0, "sxdg", "gate sxdg a { inv @ sx a; }"},
    Row{Op::p, 0, "p", ""},
    Row{Op::p, 1, "cp", ""},
    Row{Op::rx, 0, "rx", ""},
    Row{Op::rx, 1, "crx", ""},
    Row{Op::ry, 0, "ry", ""},
    Row{Op::ry, 1, "cry", ""},
    Row{Op::rz, 0, "rz", ""},
    Row{Op::rz, 1, "crz", ""},
    Row{Op::r, 0, "r", "gate r(t, p) a { rz(-p) a; rx(t) a; rz(p) a; }"},
    Row{Op::u, 0, "u", "gate u(t, p, l) a { gphase(-t / 2); U(t, p, l) a; }"},
    Row{Op::swap, 0, "swap", ""},
    Row{Op::swap, 1, "cswap", ""},
    Row{Op::iswap, 0, "iswap", "gate iswap a, b { s a; s b; h a; cx a, b; cx b, a; h b; }"},
    Row{Op::dcx, 0, "dcx", "gate dcx a, b { cx a, b; cx b, a; }"},
    Row{Op::ecr, 0, "ecr",
        "gate ecr a, b { h b; cx a, b; rz(pi/4) b; cx a, b; h b; x a; h b; cx a, b; rz(-pi/4) b; cx a, b; h b; }"},
    Row{Op::rxx, 0, "rxx", "gate rxx(t) a, b { h a; h b; cx a, b; rz(t) b; cx a, b; h a; h b; }"},
    Row{Op::ryy, 0, "ryy",
        "gate ryy(t) a, b { rx(pi/2) a; rx(pi/2) b; cx a, b; rz(t) b; cx a, b; rx(-pi/2) a; rx(-pi/2) b; }"},
    Row{Op::rzz, 0, "rzz", "gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }"},
    Row{Op::rzx, 0, "rzx", "gate rzx(t) a, b { h b; cx a, b; rz(t) b; cx a, b; h b; }"},
    Row{Op::xx_plus_yy, 0, "xx_plus_yy",
        "gate xx_plus_yy(t, b) p, q { rz(b) p; sdg q; sx q; s q; s p; cx q, p; ry(-t/2) q; ry(-t/2) p; cx q, p; "
        "sdg p; sdg q; inv @ sx q; s q; rz(-b) p; }"},
    Row{Op::xx_minus_yy, 0, "xx_minus_yy",
        "gate xx_minus_yy(t, b) p, q { rz(-b) q; sdg p; sx p; s p; s q; cx p, q; ry(t/2) p; ry(-t/2) q; cx p, q; "
        "sdg q; sdg p; inv @ sx p; s p; rz(b) q; }"},
};

}  // namespace

GateText gate_text2(Op op, std::uint16_t controls) {
  const auto* row = std::ranges::find_if(kVersion2, [&](const Row& r) { return r.op == op && r.controls == controls; });
  if (row == kVersion2.end()) return {};
  return {row->name, row->controls, row->definition};
}

GateText gate_text3(Op op, std::uint16_t controls) {
  const Row* best = nullptr;
  for (const Row& row : kVersion3) {
    if (row.op == op && row.controls <= controls && (best == nullptr || row.controls > best->controls)) best = &row;
  }
  return {best->name, best->controls, best->definition};
}

}  // namespace skerry::emit
