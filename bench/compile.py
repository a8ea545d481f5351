"""Compiles circuits for devices with Skerry and lays the result beside Qiskit's and pytket's.

    ./dev bench compile [--levels low,medium,high] [--targets all,line28,...] [--only NAME,...] [--peers FOLDER]

Every output is checked for legality and, where a state vector can hold it, for equivalence, by Qiskit and NumPy. The
peers live in an environment of their own (FOLDER, made by the first run from bench/compile_peers.txt); what they gave
is kept in build/bench/compile_peers.json, for it never changes. CPU milliseconds (`cpu`) are process time of compiling
alone, the least of several runs in one process, for Skerry and its peers alike; `cold` is what the first compile of a
fresh `skerry compile` takes. On a busy machine they mean little.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import compile_check
import skerry
from qiskit import QuantumCircuit, qasm2
from skerry.circuits import QuantumCircuitOptimizer, verify_equal

ROOT = Path(__file__).resolve().parent.parent
SKERRY = ROOT / "build/release/apps/cli/skerry"
CACHE = ROOT / "build/bench/compile_peers.json"
DEVICES = ROOT / "tests/data/devices"

Record = dict[str, Any]
Records = dict[str, dict[str, dict[str, Record]]]


def load(path: Path) -> QuantumCircuit:
    """A circuit with the gates that Qiskit adds to qelib1.inc."""
    return qasm2.load(path, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)


def warm_ms(program: skerry.Circuit, optimizer: QuantumCircuitOptimizer, level: str, runs: int) -> float:
    """CPU milliseconds of compiling, as compile_peers.py takes them of the peers."""
    best = math.inf
    for _ in range(runs):
        begin = time.process_time()
        optimizer.optimize_circuit(program, ("low", "medium", "high").index(level) + 1)
        best = min(best, (time.process_time() - begin) * 1e3)
    return best


def by_skerry(path: Path, target: str, level: str, runs: int) -> Record:
    """One circuit through the command line, as a user would."""
    source = load(path)
    edges = None
    known: dict[str, Any] = {"qubits": source.num_qubits, "basis": list(compile_check.BASIS)}
    command = [str(SKERRY), "compile", str(path), "--basis", ",".join(compile_check.BASIS), "-O", level]
    if target != "all":
        device = DEVICES / f"{target}.json"
        known = {**json.loads(device.read_text()), "basis": list(compile_check.BASIS)}
        edges = [(a, b) for a, b in known["coupling"]]
        command += ["--coupling", str(device)]
    with tempfile.TemporaryDirectory() as folder:
        out, layout = Path(folder) / "out.qasm", Path(folder) / "layout.json"
        command += ["--seed", "42", "-o", str(out), "--layout", str(layout)]
        cold_ms, texts = math.inf, set()
        for _ in range(runs):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return {"refused": done.stderr.strip()[-200:]}
            where = json.loads(layout.read_text())
            cold_ms = min(cold_ms, where["cpu_ms"])
            texts.add(out.read_text())
        result = load(out)
        program = skerry.load(path)
        assert isinstance(program, skerry.Circuit)
        cpu_ms = warm_ms(program, QuantumCircuitOptimizer(known), level, runs)
        ours, reason = "unknown", "not asked"
        begin = time.process_time()
        try:
            made = skerry.load(out)
            assert isinstance(made, skerry.Circuit)
            ours, reason = verify_equal(program, made, where["initial"], where["final"], where["spent_error"])
        except skerry.Error as error:
            reason = str(error)
        verify_ms = (time.process_time() - begin) * 1e3
    size = compile_check.measure_size(result, edges)
    verdict = compile_check.verdict(source, result, where["initial"], where["final"]) if size.legal else "ILLEGAL"
    if len(texts) != 1:
        verdict = "UNSTEADY"
    if ours == "different":
        verdict = f"WRONG for skerry verify: {reason}"
    return {
        **vars(size),
        "cpu_ms": cpu_ms,
        "cold_ms": cold_ms,
        "verdict": verdict,
        "verify": ours,
        "verify_ms": verify_ms,
    }


def run_peers(folder: Path, circuits: Path, targets: str, retime: bool) -> Records:
    """What the peers give; compiles only what is not known yet."""
    python = folder / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pins = ROOT / "bench/compile_peers.txt"
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(pins)], check=True)
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    script = ROOT / "bench/compile_peers.py"
    command = [str(python), str(script), str(circuits), str(DEVICES), str(CACHE), "--targets", targets]
    subprocess.run(command, check=True)
    if retime:
        subprocess.run([*command, "--peers", "qiskit-2,qiskit-3", "--retime"], check=True)
    found: Records = json.loads(CACHE.read_text())
    return found


def mean(ratios: list[float]) -> str:
    """Geometric mean and how many."""
    if not ratios:
        return "-"
    return f"{math.exp(sum(math.log(max(r, 1e-9)) for r in ratios) / len(ratios)):.3f} ({len(ratios)})"


def ratio(a: Record | None, b: Record | None, key: str) -> float | None:
    """a / b, a count of none taken as one; None where either was refused."""
    if a is None or b is None or key not in a or key not in b:
        return None
    least = 1 if key != "cpu_ms" else 1e-3
    return float(max(a[key], least) / max(b[key], least))


def best(peers: dict[str, Record], key: str) -> Record | None:
    """The peer with the least of something."""
    able = [p for name, p in peers.items() if name != "qiskit-2" and key in p]
    return min(able, key=lambda p: p[key]) if able else None


def table(ours: Records, peers: Records, levels: list[str], targets: list[str]) -> list[str]:
    """The rows of the report: geometric means over circuits, by level and target."""
    rows = []
    routed = [t for t in targets if t != "all"]
    groups = [("all-to-all", ["all"])] + [(t, [t]) for t in routed] + [("routed", routed)]
    for level in levels:
        for name, members in groups:
            cells: dict[str, list[float]] = {}
            worst = (0.0, "")
            for circuit, by_target in ours.items():
                for target in members:
                    mine = by_target.get(target, {}).get(level)
                    theirs = peers.get(circuit, {}).get(target, {})
                    qiskit3 = theirs.get("qiskit-3")
                    for label, value in (
                        ("cx/best", ratio(mine, best(theirs, "cx"), "cx")),
                        ("cx/q3", ratio(mine, qiskit3, "cx")),
                        ("cx/q2", ratio(mine, theirs.get("qiskit-2"), "cx")),
                        ("cxdepth/best", ratio(mine, best(theirs, "cx_depth"), "cx_depth")),
                        ("gates/q3", ratio(mine, qiskit3, "gates")),
                        ("cpu/q3", ratio(mine, qiskit3, "cpu_ms")),
                        ("cold/q3", ratio(mine and {**mine, "cpu_ms": mine.get("cold_ms", 0)}, qiskit3, "cpu_ms")),
                    ):
                        if value is not None:
                            cells.setdefault(label, []).append(value)
                            if label == "cx/q3":
                                worst = max(worst, (value, circuit))
            if cells:
                shown = "  ".join(f"{k} {mean(v)}" for k, v in cells.items())
                rows.append(f"{level:7} {name:11} {shown}  worst {worst[0]:.2f} {worst[1]}")
    return rows


def main() -> None:
    """Measures, checks, prints; fails when an output is illegal or wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--circuits", type=Path, default=ROOT / "tests/data/circuits")
    parser.add_argument("--levels", default="low,medium,high")
    parser.add_argument("--targets", default="all,line28,grid5x6,heavyhex27,heavyhex65")
    parser.add_argument("--only", default="")
    parser.add_argument("--peers", type=Path, default=ROOT / "build/bench/peers")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--retime", action="store_true", help="time Qiskit again and keep the least")
    parser.add_argument("--each", action="store_true", help="print every circuit")
    arguments = parser.parse_args()
    peers = run_peers(arguments.peers, arguments.circuits, arguments.targets, arguments.retime)
    levels, targets = arguments.levels.split(","), arguments.targets.split(",")
    only = set(arguments.only.split(",")) - {""}
    ours: Records = {}
    wrong = []
    for path in sorted(arguments.circuits.glob("*.qasm")):
        if "OPENQASM 3" in path.read_text()[:400] or (only and path.stem not in only):
            continue
        for target in targets:
            for level in levels:
                if target not in peers.get(path.stem, {}):
                    continue
                record = by_skerry(path, target, level, arguments.runs)
                ours.setdefault(path.stem, {}).setdefault(target, {})[level] = record
                if record.get("verdict") not in ("ok", "wide", "dynamic"):
                    wrong.append(f"{path.stem} {target} {level}: {record.get('verdict', record.get('refused'))}")
                if arguments.each and "cx" in record:
                    theirs = {n: p.get("cx", "-") for n, p in peers[path.stem][target].items()}
                    print(
                        f"{path.stem:18} {target:10} {level:6} cx {record['cx']:5} {theirs} {record['cpu_ms']:.2f} ms"
                    )
    print("\n".join(table(ours, peers, levels, targets)))
    records = [r for c in ours.values() for t in c.values() for r in t.values() if "cx" in r]
    answers = {a: sum(r["verify"] == a for r in records) for a in ("equal", "different", "unknown")}
    print(f"skerry verify: {answers}, {sum(r['verify_ms'] for r in records) / max(1, len(records)):.1f} ms each")
    checked = sum(r["verdict"] == "ok" for r in records)
    print(f"{checked} outputs equal to their source, {len(wrong)} illegal, wrong or refused")
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
