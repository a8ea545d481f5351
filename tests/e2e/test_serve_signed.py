"""Signed packages in the server: strangers', old and misplaced ones are refused, and what was served stays."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e import programs, servers
from tests.e2e.servers import Server

RY = 'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit[1] q; {}(a) q[0];'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys `ours` and `theirs`; packages NAME-N.skerry of releases, ours unless they say otherwise."""
    folder = tmp_path_factory.mktemp("signed")
    for name in ("ours", "theirs"):
        programs.ok("keys", "--make", folder / name)
    for gate in ("ry", "rx"):
        (folder / f"{gate}.qasm").write_text(RY.format(gate))
    for name, number, key in (("spin", 3, "ours"), ("spin", 7, "ours"), ("other", 9, "ours"), ("spin", 8, "theirs")):
        words = ("--release", f"{name}={number}", "--sign", folder / f"{key}.key")
        target = folder / (f"{name}-{number}.skerry")
        programs.ok("compile", folder / ("rx.qasm" if number == 7 else "ry.qasm"), "-o", target, *words)
    programs.ok("compile", folder / "ry.qasm", "-o", folder / "plain.skerry")
    programs.ok("compile", folder / "ry.qasm", "-o", folder / "nameless.skerry", "--sign", folder / "ours.key")
    return folder


def place(models: Path, package: Path, version: int = 1, name: str = "spin") -> None:
    folder = models / name / str(version)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(package, folder / f"model{package.suffix}")


def load(server: Server) -> Any:
    return server.post("/v2/repository/models/spin/load", {})


def answers(server: Server) -> bool:
    body = {"inputs": [{"name": "parameters", "datatype": "FP64", "shape": [1, 1], "data": [0.5]}]}
    got = server.post("/v2/models/spin/infer", body)
    return got.status == 200 and np.isclose(got.json()["outputs"][0]["data"][0], np.cos(0.5))


def test_packages_that_are_not_ours_are_not_served(made: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    place(models, made / "spin-3.skerry")
    words = ("--model-repository", models, "--trust", made / "ours.pub")
    with servers.serving(tmp_path, *words) as server:
        assert answers(server)
        whole = (made / "spin-3.skerry").read_bytes()
        forged = tmp_path / "forged.skerry"
        forged.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
        for package in (made / "plain.skerry", made / "spin-8.skerry", forged, made / "ry.qasm"):
            place(models, package)
            refused = load(server)
            assert refused.status in (400, 403) and refused.json()["error"], package
            assert answers(server), "what was served before stays"


def test_an_old_package_is_refused_by_who_served_a_newer_one(made: Path, tmp_path: Path) -> None:
    models, floors = tmp_path / "models", tmp_path / "state" / "releases"
    floors.parent.mkdir()
    place(models, made / "spin-3.skerry")
    words = ("--model-repository", models, "--trust", made / "ours.pub", "--releases", floors)
    with servers.serving(tmp_path, *words) as server:
        assert answers(server) and floors.read_text() == "spin 3\n"
        place(models, made / "spin-7.skerry")
        assert load(server).status == 200 and floors.read_text() == "spin 7\n"
        assert load(server).status == 200, "the same release may come again"
        for package, part in (
            ("spin-3", "release 3 is older than release 7"),
            ("other-9", "another model, 'other'"),
            ("nameless", "no release"),
        ):
            place(models, made / f"{package}.skerry")
            refused = load(server)
            assert refused.status == 403 and part in refused.json()["error"], refused.json()
            assert answers(server)
        # The newest version answers who names none: it must not be an old release under a new number.
        place(models, made / "spin-7.skerry")
        place(models, made / "spin-3.skerry", 2)
        assert load(server).status == 403
        place(models, made / "spin-3.skerry")
        place(models, made / "spin-7.skerry", 2)
        assert load(server).status == 200, "an old release beside the new one, for who asks for it"
    shutil.rmtree(models / "spin" / "2")
    with servers.serving(tmp_path, *words) as server:  # the old release alone, and a server that starts anew
        assert server.get("/v2/models/spin").status == 404
        rows = server.post("/v2/repository/index", {}).json()
        assert "older than release 7" in rows[0]["reason"]
    floors.write_text("spin\n")
    damaged = programs.run("serve", *words, "--http", "127.0.0.1:0")
    assert damaged.code == 3 and "releases:1" in damaged.err
    alone = programs.run("serve", "--releases", floors, "--http", "127.0.0.1:0")
    assert alone.code == 2 and "--trust" in alone.err
    wrong = programs.run("compile", made / "ry.qasm", "-o", tmp_path / "x.skerry", "--release", "spin=x")
    assert wrong.code == 2 and "NAME=N" in wrong.err
