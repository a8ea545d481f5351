"""skerry profile: each step beside what the machine can do, as a table, a page and a trace."""

from __future__ import annotations

import html.parser
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest

from tests.e2e import programs
from tests.e2e.programs import BELL, MODELS

DIGITS = MODELS / "digits_cnn.onnx"
NAME = "a<b>&\"'</title><script>alert(1)</script>"


def operations(path: Path) -> float:
    """Of the products alone, by ONNX's own shapes: two for each weight of each output."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    shapes = {
        info.name: [max(dim.dim_value, 1) for dim in info.type.tensor_type.shape.dim]
        for info in [*model.graph.value_info, *model.graph.output, *model.graph.input]
    }
    total = 0.0
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            weight = next(weights[name] for name in node.input[1:] if name in weights)
            outputs = float(np.prod(shapes[node.output[0]]))
            total += 2.0 * outputs * weight.size / shapes[node.output[0]][1]
    return total


def test_operations_are_those_of_the_definition() -> None:
    answer = programs.ok("profile", DIGITS, "--repeat", "3", "--json").json()
    products = sum(step["flops"] for step in answer["steps"] if step["op"] in ("Conv", "Gemm", "MatMul"))
    # Biases and activations are counted too, one for each element.
    assert operations(DIGITS) < products < 1.1 * operations(DIGITS)
    assert answer["flops"] == pytest.approx(sum(step["flops"] for step in answer["steps"]))
    assert answer["seconds"] == pytest.approx(sum(step["seconds"] for step in answer["steps"]))
    peaks = answer["peaks"]
    assert peaks["measured"] and min(peaks["cached_bytes_per_second"], peaks["bytes_per_second"]) > 1e8
    for step in answer["steps"]:
        peak = peaks["int8_per_second" if "i8" in step["kernel"] else "flops_per_second"]
        assert step["share_of_peak"] == pytest.approx(step["flops"] / step["seconds"] / peak)
        assert step["share_of_roof"] >= step["share_of_peak"]
        assert (step["bound_by"] == "bytes") == (step["share_of_roof"] > step["share_of_peak"])


def test_the_peaks_are_the_rates_that_plans_predict_with() -> None:
    rates = programs.ok("doctor", "--rates", "--json").json()["rates"]
    peaks = programs.ok("profile", DIGITS, "--repeat", "1", "--json").json()["peaks"]
    assert peaks["flops_per_second"] == pytest.approx(1 / rates["gemm_f32"])
    assert peaks["bytes_per_second"] == pytest.approx(1 / rates["stream"])


def test_people_see_the_slowest_step_first() -> None:
    lines = programs.ok("profile", DIGITS).out.splitlines()
    shares = [float(line.split("%")[0].split()[-1]) for line in lines[1:-2]]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(100, abs=0.1 * len(shares))
    assert "GFLOP/s" in lines[0] and lines[-1].startswith("peaks of ")


class Page(html.parser.HTMLParser):
    """Tags, attributes and the words of each cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag == "td"
        if self.inside:
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.cells[-1] += data


def hostile_model(path: Path) -> Path:
    """A model and a node whose names would be markup."""
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name=NAME)
    weights = onnx.numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    info = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [8, 64]) for name in ("x", "y")]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], NAME, info[:1], info[1:], [weights]), ir_version=10)
    onnx.save(model, path)
    return path


def test_the_page_needs_nothing_else_and_escapes_names(tmp_path: Path) -> None:
    page = tmp_path / "profile.html"
    programs.ok("profile", hostile_model(tmp_path / "m.onnx"), "--repeat", "3", "--html", page)
    text = page.read_text(encoding="utf-8")
    found = Page(text)
    assert not [tag for tag, attributes in found.tags if tag in ("script", "link", "img") or attributes.get("src")]
    assert not re.search(r"https?:|url\(", text)
    assert NAME in found.cells
    assert len([tag for tag, _ in found.tags if tag == "circle"]) == 1
    assert len([tag for tag, _ in found.tags if tag == "polyline"]) == 2


def test_a_browser_shows_the_table_and_the_roofline(tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    assert browser is not None
    page = tmp_path / "profile.html"
    steps = programs.ok("profile", DIGITS, "--html", page, "--json").json()["steps"]
    shown = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert shown.count("<tr>") == len(steps) + 1
    inside = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', shown)
    assert len(inside) == sum(step["flops"] > 0 for step in steps)
    assert all(70 <= float(x) <= 740 and 20 <= float(y) <= 370 for x, y in inside)


def test_the_trace_opens_in_perfetto(tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    steps = programs.ok("profile", DIGITS, "--trace", trace, "--json").json()["steps"]
    events = json.loads(trace.read_text())
    spans = [event for event in (events["traceEvents"] if isinstance(events, dict) else events) if event["ph"] == "X"]
    assert [span["name"] for span in sorted(spans, key=lambda span: span["ts"]) if span["cat"] == "step"] == [
        step["op"] for step in steps
    ]
    (whole,) = [span for span in spans if span["name"] == "run_graph"]
    inside = sum(span["dur"] for span in spans if span["cat"] == "step")
    assert 0 < inside <= whole["dur"]


def test_a_circuit_has_no_operators() -> None:
    done = programs.run("profile", BELL)
    assert done.code == 2 and "SKERRY_TRACE" in done.err
    assert programs.run("profile", DIGITS, "--repeat", "0").code == 2


def test_a_trace_that_the_disk_does_not_take_is_told_at_the_end() -> None:
    done = programs.ok("profile", DIGITS, "--repeat", "1", "--trace", "/dev/full", "--json")
    assert done.json()["ok"]
    told = re.search(
        r"^warning: the trace /dev/full is cut short: No space left on device; up to (\d+)", done.err, re.M
    )
    assert told and int(told[1]) > 0, done.err
    from_environment = programs.ok("run", BELL, "--shots", "10", extra={"SKERRY_TRACE": "/dev/full"})
    assert "warning: the trace /dev/full is cut short" in from_environment.err
    refused = programs.run("profile", DIGITS, "--repeat", "1", "--trace", "/no/such/folder/trace.json", "--json")
    assert refused.code == 3 and refused.json()["error"]["code"] == "io_error"
