"""An entangled state and a search, from OpenQASM."""

from __future__ import annotations

import skerry
from stage import Stage

SHOTS, SEED = 4096, 7
CIRCUITS = (
    ("ghz", "GHZ: five qubits that agree"),
    ("grover", "Grover: the marked item 101 among eight, found with probability 0.945"),
)


def play(stage: Stage) -> None:
    stage.title("3. Quantum circuits from OpenQASM")
    for name, words in CIRCUITS:
        circuit = skerry.load(stage.root / f"examples/data/{name}.qasm")
        assert isinstance(circuit, skerry.Circuit)
        compiled = skerry.compile(circuit).program
        stage.say(f"{words}; {len(circuit)} instructions, {len(compiled)} compiled")
        result = skerry.run(compiled, shots=SHOTS, seed=SEED)
        stage.histogram(result.counts)
        stage.price(result)
        stage.again_circuit(stage.packaged(compiled, name), SHOTS, SEED, result.counts)
        stage.say()
