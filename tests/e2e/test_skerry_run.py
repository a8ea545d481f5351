"""skerry-run: the device's program, which knows packages and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.e2e import programs
from tests.e2e.programs import BELL, CIRCUITS, MODELS


def device(*words: programs.Word) -> programs.Finished:
    return programs.run(*words, program=programs.DEVICE)


@pytest.fixture
def bell(tmp_path: Path) -> Path:
    package = tmp_path / "bell.skerry"
    programs.ok("compile", BELL, "-o", package)
    return package


def test_it_counts_what_the_command_line_counts(bell: Path) -> None:
    mine = device(bell, "--shots", "1000", "--seed", "5", "--threads", "1", "--json")
    assert mine.code == 0
    theirs = programs.ok("run", bell, "--shots", "1000", "--seed", "5", "--threads", "2", "--json")
    assert mine.json()["counts"] == theirs.json()["counts"]
    assert mine.json()["process_peak_bytes"] > 100_000


def test_people_read_outcomes_and_the_price(bell: Path) -> None:
    lines = device(bell, "--shots", "10").out.splitlines()
    assert sum(int(line.split()[1]) for line in lines[:-1]) == 10
    assert lines[-1].startswith("statevector")


@pytest.mark.parametrize(("level", "tolerance"), [("high", 0.0), ("medium", 1e-5)])
def test_a_model_gives_the_same_tensors_as_the_command_line(tmp_path: Path, level: str, tolerance: float) -> None:
    package, x = tmp_path / "m.skerry", tmp_path / "x.npy"
    # The command line compiles to the end what it runs, a device takes the package as it is: other kernels, other bits.
    programs.ok("compile", MODELS / "digits_cnn.onnx", "-O", level, "-o", package)
    np.save(x, np.random.default_rng(3).random((1, 1, 8, 8), dtype=np.float32))
    (name,) = programs.ok("run", package, "--input", f"x={x}", "--json").json()["tensors"]
    programs.ok("run", package, "--input", f"x={x}", "--output", f"{name}={tmp_path / 'a.npy'}")
    assert device(package, "--input", f"x={x}", "--output", f"{name}={tmp_path / 'b.npy'}").code == 0
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"), rtol=0, atol=tolerance)


def test_a_large_model_takes_what_was_predicted_and_little_more(tmp_path: Path) -> None:
    package, x = tmp_path / "m.skerry", tmp_path / "x.npy"
    weights = np.random.default_rng(4).standard_normal((2048, 2304)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Softmax", ["p"], ["y"])],
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2048])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2304])],
        [numpy_helper.from_array(weights, "w")],
    )
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph, ir_version=9).SerializeToString())
    programs.ok("compile", tmp_path / "m.onnx", "-O", "high", "-o", package)
    np.save(x, np.random.default_rng(3).standard_normal((1, 2048)).astype(np.float32))
    programs.ok("run", package, "--input", f"x={x}", "--output", f"y={tmp_path / 'a.npy'}")
    mine = device(
        package, "--input", f"x={x}", "--output", f"y={tmp_path / 'b.npy'}", "--threads", "1", "--json"
    ).json()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    assert mine["predicted_bytes"] > 16 << 20  # from where on the program lets go of its own code
    assert mine["process_peak_bytes"] < mine["predicted_bytes"] + 5_500_000


def package_of(folder: Path, op: str, **attributes: object) -> Path:
    domain = "ai.onnx.ml" if op == "FeatureVectorizer" else ""
    node = helper.make_node(op, ["x"], ["y"], name="here", domain=domain, **attributes)
    shape = [4, 3]
    takes = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    dtype = TensorProto.INT32 if op == "Multinomial" else TensorProto.FLOAT
    graph = helper.make_graph([node], op, takes, [helper.make_tensor_value_info("y", dtype, None)])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 22), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=10
    )
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    programs.ok("compile", folder / "m.onnx", "-o", folder / "m.skerry")
    return folder / "m.skerry"


def test_random_numbers_are_those_of_the_command_line(tmp_path: Path) -> None:
    package, x = package_of(tmp_path, "RandomNormalLike"), tmp_path / "x.npy"
    np.save(x, np.zeros((4, 3), np.float32))
    drawn = {}
    for seed in ("5", "6"):
        words = (package, "--input", f"x={x}", "--seed", seed, "--output")
        assert device(*words, f"y={tmp_path / 'a.npy'}").code == 0
        programs.ok("run", *words, f"y={tmp_path / 'b.npy'}")
        drawn[seed] = np.load(tmp_path / "a.npy")
        np.testing.assert_array_equal(drawn[seed], np.load(tmp_path / "b.npy"))
    assert not np.isin(drawn["5"], drawn["6"]).any()


@pytest.mark.parametrize("op", ["Bernoulli", "Multinomial", "FeatureVectorizer"])
def test_what_a_device_leaves_out_is_refused_by_its_name(tmp_path: Path, op: str) -> None:
    package, x = package_of(tmp_path, op), tmp_path / "x.npy"
    np.save(x, np.full((4, 3), 0.5, np.float32))
    programs.ok("run", package, "--input", f"x={x}")
    done = device(package, "--input", f"x={x}", "--json")
    assert done.code != 0
    assert done.json()["error"]["code"] == "unsupported"
    assert f"{op} is not in skerry-run" in done.out + done.err


def test_a_budget_is_kept_before_anything_is_allocated(tmp_path: Path) -> None:
    package = tmp_path / "qft.skerry"
    programs.ok("compile", CIRCUITS / "qft_28.qasm", "-o", package)
    done = device(package, "--max-memory-mb", "100", "--json")
    assert done.code == 4
    assert done.json()["error"]["code"] == "budget_exceeded"
    assert programs.peak_bytes(package, "--max-memory-mb", "100", "--json", program=programs.DEVICE) < 20_000_000


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, ["no package is named", "--help"]),
        (["none.skerry"], 3, ["none.skerry", "No such file"]),
        ([str(BELL)], 3, ["bell_2.qasm", "is not a package", "skerry compile"]),
        (["{bell}", "--shot", "5"], 2, ["--shot", "--help"]),
        (["{bell}", "-x"], 2, ["-x", "--help"]),
        (["{bell}", "--shots"], 2, ["--shots", "missing"]),
        (["{bell}", "--shots", "-5"], 2, ["--shots", "'-5'", "whole number"]),
        (["{bell}", "--shots=1e3"], 2, ["--shots", "'1e3'", "whole number"]),
        (["{bell}", "--max-memory-mb", "nan"], 2, ["--max-memory-mb", "'nan'", "not a number"]),
        (["{bell}", "--max-execution-time", "0"], 2, ["--max-execution-time", "above 0"]),
        (["{bell}", "--precision", "half"], 2, ["--precision", "half", "use single or double"]),
        (["{bell}", "--method", "magic"], 2, ["magic", "statevector"]),
        (["{bell}", "--param", "theta=1"], 2, ["--param", "theta", "it has none"]),
        (["{bell}", "--param", "theta"], 2, ["--param", "NAME=VALUE"]),
        (["{bell}", "--input", "x=x.npy"], 2, ["--input", "no tensors"]),
        (["{bell}", "{bell}"], 2, ["only one package"]),
    ],
)
def test_wrong_words_are_told_what_where_and_how_to_mend(
    bell: Path, words: list[str], code: int, said: list[str]
) -> None:
    done = device(*[word.replace("{bell}", str(bell)) for word in words])
    assert done.code == code
    assert done.out == ""
    for word in said:
        assert word in done.err


def test_help_and_version_are_no_errors() -> None:
    assert "usage: skerry-run PACKAGE" in device("--help").out
    assert device("--version").out.startswith("skerry-run ")


def test_a_damaged_package_is_refused(bell: Path) -> None:
    whole = bell.read_bytes()
    bell.write_bytes(whole[: len(whole) // 2])
    done = device(bell, "--json")
    assert done.code == 3
    assert done.json()["error"]["code"] == "corrupt"
