"""Random circuits of depth 20, double precision."""

from tasks.circuits.state import libraries
from tasks.gates import flops, random_circuit
from tasks.task import Case, Task

TASK = Task(
    cases=[Case(20, "double"), Case(22, "double"), Case(24, "double", slow=True)],
    libraries=libraries(random_circuit),
    reference=["aer", "lightning", "qulacs"],
    must=0.25,
    aim=0.1,
    flops=lambda case: flops(random_circuit(case.size), case.size),
)
