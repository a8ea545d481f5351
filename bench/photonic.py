"""Photonic circuits against their peers: CPU seconds of one call, one thread, the same machine and run.

    python bench/photonic.py [--peers PEERS.json] [--peers-python PYTHON] [--make-venv]

--make-venv makes build/photonic-venv from bench/photonic_peers.txt; --peers-python runs bench/photonic_peers.py with
that Python first; --peers reads what an earlier run of it wrote.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import skerry
from skerry import FockSimulator, PhotonicCircuit, cv

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / "build" / "photonic-venv"


def cpu_seconds(call: Callable[[], object], budget: float = 0.15) -> float:
    """The least CPU time of a call, taken over runs long enough for the clock."""
    call()
    start = time.perf_counter()
    call()
    repeats = max(1, int(2e-3 / max(time.perf_counter() - start, 1e-7)))
    best, end = float("inf"), time.perf_counter() + budget
    while time.perf_counter() < end:
        begin = time.process_time()
        for _ in range(repeats):
            call()
        best = min(best, (time.process_time() - begin) / repeats)
    return best


def network(modes: int, layers: int, cutoff: int) -> FockSimulator:
    each = PhotonicCircuit.layer_weights(modes)
    circuit = PhotonicCircuit(modes, weights=layers * each)
    for layer in range(layers):
        circuit.layer(layer * each)
    simulator = FockSimulator(circuit, [cutoff] * modes, "single")
    simulator.set_weights(np.random.default_rng(0).normal(scale=0.1, size=simulator.weights))
    return simulator


def fock(results: dict[str, float]) -> None:
    for modes, cutoff, batches in ((2, 8, (1, 8, 16, 64)), (2, 20, (8,)), (4, 8, (8,))):
        simulator = network(modes, 2, cutoff)
        weights = np.random.default_rng(0).normal(scale=0.1, size=(2, simulator.weights))
        for batch in batches:
            re, im = np.random.default_rng(1).normal(scale=0.5, size=(2, batch, modes))
            ones = {"x": np.ones((batch, modes))}
            turns = itertools.cycle(weights)

            def changed(sim: FockSimulator = simulator, re: Any = re, im: Any = im, turns: Any = turns) -> None:
                sim.set_weights(next(turns))
                sim.forward(re, im, ["x"])

            key = f"{modes} modes, cutoff {cutoff}, batch {batch}"
            results[f"forward {key}"] = cpu_seconds(partial(simulator.forward, re, im, ["x"]))
            results[f"forward, new weights {key}"] = cpu_seconds(changed)
            results[f"gradient {key}"] = cpu_seconds(partial(simulator.gradient, ones, re, im, ["x"]))


STRATEGIES = ("sequential", "cpu_batch", "threading", "auto")


def generators(results: dict[str, float]) -> None:
    """Wall time of each strategy, in turns, so that a slower moment of the machine is everybody's; the order changes,
    because threads that wait for more work slow whoever comes next."""
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, max_threads=2)
    for batch in (1, 2, 4, 8, 16, 32, 64):
        z = np.random.default_rng(2).normal(size=(batch, 4)) * 0.5
        walls: dict[str, list[float]] = {strategy: [] for strategy in STRATEGIES}
        for strategy in STRATEGIES:
            generator.generate_threaded(z, strategy=strategy)
        for order in itertools.islice(itertools.cycle(itertools.permutations(STRATEGIES)), 240):
            for strategy in order:
                begin = time.perf_counter()
                generator.generate_threaded(z, strategy=strategy)
                walls[strategy].append(time.perf_counter() - begin)
        medians = {strategy: float(np.median(times)) for strategy, times in walls.items()}
        for strategy, seconds in medians.items():
            results[f"generator {strategy}, batch {batch}"] = seconds
        results[f"auto over the best, batch {batch}"] = medians["auto"] / min(medians.values())


def utilisation(shares: dict[str, float]) -> None:
    """Percent of two CPUs that each strategy keeps busy, by batch: small kets, and kets of cutoff 20."""
    for cutoff, precision in ((8, "single"), (8, "double"), (20, "double")):
        settings = {"cutoff_dim": cutoff, "precision": precision, "max_threads": 2}
        generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, **settings)
        executor = generator.threading_manager.executor
        for batch in (16, 64, 1024):
            z = np.random.default_rng(2).normal(size=(batch, 4)) * 0.5
            for strategy in ("sequential", "threading"):
                run = partial(executor.execute, generator, z, strategy)
                run()
                name = f"CPU of 2 {strategy}, cutoff {cutoff}, {precision}, batch {batch}"
                shares[name] = cv.utilization(run, 2, 0.2)


def callers(rates: dict[str, float]) -> None:
    """Calls per second of some callers at once on two CPUs: two threads each, or as many as the balancer gives."""
    settings = {"cutoff_dim": 16, "precision": "double", "max_threads": 2}
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, **settings)
    z = np.random.default_rng(0).normal(scale=0.4, size=(256, 4))
    generator.generate_threaded(z)
    for count in (1, 2, 4):
        found: dict[str, list[int]] = {"threading": [], "auto": []}
        for strategy in 7 * list(found):  # in turns; the median is told
            calls, end = [0] * count, time.perf_counter() + 0.3

            def call(index: int, calls: list[int] = calls, end: float = end, strategy: str = strategy) -> None:
                while time.perf_counter() < end:
                    generator.generate_threaded(z, strategy=strategy)
                    calls[index] += 1

            with ThreadPoolExecutor(count) as pool:
                list(pool.map(call, range(count)))
            found[strategy].append(sum(calls))
        for strategy, each in found.items():
            rates[f"{strategy}, cutoff 16, batch 256, {count} at once"] = float(np.median(each)) / 0.3


def gaussian(results: dict[str, float]) -> None:
    for n in (20, 24):
        matrix = np.random.default_rng(n).normal(size=(n, n))
        matrix = matrix + matrix.T
        results[f"hafnian {n}"] = cpu_seconds(partial(cv.hafnian, matrix))
    modes = 50
    rng = np.random.default_rng(modes)
    unitary, _ = np.linalg.qr(rng.normal(size=(modes, modes)) + 1j * rng.normal(size=(modes, modes)))
    rotation = np.block([[unitary.real, -unitary.imag], [unitary.imag, unitary.real]])
    r = np.full(modes, 0.4)
    covariance = rotation @ np.diag(np.concatenate([np.exp(-2 * r), np.exp(2 * r)])) @ rotation.T
    covariance = (covariance + covariance.T) / 2
    photons = [1] * 12 + [0] * 38
    results["probability 50 modes 12 photons"] = cpu_seconds(
        lambda: cv.GaussianState.from_moments(np.zeros(2 * modes), covariance).fock_probability(photons)
    )
    clicks = [True] * 12 + [False] * 38
    results["probability 50 modes 12 clicks"] = cpu_seconds(
        lambda: cv.GaussianState.from_moments(np.zeros(2 * modes), covariance).threshold_probability(clicks)
    )
    o = np.random.default_rng(7).normal(size=(24, 24))
    o = (o + o.T) / 60
    results["torontonian 12"] = cpu_seconds(partial(cv.torontonian, o))


PAIRS = [
    ("forward 2 modes, cutoff 8, batch 8", "piquasso-jax forward 8"),
    ("forward, new weights 2 modes, cutoff 8, batch 8", "piquasso-jax forward 8"),
    ("forward 2 modes, cutoff 8, batch 64", "piquasso-jax forward 64"),
    ("forward, new weights 2 modes, cutoff 8, batch 64", "piquasso-jax forward 64"),
    ("gradient 2 modes, cutoff 8, batch 8", "piquasso-jax gradient 8"),
    ("forward 2 modes, cutoff 8, batch 8", "piquasso-numpy forward 8"),
    ("hafnian 20", "thewalrus hafnian 20"),
    ("hafnian 24", "thewalrus hafnian 24"),
    ("probability 50 modes 12 photons", "thewalrus probability 50 modes 12 photons"),
    ("probability 50 modes 12 clicks", "thewalrus probability 50 modes 12 clicks"),
    ("torontonian 12", "thewalrus torontonian 12"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--peers-python", type=Path)
    parser.add_argument("--make-venv", action="store_true")
    parser.add_argument("--skip-jax", action="store_true")
    arguments = parser.parse_args()
    if arguments.make_venv:
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        pip = [str(VENV / "bin" / "pip"), "install", "--quiet", "-r", str(ROOT / "bench" / "photonic_peers.txt")]
        subprocess.run(pip, check=True)
        arguments.peers_python = VENV / "bin" / "python"
    skerry.set_num_threads(1)
    results: dict[str, float] = {}
    fock(results)
    gaussian(results)
    skerry.set_num_threads(2)
    generators(results)
    shares: dict[str, float] = {}
    utilisation(shares)
    for name, share in shares.items():
        print(f"{name:50} {share:12.0f} %")
    rates: dict[str, float] = {}
    callers(rates)
    for name, calls in rates.items():
        print(f"{name:50} {calls:12,.0f} calls/s")
    for name, seconds in results.items():
        if name.startswith("auto over"):
            print(f"{name:50} {seconds:12.2f} x")
            continue
        batch = name.rpartition("batch ")[2].partition(",")[0]
        rate = f"  {int(batch) / seconds:14,.0f} samples/s" if batch.isdigit() else ""
        print(f"{name:50} {seconds * 1e6:12.2f} us{rate}", flush=True)
    peers: dict[str, float] = {}
    if arguments.peers_python is not None:
        out = ROOT / "build" / "photonic-peers.json"
        command = [str(arguments.peers_python), str(ROOT / "bench" / "photonic_peers.py"), str(out)]
        subprocess.run([*command, *(["--skip-jax"] if arguments.skip_jax else [])], check=True)
        arguments.peers = out
    if arguments.peers is not None:
        peers = json.loads(arguments.peers.read_text())
    for ours, theirs in PAIRS:
        if theirs in peers:
            print(f"{theirs:45} {peers[theirs] * 1e6:12.1f} us = {peers[theirs] / results[ours]:8.1f} x {ours}")


if __name__ == "__main__":
    main()
