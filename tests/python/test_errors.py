"""One table of errors, one class each; every refusal says where and what to change."""

import builtins
import json
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import skerry
from skerry import _core, errors


def test_every_row_of_the_table_has_its_class_and_no_class_is_left_over() -> None:
    classes: dict[str, type[skerry.Error]] = {n: thing for n, thing in vars(errors).items() if isinstance(thing, type)}
    del classes["Error"]
    assert {row[3] for row in _core.error_table()} == set(classes)
    for code, _, _, name in _core.error_table():
        assert classes[name].code == code
        assert issubclass(classes[name], skerry.Error)
        assert getattr(skerry, name) is classes[name]
        assert any(
            issubclass(classes[name], getattr(builtins, kind)) for kind in dir(builtins) if kind.endswith("Error")
        )


def test_an_error_has_message_place_and_hint_and_survives_pickling() -> None:
    with pytest.raises(skerry.InvalidArgument) as caught:
        skerry.Simulator(precision="half")  # type: ignore[arg-type]
    error = caught.value
    assert (error.code, error.where) == ("invalid_argument", "precision")
    assert str(error) == f"precision: {error.message}; {error.hint}"
    twin = pickle.loads(pickle.dumps(error))
    assert (type(twin), str(twin), twin.where) == (type(error), str(error), error.where)


def test_errors_of_files_are_also_the_built_in_kinds(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        skerry.load(tmp_path / "absent.qasm")
    assert "absent.qasm" in str(caught.value)
    with pytest.raises(OSError):
        skerry.load(tmp_path)
    twin = pickle.loads(pickle.dumps(caught.value))
    assert str(twin) == str(caught.value)


def test_every_invalid_circuit_is_refused_with_its_line(circuits: Path) -> None:
    manifest = json.loads((circuits / "invalid/manifest.json").read_text())
    for case in manifest["cases"]:
        path = circuits / "invalid" / case["file"]
        if case["expect"] != "reject":  # either way is right, as long as it is told politely
            with suppress(skerry.SyntaxError):
                skerry.load(path)
            continue
        with pytest.raises(skerry.Error) as caught:
            skerry.load(path)
        assert not isinstance(caught.value, skerry.InternalError), case["file"]
        if case.get("line"):
            assert f"{case['file']}:{case['line']}" in caught.value.where, (case["file"], caught.value.where)


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"\xff\xfe\xfd", b"{", b"[1, 2", b"hello", b"\x08\x07" * 50])
def test_bytes_of_no_known_format_are_refused(data: bytes) -> None:
    with pytest.raises(skerry.Error):
        skerry.loads(data)


def test_a_process_that_was_refused_ends_cleanly() -> None:
    # In a process of its own: a crash at exit would be missed here.
    code = "import skerry\ntry: skerry.run(skerry.Circuit(40), state=True)\nexcept skerry.BudgetExceeded: print('ok')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("ok\n", "")
