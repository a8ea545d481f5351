"""Lesson 2: a neural network is loaded, made ready, run many times and packaged."""

import tempfile
from pathlib import Path

import numpy
import skerry

root = Path(__file__).resolve().parent.parent.parent
model = skerry.load(root / "tests/data/models/digits_cnn.onnx")
assert isinstance(model, skerry.Model)
print(model.inputs, model.outputs, model.op_counts)

# A session keeps plans and buffers: arrays go in by name and come out by name, without copies.
session = model.session(threads=2)
with numpy.load(root / "tests/data/models/digits_cnn.npz") as kept:
    images = kept["in_x"]
logits = session.run({"x": images})["logits"]
print(logits.argmax(1))

# Which kernel computes which node, and where the memory goes.
plan = session.plan({"x": images})
for step in plan.steps:
    print(step.op, step.kernel, step.output)

# A package runs anywhere, with the same answers; loading it executes no code.
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "digits.skerry")
    skerry.save(model, path, compress=True)
    again = skerry.run(path, inputs={"x": images})
    assert numpy.array_equal(again.outputs["logits"], logits)
