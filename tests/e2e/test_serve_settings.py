"""What is traced and logged, asked for by NVIDIA's clients while the server runs, over both protocols."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its generated code is older than the protobuf that reads it
    import tritonclient.grpc as triton_grpc
    import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from tests.e2e import programs, servers
from tests.e2e.test_serve_telemetry import collecting

X = np.full((1, 1, 8, 8), 0.5, np.float32)


class Client:
    """Either client, with settings as plain words."""

    def __init__(self, kind: Any, server: servers.Server) -> None:
        self.kind = kind
        self.own = kind.InferenceServerClient(server.grpc if kind is triton_grpc else f"{server.host}:{server.port}")

    def plain(self, told: Any) -> dict[str, Any]:
        if self.kind is triton_http:
            return {name: value[0] if isinstance(value, list) else value for name, value in told.items()}
        out: dict[str, Any] = {}
        for name, setting in told.settings.items():
            if hasattr(setting, "value"):
                out[name] = setting.value[0]
            else:
                out[name] = getattr(setting, setting.WhichOneof("parameter_choice"))
        return out

    def infer(self, model: str = "digits") -> None:
        tensor = self.kind.InferInput("x", [1, 1, 8, 8], "FP32").set_data_from_numpy(X)
        self.own.infer(model, [tensor])

    def trace(self, settings: dict[str, Any] | None = None, model: str = "") -> dict[str, Any]:
        if settings is None:
            return self.plain(self.own.get_trace_settings(model))
        return self.plain(self.own.update_trace_settings(model, settings))

    def log(self, settings: dict[str, Any] | None = None) -> dict[str, Any]:
        return self.plain(self.own.get_log_settings() if settings is None else self.own.update_log_settings(settings))


@pytest.fixture(params=[triton_http, triton_grpc], ids=["http", "grpc"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    folder = tmp_path_factory.mktemp("settings")
    models = servers.repository(folder / "models")
    with servers.serving(folder, "--model-repository", models, "--grpc", "127.0.0.1:0") as running:
        yield running


def test_traces_are_recorded_as_a_client_says(tmp_path: Path, kind: Any) -> None:
    with collecting(tmp_path) as collector:
        words = ("--model-repository", servers.repository(tmp_path / "m"), "--otlp-endpoint", collector.endpoint)
        with servers.serving(tmp_path, *words, "--grpc", "127.0.0.1:0") as server:
            client = Client(kind, server)
            first = client.trace()
            assert (first["trace_level"], first["trace_rate"], first["trace_count"]) == ("TIMESTAMPS", "1", "-1")
            for _ in range(3):
                client.infer()
            assert client.trace({"trace_level": ["OFF"]})["trace_level"] == "OFF"
            for _ in range(5):
                client.infer()
            assert client.trace({"trace_level": "TIMESTAMPS", "trace_rate": "4"}, "digits")["trace_rate"] == "4"
            assert client.trace(model="bell")["trace_level"] == "OFF"  # of digits alone
            for _ in range(8):
                client.infer()
            cleared = client.trace({"trace_rate": None, "trace_count": "2"}, "digits")
            assert (cleared["trace_rate"], cleared["trace_count"]) == ("1", "2")
            for _ in range(5):
                client.infer()
            assert client.trace(model="digits")["trace_count"] == "0"
        runs = [span for span in collector.spans() if span["name"] == "run digits"]
    assert len(runs) == 3 + 0 + 2 + 2


def test_what_traces_cannot_be_is_refused_and_changes_nothing(server: servers.Server, kind: Any) -> None:
    client = Client(kind, server)
    before = client.trace()
    assert before["trace_level"] == "OFF"  # nobody collects them
    for wrong, reason in (
        ({"trace_level": ["TIMESTAMPS"]}, "no collector"),
        ({"trace_level": ["TENSORS"]}, "tensors are not traced"),
        ({"trace_level": ["LOUD"]}, "OFF or TIMESTAMPS"),
        ({"trace_rate": "0"}, "whole number from 1"),
        ({"trace_rate": "2", "trace_count": "many"}, "whole number from -1"),
        ({"trace_rate": "2", "trace_file": "/tmp/trace"}, "trace_file"),
        ({"nonsense": "1"}, "no setting 'nonsense'"),
    ):
        with pytest.raises(InferenceServerException, match=reason):
            client.trace(wrong)
    assert client.trace() == before
    with pytest.raises(InferenceServerException, match="no model"):
        client.trace(model="nobody")
    usual = {"trace_file": "", "trace_mode": "opentelemetry", "log_frequency": "0"}
    assert client.trace(usual) == before


def test_logs_are_written_as_a_client_says(tmp_path: Path, kind: Any) -> None:
    words = ("--model-repository", servers.repository(tmp_path / "m"), "--grpc", "127.0.0.1:0")
    with servers.serving(tmp_path, *words) as server:
        client = Client(kind, server)

        def lines(level: str) -> int:
            return sum(line["level"] == level for line in server.logged())

        first = client.log()
        assert (first["log_info"], first["log_warning"], first["log_error"], first["log_verbose_level"]) == (
            True, True, True, 0
        )  # fmt: skip
        server.get("/v2")
        quiet = lines("info")
        assert client.log({"log_verbose_level": 1})["log_verbose_level"] == 1
        server.get("/v2")
        assert lines("info") > quiet
        assert server.get("/v2/models/nobody").status == 404
        warned = lines("warning")
        assert warned > 0
        assert client.log({"log_warning": False, "log_info": False})["log_warning"] is False
        loud = lines("info")
        assert server.get("/v2/models/nobody").status == 404
        server.get("/v2")
        assert (lines("warning"), lines("info")) == (warned, loud)
        assert client.log({"log_warning": True})["log_warning"] is True
        assert server.get("/v2/models/nobody").status == 404
        assert lines("warning") > warned
        for wrong in ({"log_file": "/tmp/log"}, {"log_format": "ISO8601"}, {"log_info": False, "log_nothing": True}):
            with pytest.raises(InferenceServerException):
                client.log(wrong)


def test_settings_are_changed_by_admins_alone(tmp_path: Path) -> None:
    made = programs.ok("serve", "--make-key", "alice", "--roles", "read,infer", "--json").json()
    (tmp_path / "keys").write_text(made["line"] + "\n")
    words = ("--model-repository", servers.repository(tmp_path / "m"), "--keys", tmp_path / "keys")
    with servers.serving(tmp_path, *words) as server:
        key = {"X-API-Key": made["key"]}
        for path in ("/v2/trace/setting", "/v2/models/digits/trace/setting", "/v2/logging"):
            assert server.get(path, headers=key).status == 200
            assert server.post(path, {}, headers=key).status == 403
            assert server.get(path).status == 401
