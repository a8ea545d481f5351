"""skerry prune: zeros or fewer channels, and a report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.e2e import programs

MODEL = programs.MODELS / "digits_cnn.onnx"


def test_zeros_make_a_compressed_package_smaller(tmp_path: Path) -> None:
    sizes = []
    for ratio in ("0", "0.5", "0.8"):
        told = programs.ok("prune", MODEL, "--ratio", ratio, "-o", tmp_path / "sparse.skerry", "--json").json()
        left = sum(layer["left"] for layer in told["layers"]) / sum(layer["before"] for layer in told["layers"])
        assert abs(left - (1 - float(ratio))) < 0.01
        sizes.append(told["bytes"])
    assert sizes[0] > 1.4 * sizes[1] > 1.4 * sizes[2]


def test_channels_leave_and_the_answers_are_judged(tmp_path: Path) -> None:
    data = load_digits()
    samples = tmp_path / "digits.npz"
    np.savez(samples, x=(data.images[:200, None] / 16).astype(np.float32), labels=data.target[:200])
    out = tmp_path / "thin.onnx"
    command: list[programs.Word] = ["prune", MODEL, "--structured", "--ratio", "0.4", "--multiple", "8"]
    command += ["--judge", samples, "-o", out]
    told = programs.ok(*command, "--json").json()
    assert {layer["left"] % 8 for layer in told["layers"]} == {0}
    assert told["weight_bytes"] < told["weight_bytes_before"]
    assert 0.2 < told["score"] <= told["score_before"]
    assert "right" in programs.ok(*command).out
    assert programs.run("prune", MODEL, "--ratio", "1", "-o", out).code != 0


def test_channels_below_an_importance_leave(tmp_path: Path) -> None:
    left = []
    for threshold in ("0.001", "0.5", "0.9"):
        command: list[programs.Word] = ["prune", MODEL, "--structured", "--importance-threshold", threshold]
        told = programs.ok(*command, "-o", tmp_path / "thin.onnx", "--json").json()
        left.append(sum(layer["left"] for layer in told["layers"]))
    assert left[0] > left[1] > left[2]


def test_training_gives_accuracy_back_and_leaves_zeros_alone(tmp_path: Path) -> None:
    data = load_digits()
    images = (data.images[:, None] / 16).astype(np.float32)
    for name, rows in (("samples", slice(0, 1200)), ("test", slice(1200, None))):
        np.savez(tmp_path / f"{name}.npz", x=images[rows], labels=data.target[rows])
    out, test = tmp_path / "sparse.skerry", tmp_path / "test.npz"
    command: list[programs.Word] = ["prune", MODEL, "--ratio", "0.9", "--judge", test, "-o", out, "--json"]
    alone = programs.ok(*command).json()
    trained = programs.ok(*command, "--train", tmp_path / "samples.npz", "--epochs", "3").json()
    assert trained["score"] > alone["score"] + 0.01
    assert abs(trained["bytes"] - alone["bytes"]) < 0.05 * alone["bytes"], "as many zeros compress as well"
    np.savez(tmp_path / "unlabelled.npz", x=images[:64])
    refused = programs.run(*command, "--train", tmp_path / "unlabelled.npz")
    assert refused.code != 0
    assert "no labels" in refused.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--epochs", "3"], "--epochs requires --train"),
        (["--rate", "0.1"], "--rate requires --train"),
        (["--multiple", "8"], "--multiple requires --structured"),
        (["--importance-threshold", "0.5"], "--importance-threshold requires --structured"),
        (["--each", "--structured"], "--structured excludes --each"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(words: list[programs.Word], told: str, tmp_path: Path) -> None:
    out = tmp_path / "out.skerry"
    refused = programs.run("prune", MODEL, *words, "-o", out)
    assert refused.code == 2
    assert told in refused.err
    assert not out.exists()
