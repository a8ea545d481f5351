"""skerry quantize: archives in, models and a report out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.e2e import programs

MODEL = programs.MODELS / "digits_cnn.onnx"


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    data = load_digits()
    path = tmp_path / "digits.npz"
    np.savez(path, x=(data.images[:400, None] / 16).astype(np.float32), labels=data.target[:400])
    return path


@pytest.mark.parametrize("kind", ["int8", "int8-weights", "int4-weights"])
def test_the_report_is_that_of_the_file_that_was_written(tmp_path: Path, samples: Path, kind: str) -> None:
    out = tmp_path / "small.onnx"
    told = programs.ok("quantize", MODEL, "--data", samples, "--kind", kind, "-o", out, "--json").json()
    assert told["bytes"] == out.stat().st_size < 0.4 * MODEL.stat().st_size == 0.4 * told["bytes_before"]
    assert told["score"] >= told["score_before"] - 0.01
    assert {layer["weights"] for layer in told["layers"]} == ({"i4", "i8"} if kind == "int4-weights" else {"i8"})
    programs.ok("run", out, "--input", f"x={one_image(tmp_path)}")


def one_image(folder: Path) -> Path:
    path = folder / "x.npy"
    np.save(path, np.zeros((1, 1, 8, 8), np.float32))
    return path


def test_compressed_archives_say_the_same(tmp_path: Path, samples: Path) -> None:
    with np.load(samples) as arrays:
        np.savez_compressed(tmp_path / "packed.npz", **dict(arrays))
    reports = []
    for data in (samples, tmp_path / "packed.npz"):
        out = tmp_path / f"{data.stem}.onnx"
        programs.ok("quantize", MODEL, "--data", data, "-o", out)
        reports.append(out.read_bytes())
    assert reports[0] == reports[1]


def test_a_loss_that_may_not_be_keeps_layers_wide(tmp_path: Path, samples: Path) -> None:
    command: list[programs.Word] = ["quantize", MODEL, "--judge", samples, "--kind", "int4-weights", "--json"]
    command += ["--block", "4096", "-o"]
    loose = programs.ok(*command, tmp_path / "a.onnx").json()
    tight = programs.ok(*command, tmp_path / "b.onnx", "--max-loss", "0").json()
    assert loose["score"] < tight["score_before"] <= tight["score"]
    assert tight["bytes"] > loose["bytes"]


def test_what_does_not_fit_is_refused(tmp_path: Path, samples: Path) -> None:
    broken = tmp_path / "broken.npz"
    broken.write_bytes(samples.read_bytes()[:-40])
    np.savez(tmp_path / "other.npz", y=np.zeros((3, 1, 8, 8), np.float32))
    np.savez(tmp_path / "labels.npz", x=np.zeros((3, 1, 8, 8), np.float32), labels=np.zeros(2, np.int64))
    for data, words in (
        (broken, "archive"),
        (tmp_path / "other.npz", "no array 'x'"),
        (tmp_path / "labels.npz", "3 samples"),
        (tmp_path / "none.npz", "none.npz"),
        (MODEL, "no .npz archive"),
    ):
        done = programs.run("quantize", MODEL, "--data", data, "-o", tmp_path / "out.onnx")
        assert done.code != 0
        assert words in done.err, done.err
    assert "none" in programs.run("quantize", MODEL, "-o", tmp_path / "out.onnx").err
    assert "not a model" in programs.run("quantize", programs.BELL, "-o", tmp_path / "out.onnx").err


def test_damaged_archives_never_crash(tmp_path: Path, samples: Path) -> None:
    rng = np.random.default_rng(5)
    with np.load(samples) as arrays:
        np.savez_compressed(tmp_path / "small.npz", x=arrays["x"][:4], labels=arrays["labels"][:4])
    whole = (tmp_path / "small.npz").read_bytes()
    for _ in range(25):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            damaged[at] = rng.integers(0, 256)
        path = tmp_path / "damaged.npz"
        path.write_bytes(damaged)
        assert 0 <= programs.run("quantize", MODEL, "--data", path, "-o", tmp_path / "out.onnx").code < 70
