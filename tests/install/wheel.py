#!/usr/bin/env python3
"""Builds the wheel from this checkout, installs it into an empty virtual environment and uses it there.

    wheel.py [SITE]     SITE: a folder of installed packages; with PennyLane in it, the device is found by its name too

The environment has NumPy and nothing else, as `pip install .` leaves it. Checked: the wheel's size and tags, that it is
typed, how long the import takes, a circuit, a model, pickles, and the command line.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MOST_BYTES = 20_000_000
MOST_IMPORT_SECONDS = 0.1

USE = """
import pickle, sys
import numpy, skerry
theta = skerry.Parameter("theta")
bell = skerry.Circuit(2).rx(theta, 0).cx(0, 1)
again = pickle.loads(pickle.dumps(bell))
assert again == bell
z = skerry.Observable.parse("Z0", 2)
value = skerry.Simulator().expectation(again, z, [0.3])
assert abs(value - numpy.cos(0.3)) < 1e-12
g = skerry.GraphBuilder("m")
g.output(g.circuit(bell, g.input("x", ["N", 1]), [z]), "y")
model = pickle.loads(pickle.dumps(g.build()))
out = skerry.run(model, inputs={"x": numpy.float32([[0.3]])}).outputs["y"]
assert abs(out[0, 0] - numpy.cos(0.3)) < 1e-6
others = {"torch", "qiskit", "cirq", "pennylane", "onnx", "matplotlib"} & sys.modules.keys()
assert not others, others
"""
TIME = "import time; begin = time.process_time(); import skerry; print(time.process_time() - begin)"
PENNYLANE = """
import pennylane, skerry
device = pennylane.device("skerry.qubit", wires=1)
assert type(device).__module__ == "skerry.pennylane.device"
@pennylane.qnode(device)
def node(x):
    pennylane.RX(x, 0)
    return pennylane.expval(pennylane.Z(0))
assert abs(node(0.3) - 0.955336489125606) < 1e-12
"""


def run(*command: str | Path) -> str:
    """The command's output; outside the checkout, without what its environment says of Python."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(command, cwd=elsewhere, env=clean, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def built(folder: Path) -> Path:
    # The compiler's usual name: with it ccache knows the objects of the development tree.
    os.environ.setdefault("CXX", "c++")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    (wheel,) = folder.glob("skerry-*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    size = wheel.stat().st_size
    print(f"{wheel.name}: {size / 1e6:.1f} MB")
    assert size < MOST_BYTES
    if sys.version_info >= (3, 12):
        assert "-abi3-" in wheel.name, "Python has the stable ABI that nanobind wants, and the wheel does not use it"
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("skerry/py.typed", "skerry/_core.pyi", "skerry/pennylane/skerry_qubit.toml"):
        assert wanted in names, wanted
    packages = {name.split("/")[0] for name in names}
    assert packages == {
        "skerry",
        f"skerry-{wheel.name.split('-')[1]}.dist-info",
        f"skerry-{wheel.name.split('-')[1]}.data",
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = built(folder)
        check_contents(wheel)
        run(sys.executable, "-m", "venv", folder / "clean")
        python = folder / "clean" / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
        installed = run(python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check")
        assert {line.split("=")[0] for line in installed.split()} <= {"numpy", "skerry", "pip", "setuptools"}, installed
        run(python, "-c", USE)
        seconds = min(float(run(python, "-c", TIME)) for _ in range(8))
        print(f"import skerry: {seconds * 1000:.0f} ms of the processor; NumPy comes at first need")
        assert seconds < MOST_IMPORT_SECONDS
        skerry = python.parent / "skerry"
        assert "11" in run(skerry, "run", ROOT / "examples/data/ghz.qasm", "--shots", "10", "--seed", "1")
        if len(sys.argv) > 1:
            site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
            (site / "others.pth").write_text(str(Path(sys.argv[1]).resolve()) + "\n")
            run(python, "-c", PENNYLANE)
            print("pennylane.device finds skerry.qubit")


if __name__ == "__main__":
    main()
