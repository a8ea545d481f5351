"""Circuits as layers of PyTorch, and hybrid models from PyTorch into packages.

Needs PyTorch 2.8, export() ONNX and ONNX Script as well (`pip install skerry[torch]`).

>>> import torch, skerry
>>> from skerry.torch import CircuitLayer
>>> x, w = skerry.Parameter("x"), skerry.Parameter("w")
>>> circuit = skerry.Circuit(2).ry(x, 0).cx(0, 1).ry(w, 1)
>>> layer = CircuitLayer(circuit, [skerry.Observable.parse("Z1", 2)], inputs=["x"])
>>> layer(torch.zeros(5, 1)).shape
torch.Size([5, 1])
"""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from skerry import _core, files
from skerry._core import Circuit, GradientProgram, Model, Observable
from skerry.errors import InvalidArgument, Unsupported
from skerry.running import Precision

__all__ = ["CircuitLayer", "export"]

Reals = NDArray[np.float64]


class _Program:
    """A circuit made ready, and the number by which Torch's operators, which take tensors and numbers, know it."""

    _numbers = itertools.count(1)
    known: ClassVar[weakref.WeakValueDictionary[int, _Program]] = weakref.WeakValueDictionary()

    def __init__(self, circuit: Circuit, observables: Sequence[Observable], precision: Precision, threads: int) -> None:
        self.circuit, self.observables = circuit, list(observables)
        self.precision, self.threads = precision, threads
        self.gradients = GradientProgram(circuit, self.observables, precision)
        self.number = next(self._numbers)
        self.known[self.number] = self
        # The last rows whose derivatives were found together with their values: what a training step asks next.
        self.kept: tuple[Reals, Reals] | None = None

    def __reduce__(self) -> tuple[type[_Program], tuple[Any, ...]]:
        return _Program, (self.circuit, self.observables, self.precision, self.threads)

    def as_onnx(self, rows: torch.Tensor) -> torch.Tensor:
        """A node `circuit` of the domain `skerry`, which tells everything in texts."""
        attributes = {
            "circuit": self.circuit.text,
            "observables": [observable.text for observable in self.observables],
            "precision": self.precision,
        }
        shape = (rows.shape[0], len(self.observables))
        made: torch.Tensor = torch.onnx.ops.symbolic(
            "skerry::circuit", (rows,), attributes, dtype=rows.dtype, shape=shape, version=1
        )
        return made

    def values(self, rows: Reals, *, derivatives: bool) -> Reals:
        """[batch, O]. With one observable its derivatives cost less now than in a second walk."""
        if not derivatives or len(self.observables) != 1:
            return self.gradients.values(rows, self.threads)
        values, slopes = self.gradients.value_and_grad(rows, "adjoint", self.threads)
        self.kept = (rows, slopes)
        return values

    def vjp(self, rows: Reals, weights: Reals) -> Reals:
        """weights [batch, O] times the Jacobian, [batch, P]."""
        if self.kept is not None and np.array_equal(self.kept[0], rows):
            product: Reals = np.einsum("bo,bop->bp", weights, self.kept[1])
            return product
        return self.gradients.vector_jacobian(rows, weights, self.threads)[1]

    def second(self, rows: Reals, weights: Reals, directions: Reals) -> tuple[Reals, Reals]:
        """Of vjp, along directions [batch, P]: derivatives by the rows (Hessians times directions), by the weights."""
        _, slopes = self.gradients.value_and_grad(rows, "adjoint", self.threads)
        by_rows = np.empty_like(rows)
        for place, (row, direction) in enumerate(zip(rows, directions, strict=True)):
            by_rows[place] = weights[place] @ self.gradients.hessian_vector(row, direction, self.threads)
        return by_rows, np.einsum("bop,bp->bo", slopes, directions)


def _numbers_of(tensor: torch.Tensor) -> Reals:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float64)


def _like(numbers: Reals, tensor: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(numbers).to(device=tensor.device, dtype=tensor.dtype)


# Operators of Torch, so that torch.export sees one node where the circuit is.
@torch.library.custom_op("skerry::circuit", mutates_args=())
def _circuit(rows: torch.Tensor, program: int, trained: bool) -> torch.Tensor:
    return _like(_Program.known[program].values(_numbers_of(rows), derivatives=trained), rows)


@torch.library.custom_op("skerry::circuit_vjp", mutates_args=())
def _circuit_vjp(rows: torch.Tensor, weights: torch.Tensor, program: int) -> torch.Tensor:
    return _like(_Program.known[program].vjp(_numbers_of(rows), _numbers_of(weights)), rows)


@_circuit.register_fake
def _(rows: torch.Tensor, program: int, trained: bool) -> torch.Tensor:
    return rows.new_empty(rows.shape[0], len(_Program.known[program].observables))


@_circuit_vjp.register_fake
def _(rows: torch.Tensor, weights: torch.Tensor, program: int) -> torch.Tensor:
    return torch.empty_like(rows)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    ctx.save_for_backward(*[one for one in inputs if isinstance(one, torch.Tensor)])
    ctx.program = next(one for one in inputs if isinstance(one, int))


def _circuit_backward(ctx: Any, weights: torch.Tensor) -> tuple[torch.Tensor, None, None]:
    (rows,) = ctx.saved_tensors
    return _circuit_vjp(rows, weights, ctx.program), None, None


def _circuit_vjp_backward(ctx: Any, directions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
    rows, weights = ctx.saved_tensors
    program = _Program.known[ctx.program]
    by_rows, by_weights = program.second(_numbers_of(rows), _numbers_of(weights), _numbers_of(directions))
    return _like(by_rows, rows), _like(by_weights, weights), None


_circuit.register_autograd(_circuit_backward, setup_context=_keep)
_circuit_vjp.register_autograd(_circuit_vjp_backward, setup_context=_keep)


class CircuitLayer(torch.nn.Module):
    """Expectation values of observables in the state that a circuit leaves: [..., inputs] to [..., observables].

    inputs: names of the circuit's parameters that the layer's input gives, in its order; the others are `weight`, which
    is trained, in order of declaration. initial: its first values; without them uniform between 0 and 2 pi by Torch's
    generator. Rows of a batch run side by side. Gradients are exact, by one walk back for all observables; gradients
    of gradients too. dtype of the answer is that of the input; amplitudes have `precision`.

    Errors: Unsupported for a circuit that measures, resets or branches; InvalidArgument for a name that is no
    parameter or named twice, or an input of another width.

    >>> import skerry, torch
    >>> circuit = skerry.Circuit(1).ry(skerry.Parameter("w"), 0)
    >>> layer = CircuitLayer(circuit, [skerry.Observable.parse("X0", 1)], initial=[0.0])
    >>> layer().sum().backward()
    >>> layer.weight.grad
    tensor([1.], dtype=torch.float64)
    """

    def __init__(
        self,
        circuit: Circuit,
        observables: Observable | Sequence[Observable],
        *,
        inputs: Sequence[str] = (),
        initial: Any = None,
        precision: Precision = "double",
        threads: int = 0,
    ) -> None:
        super().__init__()
        names = list(circuit.parameters)
        strangers = [name for name in inputs if name not in names]
        if strangers or len(set(inputs)) != len(inputs):
            what = f"{strangers[0]!r} is no parameter of the circuit" if strangers else "an input is named twice"
            raise InvalidArgument(what, "inputs", "parameters: " + ", ".join(names))
        listed = [observables] if isinstance(observables, Observable) else list(observables)
        self.inputs = list(inputs)
        weights = [name for name in names if name not in self.inputs]
        if initial is None:
            initial = torch.rand(len(weights), dtype=torch.float64) * (2 * np.pi)
        first = torch.as_tensor(initial, dtype=torch.float64).clone()
        if first.shape != (len(weights),):
            text = f"initial has shape {tuple(first.shape)} for {len(weights)} weights"
            raise InvalidArgument(text, "initial", "weights: " + ", ".join(weights))
        self.weight = torch.nn.Parameter(first)
        order = [[*self.inputs, *weights].index(name) for name in names]
        self.register_buffer("_order", torch.tensor(order, dtype=torch.int64), persistent=False)
        self._program = _Program(circuit, listed, precision, threads)

    @property
    def circuit(self) -> Circuit:
        """The circuit."""
        return self._program.circuit

    @property
    def observables(self) -> list[Observable]:
        """The observables, in the order of the answers."""
        return list(self._program.observables)

    def extra_repr(self) -> str:
        """What print() tells."""
        return f"{self.circuit!r}, inputs={len(self.inputs)}, observables={len(self._program.observables)}"

    def forward(self, x: torch.Tensor | None = None) -> torch.Tensor:
        """[..., inputs] to [..., observables]; without inputs [] to [observables]."""
        if x is None:
            x = self.weight.new_empty(0)
        if x.shape[-1] != len(self.inputs):
            raise InvalidArgument(f"the input has {x.shape[-1]} columns for {len(self.inputs)} parameters", "forward")
        rows = x.reshape(-1, len(self.inputs)) if self.inputs else x.reshape(max(1, x[..., :1].numel()), 0)
        weight = self.weight.to(x.dtype).expand(rows.shape[0], -1)
        joined = torch.cat([rows, weight], dim=1).index_select(1, self._order)
        if torch.onnx.is_in_onnx_export():
            values = self._program.as_onnx(joined)
        else:
            trained = torch.is_grad_enabled() and joined.requires_grad
            values = _circuit(joined, self._program.number, trained)
        return values.reshape(*x.shape[:-1], len(self._program.observables))


def export(
    model: torch.nn.Module,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    path: str | os.PathLike[str] | None = None,
    *,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Model:
    """A hybrid model as one of Skerry's: its classical parts by torch.onnx.export, its CircuitLayers as circuits.

    example: an input, or inputs, whose first axis is the batch; the model takes any batch. path: also writes a package,
    which the command line and `skerry-run` run without Python.

    Errors: Unsupported for what Torch's exporter or ONNX does not know.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise Unsupported("torch.onnx.export needs ONNX Script", "export", "pip install onnx onnxscript") from error
    inputs = example if isinstance(example, tuple) else (example,)
    batch = torch.export.Dim("batch")
    exported = torch.onnx.export(
        model.eval(),
        inputs,
        dynamo=True,
        verbose=False,
        input_names=list(input_names) if input_names else None,
        output_names=list(output_names) if output_names else None,
        dynamic_shapes=tuple({0: batch} for _ in inputs),
    )
    if exported is None:
        raise Unsupported("Torch exported nothing", "export")
    program = _core.loads(exported.model_proto.SerializeToString(), type(model).__name__)
    if not isinstance(program, Model):
        raise Unsupported("Torch exported something else than a model", "export")
    if path is not None:
        files.save(program, path, metadata=dict(metadata or {}))
    return program
