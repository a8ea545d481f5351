"""A curve through noisy points by a continuous-variable network: x goes in as a displacement, <x> comes out.

One mode, layers of rotation, squeezing, rotation, displacement and Kerr (Killoran et al. 2019, Phys. Rev. Research 1,
033063, section on curve fitting).
"""

import numpy as np
from skerry import FockSimulator, PhotonicCircuit

LAYERS, CUTOFF, POINTS = 6, 14, 50

each = PhotonicCircuit.layer_weights(1)
network = PhotonicCircuit(1, weights=LAYERS * each)
for layer in range(LAYERS):
    network.layer(layer * each)
simulator = FockSimulator(network, [CUTOFF])
rng = np.random.default_rng(1)
places = np.linspace(-1, 1, POINTS)
curve = np.sin(np.pi * places)
seen = curve + rng.normal(scale=0.1, size=POINTS)
weights = rng.normal(scale=0.1, size=network.weights)
re, im = places[:, None], np.zeros((POINTS, 1))  # Re alpha: <x> is twice the place
first, second = np.zeros_like(weights), np.zeros_like(weights)
for step in range(1, 1501):
    simulator.set_weights(weights)
    found = simulator.forward(re, im, ["x"])["x"]
    gradient = simulator.gradient({"x": 2 * (found - seen[:, None]) / POINTS}, re, im)[1][0]
    first = 0.9 * first + 0.1 * gradient
    second = 0.99 * second + 0.01 * gradient**2
    weights -= 0.02 * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
error = float(np.sqrt(np.mean((found[:, 0] - curve) ** 2)))
print(f"{network.weights} weights, {error:.3f} from the curve, the points {np.std(seen - curve):.3f}")
assert error < 0.08
