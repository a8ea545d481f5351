#!/usr/bin/env python3
"""How well `skerry plan` predicts: peak bytes and seconds of thirteen circuits and of every model.

    predict.py [--models FOLDER] [--json FILE] [--threads N]

Peak bytes are the rise of the whole process's resident memory over the same program running a one-qubit circuit;
seconds are the median of runs in one process. Must: bytes within 10 % + 4 MB, seconds within a factor of two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import machine

CIRCUITS = [
    "qsim_4.qasm",
    "grover_5.qasm",
    "qft_8.qasm",
    "heisenberg_10.qasm",
    "ghz_12.qasm",
    "vqe_realamp_12.qasm",
    "bv_14.qasm",
    "graphstate_16.qasm",
    "qaoa_reg3_16.qasm",
    "grid_rand_20.qasm",
    "layers_22.qasm",
    "ising_line_24.qasm",
    "../photonic/boson_sampling.xbb",
]
SHOTS = 1000
TIMED_SECONDS = 0.1
ALLOWED_SHARE, ALLOWED_BYTES, ALLOWED_FACTOR = 0.10, 4_000_000, 2.0


@dataclass(frozen=True)
class Row:
    name: str
    predicted_bytes: int
    measured_bytes: int
    predicted_seconds: float
    measured_seconds: float

    @property
    def bytes_ok(self) -> bool:
        return abs(self.predicted_bytes - self.measured_bytes) <= ALLOWED_SHARE * self.measured_bytes + ALLOWED_BYTES

    @property
    def factor(self) -> float:
        ratio = self.predicted_seconds / self.measured_seconds
        return max(ratio, 1 / ratio)


def layered_circuit(qubits: int, layers: int) -> str:
    """A hardware-efficient ansatz: rotations on all wires, a chain of cx, `layers` times."""
    lines = ["OPENQASM 2.0;", 'include "qelib1.inc";', f"qreg q[{qubits}];", f"creg c[{qubits}];"]
    for layer in range(layers):
        lines += [f"ry({0.1 * (layer + wire + 1):.3f}) q[{wire}];" for wire in range(qubits)]
        lines += [f"cx q[{wire}],q[{wire + 1}];" for wire in range(qubits - 1)]
    return "\n".join([*lines, "measure q -> c;"]) + "\n"


def measure(file: Path, extra: list[str], baseline: int) -> Row:
    run = machine.run([machine.CLI, "run", file, "--json", *extra])
    timed = machine.run([machine.CLI, "bench", file, "--repeat", "5", "--json", *extra]).json()
    # Five runs of some microseconds fall into one burst of other work.
    repeats = min(1001, int(TIMED_SECONDS / timed["median"]))
    if repeats > 5:
        timed = machine.run([machine.CLI, "bench", file, "--repeat", str(repeats), "--json", *extra]).json()
    return Row(
        file.stem, timed["predicted_bytes"], run.peak_bytes - baseline, timed["predicted_seconds"], timed["median"]
    )


def circuits(folder: Path, extra: list[str], baseline: int) -> list[Row]:
    data = machine.REPOSITORY / "tests" / "data" / "circuits"
    made = {"qsim_4.qasm": layered_circuit(4, 6), "layers_22.qasm": layered_circuit(22, 8)}
    rows = []
    for name in CIRCUITS:
        file = data / name
        if name in made:
            file = folder / name
            file.write_text(made[name])
        rows.append(measure(file, ["--shots", str(SHOTS), *extra], baseline))
    return rows


def models(folder: Path, scratch: Path, extra: list[str], baseline: int) -> list[Row]:
    import numpy as np
    import onnx

    rows = []
    for file in sorted(folder.glob("*.onnx")):
        graph = onnx.load(file, load_external_data=False).graph
        inputs: list[str] = []
        for value in graph.input:
            dims = [dim.dim_value or (16 if dim.dim_param == "S" else 1) for dim in value.type.tensor_type.shape.dim]
            dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            array = np.ones(dims, dtype) if dtype.kind == "i" else np.random.default_rng(1).random(dims).astype(dtype)
            path = scratch / f"{file.stem}-{value.name}.npy"
            np.save(path, array)
            inputs += ["--input", f"{value.name}={path}"]
        rows.append(measure(file, [*inputs, *extra], baseline))
    return rows


def show(rows: list[Row]) -> None:
    print(f"{'':18} {'predicted MB':>13} {'measured MB':>12}   {'predicted ms':>13} {'measured ms':>12} {'factor':>7}")
    for row in rows:
        marks = ("" if row.bytes_ok else " bytes") + ("" if row.factor <= ALLOWED_FACTOR else " seconds")
        print(
            f"{row.name:18} {row.predicted_bytes / 1e6:13.2f} {row.measured_bytes / 1e6:12.2f}   "
            f"{row.predicted_seconds * 1e3:13.3f} {row.measured_seconds * 1e3:12.3f} {row.factor:7.2f}{marks}"
        )
    print(
        f"bytes within 10 % + 4 MB: {sum(row.bytes_ok for row in rows)} of {len(rows)}; "
        f"seconds within 2x: {sum(row.factor <= ALLOWED_FACTOR for row in rows)} of {len(rows)}; "
        f"median factor {statistics.median(row.factor for row in rows):.2f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder of .onnx files; made when left out")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    extra = ["--threads", str(options.threads)]
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        folder = options.models
        if folder is None:
            folder = machine.REPOSITORY / "build" / "models"
            if not folder.exists():
                tools = machine.REPOSITORY / "tools" / "models"
                subprocess.run([sys.executable, tools / "make_models.py", folder, "--int8"], check=True)
                subprocess.run([sys.executable, tools / "export_minilm.py", folder / "minilm.onnx"], check=True)
        print(machine.describe())
        machine.run([machine.CLI, "doctor", "--rates"])
        smallest = scratch / "smallest.qasm"
        smallest.write_text(layered_circuit(1, 1))
        baseline = machine.run([machine.CLI, "run", smallest, "--json", *extra]).peak_bytes
        rows = circuits(scratch, extra, baseline) + models(folder, scratch, extra, baseline)
        show(rows)
        if options.json:
            report = {"machine": machine.describe(), "rows": [asdict(row) for row in rows]}
            options.json.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
