"""Lesson 1: a circuit is loaded, predicted, run and asked."""

from pathlib import Path

import numpy
import skerry

here = Path(__file__).resolve().parent

# The content decides what a file is: OpenQASM here.
ghz = skerry.load(here.parent / "data/ghz.qasm")

# Before anything is allocated: which method, how much memory, how long.
plan = skerry.plan(ghz, shots=1000)
print(plan.explain())

# Same seed, same counts, for any number of threads.
result = skerry.run(ghz, shots=1000, seed=7)
print(result.counts, result.seconds, result.peak_bytes)
assert set(result.counts) == {"00000", "11111"}

# A circuit with a parameter, built call by call; its state stays where the simulator left it.
theta = skerry.Parameter("theta")
circuit = skerry.Circuit(2).ry(2 * theta, 0).cx(0, 1)
state = skerry.Simulator().run(circuit, {"theta": 0.3})
amplitudes = numpy.asarray(state)  # a view: nothing is copied
assert numpy.allclose(amplitudes, [numpy.cos(0.3), 0, 0, numpy.sin(0.3)])
zz = skerry.Observable.parse("Z0 Z1", num_qubits=2)
assert abs(state.expectation(zz) - 1) < 1e-12

# A batch of parameters: one result for each row.
z = skerry.Observable.parse("Z0", num_qubits=2)
curve = skerry.run(circuit, params=numpy.linspace(0, 1, 5)[:, None], observables=[z])
print([round(point.expectations[0], 4) for point in curve])

# What does not fit is refused beforehand, with need, limit and advice.
try:
    skerry.run(skerry.Circuit(34).h(0), state=True, max_memory_mb=512)
except skerry.BudgetExceeded as error:
    print(error)
else:
    raise AssertionError("34 qubits should not fit 512 MB")
