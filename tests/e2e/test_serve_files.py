"""What others do to the files that a server holds: models are overwritten, logs and folders are shared."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.e2e import programs, servers
from tests.e2e.servers import Server

ROWS, WIDTH = 60_000, 16  # 3.8 MB: weights of small files are not left in a map of the file


def write_table(path: Path, table: Any, data: Path | None = None) -> None:
    """y = table[i], with its weights in the file or in one beside it."""
    node = helper.make_node("Gather", ["table", "i"], ["y"])
    i = helper.make_tensor_value_info("i", TensorProto.INT64, ["rows"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", WIDTH])
    graph = helper.make_graph([node], "table", [i], [y], [numpy_helper.from_array(table, "table")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if data is None:
        onnx.save(model, path)
    else:
        onnx.save(model, path, save_as_external_data=True, location=data.name)


def rows_of(server: Server, rows: Any) -> Any:
    body = {"inputs": [{"name": "i", "datatype": "INT64", "shape": [len(rows)], "data": rows.tolist()}]}
    answer = server.post("/v2/models/table/infer", body)
    assert answer.status == 200, answer.body
    return np.asarray(answer.json()["outputs"][0]["data"], np.float32).reshape(-1, WIDTH)


@pytest.mark.parametrize("kind", ["onnx", "external", "package"])
def test_a_served_file_that_is_cut_off_or_overwritten_in_place_changes_no_answer(tmp_path: Path, kind: str) -> None:
    table = np.random.default_rng(3).random((ROWS, WIDTH), dtype=np.float32)
    folder = tmp_path / "models" / "table" / "1"
    folder.mkdir(parents=True)
    file = held = folder / "model.onnx"
    if kind == "external":
        held = folder / "weights.bin"
        write_table(file, table, held)
    elif kind == "package":
        held = folder / "model.skerry"
        write_table(tmp_path / "table.onnx", table)
        programs.ok("compile", tmp_path / "table.onnx", "-o", held)
    else:
        write_table(file, table)
    size = held.stat().st_size
    assert size > 2 << 20
    wrong: list[str] = []
    done = threading.Event()

    def ask(server: Server, seed: int) -> None:
        random = np.random.default_rng(seed)
        while not done.is_set():
            rows = random.integers(0, ROWS, 200)
            try:
                if not np.array_equal(rows_of(server, rows), table[rows]):
                    wrong.append("another row")
            except (AssertionError, OSError) as error:
                wrong.append(repr(error))
                return

    with servers.serving(tmp_path, "--model-repository", tmp_path / "models") as server:
        threads = [threading.Thread(target=ask, args=(server, seed)) for seed in range(2)]
        for thread in threads:
            thread.start()
        for content in (b"x", b"\xff" * size, b""):
            held.write_bytes(content)  # the same inode, as by cp or a shell's >
            try:
                for part in np.array_split(np.arange(ROWS), 12):
                    assert np.array_equal(rows_of(server, part), table[part])
            except OSError as error:
                wrong.append(repr(error))
        done.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        # It is refused when it is read again, and what is served stays.
        assert server.post("/v2/repository/models/table/load", {}).status >= 400
        assert np.array_equal(rows_of(server, np.arange(5)), table[:5])
