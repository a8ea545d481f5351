"""RegexFullMatch: patterns of RE2 against Python's, patterns that are none, and time that stays linear."""

from __future__ import annotations

import random
import re
import time
from typing import Any

import numpy as np
import pytest
import skerry
from numpy.typing import NDArray
from onnx import TensorProto, helper


def loaded(pattern: str | None) -> skerry.Model:
    attributes = {} if pattern is None else {"pattern": pattern}
    node = helper.make_node("RegexFullMatch", ["x"], ["y"], name="match", **attributes)
    graph = helper.make_graph(
        [node],
        "regex",
        [helper.make_tensor_value_info("x", TensorProto.STRING, None)],
        [helper.make_tensor_value_info("y", TensorProto.BOOL, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    made = skerry.loads(model.SerializeToString(), "regex.onnx")
    assert isinstance(made, skerry.Model)
    return made


def matches(pattern: str, texts: Any) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = loaded(pattern).session().run({"x": np.asarray(texts, object)})["y"]
    return found


PATTERNS = [
    "",
    "a*",
    "(a|b)*abb",
    r"\d{3}-\d{4}",
    r"[a-c]+[^a-c]?",
    r"(?i)abc.*",
    r"x?y?z?|a{2,4}",
    r"(\w+)@(\w+)\.(com|org)",
    "été|ab.",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_matches_what_it_matches_in_python(pattern: str) -> None:
    letters = random.Random(7)
    texts = ["", "abb", "123-4567", "ABCdef", "a@b.com", "été", "abß", "ab\n", "xz", "aaa"]
    texts += ["".join(letters.choices("abcABC1-@.xyz", k=letters.randrange(8))) for _ in range(400)]
    expected = np.array([re.fullmatch(pattern, text, re.ASCII) is not None for text in texts])
    np.testing.assert_array_equal(matches(pattern, texts), expected)


def test_shapes_are_kept() -> None:
    for shape in ((), (0,), (2, 3), (2, 0, 3)):
        texts = np.full(shape, "aa", object)
        found = matches("a+", texts)
        assert found.shape == shape
        assert found.dtype == bool
        assert found.all()


@pytest.mark.parametrize("pattern", ["(", "a{3,1}", "[z-a]", "(?P<n", r"\1(a)", "(?=a)b", "a**{", "(a{1000}){1000}"])
def test_what_is_no_pattern_of_re2_is_refused_when_the_model_is_read(pattern: str) -> None:
    with pytest.raises(skerry.SemanticError, match=r"match: pattern .* is no regular expression: .*syntax of RE2"):
        loaded(pattern)


def test_a_pattern_must_be_there_and_strings_too() -> None:
    with pytest.raises(skerry.TypeMismatch, match="match: RegexFullMatch has no attribute pattern"):
        loaded(None)
    node = helper.make_node("RegexFullMatch", ["x"], ["y"], name="match", pattern="a")
    graph = helper.make_graph(
        [node],
        "regex",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.BOOL, [2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    with pytest.raises(skerry.TypeMismatch, match="needs strings"):
        skerry.loads(model.SerializeToString(), "regex.onnx")


def test_time_does_not_explode_where_backtracking_would() -> None:
    text = "a" * 2000
    begin = time.process_time()
    assert not matches("(a|a)*(a|aa)+b", [text])[0]
    assert time.process_time() - begin < 20  # a backtracker takes longer than the universe has
