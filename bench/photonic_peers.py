"""Times Piquasso (JAX and NumPy) and The Walrus; run by the Python of the peers' own environment.

    python bench/photonic_peers.py OUT.json [--batches 8,64] [--skip-jax]

OUT.json: {name: CPU seconds of one call}. JAX keeps what it compiled in build/jax-cache: the first run takes minutes.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).resolve().parent.parent / "build" / "jax-cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")

import numpy as np
import piquasso as pq
import thewalrus
from thewalrus import rec_torontonian
from thewalrus._torontonian import threshold_detection_prob
from thewalrus.quantum import pure_state_amplitude

MODES, LAYERS, CUTOFF = 2, 2, 8


def cpu_seconds(call: Callable[[], object], budget: float = 0.6) -> float:
    """The least CPU time of a call."""
    call()
    best, end = float("inf"), time.perf_counter() + budget
    while time.perf_counter() < end:
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


def expectations(connector: Any, weights: Any, re: Any, im: Any) -> Any:
    """<x> of both modes of the layered network for one sample; Piquasso's cutoff is of all photons together."""
    simulator = pq.PureFockSimulator(d=MODES, config=pq.Config(cutoff=CUTOFF), connector=connector)
    xp = connector.np
    with pq.Program() as program:
        pq.Q() | pq.Vacuum()
        for k in range(MODES):
            pq.Q(k) | pq.Displacement(r=xp.sqrt(re[k] ** 2 + im[k] ** 2), phi=xp.arctan2(im[k], re[k]))
        for layer in range(LAYERS):
            w = weights[14 * layer : 14 * (layer + 1)]
            for first in (0, 5):
                pq.Q(0, 1) | pq.Beamsplitter(theta=w[first], phi=w[first + 1])
                pq.Q(0) | pq.Phaseshifter(phi=w[first + 2])
                if first == 0:
                    for k in range(MODES):
                        pq.Q(k) | pq.Squeezing(r=w[3 + k], phi=0.0)
            for k in range(MODES):
                pq.Q(k) | pq.Displacement(r=w[8 + k], phi=w[10 + k])
                pq.Q(k) | pq.Kerr(xi=w[12 + k])
    state = simulator.execute(program).state
    return xp.stack([state.mean_position(k) for k in range(MODES)])


def network(results: dict[str, float], batches: list[int]) -> None:
    import jax
    import jax.numpy as jnp

    connector = pq.JaxConnector()

    def one(weights: Any, re: Any, im: Any) -> Any:
        return jnp.real(expectations(connector, weights, re, im))

    batched = jax.vmap(one, in_axes=(None, 0, 0))
    forward = jax.jit(batched)
    gradient = jax.jit(jax.grad(lambda w, re, im: (batched(w, re, im) ** 2).sum(), argnums=(0, 1, 2)))
    rng = np.random.default_rng(1)
    weights = jnp.asarray(rng.normal(scale=0.1, size=14 * LAYERS), dtype=jnp.float32)
    for batch in batches:
        re, im = (jnp.asarray(part, dtype=jnp.float32) for part in rng.normal(scale=0.5, size=(2, batch, MODES)))
        for name, call in (("forward", forward), ("gradient", gradient)):
            if name == "gradient" and batch != 8:
                continue

            def run(call: Any = call, re: Any = re, im: Any = im) -> Any:
                return jax.block_until_ready(call(weights, re, im))

            results[f"piquasso-jax {name} {batch}"] = cpu_seconds(run)
            print(f"piquasso-jax {name} {batch}", results[f"piquasso-jax {name} {batch}"], flush=True)


def array_code(results: dict[str, float]) -> None:
    connector = pq.NumpyConnector()
    rng = np.random.default_rng(1)
    weights, alphas = rng.normal(scale=0.1, size=28), rng.normal(scale=0.5, size=(2, 8, 2))

    def batch() -> None:
        for re, im in zip(*alphas, strict=True):
            expectations(connector, weights, re, im)

    results["piquasso-numpy forward 8"] = cpu_seconds(batch)


def squeezed_state(modes: int) -> Any:
    """Covariance of squeezed modes behind a random interferometer, hbar = 2."""
    rng = np.random.default_rng(modes)
    unitary, _ = np.linalg.qr(rng.normal(size=(modes, modes)) + 1j * rng.normal(size=(modes, modes)))
    rotation = np.block([[unitary.real, -unitary.imag], [unitary.imag, unitary.real]])
    r = np.full(modes, 0.4)
    return rotation @ np.diag(np.concatenate([np.exp(-2 * r), np.exp(2 * r)])) @ rotation.T


def matchings(results: dict[str, float]) -> None:
    for n in (20, 24):
        matrix = np.random.default_rng(n).normal(size=(n, n))
        matrix = matrix + matrix.T
        results[f"thewalrus hafnian {n}"] = cpu_seconds(partial(thewalrus.hafnian, matrix))
    covariance = squeezed_state(50)
    clicks = [1] * 12 + [0] * 38
    results["thewalrus probability 50 modes 12 photons"] = cpu_seconds(
        lambda: pure_state_amplitude(np.zeros(100), covariance, clicks, check_purity=False)
    )
    results["thewalrus probability 50 modes 12 clicks"] = cpu_seconds(
        lambda: threshold_detection_prob(np.zeros(100), covariance, np.array(clicks))
    )
    o = np.random.default_rng(7).normal(size=(24, 24))
    results["thewalrus torontonian 12"] = cpu_seconds(partial(rec_torontonian, ((o + o.T) / 60).astype(complex)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--batches", default="8,64")
    parser.add_argument("--skip-jax", action="store_true")
    arguments = parser.parse_args()
    results: dict[str, float] = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    matchings(results)
    array_code(results)
    arguments.out.write_text(json.dumps(results, indent=1))
    if not arguments.skip_jax:
        network(results, [int(batch) for batch in arguments.batches.split(",")])
    arguments.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
