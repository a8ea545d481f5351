"""What docs/memory.md says that a process still has when nobody holds it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, re
import numpy as np, skerry

def told():
    text = open("/proc/self/smaps_rollup").read()
    return [int(re.search(rf"^{what}: +(\\d+) kB", text, re.MULTILINE).group(1)) / 1e3 for what in ("Rss", "LazyFree")]

g = skerry.GraphBuilder()
y = g.input("x", ["N", 1024])
for i in range(3):
    y = g.add("Softmax", [y], name=f"s{i}")
g.output(g.add("ReduceSum", [y, g.constant(np.array([0], np.int64), "axes")], name="sum"))
model = g.build()
session = model.session(threads=1)
x = np.ones((16384, 1024), np.float32)
before = told()
session.run({"x": x})
run = told()
for rows in (1, 2, 3):
    session.run({"x": x[:rows]})
kept = told()
session.run({"x": x[:4]})
given_back = told()
model.session(threads=1, max_memory_mb=100).run({"x": x[:4]})
print(json.dumps([before, run, kept, given_back, told()]))
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the kernel does not tell")
def test_the_arena_of_large_shapes_stays_for_four_shapes_and_then_until_a_run_with_a_limit() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    before, run, kept, given_back, limited = json.loads(done.stdout)
    arena = 60  # MB, of 64 MiB
    assert run[0] - before[0] > arena
    assert kept[0] - before[0] > arena  # still the session's
    assert kept[1] == 0
    assert given_back[1] > arena or given_back[0] < kept[0] - arena  # or the system took it already
    assert limited[1] < 4
    assert limited[0] < kept[0] - arena
