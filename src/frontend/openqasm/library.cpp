#include "frontend/openqasm/library.hpp"

#include <algorithm>
#include <array>

namespace skerry::frontend::openqasm {
namespace {

// OpenQASM 2: U as its paper has it (arXiv:1707.03429), which is the IR's u.
constexpr std::array kLanguage2 = {LibraryGate{"U", {Op::u}}, LibraryGate{"CX", {Op::x, 1}},
                                   LibraryGate{"gphase", {Op::gphase}}};

// OpenQASM 3: U has the phase exp(i theta/2), so that its first entry is (1 + exp(i theta))/2; it is seen under ctrl @.
constexpr std::array kLanguage3 = {LibraryGate{"gphase", {Op::gphase}}, LibraryGate{"_u", {Op::u}}};
constexpr std::string_view kLanguage3Text = "gate U(a, b, c) q { gphase(a / 2); _u(a, b, c) q; }";

// qelib1.inc as Qiskit extends and simulates it: rz is the rotation, u3 the U of the language.
constexpr std::array kQelib1 = {
    LibraryGate{"u3", {Op::u}},
    LibraryGate{"u", {Op::u}},
    LibraryGate{"u1", {Op::p}},
    LibraryGate{"p", {Op::p}},
    LibraryGate{"cx", {Op::x, 1}},
    LibraryGate{"id", {Op::id}},
    LibraryGate{"x", {Op::x}},
    LibraryGate{"y", {Op::y}},
    LibraryGate{"z", {Op::z}},
    LibraryGate{"h", {Op::h}},
    LibraryGate{"s", {Op::s}},
    LibraryGate{"sdg", {Op::sdg}},
    LibraryGate{"t", {Op::t}},
    LibraryGate{"tdg", {Op::tdg}},
    LibraryGate{"rx", {Op::rx}},
    LibraryGate{"ry", {Op::ry}},
    LibraryGate{"rz", {Op::rz}},
    LibraryGate{"sx", {Op::sx}},
    LibraryGate{"sxdg", {Op::sxdg}},
    LibraryGate{"cz", {Op::z, 1}},
    LibraryGate{"cy", {Op::y, 1}},
    LibraryGate{"swap", {Op::swap}},
    LibraryGate{"ch", {Op::h, 1}},
    LibraryGate{"ccx", {Op::x, 2}},
    LibraryGate{"cswap", {Op::swap, 1}},
    LibraryGate{"crx", {Op::rx, 1}},
    LibraryGate{"cry", {Op::ry, 1}},
    LibraryGate{"crz", {Op::rz, 1}},
    LibraryGate{"cu1", {Op::p, 1}},
    LibraryGate{"cp", {Op::p, 1}},
    LibraryGate{"cu3", {Op::u, 1}},
    LibraryGate{"csx", {Op::sx, 1}},
    LibraryGate{"cs", {Op::s, 1}},
    LibraryGate{"csdg", {Op::sdg, 1}},
    LibraryGate{"ccz", {Op::z, 2}},
    LibraryGate{"rxx", {Op::rxx}},
    LibraryGate{"ryy", {Op::ryy}},
    LibraryGate{"rzz", {Op::rzz}},
    LibraryGate{"rzx", {Op::rzx}},
    LibraryGate{"c3x", {Op::x, 3}},
    LibraryGate{"c3sqrtx", {Op::sx, 3}},
    LibraryGate{"c4x", {Op::x, 4}},
    LibraryGate{"r", {Op::r}},
    LibraryGate{"iswap", {Op::iswap}},
    LibraryGate{"dcx", {Op::dcx}},
    LibraryGate{"ecr", {Op::ecr}},
    LibraryGate{"xx_plus_yy", {Op::xx_plus_yy}},
    LibraryGate{"xx_minus_yy", {Op::xx_minus_yy}},
};
constexpr std::string_view kQelib1Text = R"(gate u0(g) q { id q; }
gate u2(a, b) q { u3(pi/2, a, b) q; }
gate cu(a, b, c, g) q, r { p(g) q; cu3(a, b, c) q, r; }
gate rccx a, b, c { h c; t c; cx b, c; tdg c; cx a, c; t c; cx b, c; tdg c; h c; }
gate rc3x a, b, c, d {
  h d; t d; cx c, d; tdg d; h d; cx a, d; t d; cx b, d; tdg d; cx a, d; t d; cx b, d; tdg d;
  h d; t d; cx c, d; tdg d; h d;
}
gate rcccx a, b, c, d { rc3x a, b, c, d; }
)";

// stdgates.inc of the OpenQASM 3.0 specification.
constexpr std::array kStdgates = {
    LibraryGate{"p", {Op::p}},       LibraryGate{"phase", {Op::p}},       LibraryGate{"x", {Op::x}},
    LibraryGate{"y", {Op::y}},       LibraryGate{"z", {Op::z}},           LibraryGate{"h", {Op::h}},
    LibraryGate{"s", {Op::s}},       LibraryGate{"sdg", {Op::sdg}},       LibraryGate{"t", {Op::t}},
    LibraryGate{"tdg", {Op::tdg}},   LibraryGate{"sx", {Op::sx}},         LibraryGate{"rx", {Op::rx}},
    LibraryGate{"ry", {Op::ry}},     LibraryGate{"rz", {Op::rz}},         LibraryGate{"id", {Op::id}},
    LibraryGate{"u1", {Op::p}},      LibraryGate{"cx", {Op::x, 1}},       LibraryGate{"CX", {Op::x, 1}},
    LibraryGate{"cy", {Op::y, 1}},   LibraryGate{"cz", {Op::z, 1}},       LibraryGate{"ch", {Op::h, 1}},
    LibraryGate{"cp", {Op::p, 1}},   LibraryGate{"cphase", {Op::p, 1}},   LibraryGate{"crx", {Op::rx, 1}},
    LibraryGate{"cry", {Op::ry, 1}}, LibraryGate{"crz", {Op::rz, 1}},     LibraryGate{"swap", {Op::swap}},
    LibraryGate{"ccx", {Op::x, 2}},  LibraryGate{"cswap", {Op::swap, 1}},
};
// u2, u3 and cu as the specification's text comes out: the phase of U is put into their own.
constexpr std::string_view kStdgatesText = R"(gate u2(a, b) q { gphase(-(a + b) / 2); _u(pi/2, a, b) q; }
gate u3(a, b, c) q { gphase(-(b + c) / 2); _u(a, b, c) q; }
gate cu(a, b, c, g) q, r { p(g) q; ctrl @ _u(a, b, c) q, r; }
)";

constexpr std::array kLibraries = {Library{"qelib1.inc", kQelib1, kQelib1Text},
                                   Library{"stdgates.inc", kStdgates, kStdgatesText}};
constexpr Library kVersion2 = {"OpenQASM 2", kLanguage2, {}};
constexpr Library kVersion3 = {"OpenQASM 3", kLanguage3, kLanguage3Text};

}  // namespace

const Library* find_library(std::string_view name) {
  const auto* found =
      std::find_if(kLibraries.begin(), kLibraries.end(), [name](const Library& l) { return l.name == name; });
  return found == kLibraries.end() ? nullptr : found;
}

const Library& language(int version) {
  return version == 2 ? kVersion2 : kVersion3;
}

}  // namespace skerry::frontend::openqasm
