"""A convolutional network reads scikit-learn's handwritten digits."""

from __future__ import annotations

import numpy as np
import onnxruntime
import skerry
from digits import digits
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from stage import Stage

SHADES = " .:-=+*#%@"
SHOWN = 6


def drawing(image: NDArray[np.float32]) -> list[str]:
    """An image of values in 0..1 as lines of text, two columns a pixel."""
    return ["".join(SHADES[round(9 * float(pixel))] * 2 for pixel in row) for row in image]


def play(stage: Stage) -> None:
    stage.title("1. A digits classifier on real handwritten digits")
    path = stage.root / "tests/data/models/digits_cnn.onnx"
    stage.say(
        f"{path.relative_to(stage.root)}, trained by tools/models/make_models.py on {len(digits()[0].labels)} images"
    )
    model = skerry.load(path)
    stage.say(repr(model))
    test = digits()[1]
    result = skerry.run(model, inputs={"x": test.images})
    logits = result.outputs["logits"]
    answers = logits.argmax(1)

    shown = [int(np.flatnonzero(test.labels == digit)[0]) for digit in range(SHOWN)]
    for lines in zip(*(drawing(test.images[i, 0]) for i in shown), strict=True):
        stage.say(" ".join(lines))
    stage.say(" ".join(f"{f'{answers[i]} (truth {test.labels[i]})':16}" for i in shown))
    stage.say()

    theirs = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = theirs.run(None, {"x": test.images})[0]
    neighbours = KNeighborsClassifier(3).fit(digits()[0].images.reshape(-1, 64), digits()[0].labels)
    for name, guess in (
        ("Skerry", answers),
        ("ONNX Runtime", expected.argmax(1)),
        ("scikit-learn, 3 neighbours", neighbours.predict(test.images.reshape(-1, 64))),
    ):
        stage.say(f"{name:27} {100 * np.mean(guess == test.labels):6.2f} % of {len(test.labels)} images")
    stage.say(f"largest difference from ONNX Runtime's logits: {np.abs(logits - expected).max():.1e}")
    stage.price(result)
    stage.again_model(stage.packaged(model, "digits"), {"x": test.images}, {"logits": logits})
