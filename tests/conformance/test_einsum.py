"""Random equations of two operands against NumPy, and a transform of every length against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skerry
from onnx import TensorProto, helper

Array = npt.NDArray[Any]


def run(op: str, inputs: list[Array], **attributes: Any) -> Array:
    names = [f"x{i}" for i in range(len(inputs))]
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, inputs, strict=True)
    ]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "g",
        values,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    loaded = skerry.loads(model.SerializeToString())
    assert isinstance(loaded, skerry.Model)
    return np.asarray(loaded.session().run(dict(zip(names, inputs, strict=True)))["y"])


def equation(random: np.random.Generator) -> tuple[str, list[Array]]:
    """Each letter is one of a batch, summed over, or one side's own; now and then of one side and summed."""
    letters = "abcdef"[: random.integers(2, 7)]
    extents = {letter: int(random.integers(1, 5)) for letter in letters}
    sides: list[list[str]] = [[], []]
    result: list[str] = []
    for letter in letters:
        kind = random.choice(["batch", "summed", "left", "right", "lost"], p=[0.25, 0.3, 0.2, 0.2, 0.05])
        for side, kinds in enumerate((("batch", "summed", "left", "lost"), ("batch", "summed", "right"))):
            if kind in kinds:
                sides[side].append(letter)
        if kind in ("batch", "left", "right"):
            result.append(letter)
    for part in (*sides, result):
        random.shuffle(part)
    arrays = [random.standard_normal([extents[letter] for letter in side]).astype(np.float32) for side in sides]
    return f"{''.join(sides[0])},{''.join(sides[1])}->{''.join(result)}", arrays


@pytest.mark.parametrize("seed", range(150))
def test_an_einsum_is_numpys(seed: int) -> None:
    text, arrays = equation(np.random.default_rng(seed))
    np.testing.assert_allclose(
        run("Einsum", arrays, equation=text), np.einsum(text, *arrays), rtol=1e-4, atol=1e-5, err_msg=text
    )


@pytest.mark.parametrize("length", [1, 2, 3, 8, 30, 37, 64, 97, 210, 1009, 4096])
def test_a_transform_is_numpys(length: int) -> None:
    random = np.random.default_rng(length)
    x = random.standard_normal((2, length, 2)).astype(np.float32)
    numbers = x[..., 0] + 1j * x[..., 1].astype(np.float64)
    for inverse, theirs in ((0, np.fft.fft(numbers)), (1, np.fft.ifft(numbers))):
        ours = run("DFT", [x], inverse=inverse)
        np.testing.assert_allclose(ours[..., 0] + 1j * ours[..., 1], theirs, rtol=1e-5, atol=1e-5 * length**0.5)
    half = run("DFT", [x[..., :1].copy()], onesided=1)
    np.testing.assert_allclose(
        half[..., 0] + 1j * half[..., 1], np.fft.rfft(x[..., 0]), rtol=1e-5, atol=1e-5 * length**0.5
    )
