"""An engine for a device: models versioned and swapped under load, routed over backends, tuned by policies.

>>> import numpy, skerry
>>> from skerry.engine import EdgeAIEngine
>>> graph = skerry.GraphBuilder("twice")
>>> x = graph.input("x", ["N"])
>>> graph.output(graph.add("Add", [x, x]), "y")
>>> engine = EdgeAIEngine(workers=2)
>>> engine.init()
>>> engine.load("twice", graph.build())
1
>>> engine.infer("twice", {"x": numpy.float32([1, 2])})["y"]
array([2., 4.], dtype=float32)
>>> engine.shutdown(), engine.state
(True, 'stopped')
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import ArrayLike, NDArray

from skerry._core import (
    BackendRegistry,
    CPUAccelerator,
    DeviceManager,
    DeviceReservation,
    EdgeAIEngine,
    MLBasedPolicy,
    MockGPUBackend,
    OptimizationChoice,
    OptimizationManager,
    OptimizationPolicy,
    OptimizationTrial,
    OptimizedModel,
    Proposal,
    RoutedModel,
    RuleBasedPolicy,
    model_features,
)


class ExecutionBackend(Protocol):
    """What BackendRegistry.add_python() takes: three names are all that a backend in Python is.

    An exception moves the nodes that are not done to another backend if it is skerry.Unavailable (the device is lost),
    skerry.BudgetExceeded or MemoryError (it is full), or none of Skerry's own; all others reach the caller.
    """

    name: str

    def declines(self, op: str, attributes: dict[str, Any]) -> str | None:
        """Why it does not take such a node; None if it does."""
        ...

    def run_node(self, op: str, attributes: dict[str, Any], inputs: list[NDArray[Any] | None]) -> Sequence[ArrayLike]:
        """The node's outputs in order; None stands for an input that is left out."""
        ...


__all__ = [
    "BackendRegistry",
    "CPUAccelerator",
    "DeviceManager",
    "DeviceReservation",
    "EdgeAIEngine",
    "ExecutionBackend",
    "MLBasedPolicy",
    "MockGPUBackend",
    "OptimizationChoice",
    "OptimizationManager",
    "OptimizationPolicy",
    "OptimizationTrial",
    "OptimizedModel",
    "Proposal",
    "RoutedModel",
    "RuleBasedPolicy",
    "model_features",
]
