"""What a value shows of itself."""

import inspect
import re

import skerry
from skerry import _core
from skerry.batching import BatchingManager
from skerry.edge import EdgeExecutionConfig
from skerry.memory import OptimizedInferenceEngine


def classes() -> list[type]:
    return [thing for _, thing in inspect.getmembers(_core, inspect.isclass) if thing.__module__ == "skerry._core"]


def test_every_class_that_has_something_to_show_shows_it() -> None:
    assert len(classes()) > 80
    silent = []
    for cls in classes():
        has_fields = any(isinstance(what, property) for base in cls.__mro__ for what in vars(base).values())
        if has_fields and not any("__repr__" in vars(base) for base in cls.__mro__[:-1]):
            silent.append(cls.__name__)
    assert silent == []


def test_a_value_shows_its_fields_and_no_address() -> None:
    engine = OptimizedInferenceEngine()
    assert repr(engine.rest()) == "<RestReport: models=0, released_bytes=0, compressed_bytes=0>"
    g = skerry.GraphBuilder()
    g.output(g.add("Relu", [g.input("x", ["N", 2])], name="y"))
    model = g.build()
    batching = BatchingManager(model)
    shown = [
        batching.statistics(),
        model.session(),
        skerry.plan(skerry.Circuit(2).h(0)),
        engine.load_model(model).handle,
    ]
    for value in shown:
        text = repr(value)
        assert text.startswith("<" + type(value).__name__), text
        assert not re.search("object at 0x", text), text
        assert len(text) < 1000
    assert repr(batching.statistics()).startswith("<BatchingStatistics: answered=0, failed=0, ")


def test_long_fields_are_cut_and_arrays_told_by_their_shape() -> None:
    options = _core.RunOptions()
    options.parameters = [0.5] * 1000
    assert "parameters=(1000 entries)" in repr(options)
    options.parameters = [0.5, 1.25]
    assert "parameters=[0.5, 1.25]" in repr(options)
    options.method = "x" * 500
    assert len(repr(options)) < 1000


def test_a_configuration_does_not_show_its_key() -> None:
    config = EdgeExecutionConfig(cloud_endpoint="https://example.org", cloud_api_key="s3cret-key")
    assert "s3cret-key" not in repr(config)
    native = _core.EdgeConfig()
    native.cloud_api_key = "s3cret-key"
    assert "s3cret-key" not in repr(native)
