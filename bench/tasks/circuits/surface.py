"""Detection events of a rotated surface code with noise: distance and rounds are the size, a hundred thousand shots."""

from __future__ import annotations

from typing import Any

from tasks.libraries import load
from tasks.task import Answer, Case, Task, Variant

SHOTS = 100_000
NOISE = 1e-3


def text(case: Case) -> str:
    circuit = load("stim").Circuit.generated(
        "surface_code:rotated_memory_z",
        distance=case.size,
        rounds=case.size,
        after_clifford_depolarization=NOISE,
        before_measure_flip_probability=NOISE,
        after_reset_flip_probability=NOISE,
    )
    return str(circuit)


def events(packed: Any) -> Answer:
    numpy = load("numpy")
    return {"events per shot": float(numpy.unpackbits(packed).sum()) / SHOTS}


def skerry(case: Case) -> list[Variant]:
    stabilizer = load("skerry").stabilizer
    sampler = stabilizer.Sampler(stabilizer.loads(text(case)))
    return [Variant("errors", lambda: sampler.sample(SHOTS, seed=1, packed=True, threads=case.threads).bits, events)]


def stim(case: Case) -> list[Variant]:
    sampler = load("stim").Circuit(text(case)).compile_detector_sampler(seed=1)
    return [Variant("frames", lambda: sampler.sample(SHOTS, bit_packed=True), events)]


TASK = Task(
    cases=[Case(15, "double", threads=1), Case(15, "double", threads=2)],
    libraries={"skerry": skerry, "stim": stim},
    reference=["stim"],
    must=1.0,
    aim=0.6,
    # Two sample means of some fifty events with a standard deviation of seven a shot differ by a hundredth.
    tolerance=lambda case: 0.2,
    state_bytes=lambda case: 0,
)
