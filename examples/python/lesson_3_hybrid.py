"""Lesson 3: a hybrid; a dense layer gives the angles of a circuit, whose expectations a second dense layer reads."""

import numpy
import skerry

# Two qubits, one angle each, entangled: <Z0> = cos(a) and <Z1> = cos(a) cos(b).
a, b = skerry.Parameter("a"), skerry.Parameter("b")
circuit = skerry.Circuit(2).rx(a, 0).rx(b, 1).cx(0, 1)
observables = [skerry.Observable.parse(text, num_qubits=2) for text in ("Z0", "Z1")]

g = skerry.GraphBuilder("hybrid")
x = g.input("x", ["N", 2])
angles = g.add("MatMul", [x, g.constant(numpy.array([[1, 0], [0, 2]], numpy.float32))])
values = g.circuit(circuit, angles, observables)
g.output(g.add("MatMul", [values, g.constant(numpy.array([[1, 1], [1, -1]], numpy.float32))]), "scores")
model = g.build()
print(model)

points = numpy.array([[0.1, 0.2], [1.0, 0.5], [-0.3, 2.0]], numpy.float32)
scores = skerry.run(model, inputs={"x": points}).outputs["scores"]
z0 = numpy.cos(points[:, 0])
z1 = z0 * numpy.cos(2 * points[:, 1])
assert numpy.allclose(scores, numpy.stack([z0 + z1, z0 - z1], 1), atol=1e-5)
print(scores)
