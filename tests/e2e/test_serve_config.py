"""Options of verbs from configuration and environment, and a server that takes them up while it runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import programs, servers


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def counts(*words: programs.Word, extra: dict[str, str] | None = None) -> int:
    done = programs.run("run", programs.BELL, "--json", *words, extra=extra)
    assert done.code == 0, done.err
    return sum(done.json()["counts"].values())


def test_a_verb_s_options_come_from_file_environment_and_flags_in_this_order(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("threads = 1\n[run]\nshots = 50\n[plan]\nshots = 3\n")
    assert counts("--config", config) == 50
    assert counts(f"--config={config}") == 50
    assert counts("--config", config, extra={"SKERRY_RUN_SHOTS": "70"}) == 70
    assert counts("--config", config, "--shots", "90", extra={"SKERRY_RUN_SHOTS": "70"}) == 90
    assert counts(extra={"SKERRY_RUN_SHOTS": "8"}) == 8
    assert counts(extra={"SKERRY_PLAN_SHOTS": "no"}) == 1024  # another verb's mistake is that verb's


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[run]\nshotz = 5", "c.toml:2: there is no option 'shotz'; did you mean 'shots'"),
        ("[run]\nshots = 'many'", "c.toml:2: 'many'"),
        ("[run]\nshots = {a = 1}", "no plain value"),
        ("[runn]\nshots = 5", "there is no setting 'runn'"),
        ("[run]\nmemory = [1, 2", "c.toml:"),
        ("run = 5", "there is no setting 'run'"),
        ("[run]\nthreads = 1", "c.toml:2: 'threads' is a setting of all verbs; write it above the first table"),
    ],
)
def test_a_mistake_in_a_verb_s_table_is_told_by_its_line(tmp_path: Path, text: str, word: str) -> None:
    config = tmp_path / "c.toml"
    config.write_text(text)
    refused = programs.run("run", programs.BELL, "--config", config)
    assert refused.code in (2, 3) and word in refused.err, refused.err
    assert programs.run("run", "--help", "--config", config).code == 0


def test_lists_and_flags_can_stand_in_a_table(tmp_path: Path) -> None:
    program = tmp_path / "p.qasm"
    program.write_text('OPENQASM 3.0; include "stdgates.inc"; input float a; input float b; qubit q; rx(a + b) q;')
    config = tmp_path / "c.toml"
    config.write_text('[run]\nparam = ["a=1", "b=2.141592653589793"]\nprobabilities = true\nexact = true\n')
    done = programs.run("run", program, "--json", "--config", config).json()
    assert done["probabilities"]["data"] == pytest.approx([0, 1], abs=1e-12)
    refused = programs.run("run", program, "--config", config, extra={"SKERRY_RUN_PARAM": "[a=1]"})
    assert refused.code != 0 and "b" in refused.err


@pytest.mark.parametrize(
    ("table", "words", "told"),
    [
        ({"tls_client_ca": "ca.pem"}, (), "--tls-client-ca needs --tls-cert"),
        ({"jwt_issuer": "https://id"}, (), "--jwt-issuer needs --jwt-keys"),
        ({"jwt_audience": "skerry"}, (), "--jwt-audience needs --jwt-keys"),
        ({"tls_key": "key.pem"}, (), "--tls-key needs --tls-cert"),
        ({}, ("--tls-cert", "cert.pem"), "--tls-cert needs --tls-key"),
    ],
)
def test_what_guards_a_server_is_refused_where_it_would_guard_nothing(
    tmp_path: Path, table: dict[str, str], words: tuple[str, ...], told: str
) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[serve]\n" + "".join(f'{name} = "{value}"\n' for name, value in table.items()))
    refused = programs.run("serve", "--http", "127.0.0.1:0", "--config", config, *words)
    assert refused.code == 2 and told in refused.err, refused.err


def test_a_certificate_and_its_key_may_come_from_two_sides(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[serve]\ntls_key = "no-key.pem"\n')
    refused = programs.run("serve", "--http", "127.0.0.1:0", "--config", config, "--tls-cert", "no-cert.pem")
    assert "no-cert.pem" in refused.err and "needs" not in refused.err


def test_limits_that_wait_for_a_restart_are_told(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("max_memory_mb = 2000\nmax_execution_time = 50\nthreads = 2\n")
    with servers.serving(tmp_path, "--config", config) as server:
        for changed, told in (
            ("max_memory_mb = 50\nmax_execution_time = 50\nthreads = 2\n", "max-memory-mb"),
            ("max_memory_mb = 2000\nmax_execution_time = 1\nthreads = 1\n", "threads, max-execution-time"),
            ("max_memory_mb = 2000\nmax_execution_time = 50\nthreads = 2\n", None),
        ):
            config.write_text(changed)
            servers.reload(server)
            last = [line for line in server.logged() if line["event"] in ("reloaded", "not reloaded")][-1]
            assert last["event"] == "reloaded" and last.get("needs_a_restart") == told, last


def test_a_server_takes_up_changed_files_by_itself_and_says_what_has_to_wait(tmp_path: Path) -> None:
    made = [programs.run("serve", "--make-key", name, "--json").json() for name in ("ann", "bob")]
    keys, config = tmp_path / "keys", tmp_path / "c.toml"
    keys.write_text(made[0]["line"] + "\n")
    config.write_text(f'[serve]\nkeys = "{keys}"\nmax_queue = 7\n')
    with servers.serving(tmp_path, "--config", config) as server:

        def status(number: int) -> int:
            return server.get("/v2/models/stats", headers={"X-API-Key": made[number]["key"]}).status

        assert [status(0), status(1)] == [200, 401]
        keys.write_text(made[0]["line"] + "\n" + made[1]["line"] + "\n")  # no signal
        until(lambda: status(1) == 200)
        config.write_text(f'[serve]\nkeys = "{keys}"\nmax_queue = 9\nlog_requests = true\ndrain_seconds = 3\n')
        until(lambda: any(line.get("needs_a_restart") == "batches" for line in server.logged()))
        assert status(0) == 200
        until(lambda: any(line["event"] == "request" and line["status"] == 200 for line in server.logged()))
        config.write_text("[serve]\nkeys = 5x\n")
        until(lambda: any(line["event"] == "not reloaded" and "c.toml:2" in line["error"] for line in server.logged()))
        assert [status(0), status(1)] == [200, 200]  # all stays as it was
        other = tmp_path / "other"
        other.write_text(made[1]["line"] + "\n")
        config.write_text(f'[serve]\nkeys = "{other}"\n')
        until(lambda: [status(0), status(1)] == [401, 200])
    assert all(json.dumps(line) for line in server.logged())


def test_a_server_that_was_guarded_stays_guarded(tmp_path: Path) -> None:
    made = programs.run("serve", "--make-key", "ann", "--json").json()
    keys, config = tmp_path / "keys", tmp_path / "c.toml"
    keys.write_text(made["line"] + "\n")
    config.write_text(f'[serve]\nkeys = "{keys}"\n')
    with servers.serving(tmp_path, "--config", config) as server:
        assert server.get("/v2/models/stats").status == 401
        config.write_text("")
        until(lambda: any(line["event"] == "not reloaded" for line in server.logged()))
        assert server.get("/v2/models/stats").status == 401
        keys.unlink()
        servers.reload(server)
        assert server.get("/v2/models/stats", headers={"X-API-Key": made["key"]}).status == 200
