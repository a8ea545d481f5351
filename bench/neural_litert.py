"""LiteRT's interpreter (XNNPACK) as a peer of bench/neural.py; run by a Python that has TensorFlow.

    python bench/neural_litert.py GRAPH.json WEIGHTS.npz THREADS

Writes the graph as a TensorFlow function with channels last, converts it, reads inputs from stdin and serves one word a
line: `burst SECONDS` answers with the seconds of each call, in which an input is given and an output taken as in those
of the other runtimes; `answer` with the outputs. Only what feed-forward and convolutional models are made of is known;
anything else ends the program with its name.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf


class Writer:
    """Values by ONNX's names; images lie [N, H, W, C]."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self.weights = weights
        self.values: dict[str, Any] = {}
        # Features of a flattened image stand in another order here: the product behind takes its rows in that order.
        self.order: dict[str, Any] = {}

    def node(self, node: dict[str, Any]) -> None:
        method = getattr(self, node["op"].lower(), None)
        if method is None:
            raise SystemExit(f"no {node['op']} here")
        x = self.values[node["inputs"][0]]
        result = method(x, node["inputs"], node["attributes"])
        if isinstance(result, tuple):
            result, self.order[node["outputs"][0]] = result
        elif node["inputs"][0] in self.order and node["op"] != "Gemm":
            self.order[node["outputs"][0]] = self.order[node["inputs"][0]]
        self.values[node["outputs"][0]] = result

    @staticmethod
    def padded(x: Any, kernel: list[int], a: dict[str, Any], fill: float) -> tuple[Any, str]:
        """`x` and the padding that is left to the operator: TensorFlow's SAME where it means the same."""
        top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
        if top == left == bottom == right == 0:
            return x, "VALID"
        wanted = []
        for extent, window, stride in zip(x.shape[1:3], kernel, a.get("strides", [1, 1]), strict=True):
            total = max((-(-extent // stride) - 1) * stride + window - extent, 0)
            wanted.append((total // 2, total - total // 2))
        if wanted == [(top, bottom), (left, right)]:
            return x, "SAME"
        return tf.pad(x, [[0, 0], [top, bottom], [left, right], [0, 0]], constant_values=fill), "VALID"

    def conv(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        weight = self.weights[names[1]]
        strides = [1, *a.get("strides", [1, 1]), 1]
        x, padding = self.padded(x, list(weight.shape[2:]), a, 0.0)
        if a.get("group", 1) == 1:
            y = tf.nn.conv2d(x, weight.transpose(2, 3, 1, 0), strides, padding)
        else:
            y = tf.nn.depthwise_conv2d(x, weight.transpose(2, 3, 0, 1), strides, padding)
        return y + self.weights[names[2]] if len(names) > 2 else y

    def batchnormalization(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        gain, shift, mean, variance = (self.weights[name] for name in names[1:5])
        scale = gain / np.sqrt(variance + np.float32(a["epsilon"]))
        return x * scale + (shift - mean * scale)

    def gemm(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        weight = self.weights[names[1]].T if a.get("transB") else self.weights[names[1]]
        if names[0] in self.order:
            weight = weight[self.order[names[0]]]
        return tf.matmul(x, weight) + self.weights[names[2]]

    def relu(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        return tf.nn.relu(x)

    def clip(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        low, high = (float(self.weights[name]) for name in names[1:3])
        return tf.nn.relu6(x) if (low, high) == (0, 6) else tf.clip_by_value(x, low, high)

    def add(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        return x + self.values[names[1]]

    def softmax(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        return tf.nn.softmax(x)

    def globalaveragepool(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        return tf.reduce_mean(x, [1, 2], keepdims=True)

    def averagepool(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        return tf.nn.avg_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]), "VALID")

    def maxpool(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        x, padding = self.padded(x, a["kernel_shape"], a, -np.inf)
        return tf.nn.max_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]), padding)

    def flatten(self, x: Any, names: list[str], a: dict[str, Any]) -> Any:
        height, width, channels = x.shape[1:]
        flat = tf.reshape(x, [x.shape[0], -1])
        if height * width == 1:
            return flat
        return flat, np.arange(height * width * channels).reshape(channels, height, width).transpose(1, 2, 0).ravel()


def converted(graph: dict[str, Any], weights: dict[str, Any], shape: tuple[int, ...]) -> bytes:
    def answer(x: Any) -> Any:
        writer = Writer(weights)
        writer.values[graph["input"]] = x
        for node in graph["nodes"]:
            writer.node(node)
        return writer.values[graph["output"]]

    module = tf.Module()
    module.answer = tf.function(answer, input_signature=[tf.TensorSpec(shape, tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.answer.get_concrete_function()], module)
    result: bytes = converter.convert()
    return result


def main() -> None:
    graph = json.loads(Path(sys.argv[1]).read_text())
    weights = dict(np.load(sys.argv[2]))
    x = weights.pop("__input__")
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x
    interpreter = tf.lite.Interpreter(model_content=converted(graph, weights, x.shape), num_threads=int(sys.argv[3]))
    interpreter.allocate_tensors()
    given, taken = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def call() -> Any:
        interpreter.set_tensor(given, x)
        interpreter.invoke()
        return interpreter.get_tensor(taken)

    call()
    print("ready", flush=True)
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "answer":
            reply = call().tolist()
        else:
            reply = []
            end = time.perf_counter() + float(numbers[0])
            while not reply or time.perf_counter() < end:
                begin = time.perf_counter()
                call()
                reply.append(time.perf_counter() - begin)
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
