"""Circuits as layers of Torch: values and derivatives against closed forms and differences, export against Torch."""

from __future__ import annotations

import copy
import pickle
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry

torch = pytest.importorskip("torch")

from skerry.torch import CircuitLayer, export  # noqa: E402


def circuit() -> skerry.Circuit:
    made = skerry.Circuit(3)
    for q in range(3):
        made.ry(skerry.Parameter(f"x{q}"), q)
    for q in range(3):
        made.rx(2 * skerry.Parameter(f"w{q}") + 0.1, q)
    return made.cx(0, 1).cx(1, 2).rzz(skerry.Parameter("w0"), 0, 2).ry(skerry.Parameter("v"), 1)


MEANS = [skerry.Observable.parse(text, 3) for text in ("Z0", "X1 Z2", "0.5*Y2 - 2*Z0 Z1")]
INPUTS = ["x0", "x1", "x2"]


@pytest.mark.parametrize("count", [1, 3])
def test_first_and_second_derivatives_are_those_of_differences(count: int) -> None:
    torch.manual_seed(2)
    layer = CircuitLayer(circuit(), MEANS[:count], inputs=INPUTS)
    x = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)

    def values(x: Any, weight: Any) -> Any:
        return torch.func.functional_call(layer, {"weight": weight}, (x,))

    assert torch.autograd.gradcheck(values, (x, layer.weight))
    assert torch.autograd.gradgradcheck(values, (x, layer.weight))


def test_a_value_is_the_closed_form_and_keeps_the_shape_and_dtype_of_the_input() -> None:
    x = skerry.Parameter("x")
    layer = CircuitLayer(skerry.Circuit(1).ry(x, 0), skerry.Observable.parse("Z0", 1), inputs=["x"])
    angles = torch.linspace(-2, 2, 12).reshape(3, 4, 1)
    found = layer(angles)
    assert found.shape == (3, 4, 1)
    assert found.dtype == torch.float32
    assert torch.allclose(found, torch.cos(angles), atol=1e-6)


def test_parameters_are_put_in_their_places_by_name() -> None:
    values = {"x0": 0.3, "x1": -1.0, "x2": 2.0, "w0": 0.5, "w1": 0.7, "w2": -0.2, "v": 1.1}
    layer = CircuitLayer(circuit(), MEANS, inputs=["x2", "x0", "x1"], initial=[0.5, 0.7, -0.2, 1.1])
    found = layer(torch.tensor([2.0, 0.3, -1.0], dtype=torch.float64))
    expected = [skerry.Simulator().expectation(circuit(), mean, values) for mean in MEANS]
    assert np.allclose(found.detach().numpy(), expected, atol=1e-12)


def test_training_finds_the_lowest_value() -> None:
    layer = CircuitLayer(skerry.Circuit(1).ry(skerry.Parameter("w"), 0), MEANS[0].parse("Z0", 1), initial=[0.4])
    adam = torch.optim.Adam(layer.parameters(), lr=0.2)
    for _ in range(100):
        adam.zero_grad()
        layer().sum().backward()
        adam.step()
    assert layer().item() < -0.999


def test_layers_are_copied_pickled_and_loaded() -> None:
    layer = CircuitLayer(circuit(), MEANS, inputs=INPUTS)
    x = torch.rand(2, 3, dtype=torch.float64)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x), layer(x))
        assert other.weight.data_ptr() != layer.weight.data_ptr()
    fresh = CircuitLayer(circuit(), MEANS, inputs=INPUTS)
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(fresh(x), layer(x))


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(skerry.InvalidArgument, match="'y' is no parameter"):
        CircuitLayer(circuit(), MEANS, inputs=["y"])
    with pytest.raises(skerry.InvalidArgument, match="named twice"):
        CircuitLayer(circuit(), MEANS, inputs=["x0", "x0"])
    with pytest.raises(skerry.InvalidArgument, match="4 weights"):
        CircuitLayer(circuit(), MEANS, inputs=INPUTS, initial=[1.0])
    with pytest.raises(skerry.InvalidArgument, match="2 columns"):
        CircuitLayer(circuit(), MEANS, inputs=INPUTS)(torch.zeros(5, 2))
    with pytest.raises(skerry.Unsupported):
        CircuitLayer(skerry.Circuit(1, 1).measure(0, 0), MEANS[0].parse("Z0", 1))


def test_a_hybrid_becomes_one_package_that_runs_without_python(tmp_path: Path, programs: Path) -> None:
    pytest.importorskip("onnxscript")
    torch.manual_seed(3)
    model = torch.nn.Sequential(
        torch.nn.Linear(5, 3),
        torch.nn.Tanh(),
        CircuitLayer(circuit(), MEANS, inputs=INPUTS),
        torch.nn.Linear(3, 2),
        torch.nn.Softmax(dim=1),
    )
    made = export(model, torch.rand(7, 5), tmp_path / "hybrid.skerry", input_names=["x"], output_names=["y"])
    assert made.op_counts["circuit"] == 1
    x = torch.rand(4, 5)
    expected = model(x).detach().numpy()
    found = skerry.run(made, inputs={"x": x.numpy()}).outputs["y"]
    assert np.abs(found - expected).max() < 1e-6
    np.save(tmp_path / "x.npy", x.numpy())
    command = [str(programs / "apps/run/skerry-run"), "hybrid.skerry", "--input", "x=x.npy", "--output", "y=y.npy"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env={"PATH": str(shutil.which("env"))})
    assert np.array_equal(np.load(tmp_path / "y.npy"), found)
