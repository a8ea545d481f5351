"""A digits classifier that is really trained, on scikit-learn's 8 x 8 handwritten digits, by numpy alone.

Two 3x3 convolutions with ReLU and 2x2 max pooling, then one dense layer. Training takes under a minute of one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from graph_writer import Array, FloatArray, GraphWriter
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.datasets import load_digits

TRAINING_IMAGES = 1437
CHANNELS = (1, 16, 32)
CLASSES = 10
EPOCHS = 40
BATCH = 64
REQUIRED_ACCURACY = 0.97


@dataclass(frozen=True)
class Digits:
    """images [n,1,8,8] in 0..1 and their labels [n]."""

    images: FloatArray
    labels: Array


@cache
def digits() -> tuple[Digits, Digits]:
    """Training and test set, shuffled once and for all."""
    data = load_digits()
    order = np.random.default_rng(1797).permutation(len(data.target))
    images = (data.images[order, None] / 16).astype(np.float32)
    labels = data.target[order]
    split = TRAINING_IMAGES
    return Digits(images[:split], labels[:split]), Digits(images[split:], labels[split:])


class Conv:
    """3x3 convolution with padding 1, ReLU, 2x2 max pooling; remembers what its gradient needs."""

    def __init__(self, random: np.random.Generator, inputs: int, outputs: int) -> None:
        self.weight = random.normal(0, np.sqrt(2 / (9 * inputs)), (outputs, inputs, 3, 3)).astype(np.float32)
        self.bias = np.zeros(outputs, np.float32)

    def forward(self, x: FloatArray) -> FloatArray:
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        self.windows = sliding_window_view(padded, (3, 3), axis=(2, 3))  # [n,c,h,w,3,3]
        y = np.einsum("nchwij,ocij->nohw", self.windows, self.weight, optimize=True) + self.bias[:, None, None]
        n, o, h, w = y.shape
        blocks = y.reshape(n, o, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, o, h // 2, w // 2, 4)
        self.winner = blocks.argmax(-1)[..., None]
        best = np.take_along_axis(blocks, self.winner, -1)
        self.alive = best > 0
        result: FloatArray = np.maximum(best[..., 0], 0)
        return result

    def backward(self, slope: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Gradients of weight, bias and input for the gradient of the output."""
        n, o, h, w = slope.shape
        blocks = np.zeros((n, o, h, w, 4), np.float32)
        np.put_along_axis(blocks, self.winner, slope[..., None] * self.alive, -1)
        dy = blocks.reshape(n, o, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, o, 2 * h, 2 * w)
        d_weight = np.einsum("nchwij,nohw->ocij", self.windows, dy, optimize=True)
        around = sliding_window_view(np.pad(dy, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
        d_input = np.einsum("nohwij,ocij->nchw", around, self.weight[:, :, ::-1, ::-1], optimize=True)
        return d_weight, dy.sum((0, 2, 3)), d_input


class Adam:
    """Kingma & Ba 2014, with a step that falls linearly to a hundredth."""

    def __init__(self, parameters: list[FloatArray], steps: int, rate: float = 3e-3) -> None:
        self.parameters, self.steps, self.rate, self.step = parameters, steps, rate, 0
        self.mean = [np.zeros_like(p) for p in parameters]
        self.square = [np.zeros_like(p) for p in parameters]

    def update(self, gradients: list[FloatArray]) -> None:
        self.step += 1
        rate = self.rate * (1 - 0.99 * self.step / self.steps)
        for p, g, m, s in zip(self.parameters, gradients, self.mean, self.square, strict=True):
            m += 0.1 * (g - m)
            s += 0.001 * (g * g - s)
            p -= rate * (m / (1 - 0.9**self.step)) / (np.sqrt(s / (1 - 0.999**self.step)) + 1e-8)


@dataclass
class Classifier:
    convs: list[Conv]
    weight: FloatArray  # [classes, features]
    bias: FloatArray

    def logits(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Logits and the flattened features that they are made from."""
        for conv in self.convs:
            x = conv.forward(x)
        features = x.reshape(len(x), -1)
        return features @ self.weight.T + self.bias, features

    def gradients(self, x: FloatArray, labels: Array) -> list[FloatArray]:
        """Of the mean cross entropy, in the order of parameters()."""
        logits, features = self.logits(x)
        slope = np.exp(logits - logits.max(1, keepdims=True))
        slope /= slope.sum(1, keepdims=True)
        slope[np.arange(len(labels)), labels] -= 1
        slope /= len(labels)
        dense = [slope.T @ features, slope.sum(0)]
        flow = (slope @ self.weight).reshape(len(x), CHANNELS[-1], 2, 2)
        below: list[FloatArray] = []
        for conv in reversed(self.convs):
            d_weight, d_bias, flow = conv.backward(flow)
            below = [d_weight, d_bias, *below]
        return [*below, *dense]

    def parameters(self) -> list[FloatArray]:
        return [p for conv in self.convs for p in (conv.weight, conv.bias)] + [self.weight, self.bias]

    def accuracy(self, data: Digits) -> float:
        return float((self.logits(data.images)[0].argmax(1) == data.labels).mean())


@cache
def trained() -> Classifier:
    random = np.random.default_rng(8)
    convs = [Conv(random, CHANNELS[0], CHANNELS[1]), Conv(random, CHANNELS[1], CHANNELS[2])]
    features = 4 * CHANNELS[2]
    weight = random.normal(0, np.sqrt(2 / features), (CLASSES, features)).astype(np.float32)
    net = Classifier(convs, weight, np.zeros(CLASSES, np.float32))
    train, test = digits()
    batches = -(-len(train.labels) // BATCH)
    adam = Adam(net.parameters(), EPOCHS * batches)
    for epoch in range(EPOCHS):
        for batch in np.array_split(random.permutation(len(train.labels)), batches):
            images = train.images[batch]
            if epoch % 2:  # every other time moved by up to a pixel, for robustness
                images = np.roll(images, random.integers(-1, 2, 2), (2, 3))
            adam.update(net.gradients(images, train.labels[batch]))
    accuracy = net.accuracy(test)
    print(f"digits_cnn: {accuracy:.2%} of {len(test.labels)} test images right")
    if accuracy < REQUIRED_ACCURACY:
        raise RuntimeError(f"training ended at {accuracy:.4f}, below {REQUIRED_ACCURACY}")
    return net


def digits_cnn() -> GraphWriter:
    net = trained()
    g = GraphWriter("digits_cnn")
    x = g.input("x", ["N", 1, 8, 8])
    for conv in net.convs:
        weights = (g.constant(conv.weight, "weight"), g.constant(conv.bias, "bias"))
        x = g.node("Relu", g.node("Conv", x, *weights, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]))
        x = g.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    dense = (g.constant(net.weight, "weight"), g.constant(net.bias, "bias"))
    g.output(g.node("Gemm", g.node("Flatten", x, axis=1), *dense, transB=1), "logits", ["N", CLASSES])
    return g
