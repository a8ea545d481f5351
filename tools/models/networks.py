"""Image, sound and anomaly networks with random weights: the shapes of MLPerf Tiny's four tasks and two large ones.

Batch normalisation is left in place and padding is what TensorFlow and PyTorch exporters write, because reading and
folding such graphs is what the models are for. Axis 0 is the symbolic batch `N`.
"""

from __future__ import annotations

from graph_writer import GraphWriter

# TensorFlow pads "SAME" at stride 2 on one side only.
SAME_AT_STRIDE_2 = (0, 0, 1, 1)


def conv_norm_relu(
    g: GraphWriter, x: str, channels: int, kernel: int, stride: int = 1, pads: tuple[int, ...] | None = None
) -> str:
    return g.relu(g.batch_norm(g.conv(x, channels, (kernel, kernel), stride, pads)))


def separable(g: GraphWriter, x: str, channels: int, stride: int = 1) -> str:
    """MobileNet's block: one 3x3 filter per channel, then 1x1 across channels."""
    width = g.width(x)
    pads = SAME_AT_STRIDE_2 if stride == 2 else None
    x = g.relu(g.batch_norm(g.conv(x, width, (3, 3), stride, pads, groups=width)))
    return conv_norm_relu(g, x, channels, 1)


def mlp() -> GraphWriter:
    g = GraphWriter("mlp")
    x = g.input("x", ["N", 784])
    for features in (256, 128):
        x = g.relu(g.dense(x, features))
    g.output(g.dense(x, 10), "y", ["N", 10])
    return g


def dscnn() -> GraphWriter:
    """Keyword spotting: 49 x 10 spectral features, 12 words."""
    g = GraphWriter("dscnn")
    x = g.input("x", ["N", 1, 49, 10])
    x = g.relu(g.batch_norm(g.conv(x, 64, (10, 4), 2, pads=(4, 1, 5, 1))))
    for _ in range(4):
        x = separable(g, x, 64)
    x = g.flatten(g.keeping_width("AveragePool", x, kernel_shape=[25, 5]))
    g.output(g.node("Softmax", g.dense(x, 12), axis=1), "y", ["N", 12])
    return g


def vww() -> GraphWriter:
    """Visual wake words: MobileNetV1 of a quarter width on 96 x 96."""
    g = GraphWriter("vww")
    x = conv_norm_relu(g, g.input("x", ["N", 3, 96, 96]), 8, 3, 2, SAME_AT_STRIDE_2)
    stages = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]
    for channels, stride in stages:
        x = separable(g, x, channels, stride)
    g.output(g.node("Softmax", g.pool_and_classify(x, 2), axis=1), "y", ["N", 2])
    return g


def resnet8() -> GraphWriter:
    """Image classification on 32 x 32."""
    g = GraphWriter("resnet8")
    x = conv_norm_relu(g, g.input("x", ["N", 3, 32, 32]), 16, 3)
    for channels, stride in [(16, 1), (32, 2), (64, 2)]:
        y = conv_norm_relu(g, x, channels, 3, stride, SAME_AT_STRIDE_2 if stride == 2 else None)
        y = g.batch_norm(g.conv(y, channels, (3, 3)), scale=0.5)
        if stride == 2:
            x = g.conv(x, channels, (1, 1), stride, bias=True)
        x = g.relu(g.add(x, y))
    g.output(g.node("Softmax", g.pool_and_classify(x, 10), axis=1), "y", ["N", 10])
    return g


def autoenc() -> GraphWriter:
    """Anomaly detection: an autoencoder with a bottleneck of 8."""
    g = GraphWriter("autoenc")
    x = g.input("x", ["N", 640])
    for features in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = g.relu(g.batch_norm(g.dense(x, features)))
    g.output(g.dense(x, 640), "y", ["N", 640])
    return g


def mobilenetv2() -> GraphWriter:
    """Inverted residuals (Sandler et al. 2018, table 2): expansion, channels, repeats, first stride."""
    g = GraphWriter("mobilenetv2")
    x = g.relu6(g.batch_norm(g.conv(g.input("x", ["N", 3, 224, 224]), 32, (3, 3), 2)))
    table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, channels, repeats, first_stride in table:
        for stride in (first_stride, *[1] * (repeats - 1)):
            hidden = g.width(x) * expansion
            y = x if expansion == 1 else g.relu6(g.batch_norm(g.conv(x, hidden, (1, 1))))
            y = g.relu6(g.batch_norm(g.conv(y, hidden, (3, 3), stride, groups=hidden)))
            y = g.batch_norm(g.conv(y, channels, (1, 1)), scale=0.6)
            x = g.add(x, y) if stride == 1 and g.width(x) == channels else y
    x = g.relu6(g.batch_norm(g.conv(x, 1280, (1, 1))))
    g.output(g.pool_and_classify(x, 1000), "y", ["N", 1000])
    return g


def resnet50() -> GraphWriter:
    """Bottleneck residuals (He et al. 2015, table 1), the stride in the 3x3 convolution."""
    g = GraphWriter("resnet50")
    x = conv_norm_relu(g, g.input("x", ["N", 3, 224, 224]), 64, 7, 2)
    x = g.keeping_width("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for inner, repeats, first_stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for i in range(repeats):
            stride = first_stride if i == 0 else 1
            y = conv_norm_relu(g, conv_norm_relu(g, x, inner, 1), inner, 3, stride)
            y = g.batch_norm(g.conv(y, 4 * inner, (1, 1)), scale=0.3)
            if i == 0:
                x = g.batch_norm(g.conv(x, 4 * inner, (1, 1), stride), scale=0.7)
            x = g.relu(g.add(y, x))
    g.output(g.pool_and_classify(x, 1000), "y", ["N", 1000])
    return g


def rnn() -> GraphWriter:
    """The size that benchmarks use."""
    return recurrent_classifier("rnn", steps=64, features=40, lstm_width=128, gru_width=64)


def rnn_tiny() -> GraphWriter:
    """The same graph, small enough to be kept with the tests."""
    return recurrent_classifier("rnn_tiny", steps=5, features=3, lstm_width=4, gru_width=3)


def recurrent_classifier(name: str, steps: int, features: int, lstm_width: int, gru_width: int) -> GraphWriter:
    """A bidirectional LSTM and a GRU, batch first around them as PyTorch exports it."""
    g = GraphWriter(name)
    classes = 10

    def uniform(*shape: int) -> str:
        bound = shape[-1] ** -0.5
        return g.constant(g.random.uniform(-bound, bound, shape).astype("float32"), "weight")

    def recurrent(
        op: str, x: str, directions: int, gates: int, width: int, depth: int, **attributes: object
    ) -> list[str]:
        weights = [uniform(directions, gates * width, n) for n in (depth, width)]
        bias = uniform(directions, 2 * gates * width)
        outputs = 3 if op == "LSTM" else 2
        return g.nodes(op, x, *weights, bias, outputs=outputs, hidden_size=width, **attributes)

    steps_first = g.node("Transpose", g.input("x", ["N", steps, features]), perm=[1, 0, 2])
    y = recurrent("LSTM", steps_first, 2, 4, lstm_width, features, direction="bidirectional")[0]
    y = g.node("Reshape", g.node("Transpose", y, perm=[0, 2, 1, 3]), g.integers(0, 0, -1))
    last = recurrent("GRU", y, 1, 3, gru_width, 2 * lstm_width, linear_before_reset=1)[1]
    last = g.node("Squeeze", last, g.integers(0))
    weight = g.normal(classes, gru_width, deviation=float((2 / gru_width) ** 0.5))
    g.output(g.node("Gemm", last, weight, g.normal(classes, deviation=0.05), transB=1), "y", ["N", classes])
    return g
