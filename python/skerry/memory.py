"""Memory: who holds how much, buffers that are used again, models that are loaded once and made small when idle."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from numpy.typing import ArrayLike, NDArray

from skerry import _core
from skerry._core import EngineModel, MemoryManager, MemoryScope, MemoryUsage, Model, RestReport, TensorPool
from skerry.errors import InvalidArgument, Unsupported
from skerry.files import PathLike, load

memory_map_file = MemoryManager.memory_map_file

__all__ = [
    "LazyLoadedModel",
    "MemoryManager",
    "MemoryScope",
    "MemoryUsage",
    "ModelSpec",
    "OptimizedInferenceEngine",
    "RestReport",
    "TensorPool",
    "Weights",
    "memory_map_file",
]


@runtime_checkable
class ModelSpec(Protocol):
    """Whatever says where a model's file is."""

    path: PathLike


class Weights(Mapping[str, NDArray[Any]]):
    """The constants of a model by name, each a read-only array over the mapped file: its pages are read when it is."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._names = _core.weight_names(model)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return _core.weight(self._model, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _shape(model: Model, infos: list[_core.TensorInfo]) -> tuple[int | str, ...] | None:
    return None if not infos or infos[0].shape is None else tuple(infos[0].shape)


class LazyLoadedModel:
    """A model whose weights stay in its file until somebody wants them.

    >>> import numpy, skerry, tempfile
    >>> g = skerry.GraphBuilder()
    >>> w = g.constant(numpy.ones((2, 3), numpy.float32), "w")
    >>> g.output(g.add("MatMul", [g.input("x", ["N", 2]), w], name="y"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skerry.save(g.build(), folder + "/model.skerry")
    ...     model = LazyLoadedModel(folder + "/model.skerry")
    >>> model.input_shape, model.output_shape, model.weights["w"].shape
    (('N', 2), ('N', 3), (2, 3))
    """

    def __init__(self, source: PathLike | Model | EngineModel) -> None:
        self._handle = source if isinstance(source, EngineModel) else None
        if isinstance(source, EngineModel):
            source = source.model
        program = source if isinstance(source, Model) else load(source)
        if not isinstance(program, Model):
            raise Unsupported("this is a circuit, not a model")
        inputs, outputs = program.inputs, program.outputs
        self.input_shape, self.output_shape = _shape(program, inputs), _shape(program, outputs)
        self._model = None if self._handle else program

    @property
    def handle(self) -> EngineModel | None:
        """What an engine calls it."""
        return self._handle

    @property
    def model(self) -> Model:
        """The model itself; wakes one that rests."""
        if self._handle is not None:
            return self._handle.model
        assert self._model is not None
        return self._model

    @property
    def weights(self) -> Weights:
        return Weights(self.model)


class OptimizedInferenceEngine:
    """Runs several models in one budget of memory: each file loaded once, buffers used again, idle models made small.

    memory_manager: what models and buffers are counted in; a new one without it. max_buffers: that wait in the pool.
    threads, max_memory_mb, max_execution_time: limits of each run.

    >>> import numpy, skerry
    >>> from skerry.memory import MemoryManager, OptimizedInferenceEngine
    >>> g = skerry.GraphBuilder()
    >>> g.output(g.add("Relu", [g.input("x", ["N", 2])], name="y"))
    >>> engine = OptimizedInferenceEngine(MemoryManager(limit_mb=50))
    >>> model = engine.load_model(g.build())
    >>> engine.run_inference(model, numpy.float32([[1, -1]]))
    array([[1., 0.]], dtype=float32)
    """

    def __init__(
        self,
        memory_manager: MemoryManager | None = None,
        *,
        max_buffers: int = 100,
        threads: int = 0,
        max_memory_mb: float | None = None,
        max_execution_time: float | None = None,
    ) -> None:
        self.memory_manager = memory_manager if memory_manager is not None else MemoryManager()
        self.model_cache: dict[str, LazyLoadedModel] = {}
        self._engine = _core.InferenceEngine(
            self.memory_manager,
            max_buffers=max_buffers,
            threads=threads,
            max_memory_mb=max_memory_mb,
            max_execution_time=max_execution_time,
        )
        self.tensor_pool: TensorPool = self._engine.pool

    def load_model(self, spec: PathLike | ModelSpec | Model) -> LazyLoadedModel:
        """The model of a file, or one that is in memory. The same file, if it did not change, is the same model.

        Nothing of the weights is read; the pool gets buffers of the shapes that are numbers.
        """
        if isinstance(spec, Model):
            return LazyLoadedModel(self._engine.add_model(f"model {id(spec):#x}", spec))
        path = spec if isinstance(spec, str | os.PathLike) else spec.path
        handle = self._engine.load_model(path)
        known = self.model_cache.get(handle.name)
        if known is None or known.handle is not handle:
            known = self.model_cache[handle.name] = LazyLoadedModel(handle)
        return known

    def run_inference(
        self,
        model: LazyLoadedModel,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        out: NDArray[Any] | None = None,
    ) -> Any:
        """The output, or the outputs by name, in buffers of the pool; or in `out`, the one output's array, in place.

        No later run writes into a buffer that somebody holds; it comes back to the pool when nobody does, and after an
        error. inputs: an array for a model of one input, else by name; dense ones are read where they are.
        """
        handle = model.handle if isinstance(model, LazyLoadedModel) else None
        if handle is None:
            raise InvalidArgument("the model is not of this engine", "model", "give what load_model() gave")
        if out is None:
            return self._engine.run_inference(handle, inputs)
        self._engine.run_into(handle, inputs, out)
        return out

    def rest(self, unused_for: float = 0.0) -> RestReport:
        """Makes models small that were not used for so many seconds.

        Arenas, plans and packed weights go, mapped pages go back to their file, weights that are in no file are
        compressed. The next run restores them and gives the same answer. A manager at its limit calls it by itself.
        """
        return self._engine.rest(unused_for)
