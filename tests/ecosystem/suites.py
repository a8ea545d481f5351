#!/usr/bin/env python3
"""Runs tests of other libraries with Skerry's classes in the place of theirs.

    suites.py cirq            those of cirq.Simulator and of what is made from it, as the installed package ships them
    suites.py aer CHECKOUT    those of Qiskit Aer's primitives and of reset, from its sources: the package ships none

Nothing of theirs is kept here; what is compared is what they assert.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

# Cirq's tests of the simulator itself, of the functions that use it, and of what it inherits.
CIRQ = ("sparse_simulator_test.py", "mux_test.py", "simulator_test.py")
CIRQ_TESTS = 244  # of Cirq 1.7
AER = (
    "test/terra/primitives/test_sampler_v2.py",
    "test/terra/primitives/test_estimator_v2.py",
    "test/terra/backends/aer_simulator/test_reset.py",
)


class Count:
    """How many tests passed."""

    passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed += report.when == "call" and report.passed


def run(folder: Path, files: list[Path], count: Count) -> int:
    """pytest on these files and nothing of this repository's settings."""
    return int(
        pytest.main(
            ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(folder), *map(str, files)], [count]
        )
    )


def cirq_suite() -> int:
    cirq: Any = importlib.import_module("cirq")
    home: Any = importlib.import_module("cirq.sim.sparse_simulator")
    # Everybody who looks the name up finds ours from here on.
    cirq.Simulator = cirq.sim.Simulator = home.Simulator = importlib.import_module("skerry.cirq").SkerrySimulator
    folder = Path(str(home.__file__)).parent
    count = Count()
    failed = run(folder, [folder / name for name in CIRQ], count)
    return failed or int(count.passed < CIRQ_TESTS)


def aer_suite(checkout: Path) -> int:
    names = ("qiskit_aer", "qiskit_aer.primitives", "skerry.qiskit")
    modules: list[Any] = [importlib.import_module(name) for name in names]
    aer, primitives, ours = modules

    class InPlace(ours.SkerryBackend):  # type: ignore[misc, name-defined]
        """Takes what Aer's tests say of devices, and its approximate method, for which the exact one stands."""

        def __init__(self, *, method: str = "automatic", device: str = "CPU", **options: Any) -> None:
            assert device == "CPU"
            super().__init__(method="auto" if method == "extended_stabilizer" else method, **options)

    sys.path.insert(0, str(checkout))
    importlib.import_module("test.terra.backends.simulator_test_case").SimulatorTestCase.BACKEND = InPlace
    primitives.SamplerV2, primitives.EstimatorV2 = ours.SkerrySampler, ours.SkerryEstimator
    aer.AerSimulator = InPlace
    return run(checkout, [checkout / name for name in AER], Count())


def main() -> int:
    if sys.argv[1:] == ["cirq"]:
        return cirq_suite()
    if len(sys.argv) == 3 and sys.argv[1] == "aer":
        return aer_suite(Path(sys.argv[2]).resolve())
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
