"""Skerry as a backend of ONNX: `prepare`, `run_model` and `run_node` as onnx.backend.base has them.

Needs the package onnx, of which Skerry itself makes no use.

>>> import numpy, onnx, skerry.onnx_backend
>>> node = onnx.helper.make_node("Relu", ["x"], ["y"])
>>> skerry.onnx_backend.run_node(node, [numpy.array([-1.0, 2.0], numpy.float32)])
(array([0., 2.], dtype=float32),)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep

import skerry


def _as_array(value: Any) -> Any:
    if isinstance(value, onnx.SequenceProto):
        return onnx.numpy_helper.to_list(value)
    if isinstance(value, onnx.OptionalProto):
        return onnx.numpy_helper.to_optional(value)
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


class PreparedModel(BackendRep):  # type: ignore[misc]  # onnx has no types
    """A model that is ready to run many times."""

    def __init__(self, model: skerry.Model, threads: int = 0) -> None:
        self._names = [info.name for info in model.inputs]
        self._outputs = [info.name for info in model.outputs]
        self._session = model.session(threads=threads)

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """inputs: an array for each input of the model, or arrays by name. Gives the outputs in the model's order."""
        if isinstance(inputs, Mapping):
            feed = {name: _as_array(value) for name, value in inputs.items()}
        else:
            values = inputs if isinstance(inputs, list | tuple) else [inputs]
            if len(values) != len(self._names):
                raise skerry.InvalidArgument(f"the model takes {len(self._names)} inputs, not {len(values)}")
            feed = {name: _as_array(value) for name, value in zip(self._names, values, strict=True)}
        results = self._session.run(feed)
        return tuple(results[name] for name in self._outputs)


class SkerryBackend(Backend):  # type: ignore[misc]
    """ONNX's interface to Skerry; the functions of this module are its methods."""

    @classmethod
    def is_compatible(cls, model: Any, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether every operator of the model is known."""
        try:
            cls._load(model)
        except (skerry.Unsupported, skerry.VersionTooNew):
            return False
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> PreparedModel:
        """A ModelProto, its bytes or its path. kwargs: threads."""
        if not cls.supports_device(device):
            raise skerry.Unsupported(f"device {device}: models run on the CPU")
        return PreparedModel(cls._load(model), int(kwargs.get("threads", 0)))

    @classmethod
    def run_model(cls, model: Any, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
        """Prepares and runs once."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: Any,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, Sequence[int]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """One operator on these inputs. kwargs: opset_version (default the newest that onnx knows)."""
        opset = int(kwargs.get("opset_version", onnx.defs.onnx_opset_version()))
        arrays = [np.asarray(_as_array(value)) for value in inputs]
        names = [name for name in node.input if name]
        infos = [
            onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in zip(names, arrays, strict=True)
        ]
        # Without a type of its own an output is inferred.
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        for info in outputs:
            info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph([node], "node", infos, outputs)
        domains = [onnx.helper.make_opsetid("", opset)]
        if node.domain:
            domains.append(onnx.helper.make_opsetid(node.domain, int(kwargs.get("domain_version", 1))))
        return cls.run_model(onnx.helper.make_model(graph, opset_imports=domains), arrays, device)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """CPU alone."""
        return device == "CPU"

    @classmethod
    def _load(cls, model: Any) -> skerry.Model:
        if isinstance(model, onnx.ModelProto):
            loaded = skerry.loads(model.SerializeToString(), model.graph.name or "model")
        elif isinstance(model, bytes):
            loaded = skerry.loads(model)
        else:
            loaded = skerry.load(model)
        if not isinstance(loaded, skerry.Model):
            raise skerry.InvalidArgument("not a model but a circuit")
        return loaded


is_compatible = SkerryBackend.is_compatible
prepare = SkerryBackend.prepare
run_model = SkerryBackend.run_model
run_node = SkerryBackend.run_node
supports_device = SkerryBackend.supports_device
