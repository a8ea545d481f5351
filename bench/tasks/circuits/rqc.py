"""Random circuits of depth 20, single precision."""

from tasks.circuits.state import libraries
from tasks.gates import flops, random_circuit
from tasks.task import Case, Task

TASK = Task(
    cases=[Case(20), Case(22), Case(24), Case(26, slow=True)],
    libraries={name: run for name, run in libraries(random_circuit).items() if name in ("skerry", "qsim")},
    reference=["qsim"],
    must=0.5,
    aim=0.25,
    flops=lambda case: flops(random_circuit(case.size), case.size),
    moves=True,
)
