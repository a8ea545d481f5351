"""The quantum Fourier transform of a random product state."""

from tasks.circuits.state import libraries
from tasks.gates import flops, fourier
from tasks.task import Case, Task

TASK = Task(
    cases=[Case(24)],
    libraries={name: run for name, run in libraries(fourier).items() if name in ("skerry", "qsim")},
    reference=["qsim"],
    must=0.3,
    aim=0.1,
    flops=lambda case: flops(fourier(case.size), case.size),
)
