"""Every operator against ONNX's own node cases, attribute by attribute; also the inferred types against ONNX's."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
import skerry
from onnx.backend.test.case.test_case import TestCase

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = re.findall(r"^SKERRY_OP\((\w+)\)", (ROOT / "src/ops/nn/ops.def").read_text(), re.MULTILINE)


@cache
def cases() -> list[TestCase]:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some cases divide by zero on purpose
        return [case for case in collect_testcases(None) if case.model is not None]


def row_of(operator: str) -> str:
    return operator.replace("_", "").lower()


@cache
def cases_by_row() -> dict[str, list[TestCase]]:
    """Cases by the row of ops.def that their first node belongs to; expanded ones test the operators of their body."""
    grouped: dict[str, list[TestCase]] = {}
    for case in cases():
        nodes = case.model.graph.node
        if nodes and nodes[0].domain == "":
            grouped.setdefault(row_of(nodes[0].op_type), []).append(case)
    return grouped


class Outcome(NamedTuple):
    verdict: str  # passed, unsupported or failed
    why: str


def difference(ours: Any, theirs: Any, case: TestCase) -> str:
    """Of arrays, or lists of such, or nothing at all."""
    if theirs is None:
        return "" if ours is None else f"{ours} instead of nothing"
    if isinstance(theirs, list):
        if not isinstance(ours, list) or len(ours) != len(theirs):
            return f"{ours} instead of a list of {len(theirs)}"
        found = [difference(mine, yours, case) for mine, yours in zip(ours, theirs, strict=True)]
        return next(filter(None, found), "")
    theirs = np.asarray(theirs)
    if theirs.dtype.kind in "OUS":
        return "" if ours.shape == theirs.shape and ours.tolist() == theirs.tolist() else f"{ours} instead of {theirs}"
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return f"{ours.dtype}{ours.shape} instead of {theirs.dtype}{theirs.shape}"
    if case.name.startswith("test_bernoulli"):  # each runtime draws for itself: test_random_operators.py
        return "" if np.isin(ours, [0, 1]).all() else "has other values than 0 and 1"
    if theirs.dtype.kind in "biu":
        return "" if np.array_equal(ours, theirs) else f"{int(np.sum(ours != theirs))} elements differ"
    wide = np.complex128 if theirs.dtype.kind == "c" else np.float64
    mine, yours = ours.astype(wide), theirs.astype(wide)
    # Two units in the last place of a half; a few of f32 beside the largest element, which a transform sums up.
    rounding = {"bfloat16": 2**-6, "float16": 2**-9}.get(theirs.dtype.name, case.rtol)
    finite = np.abs(yours[np.isfinite(yours)])
    spread = 8 * np.finfo(np.float32).eps * float(finite.max()) if finite.size else 0.0
    if np.allclose(mine, yours, rtol=max(rounding, case.rtol), atol=max(case.atol, spread), equal_nan=True):
        return ""
    return f"differs by up to {np.nanmax(np.abs(mine - yours)):.3g}"


def as_array(value: Any) -> Any:
    """What can be an array as one, or as a list; cases of types that numpy lacks come as messages."""
    if isinstance(value, onnx.SequenceProto):
        return onnx.numpy_helper.to_list(value)
    if isinstance(value, onnx.OptionalProto):
        return onnx.numpy_helper.to_optional(value)
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def with_shapes_known(model: onnx.ModelProto, inputs: list[Any]) -> tuple[onnx.ModelProto, list[Any]]:
    """The model with its small integer inputs as constants, since what flows into a shape must be known to a plan."""
    made, rest = onnx.ModelProto(), []
    made.CopyFrom(model)
    del made.graph.input[:]
    for position, (info, array) in enumerate(zip(model.graph.input, inputs, strict=True)):
        may_be_shape = position > 0 or len(inputs) == 1
        if may_be_shape and isinstance(array, np.ndarray) and array.ndim <= 1 and array.dtype == np.int64:
            made.graph.initializer.append(onnx.numpy_helper.from_array(array, info.name))
        else:
            made.graph.input.append(info)
            rest.append(array)
    return made, rest


def lowered(model: onnx.ModelProto, newest: int) -> onnx.ModelProto | None:
    """The model declared for an older opset, if none of its operators has changed since."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for opset in made.opset_import:
        if opset.domain:
            continue
        for node in made.graph.node:
            if node.domain == "" and onnx.defs.get_schema(node.op_type, opset.version).since_version > newest:
                return None
        opset.version = newest
    made.ir_version = min(made.ir_version, 11)
    return made


def in_a_known_opset(case: TestCase) -> onnx.ModelProto:
    try:
        skerry.loads(case.model.SerializeToString(), case.name)
    except skerry.VersionTooNew as error:
        newest = re.search(r"newest known is (\d+)", str(error))
        made = lowered(case.model, int(newest[1])) if newest else None
        if made is None:
            raise
        return made
    return case.model


def check(case: TestCase, proto: onnx.ModelProto, inputs: list[Any], expected: list[Any]) -> str:
    """What is wrong with our answer; nothing if it is right."""
    model = skerry.loads(proto.SerializeToString(), case.name)
    assert isinstance(model, skerry.Model)
    names = [info.name for info in model.inputs]
    outputs = model.session().run(dict(zip(names, inputs, strict=True)))
    for info, theirs in zip(model.outputs, expected, strict=True):
        wrong = difference(outputs[info.name], theirs, case)
        if wrong:
            return f"{info.name} {wrong}"
    return ""


def outcome(case: TestCase) -> Outcome:
    try:
        for data_set in case.data_sets:
            inputs, expected = ([as_array(value) for value in values] for values in data_set)
            proto = in_a_known_opset(case)
            try:
                wrong = check(case, proto, inputs, expected)
            except skerry.Unsupported as error:
                if "not known before the run" not in str(error):
                    raise
                wrong = check(case, *with_shapes_known(proto, inputs), expected)
            if wrong:
                return Outcome("failed", wrong)
    except (skerry.Unsupported, skerry.VersionTooNew) as error:
        return Outcome("unsupported", str(error))
    except skerry.TypeMismatch as error:
        # Element types that numpy has only by an extension cannot be fed to any model.
        return Outcome("unsupported" if "are not understood" in str(error) else "failed", str(error))
    except Exception as error:  # whatever comes is told beside its case
        return Outcome("failed", f"{type(error).__name__}: {error}")
    return Outcome("passed", "")


@cache
def outcome_of(name: str) -> Outcome:
    return outcome(next(case for case in cases() if case.name == name))


@pytest.mark.parametrize("row", ROWS)
def test_an_operator_equals_onnx_in_every_case_that_it_takes(row: str) -> None:
    own = cases_by_row().get(row_of(row), [])
    if not own:
        pytest.skip("not an operator of ONNX, or one without node cases")
    outcomes = {case.name: outcome_of(case.name) for case in own}
    failures = {name: found.why for name, found in outcomes.items() if found.verdict == "failed"}
    assert failures == {}
    if all("newest known" in found.why for found in outcomes.values()):
        pytest.skip("every case is of a newer form of the operator")
    assert any(found.verdict == "passed" for found in outcomes.values()), outcomes


def test_no_case_fails_and_the_count_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = {case.name: outcome_of(case.name) for case in cases()}
    count = Counter(found.verdict for found in outcomes.values())
    reasons = Counter(
        re.sub(r"^\S+: | \(.*", "", found.why)[:60] for found in outcomes.values() if found.verdict == "unsupported"
    )
    with capsys.disabled():
        print(f"\nONNX node cases: {dict(count)}")
        for reason, times in reasons.most_common(12):
            print(f"  {times:5} unsupported: {reason}")
    failures = {name: found.why for name, found in outcomes.items() if found.verdict == "failed"}
    assert failures == {}


def without_output_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with nothing said about its outputs but their element types."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for output in bare.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.ClearField("shape")
    return bare


def extents(info: onnx.ValueInfoProto) -> list[int | None] | None:
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]


def test_inferred_types_agree_with_onnx_wherever_both_know_them() -> None:
    checked, wrong = 0, []
    for case in cases():
        if any(info.type.tensor_type.elem_type == onnx.TensorProto.STRING for info in case.model.graph.input):
            continue
        bare = without_output_shapes(case.model)
        try:
            ours = skerry.loads(bare.SerializeToString(), case.name)
            theirs = onnx.shape_inference.infer_shapes(bare, data_prop=True)
        except (skerry.Unsupported, skerry.VersionTooNew, onnx.shape_inference.InferenceError):
            continue
        except skerry.Error as error:
            wrong.append(f"{case.name}: {error}")
            continue
        assert isinstance(ours, skerry.Model)
        for mine, yours in zip(ours.outputs, theirs.graph.output, strict=True):
            known = extents(yours)
            if mine.shape is None or known is None:
                continue
            checked += 1
            if len(known) != len(mine.shape) or any(
                isinstance(a, int) and b is not None and a != b for a, b in zip(mine.shape, known, strict=False)
            ):
                wrong.append(f"{case.name}: {mine} but ONNX infers {known}")
    assert wrong == []
    assert checked >= 10
