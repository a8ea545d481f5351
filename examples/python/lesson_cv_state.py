"""One photon out of a laser: layers of a continuous-variable network are trained to prepare a Fock state.

The network acts on the vacuum; its loss is 1 - |<1|psi>|² (Arrazola et al. 2019, Quantum Sci. Technol. 4, 024004).
"""

import numpy as np
from skerry import FockSimulator, PhotonicCircuit

LAYERS, CUTOFF = 6, 8

each = PhotonicCircuit.layer_weights(1)
network = PhotonicCircuit(1, weights=LAYERS * each)
for layer in range(LAYERS):
    network.layer(layer * each)
simulator = FockSimulator(network, [CUTOFF])
weights = np.random.default_rng(4).normal(scale=0.1, size=network.weights)
vacuum = np.zeros((1, 1))
first, second = np.zeros_like(weights), np.zeros_like(weights)
for step in range(1, 601):
    simulator.set_weights(weights)
    ket = simulator.forward(vacuum, vacuum, ["kets"])["kets"]
    amplitude = ket[0, 1]
    cotangent = np.zeros_like(ket)
    cotangent[0, 1] = -2 * amplitude  # d(-|c|²) / dRe c + i d / dIm c
    gradient = simulator.gradient({"kets": cotangent}, vacuum, vacuum)[1][0]
    first = 0.9 * first + 0.1 * gradient
    second = 0.99 * second + 0.01 * gradient**2
    weights -= 0.02 * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
fidelity = abs(amplitude) ** 2
print(f"{network.weights} weights, fidelity with one photon {fidelity:.5f}")
assert fidelity > 0.99
