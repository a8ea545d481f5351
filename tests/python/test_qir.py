"""QIR programs: what they do when they are run, against dense matrices and closed forms."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import skerry
from dense import FIXED, ROTATIONS, embed
from skerry import qir

GATES = {"h": "h", "x": "x", "y": "y", "z": "z", "s": "s", "t": "t", "cnot": "x", "cz": "z", "swap": "swap"} | {
    name: name for name in ("rx", "ry", "rz", "rxx", "rzz")
}


def pointer(index: int, typed: str = "") -> str:
    kind = f"%{typed}*" if typed else "ptr"
    return f"{kind} null" if index == 0 else f"{kind} inttoptr (i64 {index} to {kind})"


def entry(body: str, qubits: int = 3, results: int = 3) -> str:
    return (
        f"define i64 @main() #0 {{\nentry:\n{body}}}\n"
        f'attributes #0 = {{ "entry_point" "required_num_qubits"="{qubits}" "required_num_results"="{results}" }}\n'
    )


def call(name: str, *arguments: str, gives: str = "void") -> str:
    return f"call {gives} @__quantum__{name}({', '.join(arguments)})\n"


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("typed", ["", "Qubit"], ids=["opaque", "typed"])
def test_a_random_program_leaves_the_state_of_dense_matrices(seed: int, typed: str) -> None:
    random = np.random.default_rng(seed)
    state = np.eye(8, dtype=complex)[0]
    body = ""
    for name in random.choice(sorted(GATES), 30):
        gate = GATES[name]
        matrix = FIXED.get(gate)
        angles: list[str] = []
        if matrix is None:
            angle = float(random.uniform(-4, 4))
            matrix = np.cos(angle / 2) * np.eye(len(ROTATIONS[gate])) - 1j * np.sin(angle / 2) * ROTATIONS[gate]
            angles = [f"double 0x{np.float64(angle).view(np.uint64):016X}"]
        controls = 1 if name in ("cnot", "cz") else 0
        qubits = [int(q) for q in random.permutation(3)[: controls + (len(matrix) // 2)]]
        state = embed(matrix, qubits[controls:], 3, qubits[:controls]) @ state
        body += call(f"qis__{name}__body", *angles, *(pointer(q, typed) for q in qubits))
    found = np.asarray(skerry.run(qir.loads(entry(body + "ret i64 0\n")), state=True).state)
    assert abs(abs(np.vdot(state, found)) - 1) < 1e-12


def test_teleportation_carries_the_state_over_whatever_is_measured(root: Path) -> None:
    run = skerry.run(root / "tests/fuzz/corpus/qir/adaptive.ll", shots=40_000, seed=5)
    ones = sum(times for bits, times in run.counts.items() if bits[0] == "1")
    assert abs(ones / 40_000 - np.sin(0.55) ** 2) < 5 * 0.5 / np.sqrt(40_000)
    assert len({bits[1:] for bits in run.counts}) == 4


def test_a_loop_runs_until_a_measurement_ends_it() -> None:
    # Each round doubles the angle's chance to stop; qubit 1 is turned once for every round.
    head = "br label %head\nhead:\n%n = phi i64 [ 0, %entry ], [ %m, %head ]\n"
    rounds = call("qis__h__body", pointer(0)) + call("qis__x__body", pointer(1))
    rounds += call("qis__mresetz__body", pointer(0), pointer(0))
    rounds += "%go = " + call("rt__read_result", pointer(0), gives="i1")
    rounds += "%m = add i64 %n, 1\nbr i1 %go, label %head, label %out\nout:\n"
    rounds += "%odd = and i64 %m, 1\n%is = icmp eq i64 %odd, 1\nbr i1 %is, label %turn, label %end\nturn:\n"
    rounds += call("qis__x__body", pointer(1)) + "br label %end\nend:\n"
    circuit = qir.loads(entry(head + rounds + call("qis__mz__body", pointer(1), pointer(1)) + "ret i64 0\n"))
    # Every round turned it, and the correction at the end undoes an odd number of turns.
    assert skerry.run(circuit, shots=2000, seed=1).counts == {"000": 2000}


def test_recorded_numbers_are_outputs_under_their_labels() -> None:
    body = call("qis__x__body", pointer(0)) + call("qis__mz__body", pointer(0), pointer(0))
    body += "%one = " + call("rt__read_result", pointer(0), gives="i1")
    body += "%n = select i1 %one, i64 41, i64 7\n%m = add i64 %n, 1\n%f = sitofp i64 %m to double\n"
    body += "%half = fmul double %f, 5.0e-01\n"
    body += call("rt__int_record_output", "i64 %m", "ptr @answer") + call(
        "rt__double_record_output", "double %half", "ptr null"
    )
    run = skerry.run(qir.loads('@answer = constant [7 x i8] c"answer\\00"\n' + entry(body + "ret i64 0\n")), shots=3)
    assert run.variables == {"answer": 42.0, "output": 21.0}


def test_a_module_object_is_taken_by_its_text_and_other_text_is_not() -> None:
    class Module:
        def __str__(self) -> str:
            return entry(call("qis__h__body", pointer(0)) + "ret i64 0\n")

    assert qir.loads(Module()).gate_counts == {"h": 1}
    with pytest.raises(skerry.InvalidArgument):
        qir.loads("OPENQASM 3.0;")


def test_an_ancilla_that_is_allocated_again_and_again_begins_at_zero() -> None:
    # Each round turns the data qubit, copies it onto an ancilla, and releases that dirty: the data loses coherence, so
    # that the chance of 1 after n turns is (1 - cos(t)^n) / 2.
    rounds, turn, shots = 6, 0.5, 40_000
    angle = f"double 0x{np.float64(turn).view(np.uint64):016X}"
    body = ""
    for number in range(rounds):
        body += call("qis__ry__body", angle, "ptr null")
        body += f"%a{number} = " + call("rt__qubit_allocate", gives="ptr")
        body += call("qis__cnot__body", "ptr null", f"ptr %a{number}")
        body += call("rt__qubit_release", f"ptr %a{number}")
    body += call("qis__mz__body", "ptr null", "ptr null")
    circuit = qir.loads(entry(body + "ret i64 0\n", qubits=1, results=1))
    assert circuit.num_qubits == 2
    ones = skerry.run(circuit, shots=shots, seed=2).counts["1"] / shots
    assert ones == pytest.approx((1 - np.cos(turn) ** rounds) / 2, abs=5 * 0.5 / np.sqrt(shots))


def expect_rounds_until_one(program: skerry.Circuit) -> None:
    """A fair coin thrown until it shows 1: the number of throws is geometric, mean and variance 2."""
    rounds = []
    for seed in range(200):
        run = skerry.run(program, shots=1, seed=seed)
        assert run.counts == {"1": 1}
        rounds.append(run.variables["output"])
    assert np.mean(rounds) == pytest.approx(2, abs=5 * np.sqrt(2 / 200)) and min(rounds) == 1


def test_an_allocated_result_is_written_again_and_again_in_a_loop() -> None:
    # Until it is 1: the last outcome is, and the number of rounds is recorded.
    result = "%r = " + call("rt__result_allocate", "ptr null", gives="ptr")
    body = result + "br label %again\nagain:\n%n = phi i64 [ 0, %entry ], [ %next, %again ]\n"
    body += call("qis__h__body", "ptr null") + call("qis__mz__body", "ptr null", "ptr %r")
    body += "%one = " + call("rt__read_result", "ptr %r", gives="i1")
    body += "%next = add i64 %n, 1\nbr i1 %one, label %end, label %again\nend:\n"
    body += call("rt__int_record_output", "i64 %next", "ptr null") + call("rt__result_release", "ptr %r")
    program = qir.loads(entry(body + "ret i64 0\n", qubits=1, results=0))
    expect_rounds_until_one(program)


def test_a_ghz_state_in_allocated_arrays() -> None:
    count = 5
    body = "%qubits = alloca [5 x ptr]\n%results = alloca [5 x ptr]\n"
    for kind in ("qubit", "result"):
        body += call(f"rt__{kind}_array_allocate", f"i64 {count}", f"ptr %{kind}s", "ptr null")
    for number in range(count):
        for name, array in (("q", "qubits"), ("r", "results")):
            place = f"%{name}{number}.at"
            body += f"{place} = getelementptr inbounds [5 x ptr], ptr %{array}, i64 0, i64 {number}\n"
            body += f"%{name}{number} = load ptr, ptr {place}, align 8\n"
    body += call("qis__h__body", "ptr %q0")
    for number in range(1, count):
        body += call("qis__cnot__body", f"ptr %q{number - 1}", f"ptr %q{number}")
    for number in range(count):
        body += call("qis__mz__body", f"ptr %q{number}", f"ptr %r{number}")
    body += call("rt__result_array_record_output", f"i64 {count}", "ptr %results", "ptr null")
    body += call("rt__qubit_array_release", f"i64 {count}", "ptr %qubits")
    program = qir.loads(entry(body + "ret i64 0\n", qubits=0, results=0))
    counts = skerry.run(program, shots=4000, seed=3).counts
    assert set(counts) == {"00000", "11111"}
    assert abs(counts["00000"] - 2000) <= 5 * np.sqrt(1000)


def test_numbers_in_memory_are_what_the_measurements_made_them(root: Path) -> None:
    # Until it is 1, counted in memory as compilers write it that do not optimise. What no measurement decides is known.
    program = qir.loads((root / "tests/fuzz/corpus/qir/memory.ll").read_text())
    assert program.gate_counts["x"] == 1
    expect_rounds_until_one(program)


def test_a_value_that_was_read_stays_when_memory_is_written_again() -> None:
    body = "%m = alloca i64\nstore i64 5, ptr %m\n"
    body += call("qis__x__body", "ptr null") + call("qis__mz__body", "ptr null", "ptr null")
    body += "%one = " + call("rt__read_result", "ptr null", gives="i1")
    body += "br i1 %one, label %t, label %e\nt:\n%old = load i64, ptr %m\n%new = mul i64 %old, 3\n"
    body += "store i64 %new, ptr %m\n" + call("rt__int_record_output", "i64 %old", "ptr @a")
    body += "br label %e\ne:\n%last = load i64, ptr %m\nstore i64 1, ptr %m\n"
    body += call("rt__int_record_output", "i64 %last", "ptr @b") + "ret i64 0\n"
    names = '@a = constant [2 x i8] c"a\\00"\n@b = constant [2 x i8] c"b\\00"\n'
    run = skerry.run(qir.loads(names + entry(body, qubits=1, results=1)), shots=1)
    assert run.variables == {"a": 5, "b": 15}


def test_bytes_are_text_or_bitcode(monkeypatch: pytest.MonkeyPatch) -> None:
    text = entry(call("qis__x__body", "ptr null") + "ret i64 0\n", qubits=1, results=0)
    assert qir.loads(text.encode()).gate_counts == {"x": 1}
    monkeypatch.setitem(sys.modules, "pyqir", None)  # as if it were not installed
    with pytest.raises(skerry.Unsupported, match=r"install pyqir.*llvm-dis"):
        qir.loads(b"BC\xc0\xde...")


def test_bitcode_is_read_where_pyqir_is() -> None:
    pyqir = pytest.importorskip("pyqir")
    module = pyqir.SimpleModule("bell", num_qubits=2, num_results=2)
    gates = pyqir.BasicQisBuilder(module.builder)
    gates.h(module.qubits[0])
    gates.cx(module.qubits[0], module.qubits[1])
    for qubit, result in zip(module.qubits, module.results, strict=True):
        gates.mz(qubit, result)
    bitcode = module.bitcode()
    assert qir.loads(bitcode).text == qir.loads(module.ir()).text
    assert set(skerry.run(qir.loads(bitcode), shots=200, seed=1).counts) == {"00", "11"}
    with pytest.raises(skerry.InvalidArgument, match="cannot be read"):
        qir.loads(bitcode[:40])
