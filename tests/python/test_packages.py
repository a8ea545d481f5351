"""Packages: saved, loaded, signed, refused when damaged."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import skerry
from skerry import Circuit, Parameter


def example() -> Circuit:
    return Circuit(3).h(0).crx(Parameter("t"), 0, 1).measure_all()


@pytest.mark.parametrize("compress", [False, True])
def test_a_circuit_comes_back_equal_and_equal_programs_give_equal_bytes(tmp_path: Path, compress: bool) -> None:
    for name in ("a", "b"):
        skerry.save(example(), tmp_path / name, compress=compress, metadata={"who": "a test"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert skerry.load(tmp_path / "a") == example()
    assert skerry.loads((tmp_path / "a").read_bytes()) == example()


def test_a_model_comes_back_with_the_same_answers(tmp_path: Path, models: Path) -> None:
    model = skerry.load(models / "digits_cnn.onnx")
    skerry.save(model, tmp_path / "digits.skerry", compress=True)
    again = skerry.load(tmp_path / "digits.skerry")
    with np.load(models / "digits_cnn.npz") as arrays:
        x = arrays["in_x"]
    first = skerry.run(model, inputs={"x": x}).outputs
    second = skerry.run(again, inputs={"x": x}).outputs
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_only_the_right_signature_is_trusted(tmp_path: Path) -> None:
    skerry.make_keys(tmp_path / "mine")
    skerry.make_keys(tmp_path / "theirs")
    skerry.save(example(), tmp_path / "signed", key=tmp_path / "mine.key")
    skerry.save(example(), tmp_path / "plain")
    assert skerry.load(tmp_path / "signed", trusted=[tmp_path / "mine.pub"]) == example()
    for name, key in (("signed", "theirs.pub"), ("plain", "mine.pub")):
        with pytest.raises(skerry.BadSignature):
            skerry.load(tmp_path / name, trusted=[tmp_path / key])
    with pytest.raises(PermissionError):
        (tmp_path / "text.qasm").write_text("OPENQASM 3.0; qubit q;")
        skerry.load(tmp_path / "text.qasm", trusted=[tmp_path / "mine.pub"])


def test_damage_is_an_error_never_a_wrong_circuit(tmp_path: Path) -> None:
    path = tmp_path / "a.skerry"
    skerry.save(example(), path)
    good = path.read_bytes()
    random = np.random.default_rng(1)
    for place in random.integers(0, len(good), 200):
        bad = bytearray(good)
        bad[place] ^= 0x10
        with suppress(skerry.Error):
            assert skerry.loads(bytes(bad)) == example()
    for length in range(0, len(good), 37):
        with pytest.raises(skerry.Error):
            skerry.loads(good[:length])


def test_a_save_that_cannot_be_done_leaves_the_old_file(tmp_path: Path) -> None:
    with pytest.raises(skerry.Error):
        skerry.save(example(), tmp_path / "no such folder" / "a.skerry")
    with pytest.raises(TypeError):
        skerry.save("a circuit", tmp_path / "a.skerry")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
