"""Eight cycles on a grid of sixty wires: one amplitude by contraction, the search for a path included."""

from __future__ import annotations

import random
from typing import Any

from tasks.libraries import Skerry, load
from tasks.task import Case, Task, Variant

WIDTH, CYCLES = 6, 8


def gates(wires: int) -> list[tuple[str, tuple[int, ...], tuple[float, ...]]]:
    draw = random.Random(7)
    height = wires // WIDTH
    out: list[tuple[str, tuple[int, ...], tuple[float, ...]]] = []
    for cycle in range(CYCLES):
        for wire in range(wires):
            out.append(("u3", (wire,), (draw.uniform(-3, 3), draw.uniform(-3, 3), draw.uniform(-3, 3))))
        first = cycle // 2 % 2
        for y in range(height):
            for x in range(WIDTH):
                at = y * WIDTH + x
                if cycle % 2 == 0 and x % 2 == first and x + 1 < WIDTH:
                    out.append(("cz", (at, at + 1), ()))
                if cycle % 2 == 1 and y % 2 == first and y + 1 < height:
                    out.append(("cz", (at, at + WIDTH), ()))
    return out


def bits(wires: int) -> str:
    """Of the basis state that is asked for, wire 0 leftmost."""
    return "".join(str(wire % 2) for wire in range(wires))


def skerry(case: Case) -> list[Variant]:
    library = Skerry(case)
    circuit = library.module.Circuit(case.size)
    for name, on, angles in gates(case.size):
        circuit.append(name, list(on), list(angles))
    state = bits(case.size)[::-1]

    def run() -> complex:
        result = library.module.run(
            circuit, amplitudes=[state], method="tensor_network", precision=case.precision, threads=case.threads
        )
        return complex(result.amplitudes[0])

    return [Variant("tensor_network", run, lambda a: {"re": a.real * 1e9, "im": a.imag * 1e9})]


def quimb(case: Case) -> list[Variant]:
    tensors, cotengra = load("quimb.tensor"), load("cotengra")
    circuit = tensors.Circuit(case.size)
    for name, on, angles in gates(case.size):
        circuit.apply_gate(name.upper(), *angles, *on)
    dtype = "complex64" if case.precision == "single" else "complex128"

    def variant(name: str, optimize: Any) -> Variant:
        def run() -> complex:
            circuit.clear_storage()
            return complex(circuit.amplitude(bits(case.size), optimize=optimize(), dtype=dtype))

        return Variant(name, run, lambda a: {"re": a.real * 1e9, "im": a.imag * 1e9})

    def hyper() -> Any:
        return cotengra.HyperOptimizer(methods=["greedy"], max_repeats=32, parallel=False, reconf_opts={})

    return [
        variant("greedy", lambda: "greedy"),
        variant("auto", lambda: "auto"),
        variant("auto-hq", lambda: "auto-hq"),
        variant("hyper", hyper),
    ]


TASK = Task(
    cases=[Case(60, "double"), Case(60, "single")],
    libraries={"skerry": skerry, "quimb": quimb},
    reference=["quimb"],
    must=0.5,
    aim=0.1,
    tolerance=lambda case: 1e-3 if case.precision == "single" else 1e-9,
    state_bytes=lambda case: 0,
)
