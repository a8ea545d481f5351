"""Compiles circuits with Qiskit and pytket and writes what came out; run by the Python of the peers' own environment.

    python bench/compile_peers.py CIRCUITS DEVICES OUT.json --peers qiskit-2,qiskit-3,tket-2,tket-3 --targets all,line28

OUT.json: {circuit: {target: {peer: {cx, depth, cx_depth, gates, cpu_ms, verdict}}}}; what it already holds is kept.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import compile_check
from qiskit import QuantumCircuit, qasm2
from qiskit.transpiler import CouplingMap, generate_preset_pass_manager

SEED = 42
DEADLINE = 120.0

Edges = list[tuple[int, int]] | None
Compiled = tuple[QuantumCircuit, list[int], list[int], float]


def load(path: Path) -> QuantumCircuit:
    """The source as Qiskit reads it, with the gates that Qiskit adds to qelib1.inc."""
    return qasm2.load(path, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """The result and the least CPU milliseconds of up to five runs."""
    best, spent, count = float("inf"), 0.0, 0
    while count < 5 and (count == 0 or spent < 500):
        begin = time.process_time()
        result = run()
        took = (time.process_time() - begin) * 1e3
        best, spent, count = min(best, took), spent + took, count + 1
    return result, best


def by_qiskit(path: Path, edges: Edges, level: int) -> Compiled:
    """One of Qiskit's preset pass managers."""
    source = load(path)
    coupling = None if edges is None else CouplingMap([pair for a, b in edges for pair in ((a, b), (b, a))])
    manager = generate_preset_pass_manager(
        optimization_level=level,
        basis_gates=list(compile_check.BASIS),
        coupling_map=coupling,
        seed_transpiler=SEED,
    )
    out, cpu_ms = timed(lambda: manager.run(source))
    plain = list(range(source.num_qubits))
    initial = out.layout.initial_index_layout(True) if out.layout else plain
    final = out.layout.final_index_layout(True) if out.layout else plain
    return out, initial, final, cpu_ms


def pytket_passes(edges: Edges, kind: str) -> Any:
    """kind 2: FullPeepholeOptimise, mapping, KAK and Clifford rewriting; kind 3: GreedyPauliSimp, not routed."""
    from pytket import OpType
    from pytket.architecture import Architecture
    from pytket.passes import (
        AutoRebase,
        AutoSquash,
        CliffordSimp,
        DecomposeBoxes,
        DefaultMappingPass,
        FullPeepholeOptimise,
        GreedyPauliSimp,
        KAKDecomposition,
        RemoveBarriers,
        RemoveRedundancies,
        SequencePass,
        SynthesiseTket,
    )

    basis = {OpType.CX, OpType.Rz, OpType.SX, OpType.X}
    passes: list[Any] = [DecomposeBoxes()]
    if kind == "3":
        known = "Z X Y S Sdg V Vdg H CX CY CZ SWAP Rz Rx Ry T Tdg ZZMax ZZPhase XXPhase YYPhase PhasedX"
        passes += [RemoveBarriers(), AutoRebase({getattr(OpType, name) for name in known.split()})]
        passes += [GreedyPauliSimp(thread_timeout=8, only_reduce=True, trials=2)]
    else:
        passes += [FullPeepholeOptimise()]
        if edges is not None:
            passes += [AutoRebase(basis), DefaultMappingPass(Architecture(edges))]
        passes += [KAKDecomposition(allow_swaps=False), CliffordSimp(False)]
    passes += [SynthesiseTket(), AutoRebase(basis), AutoSquash(basis - {OpType.CX}), RemoveRedundancies()]
    return SequencePass(passes)


def by_pytket(path: Path, edges: Edges, kind: str, qubits: int) -> Compiled:
    """pytket with its result put back on numbered wires and its bits in the source's order."""
    from pytket.extensions.qiskit import tk_to_qiskit
    from pytket.predicates import CompilationUnit
    from pytket.qasm import circuit_from_qasm

    read = circuit_from_qasm(str(path), maxwidth=64)
    sequence = pytket_passes(edges, kind)

    def run() -> Any:
        unit = CompilationUnit(read)
        sequence.apply(unit)
        return unit

    unit, cpu_ms = timed(run)
    source = load(path)
    made = unit.circuit.copy()
    implicit = made.implicit_qubit_permutation()
    out = tk_to_qiskit(made, replace_implicit_swaps=False)
    if edges is None:
        place = {q: k for k, q in enumerate(made.qubits)}
    else:
        place = {q: q.index[0] for q in made.qubits if q.reg_name == "node"}
        free = iter(sorted(set(range(qubits)) - set(place.values())))
        for q in made.qubits:
            if q not in place:
                place[q] = next(free)
    names = {(q.reg_name, q.index[0]): place[q] for q in made.qubits}
    bits = [(source.find_bit(b).registers[0][0].name, source.find_bit(b).registers[0][1]) for b in source.clbits]
    wide = QuantumCircuit(qubits, len(bits), global_phase=out.global_phase)
    for item in out.data:
        at = [out.find_bit(q).registers[0] for q in item.qubits]
        to = [out.find_bit(c).registers[0] for c in item.clbits]
        wide.append(
            item.operation,
            [names[(r.name, i)] for r, i in at],
            [bits.index((r.name, i)) for r, i in to],
        )
    program = [source.find_bit(q).registers[0] for q in source.qubits]
    wires = [next(q for q in read.qubits if (q.reg_name, q.index[0]) == (r.name, i)) for r, i in program]
    back = {b: a for a, b in implicit.items()}
    ends = [unit.final_map[q] for q in wires]
    initial = [place[unit.initial_map[q]] for q in wires]
    return wide, initial, [place[back.get(q, q)] for q in ends], cpu_ms


def judge(sender: Connection, peer: str, path: Path, qubits: int, edges: Edges) -> None:
    """One compile in a process of its own, so that a peer that hangs or dies takes nothing along."""
    try:
        kind, level = peer.split("-")
        made = by_qiskit(path, edges, int(level)) if kind == "qiskit" else by_pytket(path, edges, level, qubits)
        out, initial, final, cpu_ms = made
        size = compile_check.measure_size(out, edges)
        verdict = compile_check.verdict(load(path), out, initial, final) if size.legal else "ILLEGAL"
        sender.send({**vars(size), "cpu_ms": cpu_ms, "verdict": verdict})
    except Exception as error:
        sender.send({"refused": f"{type(error).__name__}: {error}"[:120]})


def compile_apart(peer: str, path: Path, qubits: int, edges: Edges) -> dict[str, Any]:
    """judge() with a deadline."""
    receiver, sender = multiprocessing.Pipe()
    child = multiprocessing.Process(target=judge, args=(sender, peer, path, qubits, edges))
    child.start()
    answer: dict[str, Any] = {"refused": f"took more than {DEADLINE:g} s"}
    if receiver.poll(DEADLINE):
        answer = receiver.recv()
    child.kill()
    child.join()
    return answer


def main() -> None:
    """Every circuit x target x peer that the output does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("circuits", type=Path)
    parser.add_argument("devices", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--peers", default="qiskit-2,qiskit-3,tket-2,tket-3")
    parser.add_argument("--targets", default="all,line28,grid5x6,heavyhex27,heavyhex65")
    parser.add_argument("--retime", action="store_true", help="compile again and keep the least CPU time of both")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    multiprocessing.set_start_method("fork")
    peers = arguments.peers.split(",")
    if any(peer.startswith("tket") for peer in peers):
        # Imported once, before the children are made.
        import pytket.extensions.qiskit
        import pytket.passes
        import pytket.qasm  # noqa: F401
    found = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for path in sorted(arguments.circuits.glob("*.qasm")):
        if "OPENQASM 3" in path.read_text()[:400]:
            continue
        source = load(path)
        two = sum(len(item.qubits) == 2 for item in source.data)
        for target in arguments.targets.split(","):
            qubits, edges = source.num_qubits, None
            if target != "all":
                device = json.loads((arguments.devices / f"{target}.json").read_text())
                qubits, edges = device["qubits"], [(a, b) for a, b in device["coupling"]]
                if source.num_qubits > qubits:
                    continue
            held = found.setdefault(path.stem, {}).setdefault(target, {})
            for peer in peers:
                # The Pauli style knows no coupling and takes long on wide circuits.
                if peer == "tket-3" and (edges is not None or source.num_qubits > 16 or two > 320):
                    continue
                if peer in held and not arguments.retime:
                    continue
                made = compile_apart(peer, path, qubits, edges)
                if peer in held and "cpu_ms" in held[peer] and "cpu_ms" in made:
                    made["cpu_ms"] = min(made["cpu_ms"], held[peer]["cpu_ms"])
                held[peer] = made
            arguments.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
