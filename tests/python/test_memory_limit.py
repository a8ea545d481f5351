"""A limit of 64 MB: whatever is asked, resident memory rises by no more than 96 MB, or the run is refused."""

import json
import subprocess
import sys
import textwrap

PROGRAM = textwrap.dedent(
    """
    import json, random, sys, threading
    import numpy, skerry
    from skerry import Circuit, Observable

    def resident():
        return int(open("/proc/self/statm").read().split()[1]) * 4096

    def layers(qubits, depth):
        draw, circuit = random.Random(1), Circuit(qubits)
        for layer in range(depth):
            for qubit in range(qubits):
                circuit.u(draw.uniform(-3, 3), draw.uniform(-3, 3), draw.uniform(-3, 3), qubit)
            for qubit in range(layer % 2, qubits - 1, 2):
                circuit.cz(qubit, qubit + 1)
        return circuit

    def clifford(qubits):
        circuit = Circuit(qubits).h(0)
        for qubit in range(qubits - 1):
            circuit.cx(qubit, qubit + 1)
        return circuit

    def midway(qubits):
        circuit = Circuit(qubits, qubits)
        for qubit in range(qubits):
            circuit.ry(0.3 + qubit, qubit)
        for qubit in range(0, qubits, 3):
            circuit.measure(qubit, qubit).h(qubit)
        return circuit.measure_all()

    def z(qubits):
        return [Observable.parse(f"Z0 Z{qubits - 1} + X1", qubits)]

    runs = {
        "state": lambda o: skerry.run(layers(21, 8), state=True, precision="single", **o),
        "too large a state": lambda o: skerry.run(layers(23, 2), state=True, **o),
        "shots": lambda o: skerry.run(layers(20, 6), shots=300_000, **o),
        "probabilities": lambda o: skerry.run(layers(20, 4), probabilities=True, **o),
        "observables": lambda o: skerry.run(layers(21, 4), observables=z(21), **o),
        "a wide light cone": lambda o: skerry.run(layers(60, 2), observables=z(60), **o),
        "measured midway": lambda o: skerry.run(midway(18), shots=200, **o),
        "a table of Paulis": lambda o: skerry.run(clifford(3000), shots=2000, method="stabilizer", **o),
        "a chain": lambda o: skerry.run(layers(40, 12), observables=z(40), method="mps", max_bond_dimension=64, **o),
        "a network": lambda o: skerry.run(layers(60, 6), amplitudes=["0" * 60], method="tensor_network", **o),
        "no method": lambda o: skerry.run(layers(40, 30), shots=10, **o),
    }
    out = {}
    for name, run in runs.items():
        most, done, before = [0], threading.Event(), resident()

        def watch():
            while not done.wait(0.0005):
                most[0] = max(most[0], resident() - before)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            answer = run({"max_memory_mb": 64}).method
        except (skerry.BudgetExceeded, skerry.Unsupported) as error:
            answer = type(error).__name__
        done.set()
        watcher.join()
        out[name] = [most[0], answer]
    print(json.dumps(out))
    """
)


def test_memory_never_rises_by_more_than_half_as_much_again_whatever_the_circuit() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    found = json.loads(done.stdout)
    assert {answer for _, answer in found.values()} >= {"statevector", "stabilizer", "mps", "tensor_network"}
    assert found["no method"][1] in ("BudgetExceeded", "Unsupported")
    for name, (rise, answer) in found.items():
        assert rise <= 96_000_000, f"{name} by {answer}: {rise}"
