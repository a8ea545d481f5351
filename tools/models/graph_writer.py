"""Writes ONNX graphs node by node: every method adds to the graph and returns the name of the result.

Weights are drawn from a generator seeded by the model's name, so a model is the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
FloatArray = NDArray[np.float32]
Dims = Sequence[int | str]

PRODUCER = "skerry models"
IR_VERSION = 8


class GraphWriter:
    """One graph under construction."""

    def __init__(self, name: str, opset: int = 14) -> None:
        self.name = name
        self.opset = opset
        self.random = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._widths: dict[str, int] = {}

    # Values.

    def input(self, name: str, dims: Dims, dtype: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, dtype, dims))
        if len(dims) > 1 and isinstance(dims[1], int):
            self._widths[name] = dims[1]
        return name

    def output(self, value: str, name: str, dims: Dims, dtype: int = TensorProto.FLOAT) -> None:
        """Declares `value` an output and gives it that name wherever it is used, as exporters do."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if each == value else each for each in names]
        self._outputs.append(helper.make_tensor_value_info(name, dtype, dims))

    def constant(self, array: Array | np.generic, label: str = "const") -> str:
        name = f"{label}.{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(np.shape(array)), name))
        return name

    def scalar(self, number: float) -> str:
        return self.constant(np.float32(number))

    def integers(self, *numbers: int) -> str:
        return self.constant(np.array(numbers, np.int64))

    def normal(self, *shape: int, deviation: float, mean: float = 0.0) -> str:
        return self.constant(self.random.normal(mean, deviation, shape).astype(np.float32), "weight")

    # Nodes.

    def nodes(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        stem = f"{op.lower()}{len(self._nodes)}"
        names = [stem if i == 0 else f"{stem}.{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(op, list(inputs), names, name=f"/{stem}", **attributes))
        return names

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        return self.nodes(op, *inputs, **attributes)[0]

    # Layers. A layer knows the channels (axis 1) of its input, so only the new width is given.

    def width(self, value: str) -> int:
        return self._widths[value]

    def keeping_width(self, op: str, value: str, *others: str, **attributes: Any) -> str:
        result = self.node(op, value, *others, **attributes)
        self._widths[result] = self._widths[value]
        return result

    def dense(self, value: str, features: int) -> str:
        """y = x Wᵀ + b, the weight stored output first as PyTorch does."""
        fan_in = self.width(value)
        weight = self.normal(features, fan_in, deviation=float(np.sqrt(2 / fan_in)))
        result = self.node("Gemm", value, weight, self.normal(features, deviation=0.05), transB=1)
        self._widths[result] = features
        return result

    def batch_norm(self, value: str, scale: float = 1.0) -> str:
        channels = self.width(value)
        gain, shift, mean = (self.normal(channels, deviation=0.05, mean=m) for m in (scale, 0.0, 0.0))
        variance = self.constant(self.random.uniform(1.0, 1.2, channels).astype(np.float32), "variance")
        return self.keeping_width("BatchNormalization", value, gain, shift, mean, variance, epsilon=1e-5)

    def conv(
        self,
        value: str,
        channels: int,
        kernel: tuple[int, int],
        stride: int = 1,
        pads: Sequence[int] | None = None,
        groups: int = 1,
        bias: bool = False,
    ) -> str:
        """A convolution; without `pads`, an odd kernel keeps height and width at stride 1."""
        fan_in = self.width(value) // groups
        weight = self.normal(channels, fan_in, *kernel, deviation=float(np.sqrt(2 / (fan_in * kernel[0] * kernel[1]))))
        inputs = [value, weight] + ([self.normal(channels, deviation=0.05)] if bias else [])
        around = [kernel[0] // 2, kernel[1] // 2] * 2
        result = self.node(
            "Conv",
            *inputs,
            kernel_shape=list(kernel),
            strides=[stride, stride],
            pads=list(pads) if pads is not None else around,
            dilations=[1, 1],
            group=groups,
        )
        self._widths[result] = channels
        return result

    def relu(self, value: str) -> str:
        return self.keeping_width("Relu", value)

    def relu6(self, value: str) -> str:
        return self.keeping_width("Clip", value, self.scalar(0), self.scalar(6))

    def add(self, left: str, right: str) -> str:
        return self.keeping_width("Add", left, right)

    def flatten(self, value: str) -> str:
        """[N,C,1,1] to [N,C]."""
        return self.keeping_width("Flatten", value, axis=1)

    def pool_and_classify(self, value: str, classes: int) -> str:
        return self.dense(self.flatten(self.keeping_width("GlobalAveragePool", value)), classes)

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs, self._weights)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self.opset)],
            producer_name=PRODUCER,
            ir_version=IR_VERSION,
        )
        onnx.checker.check_model(model, full_check=True)
        return model
