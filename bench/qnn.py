"""A training step of a quantum neural network in PyTorch: a CircuitLayer beside PennyLane's TorchLayer on Lightning.

    qnn.py [--qubits 8] [--layers 3] [--batch 128] [--steps 5]

The network: a dense layer gives the angles, the circuit (rotations about two axes and a ring of CNOTs, again and again)
means of Z on every qubit, a dense layer the score; Adam in double precision. Both start from the same weights and see
the same data, and their losses are compared. Needs the environment of `./dev test torch`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import pennylane as qp
import skerry
import torch
from skerry.torch import CircuitLayer


def circuit_layer(qubits: int, layers: int, first: torch.Tensor) -> torch.nn.Module:
    circuit = skerry.Circuit(qubits)
    for q in range(qubits):
        circuit.ry(skerry.Parameter(f"x{q}"), q)
    for layer in range(layers):
        for q in range(qubits):
            circuit.ry(skerry.Parameter(f"a{layer}_{q}"), q).rz(skerry.Parameter(f"b{layer}_{q}"), q)
        for q in range(qubits):
            circuit.cx(q, (q + 1) % qubits)
    means = [skerry.Observable.parse(f"Z{q}", qubits) for q in range(qubits)]
    return CircuitLayer(circuit, means, inputs=[f"x{q}" for q in range(qubits)], initial=first.reshape(-1))


def torch_layer(qubits: int, layers: int, first: torch.Tensor) -> torch.nn.Module:
    @qp.qnode(qp.device("lightning.qubit", wires=qubits), interface="torch", diff_method="adjoint")  # type: ignore[untyped-decorator]
    def node(inputs: torch.Tensor, weights: torch.Tensor) -> list[object]:
        for q in range(qubits):
            qp.RY(inputs[..., q], q)
        for layer in range(layers):
            for q in range(qubits):
                qp.RY(weights[layer, q, 0], q)
                qp.RZ(weights[layer, q, 1], q)
            for q in range(qubits):
                qp.CNOT([q, (q + 1) % qubits])
        return [qp.expval(qp.Z(q)) for q in range(qubits)]

    made = qp.qnn.TorchLayer(node, {"weights": (layers, qubits, 2)})
    with torch.no_grad():
        made.weights.data = first.clone()
    return made


def trained(make: Callable[[], torch.nn.Module], qubits: int, batch: int, steps: int) -> tuple[list[float], float]:
    """Losses, and the median seconds of a step after the first."""
    torch.manual_seed(1)
    before, after = torch.nn.Linear(4, qubits), torch.nn.Linear(qubits, 1)
    model = torch.nn.Sequential(before, make(), after).double()
    torch.manual_seed(2)  # the layers draw different numbers of numbers
    x = torch.randn(batch, 4, dtype=torch.float64)
    y = torch.sin(x.sum(1, keepdim=True))
    adam = torch.optim.Adam(model.parameters(), lr=0.02)
    losses, seconds = [], []
    for _ in range(steps):
        begin = time.perf_counter()
        adam.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        adam.step()
        seconds.append(time.perf_counter() - begin)
        losses.append(loss.item())
    return losses, statistics.median(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("qubits", 8), ("layers", 3), ("batch", 128), ("steps", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    first = torch.rand(given.layers, given.qubits, 2, dtype=torch.float64) * 6
    ours = trained(lambda: circuit_layer(given.qubits, given.layers, first), given.qubits, given.batch, given.steps)
    theirs = trained(lambda: torch_layer(given.qubits, given.layers, first), given.qubits, given.batch, given.steps)
    apart = max(abs(a - b) for a, b in zip(ours[0], theirs[0], strict=True))
    print(f"CircuitLayer {ours[1] * 1e3:.1f} ms, PennyLane + Lightning {theirs[1] * 1e3:.1f} ms a step: ", end="")
    print(f"{ours[1] / theirs[1]:.4f}; losses {apart:.1e} apart over {given.steps} steps")


if __name__ == "__main__":
    main()
