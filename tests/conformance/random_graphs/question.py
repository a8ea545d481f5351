"""A model of a grown graph, what it is asked, and whether the answer is right."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import onnx
import skerry
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.conformance.random_graphs import blocks, more_rules, quantized, rare_rules, rules
from tests.conformance.random_graphs.grower import Array, Grower, Value, type_info, with_conditions

TOLERANCE = 1e-4
LOW = {
    "float16": (TensorProto.FLOAT16, np.dtype(np.float16)),
    "bfloat16": (TensorProto.BFLOAT16, np.dtype(ml_dtypes.bfloat16)),
}
UNIT = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
RULES = (
    *rules.RULES,
    *rules.RULES,
    *more_rules.RULES,
    *rare_rules.RULES,
    *blocks.RULES,
    *blocks.RULES,
    *quantized.RULES,
    *quantized.RULES,
)
MOST_ROUNDINGS = 100
MOST_AWAY = 0.2  # share of an output's elements that lie on another quantum


class Answer(NamedTuple):
    """wrong: what is wrong about an answer; nothing if it is right. rounded: elements of what was rounded to quanta.
    away: how many of them lie on another one."""

    wrong: str
    rounded: int = 0
    away: int = 0


def grown(seed: int) -> Grower:
    g = Grower(seed)
    g.rules = RULES
    g.grow(g.whole(1, 14))
    return g


def model_of(g: Grower) -> onnx.ModelProto:
    symbolic = g.maybe()
    inputs = []
    for value in g.inputs:
        info = type_info(value)
        if symbolic:
            for i, dim in enumerate(info.type.tensor_type.shape.dim):
                dim.dim_param = f"{value.name}_{i}"
        inputs.append(info)
    outputs = [type_info(value, False) for value in g.ends()]
    graph = helper.make_graph(g.nodes, "random", inputs, outputs, g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", g.opset)], ir_version=10)
    if g.low:
        lower(model.graph, g.low, g.wide)
    return model


def lower(graph: onnx.GraphProto, low: str, wide: set[str]) -> None:
    """Writes a graph of float32 in the type of fewer bits."""
    code, dtype = LOW[low]
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in wide:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(dtype), tensor.name))
    for info in [*graph.input, *graph.output]:
        if info.type.tensor_type.elem_type == TensorProto.FLOAT:
            info.type.tensor_type.elem_type = code
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = code
            if attribute.type == onnx.AttributeProto.GRAPH:
                lower(attribute.g, low, wide)


def given_to(g: Grower, low: str) -> dict[str, Array]:
    return {v.name: v.array.astype(LOW[low][1]) if low and v.array.dtype == np.float32 else v.array for v in g.inputs}


def rounding(g: Grower, model: onnx.ModelProto) -> dict[str, float]:
    """How far the evaluator's answers in float16 are from those in float32; nothing where it cannot compute them."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = ReferenceEvaluator(model).run(None, given_to(g, "float16"))
    except Exception:
        return {}
    away = {}
    for value, array in zip(g.ends(), found, strict=True):
        if value.array.dtype.kind == "f" and array.shape == value.array.shape and array.size:
            with np.errstate(all="ignore"):
                away[value.name] = float(np.abs(array.astype(np.float32) - value.array).max())
    return {name: most for name, most in away.items() if np.isfinite(most)}  # its own sums may overflow


def tolerances(g: Grower) -> dict[str, float]:
    """Of each end of floats: what rounding may make of it."""
    floats = [v for v in g.values if v.array.size and v.array.dtype == np.float32]
    scale = max([1.0, *(float(np.abs(v.array).max()) for v in floats)])
    if not g.low:
        return {value.name: TOLERANCE * scale for value in g.ends()}
    # Eight times what the evaluator loses in float16, and what eight roundings of the largest value lose; where it
    # cannot be asked, 32 of them. No more than 100: its own sums may be worse than that.
    away = rounding(g, model_of_type(g, "float16"))
    roundings = {
        v.name: 8 + 8 * away.get(v.name, 3 * UNIT["float16"] * scale) / UNIT["float16"] / scale for v in g.ends()
    }
    return {name: UNIT[g.low] * scale * min(count, MOST_ROUNDINGS) for name, count in roundings.items()}


def model_of_type(g: Grower, low: str) -> onnx.ModelProto:
    always = numpy_helper.from_array(np.array(True), "always")
    graph = helper.make_graph(
        with_conditions(g.nodes, always.name),
        "random",
        [type_info(v) for v in g.inputs],
        [type_info(v, False) for v in g.ends()],
        [*g.constants, always],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", g.opset)], ir_version=10)
    lower(model.graph, low, g.wide)
    return model


def judged(ours: Array, value: Value, low: str, tolerance: float) -> Answer:
    theirs = value.array
    wanted = LOW[low][1] if low and theirs.dtype == np.float32 else theirs.dtype
    if ours.dtype != wanted or ours.shape != theirs.shape:
        return Answer(f"{value.name} is {ours.dtype}{ours.shape} instead of {wanted}{theirs.shape}")
    if theirs.dtype.kind == "b" or (value.slack is None and theirs.dtype.kind != "f"):
        return Answer("" if np.array_equal(ours, theirs) else f"{value.name} differs")
    if not ours.size:
        return Answer("")
    away = np.abs(ours.astype(np.float64) - theirs)
    allowed = np.broadcast_to(tolerance if value.slack is None else tolerance + 1.001 * value.slack, away.shape)
    if not np.all(away <= allowed):
        worst = np.unravel_index(np.argmax(away - allowed), away.shape)
        return Answer(f"{value.name} differs by {away[worst]:.2e}, more than {allowed[worst]:.2e}")
    if value.slack is None:
        return Answer("")
    count = int(np.sum(away > tolerance))
    wrong = count > max(2, MOST_AWAY * away.size)
    return Answer(f"{value.name}: {count} of {away.size} on another quantum" if wrong else "", away.size, count)


def check(seed: int) -> Answer:
    """What is wrong with the answers to a graph."""
    g = grown(seed)
    written = model_of(g)
    model = skerry.loads(written.SerializeToString(), "random")
    assert isinstance(model, skerry.Model)
    taken = {info.name for info in model.inputs}
    inputs: dict[str, Any] = {name: array for name, array in given_to(g, g.low).items() if name in taken}
    outputs = model.session(threads=1).run(inputs)
    allowed = tolerances(g)
    answers = [judged(outputs[value.name], value, g.low, allowed[value.name]) for value in g.ends()]
    wrong = next((answer.wrong for answer in answers if answer.wrong), "")
    return Answer(wrong, sum(answer.rounded for answer in answers), sum(answer.away for answer in answers))


def wrong_answers(first: int, count: int) -> tuple[dict[int, str], int, int]:
    """What is wrong by seed; how many elements were rounded to quanta, and how many of them lie on another one."""
    found, rounded, away = {}, 0, 0
    for seed in range(first, first + count):
        try:
            answer = check(seed)
        except Exception as error:
            answer = Answer(f"{type(error).__name__}: {error}")
        rounded, away = rounded + answer.rounded, away + answer.away
        if answer.wrong:
            found[seed] = answer.wrong
    return found, rounded, away
