"""Batches on several machines: workers are processes of this one."""

import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import skerry
from skerry import cv
from skerry.cv.machines import MOST_BYTES, Machines, Worker, packed, unpacked, worker_server

TOKEN = "a token that both know"


@pytest.fixture(scope="module")
def workers() -> Iterator[list[str]]:
    """Two processes that compute for others."""
    command = [sys.executable, "-m", "skerry.cv.machines", "--port", "0"]
    environment = {**os.environ, "SKERRY_WORKER_TOKEN": TOKEN}
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    try:
        yield [child.stdout.readline().strip() for child in children if child.stdout]
    finally:
        for child in children:
            child.kill()
            child.communicate()


@pytest.fixture
def strategy() -> Iterator[str]:
    yield "machines"
    cv.unregister_strategy("machines")


@pytest.mark.parametrize("encoding", ["coherent_state", "direct_displacement", "classical_neural"])
def test_two_processes_give_the_bits_of_one(workers: list[str], strategy: str, encoding: str) -> None:
    settings: dict[str, Any] = {"n_modes": 2, "latent_dim": 3, "cutoff_dim": 7, "encoding_strategy": encoding}
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator, **settings)
    machines = Machines(workers, token=TOKEN)
    cv.register_strategy(strategy, machines)
    for size in (1, 2, 41):
        z = np.random.default_rng(size).normal(scale=0.4, size=(size, 3))
        assert np.array_equal(generator.generate_threaded(z, strategy), generator.generate(z))
    generator.parameters += 0.01  # workers take the parameters of each call
    assert np.array_equal(generator.generate_threaded(z, strategy), generator.generate(z))
    assert generator.get_performance_report()["strategy_usage"] == {strategy: 4}
    assert list(machines.samples.values()) == [1 + 1 + 21 + 21, 0 + 1 + 20 + 20]


def test_a_worker_that_is_gone_is_done_without(workers: list[str], strategy: str) -> None:
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator)
    z = np.random.default_rng(1).normal(scale=0.4, size=(5, 4))
    for machines in (Machines([workers[0], "http://127.0.0.1:9"], TOKEN), Machines(workers, "another")):
        cv.register_strategy(strategy, machines)
        assert np.array_equal(generator.generate_threaded(z, strategy), generator.generate(z))
    assert generator.get_performance_report()["recoveries"] == 2


def status_of(url: str, body: bytes, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {TOKEN}", **headers})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    with refused.value:
        return refused.value.code, refused.value.read().decode()


def test_a_worker_refuses_strangers_and_nonsense_and_goes_on(workers: list[str], strategy: str) -> None:
    url = workers[0]
    good = cv.QuantumSFGenerator()
    z = np.zeros((2, 4))
    assert status_of(url, b"", Authorization="Bearer x")[0] == 401
    assert status_of(url, b"x", **{"Content-Length": str(MOST_BYTES + 1)})[0] == 413
    assert status_of(url, b"nonsense") == (400, "not a batch for a worker: File is not a zip file")
    assert "not a batch" in status_of(url, packed(good.settings, z=z))[1]  # no parameters
    assert "send [batch, 4]" in status_of(url, packed(good.settings, parameters=good.parameters, z=z[:, :3]))[1]
    huge = good.settings._replace(modes=70)
    assert status_of(url, packed(huge, parameters=good.parameters, z=z))[0] == 400
    for odd in ({"cutoff": "eight"}, {"modes": [2]}, {"cutoff": -1}, {"encoding": "telepathy"}):
        assert status_of(url, packed(good.settings._replace(**odd), parameters=good.parameters, z=z))[0] == 400
    many = np.zeros(MOST_BYTES // 8 + 1)
    with pytest.raises(skerry.LimitExceeded):
        unpacked(packed(z=many), "z")
    with pytest.raises(skerry.InvalidArgument, match="pickle"):  # objects are not read: their code would run
        unpacked(packed(z=np.array([{}], dtype=object)), "z")
    cv.register_strategy(strategy, Machines(workers, token=TOKEN))
    generator = cv.create_threaded_quantum_generator(cv.QuantumSFGenerator)
    assert np.array_equal(generator.generate_threaded(z, strategy), generator.generate(z))
    assert generator.get_performance_report()["recoveries"] == 0


def test_a_worker_for_the_network_wants_a_token_and_a_strategy_wants_workers() -> None:
    with pytest.raises(skerry.InvalidArgument, match="needs a token"):
        worker_server("0.0.0.0")
    with pytest.raises(skerry.InvalidArgument, match="one URL or more"):
        Machines([])
    with pytest.raises(skerry.InvalidArgument, match="http://HOST:PORT"):
        Machines(["file:///etc/passwd"])


def test_a_worker_in_this_process_serves_many_callers_at_once() -> None:
    worker = Worker()
    generator = cv.QuantumSFGenerator(n_modes=1, latent_dim=2)
    z = np.random.default_rng(2).normal(scale=0.4, size=(30, 2))
    expected, answers = generator.generate(z), []

    def call() -> None:
        for _ in range(5):
            body = packed(generator.settings, parameters=generator.parameters, z=z)
            answers.append(unpacked(worker.answer(body), "samples")[0])

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(answers) == 40
    assert all(np.array_equal(answer, expected) for answer in answers)
