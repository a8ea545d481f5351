"""A sentence encoder finds what means the same in other words."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import skerry
from export_minilm import encode, minilm
from stage import Stage

QUERY = "How can I make my computer faster?"
SENTENCES = (
    "Adding memory often speeds up a slow laptop.",
    "The recipe needs two eggs and a cup of flour.",
    "Closing programs you do not use frees the processor.",
    "A marathon is a little over forty-two kilometres long.",
    "My PC has become sluggish; what should I do?",
    "The museum is closed on Mondays.",
    "Fresh bread should cool before it is cut.",
)


def play(stage: Stage) -> None:
    stage.title("2. MiniLM ranks sentences by meaning")
    path = stage.folder / "minilm.onnx"
    if not path.exists():
        onnx.save(minilm().model(), path)
    model = skerry.load(path)
    stage.say(repr(model))
    inputs = encode((QUERY, *SENTENCES))
    result = skerry.run(model, inputs=inputs)
    embeddings = result.outputs["sentence_embedding"]
    likeness = embeddings[1:] @ embeddings[0]  # embeddings have length one, so this is the cosine
    stage.say(f"query: {QUERY}")
    for i in np.argsort(-likeness):
        stage.say(f"{likeness[i]:6.3f}  {SENTENCES[i]}")

    theirs = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = theirs.run(None, inputs)[0]
    stage.say(f"largest difference from ONNX Runtime's embeddings: {np.abs(embeddings - expected).max():.1e}")
    stage.price(result)
    stage.again_model(stage.packaged(model, "minilm"), inputs, {"sentence_embedding": embeddings})
