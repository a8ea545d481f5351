"""ONNX's own backend suite, run through skerry.onnx_backend."""

from __future__ import annotations

import re
import unittest
import warnings
from collections import Counter

import numpy as np
import onnx
import onnx.backend.test
import pytest
import skerry
import skerry.onnx_backend

# Without a seed, or by a function whose numbers are another generator's; test_random_operators.py has what holds.
DRAWN = "random numbers that each runtime draws for itself"
# Cases that are known to differ, each with its reason.
DIFFERENT = {
    "test_attention_4d_causal_fp16_expanded_cpu": "one unit in the last place of a half",
    "test_bernoulli_cpu": DRAWN,
    "test_bernoulli_double_cpu": DRAWN,
    "test_bernoulli_double_expanded_cpu": DRAWN,
    "test_bernoulli_expanded_cpu": DRAWN,
    "test_bernoulli_seed_cpu": DRAWN,
    "test_bernoulli_seed_expanded_cpu": DRAWN,
    "test_dft_inverse_cpu": "3e-15 where the suite has its own rounding, 1.9e-7",
    "test_dft_inverse_opset19_cpu": "3e-15 where the suite has its own rounding, 1.9e-7",
    "test_loop16_seq_none_cpu": "right, but the suite cannot compare a scalar in a sequence",
}
LEAST_PASSED = 2012


def suite() -> unittest.TestSuite:
    """Everything that needs no download, on the CPU."""
    cases = onnx.backend.test.BackendTest(skerry.onnx_backend.SkerryBackend, __name__).test_cases
    tests = unittest.TestSuite()
    for name, case in cases.items():
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(case):
            if isinstance(test, unittest.TestCase) and test.id().endswith("_cpu") and "Real" not in name:
                tests.addTest(test)
    return tests


@pytest.fixture(scope="module")
def result() -> unittest.TestResult:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some cases divide by zero on purpose
        found = unittest.TestResult()
        suite().run(found)
    return found


def test_what_is_understood_is_right(result: unittest.TestResult) -> None:
    wrong = {}
    for test, message in [*result.failures, *result.errors]:
        name = test.id().rpartition(".")[2]
        last = message.strip().splitlines()[-1]
        if not re.match(r"skerry\.errors\.(Unsupported|VersionTooNew)", last) and name not in DIFFERENT:
            wrong[name] = last
    assert wrong == {}


def test_no_fewer_cases_pass_than_before(result: unittest.TestResult, capsys: pytest.CaptureFixture[str]) -> None:
    failed = len(result.failures) + len(result.errors)
    passed = result.testsRun - failed - len(result.skipped)
    reasons = Counter(message.strip().splitlines()[-1][:100] for _, message in result.errors)
    with capsys.disabled():
        print(
            f"\nONNX backend suite: {passed} of {result.testsRun} pass, {failed} do not, {len(result.skipped)} skipped"
        )
        for reason, times in reasons.most_common(8):
            print(f"  {times:5} {reason}")
    assert passed >= LEAST_PASSED


def test_a_node_runs_by_itself() -> None:
    node = onnx.helper.make_node("Add", ["a", "b"], ["c"])
    (c,) = skerry.onnx_backend.run_node(node, [np.array([1, 2], np.float32), np.array([3, 5], np.float32)])
    np.testing.assert_array_equal(c, np.array([4, 7], np.float32))


def test_another_device_is_refused() -> None:
    node = onnx.helper.make_node("Relu", ["a"], ["b"])
    assert not skerry.onnx_backend.supports_device("CUDA")
    with pytest.raises(skerry.Unsupported):
        skerry.onnx_backend.run_node(node, [np.array([1], np.float32)], "CUDA")
