"""Graphs within graphs: branches of If, bodies of Loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from tests.conformance.random_graphs import rules
from tests.conformance.random_graphs.grower import Array, Body, Grower, TakenBackError, Value

DEEPEST = 2

ELEMENTWISE: tuple[Callable[[Grower], None], ...] = (rules.unary, rules.binary, rules.where)
INNER: tuple[Callable[[Grower], None], ...] = (
    *(rules.unary, rules.binary, rules.where, rules.transposed, rules.joined, rules.cut, rules.reduced, rules.product),
)


def floats(values: list[Value]) -> list[Value]:
    return [v for v in values if v.array.dtype == np.float32 and v.slack is None]


def grown(body: Body, nodes: int) -> None:
    body.rules = INNER if body.depth >= DEEPEST else (*INNER, choice)
    body.grow(nodes)


def branch(g: Grower) -> None:
    """Half of the time the results of the branches differ in shape."""
    choice(g, same_shape=g.maybe())


def choice(g: Grower, same_shape: bool = True) -> None:
    """If: the branches read what is around them."""
    condition = g.value("b", rank=0, exact=True)
    if condition.array.ndim:
        raise TakenBackError
    x = g.value()
    bodies, results = [], []
    for _ in range(2):
        body = Body(g)
        (first,) = body.add(g.one_of(("Relu", "Neg", "Tanh", "Identity")), [x])
        if not same_shape:
            grown(body, g.whole(1, 3))
        else:
            with suppress(TakenBackError):
                (first,) = body.add(g.one_of(("Add", "Mul")), [first, x])
        results.append(first if same_shape else floats(body.values)[-1])
        bodies.append(body)
    taken = 0 if condition.array else 1
    graphs = [body.graph([result]) for body, result in zip(bodies, results, strict=True)]
    seen = {value.name: value for body in bodies for value in body.captured()}
    exact = results[taken].exact
    g.add("If", [condition], exact, seen=list(seen.values()), then_branch=graphs[0], else_branch=graphs[1])


def repeated(g: Grower) -> None:
    """Loop: a state that is halved and changed in each turn, a row for each turn if there is one, an end that it
    computes or a count."""
    state = g.value()
    trips = g.whole(0, 4)
    turn = Value(f"{g.prefix}l{len(g.values)}_turn", np.array(0, np.int64), True)
    goes_on = Value(f"{g.prefix}l{len(g.values)}_goes_on", np.array(True), True)
    own = Value(f"{g.prefix}l{len(g.values)}_state", state.array, False)
    body = Body(g, [turn, goes_on, own])
    (changed,) = body.add(g.one_of(("Tanh", "Sigmoid", "Neg", "Abs")), [own])
    (halved,) = body.add("Mul", [own, body.constant(np.array(0.5, np.float32))])
    (after,) = body.add(g.one_of(("Add", "Sub", "Max")), [halved, changed])
    if g.maybe():
        (after,) = body.add("Add", [after, state])
    is_computed = g.maybe()
    if is_computed:
        (go,) = body.add("Less", [turn, body.constant(np.array(g.whole(0, 3), np.int64))], exact=True)
    else:
        (go,) = body.add("Identity", [goes_on], exact=True)
    results = [go, after]
    if trips > 0 and g.maybe():  # rows of no turn have no type for the evaluator
        grown(body, len(body.nodes) + g.whole(0, 2))
        row = floats(body.values)[-1]
        results.append(row if row.name != after.name else body.add("Identity", [after])[0])
    count: Value | None = g.constant(np.array(trips, np.int64))
    if g.maybe():
        count = g.made(np.array(trips, np.int64))
    if is_computed and trips > 0 and g.maybe():
        count = None
    inputs = [count, None if g.maybe() else g.constant(np.array(True)), state]

    def stacked(found: list[Array]) -> list[Array]:
        """op_loop.py puts rows together with vstack(), which makes no new axis."""
        return [
            found[0],
            *(rows.reshape(-1, *row.array.shape) for rows, row in zip(found[1:], results[2:], strict=True)),
        ]

    read, written = body.captured(), body.graph(results)
    g.add("Loop", inputs, outputs=len(results) - 1, seen=read, mended=stacked, body=written)


RULES: tuple[Callable[[Grower], None], ...] = (branch, repeated)
