"""OpenQASM against others: acceptance against the reference grammar, amplitudes against Qiskit."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openqasm3
import pytest
import skerry
from openqasm3.parser import QASM3ParsingError
from qiskit import QuantumCircuit, qasm2, qasm3
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Statevector

ROOT = Path(__file__).resolve().parent.parent.parent
TOKENS = re.compile(r"\n|\"[^\"]*\"|[A-Za-z_]\w*|\d+\.?\d*(?:[eE][+-]?\d+)?|[-+*/=<>!&|^~]{1,2}|[^\s]")
# Where we knowingly differ: an empty statement and a sign + do no harm; an expression as a statement does nothing and
# is most likely a mistake, as is a gate with a duration.
LENIENT = re.compile(r"[;{}] *;|[-+*/(,=<>] *\+")
STRICT = re.compile(r"'=' or an operand is missing after a name|a statement cannot start with")

PROGRAMS = {
    "declarations": 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[3] c; int[8] i = 3; float f = 2.5; '
    "const uint n = 2; angle[16] a = pi / 4; bool b = true; array[int[8], 2] xs = {1, 2};",
    "gates": 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; gate two(t) a, b { rx(t) a; cx a, b; } '
    "two(0.3) q[0], q[1]; ctrl @ x q[0], q[1]; inv @ s q; pow(2) @ t q[0]; negctrl(2) @ z q[0], q[1], q[2];",
    "control": 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; for int i in [0:1] { h q[i]; } '
    "c = measure q; if (c[0] == 1) { x q[1]; } else { y q[1]; } while (false) { reset q[0]; break; } "
    "switch (int(c)) { case 0 { x q[0]; } case 1, 2 { y q[0]; } default { z q[0]; } }",
    "subroutines": 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; def turn(qubit a, float[64] t) -> bit '
    "{ rx(t) a; return measure a; } bit r = turn(q[0], 0.25); let pair = q[0:1]; h pair[1];",
    "inputs": 'OPENQASM 3.0; include "stdgates.inc"; input float[64] theta; output bit c; qubit q; '
    "rx(2 * theta + sin(pi / 3) ** 2) q; c = measure q; barrier q; reset q;",
    "expressions": "OPENQASM 3.0; int[32] a = (1 + 2) * 3 - -4; bool b = !(a > 3) || a != 2 && a <= 7; "
    "uint[8] c = 0xff & ~0b1010 | 1 << 3; float[64] d = 1e-3 + .5 + 2.; a += 2; int[32] e = a % 3;",
}

# Whitespace counts in these, so they are not mutated.
SPACED = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\npragma keep this\n@note well\nh q;\ndelay[100ns] q;\n'


def refusal(text: str) -> skerry.Error | None:
    try:
        skerry.loads(text)
    except skerry.Error as error:
        assert not isinstance(error, skerry.InternalError), error
        return error
    return None


def is_grammatical(text: str) -> bool:
    try:
        openqasm3.parse(text)
    except QASM3ParsingError:
        return False
    return True


def mutants(text: str, count: int, seed: int) -> Iterator[str]:
    """The text with one token left out, doubled, swapped with the next or replaced by another."""
    source = random.Random(seed)
    tokens = list(TOKENS.findall(text))
    first = next(i for i, token in enumerate(tokens) if token == ";") + 1  # the version line stays
    for _ in range(count):
        mutant = tokens.copy()
        i, j = source.randrange(first, len(tokens)), source.randrange(first, len(tokens))
        kind = source.randrange(4)
        if kind == 0:
            del mutant[i]
        elif kind == 1:
            mutant.insert(i, mutant[i])
        elif kind == 2 and i + 1 < len(mutant):
            mutant[i], mutant[i + 1] = mutant[i + 1], mutant[i]
        else:
            mutant[i] = tokens[j]
        yield " ".join(mutant)


@pytest.mark.parametrize("text", [*PROGRAMS.values(), SPACED], ids=[*PROGRAMS, "spaced"])
def test_a_program_of_the_language_is_accepted_by_both(text: str) -> None:
    assert is_grammatical(text)
    assert refusal(text) is None


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_mutant_is_accepted_that_the_grammar_refuses_nor_called_wrong_syntax_where_it_is_right(name: str) -> None:
    wrong = []
    for mutant in mutants(PROGRAMS[name], count=150, seed=1):
        ours, grammatical = refusal(mutant), is_grammatical(mutant)
        if ours is None and not grammatical and not LENIENT.search(mutant):
            wrong.append(f"accepted: {mutant}")
        if isinstance(ours, skerry.SyntaxError) and grammatical and not STRICT.search(str(ours)):
            wrong.append(f"{ours}: {mutant}")
    assert wrong == []


def amplitudes_agree(ours: str, theirs: QuantumCircuit) -> None:
    state = skerry.run(skerry.Circuit.from_qasm(ours), state=True).state
    assert state is not None
    overlap = abs(np.vdot(np.asarray(state), Statevector(theirs).data))
    assert overlap == pytest.approx(1.0, abs=1e-10), ours


@pytest.mark.parametrize("seed", range(25))
def test_random_circuits_written_by_qiskit_have_qiskits_amplitudes(seed: int) -> None:
    circuit = random_circuit(num_qubits=2 + seed % 5, depth=6, max_operands=3, seed=seed)
    amplitudes_agree(qasm2.dumps(circuit), circuit)
    amplitudes_agree(qasm3.dumps(circuit), circuit)


def test_every_program_of_the_fuzz_corpora_is_judged_alike() -> None:
    folders = sorted((ROOT / "tests/fuzz/corpus").glob("*qasm*"))
    files = [path for folder in folders for path in sorted(folder.iterdir())]
    wrong = []
    for path in files:
        data = path.read_bytes()
        if len(data) > 4000 or not data.isascii() or b"OPENQASM 3" not in data or b"defcal" in data:
            continue
        text = data.decode()
        if refusal(text) is None and not is_grammatical(text) and not LENIENT.search(text):
            wrong.append(path.name)
    assert wrong == []
